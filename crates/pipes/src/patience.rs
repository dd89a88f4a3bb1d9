//! How long to wait: until a signal asks to end, or the time is over. One patience holds for a whole
//! run, and is lent to whatever may have to wait, or may go on for ever.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::{Error, Poller, Token};

/// How long to wait. By default for ever, and signals do what they always do.
#[derive(Debug, Default)]
pub struct Patience {
    /// SIGINT, SIGTERM and SIGHUP.
    signals: Option<SignalFd>,
    deadline: Option<Instant>,
}

/// A signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught(pub i32);

/// What has ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    Signal,
    Stream,
    Time,
}

impl Patience {
    /// Until a signal asks to end, or this time is over. From now on SIGINT, SIGTERM and SIGHUP are
    /// held back from their default action and read instead; also where the process inherited them
    /// ignored, as a background job does. SIGQUIT is left as it is: the last resort of whoever sits
    /// at the terminal.
    ///
    /// To be called before any thread is started: threads inherit it. So do children;
    /// [`parent`](crate::parent) ends it there.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn hold(time: Option<Duration>) -> Result<Self, Error> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()
            .map_err(|errno| Error::system("hold signals back", errno))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&set, flags)
            .map_err(|errno| Error::system("make signals readable", errno))?;
        Ok(Self {
            signals: Some(signals),
            // What lies beyond all clocks is for ever.
            deadline: time.and_then(|time| Instant::now().checked_add(time)),
        })
    }

    /// For this time, whatever signals come: for last words.
    #[must_use]
    pub fn brief(time: Duration) -> Self {
        Self {
            signals: None,
            deadline: Instant::now().checked_add(time),
        }
    }

    /// When it ends by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the time is over.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Whether there is any left: no signal waits to be read, and the time is not over.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.pause(Duration::ZERO).unwrap_or(true)
    }

    /// The next signal that has arrived, if any.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn next_caught(&self) -> Result<Option<Caught>, Error> {
        let Some(signals) = &self.signals else {
            return Ok(None);
        };
        loop {
            match signals.read_signal() {
                Ok(info) => return Ok(info.map(|info| Caught(info.ssi_signo as i32))),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::system("read signals", errno)),
            }
        }
    }

    /// Has a poller say when a signal has arrived.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn watch(&self, poller: &Poller, token: Token) -> Result<(), Error> {
        match &self.signals {
            Some(signals) => poller.watch_bytes(signals, token).map(drop),
            None => Ok(()),
        }
    }

    /// Waits until a stream can go on, and says whether it can. A signal comes before that, and the
    /// deadline behind: what is late already may still say its last words.
    pub(crate) fn wait_for(&self, stream: BorrowedFd<'_>, what: PollFlags) -> nix::Result<bool> {
        loop {
            match self.wait(Some(PollFd::new(stream, what)), self.deadline)? {
                Woken::Signal => return Ok(false),
                Woken::Stream => return Ok(true),
                Woken::Time if self.is_late() => return Ok(false),
                Woken::Time => {}
            }
        }
    }

    /// Lets this time pass, at most, and says whether there is patience left.
    pub(crate) fn pause(&self, time: Duration) -> nix::Result<bool> {
        let end = Instant::now() + time;
        let end = self.deadline.map_or(end, |deadline| deadline.min(end));
        let woken = self.wait(None, Some(end))?;
        Ok(woken != Woken::Signal && !self.is_late())
    }

    fn wait(&self, stream: Option<PollFd<'_>>, end: Option<Instant>) -> nix::Result<Woken> {
        let signals = self.signals.iter();
        let signals = signals.map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN));
        let mut waits: Vec<PollFd<'_>> = signals.chain(stream).collect();
        // Rounded up: a wait never ends before its time.
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            let millis = left.as_nanos().div_ceil(1_000_000);
            PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut waits, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        let mut ready = waits.iter().map(|wait| wait.any().unwrap_or(false));
        if self.signals.is_some() && ready.next() == Some(true) {
            return Ok(Woken::Signal);
        }
        Ok(match ready.next() {
            Some(true) => Woken::Stream,
            _ => Woken::Time,
        })
    }
}
