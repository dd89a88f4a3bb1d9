//! A line of a history: every key that there is.

use serde::{Deserialize, Serialize};

use super::Malformed;
use crate::event::{Amount, Channel, ChannelState, ProcessId, ProcessState, SnapshotId, Tally};
use crate::text::Text;

/// The names of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Name {
    #[default]
    Start,
    Create,
    Connect,
    Send,
    Receive,
    Refuse,
    Local,
    Begin,
    Record,
    MarkerSent,
    MarkerReceived,
    ChannelClosed,
    Collect,
    Audit,
    Death,
    Restarted,
    End,
}

/// Any line but the first: all keys there are, in the order in which they are written.
///
/// One flat struct for all events, because an enum with a tag would have serde hold every line as a
/// tree first: slower, and it loses integers above 64 bits.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) event: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sparse: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<ProcessId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<ProcessId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<ProcessId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) snapshot: Option<SnapshotId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) members: Option<Vec<ProcessId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) incarnation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inferred: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<Vec<Tally>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<Vec<Tally>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) states: Option<Vec<ProcessState>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channels: Option<Vec<ChannelState>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) passed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<u64>,
}

impl Line {
    pub(super) fn new(event: Name) -> Self {
        Self {
            event,
            ..Self::default()
        }
    }

    pub(super) fn at(mut self, process: ProcessId) -> Self {
        self.process = Some(process);
        self
    }

    /// At a process, or at the observer.
    pub(super) fn of_whom(mut self, process: Option<ProcessId>) -> Self {
        self.process = process;
        self
    }

    pub(super) fn because(mut self, reason: &Text) -> Self {
        self.reason = Some(reason.clone());
        self
    }

    pub(super) fn living(mut self, incarnation: u64) -> Self {
        self.incarnation = Some(incarnation);
        self
    }

    pub(super) fn sparse(mut self, sparse: bool) -> Self {
        self.sparse = sparse.then_some(true);
        self
    }

    pub(super) fn called(mut self, name: Option<&Text>) -> Self {
        self.name = name.cloned();
        self
    }

    pub(super) fn saying(mut self, text: &Text) -> Self {
        self.text = Some(text.clone());
        self
    }

    pub(super) fn among(mut self, members: &[ProcessId]) -> Self {
        self.members = Some(members.to_vec()).filter(|members| !members.is_empty());
        self
    }

    /// On a channel, at its sender.
    pub(super) fn leaving(self, channel: Channel) -> Self {
        self.at(channel.from).on(channel)
    }

    /// On a channel, at its receiver.
    pub(super) fn arriving(self, channel: Channel) -> Self {
        self.at(channel.to).on(channel)
    }

    fn on(mut self, channel: Channel) -> Self {
        self.from = Some(channel.from);
        self.to = Some(channel.to);
        self
    }

    pub(super) fn of(mut self, snapshot: SnapshotId) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    pub(super) fn holding(mut self, states: &[ProcessState], channels: &[ChannelState]) -> Self {
        self.states = Some(states.to_vec()).filter(|states| !states.is_empty());
        self.channels = Some(channels.to_vec()).filter(|channels| !channels.is_empty());
        self
    }

    pub(super) fn with(mut self, amount: Amount) -> Self {
        self.amount = Some(amount);
        self
    }

    pub(super) fn numbered(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    pub(super) fn inferred(mut self, inferred: bool) -> Self {
        self.inferred = inferred.then_some(true);
        self
    }

    /// The channel; `process` must be its end of that key.
    pub(super) fn channel(&mut self, key: &'static str) -> Result<Channel, Malformed> {
        let channel = Channel {
            from: take(&mut self.from, "from")?,
            to: take(&mut self.to, "to")?,
        };
        let expected = match key {
            "from" => channel.from,
            _ => channel.to,
        };
        let found = take(&mut self.process, "process")?;
        if channel.from == channel.to {
            return Err(Malformed::Loop(found));
        }
        if found != expected {
            return Err(Malformed::Process {
                found,
                expected,
                key,
            });
        }
        Ok(channel)
    }

    pub(super) fn process(&mut self) -> Result<ProcessId, Malformed> {
        take(&mut self.process, "process")
    }

    pub(super) fn snapshot(&mut self) -> Result<SnapshotId, Malformed> {
        take(&mut self.snapshot, "snapshot")
    }

    pub(super) fn amount(&mut self) -> Result<Amount, Malformed> {
        take(&mut self.amount, "amount")
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        match take(&mut self.number, "number")? {
            0 => Err(Malformed::Number),
            number => Ok(number),
        }
    }

    /// Refuses keys that nobody has taken.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        let keys = [
            ("sparse", self.sparse.is_some()),
            ("process", self.process.is_some()),
            ("name", self.name.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("snapshot", self.snapshot.is_some()),
            ("members", self.members.is_some()),
            ("amount", self.amount.is_some()),
            ("number", self.number.is_some()),
            ("incarnation", self.incarnation.is_some()),
            ("inferred", self.inferred.is_some()),
            ("sent", self.sent.is_some()),
            ("received", self.received.is_some()),
            ("states", self.states.is_some()),
            ("channels", self.channels.is_some()),
            ("passed", self.passed.is_some()),
            ("reason", self.reason.is_some()),
            ("text", self.text.is_some()),
            ("line", self.line.is_some()),
            ("time", self.time.is_some()),
        ];
        match keys.iter().find(|(_, is_left)| *is_left) {
            Some((key, _)) => Err(Malformed::Surplus((*key).to_owned())),
            None => Ok(()),
        }
    }
}

pub(super) fn take<T>(key: &mut Option<T>, name: &'static str) -> Result<T, Malformed> {
    key.take().ok_or(Malformed::Missing(name))
}
