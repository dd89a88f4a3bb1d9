//! One system of a history as a whole: which message was received where, which cut a snapshot is.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Mismatch};
use crate::event::{Amount, Channel, Event, ProcessId, SnapshotId, What};
use crate::replay::{Passed, Replay};

/// A system from its `start` to its `end`: its events, and what belongs together.
///
/// Events are named by their index in `events`.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// Whether amounts and states may be negative: a header says so, and whoever has it sets this.
    pub is_signed: bool,
    /// The line of the history on which the first event is.
    pub first_line: u64,
    /// The events, in their order.
    pub events: Vec<Event>,
    /// The processes, each with the event that created it.
    pub processes: BTreeMap<ProcessId, usize>,
    /// The deaths of each process that died, and of the observer (`None`).
    pub deaths: BTreeMap<Option<ProcessId>, Vec<Death>>,
    /// Messages and markers, in the order in which they were sent.
    pub messages: Vec<Message>,
    /// For each event that sends or receives one, the message: an index in `messages`.
    pub message_of: HashMap<usize, usize>,
    /// The snapshots.
    pub snapshots: BTreeMap<SnapshotId, Snapshot>,
}

/// A death, until the restart after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// The `death`.
    pub died: usize,
    /// The `restarted`; `None` where it stayed dead.
    pub restarted: Option<usize>,
}

/// What a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// A message.
    Amount(Amount),
    /// A marker.
    Marker(SnapshotId),
}

/// A message or marker on its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel.
    pub channel: Channel,
    /// What it is.
    pub content: Content,
    /// The event that sent it.
    pub sent: usize,
    /// The event that received it; `None` where it was still in transit at the end, or was lost.
    pub received: Option<usize>,
}

/// A snapshot.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Where it began.
    pub begin: Option<usize>,
    /// The cut: each process's `record`.
    pub cut: BTreeMap<ProcessId, usize>,
    /// What was collected.
    pub collected: Option<Collected>,
    /// The verdict on it: an `audit`.
    pub audit: Option<usize>,
}

/// What was collected of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// The last `collect`.
    pub event: usize,
    /// The states of the processes.
    pub states: BTreeMap<ProcessId, Amount>,
    /// What was in transit, in order, on channels that were not empty.
    pub channels: BTreeMap<Channel, Vec<Amount>>,
}

impl System {
    /// Divides a history's events into its systems and links each of them.
    ///
    /// # Errors
    ///
    /// Where something is received that was not sent, or not in the order in which it was sent;
    /// where something happens at a process that was never created, or before a system starts.
    pub fn link(events: impl IntoIterator<Item = Event>) -> Result<Vec<Self>, Error> {
        let mut systems: Vec<Self> = Vec::new();
        let mut replay = Replay::default();
        for (index, event) in events.into_iter().enumerate() {
            // The first line is the header.
            let line = index as u64 + 2;
            if matches!(event.what, What::Start { .. }) {
                replay = Replay::default();
                systems.push(Self {
                    first_line: line,
                    ..Self::default()
                });
            }
            let Some(system) = systems.last_mut() else {
                let reason = Mismatch::BeforeStart;
                let reason = Box::new(reason);
                return Err(Error::Unlinked { line, reason });
            };
            let linked = system.push(&mut replay, event);
            linked.map_err(|reason| {
                let reason = Box::new(reason);
                Error::Unlinked { line, reason }
            })?;
        }
        Ok(systems)
    }

    /// The line of the history on which an event is.
    #[must_use]
    pub fn line_of(&self, event: usize) -> u64 {
        self.first_line + event as u64
    }

    /// What a process is called: by its name, where it has one.
    #[must_use]
    pub fn called(&self, process: ProcessId) -> String {
        let created = self
            .processes
            .get(&process)
            .map(|it| &self.events[*it].what);
        match created {
            Some(What::Create {
                name: Some(name), ..
            }) if !name.is_empty() => name.to_string(),
            _ => process.to_string(),
        }
    }

    /// Whether a process, or the observer, has died and was not restarted.
    #[must_use]
    pub fn stays_dead(&self, process: Option<ProcessId>) -> bool {
        let last = self.deaths.get(&process).and_then(|deaths| deaths.last());
        last.is_some_and(|last| last.restarted.is_none())
    }

    /// The message or marker that an event sends or receives.
    #[must_use]
    pub fn message_at(&self, event: usize) -> Option<&Message> {
        let message = self.message_of.get(&event)?;
        self.messages.get(*message)
    }

    /// Adds and links the event that comes next; `replay` is how the system is before it.
    fn push(&mut self, replay: &mut Replay, event: Event) -> Result<(), Mismatch> {
        let index = self.events.len();
        if let Some(process) = event.what.process()
            && !matches!(event.what, What::Create { .. })
        {
            self.expect_created(process)?;
        }
        if let What::Connect { channel }
        | What::Refuse { channel, .. }
        | What::ChannelClosed { channel, .. } = event.what
        {
            self.expect_created(channel.from)?;
            self.expect_created(channel.to)?;
        }
        match event.what {
            What::Create { process, .. } => {
                if self.processes.insert(process, index).is_some() {
                    return Err(Mismatch::CreatedTwice(process));
                }
            }
            What::Death { process, .. } if !self.stays_dead(process) => {
                let restarted = None;
                let died = index;
                let deaths = self.deaths.entry(process).or_default();
                deaths.push(Death { died, restarted });
            }
            What::Restarted { process, .. } => {
                let deaths = self.deaths.get_mut(&process);
                if let Some(last) = deaths.and_then(|deaths| deaths.last_mut()) {
                    last.restarted.get_or_insert(index);
                }
            }
            What::Send {
                channel,
                amount,
                number,
                ..
            } => {
                expect_number(channel, number, replay.channel(channel).sent)?;
                self.send(index, channel, Content::Amount(amount))?;
            }
            What::MarkerSent {
                channel, snapshot, ..
            } => self.send(index, channel, Content::Marker(snapshot))?,
            What::Receive {
                channel,
                amount,
                number,
            } => {
                expect_number(channel, number, replay.channel(channel).received)?;
                self.receive(index, channel, Content::Amount(amount), replay)?;
            }
            What::MarkerReceived { channel, snapshot } => {
                self.receive(index, channel, Content::Marker(snapshot), replay)?;
            }
            What::Begin { snapshot, .. } => {
                self.snapshots.entry(snapshot).or_default().begin = Some(index);
            }
            What::Record {
                process, snapshot, ..
            } => {
                let cut = &mut self.snapshots.entry(snapshot).or_default().cut;
                if cut.insert(process, index).is_some() {
                    return Err(Mismatch::RecordedTwice(process, snapshot));
                }
            }
            What::Collect {
                snapshot,
                ref states,
                ref channels,
            } => {
                let snapshot = self.snapshots.entry(snapshot).or_default();
                let collected = snapshot.collected.get_or_insert_default();
                collected.event = index;
                let states = states.iter().map(|state| (state.process, state.amount));
                collected.states.extend(states);
                for state in channels {
                    let amounts = collected.channels.entry(state.channel()).or_default();
                    amounts.extend(&state.amounts);
                }
            }
            What::Audit { snapshot, .. } => {
                self.snapshots.entry(snapshot).or_default().audit = Some(index);
            }
            What::Start { .. }
            | What::Connect { .. }
            | What::Local { .. }
            | What::End
            | What::Refuse { .. }
            | What::ChannelClosed { .. }
            | What::Death { .. } => {}
        }
        replay.apply(&event.what);
        self.events.push(event);
        Ok(())
    }

    fn expect_created(&self, process: ProcessId) -> Result<(), Mismatch> {
        match self.processes.contains_key(&process) {
            true => Ok(()),
            false => Err(Mismatch::NeverCreated(process)),
        }
    }

    fn send(&mut self, event: usize, channel: Channel, content: Content) -> Result<(), Mismatch> {
        self.expect_created(channel.to)?;
        self.message_of.insert(event, self.messages.len());
        self.messages.push(Message {
            channel,
            content,
            sent: event,
            received: None,
        });
        Ok(())
    }

    fn receive(
        &mut self,
        event: usize,
        channel: Channel,
        content: Content,
        replay: &Replay,
    ) -> Result<(), Mismatch> {
        let Some(next) = replay.channel(channel).in_transit.front() else {
            return Err(Mismatch::NothingInTransit(content, channel));
        };
        let sent = next.sent as usize;
        if next.content != content {
            return Err(Mismatch::NotNext(
                content,
                channel,
                next.content,
                self.line_of(sent),
            ));
        }
        let message = self.message_of[&sent];
        self.messages[message].received = Some(event);
        self.message_of.insert(event, message);
        Ok(())
    }
}

fn expect_number(channel: Channel, number: u64, passed: Passed) -> Result<(), Mismatch> {
    let expected = passed.messages + 1;
    match number == expected {
        true => Ok(()),
        false => Err(Mismatch::Number(channel, number, expected)),
    }
}

impl Snapshot {
    /// Whether its cut goes through a message: sent before the sender's record, and received after
    /// the receiver's, it belongs to the state of its channel.
    #[must_use]
    pub fn crosses(&self, message: &Message) -> bool {
        let cut = |process| self.cut.get(process).copied();
        let (Some(from), Some(to)) = (cut(&message.channel.from), cut(&message.channel.to)) else {
            return false;
        };
        message.content.amount().is_some()
            && message.sent < from
            && message.received.is_some_and(|received| received > to)
    }
}

impl Content {
    /// The amount; `None` for a marker.
    #[must_use]
    pub fn amount(self) -> Option<Amount> {
        match self {
            Self::Amount(amount) => Some(amount),
            Self::Marker(_) => None,
        }
    }
}

impl std::fmt::Display for Content {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Amount(amount) => write!(out, "a message of {amount}"),
            Self::Marker(snapshot) => write!(out, "the marker of snapshot {snapshot}"),
        }
    }
}
