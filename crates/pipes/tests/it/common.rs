//! Raw pipes to put the ends on, and the seeds of random tests.

use std::env;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd;
use pipes::{Fill, Flush, Receiver, Sender};
use serde::{Serialize, de::DeserializeOwned};

/// The smallest pipe there is: one page.
pub(crate) const PAGE: usize = 4096;

/// A pipe as the ends want it.
pub(crate) struct RawPipe {
    pub(crate) read: OwnedFd,
    pub(crate) write: OwnedFd,
}

/// A nonblocking pipe, of one page or as large as the kernel likes.
pub(crate) fn raw_pipe(one_page: bool) -> RawPipe {
    let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).expect("a pipe");
    if one_page {
        shrink(&write);
    }
    RawPipe { read, write }
}

/// A pipe of one page whose ends block, as a shell makes them.
pub(crate) fn blocking_pipe() -> RawPipe {
    let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    shrink(&write);
    RawPipe { read, write }
}

/// Both ends of a pipe that is far too small.
pub(crate) fn narrow<T: Serialize + DeserializeOwned>() -> (Sender<T>, Receiver<T>) {
    let pipe = raw_pipe(true);
    (Sender::new(pipe.write), Receiver::new(pipe.read))
}

/// Both ends of an ordinary pipe.
pub(crate) fn wide<T: Serialize + DeserializeOwned>() -> (Sender<T>, Receiver<T>) {
    let pipe = raw_pipe(false);
    (Sender::new(pipe.write), Receiver::new(pipe.read))
}

/// Reads until nothing is there now (`Empty`), or nothing will ever come (`Ended`).
pub(crate) fn fill_all<T: DeserializeOwned>(receiver: &mut Receiver<T>) -> Fill {
    loop {
        match receiver.fill().expect("a pipe that can be read") {
            Fill::More => {}
            other => return other,
        }
    }
}

/// Takes every frame that has been read.
pub(crate) fn take_all<T: DeserializeOwned>(receiver: &mut Receiver<T>) -> Vec<T> {
    let mut taken = Vec::new();
    while let Some(frame) = receiver.next_frame().expect("frames") {
        taken.push(frame);
    }
    taken
}

/// Pushes `value` and flushes it, into a pipe that has room.
pub(crate) fn send<T: Serialize>(sender: &mut Sender<T>, value: &T) {
    sender.push(value).expect("a value that fits a frame");
    assert_eq!(sender.flush().expect("a pipe"), Flush::Done);
}

/// The seeds to run: that many, or the one in `PIPEBANK_SEED`, to run a failure again.
pub(crate) fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let only = env::var("PIPEBANK_SEED").ok();
    let only = only.map(|seed| seed.parse::<u64>().expect("PIPEBANK_SEED is a number"));
    let (first, count) = only.map_or((0, count), |seed| (seed, 1));
    (first..).take(usize::try_from(count).expect("a small number"))
}

fn shrink(pipe: impl AsFd) {
    let size = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PAGE as i32)).expect("a smaller pipe");
    assert_eq!(size, PAGE as i32);
}
