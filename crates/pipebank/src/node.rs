//! The node process: moves frames between pipes and a [`bank::node::Node`], and decides nothing.
//!
//! ```text
//!          instructions        orders
//!               │                │
//!            ┌──▼────────────────▼──┐
//!  frames ──▶│ Receiver…  value …   │──▶ frames          one pipe for every channel
//!            │           …Sender    │
//!            └──┬────────────────┬──┘
//!               ▼                ▼
//!            replies          reports
//! ```
//!
//! What comes is handed to the value, and what its effects say is done: that is all. An instruction
//! that waits (for a frame, for the observer's order) holds up those behind it, but never the
//! outboxes, nor the observer's orders. A node ends at the end of file of its instructions, whatever
//! it waits for.
//!
//! `node/incoming.rs` looks for what is wanted; `node/load.rs` is the loop of a node that runs freely;
//! `node/lasting.rs` what is done besides in a bank that lasts.

mod incoming;
mod lasting;
mod load;

use std::mem::ManuallyDrop;

use pipes::{Fill, Flush, Hatch, Receiver, Scratch, Sender, WaitSet, Yielder};

use crate::say::say;
use bank::account::{Incoming, Outgoing};
use bank::id::NodeId;
use bank::member::Frame;
use bank::messages::{Instruction, Order, Reply, Report};
use bank::node::{Effect, Input};

use self::incoming::{next_frame, read_ahead, read_to_end};
use self::lasting::Lasting;

pub use self::lasting::Keeping;
pub(crate) use self::lasting::{KeptJournal, begin, fold, resend};

/// Replies that a node holds back while an instruction waits, in bytes: to wake master for each would
/// halve the rate, and what it needs to go on is on its way already.
const HELD_BACK: usize = 16 * 1024;

/// How often a node that waits for a frame makes way for others before it sleeps.
const GIVE_WAY: usize = 2;

/// Why a node ends before master tells it to.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A pipe failed, or what came through it is no frame.
    #[error("{on}: {source}")]
    Pipe {
        /// Which pipe.
        on: String,
        /// What happened.
        source: pipes::Error,
    },
    /// A rule was broken.
    #[error(transparent)]
    Rule(#[from] bank::Broken),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The directory of the journals was not handed over.
    #[error("no directory was handed over for the journal")]
    NoDirectory,
    /// What is in the journal is no record.
    #[error("the journal holds something that is no record")]
    NoRecord,
}

impl NodeError {
    /// Whether nothing is wrong but that there is no room on the disk, or that it has failed.
    #[must_use]
    pub fn is_of_the_disk(&self) -> bool {
        use journal::Error::{Full, GivenUp, NotSynced, System};
        let Self::Journal(error) = self else {
            return false;
        };
        matches!(
            error,
            Full { .. } | NotSynced { .. } | GivenUp { .. } | System { .. }
        )
    }
}

/// Where an outgoing channel begins.
struct Out {
    pipe: Sender<Frame>,
    /// The outbox may not be empty.
    dirty: bool,
}

impl From<Sender<Frame>> for Out {
    fn from(pipe: Sender<Frame>) -> Self {
        Self { pipe, dirty: false }
    }
}

/// What the value has asked for and not got yet.
#[derive(Clone, Copy)]
enum Wanted {
    /// The next frame.
    Frame(Incoming),
    /// This many frames that are there to be taken.
    Ahead(Incoming, u64),
    /// All frames up to the end.
    ToEnd(Incoming),
}

/// A node between its pipes.
pub struct Node {
    value: bank::node::Node,
    /// What it has said and was not done yet; empty between steps.
    effects: Vec<Effect>,
    wanted: Option<Wanted>,
    instructions: Receiver<Instruction>,
    replies: ManuallyDrop<Sender<Reply>>,
    hatch: Hatch,
    orders: Receiver<Order>,
    reports: Sender<Report>,
    /// In the order in which the channels opened, as [`Outgoing`] counts.
    outgoing: Vec<Out>,
    /// As [`Incoming`] counts.
    incoming: Vec<Receiver<Frame>>,
    /// The outgoing channels with `dirty` set.
    dirty: Vec<usize>,
    yielder: Yielder,
    runs_freely: bool,
    /// What the incoming channels read into, one after the other, when it runs freely.
    reading: Scratch,
    /// What batches are written into.
    writing: Scratch,
    /// Channels may come from other hosts: all of what was written is on its way before their end.
    has_far_channels: bool,
    /// Its journal, in a bank that lasts.
    lasting: Option<Box<Lasting>>,
}

impl Node {
    /// Takes its place between master and the observer, whose two pipe ends come first through
    /// the hatch; in a bank that lasts, where it keeps a journal, they are announced like all others.
    ///
    /// # Errors
    ///
    /// The hand-over failed, or the journal cannot be used.
    pub fn new(
        id: NodeId,
        deposit: u64,
        verbose: bool,
        parent: pipes::Parent<Reply, Instruction>,
        keeping: Option<&Keeping>,
    ) -> Result<Self, NodeError> {
        let pipes::Parent {
            sender,
            receiver,
            hatch,
            directory,
        } = parent;
        let (value, lasting) = match keeping {
            None => (bank::node::Node::new(id, deposit, verbose), None),
            Some(keeping) => {
                let restored = lasting::restore(id, deposit, verbose, keeping, directory)?;
                (restored.0, Some(Box::new(restored.1)))
            }
        };
        let (orders, reports) = match lasting {
            Some(_) => (Receiver::closed(), Sender::closed()),
            None => {
                let mut ends = hatch.take(2).map_err(on("hatch"))?.into_iter();
                let (Some(orders), Some(reports)) = (ends.next(), ends.next()) else {
                    unreachable!("the hatch gives as many ends as it was asked for");
                };
                (orders.into_receiver(), reports.into_sender())
            }
        };
        if verbose {
            say(format_args!("node {id}: starts with {deposit}"));
        }
        let mut node = Self {
            value,
            effects: Vec::new(),
            wanted: None,
            instructions: receiver,
            replies: sender,
            hatch,
            orders,
            reports,
            outgoing: Vec::new(),
            incoming: Vec::new(),
            dirty: Vec::new(),
            yielder: Yielder::default(),
            runs_freely: false,
            reading: Scratch::default(),
            writing: Scratch::default(),
            has_far_channels: false,
            lasting,
        };
        if let Some(keeping) = keeping {
            node.make_way_for_pipes();
            if keeping.answered.is_some() {
                node.replies.push(&Reply::Restored).map_err(on("replies"))?;
            }
        }
        Ok(node)
    }

    /// The same, where channels come from other hosts too.
    #[must_use]
    pub fn with_far_channels(self, has_far_channels: bool) -> Self {
        Self {
            has_far_channels,
            ..self
        }
    }

    /// Runs until the end of file of the instructions.
    ///
    /// # Errors
    ///
    /// A pipe failed, or what came through it breaks a rule.
    pub fn run(mut self) -> Result<(), NodeError> {
        loop {
            self.go_on()?;
            if self.runs_freely {
                return self.run_freely();
            }
            self.flush()?;
            self.wait()?;
            if self.instructions.is_ended() {
                return Ok(());
            }
        }
    }

    /// Hands in what was asked for and the instructions that have come, as far as the value takes them.
    fn go_on(&mut self) -> Result<(), NodeError> {
        loop {
            if let Some(wanted) = self.wanted {
                let Some(input) = self.look_for(wanted)? else {
                    return Ok(());
                };
                self.wanted = None;
                self.step(input)?;
            } else if self.value.is_waiting() {
                // For the observer's order.
                return Ok(());
            } else {
                let instruction = self.instructions.next_frame();
                let Some(instruction) = instruction.map_err(on("instructions"))? else {
                    return Ok(());
                };
                self.value.instruct(&instruction, &mut self.effects)?;
                self.do_what_was_said()?;
            }
        }
    }

    #[inline]
    fn step(&mut self, input: Input) -> Result<(), NodeError> {
        self.value.step(input, &mut self.effects)?;
        self.do_what_was_said()
    }

    fn do_what_was_said(&mut self) -> Result<(), NodeError> {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Reply(reply) => self.replies.push(&reply).map_err(on("replies"))?,
                Effect::Report(report) => self.reports.push(&report).map_err(on("reports"))?,
                Effect::Frame(to, frame) => self.enqueue(to, &frame)?,
                Effect::Open { outgoing, incoming } => self.open(outgoing, incoming)?,
                Effect::Take(from) => self.wanted = Some(Wanted::Frame(from)),
                Effect::ReadAhead(from, frames) => self.wanted = Some(Wanted::Ahead(from, frames)),
                Effect::ReadToEnd(from) => self.wanted = Some(Wanted::ToEnd(from)),
                Effect::RunFreely { others, pin } => self.begin_to_run_freely(others, pin)?,
                Effect::BeginSegment => {
                    if let Some(lasting) = &mut self.lasting {
                        lasting.commit(&mut self.value)?;
                    }
                }
                Effect::SendAgain(to, received) => {
                    if let Some(lasting) = &mut self.lasting {
                        lasting.send_again(to, received);
                    }
                }
                Effect::Say(line) => say(line),
            }
        }
        self.effects = effects;
        Ok(())
    }

    fn open(&mut self, outgoing: usize, incoming: usize) -> Result<(), NodeError> {
        if let Some(lasting) = &mut self.lasting {
            let account = self.value.member().account();
            let new = account.outgoing().iter().skip(self.outgoing.len());
            let new = new.map(|end| Out::from(lasting.early_sender(end.peer)));
            self.outgoing.extend(new);
            let new = account.incoming().iter().skip(self.incoming.len());
            let new = new.map(|end| lasting.early_receiver(end.peer));
            self.incoming.extend(new);
            return Ok(());
        }
        let ends = self.hatch.take(outgoing + incoming).map_err(on("hatch"))?;
        let mut ends = ends.into_iter();
        let write_ends = ends.by_ref().take(outgoing);
        self.outgoing
            .extend(write_ends.map(|end| Out::from(end.into_sender())));
        self.incoming.extend(ends.map(|end| end.into_receiver()));
        Ok(())
    }

    #[inline]
    fn enqueue(&mut self, to: Outgoing, frame: &Frame) -> Result<(), NodeError> {
        self.outgoing[to.0]
            .pipe
            .push(frame)
            .map_err(on("channels"))?;
        self.mark_as_dirty(to);
        Ok(())
    }

    #[inline]
    fn mark_as_dirty(&mut self, to: Outgoing) {
        let channel = &mut self.outgoing[to.0];
        if !channel.dirty {
            channel.dirty = true;
            self.dirty.push(to.0);
        }
    }

    /// What is wanted, if it is there by now.
    fn look_for(&mut self, wanted: Wanted) -> Result<Option<Input>, NodeError> {
        let (Wanted::Frame(from) | Wanted::Ahead(from, _) | Wanted::ToEnd(from)) = wanted;
        let incoming = &mut self.incoming[from.0];
        let lasts = self.lasting.is_some();
        let found = match wanted {
            Wanted::Frame(_) => next_frame(incoming),
            Wanted::Ahead(_, frames) => read_ahead(incoming, frames),
            Wanted::ToEnd(_) => read_to_end(incoming, self.has_far_channels),
        };
        let found = found.map_err(|source| NodeError::Pipe {
            on: format!("channel from node {}", self.value.sender(from)),
            source,
        })?;
        Ok(found.filter(|input| match (wanted, input) {
            // In a bank that lasts, whoever has died will send again what is missing.
            (_, Input::End) => !lasts,
            (Wanted::Ahead(_, frames), Input::Ahead(there_are)) => !lasts || *there_are >= frames,
            _ => true,
        }))
    }

    /// Writes what there is to write. Channels first: somebody may be waiting for a frame.
    fn flush(&mut self) -> Result<(), NodeError> {
        if let Some(lasting) = &mut self.lasting {
            lasting.commit(&mut self.value)?;
        }
        let channels = &mut self.outgoing;
        let mut outcome = Ok(());
        self.dirty.retain(|to| {
            let channel = &mut channels[*to];
            match channel.pipe.flush() {
                Ok(flush) => channel.dirty = flush == Flush::Full,
                Err(error) => outcome = Err(error),
            }
            channel.dirty
        });
        outcome.map_err(on("channels"))?;
        self.reports.flush().map_err(on("reports"))?;
        if !self.holds_replies_back() {
            let flushed = self.replies.flush().map_err(on("replies"))?;
            if let Some(lasting) = &mut self.lasting {
                lasting.is_urgent = flushed == Flush::Full;
            }
        }
        Ok(())
    }

    fn holds_replies_back(&self) -> bool {
        let is_urgent = self.lasting.as_ref().is_some_and(|it| it.is_urgent);
        self.value.is_waiting() && self.replies.pending() < HELD_BACK && !is_urgent
    }

    /// The channel from which something is wanted.
    fn awaited(&self) -> Option<usize> {
        self.wanted.map(|wanted| match wanted {
            Wanted::Frame(from) | Wanted::Ahead(from, _) | Wanted::ToEnd(from) => from.0,
        })
    }

    /// Makes way for others, so that the frame that is waited for may come; whether it has.
    fn frame_has_come(&mut self) -> Result<bool, NodeError> {
        let Some(from) = self.awaited() else {
            return Ok(false);
        };
        for _ in 0..GIVE_WAY {
            // In a bank that lasts, it is to be laid anew: that comes through the hatch.
            if self.incoming[from].is_ended() && self.lasting.is_some() {
                return Ok(false);
            }
            if !self.yielder.give_way() {
                return Ok(false);
            }
            if self.incoming[from].fill().map_err(on("channels"))? != Fill::Empty {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until something can go on, and reads what came from master and the observer. Of the
    /// incoming channels only the one that is waited for is watched: what comes from others can
    /// wait.
    fn wait(&mut self) -> Result<(), NodeError> {
        if self.frame_has_come()? {
            return Ok(());
        }
        let mut set = WaitSet::new();
        let instructions = set.read(&self.instructions);
        let orders = set.read(&self.orders);
        let hatch = match self.lasting {
            Some(_) => set.read_hatch(&self.hatch),
            None => None,
        };
        if let Some(from) = self.awaited() {
            set.read(&self.incoming[from]);
        }
        for to in &self.dirty {
            set.write(&self.outgoing[*to].pipe);
        }
        if self.reports.pending() > 0 {
            set.write(&self.reports);
        }
        if self.replies.pending() > 0 && !self.holds_replies_back() {
            set.write(&self.replies);
        }
        set.wait().map_err(on("pipes"))?;
        let (instructions, orders) = (set.is_ready(instructions), set.is_ready(orders));
        if set.is_ready(hatch) {
            self.take_what_was_announced()?;
        }
        self.hear(instructions, orders)
    }

    /// Reads what came from master and the observer; hands in the latter's orders.
    fn hear(&mut self, instructions: bool, orders: bool) -> Result<(), NodeError> {
        if instructions {
            self.instructions.fill().map_err(on("instructions"))?;
        }
        if orders {
            let fill = self.orders.fill().map_err(on("orders"))?;
            while let Some(order) = self.orders.next_frame().map_err(on("orders"))? {
                self.step(Input::Order(order))?;
            }
            if fill == Fill::Ended {
                self.step(Input::ObserverGone)?;
            }
        }
        Ok(())
    }
}

fn on(pipe: &'static str) -> impl Fn(pipes::Error) -> NodeError {
    move |source| NodeError::Pipe {
        on: pipe.to_owned(),
        source,
    }
}
