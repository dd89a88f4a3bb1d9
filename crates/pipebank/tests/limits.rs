//! The limits that the README of this crate states: what is within them works, what is beyond is refused clearly,
//! all in bounded memory. (Amounts: testdata/amounts.txt, testdata/refused-numbers.txt and
//! testdata/refused-deposits.txt; the richest bank under load: load.rs.)
//!
//! It has a program of its own: what it measures is the memory of every process that its own has
//! started. What takes long is ignored: `cargo test --release -p pipebank --test limits -- --ignored`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;
use testing::{Folder, Master, master, mesh};

/// How much memory any process takes at most, in KiB, whatever master is given to read.
const MODEST: i64 = 100 * 1024;

/// How long the heavy ones may take.
const LONG: Duration = Duration::from_secs(300);

/// No process that these tests have started has taken more than that.
#[track_caller]
fn assert_modest() {
    let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    assert!(most < MODEST, "a process took {} MiB", most / 1024);
}

/// Every node sends to the next, one begins a snapshot, and everything is in it.
fn a_snapshot_of(nodes: usize) {
    let mut script = mesh(nodes, 10);
    for from in 1..=nodes {
        let to = from % nodes + 1;
        if from != to {
            let _ = writeln!(script, "Send {from} {to} 3");
        }
    }
    script += "BeginSnapshot 1\nReceiveAll\nCollectState\nPrintSnapshot\n";
    let place = Folder::new();
    let name = place.file("s.txt", script);
    let mut command = Command::new(master());
    command.args(["--json", "--seed", "1", name]);
    let mut master = Master::start_in(place, command);
    master.lose_patience_after(LONG);
    let ended = master.end();
    ended.expect_status(0);
    let snapshot: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!(snapshot["total"], 10 * nodes);
    assert_eq!(snapshot["nodes"].as_array().unwrap().len(), nodes);
    let channels = snapshot["channels"].as_array().unwrap().len();
    assert_eq!(channels, nodes * (nodes - 1));
    assert_modest();
}

#[test]
fn snapshots_of_one_node_two_and_a_few_are_whole() {
    for nodes in [1, 2, 33] {
        a_snapshot_of(nodes);
    }
}

#[test]
#[ignore = "tens of thousands of pipes"]
fn snapshots_of_hundreds_of_nodes_are_whole() {
    for nodes in [101, 250] {
        a_snapshot_of(nodes);
    }
}

#[test]
fn nul_bytes_are_refused_like_other_foreign_characters() {
    let place = Folder::new();
    let script = b"StartMaster\nCreateNode 1 5\0\n\0\nCreateNode 2 5 # \0\n";
    let name = place.file("nul.txt", script);
    place.run(&[name]).expect(
        2,
        "",
        "nul.txt:2:14: `5\\x00` is not an amount: decimal digits only\n    \
             CreateNode 1 5\\x00\n                 ^^^^^\n\
         nul.txt:3:1: unknown command `\\x00`\n    \\x00\n    ^^^^\n",
    );
}

/// A file that is one line of NUL bytes; it takes no room on the disk.
fn one_line(place: &Folder, bytes: u64) -> File {
    let path = place.path("long.txt");
    File::create(&path).unwrap().set_len(bytes).unwrap();
    File::open(path).unwrap()
}

/// One that is too long is refused, read from a file or from standard input.
fn a_line_of(bytes: u64) {
    let told = "line is longer than 65536 bytes";
    let place = Folder::new();
    let file = one_line(&place, bytes);
    let mut command = Command::new(master());
    command.args(["--seed", "1"]).stdin(file);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut master = Master::spawn_as_is(command);
    master.lose_patience_after(LONG);
    let from_input = master.ended();
    assert!(from_input.err.contains(told), "{from_input:#?}");
    from_input.expect_status(1);

    let mut command = Command::new(testing::master());
    command.arg("long.txt");
    let mut master = Master::start_in(place, command);
    master.lose_patience_after(LONG);
    let from_file = master.end();
    assert!(from_file.err.contains(told), "{from_file:#?}");
    from_file.expect_status(2);
    assert_modest();
}

#[test]
fn a_long_line_is_refused_and_not_kept() {
    a_line_of(8 << 20);
}

#[test]
#[ignore = "reads a gigabyte twice"]
fn a_line_of_a_gigabyte_is_refused_and_not_kept() {
    a_line_of(1 << 30);
}

#[test]
fn a_million_mistakes_are_refused_in_bounded_memory() {
    let place = Folder::new();
    let name = place.file("wrong.txt", "Sned 1 2 3\n".repeat(1_000_000));
    let ended = place.run(&[name]);
    let last = "wrong.txt:1001:1: more than 1000 mistakes: what follows was not checked";
    assert!(ended.err.lines().any(|line| line == last), "{last}");
    ended.expect_status(2);
    assert_modest();
}

#[test]
#[ignore = "a million commands"]
fn a_million_lines_are_carried_out() {
    let mut script = mesh(2, 1_000_000);
    script += &"Send 1 2 1\nReceive 2 1\n".repeat(500_000);
    let place = Folder::new();
    let name = place.file("million.txt", script);
    let mut command = Command::new(master());
    command.args(["--seed", "1", name]);
    let mut master = Master::start_in(place, command);
    master.lose_patience_after(LONG);
    let ended = master.end();
    assert_eq!(ended.out, "1 Transfer 1\n".repeat(500_000));
    ended.expect_status(0);
    assert_modest();
}
