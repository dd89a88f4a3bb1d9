//! Banks that last: whoever is killed goes on where he was, and nobody notices.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal::SIGKILL;
use testing::{Folder, Master, Pids, signal, stop, until};

/// A master that waits for input, of a bank that lasts, with three nodes.
fn three_nodes() -> Master {
    let mut master = Master::start(&["--data", "bank", "--history", "run.jsonl"]);
    master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\nCreateNode 3 300\n");
    master
}

/// What is shown of the one who died, and was started again so many times.
fn death_of(who: &str, incarnation: u64) -> [String; 2] {
    [
        format!("{who} died (killed by signal 9)"),
        format!("{who} was started again (incarnation {incarnation})"),
    ]
}

#[track_caller]
fn expect_death(master: &mut Master, who: &str, incarnation: u64) {
    for line in death_of(who, incarnation) {
        assert_eq!(master.err(), line);
    }
}

/// The pids once they are others than these.
fn pids_after(master: &Master, before: &Pids) -> Pids {
    assert!(until(|| {
        let now = master.pids();
        now.observer.is_some() && now.nodes.len() == before.nodes.len() && now != *before
    }));
    master.pids()
}

#[test]
fn who_is_killed_goes_on_where_he_was_again_and_again() {
    let mut master = three_nodes();
    master.write("Send 1 2 10\nSend 2 3 20\nBeginSnapshot 2\n");
    master.expect_out(&["Started by Node 2"]);
    let mut pids = master.settle(3);
    for incarnation in 2..6 {
        signal(pids.nodes[&2], SIGKILL);
        expect_death(&mut master, "node 2", incarnation);
        pids = pids_after(&master, &pids);
    }
    master.write("Receive 2 1\nReceive 3\nReceive 3\n");
    master.expect_out(&["1 Transfer 10", "2 Transfer 20", "2 SnapshotToken -1"]);
    master.write("ReceiveAll\nCollectState\nPrintSnapshot\n");
    master.expect_out(&[
        "---Node states",
        "node 1 = 90",
        "node 2 = 180",
        "node 3 = 320",
        "---Channel states",
        "channel (1 → 2) = 10",
    ]);
    master.write("nodes\n");
    let table = master.table(3);
    assert!(table[1].contains(" (incarnation 5)  running"), "{table:?}");
    assert!(!table[0].contains("incarnation"), "{table:?}");
    let pids = fs::read_to_string(master.path("run/pids.json")).unwrap();
    assert!(
        pids.contains(r#""incarnations":{"1":1,"2":5,"3":1}"#),
        "{pids}"
    );
    master.end().expect_status(0);
}

#[test]
fn observer_and_everybody_at_once_may_die_with_a_snapshot_in_progress() {
    let mut master = three_nodes();
    master.write("Send 1 2 10\nBeginSnapshot 1\nSend 1 2 5\n");
    master.expect_out(&["Started by Node 1"]);
    let pids = master.settle(3);
    let everybody: Vec<u32> = { pids.nodes.values().copied() }
        .chain(pids.observer)
        .collect();
    for pid in &everybody {
        stop(*pid);
    }
    for pid in everybody {
        signal(pid, SIGKILL);
    }
    master.write("ReceiveAll\nCollectState\nPrintSnapshot\n");
    master.expect_out(&[
        "---Node states",
        "node 1 = 90",
        "node 2 = 210",
        "node 3 = 300",
        "---Channel states",
        "channel (1 → 2) = 0",
    ]);
    let ended = master.end();
    ended.expect_status(0);
    assert_eq!(
        ended
            .err
            .matches("was started again (incarnation 2)")
            .count(),
        4
    );
}

#[test]
fn the_history_of_deaths_and_restarts_is_valid() {
    let folder = Folder::new();
    let script = fs::read(testing::root("testdata/lasting.txt")).unwrap();
    folder.file("s.txt", script);
    let run = folder.run(&["--data", "bank", "--history", "run.jsonl", "s.txt"]);
    run.expect_status(1);
    let verdict = folder.run(&["verify", "run.jsonl"]);
    verdict.expect_status(0);
    let history = fs::read_to_string(folder.path("run.jsonl")).unwrap();
    assert!(history.contains(r#""event":"restarted""#), "{history}");
}

#[test]
fn a_bank_is_kept_until_kill_all_and_is_for_us_alone() {
    let folder = Folder::new();
    folder.file("kept.txt", "StartMaster\nCreateNode 1 5\n");
    folder.file("gone.txt", "StartMaster\nCreateNode 1 5\nKillAll\n");
    folder
        .run(&["--data", "kept", "kept.txt"])
        .expect(0, "", "");
    folder
        .run(&["--data", "gone", "gone.txt"])
        .expect(0, "", "");
    let mode = fs::metadata(folder.path("kept")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o700);
    assert!(
        names(&folder.path("kept"))
            .iter()
            .any(|it| it == "1-node-0.1")
    );
    assert!(
        !names(&folder.path("gone"))
            .iter()
            .any(|it| it.contains("node"))
    );
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_directory_that_cannot_be_had_is_refused_before_anything_starts() {
    let folder = Folder::new();
    folder.file("s.txt", "StartMaster\nCreateNode 1 5\n");
    folder.file("file", "");
    let refused = folder.run(&["--data", "file", "s.txt"]);
    assert!(
        refused.err.starts_with("--data: cannot open file: "),
        "{refused:#?}"
    );
    refused.expect_status(2);
    let refused = folder.run(&["--data", "no/such", "s.txt"]);
    assert!(
        refused.err.starts_with("--data: cannot make no/such: "),
        "{refused:#?}"
    );
    refused.expect_status(2);
    let refused = folder.run(&["--sync", "s.txt"]);
    refused.expect_status(2);

    let mut first = three_nodes();
    first.settle(3);
    let bank = first.path("bank");
    let refused = folder.run(&["--data", bank.to_str().unwrap(), "s.txt"]);
    let by = format!("is in use by processes {}", first.pid());
    assert!(refused.err.contains(&by), "{refused:#?}");
    refused.expect_status(2);
    first.end().expect_status(0);
}

#[test]
fn a_node_that_dies_again_and_again_is_given_up() {
    let folder = Folder::new();
    folder.file("s.txt", "StartMaster\nCreateNode 1 5\nSend 1 1 1\n");
    let programs = testing::programs();
    std::os::unix::fs::symlink(programs.join("observer"), folder.path("observer")).unwrap();
    folder.file("node", "#!/bin/sh\nkill -9 $$\n");
    let mode = fs::Permissions::from_mode(0o700);
    fs::set_permissions(folder.path("node"), mode).unwrap();
    folder.file(
        "s.txt",
        "StartMaster\nCreateNode 1 5\nCreateNode 2 5\nSend 1 2 1\n",
    );
    let run = folder.run(&["--bin-dir", ".", "--data", "bank", "s.txt"]);
    assert!(
        run.err
            .contains("is given up (killed by signal 9); what was carried out is kept"),
        "{run:#?}"
    );
    run.expect_status(1);
}
