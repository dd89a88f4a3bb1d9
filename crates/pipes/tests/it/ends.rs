//! One sender and one receiver over a real pipe, in one process.

use std::fs::File;
use std::io::Write;
use std::thread;

use crate::common::{fill_all, narrow, raw_pipe, send, take_all, wide};
use pipes::{Error, Fill, Flush, MAX_FRAME, Poller, Receiver, Sender, encode};

const MANY: u64 = 100_000;

/// A frame of `value`, as it travels.
fn bytes_of(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&value, &mut bytes).unwrap();
    bytes
}

fn everything_arrives_in_order(mut sender: Sender<u64>, mut receiver: Receiver<u64>) {
    for number in 0..MANY {
        sender.push(&number).unwrap();
    }
    let pushed = sender.pending();
    assert_eq!(
        sender.flush().unwrap(),
        Flush::Full,
        "the pipe is too small"
    );
    assert!(0 < sender.pending() && sender.pending() < pushed);
    let mut expected = 0..MANY;
    loop {
        assert_eq!(fill_all(&mut receiver), Fill::Empty);
        for number in take_all(&mut receiver) {
            assert_eq!(Some(number), expected.next());
        }
        if expected.is_empty() {
            break;
        }
        sender.flush().unwrap();
    }
    assert_eq!((sender.pending(), receiver.buffered()), (0, 0));
}

#[test]
fn what_does_not_fit_into_the_pipe_waits_and_arrives_in_order() {
    let (sender, receiver) = wide();
    everything_arrives_in_order(sender, receiver);
}

#[test]
fn order_is_kept_through_a_pipe_of_one_page() {
    let (sender, receiver) = narrow();
    everything_arrives_in_order(sender, receiver);
}

#[test]
fn order_is_kept_between_threads_that_wait_for_each_other() {
    let (mut sender, mut receiver) = narrow::<u64>();
    let writer = thread::spawn(move || {
        let (poller, mut ready) = (Poller::new().unwrap(), Vec::new());
        for number in 0..MANY {
            sender.push(&number).unwrap();
            while number % 1_000 == 999 && sender.flush().unwrap() == Flush::Full {
                sender.watch_if_pending(&poller, 1).unwrap();
                poller.wait(&mut ready, None).unwrap();
            }
        }
        assert_eq!(sender.pending(), 0);
    });
    let (poller, mut ready) = (Poller::new().unwrap(), Vec::new());
    receiver.watch(&poller, 2, true).unwrap();
    let mut expected = 0..MANY;
    while !receiver.is_ended() {
        poller.wait(&mut ready, None).unwrap();
        receiver.fill().unwrap();
        for number in take_all(&mut receiver) {
            assert_eq!(Some(number), expected.next());
        }
    }
    assert!(expected.is_empty());
    writer.join().unwrap();
}

#[test]
fn many_frames_at_once_travel_like_one_by_one() {
    let (mut one_by_one, mut ones) = wide();
    let (mut at_once, mut all) = wide();
    for number in 0..MANY {
        one_by_one.push(&number).unwrap();
    }
    let mut values = 0..MANY;
    at_once.push_all(values.by_ref().take(7)).unwrap();
    at_once.push_all(values).unwrap();
    assert_eq!(at_once.pending(), one_by_one.pending());
    let mut expected = 0..MANY;
    while !expected.is_empty() {
        one_by_one.flush().unwrap();
        at_once.flush().unwrap();
        assert_eq!(fill_all(&mut ones), Fill::Empty);
        assert_eq!(fill_all(&mut all), Fill::Empty);
        // Whoever leaves off goes on where that was.
        for number in all.frames().take(3) {
            assert_eq!(Some(number), expected.next());
            assert_eq!(ones.next_frame().unwrap(), Some(number));
        }
        for number in all.frames() {
            assert_eq!(Some(number), expected.next());
            assert_eq!(ones.next_frame().unwrap(), Some(number));
        }
        all.check_rest().unwrap();
        assert_eq!(ones.buffered(), all.buffered());
    }
    assert_eq!((at_once.pending(), all.buffered()), (0, 0));
}

#[test]
fn of_many_frames_those_before_a_bad_one_count() {
    let (mut sender, mut receiver) = wide::<Vec<u8>>();
    let frames = [vec![1], vec![0; MAX_FRAME], vec![3]];
    let outcome = sender.push_all(frames.into_iter());
    assert!(matches!(outcome, Err(Error::FrameTooLong { .. })));
    assert_eq!(sender.flush().unwrap(), Flush::Done);
    assert_eq!(fill_all(&mut receiver), Fill::Empty);
    assert!(receiver.frames().eq([vec![1]]));

    let pipe = raw_pipe(false);
    let (mut raw, mut receiver) = (File::from(pipe.write), Receiver::<u64>::new(pipe.read));
    raw.write_all(&bytes_of(5)).unwrap();
    raw.write_all(&[3, 0, 0]).unwrap();
    receiver.fill().unwrap();
    assert!(receiver.frames().eq([5]));
    assert!(matches!(
        receiver.check_rest(),
        Err(Error::Malformed { .. })
    ));
    assert!(receiver.frames().next().is_none());
}

#[test]
fn frames_for_a_reader_that_is_gone_are_dropped_but_asked_for() {
    let (mut sender, receiver) = wide();
    drop(receiver);
    sender.push(&1).unwrap();
    assert_eq!(sender.flush().unwrap(), Flush::Closed);
    let mut values = 0..5;
    sender.push_all(values.by_ref()).unwrap();
    assert_eq!((values.len(), sender.pending()), (0, 0));
}

#[test]
fn a_frame_appears_only_once_its_last_byte_has_come() {
    let pipe = raw_pipe(false);
    let (mut raw, mut receiver) = (File::from(pipe.write), Receiver::<u64>::new(pipe.read));
    for value in [1, u64::MAX] {
        let bytes = bytes_of(value);
        for (position, byte) in bytes.iter().enumerate() {
            assert_eq!(receiver.next_frame().unwrap(), None, "{position} bytes");
            assert_eq!(receiver.fill().unwrap(), Fill::Empty);
            raw.write_all(&[*byte]).unwrap();
            assert_eq!(receiver.fill().unwrap(), Fill::More);
            assert_eq!(receiver.buffered(), position + 1);
        }
        assert_eq!(receiver.next_frame().unwrap(), Some(value));
        assert_eq!(receiver.next_frame().unwrap(), None);
    }
}

#[test]
fn a_partial_frame_at_end_of_file_was_never_sent() {
    let whole = bytes_of(8);
    for length in 0..whole.len() {
        let pipe = raw_pipe(false);
        let (mut raw, mut receiver) = (File::from(pipe.write), Receiver::<u64>::new(pipe.read));
        raw.write_all(&bytes_of(7)).unwrap();
        raw.write_all(&whole[..length]).unwrap();
        drop(raw);
        assert_eq!(fill_all(&mut receiver), Fill::Ended);
        assert_eq!(take_all(&mut receiver), [7], "and {length} bytes more");
        assert!(receiver.is_ended());
        assert_eq!(receiver.fill().unwrap(), Fill::Ended, "it stays ended");
        assert_eq!(receiver.next_frame().unwrap(), None);
    }
}

#[test]
fn what_a_writer_left_behind_can_be_taken_after_it_is_gone() {
    let (mut sender, mut receiver) = wide();
    for number in 0..1_000_u64 {
        send(&mut sender, &number);
    }
    drop(sender);
    assert_eq!(fill_all(&mut receiver), Fill::Ended);
    assert!(receiver.is_ended());
    assert_eq!(take_all(&mut receiver), Vec::from_iter(0..1_000));
}

#[test]
fn a_sender_whose_reader_is_gone_drops_what_it_is_given() {
    let (mut sender, receiver) = wide::<u64>();
    drop(receiver);
    sender.push(&1).unwrap();
    assert!(!sender.is_closed(), "not known before a write");
    assert_eq!(sender.flush().unwrap(), Flush::Closed);
    assert!(sender.is_closed());
    for number in 0..10 {
        sender.push(&number).unwrap();
        assert_eq!(sender.pending(), 0);
        assert_eq!(sender.flush().unwrap(), Flush::Closed);
    }
}

#[test]
fn a_full_outbox_is_dropped_once_the_reader_is_gone() {
    let (mut sender, receiver) = narrow();
    for number in 0..MANY {
        sender.push(&number).unwrap();
    }
    assert_eq!(sender.flush().unwrap(), Flush::Full);
    drop(receiver);
    assert_eq!(sender.flush().unwrap(), Flush::Closed);
    assert_eq!(sender.pending(), 0);
}

#[test]
fn closing_a_sender_ends_its_reader_after_what_was_written() {
    let (mut sender, mut receiver) = narrow();
    for number in 0..MANY {
        sender.push(&number).unwrap();
    }
    assert_eq!(sender.flush().unwrap(), Flush::Full);
    sender.close();
    assert!(sender.is_closed() && sender.pending() == 0);
    assert_eq!(fill_all(&mut receiver), Fill::Ended);
    let taken = take_all(&mut receiver);
    assert!(!taken.is_empty());
    assert_eq!(taken, Vec::from_iter(0..taken.len() as u64));
}

#[test]
fn looking_ahead_takes_nothing() {
    let (mut sender, mut receiver) = wide::<u64>();
    assert_eq!(receiver.frames_ahead().unwrap(), []);
    for number in 0..3 {
        send(&mut sender, &number);
    }
    assert_eq!(receiver.frames_ahead().unwrap(), [], "nothing was read yet");
    receiver.fill().unwrap();
    let buffered = receiver.buffered();
    assert_eq!(receiver.frames_ahead().unwrap(), [0, 1, 2]);
    assert_eq!(receiver.frames_ahead().unwrap(), [0, 1, 2]);
    assert_eq!(receiver.buffered(), buffered);
    assert_eq!(receiver.next_frame().unwrap(), Some(0));
    assert_eq!(receiver.frames_ahead().unwrap(), [1, 2]);
    assert_eq!(take_all(&mut receiver), [1, 2]);
    assert_eq!(receiver.buffered(), 0);
}

#[test]
fn a_frame_that_is_too_long_is_refused_and_leaves_its_neighbours_alone() {
    let (mut sender, mut receiver) = wide::<Vec<u8>>();
    let overhead = 2 + 8;
    let longest = vec![7; MAX_FRAME - overhead];
    sender.push(&vec![1]).unwrap();
    let refused = sender.push(&vec![0; longest.len() + 1]);
    assert!(matches!(
        refused,
        Err(Error::FrameTooLong { length }) if length == MAX_FRAME + 1
    ));
    sender.push(&longest).unwrap();
    assert_eq!(sender.pending(), overhead + 1 + MAX_FRAME);
    assert_eq!(sender.flush().unwrap(), Flush::Done);
    drop(sender);
    assert_eq!(fill_all(&mut receiver), Fill::Ended);
    assert_eq!(take_all(&mut receiver), [vec![1], longest]);
}

#[test]
fn garbage_from_a_stranger_is_an_error_that_stays_one() {
    let garbage: [&[u8]; 5] = [
        &[0, 0],                                      // shorter than its own header
        &[0xff, 0xff],                                // longer than any frame
        &[3, 0, 9],                                   // no u64 fits in one byte
        &[11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9],          // a u64 and a byte left over
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", // somebody took it for a web server
    ];
    for bytes in garbage {
        let pipe = raw_pipe(false);
        let (mut raw, mut receiver) = (File::from(pipe.write), Receiver::<u64>::new(pipe.read));
        raw.write_all(&bytes_of(7)).unwrap();
        raw.write_all(bytes).unwrap();
        raw.write_all(&bytes_of(8)).unwrap();
        fill_all(&mut receiver);
        assert_eq!(receiver.next_frame().unwrap(), Some(7), "what came before");
        for _ in 0..2 {
            assert!(receiver.next_frame().is_err(), "{bytes:?}");
            assert!(receiver.frames_ahead().is_err(), "{bytes:?}");
        }
    }
}

#[test]
fn no_stranger_makes_a_reader_keep_more_than_one_frame() {
    // The longest frame that may be announced, and then whatever comes.
    let pipe = raw_pipe(false);
    let (mut raw, mut receiver) = (File::from(pipe.write), Receiver::<Vec<u8>>::new(pipe.read));
    let mut bytes = (MAX_FRAME as u16).to_le_bytes().to_vec();
    bytes.resize(2 * MAX_FRAME, 0xff);
    for part in bytes.chunks(100) {
        raw.write_all(part).unwrap();
        fill_all(&mut receiver);
        match receiver.next_frame() {
            Ok(None) => assert!(receiver.buffered() < MAX_FRAME),
            Ok(Some(_)) => panic!("2⁶⁴ − 1 elements in a frame"),
            Err(_) => {
                assert!(receiver.buffered() < MAX_FRAME + part.len());
                return;
            }
        }
    }
    panic!("garbage passed for a partial frame");
}
