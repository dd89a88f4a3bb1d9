//! The signals that ask a process to end, as something to wait for like a pipe.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::{Error, sys};

/// SIGINT, SIGTERM and SIGHUP, held back from their default action and read instead; also where
/// the process inherited them ignored, as a background job does.
#[derive(Debug)]
pub struct Signals(SignalFd);

/// A signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught(pub i32);

impl Signals {
    /// Begins to hold the signals back. To be called before any thread is started: threads
    /// inherit it. So do children; [`parent`](crate::parent) ends it there.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn hold() -> Result<Self, Error> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()
            .map_err(|errno| Error::system("hold signals back", errno))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&set, flags)
            .map(Self)
            .map_err(|errno| Error::system("make signals readable", errno))
    }

    /// The next signal that has arrived, if any.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn next_caught(&self) -> Result<Option<Caught>, Error> {
        loop {
            match self.0.read_signal() {
                Ok(info) => return Ok(info.map(|info| Caught(info.ssi_signo as i32))),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::system("read signals", errno)),
            }
        }
    }
}

/// Has a write beyond the limit on the size of files (`ulimit -f`) fail, as one to a full disk does,
/// instead of ending the process. Those that it starts inherit that.
///
/// # Errors
///
/// The kernel refused.
pub fn outlive_the_file_size_limit() -> Result<(), Error> {
    sys::ignore(Signal::SIGXFSZ).map_err(|errno| Error::system("ignore SIGXFSZ", errno))
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
