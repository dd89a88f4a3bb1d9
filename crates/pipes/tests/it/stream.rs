//! Writing to the user's stream, which blocks and may be slow, gone or stuck; and the signals
//! that interrupt it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::thread;
use std::time::Instant;

use crate::common::{PAGE, blocking_pipe};
use nix::sys::signal::{Signal, raise};
use pipes::{Caught, Poller, Signals, write_interruptibly};

fn many_bytes() -> Vec<u8> {
    (0..50 * PAGE).map(|index| index as u8).collect()
}

#[test]
fn everything_is_written_however_little_the_reader_takes_at_a_time() {
    let (pipe, bytes) = (blocking_pipe(), many_bytes());
    let mut slow = File::from(pipe.read);
    let reader = thread::spawn(move || {
        let (mut all, mut part) = (Vec::new(), [0; 101]);
        loop {
            match slow.read(&mut part).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&part[..count]),
            }
        }
    });
    let written = write_interruptibly(&pipe.write, &bytes, None, None).unwrap();
    assert_eq!(written, bytes.len());
    drop(pipe.write);
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn nothing_to_write_is_written_at_once() {
    let pipe = blocking_pipe();
    drop(pipe.read);
    let written = write_interruptibly(&pipe.write, b"", None, None).unwrap();
    assert_eq!(written, 0);
}

#[test]
fn a_reader_that_takes_nothing_is_waited_for_until_the_deadline() {
    let (pipe, bytes) = (blocking_pipe(), many_bytes());
    let deadline = Instant::now();
    let written = write_interruptibly(&pipe.write, &bytes, None, Some(deadline)).unwrap();
    drop(pipe.write);
    let mut arrived = Vec::new();
    File::from(pipe.read).read_to_end(&mut arrived).unwrap();
    assert!(!arrived.is_empty() && arrived.len() < bytes.len());
    assert!(arrived == bytes[..written]);
}

#[test]
fn a_reader_that_is_gone_is_a_broken_pipe() {
    let pipe = blocking_pipe();
    drop(pipe.read);
    let broken = write_interruptibly(&pipe.write, b"hello", None, None).unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_reader_that_goes_while_it_is_waited_for_is_a_broken_pipe() {
    let (pipe, bytes) = (blocking_pipe(), many_bytes());
    let mut reader = File::from(pipe.read);
    let goes = thread::spawn(move || reader.read_exact(&mut [0; 10]).unwrap());
    let broken = write_interruptibly(&pipe.write, &bytes, None, None).unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::BrokenPipe);
    goes.join().unwrap();
}

/// On a thread of its own: the signals stay held back there, and end with it.
fn on_a_thread(test: impl FnOnce(Signals) + Send + 'static) {
    let held = move || test(Signals::hold().unwrap());
    thread::spawn(held).join().unwrap();
}

#[test]
fn a_signal_interrupts_a_write_that_waits() {
    on_a_thread(|signals| {
        let pipe = blocking_pipe();
        raise(Signal::SIGTERM).unwrap();
        let written = write_interruptibly(&pipe.write, &many_bytes(), Some(&signals), None);
        assert_eq!(written.unwrap(), 0);
        let caught = signals.next_caught().unwrap();
        assert_eq!(caught, Some(Caught(Signal::SIGTERM as i32)));
    });
}

#[test]
fn signals_that_ask_to_end_are_read_and_not_obeyed() {
    on_a_thread(|signals| {
        let poller = Poller::new().unwrap();
        assert!(poller.watch_bytes(&signals, 9).unwrap());
        assert_eq!(signals.next_caught().unwrap(), None);
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
            raise(signal).unwrap();
            let mut ready = Vec::new();
            poller.wait(&mut ready, None).unwrap();
            assert_eq!(ready, [9]);
            let caught = signals.next_caught().unwrap();
            assert_eq!(caught, Some(Caught(signal as i32)));
            assert_eq!(signals.next_caught().unwrap(), None);
        }
    });
}
