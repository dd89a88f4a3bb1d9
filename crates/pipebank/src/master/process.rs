//! An incarnation of a node, or of the observer: one process, the pipes to it, and how it ended. What
//! a node is outlives it.

use pipes::{Child, Death, Fill, Poller, Token};
use serde::{Serialize, de::DeserializeOwned};

use bank::master::Fate;

/// No process has this much to say, in bytes, before it is heard: master issues less ahead.
const FLOOD: usize = 256 << 20;

/// A process, which is what a node is just now, and master's pipes to it.
#[derive(Debug)]
pub(super) struct Incarnation<O, I> {
    pub(super) child: Child<O, I>,
    pub(super) fate: Option<Fate>,
    token: Token,
    /// Frames were pushed since the last flush.
    is_dirty: bool,
    has_spoken: bool,
}

impl<O: Serialize, I: DeserializeOwned> Incarnation<O, I> {
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
            is_dirty: false,
            has_spoken: false,
        })
    }

    /// Appends a frame to what the process is to do; whether it is the first since the last flush.
    pub(super) fn push(&mut self, frame: &O) -> Result<bool, pipes::Error> {
        self.child.sender.push(frame)?;
        Ok(!std::mem::replace(&mut self.is_dirty, true))
    }

    /// Writes what was appended.
    pub(super) fn flush(&mut self, poller: &Poller) -> Result<(), pipes::Error> {
        self.is_dirty = false;
        self.child.sender.flush()?;
        self.child.sender.watch_if_pending(poller, self.token + 1)
    }

    /// Writes what it has room for, or reads what is there: whether it has died of that.
    pub(super) fn serve(&mut self, is_room: bool, poller: &Poller) -> Result<bool, pipes::Error> {
        match is_room {
            true => self.flush(poller).map(|()| false),
            false => self.read(),
        }
    }

    /// Reads what is there. At the end of file the process is over: reaped, and `true`.
    fn read(&mut self) -> Result<bool, pipes::Error> {
        if self.fate.is_some() {
            return Ok(false);
        }
        let fill = self.child.receiver.fill()?;
        self.has_spoken |= fill == Fill::More;
        if fill == Fill::Ended {
            self.end(None)?;
        } else if self.child.receiver.buffered() > FLOOD {
            self.end(Some("it says more than it was asked".to_owned()))?;
        }
        Ok(self.fate.is_some())
    }

    /// The process is known to have ended: reads what it has left, and reaps it. What it has left
    /// ends where nothing more is there: an end of file may never come, where somebody else holds the
    /// pipe open.
    pub(super) fn bury(&mut self) -> Result<(), pipes::Error> {
        let receiver = &mut self.child.receiver;
        while receiver.buffered() <= FLOOD && receiver.fill()? == Fill::More {
            self.has_spoken = true;
        }
        self.end(None)
    }

    /// Whether it has said anything.
    pub(super) fn has_spoken(&self) -> bool {
        self.has_spoken
    }

    /// The next frame that has been read. Garbage ends the process.
    pub(super) fn next(&mut self) -> Result<Option<I>, pipes::Error> {
        match self.child.receiver.next_frame() {
            Ok(frame) => Ok(frame),
            Err(_) if self.fate.is_some() => Ok(None),
            Err(error) => {
                self.end(Some(error.to_string()))?;
                Ok(None)
            }
        }
    }

    /// Ends the process, if it has not ended, and waits for it.
    pub(super) fn end(&mut self, garbage: Option<String>) -> Result<(), pipes::Error> {
        // It is dying already, or it has closed its replies and is of no use any more.
        self.child.kill();
        let death = self.child.wait()?;
        self.fate = Some(match (garbage, death) {
            (Some(reason), _) => Fate::Garbled(reason),
            (None, Death::Signal(number)) => Fate::Signal(number),
            (None, Death::Exit(status)) => Fate::Exit(status),
        });
        self.child.sender.close();
        self.child.receiver.close();
        Ok(())
    }
}
