//! An incarnation of a node, or of the observer: one process, on this host or on another, the pipes to
//! it, and how it ended. What a node is outlives it.

use hosts::{Away, End, Host};
use pipes::{Death, Fill, HandOver, Hatch, Poller, RawEnd, Receiver, Sender, Token};
use serde::{Serialize, de::DeserializeOwned};

use bank::master::Fate;

/// No process has this much to say, in bytes, before it is heard: master issues less ahead.
const FLOOD: usize = 256 << 20;

/// A process, which is what a node is just now, and master's pipes to it.
#[derive(Debug)]
pub(super) struct Incarnation<O, I> {
    pub(super) sender: Sender<O>,
    receiver: Receiver<I>,
    body: Body,
    pub(super) fate: Option<Fate>,
    token: Token,
    /// Frames were pushed since the last flush.
    is_dirty: bool,
    has_spoken: bool,
}

/// A process that was started, with its input and its output.
pub(super) struct Started {
    pub(super) input: RawEnd,
    pub(super) output: RawEnd,
    pub(super) body: Body,
}

/// Where a process is, and how it is reached beside its pipes.
#[derive(Debug)]
pub(super) enum Body {
    Here {
        process: pipes::Process,
        hatch: Hatch,
    },
    There(Away),
}

/// What became of a hand-over.
pub(super) enum Handed {
    Done,
    /// Too many ends are on their way: to be tried again.
    Later(Vec<End>),
}

impl From<pipes::Started> for Started {
    fn from(started: pipes::Started) -> Self {
        Self {
            input: started.input,
            output: started.output,
            body: Body::Here {
                process: started.process,
                hatch: started.hatch,
            },
        }
    }
}

impl Body {
    fn kill(&mut self) {
        match self {
            Self::Here { process, .. } => process.kill(),
            Self::There(away) => away.kill(),
        }
    }

    fn wait(&mut self) -> Result<Death, hosts::Error> {
        match self {
            Self::Here { process, .. } => Ok(process.wait()?),
            Self::There(away) => away.wait(),
        }
    }
}

impl<O: Serialize, I: DeserializeOwned> Incarnation<O, I> {
    pub(super) fn new(
        started: Started,
        token: Token,
        poller: &Poller,
    ) -> Result<Self, pipes::Error> {
        let mut receiver = started.output.into_receiver();
        receiver.watch(poller, token, true)?;
        Ok(Self {
            sender: started.input.into_sender(),
            receiver,
            body: started.body,
            fate: None,
            token,
            is_dirty: false,
            has_spoken: false,
        })
    }

    /// Its pid, which is that of its host.
    pub(super) fn pid(&self) -> u32 {
        match &self.body {
            Body::Here { process, .. } => process.pid(),
            Body::There(away) => away.pid(),
        }
    }

    /// Whether it is the process with this pid on this host.
    pub(super) fn is_here(&self, pid: u32) -> bool {
        matches!(&self.body, Body::Here { process, .. } if process.pid() == pid)
    }

    /// On which host it is.
    pub(super) fn host(&self) -> Host {
        match &self.body {
            Body::Here { .. } => 0,
            Body::There(away) => away.host(),
        }
    }

    /// Kills it with SIGKILL, if it still runs.
    pub(super) fn kill(&mut self) {
        self.body.kill();
    }

    /// What is on another host and has not answered counts as killed.
    pub(super) fn give_up_elsewhere(&mut self) {
        if matches!(self.body, Body::There(_)) && self.fate.is_none() {
            self.fate = Some(Fate::Signal(9));
            self.sender.close();
            self.receiver.close();
        }
    }

    /// Hands it ends of pipes that are for its host, and says what they are for.
    pub(super) fn hand_over(
        &self,
        what: &impl Serialize,
        ends: Vec<End>,
    ) -> Result<Handed, hosts::Error> {
        match &self.body {
            Body::Here { hatch, .. } => {
                let here: Result<Vec<RawEnd>, hosts::Error> =
                    ends.into_iter().map(End::here).collect();
                Ok(match hatch.announce(what, here?)? {
                    HandOver::Later(back) => {
                        Handed::Later(back.into_iter().map(End::Here).collect())
                    }
                    HandOver::Done | HandOver::Gone => Handed::Done,
                })
            }
            Body::There(away) => {
                let mut frame = Vec::new();
                pipes::encode(what, &mut frame)?;
                away.hand_over(frame, ends)?;
                Ok(Handed::Done)
            }
        }
    }

    /// Appends a frame to what the process is to do; whether it is the first since the last flush.
    pub(super) fn push(&mut self, frame: &O) -> Result<bool, pipes::Error> {
        self.sender.push(frame)?;
        Ok(!std::mem::replace(&mut self.is_dirty, true))
    }

    /// Writes what was appended.
    pub(super) fn flush(&mut self, poller: &Poller) -> Result<(), pipes::Error> {
        self.is_dirty = false;
        self.sender.flush()?;
        self.sender.watch_if_pending(poller, self.token + 1)
    }

    /// Writes what it has room for, or reads what is there: whether it has died of that.
    pub(super) fn serve(&mut self, is_room: bool, poller: &Poller) -> Result<bool, hosts::Error> {
        match is_room {
            true => Ok(self.flush(poller).map(|()| false)?),
            false => self.read(),
        }
    }

    /// Reads what is there. At the end of file the process is over: reaped, and `true`.
    fn read(&mut self) -> Result<bool, hosts::Error> {
        if self.fate.is_some() {
            return Ok(false);
        }
        let fill = self.receiver.fill()?;
        self.has_spoken |= fill == Fill::More;
        if fill == Fill::Ended {
            self.end(None)?;
        } else if self.receiver.buffered() > FLOOD {
            self.end(Some("it says more than it was asked".to_owned()))?;
        }
        Ok(self.fate.is_some())
    }

    /// The process is known to have ended: reads what it has left, and reaps it. What it has left
    /// ends where nothing more is there: an end of file may never come, where somebody else holds the
    /// pipe open.
    pub(super) fn bury(&mut self) -> Result<(), hosts::Error> {
        let receiver = &mut self.receiver;
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
    pub(super) fn next(&mut self) -> Result<Option<I>, hosts::Error> {
        match self.receiver.next_frame() {
            Ok(frame) => Ok(frame),
            Err(_) if self.fate.is_some() => Ok(None),
            Err(error) => {
                self.end(Some(error.to_string()))?;
                Ok(None)
            }
        }
    }

    /// Ends the process, if it has not ended, and waits for it.
    pub(super) fn end(&mut self, garbage: Option<String>) -> Result<(), hosts::Error> {
        // It is dying already, or it has closed its replies and is of no use any more.
        self.body.kill();
        let death = self.body.wait()?;
        self.fate = Some(match (garbage, death) {
            (Some(reason), _) => Fate::Garbled(reason),
            (None, Death::Signal(number)) => Fate::Signal(number),
            (None, Death::Exit(status)) => Fate::Exit(status),
        });
        self.sender.close();
        self.receiver.close();
        Ok(())
    }
}
