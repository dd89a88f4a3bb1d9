//! A node of a bank that lasts: it is started again after its death, and goes on where it was.
//!
//! Its journal holds whatever has changed it, in order (`node/record.rs`); its state is the fold of that.
//! Nothing that a node says or sends leaves before all that it has done is in the journal
//! ([`Node::take_unkept`]), so what others have seen of it is in the journal too. It is restored
//! ([`Restoring`](super::Restoring)) with the number of its replies that master has heard. Master then repeats the instructions behind those: what the journal
//! holds of them is answered once more, and not carried out again. The other way round, whatever others
//! may have lost is made again from the journal ([`Resending`](super::Resending)). So nobody acknowledges anything as long
//! as nobody dies.
//!
//! What is not in the journal is not needed: the observer's orders are given again, and what only asks
//! says the same when it is asked again.
//!
//! # Segments
//!
//! Once there is much in a journal, a new *segment* of it begins with an *image* of the whole node. To restore
//! the node, what follows the newest image is enough of which master has heard every reply
//! ([`Restoring::can_begin_with`](super::Restoring::can_begin_with)); and what is to be sent again lies behind the newest before which it
//! was all received ([`Resending::can_begin_with`](super::Resending::can_begin_with)). So it takes no longer to come back after a
//! billion records than after a hundred thousand ([`Node::next_segment`]).
//!
//! A journal does not grow for ever. In a script, master notes now and then from where it would be run again;
//! what a node has replied before is not asked for any more. So the segments before an image go, once master
//! has heard all that was replied before the image was made, and all that was sent before has been received
//! ([`Instruction::Truncate`]). Of one image at a time it is known what that was ([`Mark`]): what is needed
//! behind a later one is needed behind that one too.
//!
//! Under load a segment begins right after the node has recorded its state for a snapshot and sent its
//! markers ([`Effect::BeginSegment`]), and the older ones stay until the observer says that the snapshot is
//! over: then everybody has received that marker, and with it all that was sent before it, and nobody will
//! ask for anything before the image any more
//! ([`Node::first_segment_needed`]).

use std::collections::VecDeque;

use snapshot::SnapshotId;

use super::image;
use super::record::Record;
use super::{Broken, Effect, Node};
use crate::account::{Incoming, Outgoing};
use crate::id::Place;
use crate::messages::{Instruction, Opening, Reply};

/// How many bytes a segment holds under load before the next begins, at least, and in a script half as many:
/// going through them takes some milliseconds. A little less than the steps in which files grow, half a mebibyte
/// each: the last step would be hardly used.
const SEGMENT: u64 = 7 << 17;

/// What a node does in a bank that lasts.
#[derive(Clone, Debug)]
pub(super) struct Lasting {
    /// What was done and is not in the journal.
    pub(super) unkept: Vec<u8>,
    /// How many of the records there ever were are answers to master.
    pub(super) answers: u64,
    /// What was carried out before a death, and its reply, which master may not have heard.
    pub(super) echoes: VecDeque<(Record, Reply)>,
    /// How many replies master has not heard to what was carried out before the image: nothing but the
    /// opening of channels.
    pub(super) unheard: u64,
    /// The number of the segment that is being written, the first being 1.
    pub(super) segment: u64,
    /// The first segment in which there may be something that somebody needs.
    pub(super) first_needed: u64,
    /// In a script, a segment behind that one: the next that may become it.
    pub(super) mark: Option<Mark>,
    /// Under load, the segments behind that one, and the snapshots that were recorded when they began.
    pub(super) begun: VecDeque<(u64, SnapshotId)>,
    /// The next is to begin after this step, with what was recorded for this snapshot.
    pub(super) due: Option<SnapshotId>,
    /// How many bytes there are in the present segment, and how many there are to be.
    pub(super) length: u64,
    pub(super) enough: u64,
}

/// The beginning of a segment, and what was done before it.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    segment: u64,
    /// How many answers to master there were.
    answers: u64,
    /// By outgoing channel: how many frames had been sent.
    sent: Vec<u64>,
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
            unheard: 0,
            segment,
            first_needed,
            mark: None,
            begun,
            due: None,
            length: 0,
            enough: SEGMENT,
        }
    }

    /// Whether master's next instruction was carried out before a death.
    #[inline]
    pub(super) fn is_said_again(&self) -> bool {
        self.unheard > 0 || !self.echoes.is_empty()
    }

    /// In a script, a segment begins, and so much was sent before on the outgoing channels.
    pub(super) fn mark(&mut self, sent: Vec<u64>) {
        let is_due = { self.mark.as_ref() }.is_none_or(|mark| mark.segment <= self.first_needed);
        if is_due && self.segment > self.first_needed {
            self.mark = Some(Mark {
                segment: self.segment,
                answers: self.answers,
                sent,
            });
        }
    }

    /// All snapshots up to this one are over.
    pub(super) fn let_go(&mut self, last: SnapshotId) {
        while let Some((segment, snapshot)) = self.begun.front().copied()
            && snapshot <= last
        {
            self.first_needed = segment;
            self.begun.pop_front();
        }
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

    /// The image with which the next segment of its journal is to begin, if it is time. Everything that it has
    /// done is to be in the journal by now.
    #[inline]
    pub fn next_segment(&mut self) -> Option<Vec<u8>> {
        let lasting = self.lasting.as_mut()?;
        let next = lasting.segment + 1;
        match (&self.load, lasting.due.take()) {
            (Some(_), Some(snapshot)) => lasting.begun.push_back((next, snapshot)),
            // The records of a script are short, and take longer for each byte.
            (None, _) if lasting.length >= lasting.enough / 2 => {}
            _ => return None,
        }
        debug_assert!(lasting.unkept.is_empty(), "all is kept");
        lasting.segment = next;
        lasting.length = 0;
        if let Some(sent) = self.sent_in_a_script()
            && let Some(lasting) = &mut self.lasting
        {
            lasting.mark(sent);
        }
        Some(self.image())
    }

    /// How many frames were sent on each outgoing channel, unless that is what a load sends.
    pub(super) fn sent_in_a_script(&self) -> Option<Vec<u64>> {
        let channels = (0..self.outgoing.len()).map(Outgoing);
        let sent = || channels.map(|to| self.frames_sent(to)).collect();
        self.load.is_none().then(sent)
    }

    /// Of what was done before this moment, nobody needs anything but what waits in these channels, of which
    /// so much was received.
    pub(super) fn truncate(&mut self, waiting: &[(Place, u64)]) {
        let Some(lasting) = &mut self.lasting else {
            return;
        };
        let Some(mark) = &lasting.mark else {
            return;
        };
        let was_received = |(to, received): &(Place, u64)| {
            let sent = self.to.get(*to).ok().and_then(|slot| mark.sent.get(slot));
            sent.is_none_or(|sent| sent <= received)
        };
        // Who was restored may have done more than master has said.
        if mark.answers <= self.instructions && waiting.iter().all(was_received) {
            lasting.first_needed = mark.segment;
            lasting.mark = None;
        }
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

    /// A state was recorded and its markers sent just now: the next segment begins after this step, if it is
    /// time. Of several snapshots of one step the last counts: whoever has its marker has those of all.
    pub(super) fn begin_segment(&mut self, snapshot: SnapshotId, effects: &mut Vec<Effect>) {
        if let Some(lasting) = &mut self.lasting
            && lasting.length + lasting.unkept.len() as u64 >= lasting.enough
        {
            lasting.due = Some(snapshot);
            effects.push(Effect::BeginSegment);
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

    /// An instruction that was carried out before a death is answered as it was.
    #[cold]
    pub(super) fn carry_out_once(
        &mut self,
        instruction: &Instruction,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        if let Some(lasting) = self.lasting.as_mut().filter(|it| it.unheard > 0) {
            lasting.unheard -= 1;
            return self.repeat_opening(instruction, effects);
        }
        let echo = self.lasting.as_mut().and_then(|it| it.echoes.pop_front());
        match echo {
            None => self.carry_out(instruction, effects),
            Some((kept, reply)) if kept.answers(instruction) => {
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

    /// Whether its journal holds what master has not said yet, since it began the script again. Under load
    /// nobody waits for what master says.
    pub(super) fn is_ahead_of_master(&self) -> bool {
        let is_ahead = { self.lasting.as_ref() }.is_some_and(|it| !it.echoes.is_empty());
        is_ahead && self.load.is_none()
    }

    /// What is in the journal no more was the opening of channels, which are open.
    fn repeat_opening(
        &self,
        instruction: &Instruction,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let is_open = |opening: &Opening| {
            { opening.outgoing.iter() }.all(|peer| self.to.get(peer.place).is_ok()) && {
                opening.incoming.iter()
            }
            .all(|peer| self.from.get(peer.place).is_ok())
        };
        match instruction {
            Instruction::Open(opening) if is_open(opening) => {
                effects.push(Effect::Reply(Reply::Opened));
                Ok(())
            }
            instruction => Err(Broken::OtherThanKept {
                kept: "channels that are open".to_owned(),
                said: format!("{instruction:?}"),
            }),
        }
    }

    /// Snapshots are over.
    pub(super) fn forget(
        &mut self,
        first: SnapshotId,
        last: SnapshotId,
        effects: &mut Vec<Effect>,
    ) {
        self.keep(|| Record::Forget { first, last });
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
