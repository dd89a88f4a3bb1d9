//! One process of the system, as master sees it: the pipes to it, and how it ended.

use std::fmt;

use pipes::{Child, Death, Fill, Poller, Token};
use serde::{Serialize, de::DeserializeOwned};

/// No process has this much to say, in bytes, before it is heard: master issues less ahead.
const FLOOD: usize = 256 << 20;

/// How a process of the system ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It died.
    Died(Death),
    /// What it wrote was no reply, so master killed it.
    Garbled(String),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died(death) => death.fmt(f),
            Self::Garbled(reason) => write!(f, "killed by master, which cannot read it: {reason}"),
        }
    }
}

impl Fate {
    /// Whether the process ended as it should when everything ends.
    pub(super) fn is_clean(&self) -> bool {
        *self == Self::Died(Death::Exit(0))
    }

    /// Whether the process ended because it found, or was, something that cannot be.
    pub(super) fn is_internal(&self) -> bool {
        match self {
            Self::Died(Death::Signal(_)) => false,
            Self::Died(Death::Exit(status)) => *status != 0,
            Self::Garbled(_) => true,
        }
    }
}

/// A process and master's pipes to it.
#[derive(Debug)]
pub(super) struct Process<O, I> {
    pub(super) child: Child<O, I>,
    pub(super) fate: Option<Fate>,
    pub(super) token: Token,
    /// Frames were pushed since the last flush.
    pub(super) dirty: bool,
}

impl<O: Serialize, I: DeserializeOwned> Process<O, I> {
    pub(super) fn new(
        mut child: Child<O, I>,
        token: Token,
        poller: &Poller,
    ) -> Result<Self, pipes::Error> {
        child.receiver.watch(poller, token, true)?;
        Ok(Self {
            child,
            fate: None,
            token,
            dirty: false,
        })
    }

    pub(super) fn flush(&mut self, poller: &Poller) -> Result<(), pipes::Error> {
        self.dirty = false;
        self.child.sender.flush()?;
        self.child.sender.watch_if_pending(poller, self.token + 1)
    }

    /// Reads what is there. At the end of file the process is over: reaped, and `true`.
    pub(super) fn read(&mut self) -> Result<bool, pipes::Error> {
        if self.fate.is_some() {
            return Ok(false);
        }
        let fill = self.child.receiver.fill()?;
        if fill == Fill::Ended {
            self.bury(None)?;
        } else if self.child.receiver.buffered() > FLOOD {
            self.bury(Some("it says more than it was asked".to_owned()))?;
        }
        Ok(self.fate.is_some())
    }

    /// The next frame that has been read. Garbage ends the process.
    pub(super) fn next(&mut self) -> Result<Option<I>, pipes::Error> {
        match self.child.receiver.next_frame() {
            Ok(frame) => Ok(frame),
            Err(_) if self.fate.is_some() => Ok(None),
            Err(error) => {
                self.bury(Some(error.to_string()))?;
                Ok(None)
            }
        }
    }

    pub(super) fn bury(&mut self, garbage: Option<String>) -> Result<(), pipes::Error> {
        // It is dying already, or it has closed its replies and is of no use any more.
        self.child.kill();
        let death = self.child.wait()?;
        self.fate = Some(garbage.map_or(Fate::Died(death), Fate::Garbled));
        self.child.sender.close();
        Ok(())
    }
}
