//! A node of a bank that lasts: it is started again after its death, and goes on where it was.
//!
//! Its journal holds whatever has changed it, in order (`node/record.rs`); its state is the fold of that.
//! Nothing that a node says or sends leaves before all that it has done is in the journal
//! ([`Node::take_unkept`]), so what others have seen of it is in the journal too. It is restored ([`Restoring`]) with the number of
//! its replies that master has heard. Master then repeats the instructions behind those: what the journal
//! holds of them is answered once more, and not carried out again. The other way round, whatever others
//! may have lost is made again from the journal ([`Resending`]). So nobody acknowledges anything as long
//! as nobody dies.
//!
//! What is not in the journal is not needed: the observer's orders are given again, and what only asks
//! says the same when it is asked again.
//!
//! # Segments
//!
//! Under load a journal would grow for ever. So now and then, right after a node has recorded its state for
//! a snapshot and sent its markers, a new *segment* of the journal begins ([`Effect::BeginSegment`]) with
//! an *image* of the whole node. To restore the node the newest segment is enough. The older ones are
//! there for what has to be sent again, until the observer says that the snapshot is over: then everybody has
//! received that marker, and with it all that was sent before it, and nobody will ask for anything before
//! the image any more ([`Node::first_segment_needed`]).

use std::collections::VecDeque;

use snapshot::SnapshotId;

use super::bytes::Bytes;
use super::image;
use super::record::{Entry, Record};
use super::{Batch, Broken, Effect, Node, Round};
use crate::account::{Incoming, Outgoing};
use crate::id::{NodeId, Place};
use crate::member::Frame;
use crate::messages::{Instruction, Reply};

/// How many bytes a segment holds before the next begins, at least: going through as many takes some
/// milliseconds.
const SEGMENT: u64 = 1 << 20;

/// What a node does in a bank that lasts.
#[derive(Clone, Debug)]
pub(super) struct Lasting {
    /// What was done and is not in the journal.
    pub(super) unkept: Vec<u8>,
    /// How many of the records there ever were are answers to master.
    pub(super) answers: u64,
    /// What was carried out before a death, and its reply, which master may not have heard.
    echoes: VecDeque<(Record, Reply)>,
    /// It reads ahead what it has read ahead before its death: that is in the journal already.
    reads_again: bool,
    /// The number of the segment that is being written, the first being 1.
    pub(super) segment: u64,
    /// The first segment in which there may be something that somebody needs.
    pub(super) first_needed: u64,
    /// The segments behind that one, and the snapshots that were recorded when they began.
    pub(super) begun: VecDeque<(u64, SnapshotId)>,
    /// How many bytes there are in the present segment, and how many there are to be.
    length: u64,
    enough: u64,
}

impl Default for Lasting {
    fn default() -> Self {
        Self::at(0, 1, 1, VecDeque::new())
    }
}

impl Lasting {
    /// At the beginning of a segment.
    pub(super) fn at(
        answers: u64,
        segment: u64,
        first_needed: u64,
        begun: VecDeque<(u64, SnapshotId)>,
    ) -> Self {
        Self {
            unkept: Vec::new(),
            answers,
            echoes: VecDeque::new(),
            reads_again: false,
            segment,
            first_needed,
            begun,
            length: 0,
            enough: SEGMENT,
        }
    }

    /// All snapshots up to this one are over.
    fn let_go(&mut self, last: SnapshotId) {
        while let Some((segment, snapshot)) = self.begun.front().copied()
            && snapshot <= last
        {
            self.first_needed = segment;
            self.begun.pop_front();
        }
    }
}

/// A node on its way back: its journal is folded.
#[derive(Debug)]
pub struct Restoring {
    /// It keeps nothing of what it does once more.
    node: Node,
    lasting: Lasting,
    answered: u64,
    effects: Vec<Effect>,
}

impl Restoring {
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

    /// Begins with the [image](Node::image) at the beginning of the newest segment.
    ///
    /// # Errors
    ///
    /// [`Broken::Unreadable`]: it is none. [`Broken::Dropped`]: master has not heard replies that were
    /// given before it was made.
    pub fn from_image(image: &[u8], verbose: bool, answered: u64) -> Result<Self, Broken> {
        let (node, lasting) = image::read_node(image, verbose)?;
        if answered < lasting.answers {
            return Err(Broken::Dropped {
                first: lasting.answers,
                needed: answered,
            });
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

    /// What comes next in the journal.
    ///
    /// # Errors
    ///
    /// It breaks a rule: the journal is not that of this node, or is damaged.
    pub fn redo(&mut self, kept: &[u8]) -> Result<(), Broken> {
        self.lasting.length += kept.len() as u64;
        let mut bytes = Bytes(kept);
        while !bytes.0.is_empty() {
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

    /// Begins with the [image](Node::image) at the beginning of the oldest segment that there is.
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
    /// What is to be in the journal before anything leaves of what was said or sent so far: appends it
    /// to the journal, where there is anything. Only in a bank that lasts is there ever.
    pub fn take_unkept(&mut self, append: impl FnOnce(&[u8])) {
        let Some(lasting) = &mut self.lasting else {
            return;
        };
        if !lasting.unkept.is_empty() {
            append(&lasting.unkept);
            lasting.length += lasting.unkept.len() as u64;
            lasting.unkept.clear();
        }
    }

    /// Its whole state, for the beginning of a segment; or of the journal, where it has done nothing yet.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.lasting {
            Some(lasting) => image::put_node(&mut out, self, lasting),
            None => image::put_node(&mut out, self, &Lasting::default()),
        }
        out
    }

    /// Segments of the journal before this one may be removed, once everything is kept that has been
    /// done.
    #[must_use]
    pub fn first_segment_needed(&self) -> u64 {
        { self.lasting.as_ref() }.map_or(1, |lasting| lasting.first_needed)
    }

    /// Has a record kept, in a bank that lasts.
    #[inline]
    pub(super) fn keep(&mut self, record: impl FnOnce() -> Record) {
        if let Some(lasting) = &mut self.lasting {
            let record = record();
            record.put(&mut lasting.unkept);
            lasting.answers += u64::from(record.has_a_reply());
        }
    }

    /// A state was recorded and its markers sent just now: the next segment begins, if it is time.
    pub(super) fn begin_segment(&mut self, snapshot: SnapshotId, effects: &mut Vec<Effect>) {
        let Some(lasting) = &mut self.lasting else {
            return;
        };
        let unkept = lasting.unkept.len() as u64;
        if lasting.length + unkept < lasting.enough {
            return;
        }
        lasting.segment += 1;
        lasting.begun.push_back((lasting.segment, snapshot));
        effects.push(Effect::BeginSegment(self.image()));
        if let Some(lasting) = &mut self.lasting {
            lasting.length = 0;
        }
    }

    /// What was recorded up to this snapshot will not be asked for any more: each of them has passed its
    /// audit.
    pub(super) fn forget_up_to(&mut self, last: SnapshotId) -> Result<(), Broken> {
        let recorded = self.member.recorder().recorded();
        let over: Vec<SnapshotId> = recorded.filter(|snapshot| *snapshot <= last).collect();
        if over.is_empty() {
            return Ok(());
        }
        self.keep(|| Record::Over { last });
        for snapshot in over {
            if self.member.hand_over(snapshot).is_none() {
                return Err(Broken::Unfinished { snapshot });
            }
        }
        if let Some(lasting) = &mut self.lasting {
            lasting.let_go(last);
        }
        Ok(())
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
            // What was read ahead is lost.
            Some((Record::Ahead { .. }, _))
                if matches!(instruction, Instruction::ReadAhead { .. }) =>
            {
                if let Some(lasting) = &mut self.lasting {
                    lasting.reads_again = true;
                }
                self.carry_out(instruction, effects)
            }
            Some((kept, reply)) if kept.answers(&instruction) => {
                effects.push(Effect::Reply(reply));
                Ok(())
            }
            Some((kept, _)) => Err(Broken::OtherThanKept {
                kept: format!("{kept:?}"),
                said: format!("{instruction:?}"),
            }),
        }
    }

    /// What was asked for is read ahead.
    pub(super) fn keep_ahead(&mut self, frames: u64) {
        let lasting = self.lasting.as_mut();
        if !lasting.is_some_and(|it| std::mem::take(&mut it.reads_again)) {
            self.keep(|| Record::Ahead { frames });
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
                self.carry_out(Instruction::Forget { first, last }, effects)?;
            }
            Record::Report => self.carry_out(Instruction::Report, effects)?,
            Record::Ahead { frames } => effects.push(Effect::Reply(Reply::Ahead { frames })),
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
            (Self::Report, Instruction::Report) => true,
            _ => false,
        }
    }
}
