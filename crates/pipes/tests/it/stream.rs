//! Writing to the user's stream, which blocks and may be slow, gone or stuck; and the signals
//! that interrupt it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::common::{PAGE, blocking_pipe};
use nix::sys::signal::{Signal, raise};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pipes::{Caught, Patience, Poller, Read, open_to_read, open_to_write};
use pipes::{read_patiently, write_patiently};

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
    let written = write_patiently(&pipe.write, &bytes, &Patience::default()).unwrap();
    assert_eq!(written, bytes.len());
    drop(pipe.write);
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn nothing_to_write_is_written_at_once() {
    let pipe = blocking_pipe();
    drop(pipe.read);
    let written = write_patiently(&pipe.write, b"", &Patience::default()).unwrap();
    assert_eq!(written, 0);
}

#[test]
fn a_reader_that_takes_nothing_is_waited_for_until_the_deadline() {
    let (pipe, bytes) = (blocking_pipe(), many_bytes());
    let over = Patience::brief(Duration::ZERO);
    let written = write_patiently(&pipe.write, &bytes, &over).unwrap();
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
    let broken = write_patiently(&pipe.write, b"hello", &Patience::default()).unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_reader_that_goes_while_it_is_waited_for_is_a_broken_pipe() {
    let (pipe, bytes) = (blocking_pipe(), many_bytes());
    let mut reader = File::from(pipe.read);
    let goes = thread::spawn(move || reader.read_exact(&mut [0; 10]).unwrap());
    let broken = write_patiently(&pipe.write, &bytes, &Patience::default()).unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::BrokenPipe);
    goes.join().unwrap();
}

/// On a thread of its own: the signals stay held back there, and end with it.
fn on_a_thread(test: impl FnOnce(Patience) + Send + 'static) {
    let held = move || test(Patience::hold(None).unwrap());
    thread::spawn(held).join().unwrap();
}

#[test]
fn a_signal_interrupts_a_write_that_waits() {
    on_a_thread(|patience| {
        let pipe = blocking_pipe();
        raise(Signal::SIGTERM).unwrap();
        let written = write_patiently(&pipe.write, &many_bytes(), &patience);
        assert_eq!(written.unwrap(), 0);
        let caught = patience.next_caught().unwrap();
        assert_eq!(caught, Some(Caught(Signal::SIGTERM as i32)));
    });
}

#[test]
fn signals_that_ask_to_end_are_read_and_not_obeyed() {
    on_a_thread(|patience| {
        let poller = Poller::new().unwrap();
        patience.watch(&poller, 9).unwrap();
        assert_eq!(patience.next_caught().unwrap(), None);
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
            raise(signal).unwrap();
            let mut ready = Vec::new();
            poller.wait(&mut ready, None).unwrap();
            assert_eq!(ready, [9]);
            let caught = patience.next_caught().unwrap();
            assert_eq!(caught, Some(Caught(signal as i32)));
            assert_eq!(patience.next_caught().unwrap(), None);
        }
    });
}

#[test]
fn what_is_always_there_is_read_only_until_the_deadline_or_a_signal() {
    let zero = File::open("/dev/zero").unwrap();
    let mut buffer = [1; 10];
    let read = read_patiently(&zero, &mut buffer, &Patience::default());
    assert_eq!(read.unwrap(), Some(Read::Bytes(10)));
    let over = Patience::brief(Duration::ZERO);
    assert_eq!(read_patiently(&zero, &mut buffer, &over).unwrap(), None);
    on_a_thread(move |patience| {
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(read_patiently(&zero, &mut buffer, &patience).unwrap(), None);
        assert!(patience.next_caught().unwrap().is_some());
    });
}

#[test]
fn what_never_comes_is_waited_for_until_the_deadline() {
    let pipe = blocking_pipe();
    let brief = Patience::brief(Duration::from_millis(1));
    assert_eq!(read_patiently(&pipe.read, &mut [0], &brief).unwrap(), None);
    drop(pipe.write);
    let forever = Patience::default();
    let end = read_patiently(&pipe.read, &mut [0], &forever).unwrap();
    assert_eq!(end, Some(Read::End));
}

fn fifo() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    (folder, path)
}

#[test]
fn the_writer_of_a_fifo_is_waited_for() {
    let (_folder, path) = fifo();
    let reader = open_to_read(&path).unwrap();
    let brief = Patience::brief(Duration::from_millis(1));
    assert_eq!(read_patiently(&reader, &mut [0], &brief).unwrap(), None);
    let writer = thread::spawn(move || fs::write(path, "x").unwrap());
    let forever = Patience::default();
    let read = || read_patiently(&reader, &mut [0], &forever).unwrap();
    assert_eq!(read(), Some(Read::Bytes(1)));
    assert_eq!(read(), Some(Read::End));
    writer.join().unwrap();
}

#[test]
fn the_reader_of_a_fifo_is_waited_for_until_the_deadline_or_a_signal() {
    let (_folder, path) = fifo();
    let open = |patience: &Patience| open_to_write(&path, &File::options(), patience).unwrap();
    assert!(open(&Patience::brief(Duration::from_millis(1))).is_none());
    let other = path.clone();
    on_a_thread(move |patience| {
        raise(Signal::SIGTERM).unwrap();
        let opened = open_to_write(&other, &File::options(), &patience).unwrap();
        assert!(opened.is_none());
    });
    let reader = thread::spawn({
        let path = path.clone();
        move || fs::read(path).unwrap()
    });
    let writer = open(&Patience::default()).unwrap();
    let written = write_patiently(&writer, b"hello", &Patience::default());
    assert_eq!(written.unwrap(), 5);
    drop(writer);
    assert_eq!(reader.join().unwrap(), b"hello");
}

#[test]
fn a_time_beyond_all_clocks_is_for_ever() {
    on_a_thread(|_| {
        let patience = Patience::hold(Some(Duration::MAX)).unwrap();
        assert_eq!(patience.deadline(), None);
    });
}
