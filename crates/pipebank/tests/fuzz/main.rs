//! Fuzzing: whatever bytes come, nothing panics, nothing hangs, nothing takes more than a megabyte.
//!
//! A target is a test here. It runs what was committed under `__fuzz__/TARGET` (`corpus`: inputs
//! that reach different code; `crashes`: inputs that once failed) and then random bytes. These go
//! by a seed, which a failure names: `BOLERO_RANDOM_SEED=… cargo test -p pipebank --test fuzz`.
//! An input that takes a minute ends the program, which says which it was.
//! `scripts/fuzz SECONDS` goes on with libFuzzer, which looks for inputs that reach new code and
//! puts them there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod allocations;
mod frames;
mod histories;
mod watch;

use std::fmt::Debug;

use bank::script::{COMMANDS, Checker, LineSplitter, Refusal, ScriptReader, read_script};

/// What no reader may take more of.
const MEGABYTE: usize = 1 << 20;

/// What the targets here take themselves, for copies of the input.
const COPIES: usize = 16 << 10;

/// Random inputs a target, beside those that were committed.
const RANDOM: usize = 2_000;

/// Has `check` run on inputs of all kinds; for one of a number of bytes it may take `bound` of them.
fn attack(target: &'static str, bound: fn(usize) -> usize, check: fn(&[u8])) {
    let inputs = bolero::check!(name = target).with_iterations(RANDOM);
    let watch = watch::Watch::over(target);
    inputs.for_each(|bytes: &[u8]| {
        watch.begins(bytes);
        let most = allocations::most_held(|| check(bytes));
        assert!(
            most <= bound(bytes.len()) + COPIES,
            "{most} bytes at once, for {} of input",
            bytes.len()
        );
    });
}

/// Everything that comes through a pipe, as it is and behind a length that fits.
#[test]
fn frames() {
    attack("frames", |_| frames::BOUND, frames::read);
}

/// A script as a file, in large pieces and small, and as a session.
#[test]
fn scripts() {
    attack("scripts", |_| MEGABYTE, read);
}

/// A history that may be anything.
#[test]
fn histories() {
    attack("histories", |_| MEGABYTE, histories::read);
}

/// What holds snapshots.
#[test]
fn snapshots() {
    attack("snapshots", |_| MEGABYTE, histories::read_snapshots);
}

/// A history that was read is judged and drawn, in memory in proportion to its events.
#[test]
fn pictures() {
    attack("pictures", histories::bound, histories::judge_and_draw);
}

fn read(bytes: &[u8]) {
    script(bytes);
    script(&in_words_of_the_language(bytes));
}

fn script(bytes: &[u8]) {
    let at_once = read_script(bytes);
    let mut reader = ScriptReader::default();
    let pushed = bytes.chunks(3).try_for_each(|piece| reader.push(piece));
    let in_pieces = pushed.and_then(|()| reader.finish());
    assert_eq!(told(&at_once), told(&in_pieces));
    session(bytes);
}

fn told<T: Debug>(outcome: &Result<T, Vec<Refusal>>) -> String {
    match outcome {
        Ok(statements) => format!("{statements:?}"),
        Err(refusals) => {
            let shown = refusals
                .iter()
                .map(|refusal| refusal.display("x").to_string());
            shown.collect::<Vec<_>>().join("\n")
        }
    }
}

fn session(bytes: &[u8]) {
    let (mut splitter, mut checker) = (LineSplitter::new(), Checker::new());
    for piece in bytes.chunks(7) {
        splitter.push(piece);
        while let Some(line) = splitter.next_line() {
            let _ = checker.line(line.number, line.text);
        }
    }
    if let Some(line) = splitter.finish() {
        let _ = checker.line(line.number, line.text);
    }
}

/// Each byte as a piece of a script, so that random bytes nearly make sense.
fn in_words_of_the_language(bytes: &[u8]) -> Vec<u8> {
    const PIECES: [&[u8]; 14] = [
        b" 1",
        b" 2",
        b" 3",
        b" 0",
        b" ",
        b"\n",
        b"\n",
        b"\r\n",
        b"\t",
        b"#",
        b" 18446744073709551615",
        b" -1",
        b"\xff",
        b"\0",
    ];
    let mut script = b"StartMaster\nCreateNode 1 9\n".to_vec();
    // A script may take memory in proportion to its length, and time.
    for &byte in bytes.iter().take(256) {
        let byte = usize::from(byte);
        match byte.checked_sub(128) {
            Some(byte) => script.extend(COMMANDS[byte % COMMANDS.len()].name.bytes()),
            None => script.extend(PIECES[byte % PIECES.len()]),
        }
    }
    script
}

fn a_line_of(length: usize) {
    let piece = vec![b'x'; 65_536];
    let most = allocations::most_held(|| {
        let mut reader = ScriptReader::default();
        for _ in 0..length / piece.len() {
            reader.push(&piece).expect("a line is refused at its end");
        }
        let Err(refusals) = reader.finish() else {
            panic!("a line of {length} bytes was accepted");
        };
        assert_eq!(refusals.len(), 1);
    });
    println!("a line of {length} bytes: {most} bytes at once");
    assert!(most <= MEGABYTE, "{most} bytes at once");
}

#[test]
fn a_line_without_end_takes_less_than_a_megabyte() {
    a_line_of(16 * MEGABYTE);
}

#[test]
#[ignore = "a gigabyte takes a while: scripts/check --deep"]
fn a_line_of_a_gigabyte_takes_less_than_a_megabyte() {
    a_line_of(1024 * MEGABYTE);
}
