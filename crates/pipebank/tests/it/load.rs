//! `master load`: the bank by itself. What is checked here holds at any speed.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::Signal::{self, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGTERM};
use serde_json::Value;
use testing::{Ended, Folder, Master, Process, gone, master, signal, signal_group, stop, until};

/// `master load OPTIONS`, to its end.
fn load(options: &str) -> Ended {
    let arguments: Vec<&str> = ["load"].into_iter().chain(options.split(' ')).collect();
    Folder::new().run(&arguments)
}

/// The summary of a run that went well.
#[track_caller]
fn summary(ended: &Ended) -> Value {
    assert_eq!(ended.err, "", "{ended:#?}");
    assert_eq!(ended.out.lines().count(), 1, "{ended:#?}");
    serde_json::from_str(&ended.out).expect("the summary is JSON")
}

/// A load that lasts until it is ended, once it has begun; master leads a process group.
fn endless(options: &str) -> Master {
    let mut command = Command::new(master());
    command
        .args(["load", "--verbose", "--seed", "1", "--run-dir", "run"])
        .args(["--duration", "10000"])
        .args(options.split(' ').filter(|option| !option.is_empty()))
        .process_group(0);
    let mut master = Master::start_in(Folder::new(), command);
    while master.err() != "master: the load begins" {}
    let pids = master.pids();
    master.remember(&pids);
    assert_eq!(master.family().len(), pids.nodes.len() + 1);
    master
}

/// Reads what the run says, up to the end of its first snapshot at one node.
fn first_snapshot(master: &mut Master) {
    while !master
        .err()
        .ends_with("hands its part of snapshot 1 to the observer")
    {}
}

#[test]
fn exactly_as_many_transfers_are_delivered_as_were_asked_for_and_no_money_is_lost() {
    for nodes in [2, 4, 16] {
        for transfers in [0, 1, 7, 50_000] {
            let ended = load(&format!(
                "--nodes {nodes} --transfers {transfers} --balance 100 --snapshot-every 0 --json"
            ));
            ended.expect_status(0);
            let summary = summary(&ended);
            assert_eq!(summary["transfers"], transfers, "{summary}");
            // Master compares the total of every snapshot and the last balances with the deposits.
            assert_eq!(summary["total"], nodes * 100, "{summary}");
            assert!(summary["snapshots"].as_u64().unwrap() >= 1, "{summary}");
            assert_eq!(summary["audited"], summary["snapshots"], "{summary}");
        }
    }
}

#[test]
fn in_every_topology_all_transfers_arrive_and_all_snapshots_are_sound() {
    for (topology, nodes, channels) in [
        ("mesh", 5, 20),
        ("ring", 2, 2),
        ("ring", 12, 12),
        ("star", 6, 10),
        ("tree", 7, 12),
        ("random:1", 3, 6),
        ("random:2", 8, 24),
    ] {
        let ended = load(&format!(
            "--topology {topology} --nodes {nodes} --transfers 20000 --snapshot-every 0 \
             --concurrent 3 --seed 1 --json"
        ));
        ended.expect_status(0);
        let summary = summary(&ended);
        assert_eq!(summary["topology"], topology, "{summary}");
        assert_eq!(summary["channels"], channels, "{summary}");
        assert_eq!(summary["transfers"], 20_000, "{summary}");
        assert_eq!(summary["total"], nodes * 1000, "{summary}");
        assert!(summary["snapshots"].as_u64().unwrap() >= 1, "{summary}");
        assert_eq!(summary["audited"], summary["snapshots"], "{summary}");
    }
}

/// The channels that the nodes have opened, by (from, to), as they say themselves.
fn channels(topology: &str) -> BTreeSet<(u64, u64)> {
    let ended = load(&format!(
        "--topology {topology} --transfers 100 --snapshot-every none --verbose"
    ));
    ended.expect_status(0);
    let opened = ended.err.lines().filter_map(|line| {
        let (node, peer) = line.split_once(": opens its channel to node ")?;
        let from = node.strip_prefix("node ")?;
        Some((from.parse().unwrap(), peer.parse().unwrap()))
    });
    opened.collect()
}

#[test]
fn the_channels_are_those_of_the_topology_and_no_others() {
    let both_ways = |pairs: &[(u64, u64)]| -> BTreeSet<(u64, u64)> {
        let ways = pairs
            .iter()
            .flat_map(|&(one, other)| [(one, other), (other, one)]);
        ways.collect()
    };
    let ring = [(1, 2), (2, 3), (3, 4), (4, 5), (5, 1)].into();
    assert_eq!(channels("ring --nodes 5"), ring);
    let star = both_ways(&[(1, 2), (1, 3), (1, 4)]);
    assert_eq!(channels("star --nodes 4"), star);
    let tree = both_ways(&[(1, 2), (1, 3), (2, 4), (2, 5), (3, 6)]);
    assert_eq!(channels("tree --nodes 6"), tree);
    let drawn = channels("random:1 --nodes 5 --seed 7");
    assert!(drawn.is_superset(&ring) && drawn.len() == 10, "{drawn:?}");
    assert_eq!(channels("random:1 --nodes 5 --seed 7"), drawn);
    assert_ne!(channels("random:1 --nodes 5 --seed 8"), drawn);
}

#[test]
fn a_topology_that_there_is_not_is_refused_with_what_would_do() {
    for (options, told) in [
        (
            "hexagon",
            "neither `mesh`, `ring`, `star`, `tree` nor `random:DEGREE`",
        ),
        (
            "Ring",
            "neither `mesh`, `ring`, `star`, `tree` nor `random:DEGREE`",
        ),
        (
            "random",
            "neither `mesh`, `ring`, `star`, `tree` nor `random:DEGREE`",
        ),
        (
            "random:",
            "DEGREE is not a number from 1 on, as in `random:4`",
        ),
        (
            "random:0",
            "DEGREE is not a number from 1 on, as in `random:4`",
        ),
        (
            "random:x",
            "DEGREE is not a number from 1 on, as in `random:4`",
        ),
        ("ring --nodes 1", "1 is not in 2..=10000"),
        (
            "random:4 --nodes 5",
            "master: `--topology random:4` takes at least 6 nodes, and not 5: each has itself, the \
             next in the ring, and others to be drawn from",
        ),
        (
            "random:4294967295",
            "takes at least 4294967297 nodes, and not 4",
        ),
    ] {
        let ended = load(&format!("--topology {options}"));
        ended.expect_status(2);
        assert_eq!(ended.out, "", "{options}");
        assert!(ended.err.contains(told), "{}", ended.err);
    }
}

#[test]
fn the_summary_has_the_keys_that_were_promised() {
    let ended = load("--nodes 3 --transfers 1000 --snapshot-every 0 --json --seed 7 --pin");
    let summary = summary(&ended);
    for key in [
        "transfers",
        "rate",
        "snapshots",
        "audited",
        "latency_ms",
        "total",
    ] {
        assert!(!summary[key].is_null(), "{key}: {summary}");
    }
    for key in ["p50", "p99", "max"] {
        assert!(summary["latency_ms"][key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert_eq!(summary["schema"], 1);
    assert_eq!(summary["nodes"], 3);
    assert_eq!(summary["seed"], 7);
    assert!(summary["cpu_seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_summary_for_people_says_what_the_other_does() {
    let ended = load("--nodes 2 --transfers 1000 --snapshot-every 0 --seed 7");
    ended.expect_status(0);
    assert_eq!(ended.err, "");
    let names: Vec<&str> = ended.out.lines().map(|line| line[..12].trim()).collect();
    assert_eq!(
        names,
        [
            "nodes",
            "topology",
            "transfers",
            "rate",
            "snapshots",
            "latency",
            "in transit",
            "total",
            "CPU",
            "seed"
        ]
    );
    assert!(ended.out.contains("transfers   1,000 in "), "{}", ended.out);
    let topology = "\ntopology    mesh, 2 channels\n";
    assert!(ended.out.contains(topology), "{}", ended.out);
    assert!(ended.out.ends_with("seed        7\n"), "{}", ended.out);
}

#[test]
fn without_snapshots_there_are_none() {
    let summary = summary(&load("--transfers 1000 --snapshot-every none --json"));
    assert_eq!(summary["snapshots"], 0);
    assert!(summary["latency_ms"]["p50"].is_null());
    assert_eq!(summary["total"], 4000);
}

#[test]
fn several_snapshots_at_once_are_all_sound() {
    let ended = load("--nodes 5 --transfers 200000 --snapshot-every 0 --concurrent 3 --json");
    ended.expect_status(0);
    assert!(summary(&ended)["snapshots"].as_u64().unwrap() >= 3);
}

#[test]
fn empty_accounts_can_transfer_nothing_for_ever() {
    let ended = load("--nodes 3 --transfers 5000 --balance 0 --snapshot-every 0 --json");
    ended.expect_status(0);
    let summary = summary(&ended);
    assert_eq!(
        (&summary["total"], &summary["transfers"]),
        (&0.into(), &5000.into())
    );
}

#[test]
fn the_richest_bank_there_can_be_loses_nothing() {
    let balance = u64::MAX / 3;
    let ended = load(&format!(
        "--nodes 3 --transfers 20000 --balance {balance} --snapshot-every 0 --json"
    ));
    ended.expect_status(0);
    assert_eq!(summary(&ended)["total"], balance * 3);
}

#[test]
fn a_load_ends_by_itself_when_its_time_is_over() {
    let ended = load("--nodes 3 --duration 0.05 --snapshot-every 1 --json");
    ended.expect_status(0);
    assert!(summary(&ended)["seconds"].as_f64().unwrap() >= 0.05);
}

#[test]
fn a_signal_ends_a_load_with_its_summary_and_leaves_nobody_behind() {
    let to_master: fn(u32, Signal) = signal;
    let cases = [SIGINT, SIGTERM, SIGHUP].map(|which| [(which, to_master), (which, signal_group)]);
    for (which, send) in cases.into_iter().flatten() {
        let mut master = endless("--nodes 4 --snapshot-every 1 --json");
        first_snapshot(&mut master);
        send(master.pid(), which);
        let ended = master.ended();
        ended.expect_status(128 + which as i32);
        let summary: Value = serde_json::from_str(&ended.out).expect("there is a summary");
        assert!(summary["audited"].as_u64().unwrap() >= 1, "{summary}");
        assert_eq!(summary["total"], 4000);
    }
}

/// `timeout` signals its child and then the group. Two of the same kind may be merged by the kernel,
/// which two of different kinds never are.
#[test]
fn signals_that_come_together_are_one_and_leave_the_summary() {
    let mut master = endless("--nodes 4 --snapshot-every 1 --json");
    first_snapshot(&mut master);
    stop(master.pid());
    signal(master.pid(), SIGINT);
    signal(master.pid(), SIGTERM);
    signal(master.pid(), SIGCONT);
    let ended = master.ended();
    ended.expect_status(130);
    let summary: Value = serde_json::from_str(&ended.out).expect("there is a summary");
    assert_eq!(summary["total"], 4000);
}

#[test]
fn a_second_signal_ends_a_load_at_once_and_without_a_summary() {
    let mut master = endless("--nodes 3");
    first_snapshot(&mut master);
    let pids = master.pids();
    stop(pids.nodes[&2]);
    signal(master.pid(), SIGINT);
    while master.err() != "master: the nodes are told to rest" {}
    // Those that come close together are one.
    let running = Process::find(master.pid()).unwrap();
    until(|| {
        signal(master.pid(), SIGINT);
        !running.runs()
    });
    let ended = master.ended();
    ended.expect_status(130);
    assert_eq!(ended.out, "");
}

#[test]
fn a_node_that_dies_ends_the_load_with_a_summary_of_what_was_measured() {
    for (topology, json) in [("mesh", ""), ("mesh", "--json"), ("ring", "--json")] {
        let mut master = endless(&format!(
            "--nodes 4 --topology {topology} --snapshot-every 0 {json}"
        ));
        // By then, master has heard of the first.
        let third = "hands its part of snapshot 3 to the observer";
        while !master.err().ends_with(third) {}
        let pids = master.pids();
        signal(pids.nodes[&3], SIGKILL);
        let ended = master.ended();
        ended.expect_status(1);
        let told = "master: node 3 died (killed by signal 9)\n\
                    master: the seed was 1; --seed 1 repeats its choices\n";
        assert!(ended.err.ends_with(told), "{}", ended.err);
        match json {
            "" => {
                let cut_short = "cut short   node 3 died (killed by signal 9)\nnodes       4, ";
                assert!(ended.out.starts_with(cut_short), "{}", ended.out);
                assert!(
                    ended.out.contains("\ntransfers   at least "),
                    "{}",
                    ended.out
                );
                assert!(
                    ended.out.contains(", all audited and sound\n"),
                    "{}",
                    ended.out
                );
                assert!(!ended.out.contains("at the end"), "{}", ended.out);
            }
            _ => {
                let summary: Value = serde_json::from_str(&ended.out).unwrap();
                assert_eq!(summary["died"], "node 3 died (killed by signal 9)");
                assert!(summary["transfers"].as_u64().unwrap() > 0, "{summary}");
                assert!(summary["audited"].as_u64().unwrap() >= 1, "{summary}");
                assert!(summary["latency_ms"]["p50"].as_f64().unwrap() > 0.0);
                assert!(summary["in_transit"]["max"].is_u64(), "{summary}");
            }
        }
    }
}

#[test]
fn an_observer_that_dies_ends_the_load_with_a_summary_too() {
    let master = endless("--nodes 2 --snapshot-every none --json");
    let pids = master.pids();
    signal(pids.observer.unwrap(), SIGKILL);
    let ended = master.ended();
    ended.expect_status(1);
    let summary: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(summary["died"], "the observer died (killed by signal 9)");
    let told = "master: the observer died (killed by signal 9)\n";
    assert!(ended.err.contains(told), "{}", ended.err);
}

#[test]
fn whoever_does_not_answer_after_a_death_is_not_waited_for_when_a_signal_comes() {
    let mut master = endless("--nodes 3 --json");
    first_snapshot(&mut master);
    let pids = master.pids();
    stop(pids.nodes[&2]);
    signal(pids.nodes[&3], SIGKILL);
    signal(master.pid(), SIGINT);
    let ended = master.ended();
    ended.expect_status(1);
    assert!(ended.out.contains("\"died\":\"node 3 died"), "{ended:#?}");
}

#[test]
fn nobody_outlives_a_master_that_is_killed_under_load() {
    let mut master = endless("--nodes 4 --snapshot-every 0");
    first_snapshot(&mut master);
    let family: Vec<Process> = master.family().to_vec();
    signal(master.pid(), SIGKILL);
    gone(&family);
}

#[test]
fn the_time_of_a_load_can_run_out() {
    let mut master = endless("--nodes 3 --timeout 1");
    first_snapshot(&mut master);
    let ended = master.ended();
    ended.expect_status(124);
    assert_eq!(ended.out, "");
    let told = "master: the time (--timeout) ran out while waiting for the nodes to stop \
                generating\n";
    assert!(ended.err.ends_with(told), "{}", ended.err);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_starts() {
    for options in [
        "--nodes 1",
        "--nodes 0",
        "--nodes x",
        "--transfers 5 --duration 5",
        "--transfers -1",
        "--duration 0",
        "--duration never",
        "--snapshot-every sometimes",
        "--concurrent 0",
        "--balance 18446744073709551615",
        "--bin-dir nowhere",
        "script.txt",
    ] {
        let ended = load(options);
        ended.expect_status(2);
        assert_eq!(ended.out, "", "{options}");
        assert_ne!(ended.err, "", "{options}");
    }
}
