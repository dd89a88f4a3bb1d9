//! The user's own streams: plain bytes, shared with others, so never made nonblocking.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, SetArg, Termios};
use nix::unistd;

use crate::{Error, Signals};

/// A pipe that is ready takes this much without blocking (`PIPE_BUF`).
const ATOMIC: usize = 4096;

/// What a read of an [`Input`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes.
    Bytes(usize),
    /// The end of the input.
    End,
}

/// Standard input as bytes, read only when something is there.
#[derive(Debug)]
pub struct Input(io::Stdin);

impl Input {
    /// Standard input. Nothing else of the process may read from it.
    #[must_use]
    pub fn standard() -> Self {
        Self(io::stdin())
    }

    /// Whether a read would bring something, or the end, at once.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn is_ready(&self) -> Result<bool, Error> {
        let mut waits = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waits, PollTimeout::ZERO) {
            Ok(count) => Ok(count > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(Error::system("look at standard input", errno)),
        }
    }

    /// Reads what is there; blocks where nothing is.
    ///
    /// # Errors
    ///
    /// The read failed.
    pub fn read(&self, buffer: &mut [u8]) -> Result<Read, Error> {
        loop {
            match unistd::read(&self.0, buffer) {
                Ok(0) => return Ok(Read::End),
                Ok(count) => return Ok(Read::Bytes(count)),
                Err(Errno::EINTR) => {}
                // Somebody else made the terminal nonblocking: the poller says when to come back.
                Err(Errno::EAGAIN) => return Ok(Read::Bytes(0)),
                Err(errno) => return Err(Error::system("read standard input", errno)),
            }
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The settings of the terminal at standard input, put back when this is dropped: a line editor
/// that is cut short leaves it raw.
#[derive(Debug)]
pub struct Terminal(Option<Termios>);

impl Terminal {
    /// The settings as they are now; nothing where standard input is no terminal.
    #[must_use]
    pub fn remember() -> Self {
        Self(termios::tcgetattr(io::stdin()).ok())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            // A terminal that is gone needs no settings.
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, settings);
        }
    }
}

/// Writes `bytes`, waiting while the reader is slow, but no longer than until a signal arrives
/// (where `signals` are given) or `deadline` passes. Returns how many were written: all of them,
/// or fewer where it was interrupted.
///
/// # Errors
///
/// The write failed; `BrokenPipe` where the reader is gone.
pub fn write_interruptibly(
    stream: impl AsFd,
    bytes: &[u8],
    signals: Option<&Signals>,
    deadline: Option<Instant>,
) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        let mut waits = vec![PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
        waits.extend(signals.map(|signals| PollFd::new(signals.as_fd(), PollFlags::POLLIN)));
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut waits, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let is_ready = |wait: &PollFd<'_>| wait.any().unwrap_or(false);
        if waits.get(1).is_some_and(is_ready) {
            return Ok(written);
        }
        if is_ready(&waits[0]) {
            let piece = &bytes[written..bytes.len().min(written + ATOMIC)];
            match unistd::write(stream.as_fd(), piece) {
                Ok(count) => written += count,
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(written);
        }
    }
    Ok(written)
}
