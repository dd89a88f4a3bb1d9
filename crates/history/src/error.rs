//! What can be wrong with a history.

use std::collections::BTreeMap;
use std::io;

use thiserror::Error;

use crate::event::{Amount, Channel, ProcessId, SnapshotId};
use crate::foreign::Foreign;
use crate::read::MAX_LINE;
use crate::system::Content;
use crate::wire::Malformed;

/// Why a history cannot be read, linked or reordered.
#[derive(Debug, Error)]
pub enum Error {
    /// It cannot be read at all.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is not even a first line.
    #[error("there is no history in it: not even the first line is whole")]
    Empty,
    /// It is no text of this kind.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// A line is too long.
    #[error("line {line}: it is longer than {MAX_LINE} bytes, as no line of a history is")]
    TooLong {
        /// Counted from 1.
        line: u64,
    },
    /// A line is no event, or the first no header.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: Malformed,
    },
    /// An event does not fit those before it: they make no system.
    #[error("line {line}: {reason}")]
    Unlinked {
        /// The line of the history.
        line: u64,
        /// What does not fit.
        reason: Box<Mismatch>,
    },
    /// There is no such snapshot.
    #[error("there is no snapshot {0}")]
    NoSnapshot(SnapshotId),
    /// A cut cannot be straightened: not every process has its part in it.
    #[error(
        "process {process} never recorded its state for snapshot {snapshot}{}",
        if *.died { ", and died" } else { "" }
    )]
    NeverRecorded {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The first process that did not.
        process: ProcessId,
        /// Whether it died.
        died: bool,
    },
    /// A cut cannot be straightened: it is not consistent, and no order of the events has it as an
    /// instant.
    #[error(
        "a message on channel {channel} is received before the cut of snapshot {snapshot}, and sent \
         after it"
    )]
    Inconsistent {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The channel.
        channel: Channel,
        /// The event that sent it.
        sent: usize,
        /// The event that received it.
        received: usize,
    },
    /// An order is no equivalent execution with the snapshot at its line.
    #[error("at {at} of the order: {reason}")]
    NotEquivalent {
        /// The place in the order.
        at: usize,
        /// What is wrong there.
        reason: Box<Mismatch>,
    },
}

/// Why an event does not fit those before it, or a state not what was recorded.
#[derive(Debug, Error)]
pub enum Mismatch {
    /// Something happens outside of all systems.
    #[error("this is before any system starts")]
    BeforeStart,
    /// Something happens at a process that is not there.
    #[error("process {0} was never created")]
    NeverCreated(ProcessId),
    /// A process is created again.
    #[error("process {0} is created a second time")]
    CreatedTwice(ProcessId),
    /// A process records again.
    #[error("process {0} records its state for snapshot {1} a second time")]
    RecordedTwice(ProcessId, SnapshotId),
    /// A message is not the next one: its number, and that of the next one.
    #[error("the message on channel {0} has number {1}, and {2} is next")]
    Number(Channel, u64, u64),
    /// Something is received, and nothing was sent.
    #[error("{0} is received from channel {1}, where nothing is in transit")]
    NothingInTransit(Content, Channel),
    /// Something is received before what was sent before it, on that line.
    #[error("{0} is received from channel {1}, where {2} is next (line {3})")]
    NotNext(Content, Channel, Content, u64),

    /// An order has an event that the system has not, or has it again.
    #[error("event {0} is unknown, or comes twice")]
    NoEvent(usize),
    /// An order has not all events.
    #[error("events are missing")]
    Missing,
    /// An event of something else is among those of the cut.
    #[error("this does not belong on the line")]
    OnTheLine,
    /// A record is not among those of the cut.
    #[error("this record is off the line")]
    OffTheLine,
    /// A process's own events are in another order.
    #[error("process {0} did this before what it does here before")]
    OwnOrder(ProcessId),
    /// In this order, a process is created later.
    #[error("process {0} is not there yet")]
    NotYetCreated(ProcessId),
    /// In this order, a process has less than it sends.
    #[error("{0} is sent by one that has {1}")]
    Overdrawn(Amount, Amount),
    /// In this order, a process has more than there can be.
    #[error("its state grows above 64 bits")]
    Overflow,
    /// In this order, a process has what it refuses to send.
    #[error("{0} is refused by a process that has {1}")]
    Refused(Amount, Amount),
    /// A process goes on after a restart with less than nothing.
    #[error("process {0} is restarted with {1}")]
    Restarted(ProcessId, Amount),
    /// In this order, a process has another state than it records.
    #[error("process {0} has {1} and records {2}")]
    Recorded(ProcessId, Amount, Amount),
    /// In this order, another message is next.
    #[error("{0} is received where {1} is next")]
    Overtaken(Amount, Amount),
    /// In this order, a message is sent later.
    #[error("{0} is received before it is sent")]
    NotYetSent(Amount),
    /// The states at the line, and those recorded.
    #[error("the processes' states are {0:?}, and recorded were {1:?}")]
    RecordedStates(BTreeMap<ProcessId, Amount>, BTreeMap<ProcessId, Amount>),
    /// The states at the line, and those collected.
    #[error("the processes' states are {0:?}, and collected were {1:?}")]
    CollectedStates(BTreeMap<ProcessId, Amount>, BTreeMap<ProcessId, Amount>),
    /// What is in transit at the line, and what was collected.
    #[error("in transit is {0:?}, and collected was {1:?}")]
    CollectedChannels(
        BTreeMap<Channel, Vec<Amount>>,
        BTreeMap<Channel, Vec<Amount>>,
    ),
    /// The order ends in another state than the run.
    #[error("the run ended in another state")]
    End,
}
