//! Waiting until any of many ends can go on.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Error;

/// How many events one wait brings at most; more come with the next.
const EVENTS: usize = 256;

/// What a watched end is called by the one who watches it.
pub type Token = u64;

/// What an end is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A set of watched ends (level-triggered epoll).
///
/// A hang-up or an error on a watched end counts as ready: the read or write that follows tells
/// which. Both are reported for as long as the end is watched, so an end must be unwatched (or
/// dropped) once its end of file was seen; [`Receiver`](crate::Receiver) and
/// [`Sender`](crate::Sender) do so themselves.
#[derive(Debug)]
pub struct Poller(Epoll);

impl Poller {
    /// A poller that watches nothing yet.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn new() -> Result<Self, Error> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(|errno| Error::system("create an epoll instance", errno))?;
        Ok(Self(epoll))
    }

    /// Waits until something watched is ready, or until `deadline` (for ever without one), and
    /// puts the tokens of what is ready into `ready`, which is empty after a deadline.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn wait(&self, ready: &mut Vec<Token>, deadline: Option<Instant>) -> Result<(), Error> {
        ready.clear();
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let timeout = deadline.map_or(EpollTimeout::NONE, timeout_until);
            match self.0.wait(&mut events, timeout) {
                Ok(0) if deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
                Ok(count) => {
                    ready.extend(events[..count].iter().map(EpollEvent::data));
                    return Ok(());
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::system("wait for a pipe", errno)),
            }
        }
    }

    /// Waits as [`Poller::wait`] does, but no longer than this, also where that is less than a
    /// millisecond.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn wait_briefly(&self, ready: &mut Vec<Token>, pause: Duration) -> Result<(), Error> {
        let mut waits = [PollFd::new(self.0.0.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut waits, Some(pause.into()), None) {
            Ok(_) | Err(Errno::EINTR) => self.wait(ready, Some(Instant::now())),
            Err(errno) => Err(Error::system("wait for a pipe", errno)),
        }
    }

    /// Watches a descriptor that is no typed end (standard input, signals, a hatch)
    /// for reading. Regular files cannot be watched: `false` says that this one is always ready.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn watch_bytes(&self, source: impl AsFd, token: Token) -> Result<bool, Error> {
        match self.0.add(source, event(Direction::Read, token)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(true),
            Err(Errno::EPERM) => Ok(false),
            Err(errno) => Err(Error::system("watch a descriptor", errno)),
        }
    }

    /// Stops watching what [`Poller::watch_bytes`] watches.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn unwatch_bytes(&self, source: impl AsFd) -> Result<(), Error> {
        match self.0.delete(source) {
            Ok(()) | Err(Errno::ENOENT | Errno::EPERM) => Ok(()),
            Err(errno) => Err(Error::system("stop watching a descriptor", errno)),
        }
    }

    pub(crate) fn set(
        &self,
        end: BorrowedFd<'_>,
        token: Token,
        wanted: Option<Direction>,
    ) -> Result<(), Error> {
        let outcome = match wanted {
            Some(direction) => self.0.add(end, event(direction, token)),
            None => self.0.delete(end),
        };
        outcome.map_err(|errno| Error::system("watch a pipe", errno))
    }
}

fn event(direction: Direction, token: Token) -> EpollEvent {
    let flags = match direction {
        Direction::Read => EpollFlags::EPOLLIN,
        Direction::Write => EpollFlags::EPOLLOUT,
    };
    EpollEvent::new(flags, token)
}

/// Milliseconds, rounded up: a wait never ends before its deadline.
fn timeout_until(deadline: Instant) -> EpollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    let longest = Duration::from_millis(i32::MAX as u64);
    let millis = left.min(longest).as_nanos().div_ceil(1_000_000);
    EpollTimeout::try_from(millis as i32).unwrap_or(EpollTimeout::MAX)
}
