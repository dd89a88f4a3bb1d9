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
    Marker {
        snapshot: SnapshotId,
        /// It is the receiver's first of this snapshot.
        records: bool,
    },
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
    /// Snapshots recorded and not yet collected, in the order in which they were recorded, and how
    /// many steps must be retired until that is certain.
    recorded: Vec<(SnapshotId, Ticket)>,
    /// Where its outgoing channels lead.
    outgoing: Vec<Place>,
}

/// All channels of the bank.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels {
    senders: Vec<Sender>,
    /// By sender, then receiver.
    channels: Vec<Vec<Channel>>,
    /// Which channels have something to receive, and of which that is undetermined.
    ready: Ready,
}

impl Channels {
    /// A node joins, without channels.
    pub(super) fn join(&mut self, id: NodeId) {
        self.ready.join(id);
        for row in &mut self.channels {
            row.push(Channel::default());
        }
        self.senders.push(Sender::default());
        let row = self.senders.iter().map(|_| Channel::default()).collect();
        self.channels.push(row);
    }

    /// The sender of a channel opens it with the command of this ticket: the markers of the snapshots
    /// that it has recorded and that are not collected go out first, where it is `owing` them.
    pub(super) fn open(&mut self, from: Place, to: Place, owing: bool, done: Ticket) {
        let sender = &mut self.senders[from.index()];
        sender.outgoing.push(to);
        let channel = &mut self.channels[from.index()][to.index()];
        for (snapshot, _) in sender.recorded.iter().filter(|_| owing) {
            channel.queue.push_back(Enqueued::Marker(*snapshot, done));
        }
        self.refresh(from, to);
    }

    /// Undoes [`open`](Self::open).
    pub(super) fn undo_open(&mut self, from: Place, to: Place) {
        self.senders[from.index()].outgoing.pop();
        self.channels[from.index()][to.index()] = Channel::default();
        self.refresh(from, to);
    }

    /// A transfer is enqueued; `certain` unless its sender may yet refuse it.
    pub(super) fn send(&mut self, from: Place, to: Place, amount: u64, certain: bool) {
        let channel = &mut self.channels[from.index()][to.index()];
        if !certain {
            channel.undetermined.push_back(channel.end());
        }
        channel.queue.push_back(Enqueued::Transfer(amount));
        if channel.queue.len() == 1 {
            self.refresh(from, to);
        }
    }

    /// Undoes [`send`](Self::send).
    pub(super) fn undo_send(&mut self, from: Place, to: Place) {
        let channel = &mut self.channels[from.index()][to.index()];
        channel.queue.pop_back();
        let end = channel.end();
        if channel.undetermined.back() == Some(&end) {
            channel.undetermined.pop_back();
        }
        self.refresh(from, to);
    }

    /// The oldest transfer of the channel that might have been refused was sent, or was not.
    pub(super) fn determine(&mut self, from: Place, to: Place, sent: bool) {
        let channel = &mut self.channels[from.index()][to.index()];
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
    pub(super) fn head(&self, from: Place, to: Place) -> Head {
        self.channels[from.index()][to.index()].head()
    }

    /// `to` takes the head of the channel, which must be a transfer or a marker, and does so
    /// once `done` steps are retired. Where it is the first marker of its snapshot, `to` records its
    /// state.
    pub(super) fn take(&mut self, from: Place, to: Place, done: Ticket) -> Option<Taken> {
        let channel = &mut self.channels[from.index()][to.index()];
        let head = channel.queue.pop_front()?;
        channel.taken += 1;
        if channel.queue.is_empty() && channel.queue.capacity() > 4096 {
            channel.queue = VecDeque::new();
        }
        let taken = match head {
            Enqueued::Transfer(amount) => Taken::Transfer(amount),
            Enqueued::Marker(snapshot, _) => {
                let recorded = &self.senders[to.index()].recorded;
                let records = !recorded.iter().any(|(id, _)| *id == snapshot);
                if records {
                    self.record(to, snapshot, done);
                }
                Taken::Marker { snapshot, records }
            }
        };
        self.refresh(from, to);
        Some(taken)
    }

    /// Undoes [`take`](Self::take).
    pub(super) fn undo_take(&mut self, from: Place, to: Place, taken: Taken) {
        let enqueued = match taken {
            Taken::Transfer(amount) => Enqueued::Transfer(amount),
            Taken::Marker { snapshot, records } => {
                if records {
                    self.undo_record(to, snapshot);
                }
                Enqueued::Marker(snapshot, 0)
            }
        };
        let channel = &mut self.channels[from.index()][to.index()];
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
                let channel = &mut self.channels[node.index()][to.index()];
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
            let channel = &mut self.channels[node.index()][to.index()];
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
        for from in 0..self.senders.len() {
            let channel = &mut self.channels[from][node.index()];
            channel.queue = VecDeque::new();
            channel.undetermined.clear();
            self.refresh(Place::at(from), node);
        }
    }

    /// Nothing behind the first frames of this channel will ever come.
    pub(super) fn truncate(&mut self, from: Place, to: Place, frames: usize) {
        let channel = &mut self.channels[from.index()][to.index()];
        channel.queue.truncate(frames);
        self.refresh(from, to);
    }

    /// What waits in the channel, in order.
    pub(super) fn frames(&self, from: Place, to: Place) -> impl Iterator<Item = Frame> {
        let queue = &self.channels[from.index()][to.index()].queue;
        queue.iter().map(|enqueued| enqueued.frame())
    }

    /// What waits in the channel behind its first frames, in order.
    pub(super) fn frames_behind(
        &self,
        from: Place,
        to: Place,
        frames: usize,
    ) -> impl Iterator<Item = Frame> {
        let queue = &self.channels[from.index()][to.index()].queue;
        let behind = queue.range(frames.min(queue.len())..);
        behind.map(|enqueued| enqueued.frame())
    }

    /// How many frames wait in the channel.
    pub(super) fn len(&self, from: Place, to: Place) -> usize {
        self.channels[from.index()][to.index()].queue.len()
    }

    /// How many frames of the channel were taken.
    pub(super) fn taken(&self, from: Place, to: Place) -> u64 {
        self.channels[from.index()][to.index()].taken
    }

    /// The transfers that wait in the channel behind its first frames.
    pub(super) fn transfers_behind(&self, from: Place, to: Place, frames: usize) -> Transfers {
        self.channels[from.index()][to.index()].transfers(frames)
    }

    /// Which channels have something to receive.
    pub(super) fn ready(&mut self) -> &mut Ready {
        &mut self.ready
    }

    fn refresh(&mut self, from: Place, to: Place) {
        let head = self.channels[from.index()][to.index()].head();
        self.ready.set(from, to, head);
    }
}
