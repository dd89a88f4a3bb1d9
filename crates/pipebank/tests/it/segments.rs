//! Journals of scripts consist of segments: whoever comes back begins with a late one.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::sys::signal::Signal::SIGKILL;
use testing::{Master, signal};

/// An amount that takes many bytes in a journal, and how many of them an account can hold.
const AMOUNT: u64 = 1 << 60;
const AT_ONCE: usize = 15;

#[test]
fn who_has_done_much_comes_back_without_going_through_all_of_it() {
    let mut master = Master::start(&["--data", "bank"]);
    let deposit = AMOUNT * AT_ONCE as u64;
    master.write(format!(
        "StartMaster\nCreateNode 1 {deposit}\nCreateNode 2 0\n"
    ));
    let there = format!("Send 1 2 {AMOUNT}\n").repeat(AT_ONCE);
    let back = format!("Send 2 1 {AMOUNT}\n").repeat(AT_ONCE);
    let round = there + "ReceiveAll\n" + &back + "ReceiveAll\n";
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
