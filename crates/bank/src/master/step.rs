//! What is in flight, and what is said for it.

use snapshot::SnapshotId;

use super::channels::Taken;
use super::collect::Outcome;
use super::{Failure, Kept, Process, Shown};
use crate::id::Place;
use crate::messages::{Opening, Reply};
use crate::script::Statement;

/// A step in flight: one frame whose reply is awaited, or what is known without one.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) statement: Statement,
    pub(super) step: Step,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The outcome is known; it only waits for its turn.
    Known(Box<Result<Shown, Failure>>),
    /// A node opens channels.
    Opened {
        node: Place,
        opening: Box<Opening>,
    },
    Send {
        node: Place,
        to: Place,
        amount: u64,
        certain: bool,
    },
    Receive {
        node: Place,
        from: Place,
        expected: Taken,
    },
    Begin {
        node: Place,
        snapshot: SnapshotId,
    },
    Joined,
    /// Every snapshot from this one to the last that has begun.
    Collect {
        first: SnapshotId,
    },
    /// The same, of which it is kept how it ended.
    Recalled {
        first: SnapshotId,
        kept: Box<Kept>,
    },
    /// The balance of a node, for the `nodes` command.
    Balance {
        node: Place,
    },
    /// All balances have come: the `nodes` command shows its table.
    Table,
    /// A node removes its parts of snapshots that are over.
    Forgotten {
        node: Place,
        first: SnapshotId,
        last: SnapshotId,
    },
    /// A channel is read ahead, up to this frame, before its sender is killed.
    Ahead {
        node: Place,
        from: Place,
        frames: u64,
    },
    /// The channel of a dead node is read to its end.
    ToEnd {
        from: Place,
        node: Place,
    },
}

impl Step {
    /// Whose word completes the step.
    pub(super) fn process(&self) -> Option<Process> {
        match self {
            Self::Opened { node, .. }
            | Self::Send { node, .. }
            | Self::Receive { node, .. }
            | Self::Begin { node, .. }
            | Self::Balance { node }
            | Self::Forgotten { node, .. }
            | Self::Ahead { node, .. }
            | Self::ToEnd { node, .. } => Some(Process::Node(*node)),
            Self::Joined | Self::Collect { .. } => Some(Process::Observer),
            Self::Known(_) | Self::Recalled { .. } | Self::Table => None,
        }
    }
}

/// What was said for a step.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Reply(Reply),
    Outcome(Box<Outcome>),
    /// Nothing, nor ever will be: whoever was to say it is dead.
    Nothing,
}
