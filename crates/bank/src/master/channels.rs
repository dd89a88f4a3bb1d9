//! What master knows of every channel: what was enqueued on it and not yet taken.
//!
//! Master knows it because every transfer and every marker is the effect of a command that it
//! issued, and because channels are FIFO. It is what lets master issue commands ahead of their
//! replies: whether there is something to receive, from which channels a draw chooses, and when a
//! node is about to record its state. Two things it cannot know before the replies come, and it
//! says so rather than guess:
//!
//! * whether a transfer that the sender may refuse is there ([`Head::Undetermined`]);
//! * whether a marker is there whose sender has not yet said that it recorded its state: it may
//!   never come to that, where somebody dies ([`Head::Marker`] with the ticket of the command that
//!   made the sender record).
//!
//! Whatever is done here for a command can be undone, the last first: that is how master comes back
//! to what is certain when a process dies with commands in flight (`deaths.rs`).

use std::collections::VecDeque;

use snapshot::SnapshotId;

use super::ready::Ready;
use crate::account::Transfer;
use crate::id::{NodeId, Place};
use crate::member::Frame;

/// A number of steps, counted in script order: those retired, or how many must be.
pub(super) type Ticket = u64;

/// What is at the head of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Nothing.
    Nothing,
    /// Only time will tell: a transfer that may yet be refused.
    Undetermined,
    /// A transfer of this amount.
    Transfer(u64),
    /// A marker, which is on its way once this many steps are retired.
    Marker(SnapshotId, Ticket),
}

/// What a receive takes, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Transfer(u64),
    /// The receiver's first marker of this snapshot: it records its state.
    FirstMarker(SnapshotId),
    /// A later one.
    Marker(SnapshotId),
}

/// Transfers, and how much they are together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// How many.
    pub count: u64,
    /// How much in all.
    pub amount: u128,
}

impl Transfers {
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.amount += other.amount;
    }
}

impl std::fmt::Display for Transfers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(
            f,
            "{} transfer{plural} ({} in all)",
            self.count, self.amount
        )
    }
}

/// What waits in a channel.
#[derive(Clone, Copy, Debug)]
enum Enqueued {
    Transfer(u64),
    Marker(SnapshotId, Ticket),
}

impl Enqueued {
    fn frame(self) -> Frame {
        match self {
            Self::Transfer(amount) => Frame::Message(Transfer(amount)),
            Self::Marker(snapshot, _) => Frame::Marker(snapshot),
        }
    }
}

/// One channel.
#[derive(Clone, Debug, Default)]
struct Channel {
    /// How many frames were taken: the index of the first in `queue`. The receiver counts the same.
    taken: u64,
    queue: VecDeque<Enqueued>,
    /// Indices of transfers that may yet be refused.
    undetermined: VecDeque<u64>,
}

impl Channel {
    fn head(&self) -> Head {
        match self.queue.front() {
            None => Head::Nothing,
            Some(_) if self.undetermined.front() == Some(&self.taken) => Head::Undetermined,
            Some(Enqueued::Transfer(amount)) => Head::Transfer(*amount),
            Some(Enqueued::Marker(snapshot, done)) => Head::Marker(*snapshot, *done),
        }
    }

    fn end(&self) -> u64 {
        self.taken + self.queue.len() as u64
    }

    fn transfers(&self, frames: usize) -> Transfers {
        let mut found = Transfers::default();
        for enqueued in self.queue.iter().skip(frames) {
            if let Enqueued::Transfer(amount) = enqueued {
                found.count += 1;
                found.amount += u128::from(*amount);
            }
        }
        found
    }
}

/// A node, as a sender.
#[derive(Clone, Debug, Default)]
struct Sender {
    is_dead: bool,
    /// It is dead and will come back: what is on the way to it cannot be received now.
    is_suspended: bool,
    /// Snapshots recorded and not yet collected, in the order in which they were recorded, and how
    /// many steps must be retired until that is certain.
    recorded: Vec<(SnapshotId, Ticket)>,
    /// Where its outgoing channels lead.
    outgoing: Vec<Place>,
}

/// All channels of the bank.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    senders: Vec<Sender>,
    /// By sender, then receiver: which of `channels`. A row ends with the last receiver.
    slots: Vec<Vec<u32>>,
    /// In the order in which they opened, behind [`NEVER_OPENED`].
    channels: Vec<Channel>,
    /// Which channels have something to receive, and of which that is undetermined.
    ready: Ready,
}

/// What stands for every channel that was never opened: nothing is ever enqueued on it.
const NEVER_OPENED: usize = 0;

impl Default for Channels {
    fn default() -> Self {
        Self {
            senders: Vec::new(),
            slots: Vec::new(),
            channels: vec![Channel::default()],
            ready: Ready::default(),
        }
    }
}

impl Channels {
    /// A node joins, without channels.
    pub(super) fn join(&mut self, id: NodeId) {
        self.ready.join(id);
        self.senders.push(Sender::default());
        self.slots.push(Vec::new());
    }

    /// The sender of a channel opens it with the command of this ticket: the markers of the snapshots
    /// that it has recorded and that are not collected go out first, where it is `owing` them.
    pub(super) fn open(&mut self, from: Place, to: Place, owing: bool, done: Ticket) {
        let sender = &mut self.senders[from.index()];
        sender.outgoing.push(to);
        let owed = sender.recorded.iter().filter(|_| owing);
        let markers = owed.map(|(snapshot, _)| Enqueued::Marker(*snapshot, done));
        let queue = markers.collect();
        let row = &mut self.slots[from.index()];
        row.resize(row.len().max(to.index() + 1), NEVER_OPENED as u32);
        row[to.index()] = self.channels.len() as u32;
        self.channels.push(Channel {
            queue,
            ..Channel::default()
        });
        self.refresh(from, to);
    }

    /// A channel as it was when its bank was closed.
    pub(super) fn reopen(
        &mut self,
        from: Place,
        to: Place,
        taken: u64,
        waiting: impl IntoIterator<Item = Frame>,
    ) {
        self.open(from, to, false, 0);
        let waiting = waiting.into_iter().map(|frame| match frame {
            Frame::Message(Transfer(amount)) => Enqueued::Transfer(amount),
            Frame::Marker(snapshot) => Enqueued::Marker(snapshot, 0),
        });
        let channel = self.channel_mut(from, to);
        channel.taken = taken;
        channel.queue = waiting.collect();
        self.refresh(from, to);
    }

    /// Snapshots that a node had recorded when its bank was closed, and that are not collected.
    pub(super) fn reopen_recorded(&mut self, node: Place, recorded: &[SnapshotId]) {
        let certain = recorded.iter().map(|snapshot| (*snapshot, 0));
        self.senders[node.index()].recorded = certain.collect();
    }

    /// Undoes [`open`](Self::open).
    pub(super) fn undo_open(&mut self, from: Place, to: Place) {
        self.senders[from.index()].outgoing.pop();
        debug_assert_eq!(self.slot(from, to) + 1, self.channels.len());
        self.slots[from.index()][to.index()] = NEVER_OPENED as u32;
        self.channels.pop();
        self.refresh(from, to);
    }

    /// Whether the channel was opened.
    pub(super) fn is_open(&self, from: Place, to: Place) -> bool {
        self.slot(from, to) != NEVER_OPENED
    }

    /// A transfer is enqueued; `certain` unless its sender may yet refuse it.
    pub(super) fn send(&mut self, from: Place, to: Place, amount: u64, certain: bool) {
        let slot = self.slot(from, to);
        debug_assert_ne!(slot, NEVER_OPENED);
        let channel = &mut self.channels[slot];
        if !certain {
            channel.undetermined.push_back(channel.end());
        }
        channel.queue.push_back(Enqueued::Transfer(amount));
        if channel.queue.len() == 1 {
            self.ready.set(from, to, channel.head());
        }
    }

    /// Undoes [`send`](Self::send).
    pub(super) fn undo_send(&mut self, from: Place, to: Place) {
        let channel = self.channel_mut(from, to);
        channel.queue.pop_back();
        let end = channel.end();
        if channel.undetermined.back() == Some(&end) {
            channel.undetermined.pop_back();
        }
        self.refresh(from, to);
    }

    /// The oldest transfer of the channel that might have been refused was sent, or was not.
    pub(super) fn determine(&mut self, from: Place, to: Place, sent: bool) {
        let channel = self.channel_mut(from, to);
        if let Some(index) = channel.undetermined.pop_front()
            && !sent
        {
            channel.queue.remove((index - channel.taken) as usize);
            for later in &mut channel.undetermined {
                *later -= 1;
            }
        }
        self.refresh(from, to);
    }

    /// What is at the head of the channel.
    #[inline]
    pub(super) fn head(&self, from: Place, to: Place) -> Head {
        self.channel(from, to).head()
    }

    /// `to` takes the head of the channel, which must be a transfer or a marker, and does so
    /// once `done` steps are retired. Where it is the first marker of its snapshot, `to` records its
    /// state.
    #[inline]
    pub(super) fn take(&mut self, from: Place, to: Place, done: Ticket) -> Option<Taken> {
        let slot = self.slot(from, to);
        let channel = &mut self.channels[slot];
        let head = channel.queue.pop_front()?;
        channel.taken += 1;
        if channel.queue.is_empty() && channel.queue.capacity() > 4096 {
            channel.queue = VecDeque::new();
        }
        let taken = match head {
            Enqueued::Transfer(amount) => Taken::Transfer(amount),
            Enqueued::Marker(snapshot, _) => {
                let recorded = &self.senders[to.index()].recorded;
                if recorded.iter().any(|(id, _)| *id == snapshot) {
                    Taken::Marker(snapshot)
                } else {
                    self.record(to, snapshot, done);
                    Taken::FirstMarker(snapshot)
                }
            }
        };
        self.ready.set(from, to, self.channels[slot].head());
        Some(taken)
    }

    /// Undoes [`take`](Self::take).
    pub(super) fn undo_take(&mut self, from: Place, to: Place, taken: Taken) {
        let enqueued = match taken {
            Taken::Transfer(amount) => Enqueued::Transfer(amount),
            Taken::FirstMarker(snapshot) => {
                self.undo_record(to, snapshot);
                Enqueued::Marker(snapshot, 0)
            }
            Taken::Marker(snapshot) => Enqueued::Marker(snapshot, 0),
        };
        let channel = self.channel_mut(from, to);
        channel.taken -= 1;
        channel.queue.push_front(enqueued);
        self.refresh(from, to);
    }

    /// `node` records its state for `snapshot`, and has done so once `done` steps are retired: the
    /// marker goes out on every channel.
    pub(super) fn record(&mut self, node: Place, snapshot: SnapshotId, done: Ticket) {
        self.senders[node.index()].recorded.push((snapshot, done));
        for index in 0..self.senders[node.index()].outgoing.len() {
            let to = self.senders[node.index()].outgoing[index];
            if !self.senders[to.index()].is_dead {
                let channel = self.channel_mut(node, to);
                channel.queue.push_back(Enqueued::Marker(snapshot, done));
                self.refresh(node, to);
            }
        }
    }

    /// Undoes [`record`](Self::record).
    pub(super) fn undo_record(&mut self, node: Place, snapshot: SnapshotId) {
        self.senders[node.index()].recorded.pop();
        for index in 0..self.senders[node.index()].outgoing.len() {
            let to = self.senders[node.index()].outgoing[index];
            let channel = self.channel_mut(node, to);
            if let Some(Enqueued::Marker(last, _)) = channel.queue.back()
                && *last == snapshot
            {
                channel.queue.pop_back();
            }
            self.refresh(node, to);
        }
    }

    /// Where a node's channels lead.
    pub(super) fn outgoing(&self, node: Place) -> &[Place] {
        &self.senders[node.index()].outgoing
    }

    /// The snapshots that a node has recorded, and that are not collected, in that order.
    pub(super) fn recorded_by(&self, node: Place) -> impl Iterator<Item = SnapshotId> {
        let recorded = self.senders[node.index()].recorded.iter();
        recorded.map(|(snapshot, _)| *snapshot)
    }

    /// Those that have recorded this snapshot.
    pub(super) fn recorded(&self, snapshot: SnapshotId) -> impl Iterator<Item = Place> {
        let senders = self.senders.iter().enumerate();
        let has = move |sender: &Sender| sender.recorded.iter().any(|(id, _)| *id == snapshot);
        senders
            .filter(move |(_, sender)| has(sender))
            .map(|(index, _)| Place::at(index))
    }

    /// Every snapshot that had begun was collected.
    pub(super) fn collected(&mut self) {
        for sender in &mut self.senders {
            sender.recorded.clear();
        }
    }

    /// A node is dead, and nothing that is on the way to it will be received.
    pub(super) fn die(&mut self, node: Place) {
        self.senders[node.index()].is_dead = true;
        for from in (0..self.senders.len()).map(Place::at) {
            let channel = self.channel_mut(from, node);
            channel.queue = VecDeque::new();
            channel.undetermined.clear();
            self.refresh(from, node);
        }
    }

    /// A node is dead for now, or is so no more: until then nothing on the way to it can be received.
    pub(super) fn suspend(&mut self, node: Place, is_suspended: bool) {
        self.senders[node.index()].is_suspended = is_suspended;
        for from in (0..self.senders.len()).map(Place::at) {
            self.refresh(from, node);
        }
    }

    /// Nothing behind the first frames of this channel will ever come.
    pub(super) fn truncate(&mut self, from: Place, to: Place, frames: usize) {
        let channel = self.channel_mut(from, to);
        channel.queue.truncate(frames);
        self.refresh(from, to);
    }

    /// What waits in the channel, in order.
    pub(super) fn frames(&self, from: Place, to: Place) -> impl Iterator<Item = Frame> {
        let queue = &self.channel(from, to).queue;
        queue.iter().map(|enqueued| enqueued.frame())
    }

    /// What waits in the channel behind its first frames, in order.
    pub(super) fn frames_behind(
        &self,
        from: Place,
        to: Place,
        frames: usize,
    ) -> impl Iterator<Item = Frame> {
        let queue = &self.channel(from, to).queue;
        let behind = queue.range(frames.min(queue.len())..);
        behind.map(|enqueued| enqueued.frame())
    }

    /// How many frames wait in the channel.
    pub(super) fn len(&self, from: Place, to: Place) -> usize {
        self.channel(from, to).queue.len()
    }

    /// How many frames were enqueued on the channel, those taken included.
    pub(super) fn end(&self, from: Place, to: Place) -> u64 {
        self.channel(from, to).end()
    }

    /// How many frames of the channel were taken.
    pub(super) fn taken(&self, from: Place, to: Place) -> u64 {
        self.channel(from, to).taken
    }

    /// The transfers that wait in the channel behind its first frames.
    pub(super) fn transfers_behind(&self, from: Place, to: Place, frames: usize) -> Transfers {
        self.channel(from, to).transfers(frames)
    }

    /// Which channels have something to receive.
    pub(super) fn ready(&mut self) -> &mut Ready {
        &mut self.ready
    }

    #[inline]
    fn slot(&self, from: Place, to: Place) -> usize {
        let slot = self.slots[from.index()].get(to.index());
        slot.map_or(NEVER_OPENED, |slot| *slot as usize)
    }

    #[inline]
    fn channel(&self, from: Place, to: Place) -> &Channel {
        &self.channels[self.slot(from, to)]
    }

    #[inline]
    fn channel_mut(&mut self, from: Place, to: Place) -> &mut Channel {
        let slot = self.slot(from, to);
        &mut self.channels[slot]
    }

    fn refresh(&mut self, from: Place, to: Place) {
        let head = match self.senders[to.index()].is_suspended {
            true => Head::Nothing,
            false => self.channel(from, to).head(),
        };
        self.ready.set(from, to, head);
    }
}
