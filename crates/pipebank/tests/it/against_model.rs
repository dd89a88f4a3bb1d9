//! Generated scripts through the real `master`, compared with the model: stdout byte for byte, the
//! lines that fail, and the exit status.
//!
//! `PIPEBANK_SEED=n cargo test -p pipebank --test it against_model::` runs just script n.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use reference::{Expected, interpret};
use testing::generate::{Size, script};

/// Every fiftieth of them is a big one.
const SCRIPTS: u64 = 153;

#[test]
fn generated_scripts_do_what_the_model_says() {
    let dir = tempfile::tempdir().unwrap();
    let (first, last) = match std::env::var("PIPEBANK_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("PIPEBANK_SEED is a number");
            (seed, seed)
        }
        Err(_) => (1, testing::fewer("PIPEBANK_SCRIPTS", SCRIPTS)),
    };
    let next = AtomicU64::new(first);
    let complaints = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // One complaint is enough to read.
                    if seed > last || !complaints.lock().unwrap().is_empty() {
                        return;
                    }
                    if let Err(complaint) = try_seed(seed, dir.path()) {
                        complaints.lock().unwrap().push(complaint);
                    }
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    if !complaints.is_empty() {
        let kept = dir.keep();
        panic!("{}\nkept in {}", complaints.join("\n\n"), kept.display());
    }
}

fn try_seed(seed: u64, dir: &Path) -> Result<(), String> {
    let text = script(seed, size_of(seed));
    let path = dir.join(format!("seed-{seed}.txt"));
    fs::write(&path, &text).unwrap();
    let from_stdin = seed % 3 == 1;
    let (name, output) = if from_stdin {
        ("-".to_owned(), run("-", seed, Some(&text)))
    } else {
        let name = path.display().to_string();
        let output = run(&name, seed, None);
        (name, output)
    };
    let expected = interpret(&text, seed);
    differences(&name, &expected, &output).map_err(|difference| {
        format!(
            "script {} {}: {difference}\nagain: PIPEBANK_SEED={seed} cargo test -p pipebank --test it \
             against_model::",
            path.display(),
            if from_stdin { "(through stdin)" } else { "" },
        )
    })?;
    fs::remove_file(&path).unwrap();
    Ok(())
}

fn size_of(seed: u64) -> Size {
    if seed.is_multiple_of(50) {
        Size::BIG
    } else {
        Size::of(seed)
    }
}

/// A run of the real thing, with a deadline of its own so that nothing hangs.
fn run(name: &str, seed: u64, stdin: Option<&str>) -> Output {
    let mut child = Command::new(testing::master())
        .args(["--timeout", "60", "--seed", &seed.to_string(), name])
        .stdin(match stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("master starts");
    let pipe = child.stdin.take();
    thread::scope(|scope| {
        if let (Some(mut pipe), Some(text)) = (pipe, stdin) {
            // A master that ended early shows in its output.
            scope.spawn(move || pipe.write_all(text.as_bytes()).ok());
        }
        child.wait_with_output().expect("master ends")
    })
}

fn differences(name: &str, expected: &Expected, output: &Output) -> Result<(), String> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let told = || stderr.lines().take(20).collect::<Vec<_>>().join("\n");
    if stdout != expected.stdout {
        let mut real = stdout.lines();
        let mut right = expected.stdout.lines();
        let same = |(real, right): (Option<&str>, Option<&str>)| real == right && real.is_some();
        let mut at = 1;
        let (real, right) = loop {
            let pair = (real.next(), right.next());
            if !same(pair) {
                break pair;
            }
            at += 1;
        };
        let told = told();
        return Err(format!(
            "stdout differs in line {at}: the model says {right:?}, master {real:?}; \
             stderr begins:\n{told}"
        ));
    }
    let failures: Vec<usize> = expected.failures.iter().map(|one| one.line).collect();
    let failed = failed_lines(name, &stderr, &expected.deaths);
    if failed != failures {
        let told = told();
        return Err(format!(
            "lines {failures:?} must fail, lines {failed:?} did; stderr begins:\n{told}"
        ));
    }
    let status = output.status.code();
    if status != Some(expected.exit_status()) {
        let (right, told) = (expected.exit_status(), told());
        return Err(format!(
            "exit status {status:?}, must be {right}; stderr begins:\n{told}"
        ));
    }
    Ok(())
}

/// Lines with a message that starts with `NAME:LINE: `, without those on which a node is killed:
/// how a death is told is not fixed.
fn failed_lines(name: &str, stderr: &str, deaths: &[usize]) -> Vec<usize> {
    let located = stderr.lines().filter_map(|line| {
        let (number, _) = line
            .strip_prefix(name)?
            .strip_prefix(':')?
            .split_once(": ")?;
        number.parse().ok()
    });
    located.filter(|line| !deaths.contains(line)).collect()
}
