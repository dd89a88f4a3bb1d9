//! The history of the run: hears from the session what was retired, and makes events of it, in the
//! order in which the results are shown. They go to a file (`--history`), into memory (`--diagram`),
//! and to what the prompt's `show` draws: each only where it is wanted.
//!
//! It knows of every channel how much has been sent and received, so that it can number messages
//! and give the tallies of a recorded state; and of every process what it did not answer before it
//! died.
//!
//! * `chronicle/infer.rs`: what the dead did without saying so;
//! * `chronicle/file.rs`: the file, and what becomes of it when it cannot be written;
//! * `chronicle/sinks.rs`: where the events go, and how many are kept in memory.
//!
//! Never here: whether a command succeeds.

mod file;
mod infer;
mod sinks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use history::{
    Channel, ChannelState, Content, Event, Header, ProcessId, ProcessState, SnapshotId, Tally, What,
};

use bank::audit::GlobalSnapshot;
use bank::id::NodeId;

pub(super) use file::{HistoryFile, Sha256Reader, is_same_file};
pub(super) use infer::Unanswered;
pub(super) use sinks::{KEPT_MIB, Kept, Sinks};

/// A `collect` of more numbers than this is written as several lines. A number takes at most 21
/// bytes, with its comma.
const NUMBERS: usize = 4_000;

/// What the names of the keys of one list entry take, counted as numbers.
const ENTRY: usize = 4;

/// Makes the history.
pub(super) struct Chronicle {
    pub(super) sinks: Sinks,
    begun: Instant,
    /// The system that runs.
    system: Option<System>,
}

#[derive(Default)]
struct System {
    members: BTreeMap<ProcessId, Member>,
    channels: HashMap<Channel, InTransit>,
}

#[derive(Default)]
struct Member {
    balance: u64,
    is_dead: bool,
    /// Snapshots recorded and not collected, in the order in which they were recorded.
    recorded: Vec<SnapshotId>,
    unanswered: VecDeque<(u64, Unanswered)>,
}

/// A channel.
#[derive(Default)]
struct InTransit {
    sent: Count,
    received: Count,
    /// What is sent and not received.
    queue: VecDeque<Content>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    messages: u64,
    sum: u128,
}

impl Count {
    fn add(&mut self, amount: u64) {
        self.messages += 1;
        self.sum += u128::from(amount);
    }
}

impl Chronicle {
    pub(super) fn new(mut sinks: Sinks, header: &Header) -> Self {
        sinks.begin(header);
        Self {
            sinks,
            begun: Instant::now(),
            system: None,
        }
    }

    /// A system begins.
    pub(super) fn started(&mut self, line: u64) {
        self.system = Some(System::default());
        self.write(line, What::Start);
    }

    /// A node begins. Whoever has recorded a snapshot that is not collected sends it the marker, if
    /// it is `owing` that.
    pub(super) fn created(&mut self, line: u64, id: NodeId, amount: u64, owing: bool) {
        let process = ProcessId(id.0);
        self.write(line, What::Create { process, amount });
        let Some(system) = &mut self.system else {
            return;
        };
        let debtors = system
            .members
            .iter()
            .filter(|(_, member)| owing && !member.is_dead);
        let owed: Vec<(ProcessId, SnapshotId)> = debtors
            .flat_map(|(from, member)| member.recorded.iter().map(|snapshot| (*from, *snapshot)))
            .collect();
        let member = Member {
            balance: amount,
            ..Member::default()
        };
        system.members.insert(process, member);
        for (from, snapshot) in owed {
            let channel = Channel { from, to: process };
            self.send_marker(line, channel, snapshot, false);
        }
    }

    /// A node has sent a transfer.
    pub(super) fn sent(&mut self, line: u64, from: NodeId, to: NodeId, amount: u64) {
        self.send(Some(line), channel(from, to), amount, false);
    }

    /// A node has refused to send one.
    pub(super) fn refused(&mut self, line: u64, from: NodeId, to: NodeId, amount: u64) {
        let channel = channel(from, to);
        self.write(line, What::Refuse { channel, amount });
    }

    /// A node has received a transfer.
    pub(super) fn received(&mut self, line: u64, from: NodeId, to: NodeId, amount: u64) {
        let channel = channel(from, to);
        self.infer_transfer(line, channel, amount);
        if self.next(channel) != Some(Content::Amount(amount)) {
            self.send(None, channel, amount, true);
        }
        self.receive(line, channel, amount);
    }

    /// A node has received a marker; where it was the first of its snapshot, it had this balance.
    pub(super) fn marker_received(
        &mut self,
        line: u64,
        from: NodeId,
        to: NodeId,
        snapshot: snapshot::SnapshotId,
        recorded: Option<u64>,
    ) {
        let (channel, id) = (channel(from, to), SnapshotId(snapshot.0));
        self.infer_until(line, channel, Content::Marker(id), |unanswered| {
            unanswered.records() == Some(snapshot)
        });
        if self.next(channel) != Some(Content::Marker(id)) {
            self.send_marker(None, channel, id, true);
        }
        self.receive_marker(line, channel, id, recorded, false);
    }

    /// A node with this balance has begun a snapshot.
    pub(super) fn began(
        &mut self,
        line: u64,
        node: NodeId,
        snapshot: snapshot::SnapshotId,
        balance: u64,
    ) {
        self.begin(
            line,
            ProcessId(node.0),
            SnapshotId(snapshot.0),
            balance,
            false,
        );
    }

    /// Every snapshot that had begun was collected, and has passed its audit.
    pub(super) fn collected<'s>(
        &mut self,
        line: Option<u64>,
        snapshots: impl Iterator<Item = &'s GlobalSnapshot>,
    ) {
        for snapshot in snapshots {
            self.one_collected(line, snapshot);
        }
        self.handed_over();
    }

    /// All parts of every snapshot are handed over: nobody owes their markers any more.
    fn handed_over(&mut self) {
        for member in self.system.iter_mut().flat_map(|s| s.members.values_mut()) {
            member.recorded.clear();
        }
    }

    fn one_collected(&mut self, line: Option<u64>, collected: &GlobalSnapshot) {
        let snapshot = SnapshotId(collected.id.0);
        let (mut states, mut channels) = (Vec::new(), Vec::new());
        let mut numbers = 0;
        for (node, balance) in &collected.accounts {
            if numbers + ENTRY > NUMBERS {
                self.collect(line, snapshot, &mut states, &mut channels);
                numbers = 0;
            }
            numbers += ENTRY;
            states.push(ProcessState {
                process: ProcessId(node.0),
                amount: *balance,
            });
        }
        for ((from, to), amounts) in &collected.transit {
            let mut amounts = &amounts[..];
            while !amounts.is_empty() {
                if numbers + ENTRY >= NUMBERS {
                    self.collect(line, snapshot, &mut states, &mut channels);
                    numbers = 0;
                }
                let (now, later) = amounts.split_at(amounts.len().min(NUMBERS - numbers - ENTRY));
                amounts = later;
                numbers += ENTRY + now.len();
                channels.push(ChannelState {
                    from: ProcessId(from.0),
                    to: ProcessId(to.0),
                    amounts: now.to_vec(),
                });
            }
        }
        self.collect(line, snapshot, &mut states, &mut channels);
        let total = u64::try_from(collected.total());
        let verdict = total.map_err(|_| "the total exceeds 2^64-1".to_owned());
        self.write(line, What::Audit { snapshot, verdict });
    }

    /// A snapshot has failed its audit; those collected with it are lost too.
    pub(super) fn unsound(&mut self, line: Option<u64>, id: snapshot::SnapshotId, reason: String) {
        let (snapshot, verdict) = (SnapshotId(id.0), Err(reason));
        self.write(line, What::Audit { snapshot, verdict });
        self.handed_over();
    }

    /// A dead node has not answered a command.
    pub(super) fn unanswered(&mut self, line: u64, node: NodeId, unanswered: Unanswered) {
        if let Some(member) = self.member(ProcessId(node.0)) {
            member.unanswered.push_back((line, unanswered));
        }
    }

    /// So many transfers and markers of a dead node can still be received.
    pub(super) fn left_behind(&mut self, from: NodeId, to: NodeId, transfers: u64, markers: u64) {
        let channel = channel(from, to);
        loop {
            let (sent, sent_markers) = self.in_transit(channel).map_or((0, 0), |in_transit| {
                let sent = in_transit.sent.messages - in_transit.received.messages;
                (sent, in_transit.queue.len() as u64 - sent)
            });
            let is_more = transfers > sent || markers > sent_markers;
            if !is_more || !self.infer_next(channel.from) {
                return;
            }
        }
    }

    /// A node, or the observer, has died, on this line where the script killed it.
    pub(super) fn died(&mut self, line: Option<u64>, node: Option<NodeId>, reason: String) {
        let process = node.map(|node| ProcessId(node.0));
        self.write(line, What::Death { process, reason });
        if let Some(member) = process.and_then(|process| self.member(process)) {
            member.is_dead = true;
        }
    }

    /// The system ends.
    pub(super) fn ended(&mut self, line: Option<u64>) {
        if self.system.take().is_some() {
            self.write(line, What::End);
        }
    }
}

/// Single events, and what is known after them.
impl Chronicle {
    fn send(
        &mut self,
        line: impl Into<Option<u64>>,
        channel: Channel,
        amount: u64,
        inferred: bool,
    ) {
        if let Some(member) = self.member(channel.from) {
            member.balance = member.balance.saturating_sub(amount);
        }
        let Some(in_transit) = self.in_transit(channel) else {
            return;
        };
        in_transit.sent.add(amount);
        in_transit.queue.push_back(Content::Amount(amount));
        let what = What::Send {
            channel,
            amount,
            number: in_transit.sent.messages,
            inferred,
        };
        self.write(line, what);
    }

    fn receive(&mut self, line: u64, channel: Channel, amount: u64) {
        if let Some(member) = self.member(channel.to) {
            member.balance = member.balance.saturating_add(amount);
        }
        let Some(in_transit) = self.in_transit(channel) else {
            return;
        };
        in_transit.received.add(amount);
        in_transit.queue.pop_front();
        let what = What::Receive {
            channel,
            amount,
            number: in_transit.received.messages,
        };
        self.write(line, what);
    }

    fn begin(
        &mut self,
        line: u64,
        process: ProcessId,
        snapshot: SnapshotId,
        balance: u64,
        inferred: bool,
    ) {
        self.write(line, What::Begin { process, snapshot });
        self.record(line, process, snapshot, balance, inferred);
    }

    /// A process records its state and sends its markers.
    fn record(
        &mut self,
        line: u64,
        process: ProcessId,
        snapshot: SnapshotId,
        balance: u64,
        inferred: bool,
    ) {
        let Some(system) = &mut self.system else {
            return;
        };
        if let Some(member) = system.members.get_mut(&process) {
            member.recorded.push(snapshot);
        }
        let tally = |peer: ProcessId, Count { messages, sum }: Count| {
            let process = peer;
            (messages > 0).then_some(Tally {
                process,
                messages,
                sum,
            })
        };
        let (mut sent, mut received, mut living) = (Vec::new(), Vec::new(), Vec::new());
        for (peer, member) in system.members.iter().filter(|(peer, _)| **peer != process) {
            let (from, to) = (process, *peer);
            let outgoing = system.channels.get(&Channel { from, to });
            sent.extend(outgoing.and_then(|outgoing| tally(*peer, outgoing.sent)));
            let (from, to) = (to, from);
            let incoming = system.channels.get(&Channel { from, to });
            received.extend(incoming.and_then(|incoming| tally(*peer, incoming.received)));
            living.extend((!member.is_dead).then_some(*peer));
        }
        let what = What::Record {
            process,
            snapshot,
            amount: balance,
            sent,
            received,
        };
        self.write(line, what);
        for to in living {
            let from = process;
            self.send_marker(line, Channel { from, to }, snapshot, inferred);
        }
    }

    fn send_marker(
        &mut self,
        line: impl Into<Option<u64>>,
        channel: Channel,
        snapshot: SnapshotId,
        inferred: bool,
    ) {
        let Some(in_transit) = self.in_transit(channel) else {
            return;
        };
        in_transit.queue.push_back(Content::Marker(snapshot));
        let what = What::MarkerSent {
            channel,
            snapshot,
            inferred,
        };
        self.write(line, what);
    }

    fn receive_marker(
        &mut self,
        line: u64,
        channel: Channel,
        snapshot: SnapshotId,
        recorded: Option<u64>,
        inferred: bool,
    ) {
        if let Some(in_transit) = self.in_transit(channel) {
            in_transit.queue.pop_front();
        }
        self.write(line, What::MarkerReceived { channel, snapshot });
        if let Some(balance) = recorded {
            self.record(line, channel.to, snapshot, balance, inferred);
        }
        self.write(line, What::ChannelClosed { channel, snapshot });
    }

    fn collect(
        &mut self,
        line: Option<u64>,
        snapshot: SnapshotId,
        states: &mut Vec<ProcessState>,
        channels: &mut Vec<ChannelState>,
    ) {
        let what = What::Collect {
            snapshot,
            states: std::mem::take(states),
            channels: std::mem::take(channels),
        };
        self.write(line, what);
    }

    /// What comes next on a channel.
    fn next(&mut self, channel: Channel) -> Option<Content> {
        self.in_transit(channel)?.queue.front().copied()
    }

    fn member(&mut self, process: ProcessId) -> Option<&mut Member> {
        self.system.as_mut()?.members.get_mut(&process)
    }

    fn in_transit(&mut self, channel: Channel) -> Option<&mut InTransit> {
        Some(self.system.as_mut()?.channels.entry(channel).or_default())
    }

    fn write(&mut self, line: impl Into<Option<u64>>, what: What) {
        let time = u64::try_from(self.begun.elapsed().as_micros()).ok();
        let line = line.into();
        self.sinks.push(Event { line, time, what });
    }
}

fn channel(from: NodeId, to: NodeId) -> Channel {
    Channel {
        from: ProcessId(from.0),
        to: ProcessId(to.0),
    }
}
