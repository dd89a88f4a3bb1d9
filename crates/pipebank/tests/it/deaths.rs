//! What happens when processes of the system die or stop while master waits or works.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal::{SIGCONT, SIGKILL, SIGUSR1};
use testing::{
    Ended, Folder, Master, Process, SEED_LINE, blocked_signals, gone, idle, master, mesh,
    more_messages_than_a_pipe_holds, signal, stop, until,
};

/// A master that waits for input, with three nodes that have `100`, `200` and `300`.
fn three_nodes() -> Master {
    let mut master = Master::start(&[]);
    master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\nCreateNode 3 300\n");
    master
}

/// The last lines on stderr of a run that failed are the last of `lines` and the seed.
#[track_caller]
fn ends_with(ended: &Ended, status: i32, lines: &[&str]) {
    let mut right: Vec<&str> = lines.to_vec();
    right.push(SEED_LINE);
    let real: Vec<&str> = ended.err.lines().collect();
    assert!(real.ends_with(&right), "{ended:#?}");
    ended.expect_status(status);
}

#[test]
fn a_killed_node_is_told_while_master_waits_and_the_living_go_on() {
    let mut master = three_nodes();
    master.write("Send 2 1 5\nSend 1 2 10\n");
    let pids = master.settle(3);
    signal(pids.nodes[&2], SIGKILL);
    master.expect_err(&[
        "node 2 died (killed by signal 9)",
        "lost with node 2: its balance of 195, 1 transfer (10 in all) on the way to it",
    ]);
    assert!(!master.pids().nodes.contains_key(&2));

    master.write("Send 1 3 20\nReceive 3\n");
    master.expect_out(&["1 Transfer 20"]);
    master.write("Receive 1 2\n");
    master.expect_out(&["2 Transfer 5"]);
    master.write("Receive 1 2\nSend 1 2 1\nSend 2 1 1\nReceive 2\nReceive 2 1\n");
    master.expect_err(&[
        "-:11: `Receive 1 2`: nothing more to receive from node 2: node 2 died (killed by signal 9)",
        "-:12: `Send 1 2 1`: node 2 died (killed by signal 9)",
        "-:13: `Send 2 1 1`: node 2 died (killed by signal 9)",
        "-:14: `Receive 2`: node 2 died (killed by signal 9)",
        "-:15: `Receive 2 1`: node 2 died (killed by signal 9)",
    ]);
    master.write("BeginSnapshot 1\nCollectState\nPrintSnapshot\nKillNode 2\n");
    master.expect_err(&[
        "-:16: `BeginSnapshot 1`: a snapshot needs every node, and node 2 died (killed by signal 9)",
        "-:17: `CollectState`: a snapshot needs every node, and node 2 died (killed by signal 9)",
        "-:18: `PrintSnapshot`: no snapshot has been collected",
        "-:19: `KillNode 2`: node 2 died (killed by signal 9)",
    ]);
    master.write("CreateNode 4 400\nSend 4 3 7\nSend 3 4 8\nReceiveAll\nReceive 4 2\nnodes\n");
    master.expect_err(&[
        "-:24: `Receive 4 2`: there is no channel 2 → 4: node 2 died (killed by signal 9) before it \
         was opened",
    ]);
    let table: Vec<String> = (0..4).map(|_| master.err()).collect();
    assert!(
        table[0].ends_with("running  balance 75  waiting: nothing"),
        "{table:?}"
    );
    assert!(table[1].ends_with("died (killed by signal 9)"), "{table:?}");
    assert!(
        table[2].ends_with("running  balance 319  waiting: nothing"),
        "{table:?}"
    );
    assert!(
        table[3].ends_with("running  balance 401  waiting: nothing"),
        "{table:?}"
    );
    let ended = master.end();
    assert_eq!(ended.out, "1 Transfer 20\n2 Transfer 5\n");
    ends_with(&ended, 1, &[&table[3]]);
}

#[test]
fn a_node_that_ends_by_another_signal_is_told_with_it() {
    let mut master = three_nodes();
    let pids = master.settle(3);
    assert_eq!(
        blocked_signals(pids.nodes[&3]),
        0,
        "a node inherits master's blocked signals"
    );
    signal(pids.nodes[&3], SIGUSR1);
    master.expect_err(&[
        "node 3 died (killed by signal 10)",
        "lost with node 3: its balance of 300",
    ]);
    ends_with(&master.end(), 1, &["lost with node 3: its balance of 300"]);
}

#[test]
fn a_killed_node_is_forgotten_by_kill_all() {
    let mut master = three_nodes();
    let pids = master.settle(3);
    signal(pids.nodes[&2], SIGKILL);
    master.expect_err(&["node 2 died (killed by signal 9)"]);
    master.write("KillAll\nStartMaster\nCreateNode 2 5\nCreateNode 1 5\nSend 2 1 2\n");
    master.write("BeginSnapshot 2\nReceiveAll\nCollectState\nPrintSnapshot\n");
    master.expect_out(&[
        "Started by Node 2",
        "---Node states",
        "node 1 = 7",
        "node 2 = 3",
        "---Channel states",
        "channel (1 → 2) = 0",
        "channel (2 → 1) = 0",
    ]);
    ends_with(&master.end(), 1, &["lost with node 2: its balance of 200"]);
}

#[test]
fn without_the_observer_everything_but_snapshots_goes_on() {
    let mut master = three_nodes();
    master.write("Send 1 2 10\nBeginSnapshot 1\nReceiveAll\nCollectState\nBeginSnapshot 2\n");
    let pids = master.settle(3);
    master.expect_out(&["Started by Node 1", "Started by Node 2"]);
    signal(pids.observer.unwrap(), SIGKILL);
    master.expect_err(&[
        "the observer died (killed by signal 9)",
        "snapshot 2 is lost: it was not yet collected",
    ]);
    assert_eq!(master.pids().observer, None);

    master.write("BeginSnapshot 3\nCollectState\nPrintSnapshot 2\nPrintSnapshot\n");
    let why = "the observer died (killed by signal 9): there are no snapshots without it";
    master.expect_err(&[
        &format!("-:11: `BeginSnapshot 3`: {why}"),
        &format!("-:12: `CollectState`: {why}"),
        "-:13: `PrintSnapshot 2`: snapshot 2 has not been collected; only 1 has",
    ]);
    master.expect_out(&[
        "---Node states",
        "node 1 = 90",
        "node 2 = 210",
        "node 3 = 300",
    ]);
    for _ in 0..7 {
        master.out();
    }
    master
        .write("CreateNode 4 0\nSend 1 4 30\nReceive 4 1\nKillNode 3\nSend 4 2 30\nReceive 2 4\n");
    master.expect_out(&["1 Transfer 30"]);
    master.expect_err(&[
        "node 3 died (killed by signal 9)",
        "lost with node 3: its balance of 300",
    ]);
    master.expect_out(&["4 Transfer 30"]);
    master.write("KillAll\nStartMaster\nCreateNode 9 9\nBeginSnapshot 9\nCollectState\n");
    master.write("PrintSnapshot\n");
    master.expect_out(&[
        "Started by Node 9",
        "---Node states",
        "node 9 = 9",
        "---Channel states",
    ]);
    ends_with(&master.end(), 1, &["lost with node 3: its balance of 300"]);
}

#[test]
fn a_killed_observer_takes_a_collection_with_it() {
    let mut master = three_nodes();
    master.write("BeginSnapshot 1\nReceiveAll\n");
    let pids = master.settle(3);
    let observer = pids.observer.unwrap();
    stop(observer);
    master.write("CollectState\n");
    signal(observer, SIGKILL);
    let why = "the observer died (killed by signal 9)";
    // The death may be noticed before the command is read.
    let mut told: Vec<String> = (0..3).map(|_| master.err()).collect();
    told.sort();
    assert_eq!(
        told,
        [
            format!("-:8: `CollectState`: {why}: there are no snapshots without it"),
            "snapshot 1 is lost: it was not yet collected".to_owned(),
            why.to_owned(),
        ]
    );
    master.write("PrintSnapshot\n");
    let ended = master.end();
    ends_with(
        &ended,
        1,
        &["-:9: `PrintSnapshot`: no snapshot has been collected"],
    );
    assert_eq!(ended.out, "Started by Node 1\n");
}

#[test]
fn a_receive_that_was_to_take_a_marker_fails_where_the_observer_died_before_it_was_sent() {
    for receive in ["Receive 2", "Receive 2 1", "ReceiveAll"] {
        let mut master = Master::start(&["--verbose"]);
        master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\n");
        let pids = master.settle(2);
        let observer = pids.observer.unwrap();
        stop(observer);
        master.write(format!(
            "Send 2 1 5\nBeginSnapshot 1\n{receive}\nSend 1 2 7\nReceive 2\n"
        ));
        // Commands are issued in order: once there is nothing to do, the receive waits.
        master.err_until("node 2: sends 5 to node 1, balance 195");
        idle(master.pid());
        signal(observer, SIGKILL);
        let ended = master.end();
        let begin = "-:6: `BeginSnapshot 1`: the observer died (killed by signal 9)";
        assert!(ended.err.contains(begin), "{receive}: {ended:#?}");
        assert_eq!(ended.out, "1 Transfer 7\n", "{receive}: {ended:#?}");
        ended.expect_status(1);
    }
}

#[test]
fn a_node_that_dies_during_a_snapshot_loses_it_and_that_is_told_once() {
    let mut master = three_nodes();
    master.write("BeginSnapshot 1\nReceiveAll\nCollectState\nBeginSnapshot 2\nReceive 1 2\n");
    let pids = master.settle(3);
    signal(pids.nodes[&3], SIGKILL);
    master.expect_err(&[
        "node 3 died (killed by signal 9)",
        "snapshot 2 is lost: it was not yet collected",
        "lost with node 3: its balance of 300",
    ]);
    master.write("ReceiveAll\nCollectState\nPrintSnapshot 2\nPrintSnapshot 1\nPrintSnapshot\n");
    let mut ended = master.end();
    let printed = "\
        ---Node states\nnode 1 = 100\nnode 2 = 200\nnode 3 = 300\n---Channel states\n\
        channel (1 → 2) = 0\nchannel (1 → 3) = 0\nchannel (2 → 1) = 0\n\
        channel (2 → 3) = 0\nchannel (3 → 1) = 0\nchannel (3 → 2) = 0\n";
    assert_eq!(
        ended.out,
        format!("Started by Node 1\nStarted by Node 2\n2 SnapshotToken -1\n{printed}{printed}")
    );
    ends_with(
        &ended,
        1,
        &[
            "-:12: `CollectState`: a snapshot needs every node, and node 3 died (killed by signal 9)",
            "-:13: `PrintSnapshot 2`: snapshot 2 has not been collected; only 1 has",
        ],
    );
    ended.err.retain(|c| c != '\n');
    assert_eq!(ended.err.matches("is lost").count(), 1, "{ended:#?}");
}

#[test]
fn several_lost_snapshots_are_told_in_one_line() {
    let mut master = three_nodes();
    master.write("BeginSnapshot 1\nBeginSnapshot 2\nBeginSnapshot 3\n");
    let pids = master.settle(3);
    signal(pids.nodes[&1], SIGKILL);
    master.expect_err(&[
        "node 1 died (killed by signal 9)",
        "snapshots 1 to 3 are lost: they were not yet collected",
        "lost with node 1: its balance of 100",
    ]);
    signal(pids.nodes[&2], SIGKILL);
    master.expect_err(&[
        "node 2 died (killed by signal 9)",
        "lost with node 2: its balance of 200",
    ]);
    ends_with(&master.end(), 1, &["lost with node 2: its balance of 200"]);
}

#[test]
fn a_node_that_dies_while_its_state_is_collected_makes_the_collection_fail() {
    let mut master = three_nodes();
    master.write("Send 1 2 10\nBeginSnapshot 1\nReceiveAll\n");
    let pids = master.settle(3);
    stop(pids.nodes[&2]);
    master.write("CollectState\n");
    signal(pids.nodes[&2], SIGKILL);
    let mut told: Vec<String> = (0..4).map(|_| master.err()).collect();
    told.sort();
    assert_eq!(
        told,
        [
            "-:9: `CollectState`: a snapshot needs every node, and node 2 died (killed by signal 9)",
            "lost with node 2: its balance of 210",
            "node 2 died (killed by signal 9)",
            "snapshot 1 is lost: it was not yet collected",
        ]
    );
    master.write("PrintSnapshot\nSend 1 3 1\nReceive 3 1\n");
    master.expect_out(&["Started by Node 1", "1 Transfer 1"]);
    ends_with(
        &master.end(),
        1,
        &["-:10: `PrintSnapshot`: no snapshot has been collected"],
    );
}

#[test]
fn a_death_in_the_middle_of_creations_stops_none_of_them() {
    let mut master = three_nodes();
    let pids = master.settle(3);
    let mut script = String::new();
    for id in 4..=40 {
        script += &format!("CreateNode {id} 1\n");
    }
    for id in 4..=40 {
        script += &format!("Send 1 {id} 1\nReceive {id} 1\n");
    }
    master.write(script);
    signal(pids.nodes[&2], SIGKILL);
    for _ in 4..=40 {
        master.expect_out(&["1 Transfer 1"]);
    }
    let ended = master.end();
    let told: Vec<&str> = ended.err.lines().skip(3).collect();
    let loss = "lost with node 2: its balance of 200";
    assert_eq!(told, ["node 2 died (killed by signal 9)", loss, SEED_LINE]);
    ended.expect_status(1);
}

#[test]
fn a_stopped_node_runs_into_the_timeout_which_says_what_was_waited_for() {
    // On a machine so slow that the time runs out before the node is stopped, more time is given.
    for seconds in ["1", "8", "40"] {
        let mut master = Master::start(&["--timeout", seconds]);
        master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\nnodes\n");
        let (first, second) = (master.err(), master.err());
        if !(first.starts_with("node 1  pid") && second.starts_with("node 2  pid")) {
            continue;
        }
        let pids = master.pids();
        master.remember(&pids);
        stop(pids.nodes[&2]);
        master.write("Send 1 2 10\nReceive 2 1\nSend 1 2 20\n");
        let told = master.err();
        if told.ends_with("waiting for input") {
            continue;
        }
        let why = "waiting for node 2 to answer `Receive 2 1` on line 6";
        assert_eq!(
            told,
            format!("master: the time (--timeout) ran out while {why}")
        );
        // Its input is still open: it ends all the same.
        let ended = master.ended();
        ended.expect_status(124);
        assert_eq!(ended.out, "");
        return;
    }
    panic!("40 seconds were not enough");
}

#[test]
fn a_timeout_while_master_waits_for_input_says_so() {
    let mut master = Master::start(&["--timeout", "0.3"]);
    master.write("StartMaster\n");
    master.expect_err(&["master: the time (--timeout) ran out while waiting for input"]);
    let ended = master.ended();
    ended.expect_status(124);
}

#[test]
fn a_stopped_node_that_goes_on_has_missed_nothing() {
    let mut master = three_nodes();
    let pids = master.settle(3);
    stop(pids.nodes[&2]);
    master.write("Send 1 2 10\nReceive 2 1\nSend 2 3 205\nReceive 3\n");
    signal(pids.nodes[&2], SIGCONT);
    master.expect_out(&["1 Transfer 10", "2 Transfer 205"]);
    let ended = master.end();
    assert_eq!(
        ended.err.lines().count(),
        3,
        "the table of nodes: {ended:#?}"
    );
    ended.expect_status(0);
}

#[test]
fn strict_stops_at_a_command_that_a_death_makes_fail() {
    let mut master = Master::start(&["--strict"]);
    master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\n");
    let pids = master.settle(2);
    signal(pids.nodes[&2], SIGKILL);
    master.expect_err(&[
        "node 2 died (killed by signal 9)",
        "lost with node 2: its balance of 200",
    ]);
    master.write("Send 1 2 1\nSend 1 2 2\n");
    master.expect_err(&[
        "-:5: `Send 1 2 1`: node 2 died (killed by signal 9)",
        "master: stopped at the first failure (--strict)",
        SEED_LINE,
    ]);
    master.ended().expect_status(1);
}

#[test]
fn a_node_that_dies_between_the_creation_of_others_and_their_connection_breaks_nobody() {
    let mut master = Master::start(&["--window", "2"]);
    master.write(mesh(2, 100));
    let pids = master.settle(2);
    let observer = pids.observer.unwrap();
    stop(observer);
    // Master waits for the observer, which is to hear of the first two, before it goes on.
    master.write("CreateNode 3 300\nCreateNode 4 400\nCreateNode 5 500\n");
    assert!(until(|| master.pids().nodes.len() == 4), "two more nodes");
    signal(pids.nodes[&1], SIGKILL);
    master.expect_err(&["node 1 died (killed by signal 9)"]);
    signal(observer, SIGCONT);
    master.expect_err(&["lost with node 1: its balance of 100"]);
    master.write("Send 3 5 7\nReceive 5 3\nSend 2 4 8\nReceive 4\nReceive 3 1\n");
    master.expect_out(&["3 Transfer 7", "2 Transfer 8"]);
    let ended = master.end();
    assert!(!ended.err.contains("exited"), "{ended:#?}");
    ended.expect_status(1);
}

#[test]
fn a_death_that_master_has_had_no_chance_to_notice_does_not_end_a_creation_nor_the_run() {
    let place = Folder::new();
    let script = mesh(3, 100)
        + &more_messages_than_a_pipe_holds()
        + "CreateNode 4 400\nSend 4 1 1\nReceive 1 4\n";
    let name = place.file("s.txt", script);
    let mut command = Command::new(master());
    command.args(["--seed", "1", "--run-dir", "run", name]);
    let (messages, writer) = std::io::pipe().unwrap();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(writer);
    let mut master = Master::start_as_is_in(place, command);
    let mut messages = BufReader::with_capacity(16, messages);
    let mut told = String::new();
    messages.read_line(&mut told).unwrap();
    // Master is among the messages, and stays there until they are read.
    let pids = master.pids();
    master.remember(&pids);
    let second = Process::find(pids.nodes[&2]).unwrap();
    signal(second.pid, SIGKILL);
    gone(&[second]);
    messages.read_to_string(&mut told).unwrap();
    let told: Vec<&str> = told
        .lines()
        .filter(|line| !line.contains("no snapshot has been collected"))
        .collect();
    let loss = "lost with node 2: its balance of 100";
    assert_eq!(told, ["node 2 died (killed by signal 9)", loss, SEED_LINE]);
    let ended = master.ended();
    assert_eq!(ended.out, "4 Transfer 1\n");
    ended.expect_status(1);
}
