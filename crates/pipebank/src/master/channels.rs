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
//!   die before ([`Head::Marker`] with the ticket of the command that made the sender record).
//!
//! A node is called by its place in the order of creation; draws go by id.

use std::collections::VecDeque;

use snapshot::SnapshotId;

use super::ready::Ready;
use bank::id::NodeId;

/// A node's place in the order of creation.
pub(super) type Place = usize;

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
    /// A marker, which is on its way once so many steps are retired.
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

/// What was lost in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) transfers: u64,
    pub(super) amount: u128,
}

impl Lost {
    pub(super) fn add_transfer(&mut self, amount: u64) {
        self.transfers += 1;
        self.amount += u128::from(amount);
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.transfers == 1 { "" } else { "s" };
        write!(
            f,
            "{} transfer{plural} ({} in all)",
            self.transfers, self.amount
        )
    }
}

#[derive(Clone, Copy, Debug)]
struct MarkerAt {
    /// Counted from the first frame ever enqueued on the channel.
    index: u64,
    snapshot: SnapshotId,
    done: Ticket,
}

/// One channel.
#[derive(Debug, Default)]
struct Channel {
    /// How many frames were taken: the index of the first in `queue`.
    taken: u64,
    /// The amounts of what waits; 0 where it is a marker.
    queue: VecDeque<u64>,
    markers: VecDeque<MarkerAt>,
    /// Indices of transfers that may yet be refused.
    undetermined: VecDeque<u64>,
    /// The channel's sender or receiver died before the other was created: there is no pipe.
    absent: bool,
}

impl Channel {
    fn head(&self) -> Head {
        let Some(amount) = self.queue.front() else {
            return Head::Nothing;
        };
        if self.undetermined.front() == Some(&self.taken) {
            return Head::Undetermined;
        }
        match self.markers.front() {
            Some(marker) if marker.index == self.taken => {
                Head::Marker(marker.snapshot, marker.done)
            }
            _ => Head::Transfer(*amount),
        }
    }

    fn end(&self) -> u64 {
        self.taken + self.queue.len() as u64
    }

    fn push_marker(&mut self, snapshot: SnapshotId, done: Ticket) {
        let index = self.end();
        self.markers.push_back(MarkerAt {
            index,
            snapshot,
            done,
        });
        self.queue.push_back(0);
    }

    /// Removes a frame that, after all, was not enqueued.
    fn remove(&mut self, index: u64) {
        self.queue.remove((index - self.taken) as usize);
        self.markers.retain(|marker| marker.index != index);
        for later in self.markers.iter_mut().filter(|m| m.index > index) {
            later.index -= 1;
        }
        self.undetermined.retain(|other| *other != index);
        for later in self.undetermined.iter_mut().filter(|i| **i > index) {
            *later -= 1;
        }
    }

    fn transfers(&self) -> u64 {
        (self.queue.len() - self.markers.len()) as u64
    }

    fn amount(&self) -> u128 {
        self.queue.iter().map(|amount| u128::from(*amount)).sum()
    }
}

#[derive(Debug)]
struct Member {
    alive: bool,
    /// Snapshots recorded and not yet collected, in the order in which they were recorded.
    recorded: Vec<SnapshotId>,
}

/// All channels of the bank.
#[derive(Debug, Default)]
pub(super) struct Channels {
    members: Vec<Member>,
    /// By sender, then receiver.
    channels: Vec<Vec<Channel>>,
    /// Which channels have something to receive, and of which that is undetermined.
    ready: Ready,
}

impl Channels {
    /// A node joins: there are channels to and from everybody who lives, and whoever has recorded
    /// an uncollected snapshot sends its marker first, if it is `owing` that.
    pub(super) fn join(&mut self, id: NodeId, owing: bool) {
        let place = self.members.len();
        self.ready.join(id);
        for (from, row) in self.channels.iter_mut().enumerate() {
            let mut channel = Channel {
                absent: !self.members[from].alive,
                ..Channel::default()
            };
            if owing && !channel.absent {
                for snapshot in &self.members[from].recorded {
                    channel.push_marker(*snapshot, 0);
                }
            }
            row.push(channel);
        }
        let to_others = self.members.iter().map(|member| Channel {
            absent: !member.alive,
            ..Channel::default()
        });
        let own_row = to_others.chain([Channel::default()]).collect();
        self.channels.push(own_row);
        self.members.push(Member {
            alive: true,
            recorded: Vec::new(),
        });
        for from in 0..place {
            self.refresh(from, place);
        }
    }

    /// A transfer is enqueued; `certain` unless its sender may yet refuse it.
    pub(super) fn send(&mut self, from: Place, to: Place, amount: u64, certain: bool) {
        let channel = &mut self.channels[from][to];
        if !certain {
            channel.undetermined.push_back(channel.end());
        }
        channel.queue.push_back(amount);
        if channel.queue.len() == 1 {
            self.refresh(from, to);
        }
    }

    /// The oldest transfer of the channel that might have been refused was sent, or was not.
    pub(super) fn determine(&mut self, from: Place, to: Place, sent: bool) {
        let channel = &mut self.channels[from][to];
        if let Some(index) = channel.undetermined.pop_front()
            && !sent
        {
            channel.remove(index);
        }
        self.refresh(from, to);
    }

    /// What is at the head of the channel.
    pub(super) fn head(&self, from: Place, to: Place) -> Head {
        self.channels[from][to].head()
    }

    /// Whether there never was a pipe from one to the other.
    pub(super) fn is_absent(&self, from: Place, to: Place) -> bool {
        self.channels[from][to].absent
    }

    /// `to` takes the head of the channel, which must be a transfer or a marker, and does so
    /// once `done` steps are retired. Where it is the first marker of its snapshot, `to` records its
    /// state.
    pub(super) fn take(&mut self, from: Place, to: Place, done: Ticket) -> Taken {
        let channel = &mut self.channels[from][to];
        let head = channel.head();
        channel.queue.pop_front();
        channel.taken += 1;
        if channel.queue.is_empty() && channel.queue.capacity() > 4096 {
            channel.queue = VecDeque::new();
        }
        let taken = match head {
            Head::Marker(snapshot, _) => {
                channel.markers.pop_front();
                let records = !self.members[to].recorded.contains(&snapshot);
                if records {
                    self.record(to, snapshot, done);
                }
                Taken::Marker { snapshot, records }
            }
            Head::Transfer(amount) => Taken::Transfer(amount),
            Head::Nothing | Head::Undetermined => Taken::Transfer(0),
        };
        self.refresh(from, to);
        taken
    }

    /// `node` records its state for `snapshot`, and has done so once `done` steps are retired: the
    /// marker goes out on every channel.
    pub(super) fn record(&mut self, node: Place, snapshot: SnapshotId, done: Ticket) {
        self.members[node].recorded.push(snapshot);
        for to in 0..self.members.len() {
            if to != node && self.members[to].alive && !self.channels[node][to].absent {
                self.channels[node][to].push_marker(snapshot, done);
                self.refresh(node, to);
            }
        }
    }

    /// After all, `node` did not record its state for `snapshot`.
    pub(super) fn unrecord(&mut self, node: Place, snapshot: SnapshotId) {
        self.members[node].recorded.retain(|id| *id != snapshot);
        for to in 0..self.members.len() {
            let channel = &mut self.channels[node][to];
            let at = channel.markers.iter().find(|m| m.snapshot == snapshot);
            if let Some(index) = at.map(|marker| marker.index) {
                channel.remove(index);
                self.refresh(node, to);
            }
        }
    }

    /// Every snapshot that had begun was collected.
    pub(super) fn collected(&mut self) {
        for member in &mut self.members {
            member.recorded.clear();
        }
    }

    /// A node died. What waits in the channels into it is lost, and is returned.
    pub(super) fn die(&mut self, node: Place) -> Lost {
        self.members[node].alive = false;
        let mut lost = Lost::default();
        for from in 0..self.members.len() {
            let channel = &mut self.channels[from][node];
            lost.transfers += channel.transfers();
            lost.amount += channel.amount();
            channel.queue = VecDeque::new();
            channel.markers.clear();
            channel.undetermined.clear();
            self.refresh(from, node);
        }
        lost
    }

    /// Of what a dead node had enqueued on this channel, only so many transfers and markers are
    /// there.
    pub(super) fn settle(&mut self, from: Place, to: Place, transfers: u64, markers: u64) {
        let channel = &mut self.channels[from][to];
        channel.undetermined.clear();
        channel.queue.truncate((transfers + markers) as usize);
        let end = channel.end();
        channel.markers.retain(|marker| marker.index < end);
        self.refresh(from, to);
    }

    /// The amounts of the transfers that wait in the channel.
    pub(super) fn amounts(&self, from: Place, to: Place) -> Vec<u64> {
        let channel = &self.channels[from][to];
        let is_marker = |index| channel.markers.iter().any(|marker| marker.index == index);
        (channel.taken..)
            .zip(&channel.queue)
            .filter(|(index, _)| !is_marker(*index))
            .map(|(_, amount)| *amount)
            .collect()
    }

    /// The last transfer that waits in the channel was never sent; whether there is one.
    pub(super) fn forget_last(&mut self, from: Place, to: Place) -> bool {
        let channel = &mut self.channels[from][to];
        let is_marker = |index: &u64| channel.markers.iter().any(|m| m.index == *index);
        let last = (channel.taken..channel.end()).rev().find(|i| !is_marker(i));
        if let Some(index) = last {
            channel.remove(index);
            self.refresh(from, to);
        }
        last.is_some()
    }

    /// Transfers, their sum, and markers that wait in the channel.
    pub(super) fn waiting(&self, from: Place, to: Place) -> (u64, u128, u64) {
        let channel = &self.channels[from][to];
        let markers = channel.markers.len() as u64;
        (channel.transfers(), channel.amount(), markers)
    }

    /// Which channels have something to receive.
    pub(super) fn ready(&mut self) -> &mut Ready {
        &mut self.ready
    }

    fn refresh(&mut self, from: Place, to: Place) {
        self.ready.set(from, to, self.channels[from][to].head());
    }
}
