//! Commands issued ahead change nothing that is seen: over a thousand generated scripts, with
//! refusals, snapshots, joins and `KillNode`, print the same on stdout and stderr and end with the
//! same status as in strict serial execution (`--window 1`).
//!
//! `PIPEBANK_SEED=n cargo test -p pipebank --test it windows::` runs just the n-th file of scripts.

use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use bank::draw::Draw;
use testing::generate::{Size, script};

/// Files, and scripts in each: one process that runs many scripts is started but once.
const FILES: u64 = 60;
const SCRIPTS: u64 = 20;

#[test]
fn no_window_changes_what_is_seen() {
    let files: Vec<u64> = match std::env::var("PIPEBANK_SEED") {
        Ok(seed) => vec![seed.parse().expect("PIPEBANK_SEED is a number")],
        Err(_) => (1..=FILES).collect(),
    };
    thread::scope(|scope| {
        for half in files.chunks(files.len().div_ceil(2)) {
            scope.spawn(move || half.iter().for_each(|file| compare(*file)));
        }
    });
}

fn compare(file: u64) {
    let dir = tempfile::tempdir().unwrap();
    let scripts = (0..SCRIPTS).map(|number| {
        let seed = file * 1_000_003 + number;
        let size = Size {
            nodes: 2 + (seed % 5) as usize,
            commands: 60,
            rounds: 1,
            deaths: seed % 4 == 2,
            sparse_one_in: 3,
        };
        script(seed, size) + "KillAll\n"
    });
    std::fs::write(dir.path().join("s.txt"), scripts.collect::<String>()).unwrap();
    let serial = run(dir.path(), file, 1);
    let small = 2 + Draw::from_seed(file).pick(60);
    for window in [small, 4096] {
        let ahead = run(dir.path(), file, window);
        let again = format!("window {window}; again: PIPEBANK_SEED={file}");
        assert_eq!(seen(&ahead.stdout), seen(&serial.stdout), "{again}");
        assert_eq!(seen(&ahead.stderr), seen(&serial.stderr), "{again}");
        assert_eq!(ahead.status.code(), serial.status.code(), "{again}");
    }
}

/// The text, but for pids: every run has its own.
fn seen(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split("  pid ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |seen, part| {
        seen + "  pid" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

fn run(dir: &Path, seed: u64, window: usize) -> Output {
    Command::new(testing::master())
        .args(["--timeout", "60", "--seed", &seed.to_string()])
        .args(["--window", &window.to_string(), "s.txt"])
        .current_dir(dir)
        .output()
        .unwrap()
}
