//! Waiting for ends: who wakes the poller, who does not, and what it says.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{fill_all, narrow, raw_pipe, send, wide};
use pipes::{Fill, Flush, Poller, Receiver, Token};

/// What is ready at once.
fn ready_now(poller: &Poller) -> Vec<Token> {
    let mut ready = vec![Token::MAX];
    poller.wait(&mut ready, Some(Instant::now())).unwrap();
    ready.sort_unstable();
    ready
}

/// What is ready, once something is.
fn ready_then(poller: &Poller) -> Vec<Token> {
    let mut ready = Vec::new();
    poller.wait(&mut ready, None).unwrap();
    ready
}

#[test]
fn an_end_is_ready_under_its_own_token_for_as_long_as_something_is_there() {
    let poller = Poller::new().unwrap();
    let mut ends: Vec<_> = (0..3).map(|_| wide::<u64>()).collect();
    for (token, (_, receiver)) in ends.iter_mut().enumerate() {
        receiver.watch(&poller, 10 + token as Token, true).unwrap();
    }
    assert_eq!(ready_now(&poller), []);
    send(&mut ends[1].0, &1);
    assert_eq!(ready_then(&poller), [11]);
    send(&mut ends[2].0, &1);
    assert_eq!(ready_now(&poller), [11, 12]);
    assert_eq!(fill_all(&mut ends[1].1), Fill::Empty);
    assert_eq!(ready_now(&poller), [12]);
}

#[test]
fn a_wait_without_events_ends_at_its_deadline_and_not_before() {
    let poller = Poller::new().unwrap();
    let mut ready = vec![1, 2, 3];
    for wait in [Duration::ZERO, Duration::from_micros(1_500)] {
        let deadline = Instant::now() + wait;
        poller.wait(&mut ready, Some(deadline)).unwrap();
        assert!(Instant::now() >= deadline);
        assert_eq!(ready, [], "what was there before is gone");
    }
}

#[test]
fn what_is_ready_is_said_even_after_the_deadline() {
    let poller = Poller::new().unwrap();
    let (mut sender, mut receiver) = wide::<u64>();
    receiver.watch(&poller, 5, true).unwrap();
    send(&mut sender, &1);
    let long_ago = Instant::now();
    let mut ready = Vec::new();
    poller.wait(&mut ready, Some(long_ago)).unwrap();
    assert_eq!(ready, [5]);
}

#[test]
fn a_wait_ends_when_another_thread_writes() {
    let poller = Poller::new().unwrap();
    let (mut sender, mut receiver) = wide::<u64>();
    receiver.watch(&poller, 7, true).unwrap();
    let writer = thread::spawn(move || {
        send(&mut sender, &1);
        sender
    });
    assert_eq!(ready_then(&poller), [7]);
    let _sender = writer.join().unwrap();
    receiver.fill().unwrap();
    assert_eq!(receiver.next_frame().unwrap(), Some(1));
}

#[test]
fn a_hang_up_wakes_a_reader_and_ends_its_watch() {
    let poller = Poller::new().unwrap();
    let (sender, mut receiver) = wide::<u64>();
    receiver.watch(&poller, 7, true).unwrap();
    let hang_up = thread::spawn(move || drop(sender));
    assert_eq!(ready_then(&poller), [7]);
    assert_eq!(receiver.fill().unwrap(), Fill::Ended);
    assert_eq!(
        ready_now(&poller),
        [],
        "an ended end must not make a loop spin"
    );
    receiver.watch(&poller, 7, true).unwrap();
    receiver.watch(&poller, 7, false).unwrap();
    assert_eq!(ready_now(&poller), []);
    hang_up.join().unwrap();
}

#[test]
fn a_hang_up_wakes_a_sender_that_waits_for_room_and_ends_its_watch() {
    let poller = Poller::new().unwrap();
    let (mut sender, receiver) = narrow::<u64>();
    while sender.flush().unwrap() == Flush::Done {
        sender.push(&1).unwrap();
    }
    sender.watch_if_pending(&poller, 7).unwrap();
    assert_eq!(ready_now(&poller), []);
    let hang_up = thread::spawn(move || drop(receiver));
    assert_eq!(ready_then(&poller), [7]);
    assert_eq!(sender.flush().unwrap(), Flush::Closed);
    assert_eq!(ready_now(&poller), []);
    sender.watch_if_pending(&poller, 7).unwrap();
    assert_eq!(ready_now(&poller), []);
    hang_up.join().unwrap();
}

#[test]
fn an_end_that_is_not_watched_wakes_nobody() {
    let poller = Poller::new().unwrap();
    let (mut sender, mut receiver) = wide::<u64>();
    send(&mut sender, &1);
    assert_eq!(ready_now(&poller), [], "never watched");
    receiver.watch(&poller, 1, true).unwrap();
    assert_eq!(ready_now(&poller), [1]);
    receiver.watch(&poller, 1, false).unwrap();
    assert_eq!(ready_now(&poller), [], "no longer watched");
    drop(sender);
    assert_eq!(ready_now(&poller), [], "not even by its hang-up");
    receiver.watch(&poller, 1, true).unwrap();
    assert_eq!(ready_now(&poller), [1]);
    drop(receiver);
    assert_eq!(ready_now(&poller), [], "gone altogether");
}

#[test]
fn watching_twice_and_unwatching_twice_is_as_good_as_once() {
    let poller = Poller::new().unwrap();
    let (mut sender, mut receiver) = wide::<u64>();
    receiver.watch(&poller, 1, false).unwrap();
    for _ in 0..2 {
        receiver.watch(&poller, 1, true).unwrap();
        receiver.watch(&poller, 1, true).unwrap();
        send(&mut sender, &1);
        assert_eq!(ready_now(&poller), [1]);
        receiver.watch(&poller, 1, false).unwrap();
        receiver.watch(&poller, 1, false).unwrap();
        assert_eq!(ready_now(&poller), []);
    }
}

#[test]
fn a_sender_is_watched_exactly_while_something_waits_in_its_outbox() {
    let poller = Poller::new().unwrap();
    let (mut sender, mut receiver) = narrow::<u64>();
    sender.watch_if_pending(&poller, 3).unwrap();
    assert_eq!(ready_now(&poller), [], "there is room, but nothing waits");
    while sender.flush().unwrap() == Flush::Done {
        sender.push(&1).unwrap();
    }
    sender.watch_if_pending(&poller, 3).unwrap();
    sender.watch_if_pending(&poller, 3).unwrap();
    assert_eq!(
        ready_now(&poller),
        [],
        "something waits, but there is no room"
    );
    fill_all(&mut receiver);
    assert_eq!(ready_now(&poller), [3]);
    assert_eq!(sender.flush().unwrap(), Flush::Done);
    sender.watch_if_pending(&poller, 3).unwrap();
    sender.watch_if_pending(&poller, 3).unwrap();
    assert_eq!(ready_now(&poller), []);
}

#[test]
fn more_ready_ends_than_one_wait_reports_are_all_reported_in_turn() {
    const ENDS: usize = 300;
    let poller = Poller::new().unwrap();
    let mut receivers = Vec::new();
    for token in 0..ENDS {
        let pipe = raw_pipe(false); // the write end is gone at once
        let mut receiver = Receiver::<u64>::new(pipe.read);
        receiver.watch(&poller, token as Token, true).unwrap();
        receivers.push(receiver);
    }
    let mut ended = 0;
    while ended < ENDS {
        let ready = ready_then(&poller);
        for token in &ready {
            assert!(!receivers[*token as usize].is_ended());
            assert_eq!(receivers[*token as usize].fill().unwrap(), Fill::Ended);
        }
        ended += ready.len();
    }
    assert_eq!(ready_now(&poller), []);
}

#[test]
fn bytes_of_others_are_watched_and_unwatched_as_often_as_one_likes() {
    let poller = Poller::new().unwrap();
    let pipe = raw_pipe(false);
    poller.unwatch_bytes(&pipe.read).unwrap();
    assert!(poller.watch_bytes(&pipe.read, 4).unwrap());
    assert!(poller.watch_bytes(&pipe.read, 4).unwrap());
    assert_eq!(ready_now(&poller), []);
    drop(pipe.write);
    assert_eq!(ready_now(&poller), [4]);
    poller.unwatch_bytes(&pipe.read).unwrap();
    poller.unwatch_bytes(&pipe.read).unwrap();
    assert_eq!(ready_now(&poller), []);
}

#[test]
fn a_regular_file_cannot_be_watched_and_is_said_to_be_always_ready() {
    let poller = Poller::new().unwrap();
    let file = tempfile::tempfile().unwrap();
    assert!(!poller.watch_bytes(&file, 4).unwrap());
    poller.unwatch_bytes(&file).unwrap();
    assert_eq!(ready_now(&poller), []);
}
