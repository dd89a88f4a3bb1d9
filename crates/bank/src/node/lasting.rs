//! A node of a bank that lasts: it is started again after its death, and goes on where it was.
//!
//! Its journal holds every input that it has taken, in order ([`Record`]); its state is their fold. No
//! effect leaves before the record that caused it is in the journal ([`Effect::Record`] comes first),
//! so what others have seen of it is in the journal too. It is restored ([`Restoring`]) with the number of
//! its replies that master has heard. Master then repeats the instructions behind those: what the journal
//! holds of them is answered once more, and not carried out again. The other way round, whatever others
//! may have lost is made again from the journal ([`Resending`]). So nobody acknowledges anything as long
//! as nobody dies.
//!
//! What is not in the journal is not needed: the observer's orders are given again, and what only asks
//! says the same when it is asked again.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use snapshot::SnapshotId;

use super::{Broken, Effect, Node};
use crate::account::{Incoming, Outgoing};
use crate::id::{NodeId, Place};
use crate::member::Frame;
use crate::messages::{Instruction, Opening, Reply};

/// An instruction that was carried out, with what completed it: one for each reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Record {
    /// [`Instruction::Send`], accepted or refused.
    Send {
        /// The receiver.
        to: Place,
        /// The amount.
        amount: u64,
    },
    /// [`Instruction::Receive`].
    Receive {
        /// The channel's sender.
        from: Place,
        /// What was received.
        frame: Frame,
    },
    /// [`Instruction::AwaitTake`], with the observer's order.
    Begin {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// [`Instruction::Open`].
    Open(Box<Opening>),
    /// [`Instruction::Forget`].
    Forget {
        /// The first snapshot.
        first: SnapshotId,
        /// The last.
        last: SnapshotId,
    },
    /// [`Instruction::Report`].
    Report,
    /// [`Instruction::ReadAhead`]. Who comes back reads ahead again what he has not received since.
    Ahead {
        /// The channel's sender.
        from: Place,
        /// Up to which frame.
        frames: u64,
    },
}

impl Record {
    /// Whether this is what was carried out when that was said.
    fn answers(&self, instruction: &Instruction) -> bool {
        match (self, instruction) {
            (Self::Open(kept), Instruction::Open(said)) => kept == said,
            (
                Self::Send { to, amount },
                Instruction::Send {
                    to: peer,
                    amount: sum,
                },
            ) => (to, amount) == (peer, sum),
            (Self::Receive { from, .. }, Instruction::Receive { from: peer }) => from == peer,
            (Self::Begin { snapshot }, Instruction::AwaitTake { snapshot: said }) => {
                snapshot == said
            }
            (
                Self::Forget { first, last },
                Instruction::Forget {
                    first: from,
                    last: to,
                },
            ) => (first, last) == (from, to),
            (
                Self::Ahead { from, frames },
                Instruction::ReadAhead {
                    from: peer,
                    frames: up_to,
                },
            ) => (from, frames) == (peer, up_to),
            (Self::Report, Instruction::Report) => true,
            _ => false,
        }
    }
}

/// What a node does in a bank that lasts.
#[derive(Clone, Debug, Default)]
pub(super) struct Lasting {
    /// What was carried out before a death, and its reply, which master may not have heard.
    echoes: VecDeque<(Record, Reply)>,
}

/// A node on its way back: its journal is folded.
#[derive(Debug)]
pub struct Restoring {
    node: Node,
    records: u64,
    answered: u64,
    effects: Vec<Effect>,
}

impl Restoring {
    /// Begins as [`Node::new`] does. Of the replies master has heard the first `answered`.
    #[must_use]
    pub fn new(id: NodeId, deposit: u64, verbose: bool, answered: u64) -> Self {
        let mut node = Node::new(id, deposit, verbose);
        node.lasting = Some(Box::default());
        Self {
            node,
            records: 0,
            answered,
            effects: Vec::new(),
        }
    }

    /// The next record of the journal.
    ///
    /// # Errors
    ///
    /// It breaks a rule: the journal is not that of this node, or is damaged.
    pub fn redo(&mut self, record: Record) -> Result<(), Broken> {
        self.records += 1;
        let kept = (self.records > self.answered).then(|| record.clone());
        self.node.redo(record, &mut self.effects)?;
        if let (Some(kept), Some(lasting)) = (kept, &mut self.node.lasting) {
            let reply = self.effects.iter().find_map(|effect| match effect {
                Effect::Reply(reply) => Some(reply.clone()),
                _ => None,
            });
            lasting.echoes.extend(reply.map(|reply| (kept, reply)));
        }
        self.effects.clear();
        Ok(())
    }

    /// The node, as it was when it died.
    ///
    /// # Errors
    ///
    /// [`Broken::TailLost`]: master has heard more replies than there are records.
    pub fn done(mut self) -> Result<Node, Broken> {
        if self.records < self.answered {
            return Err(Broken::TailLost {
                found: self.records,
                known: self.answered,
            });
        }
        self.node.instructions = self.answered;
        Ok(self.node)
    }
}

/// A journal is gone through once more, for what its node has sent and others have not received.
#[derive(Debug)]
pub struct Resending {
    node: Node,
    /// By outgoing channel: how many frames were sent so far, and how many of them are not wanted.
    channels: Vec<(u64, Option<u64>)>,
    effects: Vec<Effect>,
}

impl Resending {
    /// Begins as [`Node::new`] does. Of each of these channels, what is behind so many frames is wanted.
    #[must_use]
    pub fn new(id: NodeId, deposit: u64, wanted: &[(Outgoing, u64)]) -> Self {
        let mut channels = Vec::new();
        for (to, received) in wanted {
            let to = to.0;
            channels.resize(channels.len().max(to + 1), (0, None));
            channels[to].1 = Some(*received);
        }
        Self {
            node: Node::new(id, deposit, false),
            channels,
            effects: Vec::new(),
        }
    }

    /// The next record of the journal: which frames are to be sent again for it.
    ///
    /// # Errors
    ///
    /// It breaks a rule: the journal is not that of this node, or is damaged.
    pub fn redo(
        &mut self,
        record: Record,
    ) -> Result<impl Iterator<Item = (Outgoing, Frame)>, Broken> {
        self.effects.clear();
        self.node.redo(record, &mut self.effects)?;
        let channels = &mut self.channels;
        Ok(self.effects.drain(..).filter_map(|effect| {
            let Effect::Frame(to, frame) = effect else {
                return None;
            };
            let (sent, received) = channels.get_mut(to.0)?;
            *sent += 1;
            received
                .is_some_and(|received| *sent > received)
                .then_some((to, frame))
        }))
    }
}

impl Node {
    /// Has a record kept, in a bank that lasts.
    #[inline]
    pub(super) fn keep(&self, effects: &mut Vec<Effect>, record: impl FnOnce() -> Record) {
        if self.lasting.is_some() {
            effects.push(Effect::Record(record()));
        }
    }

    /// Carries out an instruction, unless that was done before a death: then it is answered as it was.
    pub(super) fn carry_out_once(
        &mut self,
        instruction: Instruction,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let echo = self.lasting.as_mut().and_then(|it| it.echoes.pop_front());
        match echo {
            None => self.carry_out(instruction, effects),
            Some((kept, reply)) if kept.answers(&instruction) => {
                match kept {
                    // What was read ahead is lost.
                    Record::Ahead { from, frames } => self.read_ahead(from, frames, effects)?,
                    _ => effects.push(Effect::Reply(reply)),
                }
                Ok(())
            }
            Some((kept, _)) => Err(Broken::OtherThanKept {
                kept: format!("{kept:?}"),
                said: format!("{instruction:?}"),
            }),
        }
    }

    /// Does once more what was done.
    fn redo(&mut self, record: Record, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        match record {
            Record::Open(opening) => self.open(&opening, effects),
            Record::Send { to, amount } => self.send(to, amount, effects)?,
            Record::Receive { from, frame } => {
                let from = Incoming(self.from.get(from)?);
                self.received(from, frame, effects)?;
            }
            Record::Begin { snapshot } => {
                self.begin(snapshot, effects)?;
                effects.push(Effect::Reply(Reply::Began));
            }
            Record::Forget { first, last } => {
                self.forget(first, last, effects);
            }
            Record::Report => self.carry_out(Instruction::Report, effects)?,
            Record::Ahead { .. } => effects.push(Effect::Reply(Reply::Ahead { frames: 0 })),
        }
        Ok(())
    }

    /// Snapshots are over.
    pub(super) fn forget(
        &mut self,
        first: SnapshotId,
        last: SnapshotId,
        effects: &mut Vec<Effect>,
    ) {
        self.keep(effects, || Record::Forget { first, last });
        for snapshot in first.0..=last.0 {
            // The copy that was handed over is in good hands.
            drop(self.member.hand_over(SnapshotId(snapshot)));
        }
        effects.push(Effect::Reply(Reply::Forgotten));
    }

    /// The channel from a node was laid anew: says how many of its frames were received.
    pub(super) fn laid(&mut self, from: Place, laying: u64, effects: &mut Vec<Effect>) {
        let open = self.from.get(from);
        let frames = open.map_or(0, |slot| self.frames_received(Incoming(slot)));
        effects.push(Effect::Reply(Reply::Received {
            from,
            laying,
            frames,
        }));
    }

    /// There is a pipe for the channel to a node: what that has not received is sent again.
    pub(super) fn attached(
        &mut self,
        to: Place,
        received: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let open = self.to.get(to).map(Outgoing);
        let sent = open.as_ref().map_or(0, |to| self.frames_sent(*to));
        match open {
            _ if received > sent => Err(Broken::TailLost {
                found: sent,
                known: received,
            }),
            Ok(to) if received < sent => {
                effects.push(Effect::SendAgain(to, received));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
