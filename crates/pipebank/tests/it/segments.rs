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
    // None is ever made, so that the first segment stays.
    let notes = u64::MAX.to_string();
    let mut master = Master::start(&["--data", "bank", "--notes-every", &notes]);
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

/// A script whose journals become long, and leaves 7 on the way.
fn long_script() -> String {
    let deposit = AMOUNT * AT_ONCE as u64;
    let begin = format!("StartMaster\nCreateNode 1 {deposit}\nCreateNode 2 0\n");
    begin + &round().repeat(2500) + "Send 1 2 7\n"
}

/// What the journals hold of its beginning is gone.
fn are_short(journals: &Folder) {
    for node in 0..2 {
        let segment = |number| {
            let name = format!("bank/1-node-{node}.{number}");
            journals.path(&name).exists()
        };
        assert!(
            !segment(1),
            "the first segment of node {node} is still there"
        );
        assert!((2..9).any(segment), "node {node} has no journal");
    }
}

/// The next script finds the bank that the long one has left.
fn is_sound(bank: &Folder, options: &[&str]) {
    bank.file(
        "next.txt",
        "StartMaster\nBeginSnapshot 1\nReceiveAll\nCollectState\nPrintSnapshot\n",
    );
    let next = bank.run(&[&["--data", "bank"], options, &["next.txt"]].concat());
    next.expect_status(0);
    let left = format!("node 1 = {}\nnode 2 = 7\n", AMOUNT * AT_ONCE as u64 - 7);
    assert!(next.out.contains(&left), "{}", next.out);
}

#[test]
fn journals_of_scripts_do_not_grow_for_ever() {
    for history in [&[][..], &["--history", "h"]] {
        let folder = Folder::new();
        folder.file("long.txt", long_script());
        let long = ["--data", "bank", "--notes-every", "1000", "long.txt"];
        folder.run(&[&long, history].concat()).expect_status(0);
        are_short(&folder);
        is_sound(&folder, &[]);
    }
}

#[test]
fn journals_of_what_comes_on_standard_input_do_not_either() {
    for history in [&[][..], &["--history", "h"]] {
        let notes = ["--data", "bank", "--notes-every", "1000"];
        let mut master = Master::start(&[&notes, history].concat());
        master.write(long_script());
        master.settle(2);
        are_short(master.place());
        signal(master.pid(), SIGKILL);
        master.wait();
        is_sound(master.place(), &["--abandon"]);
    }
}
