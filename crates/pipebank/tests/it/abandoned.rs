//! Scripts that are given up: the bank is kept as it is.

use std::fs;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal::SIGKILL;
use testing::{Ended, Folder, Master, master, mesh, signal, until};

use crate::lasting_history::{interrupted, lines};

/// Everything that is in a bank of three nodes arrives, and is in a snapshot.
const NEXT: &str = "StartMaster\nReceiveAll\nSend 1 2 5\nBeginSnapshot 3\nReceiveAll\nCollectState\n\
                    PrintSnapshot\n";

/// A script that sends much, and in which snapshots begin and are collected all the time.
fn busy_script() -> String {
    let mut script = mesh(3, 1000);
    for round in 0..16_000 {
        let (from, to) = (1 + round % 3, 1 + (round + 1) % 3);
        script += &format!("Send {from} {to} {}\nReceive {to}\n", 1 + round % 7);
        if round % 40 == 20 {
            script += &format!("BeginSnapshot {from}\nBeginSnapshot {to}\n");
        }
        if round % 400 == 399 {
            script += "ReceiveAll\nCollectState\nPrintSnapshot\n";
        }
    }
    script
}

/// What is in the accounts of the snapshot that this has printed, and what it had in its channels.
fn money(run: &Ended) -> u64 {
    let amounts = { run.out.lines() }.filter(|line| line.contains(" = "));
    amounts
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[test]
fn what_was_carried_out_stays_wherever_a_script_is_given_up() {
    let folder = Folder::new();
    folder.file("s.txt", busy_script());
    folder.file("next.txt", NEXT);
    for part in 1..5 {
        let notes = ["--notes-every", ["50", "1000000"][part % 2]];
        let script = [&["--data", "bank"], &notes[..], &["s.txt"]].concat();
        interrupted(&folder, &script, |out| lines(out, part * 900));
        let run = folder.run(&["--data", "bank", "--abandon", "next.txt"]);
        let told = "master: s.txt is given up, and the bank is kept as it is\n";
        run.expect(0, &run.out, told);
        assert_eq!(money(&run), 3000, "part {part}: {run:#?}");
        fs::remove_dir_all(folder.path("bank")).unwrap();
    }
}

#[test]
fn what_came_on_standard_input_can_be_given_up_too() {
    let mut first = Master::start(&["--data", "bank"]);
    first.write(mesh(3, 100) + "Send 1 2 10\nKillNode 3\nBeginSnapshot 1\nSend 2 1 7\nReceive 1\n");
    first.expect_out(&["2 Transfer 7"]);
    let bank = first.path("bank").to_str().unwrap().to_owned();
    signal(first.pids().master, SIGKILL);
    first.wait();
    let folder = Folder::new();
    folder.file("next.txt", NEXT.replacen('\n', "\nRestartNode 3\n", 1));
    let run = |more: &[&str]| folder.run(&[&["--data", &bank][..], more].concat());
    let told = format!(
        "--data: {bank}: what was read from standard input was interrupted: it cannot be read again; \
         give it up with --abandon\n"
    );
    run(&["next.txt"]).expect(2, "", &told);
    let told =
        "master: what was read from standard input is given up, and the bank is kept as it is\n";
    run(&["--abandon"]).expect(0, "", told);
    let nothing = "master: no script was interrupted, so there is none to give up\n";
    run(&["--abandon"]).expect(0, "", nothing);
    let next = run(&["--abandon", "next.txt"]);
    assert_eq!(money(&next), 300, "{next:#?}");
    assert!(next.out.contains("node 1 = 92\n"), "{next:#?}");
    let back = "node 3 was started again (incarnation 2)\n";
    next.expect(0, &next.out, &format!("{nothing}{back}"));
}

#[test]
fn a_script_that_has_ended_its_bank_leaves_none() {
    let mut first = Master::start(&["--data", "bank"]);
    first.write(mesh(3, 100) + "KillAll\nStartMaster\nKillAll\nnonsense\n");
    first.err();
    let bank = first.path("bank").to_str().unwrap().to_owned();
    signal(first.pids().master, SIGKILL);
    first.wait();
    let folder = Folder::new();
    let run = folder.run_with(&["--data", &bank, "--abandon", "-"], &mesh(2, 5));
    let told = "master: what was read from standard input is given up, and has left no bank\n";
    run.expect(0, "", told);
}

#[test]
fn only_a_script_of_a_bank_that_lasts_can_be_given_up() {
    let folder = Folder::new();
    folder.file("s.txt", "StartMaster\n");
    let refused = folder.run(&["--abandon", "s.txt"]);
    assert!(refused.err.contains("--data <DIR>"), "{refused:#?}");
    refused.expect_status(2);

    let load = ["load", "--data", "bank", "--nodes=2", "--snapshot-every=5"];
    let run = [&load[..], &["--transfers=1000000000"]].concat();
    let mut load = Command::new(master())
        .args(run)
        .current_dir(folder.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("master starts");
    assert!(until(|| folder.path("bank/1-node-1.1").exists()));
    load.kill().unwrap();
    load.wait().unwrap();
    let refused = folder.run(&["--data", "bank", "--abandon"]);
    let told = "--data: bank holds a load, which cannot be given up like a script: run it again, or remove \
                the directory\n";
    refused.expect(2, "", told);
}
