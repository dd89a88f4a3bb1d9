//! The events of a history.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(pub u64);

impl fmt::Display for ProcessId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A snapshot: its number, counted from 1 in the order of their beginnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotId(pub u64);

impl fmt::Display for SnapshotId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The FIFO channel from one process to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Channel {
    /// Who sends on it.
    pub from: ProcessId,
    /// Who receives from it.
    pub to: ProcessId,
}

/// Shown as `1 → 2`.
impl fmt::Display for Channel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} → {}", self.from, self.to)
    }
}

/// What a message carries, or a state: 0 to 2⁶⁴−1 or, where the header says that amounts may be negative, from
/// −(2⁶⁴−1) on. Sums of them fit in the type too.
pub type Amount = i128;

/// What a run was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The seed of its random choices.
    pub seed: Option<u64>,
    /// How its script is called.
    pub script: Option<Text>,
    /// The SHA-256 of the script, in lower-case hexadecimal digits.
    pub sha256: Option<Text>,
    /// Whether states and messages are anything but amounts: then nothing adds up.
    pub is_opaque: bool,
    /// What all states and messages in transit add up to, where processes are not created.
    pub total: Option<Amount>,
    /// Amounts and states may be negative.
    pub is_signed: bool,
    /// What else its writer noted of it.
    pub extra: Extra,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The line of the script that asked for it.
    pub line: Option<u64>,
    /// When, in microseconds since the run began.
    pub time: Option<u64>,
    /// What.
    pub what: What,
    /// What else its writer noted of it.
    pub extra: Extra,
}

/// Keys that begin with `x-`, each with its value as JSON: kept, and without any meaning here.
pub type Extra = Vec<(String, String)>;

/// What happened; the table in the crate's documentation says more of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A system begins.
    Start {
        /// Whether only those channels exist that a `connect` opens. Otherwise there is one from each
        /// process to each other.
        sparse: bool,
    },
    /// A channel opens, in a sparse system.
    Connect {
        /// The channel; its sender is where it happens.
        channel: Channel,
    },
    /// A process begins, with this state.
    Create {
        /// The process.
        process: ProcessId,
        /// What people call it, if not by its number.
        name: Option<Text>,
        /// Its first state.
        amount: Amount,
    },
    /// A message enters its channel.
    Send {
        /// The channel; its sender is where it happens.
        channel: Channel,
        /// What is sent.
        amount: Amount,
        /// The message's number on its channel, counted from 1.
        number: u64,
        /// The sender died before it confirmed it.
        inferred: bool,
    },
    /// A message leaves its channel.
    Receive {
        /// The channel; its receiver is where it happens.
        channel: Channel,
        /// What was received.
        amount: Amount,
        /// The message's number on its channel, counted from 1.
        number: u64,
    },
    /// A process would have sent more than it had; nothing was sent.
    Refuse {
        /// The channel.
        channel: Channel,
        /// What would have been sent.
        amount: Amount,
    },
    /// A process initiates a snapshot.
    Begin {
        /// The initiator.
        process: ProcessId,
        /// The snapshot.
        snapshot: SnapshotId,
        /// Who takes part in it; nobody is named where all do.
        members: Vec<ProcessId>,
    },
    /// Something happens inside a process, and changes neither its state nor a channel.
    Local {
        /// The process.
        process: ProcessId,
        /// What.
        text: Text,
    },
    /// A process records its state: its part of the snapshot's cut.
    Record {
        /// The process.
        process: ProcessId,
        /// The snapshot.
        snapshot: SnapshotId,
        /// The state recorded.
        amount: Amount,
        /// What it had sent to each peer before.
        sent: Vec<Tally>,
        /// What it had received from each peer before.
        received: Vec<Tally>,
    },
    /// A marker enters its channel.
    MarkerSent {
        /// The channel; its sender is where it happens.
        channel: Channel,
        /// The snapshot.
        snapshot: SnapshotId,
        /// The sender died before it confirmed it.
        inferred: bool,
    },
    /// A marker leaves its channel.
    MarkerReceived {
        /// The channel; its receiver is where it happens.
        channel: Channel,
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// A process's recording of an incoming channel is complete.
    ChannelClosed {
        /// The channel; its receiver is where it happens.
        channel: Channel,
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// What was recorded is collected, or a part of it: lines that follow each other are one.
    Collect {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The processes' states.
        states: Vec<ProcessState>,
        /// The channels' states; those left out were empty.
        channels: Vec<ChannelState>,
    },
    /// The verdict on what was collected.
    Audit {
        /// The snapshot.
        snapshot: SnapshotId,
        /// All the states and messages together; or what is wrong.
        verdict: Result<Amount, Text>,
    },
    /// A process ended, and not because the system did.
    Death {
        /// Which; `None` is the observer, who collects.
        process: Option<ProcessId>,
        /// How.
        reason: Text,
    },
    /// A process that died goes on where it was: its state, what is in its channels and the snapshots in
    /// progress are as before its death.
    Restarted {
        /// Which; `None` is the observer.
        process: Option<ProcessId>,
        /// Counted from its creation, so that the first restart makes it 2.
        incarnation: u64,
    },
    /// The system ends.
    End,
}

/// How many messages have passed an end of a channel, and the sum of their amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// The process at the other end.
    pub process: ProcessId,
    /// How many.
    pub messages: u64,
    /// Their sum.
    pub sum: i128,
}

/// A process's recorded state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessState {
    /// The process.
    pub process: ProcessId,
    /// Its state.
    pub amount: Amount,
}

/// A channel's recorded state: what was in transit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelState {
    /// Who sent it.
    pub from: ProcessId,
    /// Who was to receive it.
    pub to: ProcessId,
    /// The messages' amounts, in order.
    pub amounts: Vec<Amount>,
}

impl ChannelState {
    /// The channel.
    #[must_use]
    pub fn channel(&self) -> Channel {
        Channel {
            from: self.from,
            to: self.to,
        }
    }
}

impl What {
    /// The process at which it happens; `None` where it happens outside of all of them.
    #[must_use]
    pub fn process(&self) -> Option<ProcessId> {
        match *self {
            Self::Create { process, .. }
            | Self::Begin { process, .. }
            | Self::Local { process, .. }
            | Self::Record { process, .. } => Some(process),
            Self::Death { process, .. } | Self::Restarted { process, .. } => process,
            Self::Connect { channel }
            | Self::Send { channel, .. }
            | Self::Refuse { channel, .. }
            | Self::MarkerSent { channel, .. } => Some(channel.from),
            Self::Receive { channel, .. }
            | Self::MarkerReceived { channel, .. }
            | Self::ChannelClosed { channel, .. } => Some(channel.to),
            Self::Start { .. } | Self::Collect { .. } | Self::Audit { .. } | Self::End => None,
        }
    }

    /// The snapshot of which it is a step: at a process, one of the algorithm; outside of them, its
    /// collection or audit.
    #[must_use]
    pub fn snapshot(&self) -> Option<SnapshotId> {
        match *self {
            Self::Begin { snapshot, .. }
            | Self::Record { snapshot, .. }
            | Self::MarkerSent { snapshot, .. }
            | Self::MarkerReceived { snapshot, .. }
            | Self::ChannelClosed { snapshot, .. }
            | Self::Collect { snapshot, .. }
            | Self::Audit { snapshot, .. } => Some(snapshot),
            _ => None,
        }
    }

    /// The state that it records.
    #[must_use]
    pub fn recorded(&self) -> Option<Amount> {
        match *self {
            Self::Record { amount, .. } => Some(amount),
            _ => None,
        }
    }
}
