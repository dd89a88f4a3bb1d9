//! The fold of a journal: a node that is as it was, or what it has sent once more.
//!
//! Both do again whatever was done, and nothing else, and keep nothing of it. What is in a journal may
//! be anything: whatever no node would have done is an error.

use super::bytes::Bytes;
use super::image;
use super::lasting::Lasting;
use super::record::{Entry, Passed, Record};
use super::{Batch, Broken, Effect, Node, Round};
use crate::account::{Incoming, Outgoing};
use crate::id::NodeId;
use crate::member::Frame;
use crate::messages::{Instruction, Reply};

/// A node on its way back: its journal is folded.
#[derive(Debug)]
pub struct Restoring {
    node: Node,
    lasting: Lasting,
    answered: u64,
    effects: Vec<Effect>,
}

impl Restoring {
    /// Whatever was replied was heard.
    pub const ALL_HEARD: u64 = u64::MAX;

    /// Begins as [`Node::new`] does. Of the replies master has heard the first `answered`.
    #[must_use]
    pub fn new(id: NodeId, deposit: u64, verbose: bool, answered: u64) -> Self {
        Self {
            node: Node::new(id, deposit, verbose),
            lasting: Lasting::default(),
            answered,
            effects: Vec::new(),
        }
    }

    /// Whether the node can be restored from this [image](Node::image) on, when master has heard the first
    /// `answered` of its replies: what follows those is to be carried out once more, and is not in an
    /// image.
    #[must_use]
    pub fn can_begin_with(image: &[u8], answered: u64) -> bool {
        let read = image::read_node(image, false);
        read.is_ok_and(|(_, lasting)| lasting.answers <= answered)
    }

    /// Begins with the [image](Node::image) at the beginning of the first segment that was read.
    ///
    /// # Errors
    ///
    /// [`Broken::Unreadable`]: it is none.
    pub fn from_image(image: &[u8], verbose: bool, answered: u64) -> Result<Self, Broken> {
        let (node, mut lasting) = image::read_node(image, verbose)?;
        lasting.unheard = lasting.answers.saturating_sub(answered);
        if let Some(sent) = node.sent_in_a_script() {
            lasting.mark(sent);
        }
        Ok(Self {
            node,
            lasting,
            answered,
            effects: Vec::new(),
        })
    }

    /// Under load, segments are to be of this many bytes.
    #[must_use]
    pub fn with_segments_of(mut self, bytes: u64) -> Self {
        self.lasting.enough = bytes;
        self
    }

    /// The next segment begins with this image: of the node as it is now.
    ///
    /// # Errors
    ///
    /// [`Broken::Unreadable`]: it is none, or that of a node that has done something else.
    pub fn next_segment(&mut self, image: &[u8]) -> Result<(), Broken> {
        let (node, lasting) = image::read_node(image, self.node.verbose)?;
        if lasting.answers != self.lasting.answers || node.member != self.node.member {
            return Err(Broken::Unreadable("an image of something else"));
        }
        self.lasting.segment = lasting.segment;
        self.lasting.first_needed = lasting.first_needed;
        self.lasting.begun = lasting.begun;
        self.lasting.length = 0;
        if let Some(sent) = node.sent_in_a_script() {
            self.lasting.mark(sent);
        }
        Ok(())
    }

    /// What comes next in the journal.
    ///
    /// # Errors
    ///
    /// It breaks a rule: the journal is not that of this node, or is damaged.
    pub fn redo(&mut self, kept: &[u8]) -> Result<(), Broken> {
        self.lasting.length += kept.len() as u64;
        let mut bytes = Bytes(kept);
        while !bytes.0.is_empty() {
            if self.lasting.answers < self.answered
                && let Some(passed) = Passed::read(&mut bytes)
            {
                self.lasting.answers += 1;
                self.node.redo_silently(passed)?;
                continue;
            }
            let record = match Entry::read(&mut bytes)? {
                Entry::Record(record) => record,
                bulk => {
                    self.node
                        .redo_bulk(bulk, &mut self.effects, |_, frames| frames.for_each(drop))?;
                    self.effects.clear();
                    continue;
                }
            };
            if let Record::Over { last } = record {
                self.lasting.let_go(last);
            }
            self.lasting.answers += u64::from(record.has_a_reply());
            let is_unheard = record.has_a_reply() && self.lasting.answers > self.answered;
            let echo = is_unheard.then(|| record.clone());
            self.node.redo(record, &mut self.effects)?;
            if let Some(kept) = echo {
                let mut replies = self.effects.drain(..).filter_map(|effect| match effect {
                    Effect::Reply(reply) => Some(reply),
                    _ => None,
                });
                let echo = replies.next().map(|reply| (kept, reply));
                self.lasting.echoes.extend(echo);
            }
            self.effects.clear();
        }
        Ok(())
    }

    /// The node, as it was when it died, where nobody will repeat what he has not heard. Of its replies all
    /// count as heard: restoring is to begin with [`ALL_HEARD`](Self::ALL_HEARD) of them.
    #[must_use]
    pub fn as_it_is(mut self) -> Node {
        self.node.instructions = self.lasting.answers;
        self.node.lasting = Some(Box::new(self.lasting));
        self.node
    }

    /// The node, as it was when it died.
    ///
    /// # Errors
    ///
    /// [`Broken::TailLost`]: master has heard more replies than there are records.
    pub fn done(mut self) -> Result<Node, Broken> {
        if self.lasting.answers < self.answered {
            return Err(Broken::TailLost {
                found: self.lasting.answers,
                known: self.answered,
            });
        }
        self.node.instructions = self.answered;
        self.node.lasting = Some(Box::new(self.lasting));
        Ok(self.node)
    }
}

/// A journal is gone through once more, for what its node has sent and others have not received.
#[derive(Debug)]
pub struct Resending {
    node: Node,
    channels: Channels,
    effects: Vec<Effect>,
}

/// By outgoing channel: how many frames were sent so far, and how many of them are not wanted.
#[derive(Debug, Default)]
struct Channels(Vec<(u64, Option<u64>)>);

impl Channels {
    fn at(&mut self, to: Outgoing) -> &mut (u64, Option<u64>) {
        if self.0.len() <= to.0 {
            self.0.resize(to.0 + 1, (0, None));
        }
        &mut self.0[to.0]
    }

    /// Whether the next frame of a channel is wanted.
    #[inline]
    fn is_next_wanted(&mut self, to: Outgoing) -> bool {
        let (sent, unwanted) = self.at(to);
        *sent += 1;
        unwanted.is_some_and(|unwanted| *sent > unwanted)
    }
}

impl Resending {
    /// Begins as [`Node::new`] does. Of each of these channels, what is behind so many frames is wanted.
    #[must_use]
    pub fn new(id: NodeId, deposit: u64, wanted: &[(Outgoing, u64)]) -> Self {
        let mut channels = Channels::default();
        for (to, received) in wanted {
            channels.at(*to).1 = Some(*received);
        }
        Self {
            node: Node::new(id, deposit, false),
            channels,
            effects: Vec::new(),
        }
    }

    /// Whether what is wanted was all sent after this [image](Node::image) was made.
    #[must_use]
    pub fn can_begin_with(image: &[u8], wanted: &[(Outgoing, u64)]) -> bool {
        image::read_node(image, false).is_ok_and(|(node, _)| {
            // On channels that were not open yet nothing was sent.
            let mut open = wanted.iter().filter(|(to, _)| to.0 < node.outgoing.len());
            open.all(|(to, received)| node.frames_sent(*to) <= *received)
        })
    }

    /// Begins with the [image](Node::image) at the beginning of the first segment that was read.
    ///
    /// # Errors
    ///
    /// [`Broken::Unreadable`]: it is none. [`Broken::Dropped`]: something is wanted that was sent before
    /// it was made.
    pub fn from_image(image: &[u8], wanted: &[(Outgoing, u64)]) -> Result<Self, Broken> {
        let (node, _) = image::read_node(image, false)?;
        let mut resending = Self::new(node.id, 0, wanted);
        for to in (0..node.outgoing.len()).map(Outgoing) {
            let (sent, unwanted) = resending.channels.at(to);
            *sent = node.frames_sent(to);
            if let Some(needed) = unwanted.filter(|unwanted| *unwanted < *sent) {
                let first = *sent;
                return Err(Broken::Dropped { first, needed });
            }
        }
        resending.node = node;
        Ok(resending)
    }

    /// What comes next in the journal; `send` is given the frames that are to be sent again, in order.
    ///
    /// # Errors
    ///
    /// It breaks a rule: the journal is not that of this node, or is damaged.
    pub fn redo(
        &mut self,
        kept: &[u8],
        mut send: impl FnMut(Outgoing, Frame),
    ) -> Result<(), Broken> {
        let Self {
            node,
            channels,
            effects,
        } = self;
        let mut bytes = Bytes(kept);
        while !bytes.0.is_empty() {
            match Entry::read(&mut bytes)? {
                Entry::Record(record) => node.redo(record, effects)?,
                bulk => node.redo_bulk(bulk, effects, |to, frames| {
                    for frame in frames {
                        if channels.is_next_wanted(to) {
                            send(to, frame);
                        }
                    }
                })?,
            }
            for effect in effects.drain(..) {
                if let Effect::Frame(to, frame) = effect
                    && channels.is_next_wanted(to)
                {
                    send(to, frame);
                }
            }
        }
        Ok(())
    }
}

impl Node {
    /// A transfer passes once more: nobody wants to know what would be said and sent.
    #[inline]
    fn redo_silently(&mut self, passed: Passed) -> Result<(), Broken> {
        match passed {
            Passed::Sent { to, amount } => {
                let to = Outgoing(self.to.get(to)?);
                // Sent or refused, as it was then.
                let _ = self.member.send(to, amount);
            }
            Passed::Received { from, transfer } => {
                let from = Incoming(self.from.get(from)?);
                self.receive(from, [Frame::Message(transfer)])?;
            }
        }
        Ok(())
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
            Record::Forget { first, last } => self.forget(first, last, effects),
            Record::Report => self.carry_out(&Instruction::Report, effects)?,
            Record::Ahead { .. } => effects.push(Effect::Reply(Reply::Ahead { frames: 0 })),
            Record::Load { seed, quota } => self.start_load(seed, quota, effects),
            Record::Rest => self.rest(),
            Record::Round => {
                self.round().ok_or(Broken::Unreadable("a round at rest"))?;
            }
            Record::Take { snapshot } => self.begin(snapshot, effects)?,
            Record::Over { last } => self.forget_up_to(last)?,
        }
        Ok(())
    }

    /// Does once more what was done many times; `made` has to take all frames of a batch.
    fn redo_bulk(
        &mut self,
        entry: Entry<'_, '_>,
        effects: &mut Vec<Effect>,
        made: impl FnOnce(Outgoing, Batch<'_>),
    ) -> Result<(), Broken> {
        match entry {
            Entry::Run(from, mut frames) if from.0 < self.incoming.len() => {
                let marker = self.receive(from, &mut frames)?;
                frames.end()?;
                if let Some(marker) = marker {
                    self.passed(from, marker, effects);
                }
                Ok(())
            }
            Entry::Batch { to, transfers } if to.0 < self.outgoing.len() => {
                let round = Round::of(self.outgoing.len(), to.0);
                let again = self.make_batch(&round, to, |batch| {
                    let drawn = batch.left();
                    made(to, batch);
                    drawn
                });
                match again == Some(transfers) {
                    true => Ok(()),
                    false => Err(Broken::Unreadable("a batch that is not drawn like that")),
                }
            }
            _ => Err(Broken::Unreadable("a channel that is not open")),
        }
    }
}
