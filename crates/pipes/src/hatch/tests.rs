//! Hand-overs between the two ends of a hatch in one process.

mod announcements;

use std::thread;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::*;
use crate::{Fill, Flush, Receiver, Sender};

fn deliver(from: &Hatch, ends: Vec<RawEnd>) {
    assert!(
        matches!(from.hand_over(ends).unwrap(), HandOver::Done),
        "somebody is there"
    );
}

fn send(sender: &mut Sender<u64>, number: u64) {
    sender.push(&number).unwrap();
    assert_eq!(sender.flush().unwrap(), Flush::Done);
}

fn receive(receiver: &mut Receiver<u64>) -> u64 {
    assert_eq!(receiver.fill().unwrap(), Fill::More);
    receiver.next_frame().unwrap().expect("a frame")
}

/// Whether the last write end of its pipe is gone.
fn is_ended(read: RawEnd) -> bool {
    read.into_receiver::<u64>().fill().unwrap() == Fill::Ended
}

/// What stays behind of a pipe whose other end is handed over.
enum Kept {
    Sender(Sender<u64>),
    Receiver(Receiver<u64>),
}

#[test]
fn ends_arrive_in_the_order_given_and_work_afterwards() {
    let (from, to) = Hatch::pair().unwrap();
    for count in [1, 2, MAX_DESCRIPTORS] {
        let (mut given, mut kept) = (Vec::new(), Vec::new());
        for index in 0..count {
            let ends = pipe().unwrap();
            if index % 2 == 0 {
                given.push(ends.read);
                kept.push(Kept::Sender(ends.write.into_sender()));
            } else {
                given.push(ends.write);
                kept.push(Kept::Receiver(ends.read.into_receiver()));
            }
        }
        deliver(&from, given);
        let taken = to.take(count).unwrap();
        assert_eq!(taken.len(), count);
        for ((end, kept), number) in taken.into_iter().zip(kept).zip(0..) {
            match kept {
                Kept::Sender(mut sender) => {
                    send(&mut sender, number);
                    assert_eq!(receive(&mut end.into_receiver()), number);
                }
                Kept::Receiver(mut receiver) => {
                    send(&mut end.into_sender(), number);
                    assert_eq!(receive(&mut receiver), number);
                    assert_eq!(receiver.fill().unwrap(), Fill::Ended, "no copy is left");
                }
            }
        }
    }
}

#[test]
fn ends_are_close_on_exec_and_nonblocking_before_and_after() {
    let (from, to) = Hatch::pair().unwrap();
    let check = |end: &RawEnd| {
        let on_exec = FdFlag::from_bits_retain(fcntl(&end.0, FcntlArg::F_GETFD).unwrap());
        assert!(on_exec.contains(FdFlag::FD_CLOEXEC));
        let status = OFlag::from_bits_retain(fcntl(&end.0, FcntlArg::F_GETFL).unwrap());
        assert!(status.contains(OFlag::O_NONBLOCK));
    };
    let ends = pipe().unwrap();
    let ends = vec![ends.write, ends.read];
    ends.iter().for_each(check);
    deliver(&from, ends);
    to.take(2).unwrap().iter().for_each(check);
    for hatch in [from, to] {
        let on_exec = FdFlag::from_bits_retain(fcntl(&hatch.0, FcntlArg::F_GETFD).unwrap());
        assert!(on_exec.contains(FdFlag::FD_CLOEXEC));
    }
}

#[test]
fn hand_overs_stay_apart_and_in_order() {
    let (from, to) = Hatch::pair().unwrap();
    let (one, two) = (pipe().unwrap(), pipe().unwrap());
    deliver(&from, vec![one.write]);
    deliver(&from, vec![two.write, two.read]);
    let first = to.take(1).unwrap().remove(0);
    send(&mut first.into_sender(), 1);
    assert_eq!(receive(&mut one.read.into_receiver()), 1);
    assert_eq!(to.take(2).unwrap().len(), 2);
}

#[test]
fn a_hand_over_is_waited_for() {
    let (from, to) = Hatch::pair().unwrap();
    let taker = thread::spawn(move || to.take(2).unwrap().len());
    let ends = pipe().unwrap();
    deliver(&from, vec![ends.write, ends.read]);
    assert_eq!(taker.join().unwrap(), 2);
}

#[test]
fn another_number_than_announced_is_an_error_and_what_came_is_closed() {
    for expected in [0, 1, 3] {
        let (from, to) = Hatch::pair().unwrap();
        let (one, two) = (pipe().unwrap(), pipe().unwrap());
        deliver(&from, vec![one.write, two.write]);
        let wrong = to.take(expected).unwrap_err();
        assert!(
            matches!(wrong, Error::HandOver { expected: announced, got: 2 } if announced == expected)
        );
        assert!(is_ended(one.read) && is_ended(two.read));
    }
}

#[test]
fn nothing_comes_from_a_hatch_whose_other_side_is_gone() {
    for expected in [0, 1, 2] {
        let (from, to) = Hatch::pair().unwrap();
        drop(from);
        assert!(to.take(expected).is_err(), "{expected} were announced");
    }
}

#[test]
fn what_was_handed_over_before_the_other_side_went_still_comes() {
    let (from, to) = Hatch::pair().unwrap();
    let ends = pipe().unwrap();
    deliver(&from, vec![ends.write]);
    drop(from);
    assert_eq!(to.take(1).unwrap().len(), 1);
    assert!(to.take(1).is_err());
}

#[test]
fn a_hand_over_to_nobody_says_so_and_closes_the_ends() {
    let (from, to) = Hatch::pair().unwrap();
    drop(to);
    let ends = pipe().unwrap();
    assert!(matches!(
        from.hand_over(vec![ends.write]).unwrap(),
        HandOver::Gone
    ));
    assert!(is_ended(ends.read));
}

#[test]
fn a_hand_over_that_nobody_takes_is_closed_with_the_hatch() {
    let (from, to) = Hatch::pair().unwrap();
    let ends = pipe().unwrap();
    deliver(&from, vec![ends.write]);
    drop((from, to));
    assert!(is_ended(ends.read));
}

#[test]
fn one_end_more_than_the_kernel_carries_is_refused_and_nothing_is_sent() {
    let (from, to) = Hatch::pair().unwrap();
    let ends = pipe().unwrap();
    let copies = (0..=MAX_DESCRIPTORS).map(|_| RawEnd(ends.write.0.try_clone().unwrap()));
    let refused = from.hand_over(copies.collect());
    assert!(matches!(refused, Err(Error::System { .. })));
    drop(ends.write);
    assert!(is_ended(ends.read), "all copies are closed");
    let next = pipe().unwrap();
    deliver(&from, vec![next.read]);
    assert_eq!(to.take(1).unwrap().len(), 1, "the hatch still works");
}
