//! A node, as a value: everything that the process around it does is said by its effects.
//!
//! Instructions are carried out one after the other, in order. One that waits (for a frame, for the
//! observer's order) holds up those behind it: while [`Node::is_waiting`], no instruction may be
//! handed in. The observer's orders are obeyed at any time. The first time that an instruction
//! finds the end of a channel, or the observer gone, the node *halts*: instructions may be handed in,
//! and are carried out once master says [`Resume`](Instruction::Resume), which means that it has heard
//! of that.
//!
//! ```
//! use bank::id::{NodeId, Place};
//! use bank::messages::{Instruction, Opening, Peer, Reply};
//! use bank::node::{Effect, Input, Node};
//!
//! let mut node = Node::new(NodeId(7), 100, false);
//! let mut effects = Vec::new();
//! let peer = Peer { place: Place(1), id: NodeId(8) };
//! let opening = Opening { outgoing: vec![peer], incoming: vec![peer], owing: true };
//! node.step(Input::Instruction(Instruction::Open(opening.into())), &mut effects).unwrap();
//! let send = Instruction::Send { to: Place(1), amount: 101 };
//! node.step(Input::Instruction(send), &mut effects).unwrap();
//! assert_eq!(effects.pop(), Some(Effect::Reply(Reply::Refused { balance: 100 })));
//! ```
//!
//! `node/instructions.rs` is what it does when master says something, `node/snapshots.rs` its share of snapshots;
//! `node/load.rs` what it does under load; `node/lasting.rs` what it does in a bank that lasts, of which
//! `node/record.rs` and `node/image.rs` are the bytes that are kept, and `node/fold.rs` what becomes of them.

mod bytes;
mod fold;
mod image;
mod instructions;
mod lasting;
mod load;
mod record;
mod slots;
mod snapshots;

use std::collections::VecDeque;

use snapshot::SnapshotId;

use crate::Broken;
use crate::account::{Incoming, Outgoing, Transfer};
use crate::id::{NodeId, Place};
use crate::member::{Frame, Marker, Member};
use crate::messages::{FRAMES, Instruction, Order, Reply, Report};

pub use self::record::Record;
use self::slots::{Neighbour, Slots};

pub use self::fold::{Resending, Restoring};
pub use self::load::{Batch, Round};

/// What happens to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Master's next instruction.
    Instruction(Instruction),
    /// The observer's next order.
    Order(Order),
    /// The observer is dead: no order will come.
    ObserverGone,
    /// The next frame of the channel that was asked for by [`Effect::Take`].
    Frame(Frame),
    /// That channel has ended: its sender is dead, and no frame is left.
    End,
    /// How many frames of the channel that was asked for by [`Effect::ReadAhead`] are there.
    Ahead(u64),
    /// What is there of the channel that was asked for by [`Effect::ReadToEnd`].
    Found(Vec<Frame>),
    /// The channel from a node has been laid anew; this is the number of that.
    Laid(Place, u64),
    /// There is a pipe for the channel to a node, which has received this many frames.
    Attached(Place, u64),
}

/// What is to be done for a node, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Say this to master.
    Reply(Reply),
    /// Say this to the observer.
    Report(Report),
    /// Append this frame to a channel.
    Frame(Outgoing, Frame),
    /// Take this many pipe ends from the hatch: those of the outgoing channels, then those of the
    /// incoming.
    Open {
        /// Write ends.
        outgoing: usize,
        /// Read ends.
        incoming: usize,
    },
    /// Take the next frame of a channel, once it is there, and hand in [`Input::Frame`], or
    /// [`Input::End`].
    Take(Incoming),
    /// Read a channel ahead, without taking anything, until this many frames are there or it ends,
    /// and hand in [`Input::Ahead`].
    ReadAhead(Incoming, u64),
    /// Read a channel to its end, without taking anything, and hand in [`Input::Found`].
    ReadToEnd(Incoming),
    /// From now on, run freely: see `node/load.rs`.
    RunFreely {
        /// Make way for the observer together with this many other nodes.
        others: u32,
        /// Stay on this CPU, counted among those that the process may run on.
        pin: Option<u32>,
    },
    /// Before anything else is handed in, have in the journal all that is to be there
    /// ([`Node::take_unkept`]), and begin its next segment ([`Node::next_segment`]): only in a bank that lasts.
    BeginSegment,
    /// Send again what was sent on a channel behind this many frames: see [`Resending`].
    SendAgain(Outgoing, u64),
    /// For people (`--verbose`).
    Say(String),
}

/// What a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Waiting {
    Frame(Incoming),
    /// How many frames are wanted.
    Ahead(u64),
    ToEnd,
    Order(SnapshotId),
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    id: NodeId,
    member: Member,
    outgoing: Vec<Neighbour>,
    incoming: Vec<Neighbour>,
    to: Slots,
    from: Slots,
    instructions: u64,
    waiting: Option<Waiting>,
    /// It has found an end of which master may not have heard.
    halted: bool,
    /// Instructions that were not carried out yet.
    backlog: VecDeque<Instruction>,
    /// Orders to take a snapshot whose place in the stream of instructions has not come.
    takes: VecDeque<SnapshotId>,
    observer_gone: bool,
    /// An instruction has found the observer gone.
    was_missed: bool,
    load: Option<load::Load>,
    /// What it does in a bank that lasts; nothing in any other.
    lasting: Option<Box<lasting::Lasting>>,
    verbose: bool,
}

impl Node {
    /// A node with `deposit` in its account and no channels. Where it is verbose, it says what it
    /// does.
    #[must_use]
    pub fn new(id: NodeId, deposit: u64, verbose: bool) -> Self {
        Self {
            id,
            member: Member::new(deposit),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            to: Slots::default(),
            from: Slots::default(),
            instructions: 0,
            waiting: None,
            halted: false,
            backlog: VecDeque::new(),
            takes: VecDeque::new(),
            observer_gone: false,
            was_missed: false,
            load: None,
            lasting: None,
            verbose,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The sender of an incoming channel, as people call it.
    #[must_use]
    pub fn sender(&self, from: Incoming) -> NodeId {
        self.incoming[from.0].id
    }

    /// The account and its recorder.
    #[must_use]
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// Whether an instruction waits for something, so that the next one must too.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// How many instructions it was given: master counts the same.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// How many frames, markers included, it has sent on a channel: the receiver will count the
    /// same.
    #[must_use]
    pub fn frames_sent(&self, to: Outgoing) -> u64 {
        self.member.account().outgoing()[to.0].tally.count + self.outgoing[to.0].markers
    }

    /// How many frames, markers included, it has received from a channel.
    #[must_use]
    pub fn frames_received(&self, from: Incoming) -> u64 {
        self.member.account().incoming()[from.0].tally.count + self.incoming[from.0].markers
    }

    /// Something happens; what is to be done is appended to `effects`.
    ///
    /// # Errors
    ///
    /// A rule was broken: the node must not go on.
    #[inline]
    pub fn step(&mut self, input: Input, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        match (input, self.waiting) {
            (Input::Instruction(instruction), None) => return self.instruct(&instruction, effects),
            (Input::Laid(from, laying), _) => self.laid(from, laying, effects),
            (Input::Attached(to, received), _) => self.attached(to, received, effects)?,
            (Input::ObserverGone, _) if self.lasting.is_some() => {}
            (Input::Order(order), _) => self.obey(order, effects)?,
            (Input::ObserverGone, _) => {
                self.observer_gone = true;
                self.go_on_taking(effects)?;
            }
            (Input::Frame(frame), Some(Waiting::Frame(from))) => {
                self.waiting = None;
                self.received(from, frame, effects)?;
            }
            (Input::End, Some(Waiting::Frame(from))) => {
                let is_new = !std::mem::replace(&mut self.incoming[from.0].has_ended, true);
                self.give_up(Reply::Ended, is_new, effects);
            }
            (Input::Ahead(frames), Some(Waiting::Ahead(wanted))) => {
                self.waiting = None;
                let frames = frames.min(wanted);
                effects.push(Effect::Reply(Reply::Ahead { frames }));
            }
            (Input::Found(frames), Some(Waiting::ToEnd)) => {
                self.waiting = None;
                found(&frames, effects);
            }
            (input, _) => return Err(Broken::NotAskedFor(format!("{input:?}"))),
        }
        self.go_on(effects)
    }

    /// What was waited for will never come. Where that is new, master must hear of it.
    fn give_up(&mut self, reply: Reply, is_new: bool, effects: &mut Vec<Effect>) {
        self.waiting = None;
        self.halted = is_new;
        effects.push(Effect::Reply(reply));
    }

    /// The frame that an [`Instruction::Receive`] has waited for.
    fn received(
        &mut self,
        from: Incoming,
        frame: Frame,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let peer = self.member.account().incoming()[from.0].peer;
        self.keep(|| Record::Receive { from: peer, frame });
        let id = self.incoming[from.0].id;
        let marker = self.receive(from, [frame])?;
        match (frame, marker) {
            (Frame::Message(Transfer(amount)), _) => {
                let balance = self.member.account().balance();
                effects.push(Effect::Reply(Reply::Transfer { amount, balance }));
                self.say(effects, |_| {
                    format!("receives {amount} from node {id}, balance {balance}")
                });
            }
            (Frame::Marker(snapshot), marker) => {
                self.incoming[from.0].markers += 1;
                let relay = marker.and_then(|Marker { relay, .. }| relay);
                let recorded = relay.is_some();
                self.say(effects, |_| {
                    let closed = if recorded {
                        ""
                    } else {
                        ": the channel's state is complete"
                    };
                    format!("receives the marker of snapshot {snapshot} from node {id}{closed}")
                });
                if let Some(markers) = relay {
                    self.broadcast(markers, effects);
                }
                effects.push(Effect::Reply(Reply::Marker { snapshot, recorded }));
            }
        }
        Ok(())
    }

    /// Has the member receive frames of a channel; if they break a rule, it is said whose they are.
    #[inline]
    fn receive(
        &mut self,
        from: Incoming,
        frames: impl IntoIterator<Item = Frame>,
    ) -> Result<Option<Marker>, Broken> {
        let received = self.member.receive(from, frames);
        received.map_err(|source| Broken::Channel {
            from: self.incoming[from.0].id,
            source: Box::new(source),
        })
    }

    #[inline]
    fn send_frame(&mut self, to: Outgoing, frame: Frame, effects: &mut Vec<Effect>) {
        if let Frame::Marker(_) = frame {
            self.outgoing[to.0].markers += 1;
        }
        effects.push(Effect::Frame(to, frame));
    }

    #[inline]
    fn say(&self, effects: &mut Vec<Effect>, what: impl FnOnce(&Self) -> String) {
        if self.verbose {
            effects.push(Effect::Say(format!("node {}: {}", self.id, what(self))));
        }
    }
}

/// What a dead node left in its channel, in as many replies as it takes.
fn found(frames: &[Frame], effects: &mut Vec<Effect>) {
    let all = frames
        .chunks(FRAMES)
        .chain(frames.is_empty().then_some(frames));
    let replies = frames.len().div_ceil(FRAMES).max(1);
    for (frames, number) in all.zip(1..) {
        effects.push(Effect::Reply(Reply::Found {
            frames: frames.to_vec(),
            last: number == replies,
        }));
    }
}

#[cfg(test)]
mod tests;
