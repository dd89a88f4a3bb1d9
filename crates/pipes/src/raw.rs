//! Pipe ends for whoever carries frames and does not know what they are.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::unistd;
use serde::{Serialize, de::DeserializeOwned};

use crate::poller::{Direction, Poller, Token};
use crate::{Error, Receiver, Sender};

/// A pipe end on its way to the process that will use it, or in the hands of one who carries what goes
/// through it, unread.
#[derive(Debug)]
pub struct RawEnd(pub(crate) OwnedFd);

/// What became of bytes that were to be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// This many were.
    Bytes(usize),
    /// Nothing is there to be read, or there is no room, just now.
    Nothing,
    /// The other end is gone.
    Ended,
}

impl RawEnd {
    /// Makes it the sending end that it is.
    #[must_use]
    pub fn into_sender<T: Serialize>(self) -> Sender<T> {
        Sender::new(self.0)
    }

    /// Makes it the receiving end that it is.
    #[must_use]
    pub fn into_receiver<T: DeserializeOwned>(self) -> Receiver<T> {
        Receiver::new(self.0)
    }

    /// Reads what is there, once.
    ///
    /// # Errors
    ///
    /// The read failed.
    pub fn read(&self, room: &mut [u8]) -> Result<Moved, Error> {
        loop {
            match unistd::read(&self.0, room) {
                Ok(0) => return Ok(Moved::Ended),
                Ok(count) => return Ok(Moved::Bytes(count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(Moved::Nothing),
                Err(errno) => return Err(Error::system("read from a pipe", errno)),
            }
        }
    }

    /// Writes what the pipe has room for, once.
    ///
    /// # Errors
    ///
    /// The write failed.
    pub fn write(&self, bytes: &[u8]) -> Result<Moved, Error> {
        loop {
            match unistd::write(&self.0, bytes) {
                Ok(count) => return Ok(Moved::Bytes(count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(Moved::Nothing),
                Err(Errno::EPIPE) => return Ok(Moved::Ended),
                Err(errno) => return Err(Error::system("write to a pipe", errno)),
            }
        }
    }

    /// Begins to watch a read end for something to read.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn watch_to_read(&self, poller: &Poller, token: Token) -> Result<(), Error> {
        poller.set(self.0.as_fd(), token, Some(Direction::Read))
    }

    /// Begins to watch a write end for room.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn watch_to_write(&self, poller: &Poller, token: Token) -> Result<(), Error> {
        poller.set(self.0.as_fd(), token, Some(Direction::Write))
    }

    /// Watches it no longer.
    ///
    /// # Errors
    ///
    /// It was not watched.
    pub fn unwatch(&self, poller: &Poller) -> Result<(), Error> {
        poller.set(self.0.as_fd(), 0, None)
    }
}
