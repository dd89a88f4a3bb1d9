//! Histories of banks that last: of deaths, of banks that were kept, and of scripts that are taken up.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};

use nix::sys::signal::Signal::SIGKILL;
use testing::chronicle::History;
use testing::{Ended, Folder, Pids, master, mesh, signal, until};

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

/// The history of a second script, which opens the bank that the first has left: it is valid, with one
/// snapshot.
#[track_caller]
fn history_of_the_second(first: &str, second: &str) -> String {
    let place = Folder::new();
    place.file("first.txt", first);
    place.file("second.txt", second);
    place.run(&["--data", "bank", "first.txt"]).expect_status(0);
    let arguments = ["--data", "bank", "--history", "h.jsonl", "second.txt"];
    place.run(&arguments).expect_status(0);
    let judged = place.run(&["verify", "h.jsonl"]);
    judged.expect_status(0);
    assert!(judged.out.contains("1 snapshot valid"), "{judged:#?}");
    fs::read_to_string(place.path("h.jsonl")).unwrap()
}

#[test]
fn the_history_of_a_script_that_opens_a_bank_begins_with_that_bank() {
    let left = "StartMaster\nCreateNode 1 10\nCreateNode 2 10\nSend 1 2 3\n";
    let opens = "StartMaster\nReceive 2\nBeginSnapshot 1\nReceiveAll\nCollectState\nKillAll\n";
    let history = history_of_the_second(left, opens);
    assert!(history.contains("\"amount\":10"), "{history}");
}

/// A channel that was put off, since one of its ends was dead, opens when he is back, and not before.
#[test]
fn a_channel_that_waits_for_the_dead_opens_once_in_the_history_of_the_next_script_too() {
    let left = "StartMaster sparse\nCreateNode 1 10\nCreateNode 2 10\nConnect 2 1\n\
                KillNode 2\nConnect 1 2\n";
    let opens = "StartMaster\nRestartNode 2\nSend 1 2 3\nBeginSnapshot 1\nReceiveAll\n\
                 CollectState\nKillAll\n";
    let history = history_of_the_second(left, opens);
    assert_eq!(history.matches("\"connect\"").count(), 2, "{history}");
}

/// A script that shows more than pipes hold, and in which snapshots are in progress all the time, or only one at
/// the end: the fewer there are the more often it is noted how far it is.
fn busy_script(rounds: u64, has_snapshots: bool) -> String {
    let mut script = mesh(3, 1000);
    for round in 0..rounds {
        let (from, to) = (1 + round % 3, 1 + (round + 1) % 3);
        script += &format!("Send {from} {to} {}\nReceive {to}\n", 1 + round % 7);
        if has_snapshots && round % 100 == 50 {
            script += &format!("BeginSnapshot {from}\n");
        }
        if has_snapshots && round % 1000 == 700 {
            script += "ReceiveAll\nCollectState\n";
        }
    }
    script + "BeginSnapshot 1\nReceiveAll\nCollectState\n"
}

/// `busy_script` in `s.txt`, with a history in `h`; it notes often how far it is.
const BUSY: [&str; 9] = [
    "--seed",
    "1",
    "--history",
    "h",
    "--data",
    "bank",
    "--notes-every",
    "50",
    "s.txt",
];

fn pids(folder: &Folder) -> Option<Pids> {
    serde_json::from_slice(&fs::read(folder.path("run/pids.json")).ok()?).ok()
}

/// Runs a script until `enough`, which is given what it shows, and kills everybody. It must show more than pipes
/// hold, so that it cannot come to its end.
pub(crate) fn interrupted(
    folder: &Folder,
    arguments: &[&str],
    enough: impl FnOnce(&mut BufReader<ChildStdout>),
) {
    let mut run = Command::new(master())
        .args(["--run-dir", "run"])
        .args(arguments)
        .current_dir(folder.path("."))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("master starts");
    let mut out = BufReader::new(run.stdout.take().unwrap());
    enough(&mut out);
    let all = pids(folder).unwrap();
    for pid in all.nodes.into_values().chain([all.master]) {
        signal(pid, SIGKILL);
    }
    drop(out);
    run.wait().unwrap();
}

pub(crate) fn lines(out: &mut BufReader<ChildStdout>, count: usize) {
    for _ in 0..count {
        out.read_line(&mut String::new()).unwrap();
    }
}

/// It was taken up behind its first line.
#[track_caller]
fn went_on(run: &Ended) {
    run.expect_status(0);
    assert!(run.err.contains("goes on; results are shown"), "{run:#?}");
    assert!(!run.err.contains("starts node"), "it has begun anew");
}

#[test]
fn the_history_of_a_script_that_is_taken_up_goes_on_too() {
    let folder = Folder::new();
    folder.file("s.txt", busy_script(16_000, true));
    let peace = ["--seed", "1", "--history", "peace", "--diagram"];
    folder
        .run(&[&peace[..], &["peace.svg", "s.txt"]].concat())
        .expect_status(0);
    for count in [3000, 5000] {
        interrupted(&folder, &BUSY, |out| lines(out, count));
    }
    // A copy does as well.
    fs::rename(folder.path("h"), folder.path("before")).unwrap();
    fs::copy(folder.path("before"), folder.path("h")).unwrap();
    let run = folder.run(&[&BUSY[..], &["--verbose", "--diagram", "h.svg"]].concat());
    went_on(&run);
    assert!(!run.err.contains("history begins"), "{run:#?}");
    let [history, peace] = ["h", "peace"].map(|name| History::read(&folder.path(name)));
    assert!(history.timeless() == peace.timeless(), "it is another");
    let times = history.events.iter().map(|event| event.time);
    assert!(times.is_sorted(), "time goes back");
    let [picture, peace] = ["h.svg", "peace.svg"].map(|it| fs::read(folder.path(it)).unwrap());
    assert!(picture == peace, "the picture is another");
}

#[test]
fn a_history_that_goes_on_counts_those_who_were_started_again_on() {
    let folder = Folder::new();
    folder.file("s.txt", busy_script(80_000, false));
    for incarnation in [2, 3] {
        interrupted(&folder, &BUSY, |out| {
            lines(out, 100);
            let before = pids(&folder).unwrap().nodes[&2];
            signal(before, SIGKILL);
            let number = || {
                let pids = fs::read(folder.path("run/pids.json")).ok()?;
                let pids: serde_json::Value = serde_json::from_slice(&pids).ok()?;
                pids["incarnations"]["2"].as_u64()
            };
            // Whose results nobody reads brings nobody back.
            assert!(until(|| {
                lines(out, 100);
                number() == Some(incarnation)
            }));
            // There is a note after it: what was shown before is in the buffers at most.
            lines(out, 12_000);
        });
    }
    let run = folder.run(&[&BUSY[..], &["--verbose"]].concat());
    went_on(&run);
    let history = fs::read_to_string(folder.path("h")).unwrap();
    for number in [2, 3] {
        let number = format!("\"incarnation\":{number}");
        assert_eq!(history.matches(&number).count(), 1);
    }
    folder.run(&["verify", "h"]).expect_status(0);
}

#[test]
fn a_history_whose_file_is_another_begins_where_the_script_goes_on() {
    for is_removed in [true, false] {
        let folder = Folder::new();
        folder.file("s.txt", busy_script(16_000, false));
        interrupted(&folder, &BUSY, |out| lines(out, 3000));
        let mut history = fs::read(folder.path("h")).unwrap();
        fs::remove_file(folder.path("h")).unwrap();
        if !is_removed {
            let digit = history.iter().position(u8::is_ascii_digit).unwrap();
            history[digit] ^= 1;
            folder.file("h", history);
        }
        let run = folder.run(&[&BUSY[..], &["--verbose"]].concat());
        went_on(&run);
        assert!(run.err.contains("its history begins there"), "{run:#?}");
        folder.run(&["verify", "h"]).expect_status(0);
        let lines = { History::read(&folder.path("h")).events.into_iter() };
        assert!(lines.take(3).all(|event| event.line == Some(0)));
    }
}
