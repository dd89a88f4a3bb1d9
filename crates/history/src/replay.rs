//! A history, event by event: how the system stands after each of them.
//!
//! ```
//! # use history::{Channel, ProcessId, Replay, What};
//! # let [one, two] = [1, 2].map(ProcessId);
//! let channel = Channel { from: one, to: two };
//! let mut replay = Replay::default();
//! replay.apply(&What::Start { sparse: false });
//! replay.apply(&What::Create { process: one, name: None, amount: 700 });
//! replay.apply(&What::Create { process: two, name: None, amount: 0 });
//! replay.apply(&What::Send { channel, amount: 300, number: 1, inferred: false });
//! assert_eq!(replay.processes()[&one].balance, 400);
//! assert_eq!(replay.channel(channel).in_transit.len(), 1);
//! ```
//!
//! It takes the events' word for everything: an event that cannot have happened is applied as far
//! as that has a meaning. Whether a history is right, the verifier says, which keeps its own books;
//! whether its events belong together, [`System::link`](crate::System::link).

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::event::{Amount, Channel, Event, ProcessId, SnapshotId, What};
use crate::system::Content;
use crate::text::Text;

/// The system that started last, after the events so far. It grows with the processes, the channels
/// in use, and what is in transit; not with the events.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Replay {
    events: u64,
    has_ended: bool,
    processes: BTreeMap<ProcessId, ProcessNow>,
    channels: HashMap<Channel, ChannelNow>,
}

/// A process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProcessNow {
    /// What people call it, if not by its number.
    pub name: Option<Text>,
    /// Its state: what it was created with, less what it sent, and what it received. Negative only
    /// where the history is wrong, or lacks what a process did before it died.
    pub balance: i128,
    /// Whether it has died, and was not restarted since.
    pub is_dead: bool,
    /// The snapshots in progress that it has recorded, in the order in which it recorded them: those
    /// whose markers it owes to a process that joins. They end when they are collected, and all of
    /// them when the audit of one fails instead.
    pub recorded: Vec<SnapshotId>,
}

/// A channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ChannelNow {
    /// What was sent: the next message has the number after `sent.messages`.
    pub sent: Passed,
    /// What was received.
    pub received: Passed,
    /// What was sent and not received, in order.
    pub in_transit: VecDeque<InTransit>,
}

/// The messages that have passed an end of a channel; no markers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// How many.
    pub messages: u64,
    /// The sum of their amounts.
    pub sum: i128,
}

/// A message or marker that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InTransit {
    /// What it is.
    pub content: Content,
    /// The event that sent it: its number in the system, whose `start` has number 0.
    pub sent: u64,
}

impl Replay {
    /// Applies the next event. Where it receives something, returns what it took from the channel:
    /// nothing, if nothing was in transit.
    pub fn apply(&mut self, what: &What) -> Option<InTransit> {
        if matches!(what, What::Start { .. }) {
            *self = Self::default();
        }
        let event = self.events;
        self.events += 1;
        match *what {
            What::Create {
                process,
                ref name,
                amount,
            } => {
                let created = ProcessNow {
                    name: name.clone(),
                    balance: amount,
                    ..ProcessNow::default()
                };
                self.processes.insert(process, created);
            }
            What::Send {
                channel, amount, ..
            } => {
                if let Some(sender) = self.processes.get_mut(&channel.from) {
                    sender.balance -= amount;
                }
                let channel = self.send(channel, Content::Amount(amount), event);
                channel.sent.add(amount);
            }
            What::Receive {
                channel, amount, ..
            } => {
                if let Some(receiver) = self.processes.get_mut(&channel.to) {
                    receiver.balance += amount;
                }
                let channel = self.channels.entry(channel).or_default();
                channel.received.add(amount);
                return channel.in_transit.pop_front();
            }
            What::MarkerSent {
                channel, snapshot, ..
            } => {
                self.send(channel, Content::Marker(snapshot), event);
            }
            What::MarkerReceived { channel, .. } => {
                return self.channels.get_mut(&channel)?.in_transit.pop_front();
            }
            What::Record {
                process, snapshot, ..
            } => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.recorded.push(snapshot);
                }
            }
            What::Collect { snapshot, .. } => {
                for process in self.processes.values_mut() {
                    process.recorded.retain(|recorded| *recorded != snapshot);
                }
            }
            What::Audit {
                snapshot,
                verdict: Err(_),
            } if self.is_in_progress(snapshot) => {
                for process in self.processes.values_mut() {
                    process.recorded.clear();
                }
            }
            What::Death {
                process: Some(process),
                ..
            } => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.is_dead = true;
                }
            }
            What::Restarted {
                process: Some(process),
                ..
            } => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.is_dead = false;
                }
            }
            What::End => self.has_ended = true,
            What::Start { .. }
            | What::Connect { .. }
            | What::Local { .. }
            | What::Refuse { .. }
            | What::Begin { .. }
            | What::ChannelClosed { .. }
            | What::Audit { .. }
            | What::Death { process: None, .. }
            | What::Restarted { process: None, .. } => {}
        }
        None
    }

    /// How many events of the system were applied: the next one's number in it.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Whether a system has begun and not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.events > 0 && !self.has_ended
    }

    /// The processes, the dead among them.
    #[must_use]
    pub fn processes(&self) -> &BTreeMap<ProcessId, ProcessNow> {
        &self.processes
    }

    /// What a process is called: by its name, where it has one.
    #[must_use]
    pub fn called(&self, process: ProcessId) -> String {
        let name = self.processes.get(&process).and_then(|it| it.name.as_ref());
        let name = name.filter(|name| !name.is_empty());
        name.map_or(process.to_string(), Text::to_string)
    }

    /// A channel, used or not.
    #[must_use]
    pub fn channel(&self, channel: Channel) -> &ChannelNow {
        static UNUSED: ChannelNow = ChannelNow {
            sent: Passed::NONE,
            received: Passed::NONE,
            in_transit: VecDeque::new(),
        };
        self.channels.get(&channel).unwrap_or(&UNUSED)
    }

    /// The channels on which something was sent, in no particular order.
    pub fn channels(&self) -> impl Iterator<Item = (Channel, &ChannelNow)> {
        self.channels
            .iter()
            .map(|(channel, state)| (*channel, state))
    }

    fn is_in_progress(&self, snapshot: SnapshotId) -> bool {
        let mut processes = self.processes.values();
        processes.any(|process| process.recorded.contains(&snapshot))
    }

    fn send(&mut self, channel: Channel, content: Content, sent: u64) -> &mut ChannelNow {
        let channel = self.channels.entry(channel).or_default();
        channel.in_transit.push_back(InTransit { content, sent });
        channel
    }
}

impl<'e> FromIterator<&'e Event> for Replay {
    fn from_iter<I: IntoIterator<Item = &'e Event>>(events: I) -> Self {
        let mut replay = Self::default();
        for event in events {
            replay.apply(&event.what);
        }
        replay
    }
}

impl Passed {
    const NONE: Self = Self {
        messages: 0,
        sum: 0,
    };

    fn add(&mut self, amount: Amount) {
        self.messages += 1;
        self.sum += amount;
    }
}
