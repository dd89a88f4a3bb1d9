//! Waiting for a few ends, once (poll): cheaper than a [`Poller`](crate::Poller) for whoever waits
//! for other ends every time.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{Error, Hatch, Receiver, Sender};

/// The ends to wait for, and afterwards which of them are ready.
#[derive(Debug, Default)]
pub struct WaitSet<'a> {
    ends: Vec<PollFd<'a>>,
}

/// An end of a [`WaitSet`]; `None` where it is closed and so never ready.
pub type Waited = Option<usize>;

impl<'a> WaitSet<'a> {
    /// Nothing to wait for yet.
    #[must_use]
    pub fn new() -> Self {
        /// More than most wait for.
        const ROOM: usize = 8;
        let ends = Vec::with_capacity(ROOM);
        Self { ends }
    }

    /// Waits until there is something to read, or the end of file.
    pub fn read<T>(&mut self, end: &'a Receiver<T>) -> Waited {
        self.add(end.pipe()?.as_fd(), PollFlags::POLLIN)
    }

    /// Waits until something has come through a hatch, or its other side is gone.
    pub fn read_hatch(&mut self, hatch: &'a Hatch) -> Waited {
        self.add(hatch.as_fd(), PollFlags::POLLIN)
    }

    /// Waits until there is room, or the reader is gone.
    pub fn write<T>(&mut self, end: &'a Sender<T>) -> Waited {
        self.add(end.pipe()?.as_fd(), PollFlags::POLLOUT)
    }

    fn add(&mut self, fd: BorrowedFd<'a>, flags: PollFlags) -> Waited {
        self.ends.push(PollFd::new(fd, flags));
        Some(self.ends.len() - 1)
    }

    /// Waits until one of them is ready.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn wait(&mut self) -> Result<(), Error> {
        self.poll(PollTimeout::NONE)
    }

    /// Looks which of them are ready, and does not wait.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn look(&mut self) -> Result<(), Error> {
        self.poll(PollTimeout::ZERO)
    }

    fn poll(&mut self, timeout: PollTimeout) -> Result<(), Error> {
        loop {
            match poll(&mut self.ends, timeout) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::system("wait for a pipe", errno)),
            }
        }
    }

    /// Whether an end was ready.
    #[must_use]
    pub fn is_ready(&self, end: Waited) -> bool {
        end.is_some_and(|index| self.ends[index].any().unwrap_or(true))
    }
}
