//! Fuzzing: whatever bytes come, nothing panics, nothing hangs, nothing takes more than a megabyte.
//!
//! A target is a test here. It runs what was committed under `__fuzz__/TARGET` (`corpus`: inputs
//! that reach different code; `crashes`: inputs that once failed) and then random bytes. These go
//! by a seed, which a failure names: `BOLERO_RANDOM_SEED=… cargo test -p pipebank --test fuzz`.
//! `scripts/fuzz SECONDS` goes on with libFuzzer, which looks for inputs that reach new code and
//! puts them there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod allocations;
mod histories;

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read};

use pipebank::member::Frame;
use pipebank::messages::{Answer, Command, Order, Reply, Report, Request};
use pipebank::script::{COMMANDS, Checker, LineSplitter, ScriptError, read_script};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What nothing may take more of. It is taken: for a list that claims to be long, in a frame of 14
/// bytes, serde sets aside a whole one before it finds that nothing is there
/// (`__fuzz__/frames/crashes/a-list-that-is-not-there`).
const MEGABYTE: usize = 1 << 20;

/// What the targets here take themselves, for copies of the input.
const COPIES: usize = 16 << 10;

/// Random inputs a target, beside those that were committed.
const RANDOM: usize = 2_000;

/// Has `check` run on inputs of all kinds; it may take `bound` bytes.
fn attack(target: &str, bound: usize, check: fn(&[u8])) {
    let inputs = bolero::check!(name = target).with_iterations(RANDOM);
    inputs.for_each(|bytes: &[u8]| {
        let most = allocations::most_held(|| check(bytes));
        assert!(
            most <= bound + COPIES,
            "{most} bytes at once, for {} of input",
            bytes.len()
        );
    });
}

/// Everything that comes through a pipe, as it is and behind a length that fits.
#[test]
fn frames() {
    attack("frames", MEGABYTE, |bytes| {
        every_type_of_frame(bytes);
        let length = bytes.len().saturating_add(2).min(pipes::MAX_FRAME);
        let header = u16::try_from(length).unwrap().to_le_bytes();
        every_type_of_frame(&[&header, bytes].concat());
    });
}

/// A script as a file, in large pieces and small, and as a session.
#[test]
fn scripts() {
    attack("scripts", MEGABYTE, |bytes| {
        script(bytes);
        script(&in_words_of_the_language(bytes));
    });
}

/// A history that may be anything.
#[test]
fn histories() {
    attack("histories", MEGABYTE, histories::read);
}

/// What holds snapshots.
#[test]
fn snapshots() {
    attack("snapshots", MEGABYTE, histories::read_snapshots);
}

/// A history that was read is judged and drawn, which takes what its pictures take.
#[test]
fn pictures() {
    attack("pictures", 4 * MEGABYTE, histories::judge_and_draw);
}

fn every_type_of_frame(bytes: &[u8]) {
    stream_of::<Frame>(bytes);
    stream_of::<Command>(bytes);
    stream_of::<Reply>(bytes);
    stream_of::<Request>(bytes);
    stream_of::<Answer>(bytes);
    stream_of::<Order>(bytes);
    stream_of::<Report>(bytes);
}

/// Reads frames until there is none. What was read is written again in the very same bytes.
fn stream_of<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) {
    let mut written = Vec::new();
    while let Ok(Some((value, length))) = pipes::decode::<T>(bytes) {
        written.clear();
        pipes::encode(&value, &mut written).expect("a value that came in a frame fits into one");
        assert_eq!(written, bytes[..length]);
        bytes = &bytes[length..];
    }
}

fn script(bytes: &[u8]) {
    let at_once = read_script(&mut &bytes[..]);
    let in_pieces = read_script(&mut BufReader::with_capacity(3, bytes));
    assert_eq!(told(&at_once), told(&in_pieces));
    session(bytes);
}

fn told<T: Debug>(outcome: &Result<T, ScriptError>) -> String {
    match outcome {
        Ok(statements) => format!("{statements:?}"),
        Err(ScriptError::Io(error)) => panic!("{error}"),
        Err(ScriptError::Refused(refusals)) => {
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

/// One line that never ends.
struct Line {
    left: usize,
    piece: Vec<u8>,
}

impl Read for Line {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        unreachable!("a script is read through its buffer")
    }
}

impl BufRead for Line {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        Ok(&self.piece[..self.piece.len().min(self.left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.left -= bytes;
    }
}

fn a_line_of(length: usize) {
    let piece = vec![b'x'; 65_536];
    let mut line = Line {
        left: length,
        piece,
    };
    let most = allocations::most_held(|| {
        let Err(ScriptError::Refused(refusals)) = read_script(&mut line) else {
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
