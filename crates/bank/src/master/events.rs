//! The history of the run: hears what is retired, and makes events of it, in the order in which the
//! results are shown.
//!
//! Its own events, replayed, tell it what it must know to number messages and to give the tallies of
//! a recorded state.
//!
//! Never here: whether a command succeeds.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use history::{
    Channel, ChannelState, Passed, ProcessId, ProcessState, Replay, SnapshotId, Tally, What,
};
use serde::{Deserialize, Serialize};

use super::{Effect, Fate, Image};
use crate::audit::GlobalSnapshot;
use crate::id::{NodeId, Place};

/// A `collect` of more numbers than this is written as several lines. A number takes at most 21
/// bytes, with its comma.
const NUMBERS: usize = 4_000;

/// What the names of the keys of one list entry take, counted as numbers.
const ENTRY: usize = 4;

/// Where events go.
type Out = Vec<Effect>;

/// Makes the history.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Events {
    replay: Replay,
    /// The channels that were opened, in a sparse system.
    sparse: Option<BTreeSet<Channel>>,
    /// Whether the dead come back: what is sent to them is on its way meanwhile.
    lasting: bool,
    /// Channels from somebody who was dead when the other was created.
    put_off: BTreeSet<Channel>,
}

impl Events {
    /// None yet.
    pub(super) fn new(lasting: bool) -> Self {
        Self {
            lasting,
            ..Self::default()
        }
    }

    /// A system begins.
    pub(super) fn started(&mut self, line: u64, sparse: bool, out: &mut Out) {
        self.sparse = sparse.then(BTreeSet::new);
        self.put_off.clear();
        self.write(line, What::Start { sparse }, out);
    }

    /// A bank is opened that an earlier script has left, with no snapshot in progress. Who is there is created
    /// with what they have and what of theirs is on its way, which is sent at once: so the history begins
    /// with what there is, and nothing before. One that [goes on](super::HistorySoFar) has begun.
    pub(super) fn opened(&mut self, line: u64, image: &Image, out: &mut Out) {
        if self.replay.is_running() {
            return;
        }
        self.started(line, image.sparse, out);
        let id = |place: Place| image.nodes[place.index()].id;
        let is_there = |place: Place| image.nodes[place.index()].never_created.is_none();
        for (index, node) in image.nodes.iter().enumerate() {
            let place = Place::at(index);
            let on_its_way = image.waiting().filter(|(from, ..)| *from == place);
            let amount =
                on_its_way.fold(node.balance, |sum, (.., amount)| sum.saturating_add(amount));
            if is_there(place) {
                self.created(line, node.id, amount, false, out);
            }
        }
        if image.sparse {
            // Those that were put off open later.
            for it in &image.channels {
                self.connected(line, (id(it.from), id(it.to)), false, out);
            }
        }
        for (from, to, amount) in image.waiting() {
            self.sent(line, (id(from), id(to)), amount, false, out);
        }
        for (place, fate) in image.dead.iter().filter(|(place, _)| is_there(*place)) {
            self.died(Some(line), Some(id(*place)), fate, out);
        }
    }

    /// A channel opens. Where its sender is `owing` them, the markers of the snapshots that it has recorded
    /// and that are not collected are the first on it.
    pub(super) fn connected(
        &mut self,
        line: u64,
        channel: (NodeId, NodeId),
        owing: bool,
        out: &mut Out,
    ) {
        let channel = channel_of(channel);
        self.sparse.get_or_insert_default().insert(channel);
        self.write(line, What::Connect { channel }, out);
        self.pay(line, channel, owing, out);
    }

    /// A node begins. In a full mesh, channels open to and from it.
    pub(super) fn created(
        &mut self,
        line: u64,
        id: NodeId,
        amount: u64,
        owing: bool,
        out: &mut Out,
    ) {
        let process = ProcessId(id.0);
        let (dead, living): (Vec<_>, Vec<_>) =
            { self.replay.processes().iter() }.partition(|(_, it)| it.is_dead);
        let places = |of: Vec<(&ProcessId, &_)>| of.into_iter().map(|(peer, _)| *peer).collect();
        let (dead, present): (Vec<ProcessId>, Vec<ProcessId>) = (places(dead), places(living));
        let name = None;
        let created = What::Create {
            process,
            name,
            amount: amount.into(),
        };
        self.write(line, created, out);
        if self.sparse.is_some() {
            return;
        }
        for from in present {
            self.pay(line, Channel { from, to: process }, owing, out);
        }
        let put_off = dead.into_iter().filter(|_| self.lasting);
        self.put_off
            .extend(put_off.map(|from| Channel { from, to: process }));
    }

    /// The sender of a new channel sends the markers that it owes.
    fn pay(&mut self, line: u64, channel: Channel, owing: bool, out: &mut Out) {
        let sender = self.replay.processes().get(&channel.from);
        let owed = sender.filter(|_| owing).map(|it| it.recorded.clone());
        for snapshot in owed.into_iter().flatten() {
            self.marker_sent(line, channel, snapshot, false, out);
        }
    }

    /// A node has sent a transfer; `inferred` where it did not say so.
    pub(super) fn sent(
        &mut self,
        line: u64,
        channel: (NodeId, NodeId),
        amount: u64,
        inferred: bool,
        out: &mut Out,
    ) {
        let channel = channel_of(channel);
        let number = self.replay.channel(channel).sent.messages + 1;
        let what = What::Send {
            channel,
            amount: amount.into(),
            number,
            inferred,
        };
        self.write(line, what, out);
    }

    /// A node has refused to send one.
    pub(super) fn refused(
        &mut self,
        line: u64,
        channel: (NodeId, NodeId),
        amount: u64,
        out: &mut Out,
    ) {
        let channel = channel_of(channel);
        self.write(
            line,
            What::Refuse {
                channel,
                amount: amount.into(),
            },
            out,
        );
    }

    /// A node has received a transfer.
    pub(super) fn received(
        &mut self,
        line: u64,
        channel: (NodeId, NodeId),
        amount: u64,
        out: &mut Out,
    ) {
        let channel = channel_of(channel);
        let number = self.replay.channel(channel).received.messages + 1;
        let what = What::Receive {
            channel,
            amount: amount.into(),
            number,
        };
        self.write(line, what, out);
    }

    /// A node has received a marker; where it was the first of its snapshot, it had this balance.
    pub(super) fn marker_received(
        &mut self,
        line: u64,
        channel: (NodeId, NodeId),
        snapshot: snapshot::SnapshotId,
        recorded: Option<u64>,
        inferred: bool,
        out: &mut Out,
    ) {
        let (channel, snapshot) = (channel_of(channel), SnapshotId(snapshot.0));
        self.write(line, What::MarkerReceived { channel, snapshot }, out);
        if let Some(balance) = recorded {
            self.record(line, channel.to, snapshot, balance, inferred, out);
        }
        self.write(line, What::ChannelClosed { channel, snapshot }, out);
    }

    /// A node with this balance has begun a snapshot; `inferred` where it did not say so.
    pub(super) fn began(
        &mut self,
        line: u64,
        node: NodeId,
        snapshot: snapshot::SnapshotId,
        balance: u64,
        inferred: bool,
        out: &mut Out,
    ) {
        let (process, snapshot) = (ProcessId(node.0), SnapshotId(snapshot.0));
        let members = Vec::new();
        let began = What::Begin {
            process,
            snapshot,
            members,
        };
        self.write(line, began, out);
        self.record(line, process, snapshot, balance, inferred, out);
    }

    /// Every snapshot that had begun was collected, and has passed its audit.
    pub(super) fn collected<'s>(
        &mut self,
        line: Option<u64>,
        snapshots: impl Iterator<Item = &'s GlobalSnapshot>,
        out: &mut Out,
    ) {
        for snapshot in snapshots {
            self.one_collected(line, snapshot, out);
        }
    }

    /// A snapshot has failed its audit; those collected with it are lost too.
    pub(super) fn unsound(
        &mut self,
        line: Option<u64>,
        id: snapshot::SnapshotId,
        reason: String,
        out: &mut Out,
    ) {
        let (snapshot, verdict) = (SnapshotId(id.0), Err(reason.into()));
        self.write(line, What::Audit { snapshot, verdict }, out);
    }

    /// A node, or the observer, has died, on this line where the script killed it.
    pub(super) fn died(
        &mut self,
        line: Option<u64>,
        node: Option<NodeId>,
        fate: &Fate,
        out: &mut Out,
    ) {
        let (process, reason) = (node.map(|node| ProcessId(node.0)), fate.to_string().into());
        self.write(line, What::Death { process, reason }, out);
    }

    /// A node, or the observer, was started again, on this line where the script did it.
    pub(super) fn restarted(
        &mut self,
        line: Option<u64>,
        node: Option<NodeId>,
        incarnation: u64,
        out: &mut Out,
    ) {
        let process = node.map(|node| ProcessId(node.0));
        self.write(
            line,
            What::Restarted {
                process,
                incarnation,
            },
            out,
        );
        // Its channels to those who were created meanwhile open now.
        let opened: Vec<Channel> = { self.put_off.iter() }
            .filter(|channel| Some(channel.from) == process)
            .copied()
            .collect();
        for channel in opened {
            self.put_off.remove(&channel);
            self.pay(line.unwrap_or(0), channel, true, out);
        }
    }

    /// The system ends.
    pub(super) fn ended(&mut self, line: Option<u64>, out: &mut Out) {
        if self.replay.is_running() {
            self.write(line, What::End, out);
        }
    }

    /// A process records its state and sends its markers.
    fn record(
        &mut self,
        line: u64,
        process: ProcessId,
        snapshot: SnapshotId,
        balance: u64,
        inferred: bool,
        out: &mut Out,
    ) {
        let tally = |peer: ProcessId, Passed { messages, sum }: Passed| {
            (messages > 0).then_some(Tally {
                process: peer,
                messages,
                sum,
            })
        };
        let (mut sent, mut received, mut peers_there) = (Vec::new(), Vec::new(), Vec::new());
        let peers = self.replay.processes().iter();
        for (peer, it) in peers.filter(|(peer, _)| **peer != process) {
            let (from, to) = (process, *peer);
            sent.extend(tally(to, self.replay.channel(Channel { from, to }).sent));
            let (from, to) = (to, from);
            received.extend(tally(
                from,
                self.replay.channel(Channel { from, to }).received,
            ));
            let leads_there = match &self.sparse {
                Some(channels) => channels.contains(&Channel {
                    from: process,
                    to: *peer,
                }),
                None => true,
            };
            let comes_back = self.lasting || !it.is_dead;
            peers_there.extend((leads_there && comes_back).then_some(*peer));
        }
        let what = What::Record {
            process,
            snapshot,
            amount: balance.into(),
            sent,
            received,
        };
        self.write(line, what, out);
        for to in peers_there {
            let channel = Channel { from: process, to };
            self.marker_sent(line, channel, snapshot, inferred, out);
        }
    }

    fn one_collected(&mut self, line: Option<u64>, collected: &GlobalSnapshot, out: &mut Out) {
        let snapshot = SnapshotId(collected.id.0);
        let (mut states, mut channels) = (Vec::new(), Vec::new());
        let mut numbers = 0;
        for (node, balance) in &collected.accounts {
            if numbers + ENTRY > NUMBERS {
                self.collect(line, snapshot, &mut states, &mut channels, out);
                numbers = 0;
            }
            numbers += ENTRY;
            states.push(ProcessState {
                process: ProcessId(node.0),
                amount: (*balance).into(),
            });
        }
        for ((from, to), amounts) in &collected.transit {
            let mut amounts = &amounts[..];
            while !amounts.is_empty() {
                if numbers + ENTRY >= NUMBERS {
                    self.collect(line, snapshot, &mut states, &mut channels, out);
                    numbers = 0;
                }
                let (now, later) = amounts.split_at(amounts.len().min(NUMBERS - numbers - ENTRY));
                amounts = later;
                numbers += ENTRY + now.len();
                channels.push(ChannelState {
                    from: ProcessId(from.0),
                    to: ProcessId(to.0),
                    amounts: now.iter().map(|amount| (*amount).into()).collect(),
                });
            }
        }
        self.collect(line, snapshot, &mut states, &mut channels, out);
        let total = u64::try_from(collected.total());
        let verdict = total
            .map(Into::into)
            .map_err(|_| "the total exceeds 2^64-1".into());
        self.write(line, What::Audit { snapshot, verdict }, out);
    }

    fn collect(
        &mut self,
        line: Option<u64>,
        snapshot: SnapshotId,
        states: &mut Vec<ProcessState>,
        channels: &mut Vec<ChannelState>,
        out: &mut Out,
    ) {
        let what = What::Collect {
            snapshot,
            states: std::mem::take(states),
            channels: std::mem::take(channels),
        };
        self.write(line, what, out);
    }

    fn marker_sent(
        &mut self,
        line: u64,
        channel: Channel,
        snapshot: SnapshotId,
        inferred: bool,
        out: &mut Out,
    ) {
        let what = What::MarkerSent {
            channel,
            snapshot,
            inferred,
        };
        self.write(line, what, out);
    }

    fn write(&mut self, line: impl Into<Option<u64>>, what: What, out: &mut Out) {
        self.replay.apply(&what);
        out.push(Effect::History(Box::new((line.into(), what))));
    }
}

fn channel_of((from, to): (NodeId, NodeId)) -> Channel {
    Channel {
        from: ProcessId(from.0),
        to: ProcessId(to.0),
    }
}
