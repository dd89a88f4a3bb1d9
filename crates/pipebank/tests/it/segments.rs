//! Journals of scripts consist of segments: whoever comes back begins with a late one.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::sys::signal::Signal::SIGKILL;
use testing::{Folder, Master, signal};

/// An amount that takes many bytes in a journal, and how many of them an account can hold.
const AMOUNT: u64 = 1 << 60;
const AT_ONCE: usize = 15;

/// Commands after which everything is as before.
fn round() -> String {
    let there = format!("Send 1 2 {AMOUNT}\n").repeat(AT_ONCE);
    let back = format!("Send 2 1 {AMOUNT}\n").repeat(AT_ONCE);
    there + "ReceiveAll\n" + &back + "ReceiveAll\n"
}

#[test]
fn who_has_done_much_comes_back_without_going_through_all_of_it() {
    let mut master = Master::start(&["--data", "bank"]);
    let deposit = AMOUNT * AT_ONCE as u64;
    master.write(format!(
        "StartMaster\nCreateNode 1 {deposit}\nCreateNode 2 0\n"
    ));
    let round = round();
    let second = master.path("bank/1-node-0.2");
    while !second.exists() {
        master.write(round.repeat(100));
        master.settle(2);
    }
    master.write("Send 1 2 7\nBeginSnapshot 2\n");
    master.expect_out(&["Started by Node 2"]);
    let pids = master.settle(2);
    // Were it gone through, this would be told.
    let first = File::options()
        .write(true)
        .open(master.path("bank/1-node-0.1"));
    first.unwrap().write_all_at(&[0xff; 100], 5000).unwrap();
    for pid in pids.nodes.values() {
        signal(*pid, SIGKILL);
    }
    master.write("ReceiveAll\nCollectState\nPrintSnapshot\n");
    let left = format!("node 1 = {}", deposit - 7);
    master.expect_out(&[
        "---Node states",
        &left,
        "node 2 = 0",
        "---Channel states",
        "channel (1 → 2) = 7",
    ]);
    master.end().expect_status(0);
}

#[test]
fn journals_of_scripts_do_not_grow_for_ever() {
    let folder = Folder::new();
    let deposit = AMOUNT * AT_ONCE as u64;
    let begin = format!("StartMaster\nCreateNode 1 {deposit}\nCreateNode 2 0\n");
    folder.file("long.txt", begin + &round().repeat(2500) + "Send 1 2 7\n");
    let long = ["--data", "bank", "--notes-every", "5000", "long.txt"];
    folder.run(&long).expect_status(0);
    for node in 0..2 {
        let segment = |number| {
            folder
                .path(&format!("bank/1-node-{node}.{number}"))
                .exists()
        };
        assert!(
            !segment(1),
            "the first segment of node {node} is still there"
        );
        assert!((2..9).any(segment), "node {node} has no journal");
    }
    folder.file(
        "next.txt",
        "StartMaster\nBeginSnapshot 1\nReceiveAll\nCollectState\nPrintSnapshot\n",
    );
    let next = folder.run(&["--data", "bank", "next.txt"]);
    next.expect_status(0);
    let left = format!("node 1 = {}\nnode 2 = 7\n", deposit - 7);
    assert!(next.out.contains(&left), "{}", next.out);
}
