//! The limit on descriptors: raised as far as it goes, and an error where it is reached. These
//! tests change it for the whole process, so they share a program of their own and take turns.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Uid, setresuid};
use pipes::{
    DescriptorLimit, Error, Fill, HandOver, Hatch, descriptor_limit, pipe, raise_descriptor_limit,
};

/// A turn with a soft limit of one's own; the old one comes back at its end.
struct Turn {
    before: DescriptorLimit,
    _alone: MutexGuard<'static, ()>,
}

impl Turn {
    fn with_soft_limit(soft: u64) -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let alone = ONE_AT_A_TIME.lock();
        let turn = Self {
            _alone: alone.unwrap_or_else(PoisonError::into_inner),
            before: descriptor_limit().unwrap(),
        };
        turn.set_soft_limit(soft);
        turn
    }

    fn set_soft_limit(&self, soft: u64) {
        setrlimit(Resource::RLIMIT_NOFILE, soft, self.before.hard).unwrap();
    }

    /// Leaves room for this many descriptors more than are open now.
    fn leave_room_for(&self, more: u64) {
        let lowest_free = File::open("/dev/null").unwrap();
        self.set_soft_limit(lowest_free.as_raw_fd() as u64 + more);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.set_soft_limit(self.before.soft);
    }
}

#[test]
fn a_limit_that_suffices_stays_as_it_is() {
    let turn = Turn::with_soft_limit(64);
    let limit = DescriptorLimit {
        soft: 64,
        hard: turn.before.hard,
    };
    assert_eq!(raise_descriptor_limit(0).unwrap(), limit);
    assert_eq!(raise_descriptor_limit(64).unwrap(), limit);
    assert_eq!(descriptor_limit().unwrap(), limit);
}

#[test]
fn a_limit_is_raised_to_the_hard_one_and_never_above() {
    let turn = Turn::with_soft_limit(64);
    let hard = turn.before.hard;
    let highest = DescriptorLimit { soft: hard, hard };
    for wanted in [65, hard, u64::MAX, u64::MAX] {
        assert_eq!(raise_descriptor_limit(wanted).unwrap(), highest);
        assert_eq!(descriptor_limit().unwrap(), highest);
    }
}

#[test]
fn want_of_descriptors_is_an_error_that_says_what_was_being_done() {
    let turn = Turn::with_soft_limit(64);
    turn.leave_room_for(1);
    for error in [pipe().unwrap_err(), Hatch::pair().unwrap_err()] {
        let message = error.to_string();
        let Error::OutOfDescriptors { doing } = error else {
            panic!("{message}");
        };
        assert!(message.contains(doing) && doing.starts_with("make a "));
    }
}

#[test]
fn a_hand_over_that_does_not_fit_into_this_process_is_an_error_and_what_came_is_closed() {
    for room in 0..4 {
        let turn = Turn::with_soft_limit(64);
        let (from, to) = Hatch::pair().unwrap();
        let pipes: [_; 4] = std::array::from_fn(|_| pipe().unwrap());
        let (given, kept): (Vec<_>, Vec<_>) = pipes
            .map(|ends| (ends.write, ends.read))
            .into_iter()
            .unzip();
        assert!(matches!(from.hand_over(given).unwrap(), HandOver::Done));
        assert!(matches!(
            from.announce(&1u32, Vec::new()).unwrap(),
            HandOver::Done
        ));
        turn.leave_room_for(room);
        let cut_off = to.take(4);
        // Its turn ends when all its descriptors are closed: others count them.
        turn.set_soft_limit(64);
        assert!(
            matches!(cut_off, Err(Error::OutOfDescriptors { .. })),
            "{cut_off:?}"
        );
        for read in kept {
            let mut read = read.into_receiver::<u64>();
            assert_eq!(read.fill().unwrap(), Fill::Ended, "room for {room}");
        }
        assert_eq!(
            to.next::<u32>().unwrap().unwrap().0,
            1,
            "what is behind it comes"
        );
    }
}

/// For a while a user that has nothing else running: what is on its way is counted for each user,
/// and for root not at all.
struct UserOfItsOwn;

impl UserOfItsOwn {
    /// `None` where this process may not become another user.
    fn become_one() -> Option<Self> {
        let (user, root) = (
            Uid::from_raw(100_000 + std::process::id()),
            Uid::from_raw(0),
        );
        setresuid(user, user, root).ok().map(|()| Self)
    }
}

impl Drop for UserOfItsOwn {
    fn drop(&mut self) {
        let root = Uid::from_raw(0);
        setresuid(root, root, root).unwrap();
    }
}

#[test]
fn ends_that_cannot_be_on_their_way_yet_come_back_and_can_be_handed_over_later() {
    let _turn = Turn::with_soft_limit(64);
    let Some(_user) = UserOfItsOwn::become_one() else {
        println!("skipped: only root can become a user of its own");
        return;
    };
    let (from, to) = Hatch::pair().unwrap();
    let mut on_their_way = 0;
    let later = loop {
        let ends = pipe().unwrap();
        let ends = vec![ends.read, ends.write];
        match from.announce(&on_their_way, ends).unwrap() {
            HandOver::Done => on_their_way += 2,
            HandOver::Later(ends) => break ends,
            HandOver::Gone => panic!("the other side is there"),
        }
        assert!(on_their_way <= 64 + 2, "the limit is not the expected one");
    };
    assert_eq!(later.len(), 2);
    for number in (0..on_their_way).step_by(2) {
        let (said, ends) = to.next::<u64>().unwrap().expect("an announcement");
        assert_eq!((said, ends.len()), (number, 2));
    }
    assert!(to.next::<u64>().unwrap().is_none());
    assert!(matches!(from.hand_over(later).unwrap(), HandOver::Done));
    assert_eq!(to.take(2).unwrap().len(), 2);
}
