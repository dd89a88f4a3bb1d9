//! Waiting for a few ends, once.

use std::thread;

use crate::common::{fill_all, narrow, send, wide};
use pipes::{Fill, Flush, WaitSet};

#[test]
fn a_wait_ends_with_the_first_end_that_is_ready_and_says_which() {
    let (_quiet_sender, quiet) = wide::<u64>();
    let (mut sender, receiver) = wide::<u64>();
    let writer = thread::spawn(move || {
        send(&mut sender, &1);
        sender
    });
    let mut waits = WaitSet::new();
    let (first, second) = (waits.read(&quiet), waits.read(&receiver));
    waits.wait().unwrap();
    assert!(!waits.is_ready(first) && waits.is_ready(second));
    writer.join().unwrap();
}

#[test]
fn a_writer_that_goes_wakes_its_reader_and_is_waited_for_no_more() {
    let (sender, mut receiver) = wide::<u64>();
    let hang_up = thread::spawn(move || drop(sender));
    let mut waits = WaitSet::new();
    let end = waits.read(&receiver);
    waits.wait().unwrap();
    assert!(waits.is_ready(end));
    hang_up.join().unwrap();
    assert_eq!(receiver.fill().unwrap(), Fill::Ended);
    let mut waits = WaitSet::new();
    let ended = waits.read(&receiver);
    assert_eq!(ended, None);
    assert!(!waits.is_ready(ended));
}

#[test]
fn a_full_pipe_is_ready_again_once_there_is_room() {
    let (mut sender, mut receiver) = narrow::<u64>();
    let (mut other, other_receiver) = wide::<u64>();
    while sender.flush().unwrap() == Flush::Done {
        sender.push(&1).unwrap();
    }
    send(&mut other, &1);
    for has_room in [false, true] {
        let mut waits = WaitSet::new();
        let (full, there) = (waits.write(&sender), waits.read(&other_receiver));
        waits.wait().unwrap();
        assert!(waits.is_ready(there));
        assert_eq!(waits.is_ready(full), has_room);
        fill_all(&mut receiver);
    }
}

#[test]
fn a_reader_that_goes_wakes_its_writer_and_is_waited_for_no_more() {
    let (mut sender, receiver) = narrow::<u64>();
    while sender.flush().unwrap() == Flush::Done {
        sender.push(&1).unwrap();
    }
    let hang_up = thread::spawn(move || drop(receiver));
    let mut waits = WaitSet::new();
    let end = waits.write(&sender);
    waits.wait().unwrap();
    assert!(waits.is_ready(end));
    hang_up.join().unwrap();
    assert_eq!(sender.flush().unwrap(), Flush::Closed);
    assert_eq!(WaitSet::new().write(&sender), None);
}
