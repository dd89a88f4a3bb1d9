//! What happened, replayed: processes and channels, as far as they can be known.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

use super::rule::{Location, Rule, Violation};
use crate::event::{Channel, ProcessId, SnapshotId, Tally};
use crate::system::Content;

/// Processes and channels at a point of a history.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) processes: BTreeMap<ProcessId, ProcessLog>,
    pub(super) channels: HashMap<Channel, ChannelLog>,
}

/// A process.
#[derive(Debug)]
pub(super) struct ProcessLog {
    /// Its first state.
    pub(super) deposit: u64,
    /// Its state; `None` once something was inferred: what else it did before it died is not known.
    pub(super) state: Option<u64>,
    pub(super) created: Location,
    pub(super) died: Option<Location>,
    /// The first thing that it did not confirm.
    pub(super) inferred: Option<Location>,
    /// What it must record next, and why.
    pub(super) due: Option<Due>,
    /// The snapshots not collected that it has recorded, in that order.
    pub(super) recorded: Vec<SnapshotId>,
}

/// A snapshot that a process has begun, or the first marker of which it has received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) snapshot: SnapshotId,
    pub(super) at: Location,
    /// The channel of the marker; none where the process is an initiator.
    pub(super) from: Option<Channel>,
}

/// How many messages have passed an end of a channel, and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) messages: u64,
    pub(super) sum: u128,
}

/// A channel.
#[derive(Debug, Default)]
pub(super) struct ChannelLog {
    /// What is in transit.
    pub(super) queue: VecDeque<Item>,
    pub(super) sent: Count,
    pub(super) received: Count,
    /// The markers that its sender must send before any further message, and since when.
    pub(super) owed: VecDeque<(SnapshotId, Location)>,
    /// The snapshots of which not everything about this channel is known.
    pub(super) cuts: Vec<ChannelCut>,
}

/// Something in transit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) content: Content,
    /// A message's number.
    pub(super) number: u64,
    pub(super) sent: Location,
}

/// Where the cut of a snapshot crosses a channel, by counting: the messages in transit are those
/// after the receiver's number up to the sender's.
#[derive(Debug)]
pub(super) struct ChannelCut {
    pub(super) snapshot: SnapshotId,
    /// How many messages were sent at the sender's cut.
    pub(super) sent: Option<u64>,
    /// How many were received at the receiver's.
    pub(super) received: Option<u64>,
    /// Those received after the receiver's cut that were sent before the sender's, so far.
    pub(super) late: Vec<u64>,
    /// A message sent after the sender's cut and received while the receiver had none: its number,
    /// and where it was sent and received.
    pub(super) early: Option<(u64, Location, Location)>,
    pub(super) marker_sent: Option<Location>,
    pub(super) marker_received: Option<Location>,
    pub(super) closed: Option<Location>,
}

impl ChannelCut {
    pub(super) fn new(snapshot: SnapshotId) -> Self {
        Self {
            snapshot,
            sent: None,
            received: None,
            late: Vec::new(),
            early: None,
            marker_sent: None,
            marker_received: None,
            closed: None,
        }
    }

    /// A message is received, the `number`th of the channel.
    fn on_message(&mut self, number: u64, amount: u64, sent: Location, received: Location) {
        match (self.sent, self.received) {
            (Some(before), None) if number > before => {
                self.early.get_or_insert((number, sent, received));
            }
            (before, Some(_)) if before.is_none_or(|before| number <= before) => {
                self.late.push(amount);
            }
            _ => {}
        }
    }
}

impl ChannelLog {
    /// What is known of a snapshot's cut on this channel, unless that is everything.
    pub(super) fn cut(&mut self, snapshot: SnapshotId) -> &mut ChannelCut {
        let index = self.cuts.iter().position(|cut| cut.snapshot == snapshot);
        let index = index.unwrap_or_else(|| {
            self.cuts.push(ChannelCut::new(snapshot));
            self.cuts.len() - 1
        });
        &mut self.cuts[index]
    }

    /// Takes out a cut of which everything is known.
    pub(super) fn settled(&mut self, snapshot: SnapshotId) -> Option<ChannelCut> {
        let index = self.cuts.iter().position(|cut| {
            cut.snapshot == snapshot
                && cut.received.is_some()
                && cut.marker_received.is_some()
                && cut.sent.is_some_and(|sent| self.received.messages >= sent)
        })?;
        Some(self.cuts.swap_remove(index))
    }

    fn put(&mut self, content: Content, number: u64, sent: Location) {
        self.queue.push_back(Item {
            content,
            number,
            sent,
        });
    }

    /// Takes what is next, which must be this.
    fn take(
        &mut self,
        channel: Channel,
        content: Content,
        number: u64,
        at: Location,
    ) -> Result<Item, Violation> {
        let received = format!("received {}", shown(content, number));
        let Some(head) = self.queue.pop_front() else {
            let reason = format!(
                "{} is received, and nothing is in transit: everything that was ever sent has been \
                 received already",
                shown(content, number)
            );
            return Err(Violation::new(Rule::Fifo, reason)
                .on(channel)
                .seen(received, at));
        };
        if head.content == content && head.number == number {
            return Ok(head);
        }
        let next = shown(head.content, head.number);
        let reason = format!(
            "{} is received, and {next} is next in the channel",
            shown(content, number)
        );
        Err(Violation::new(Rule::Fifo, reason)
            .on(channel)
            .seen(format!("sent {next}"), head.sent)
            .seen(received, at))
    }
}

/// `message 3 (of 100)`, or a marker.
fn shown(content: Content, number: u64) -> String {
    match content {
        Content::Amount(amount) => format!("message {number} (of {amount})"),
        Content::Marker(_) => content.to_string(),
    }
}

/// Shown as `2 messages (700 in all)`.
impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.messages == 1 { "" } else { "s" };
        write!(
            out,
            "{} message{plural} ({} in all)",
            self.messages, self.sum
        )
    }
}

impl Due {
    /// Why it must record.
    pub(super) fn why(self) -> String {
        match self.from {
            Some(channel) => format!("received the marker on {channel}"),
            None => "began the snapshot".to_owned(),
        }
    }
}

impl Count {
    fn extend(&mut self, amount: u64) {
        self.messages += 1;
        self.sum += u128::from(amount);
    }
}

impl Log {
    pub(super) fn create(
        &mut self,
        process: ProcessId,
        amount: u64,
        at: Location,
    ) -> Result<(), Violation> {
        let account = ProcessLog {
            deposit: amount,
            state: Some(amount),
            created: at,
            died: None,
            inferred: None,
            due: None,
            recorded: Vec::new(),
        };
        match self.processes.insert(process, account) {
            None => Ok(()),
            Some(first) => Err(Violation::new(
                Rule::Order,
                format!("process {process} is created a second time"),
            )
            .seen("created", first.created)
            .seen("created again", at)),
        }
    }

    /// The account of a process that lives; one that died does only what is inferred.
    pub(super) fn at(
        &mut self,
        process: ProcessId,
        is_inferred: bool,
        at: Location,
    ) -> Result<&mut ProcessLog, Violation> {
        let Some(account) = self.processes.get_mut(&process) else {
            let reason = format!("this is of process {process}, which was never created");
            return Err(Violation::new(Rule::Order, reason).seen("happened", at));
        };
        if let Some(died) = account.died
            && !is_inferred
        {
            let reason = format!("this is of process {process}, which had died");
            return Err(Violation::new(Rule::Order, reason)
                .seen("died", died)
                .seen("happened", at));
        }
        if is_inferred {
            account.inferred.get_or_insert(at);
            account.state = None;
        }
        Ok(account)
    }

    pub(super) fn send(
        &mut self,
        channel: Channel,
        amount: u64,
        number: u64,
        at: Location,
    ) -> Result<(), Violation> {
        self.must_exist(channel, at)?;
        if let Some(account) = self.processes.get_mut(&channel.from)
            && let Some(state) = &mut account.state
        {
            let Some(rest) = state.checked_sub(amount) else {
                let reason = format!(
                    "process {} sends {amount}, and has {state}: it sends what it does not have",
                    channel.from
                );
                return Err(Violation::new(Rule::Account, reason)
                    .on(channel)
                    .seen("sent", at));
            };
            *state = rest;
        }
        let ends = self.channels.entry(channel).or_default();
        if number != ends.sent.messages + 1 {
            let reason = format!(
                "the message sent has number {number}, and {} is next: messages are counted from 1",
                ends.sent.messages + 1
            );
            return Err(Violation::new(Rule::Fifo, reason)
                .on(channel)
                .seen("sent", at));
        }
        ends.sent.extend(amount);
        ends.put(Content::Amount(amount), number, at);
        Ok(())
    }

    pub(super) fn receive(
        &mut self,
        channel: Channel,
        amount: u64,
        number: u64,
        at: Location,
    ) -> Result<(), Violation> {
        let ends = self.channels.entry(channel).or_default();
        let item = ends.take(channel, Content::Amount(amount), number, at)?;
        ends.received.extend(amount);
        for cut in &mut ends.cuts {
            cut.on_message(number, amount, item.sent, at);
        }
        if let Some(account) = self.processes.get_mut(&channel.to)
            && let Some(state) = &mut account.state
        {
            let Some(sum) = state.checked_add(amount) else {
                let reason = format!(
                    "process {} has {state} and receives {amount}: that does not fit in 64 bits",
                    channel.to
                );
                return Err(Violation::new(Rule::Account, reason)
                    .on(channel)
                    .seen("sent", item.sent)
                    .seen("received", at));
            };
            *state = sum;
        }
        Ok(())
    }

    pub(super) fn send_marker(
        &mut self,
        channel: Channel,
        snapshot: SnapshotId,
        at: Location,
    ) -> Result<(), Violation> {
        self.must_exist(channel, at)?;
        let ends = self.channels.entry(channel).or_default();
        ends.put(Content::Marker(snapshot), 0, at);
        Ok(())
    }

    pub(super) fn receive_marker(
        &mut self,
        channel: Channel,
        snapshot: SnapshotId,
        at: Location,
    ) -> Result<(), Violation> {
        let ends = self.channels.entry(channel).or_default();
        ends.take(channel, Content::Marker(snapshot), 0, at)?;
        Ok(())
    }

    pub(super) fn refuse(
        &mut self,
        channel: Channel,
        amount: u64,
        at: Location,
    ) -> Result<(), Violation> {
        self.must_exist(channel, at)?;
        match self.processes.get(&channel.from).and_then(|it| it.state) {
            Some(state) if state >= amount => {
                let reason = format!(
                    "process {} refuses to send {amount}, and has {state}, which is enough",
                    channel.from
                );
                Err(Violation::new(Rule::Account, reason)
                    .on(channel)
                    .seen("refused", at))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn die(&mut self, process: ProcessId, at: Location) -> Result<(), Violation> {
        let Some(account) = self.processes.get_mut(&process) else {
            let reason = format!("this is of process {process}, which was never created");
            return Err(Violation::new(Rule::Order, reason).seen("died", at));
        };
        if let Some(died) = account.died {
            let reason = format!("process {process} dies a second time");
            return Err(Violation::new(Rule::Order, reason)
                .seen("died", died)
                .seen("died again", at));
        }
        account.died = Some(at);
        account.due = None;
        self.forgive_markers();
        Ok(())
    }

    /// Somebody died: snapshots in progress may never be completed, and whether their markers are
    /// still sent does not matter. Of one that is collected after all, every marker is asked for.
    pub(super) fn forgive_markers(&mut self) {
        for ends in self.channels.values_mut() {
            ends.owed.clear();
        }
    }

    /// All snapshots in progress are given up: who joins is owed no markers of theirs.
    pub(super) fn give_up_snapshots(&mut self) {
        self.forgive_markers();
        for account in self.processes.values_mut() {
            account.recorded.clear();
        }
    }

    /// What is wrong with the tallies that a process records, if anything is: those of what it sent
    /// (`is_out`) or received.
    pub(super) fn wrong_tally(
        &self,
        process: ProcessId,
        tallies: &[Tally],
        is_out: bool,
        at: Location,
    ) -> Option<Violation> {
        let mut tallied: BTreeMap<ProcessId, Count> = BTreeMap::new();
        for tally in tallies {
            let (messages, sum) = (tally.messages, tally.sum);
            let first = tallied.insert(tally.process, Count { messages, sum });
            if first.is_some() {
                let reason = format!("process {process} records two tallies of {}", tally.process);
                return Some(Violation::new(Rule::Recorded, reason).seen("recorded", at));
            }
        }
        let peers = self.processes.keys().filter(|peer| **peer != process);
        for peer in peers.chain(tallied.keys()) {
            let (channel, verb) = match is_out {
                true => ((process, *peer), "sent"),
                false => ((*peer, process), "received"),
            };
            let (from, to) = channel;
            let channel = Channel { from, to };
            let counted = self.channels.get(&channel).map(|ends| match is_out {
                true => ends.sent,
                false => ends.received,
            });
            let counted = counted.unwrap_or_default();
            let recorded = tallied.get(peer).copied().unwrap_or_default();
            if recorded != counted {
                let reason = format!(
                    "process {process} records that it {verb} {recorded}, and it {verb} {counted}"
                );
                let violation = Violation::new(Rule::Recorded, reason).on(channel);
                return Some(violation.seen("recorded", at));
            }
        }
        None
    }

    /// That the process at the far end of a channel was ever created.
    fn must_exist(&self, channel: Channel, at: Location) -> Result<(), Violation> {
        match self.processes.contains_key(&channel.to) {
            true => Ok(()),
            false => {
                let reason = format!("process {} was never created", channel.to);
                Err(Violation::new(Rule::Order, reason)
                    .on(channel)
                    .seen("sent to it", at))
            }
        }
    }
}
