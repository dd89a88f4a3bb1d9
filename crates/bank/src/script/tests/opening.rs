//! Scripts for a bank that an earlier one has left: what is known before the first line.

use crate::id::{NodeId, Place};
use crate::script::{Known, ScriptReader};

/// Nodes 7 and 9, with a channel from the former to the latter, or a full mesh of them.
fn bank(is_sparse: bool) -> Known {
    Known {
        nodes: vec![(NodeId(7), 5), (NodeId(9), u64::MAX - 5)],
        channels: is_sparse.then(|| vec![(Place(0), Place(1))]),
    }
}

/// What is wrong with a script, if anything is, without the excerpts.
#[track_caller]
fn check(known: Known, script: &str, wanted: &[&str]) {
    let reader = ScriptReader::default().lasting(true).opening(known);
    let refusals = reader.read(script.as_bytes()).err().unwrap_or_default();
    let shown = refusals.iter().map(|it| it.display("a").to_string());
    let shown: Vec<String> = shown
        .map(|it| it.lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(shown, wanted);
}

#[test]
fn the_nodes_of_a_bank_that_was_kept_are_known_once_it_is_opened() {
    check(
        bank(false),
        "StartMaster\nSend 7 9 1\nRestartNode 9\nCreateNode 8 0\nSend 8 7 1\n",
        &[],
    );
    check(
        bank(false),
        "StartMaster\nCreateNode 7 0\nCreateNode 8 1\nSend 7 8 1\n",
        &[
            "a:2:12: node 7 is in the bank already that StartMaster opens (line 1)",
            "a:3:14: deposits since StartMaster would exceed 18446744073709551615",
        ],
    );
    check(
        bank(false),
        "Send 7 9 1\n",
        &["a:1:1: StartMaster comes first: put it on a line of its own before this one"],
    );
}

#[test]
fn the_channels_of_a_sparse_bank_are_known_and_a_mesh_stays_one() {
    check(
        bank(true),
        "StartMaster\nSend 7 9 1\nConnect 9 7\nSend 9 7 1\n",
        &[],
    );
    check(bank(true), "StartMaster sparse\nReceive 9 7\n", &[]);
    check(
        bank(true),
        "StartMaster\nConnect 7 9\nConnect 9 7\nConnect 9 7\n",
        &[
            "a:2:11: the channel 7 → 9 is in the bank already that StartMaster opens (line 1)",
            "a:4:11: the channel 9 → 7 was already opened on line 3",
        ],
    );
    check(
        bank(false),
        "StartMaster sparse\nSend 7 9 1\n",
        &["a:1:13: the bank that StartMaster opens is a full mesh; KillAll would end it"],
    );
}

#[test]
fn nothing_is_known_any_more_after_kill_all() {
    for ends in ["KillAll\n", "StartMaster\nKillAll\n"] {
        check(
            bank(false),
            &format!("{ends}StartMaster sparse\nCreateNode 7 9\nCreateNode 8 9\nConnect 7 8\n"),
            &[],
        );
    }
}
