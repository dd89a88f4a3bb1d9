//! What a node does under load: it makes random transfers, and receives what comes.
//!
//! The process goes round and round: it hands in, in runs, what has come from every peer
//! ([`Node::receive_run`]), and lets a batch be made for every peer whose outbox has room
//! ([`Node::round`], [`Node::make_batch`]).
//!
//! A seed determines the choices (amounts, batches) that a node makes one after the other; when it
//! makes them, and how much money it then has, is a matter of the scheduler. So in a bank that lasts it is
//! enough to keep what was received and that a batch was made, each in its turn: what is in the batch follows.

use snapshot::SnapshotId;

use super::record::{Record, put_batch, put_run};
use super::{Broken, Effect, Node};
use crate::account::{Books, Incoming, Outgoing};
use crate::draw::{Average, NodeDraw};
use crate::id::Place;
use crate::member::{Frame, Marker};
use crate::messages::Reply;

/// The most transfers made for one peer in one round; half as many on average. The more, the
/// fewer system calls a transfer takes, and the longer is a round: with many peers the latter
/// counts, as a marker waits for a round at every node that it comes to.
const LARGEST_BATCH: u64 = 128;
const SMALLEST_BATCH: u64 = 32;
/// The most transfers made in one round, as far as the batches allow.
const LARGEST_ROUND: u64 = 8192;

/// What a node does under load.
#[derive(Clone, Debug)]
pub(super) struct Load {
    seed: u64,
    draw: NodeDraw,
    /// How many transfers are still to be made; `u64::MAX` is as good as for ever.
    left: u64,
    /// That everything was generated has been said.
    has_rested: bool,
    /// Say the balance once this many have been received.
    settle: Option<u64>,
}

impl Load {
    /// Of this seed, with this [state](NodeDraw::state) of what is drawn, and so many transfers still to be
    /// made.
    pub(super) fn new(seed: u64, state: u64, left: u64) -> Self {
        Self {
            seed,
            draw: NodeDraw::from_state(state),
            left,
            has_rested: false,
            settle: None,
        }
    }

    /// What [`Load::new`] makes one of that goes on like this one. What was asked is asked again.
    pub(super) fn kept(&self) -> (u64, u64, u64) {
        (self.seed, self.draw.state(), self.left)
    }
}

/// A round of transfers, one batch for every outgoing channel.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// The channel that comes first.
    pub first: usize,
    largest: u64,
    transfers: u64,
}

impl Round {
    /// Of a node with this many outgoing channels.
    pub(super) fn of(peers: usize, first: usize) -> Self {
        let peers = peers.max(1) as u64;
        let largest = (LARGEST_ROUND / peers).clamp(SMALLEST_BATCH, LARGEST_BATCH);
        Self {
            first,
            largest,
            // Half of what there is goes out in a round, if there is room for everybody; more where
            // that is less than 1 a transfer.
            transfers: peers * largest / 2,
        }
    }
}

/// The frames of a batch, each made as it is taken.
#[derive(Debug)]
pub struct Batch<'b> {
    books: &'b mut Books,
    draw: &'b mut NodeDraw,
    average: Average,
    left: u64,
}

impl Batch<'_> {
    /// How many of its frames were not taken yet.
    pub(super) fn left(&self) -> u64 {
        self.left
    }
}

impl Iterator for Batch<'_> {
    type Item = Frame;

    #[inline]
    fn next(&mut self) -> Option<Frame> {
        self.left = self.left.checked_sub(1)?;
        // At least 1, for as long as there is anything.
        let amount = self.draw.amount(self.average).max(1);
        let amount = amount.min(self.books.balance());
        // It cannot be refused: it is no more than there is.
        self.books.withdraw(amount).map(Frame::Message)
    }
}

impl Node {
    pub(super) fn start_load(&mut self, seed: u64, quota: Option<u64>, effects: &mut Vec<Effect>) {
        if self.load.as_ref().is_some_and(|load| load.seed == seed) {
            // Master says it again to whoever has come back.
            return;
        }
        self.keep(|| Record::Load { seed, quota });
        self.say(effects, |_| "makes random transfers from now on".to_owned());
        // Where there is nobody to send to, that is all.
        let left = match self.outgoing.len() {
            0 => 0,
            _ => quota.unwrap_or(u64::MAX),
        };
        let state = NodeDraw::from_seed(seed, self.id).state();
        self.load = Some(Load::new(seed, state, left));
    }

    /// The observer's orders come over a pipe of their own, so perhaps before the load begins.
    pub(super) fn begin_what_was_ordered(
        &mut self,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        while let Some(snapshot) = self.takes.pop_front() {
            self.begin_freely(snapshot, effects)?;
        }
        Ok(())
    }

    /// Begins a snapshot; where no marker will come, for want of incoming channels, that was all.
    pub(super) fn begin_freely(
        &mut self,
        snapshot: SnapshotId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        // It may be ordered again when somebody has come back.
        if self.lasting.is_some() && self.member.has_recorded(snapshot) {
            return Ok(());
        }
        self.keep(|| Record::Take { snapshot });
        self.begin(snapshot, effects)?;
        self.give_if_complete(snapshot, effects);
        self.begin_segment(snapshot, effects);
        Ok(())
    }

    pub(super) fn rest(&mut self) {
        if let Some(load) = &mut self.load
            && std::mem::take(&mut load.left) > 0
        {
            self.keep(|| Record::Rest);
        }
    }

    pub(super) fn settle(&mut self, transfers: u64) {
        if let Some(load) = &mut self.load {
            load.settle = Some(transfers);
        }
    }

    /// How many transfers were received.
    pub(super) fn received_in_all(&self) -> u64 {
        let ends = self.member.account().incoming().iter();
        ends.map(|end| end.tally.count).sum()
    }

    pub(super) fn sent_to(&self, peers: &[Place]) -> Result<Vec<u64>, Broken> {
        let ends = self.member.account().outgoing();
        let count = |peer: &Place| Ok(ends[self.to.get(*peer)?].tally.count);
        peers.iter().map(count).collect()
    }

    /// Receives frames of one channel, one after the other, up to the first marker; whether there
    /// was one, so that there may be more behind it.
    ///
    /// # Errors
    ///
    /// A frame breaks a rule.
    #[inline]
    pub fn receive_run(
        &mut self,
        from: Incoming,
        frames: impl IntoIterator<Item = Frame>,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, Broken> {
        let kept = self.lasting.as_mut();
        let kept = kept.map(|lasting| std::mem::take(&mut lasting.unkept));
        let marker = match kept {
            None => self.receive(from, frames)?,
            Some(mut unkept) => {
                let frames = frames.into_iter();
                let marker = put_run(&mut unkept, from, frames, |seen| self.receive(from, seen))?;
                if let Some(lasting) = &mut self.lasting {
                    lasting.unkept = unkept;
                }
                marker
            }
        };
        let has_come = marker.is_some();
        if let Some(marker) = marker {
            self.received_marker(from, marker, effects);
        }
        Ok(has_come)
    }

    #[cold]
    fn received_marker(&mut self, from: Incoming, marker: Marker, effects: &mut Vec<Effect>) {
        let (snapshot, has_recorded) = (marker.snapshot, marker.relay.is_some());
        self.passed(from, marker, effects);
        self.give_if_complete(snapshot, effects);
        if has_recorded {
            self.begin_segment(snapshot, effects);
        }
    }

    /// A marker has passed; whoever has recorded with it relays it.
    pub(super) fn passed(&mut self, from: Incoming, marker: Marker, effects: &mut Vec<Effect>) {
        self.incoming[from.0].markers += 1;
        if let Some(markers) = marker.relay {
            self.broadcast(markers, effects);
        }
    }

    /// Begins a round of transfers, if there is anything to be made.
    pub fn round(&mut self) -> Option<Round> {
        let peers = self.outgoing.len();
        let load = self.load.as_mut()?;
        if load.left == 0 {
            return None;
        }
        let first = load.draw.size(peers as u64) as usize - 1;
        self.keep(|| Record::Round);
        Some(Round::of(peers, first))
    }

    /// Makes a batch of a round for one channel: `push` takes all of its frames and appends them.
    /// `None` where the node is not under load.
    #[inline]
    pub fn make_batch<R>(
        &mut self,
        round: &Round,
        to: Outgoing,
        push: impl FnOnce(Batch<'_>) -> R,
    ) -> Option<R> {
        let load = self.load.as_mut()?;
        let left = load.draw.size(round.largest).min(load.left);
        load.left -= left;
        if let Some(lasting) = &mut self.lasting {
            put_batch(&mut lasting.unkept, to, left);
        }
        let average = Average::of(self.member.account().balance() / 2, round.transfers);
        let draw = &mut load.draw;
        Some(self.member.sending(to, |books| {
            push(Batch {
                books,
                draw,
                average,
                left,
            })
        }))
    }

    /// The replies that come when it is time.
    pub fn say_when_it_is_time(&mut self, effects: &mut Vec<Effect>) {
        let Some(load) = &mut self.load else {
            return;
        };
        if load.left == 0 && !load.has_rested {
            load.has_rested = true;
            effects.push(Effect::Reply(Reply::Generated));
        }
        let Some(wanted) = load.settle.take() else {
            return;
        };
        let received = self.received_in_all();
        if received >= wanted {
            let balance = self.member.account().balance();
            effects.push(Effect::Reply(Reply::Settled { received, balance }));
        } else {
            self.settle(wanted);
        }
    }
}
