//! What happened, replayed: processes and channels, as far as they can be known.

mod channels;
mod lives;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;

use self::lives::{Dead, Life};
use super::crossings::{Crossings, Records};
use super::rule::{Location, Rule, Violation};
use crate::event::{Amount, Channel, ProcessId, SnapshotId, Tally};
use crate::system::Content;
use crate::text::Text;

/// Processes and channels at a point of a history.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) processes: BTreeMap<ProcessId, ProcessLog>,
    /// Those on which something was sent.
    pub(super) channels: HashMap<Channel, ChannelLog>,
    pub(super) facts: Facts,
    observer: Life,
    pub(super) dead: Dead,
    /// In a sparse system, those that there are.
    opened: Option<BTreeMap<Channel, Location>>,
}

/// What the header says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Whether states and messages are no amounts.
    pub(super) is_opaque: bool,
    /// Whether they may be negative.
    pub(super) is_signed: bool,
    /// What they add up to.
    pub(super) total: Option<Amount>,
}

/// A process.
#[derive(Clone, Debug)]
pub(super) struct ProcessLog {
    name: Option<Text>,
    /// Its first state.
    pub(super) deposit: Amount,
    /// Its state; `None` where states are opaque, and once something was inferred, until it is restarted:
    /// what else it did before it died is not known.
    pub(super) state: Option<Amount>,
    pub(super) created: Location,
    pub(super) life: Life,
    /// The first thing that it did not confirm, while no death says why.
    pub(super) inferred: Option<Location>,
    /// What it must record next, and why.
    pub(super) due: Option<Due>,
    pub(super) records: Records,
    /// The ends of its channels that are in use.
    pub(super) outgoing: BTreeSet<ProcessId>,
    pub(super) incoming: BTreeSet<ProcessId>,
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
    pub(super) sum: i128,
}

/// A channel.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelLog {
    /// What is in transit.
    pub(super) queue: VecDeque<Item>,
    pub(super) sent: Count,
    pub(super) received: Count,
    /// The cuts of its sender and of its receiver.
    pub(super) out: Crossings,
    pub(super) into: Crossings,
    /// Messages that were received and may have been in transit at a cut: number and amount.
    pub(super) late: VecDeque<(u64, Amount)>,
    /// The place of the receiver's first record that its sender had not made before the message
    /// received last.
    pub(super) recording: u64,
    /// The place of the sender's first record after which nothing was sent.
    pub(super) quiet: u64,
}

/// Something in transit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) content: Content,
    /// A message's number.
    pub(super) number: u64,
    pub(super) sent: Location,
}

impl ChannelLog {
    /// How many messages were sent before the sender's record at this place.
    pub(super) fn sent_before(&self, place: u64) -> u64 {
        let crossing = self.out.after(place);
        crossing.map_or(self.sent.messages, |it| it.messages)
    }

    /// How many messages were received before the receiver's record at this place.
    pub(super) fn received_before(&self, place: u64) -> u64 {
        let crossing = self.into.after(place);
        crossing.map_or(self.received.messages, |it| it.messages)
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

impl ProcessLog {
    fn called(&self, process: ProcessId) -> String {
        let name = self.name.as_ref().filter(|name| !name.is_empty());
        name.map_or(process.to_string(), Text::to_string)
    }
}

impl Due {
    /// Why it must record.
    pub(super) fn why(self, log: &Log) -> String {
        match self.from {
            Some(channel) => format!("received the marker on {}", log.called_channel(channel)),
            None => "began the snapshot".to_owned(),
        }
    }
}

impl Count {
    fn extend(&mut self, amount: Amount) {
        self.messages += 1;
        self.sum += amount;
    }
}

impl Log {
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            facts,
            ..Self::default()
        }
    }

    /// What a process is called: by its name, where it has one.
    pub(super) fn called(&self, process: ProcessId) -> String {
        let named = self.processes.get(&process);
        named.map_or(process.to_string(), |named| named.called(process))
    }

    /// A channel by the names of its ends.
    pub(super) fn called_channel(&self, Channel { from, to }: Channel) -> String {
        format!("{} → {}", self.called(from), self.called(to))
    }

    pub(super) fn create(
        &mut self,
        process: ProcessId,
        name: Option<&Text>,
        amount: Amount,
        at: Location,
    ) -> Result<(), Violation> {
        let account = ProcessLog {
            name: name.cloned(),
            deposit: amount,
            state: (!self.facts.is_opaque).then_some(amount),
            created: at,
            life: Life::default(),
            inferred: None,
            due: None,
            records: Records::default(),
            outgoing: BTreeSet::new(),
            incoming: BTreeSet::new(),
        };
        match self.processes.insert(process, account) {
            None => Ok(()),
            Some(first) => Err(Violation::new(
                Rule::Order,
                format!("process {} is created a second time", first.called(process)),
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
        if let Some(died) = account.life.died
            && !is_inferred
        {
            let process = account.called(process);
            let reason = format!("this is of process {process}, which had died");
            return Err(Violation::new(Rule::Order, reason)
                .seen("died", died)
                .seen("happened", at));
        }
        if is_inferred {
            if account.life.died.is_none() {
                account.inferred.get_or_insert(at);
            }
            account.state = None;
        }
        Ok(account)
    }

    pub(super) fn send(
        &mut self,
        channel: Channel,
        amount: Amount,
        number: u64,
        at: Location,
    ) -> Result<(), Violation> {
        self.must_exist(channel, at)?;
        if let Some(account) = self.processes.get_mut(&channel.from)
            && let Some(state) = &mut account.state
        {
            let rest = *state - amount;
            if rest < 0 && !self.facts.is_signed {
                let (state, process) = (*state, account.called(channel.from));
                let reason = format!(
                    "process {process} sends {amount}, and has {state}: it sends what it does not have"
                );
                return Err(Violation::new(Rule::Account, reason)
                    .on(channel)
                    .seen("sent", at));
            };
            *state = rest;
        }
        let ends = self.channels.entry(channel).or_default();
        if ends.sent.messages == 0 {
            let [sender, receiver] = [channel.from, channel.to];
            if let Some(account) = self.processes.get_mut(&sender) {
                account.outgoing.insert(receiver);
            }
            if let Some(account) = self.processes.get_mut(&receiver) {
                account.incoming.insert(sender);
            }
        }
        if let Some(account) = self.processes.get(&channel.from) {
            ends.out
                .on_message(&account.records, ends.sent.messages, at);
        }
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
        amount: Amount,
        number: u64,
        at: Location,
    ) -> Result<(), Violation> {
        self.must_be_open(channel, "received", at)?;
        let ends = self.channels.entry(channel).or_default();
        let item = ends.take(channel, Content::Amount(amount), number, at)?;
        let Some(account) = self.processes.get_mut(&channel.to) else {
            return Ok(());
        };
        ends.into
            .on_message(&account.records, ends.received.messages, at);
        ends.received.extend(amount);
        if let Some(state) = &mut account.state {
            let sum = *state + amount;
            if sum > Amount::from(u64::MAX) {
                let (state, process) = (*state, account.called(channel.to));
                let reason = format!(
                    "process {process} has {state} and receives {amount}: that does not fit in 64 bits"
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
        self.must_be_open(channel, "received", at)?;
        let ends = self.channels.entry(channel).or_default();
        ends.take(channel, Content::Marker(snapshot), 0, at)?;
        Ok(())
    }

    pub(super) fn refuse(
        &mut self,
        channel: Channel,
        amount: Amount,
        at: Location,
    ) -> Result<(), Violation> {
        self.must_exist(channel, at)?;
        match self.processes.get(&channel.from).and_then(|it| it.state) {
            Some(state) if state >= amount && !self.facts.is_signed => {
                let reason = format!(
                    "process {} refuses to send {amount}, and has {state}, which is enough",
                    self.called(channel.from)
                );
                Err(Violation::new(Rule::Account, reason)
                    .on(channel)
                    .seen("refused", at))
            }
            _ => Ok(()),
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
                let [process, peer] = [process, tally.process].map(|it| self.called(it));
                let reason = format!("process {process} records two tallies of {peer}");
                return Some(Violation::new(Rule::Recorded, reason).seen("recorded", at));
            }
        }
        let account = self.processes.get(&process)?;
        let in_use = match is_out {
            true => &account.outgoing,
            false => &account.incoming,
        };
        let peers: BTreeSet<&ProcessId> = in_use.iter().chain(tallied.keys()).collect();
        for peer in peers {
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
                let process = self.called(process);
                let reason = format!(
                    "process {process} records that it {verb} {recorded}, and it {verb} {counted}"
                );
                let violation = Violation::new(Rule::Recorded, reason).on(channel);
                return Some(violation.seen("recorded", at));
            }
        }
        None
    }
}
