//! Banks that last: whoever is killed goes on where he was, and nobody notices.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal::{SIGINT, SIGKILL};
use testing::{Folder, Master, Pids, master, mesh, signal, stop, until};

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
    folder.run(&["--sync", "s.txt"]).expect_status(2);
    let told = "--data: . holds no bank, and other things (";
    let refused = folder.run(&["--data", ".", "s.txt"]);
    assert!(refused.err.starts_with(told), "{refused:#?}");
    refused.expect_status(2);
    assert_eq!(names(&folder.path(".")).len(), 2, "nothing was made");
    fs::create_dir(folder.path("open")).unwrap();
    folder.run(&["--data", "open", "s.txt"]).expect(0, "", "");
    let mode = fs::metadata(folder.path("open")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o700);
    let refused = folder.run(&["load", "--data", "bank", "--snapshot-every", "none"]);
    assert!(refused.err.contains("grow without end"), "{refused:#?}");
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

/// Programs of which the first process of this one is killed before it has said a word.
fn a_killer_of_the_first(folder: &Folder, victim: &str) {
    for name in ["node", "observer"] {
        let real = testing::programs().join(name);
        if name == victim {
            let real = real.display();
            let script =
                format!("#!/bin/sh\nmkdir killed 2>/dev/null && kill -9 $$\nexec {real} \"$@\"\n");
            folder.file(name, script);
            let mode = fs::Permissions::from_mode(0o700);
            fs::set_permissions(folder.path(name), mode).unwrap();
        } else {
            std::os::unix::fs::symlink(real, folder.path(name)).unwrap();
        }
    }
}

#[test]
fn who_dies_before_a_load_begins_is_back_for_it() {
    for victim in ["observer", "node"] {
        let folder = Folder::new();
        a_killer_of_the_first(&folder, victim);
        let mut command = Command::new(master());
        let options = ["--bin-dir", ".", "--run-dir", "run", "--verbose"];
        command.args(["load", "--data", "bank", "--nodes=3", "--json"]);
        command
            .args(["--snapshot-every=5", "--duration=1000"])
            .args(options);
        let mut master = Master::start_in(folder, command);
        let before = master.err_until("master: the load begins");
        let again = |line: &String| line.ends_with("was started again (incarnation 2)");
        assert!(before.iter().any(again), "{before:?}");
        // What master still meant to tell of the first death is told with the next, if at all.
        signal(master.pids().nodes[&3], SIGKILL);
        let was_it = before
            .iter()
            .any(|line| line.starts_with("node 3 was started again"));
        let incarnation = if was_it { 3 } else { 2 };
        master.err_until(&format!(
            "node 3 was started again (incarnation {incarnation})"
        ));
        // However late anybody is, it is not over before.
        signal(master.pids().master, SIGINT);
        let ended = master.ended();
        ended.expect_status(130);
        let summary: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(summary["total"], 3000);
    }
}

#[test]
fn a_journal_that_nobody_had_begun_to_the_end_is_in_nobodys_way() {
    let folder = Folder::new();
    folder.file("s.txt", "StartMaster\nCreateNode 1 5\n");
    folder.file("end.txt", "StartMaster\nKillAll\n");
    fs::create_dir(folder.path("bank")).unwrap();
    folder.file("bank/master.1.new", "half");
    folder.run(&["--data", "bank", "s.txt"]).expect(0, "", "");
    folder.file("bank/1-node-7.1.new", "half");
    folder.run(&["--data", "bank", "end.txt"]).expect(0, "", "");
    assert_eq!(names(&folder.path("bank")), [""; 0]);
    // What others have there stays.
    folder.file("bank/notes.1.new", "mine");
    folder.run(&["--data", "bank", "s.txt"]).expect_status(2);
    assert_eq!(names(&folder.path("bank")), ["notes.1.new"]);
}

/// A script that shows much.
fn long_script() -> String {
    let mut script = mesh(3, 1000);
    for round in 0..1500 {
        let (from, to) = (1 + round % 3, 1 + (round + 1) % 3);
        script += &format!("Send {from} {to} {}\nReceive {to} {from}\n", 1 + round % 7);
        if round % 100 == 50 {
            script += &format!("BeginSnapshot {from}\nCollectState\nReceiveAll\nCollectState\n");
            script += "PrintSnapshot\n";
        }
    }
    script
}

/// `master` with a bank that lasts, whose standard output is appended to a file.
fn appending(folder: &Folder, out: &str, seed: &str) -> Child {
    let file = fs::File::options()
        .append(true)
        .create(true)
        .open(folder.path(out));
    Command::new(master())
        .args(["--seed", seed, "--data", "bank", "--history", "run.jsonl"])
        .args(["--timeout", "60", "s.txt"])
        .current_dir(folder.path("."))
        .stdout(file.unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .expect("master starts")
}

fn length(folder: &Folder, name: &str) -> u64 {
    fs::metadata(folder.path(name)).map_or(0, |it| it.len())
}

#[test]
fn a_script_that_was_interrupted_goes_on_where_it_stopped() {
    let folder = Folder::new();
    folder.file("s.txt", long_script());
    let peace = folder.run(&["--seed", "1", "s.txt"]);
    let whole = peace.out.len() as u64;
    for part in 1..6 {
        let mut run = appending(&folder, "out", "1");
        assert!(until(|| length(&folder, "out") >= part * whole / 8));
        run.kill().unwrap();
        run.wait().unwrap();
    }
    let other = folder.file("other.txt", "StartMaster\n");
    let again = "run it again to go on where it stopped, or give it up with --abandon";
    let told = format!("--data: bank: s.txt was interrupted: {again}\n");
    folder.run(&["--data", "bank", other]).expect(2, "", &told);
    let told = format!("--data: bank: s.txt was interrupted (with --seed 1): {again}\n");
    let refused = folder.run(&["--seed", "2", "--data", "bank", "s.txt"]);
    refused.expect(2, "", &told);

    let last = appending(&folder, "out", "1").wait_with_output().unwrap();
    assert_eq!(last.status.code(), peace.status.code(), "{last:?}");
    assert_eq!(fs::read_to_string(folder.path("out")).unwrap(), peace.out);
    folder.run(&["verify", "run.jsonl"]).expect_status(0);
}

#[test]
fn what_was_shown_through_a_pipe_is_not_shown_again() {
    let folder = Folder::new();
    folder.file("s.txt", long_script());
    let peace = folder.run(&["--seed", "1", "s.txt"]);
    let arguments = ["--seed", "1", "--data", "bank", "s.txt"];
    let mut first = Command::new(master())
        .args(arguments)
        .current_dir(folder.path("."))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("master starts");
    let mut out = BufReader::new(first.stdout.take().unwrap());
    let mut shown = String::new();
    for _ in 0..1000 {
        out.read_line(&mut shown).unwrap();
    }
    first.kill().unwrap();
    first.wait().unwrap();
    out.read_to_string(&mut shown).unwrap();
    let second = folder.run(&arguments);
    second.expect_status(peace.status.code().unwrap());
    let told = second.err.lines().next().unwrap_or_default();
    let line = told.strip_prefix(
        "master: the script was interrupted, and goes on; results are shown from their line ",
    );
    let line = line.and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    let before = peace.out.lines().count() - second.out.lines().count();
    assert_eq!(line, Some(before + 1), "{told}");
    let both = shown.clone() + &second.out;
    // At most one write is repeated, and that is whole lines here.
    assert!(peace.out.ends_with(&second.out), "{second:#?}");
    assert!(both.len() >= peace.out.len(), "{} bytes", both.len());
    assert!(!second.out.is_empty() || shown == peace.out);
}

#[test]
fn a_bank_is_kept_from_script_to_script() {
    let folder = Folder::new();
    let first = "StartMaster\nCreateNode 1 100\nCreateNode 2 200\nSend 1 2 10\nBeginSnapshot 1\n";
    folder.file("first.txt", first);
    folder.file("wrong.txt", "StartMaster sparse\nCreateNode 1 5\n");
    folder.file(
        "second.txt",
        "StartMaster\nReceive 2 1\nReceiveAll\nCollectState\n",
    );
    folder.file("third.txt", "StartMaster\nPrintSnapshot\nKillAll\n");
    let run = |script: &str| folder.run(&["--data", "bank", script]);
    run("first.txt").expect(0, "Started by Node 1\n", "");
    let refused = run("wrong.txt");
    assert!(
        refused.err.contains("wrong.txt:1:") && refused.err.contains("wrong.txt:2:"),
        "{refused:#?}"
    );
    refused.expect_status(2);
    run("second.txt").expect(0, "1 Transfer 10\n", "");
    let snapshot = "---Node states\nnode 1 = 90\nnode 2 = 210\n---Channel states\n\
                    channel (1 → 2) = 0\nchannel (2 → 1) = 0\n";
    run("third.txt").expect(0, snapshot, "");
    assert_eq!(names(&folder.path("bank")), [""; 0]);
}

/// A load of a bank that lasts, until so many transfers were made.
const LOAD: [&str; 8] = [
    "load",
    "--data",
    "bank",
    "--nodes=3",
    "--transfers=300000",
    "--snapshot-every=5",
    "--seed=7",
    "--json",
];

#[test]
fn a_load_goes_on_with_all_the_money_whoever_is_killed() {
    let folder = Folder::new();
    let pids = |folder: &Folder| -> Option<serde_json::Value> {
        serde_json::from_slice(&fs::read(folder.path("run/pids.json")).ok()?).ok()
    };
    let start = || {
        Command::new(master())
            .args(LOAD)
            .args(["--run-dir", "run"])
            .current_dir(folder.path("."))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("master starts")
    };
    // First everybody is killed, then one after the other.
    let mut first = start();
    assert!(until(
        || pids(&folder).is_some_and(|it| it["nodes"]["3"].is_u64())
    ));
    first.kill().unwrap();
    first.wait().unwrap();
    let second = start();
    for node in ["1", "2", "3"] {
        let pid = |it: &serde_json::Value| it["nodes"][node].as_u64();
        let Some(pid) = pids(&folder).as_ref().and_then(pid) else {
            continue;
        };
        signal(u32::try_from(pid).unwrap(), SIGKILL);
        // It has come back, or the load is over.
        assert!(until(|| {
            let now = pids(&folder);
            now.is_none_or(|it| it["incarnations"][node].as_u64() > Some(1))
        }));
    }
    let ended = second.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let summary: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(summary["transfers"], 300_000);
    assert_eq!(summary["total"], 3000);
    assert!(
        summary["journal_bytes"]["most"].as_u64() > Some(0),
        "{summary}"
    );
    assert_eq!(names(&folder.path("bank")), [""; 0]);
}

#[test]
fn a_script_that_ended_the_bank_it_had_opened_can_be_interrupted_too() {
    let folder = Folder::new();
    folder.file(
        "first.txt",
        "StartMaster\nCreateNode 1 100\nCreateNode 2 200\nSend 1 2 10\n",
    );
    let opens = "StartMaster\nReceive 2 1\nSend 2 1 5\nBeginSnapshot 1\nKillAll\n";
    folder.file("s.txt", format!("{opens}{}", long_script()));
    for bank in ["peace", "bank"] {
        folder.run(&["--data", bank, "first.txt"]).expect(0, "", "");
    }
    let peace = folder.run(&["--seed", "1", "--data", "peace", "s.txt"]);
    let whole = peace.out.len() as u64;
    for part in [1, 4] {
        let mut run = appending(&folder, "out", "1");
        assert!(until(|| length(&folder, "out") >= part * whole / 8));
        run.kill().unwrap();
        run.wait().unwrap();
    }
    let last = appending(&folder, "out", "1").wait_with_output().unwrap();
    assert_eq!(last.status.code(), peace.status.code(), "{last:?}");
    assert_eq!(fs::read_to_string(folder.path("out")).unwrap(), peace.out);
}

#[test]
fn a_script_gets_on_however_soon_everybody_is_killed() {
    let folder = Folder::new();
    // Much more than a pipe holds.
    let mut script = mesh(2, 5) + "KillAll\n" + &mesh(3, 1000);
    for round in 0..15_000 {
        let (from, to) = (1 + round % 3, 1 + (round + 1) % 3);
        script += &format!("Send {from} {to} {}\nReceive {to}\n", 1 + round % 7);
        if round % 1000 == 500 {
            script += "BeginSnapshot 1\nCollectState\nReceiveAll\nCollectState\nPrintSnapshot\n";
        }
    }
    folder.file("s.txt", script);
    let peace = folder.run(&["--seed", "1", "s.txt"]);
    let mut command = Command::new(master());
    command
        .args(["--seed", "1", "--data", "bank", "--notes-every", "100"])
        .args(["--verbose", "s.txt"])
        .current_dir(folder.path("."))
        .stdout(Stdio::piped());
    for _ in 0..2 {
        let mut run = command
            .stderr(Stdio::null())
            .spawn()
            .expect("master starts");
        let mut out = BufReader::new(run.stdout.take().unwrap());
        for _ in 0..2000 {
            out.read_line(&mut String::new()).unwrap();
        }
        run.kill().unwrap();
        run.wait().unwrap();
    }
    let last = command.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(last.status.code(), peace.status.code(), "{last:?}");
    let rest = String::from_utf8(last.stdout).unwrap();
    assert!(peace.out.ends_with(&rest) && !rest.is_empty(), "{rest}");
    let told = String::from_utf8(last.stderr).unwrap();
    let line = peace.out.lines().count() - rest.lines().count() + 1;
    let goes_on = format!("results are shown from their line {line} on");
    assert!(told.contains(&goes_on), "{told}");
    assert!(!told.contains("starts node"), "it has begun anew: {told}");
}
