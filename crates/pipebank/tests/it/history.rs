//! `--history FILE`: what is written is what happened, whatever the window, and also where
//! processes or master itself are killed or the disk is full.
//!
//! `PIPEBANK_SEED=n cargo test -p pipebank --test it history::` runs just the n-th of the random ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bank::draw::Draw;
use history::{Event, What};
use nix::sys::signal::Signal::{SIGCONT, SIGKILL};
use testing::chronicle::History;
use testing::generate::{Size, script};
use testing::{Folder, Master, SEED_LINE, idle, master, mesh, signal, stop};

fn testdata() -> PathBuf {
    testing::root("testdata")
}

/// The numbers of the random runs of a test.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("PIPEBANK_SEED") {
        Ok(seed) => vec![seed.parse().expect("PIPEBANK_SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

#[test]
fn what_every_script_prints_follows_from_its_history() {
    let place = Folder::new();
    for entry in fs::read_dir(testdata()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let ended = place.run(&["--seed", "1", "--history", "h", path.to_str().unwrap()]);
        if ended.status.code() == Some(2) {
            assert!(!place.path("h").exists(), "{path:?}: nothing was started");
            continue;
        }
        let history = History::read(&place.path("h"));
        history.check();
        let script = fs::read_to_string(&path).unwrap();
        let script = script.trim_start_matches('\u{feff}');
        assert_eq!(history.replay(script), ended.out, "{path:?}");
        fs::remove_file(place.path("h")).unwrap();
    }
}

#[test]
fn the_history_of_the_worked_example_is_what_is_written_beneath_it() {
    let place = Folder::new();
    let out = place.path("h");
    let output = Command::new(master())
        .args(["--seed", "1", "arg.txt", "--history"])
        .arg(&out)
        .current_dir(testdata())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let (real, golden) = (History::read(&out).timeless(), testdata().join("arg.jsonl"));
    if std::env::var_os("PIPEBANK_BLESS").is_some() {
        fs::write(&golden, &real).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&golden).unwrap_or_default(),
        real,
        "PIPEBANK_BLESS=1 rewrites {golden:?}"
    );
}

#[test]
fn no_window_changes_the_history() {
    let place = Folder::new();
    for seed in seeds(6) {
        let scripts = (0..10).map(|number| {
            let seed = seed * 1_000_003 + number;
            let size = Size {
                nodes: 2 + (seed % 6) as usize,
                commands: 80,
                rounds: 1,
                deaths: seed % 4 == 2,
                sparse_one_in: 3,
            };
            script(seed, size) + "KillAll\n"
        });
        let text = scripts.collect::<String>();
        place.file("s.txt", &text);
        let number = seed.to_string();
        let run = |window: &str| {
            let arguments = ["--seed", &number, "--window", window, "--history", "h"];
            let ended = place.run(&[&arguments[..], &["s.txt"]].concat());
            let history = History::read(&place.path("h"));
            let again = format!("window {window}; again: PIPEBANK_SEED={seed}");
            assert!(!history.is_truncated, "{again}");
            assert_eq!(history.replay(&text), ended.out, "{again}");
            history
        };
        let serial = run("1");
        serial.check();
        let serial = serial.timeless();
        for window in ["3", "4096"] {
            let ahead = run(window).timeless();
            let again = format!("window {window}; again: PIPEBANK_SEED={seed}");
            assert!(ahead == serial, "{again}\n{}", differing(&serial, &ahead));
        }
    }
}

/// The first line that differs.
fn differing(serial: &str, ahead: &str) -> String {
    let mut pairs = serial.lines().zip(ahead.lines());
    let pair = pairs.find(|(serial, ahead)| serial != ahead);
    format!("{pair:?}")
}

/// What each node says that it has, where it lives.
#[track_caller]
fn told_balances(master: &mut Master, nodes: usize) -> Vec<(u64, i128)> {
    master.write("ReceiveAll\nnodes\n");
    let mut told = Vec::new();
    let mut lines = 0;
    while lines < nodes {
        let line = master.err();
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() != Some(&"node") || words.get(2) != Some(&"pid") {
            continue;
        }
        lines += 1;
        if let Some(at) = words.iter().position(|word| *word == "balance") {
            told.push((words[1].parse().unwrap(), words[at + 1].parse().unwrap()));
        }
    }
    told
}

#[test]
fn nodes_killed_in_the_middle_of_their_work_leave_a_history_that_adds_up() {
    for seed in seeds(20) {
        let mut draw = Draw::from_seed(seed);
        let nodes = 3 + draw.pick(3);
        let mut master = Master::start(&["--history", "h"]);
        // With little money much is uncertain, and less is under way at once.
        master.write(mesh(nodes, [1_000, 10_000, 100_000][draw.pick(3)]));
        let pids = master.settle(nodes);
        let mut work = "PrintSnapshot\n".to_owned();
        for _ in 0..400 {
            let (from, to) = (1 + draw.pick(nodes), 1 + draw.pick(nodes));
            let amount = draw.pick(700);
            match draw.pick(40) {
                0 => work += &format!("BeginSnapshot {from}\n"),
                1..=2 => work += "ReceiveAll\n",
                3..=15 => work += &format!("Receive {to}\n"),
                _ if from != to => work += &format!("Send {from} {to} {amount}\n"),
                _ => {}
            }
        }
        // Where everything is over before the first is killed, there is nothing to infer.
        let killed: BTreeSet<u64> = (0..1 + draw.pick(2))
            .map(|_| 1 + draw.pick(nodes) as u64)
            .collect();
        // Who waits for one that is stopped has done much that it has not answered yet.
        let stopped = (1..=nodes as u64).find(|id| !killed.contains(id));
        let stopped = stopped.filter(|_| seed % 2 == 0);
        stopped.iter().for_each(|id| stop(pids.nodes[id]));
        master.write(work);
        match stopped {
            Some(_) => {
                while !master.err().contains("`PrintSnapshot`") {}
                idle(master.pid());
                killed.iter().for_each(|id| idle(pids.nodes[id]));
            }
            None => drop(master.out()),
        }
        for id in killed {
            signal(pids.nodes[&id], SIGKILL);
        }
        if let Some(id) = stopped {
            signal(pids.nodes[&id], SIGCONT);
        }
        let told = told_balances(&mut master, nodes);
        let history = master.place().path("h");
        let balances = History::read(&history).check();
        let again = format!("again: PIPEBANK_SEED={seed}");
        assert!(!told.is_empty(), "{again}");
        for (node, balance) in told {
            assert_eq!(balances[0][&node], balance, "node {node}; {again}");
        }
        drop(master);
    }
}

/// A node that has carried out its commands and not answered them: it waits for node 3, which is
/// stopped. Then it is killed, and node 3 goes on.
fn killed_before_it_answers(commands: &str) -> Master {
    let mut master = Master::start(&["--verbose", "--history", "h"]);
    master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\nCreateNode 3 300\n");
    master.write("Send 2 1 7\nBeginSnapshot 2\n");
    let pids = master.settle(3);
    stop(pids.nodes[&3]);
    master.write(format!("Send 3 1 5\n{commands}Send 1 2 11\nReceive 1 3\n"));
    while !master.err().starts_with("node 1: sends 11 to node 2") {}
    idle(pids.nodes[&1]);
    signal(pids.nodes[&1], SIGKILL);
    signal(pids.nodes[&3], SIGCONT);
    while !master.err().starts_with("lost with node 1: ") {}
    master
}

#[test]
fn what_a_node_did_before_it_answered_is_inferred_from_what_came_after() {
    let commands = "Send 1 2 1000\nSend 1 2 30\nReceive 1 2\nReceive 1 2\nSend 1 2 4\n";
    let mut master = killed_before_it_answers(commands);
    master.write("Receive 2 1\nReceive 2 1\nReceive 2 1\nReceive 2 1\n");
    let told = told_balances(&mut master, 3);
    let history = History::read(&master.place().path("h"));
    let balances = history.check();
    for (node, balance) in told {
        assert_eq!(balances[0][&node], balance, "{}", history.timeless());
    }
    let of_the_dead: Vec<String> = history
        .events
        .iter()
        .filter(|event| event.what.process().is_some_and(|process| process.0 == 1))
        .map(described)
        .collect();
    assert_eq!(
        of_the_dead,
        [
            "create 100",
            "refuse 1000",
            "send 30 inferred",
            "receive 7",
            "marker received",
            "record 77",
            "marker sent to 2 inferred",
            "marker sent to 3 inferred",
            "channel closed",
            "send 4 inferred",
            "send 11 inferred",
            "death",
        ],
        "{}",
        history.timeless()
    );
}

fn described(event: &Event) -> String {
    let suffix = |inferred: bool| if inferred { " inferred" } else { "" };
    match &event.what {
        What::Create { amount, .. } => format!("create {amount}"),
        What::Send {
            amount, inferred, ..
        } => format!("send {amount}{}", suffix(*inferred)),
        What::Refuse { amount, .. } => format!("refuse {amount}"),
        What::Receive { amount, .. } => format!("receive {amount}"),
        What::MarkerReceived { .. } => "marker received".to_owned(),
        What::Record { amount, .. } => format!("record {amount}"),
        What::MarkerSent {
            channel, inferred, ..
        } => format!("marker sent to {}{}", channel.to, suffix(*inferred)),
        What::ChannelClosed { .. } => "channel closed".to_owned(),
        What::Death { .. } => "death".to_owned(),
        what => format!("{what:?}"),
    }
}

#[test]
fn deaths_are_events_with_their_line_where_the_script_killed() {
    let mut master = Master::start(&["--history", "h"]);
    master.write("StartMaster\nCreateNode 1 10\nCreateNode 2 20\nCreateNode 3 30\nKillNode 2\n");
    let pids = master.settle(3);
    signal(pids.nodes[&3], SIGKILL);
    while !master.err().starts_with("lost with node 3") {}
    signal(pids.observer.unwrap(), SIGKILL);
    while !master.err().starts_with("the observer died") {}
    let place = master.place().path("h");
    master.table(3);
    let deaths: Vec<_> = History::read(&place)
        .events
        .into_iter()
        .filter_map(|event| match event.what {
            What::Death { process, reason } => Some((process.map(|p| p.0), event.line, reason)),
            _ => None,
        })
        .collect();
    let reason: history::Text = "killed by signal 9".into();
    assert_eq!(
        deaths,
        [
            (Some(2), Some(5), reason.clone()),
            (Some(3), None, reason.clone()),
            (None, None, reason),
        ]
    );
}

#[test]
fn a_strict_run_that_a_death_ends_has_that_death_in_its_history() {
    let mut master = Master::start(&["--strict", "--verbose", "--history", "h"]);
    master.write("StartMaster\nCreateNode 1 10\nCreateNode 2 20\n");
    let pids = master.settle(2);
    stop(pids.nodes[&1]);
    master.write("Send 1 2 5\nSend 2 1 1\n");
    while !master.err().starts_with("node 2: sends 1") {}
    signal(pids.nodes[&1], SIGKILL);
    while !master.err().contains("(--strict)") {}
    master.wait();
    let history = History::read(&master.place().path("h"));
    let has_died = |event: &Event| matches!(event.what, What::Death { .. });
    assert!(
        history.events.iter().any(has_died),
        "{}",
        history.timeless()
    );
}

#[test]
fn a_master_that_is_killed_leaves_everything_that_it_has_shown() {
    let mut master = Master::start(&["--history", "h"]);
    master.write("StartMaster\nCreateNode 1 10\nCreateNode 2 20\n");
    master.settle(2);
    master.write("Send 1 2 3\nReceive 2 1\n");
    master.expect_out(&["1 Transfer 3"]);
    signal(master.pid(), SIGKILL);
    master.wait();
    let history = History::read(&master.place().path("h"));
    assert!(!history.is_truncated);
    assert_eq!(history.header.script.as_deref(), Some("-"));
    assert_eq!(
        (history.header.seed, history.header.sha256.as_ref()),
        (Some(1), None)
    );
    let lines: Vec<_> = history.events.iter().map(|event| event.line).collect();
    assert_eq!(lines, [1, 2, 3, 5, 6].map(Some));
}

#[test]
fn a_full_disk_ends_the_history_and_not_the_run() {
    let place = Folder::new();
    let name = place.file("s.txt", testing::EXAMPLE);
    let right = place.run(&["--seed", "1", name]);
    let why = "the history cannot be written any more: No space left on device (os error 28); it \
               ends with its last whole line, and the run goes on without it";
    let ended = place.run(&["--seed", "1", "--history", "/dev/full", name]);
    ended.expect(1, &right.out, &format!("/dev/full: {why}\n{SEED_LINE}\n"));

    let why = why.replace(
        "No space left on device (os error 28)",
        "File too large (os error 27)",
    );
    let limited = "ulimit -f 1";
    let ended = Master::spawn(place.under_shell(limited, &["--seed", "1", "--history", "h", name]));
    ended
        .end()
        .expect(1, &right.out, &format!("h: {why}\n{SEED_LINE}\n"));
    let history = History::read(&place.path("h"));
    assert!(!history.is_truncated && !history.events.is_empty());
    assert!(fs::read(place.path("h")).unwrap().ends_with(b"}\n"));
}

#[test]
fn what_cannot_be_a_history_is_refused_before_anything_starts() {
    let place = Folder::new();
    let name = place.file("s.txt", testing::EXAMPLE);
    place.run(&["--history", "no/h", name]).expect(
        2,
        "",
        "no/h: the history cannot be written: No such file or directory (os error 2)\n",
    );
    place.run(&["--history", "./s.txt", name]).expect(
        2,
        "",
        "./s.txt: the history would overwrite the script s.txt; --history needs another file\n",
    );
    assert_eq!(
        fs::read_to_string(place.path(name)).unwrap(),
        testing::EXAMPLE
    );
    place.run(&["--history", "-", name]).expect(
        2,
        "",
        "master: --history needs a file, and not `-`: standard output is for results (a file that \
         is called so is `./-`)\n",
    );
}

#[test]
fn a_collection_that_is_too_long_for_a_line_is_several() {
    let place = Folder::new();
    let sends = 9_000;
    let mut text = mesh(2, 1_000_000);
    text += &"Send 1 2 1\n".repeat(sends);
    text += "BeginSnapshot 2\nReceiveAll\nCollectState\n";
    let name = place.file("s.txt", text);
    place.run(&["--history", "h", name]).expect_status(0);
    let history = History::read(&place.path("h"));
    history.check();
    let is_collect = |event: &&Event| matches!(event.what, What::Collect { .. });
    assert_eq!(history.events.iter().filter(is_collect).count(), 3);
    let systems = history::System::link(history.events).unwrap();
    let snapshot = &systems[0].snapshots[&history::SnapshotId(1)];
    let collected = snapshot.collected.as_ref().unwrap();
    let amounts: Vec<usize> = collected.channels.values().map(Vec::len).collect();
    assert_eq!((collected.states.len(), amounts), (2, vec![sends]));
}
