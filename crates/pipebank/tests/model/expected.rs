//! What is promised of one run of a script.

use std::collections::BTreeMap;

/// Everything that is promised of one run.
#[derive(Debug, Default)]
pub struct Expected {
    pub stdout: String,
    /// Each is one message on stderr that starts with `PATH:LINE: `, in this order.
    pub failures: Vec<Failure>,
    /// Lines of the `KillNode`s that found their node alive: told on stderr too, in free form.
    pub deaths: Vec<usize>,
    /// Every snapshot that was collected, in all rounds, in the order collected.
    pub collected: Vec<Collected>,
}

impl Expected {
    pub fn exit_status(&self) -> i32 {
        i32::from(!self.failures.is_empty() || !self.deaths.is_empty())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    pub line: usize,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    NothingToReceive,
    NothingBegun,
    MarkersOnTheWay,
    NothingCollected,
    NoSuchSnapshot,
    NodeDied,
    SnapshotsLost,
}

/// A collected snapshot, with what it has to agree with.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    pub deposits: u128,
    pub nodes: BTreeMap<u64, u64>,
    /// As the algorithm recorded them.
    pub channels: BTreeMap<(u64, u64), Vec<u64>>,
    /// The same from the definition: sent before the sender's cut, not received before the
    /// receiver's. `None` where more was received than sent: the cut is inconsistent.
    pub by_definition: BTreeMap<(u64, u64), Option<Vec<u64>>>,
}
