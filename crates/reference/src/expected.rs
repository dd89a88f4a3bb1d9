//! What is promised of one run of a script.

use std::collections::BTreeMap;

/// Everything that is promised of one run.
#[derive(Debug, Default)]
pub struct Expected {
    /// Standard output, byte for byte.
    pub stdout: String,
    /// Each is one message on stderr that starts with `PATH:LINE: `, in this order.
    pub failures: Vec<Failure>,
    /// Lines of the `KillNode`s that found their node alive: told on stderr too, in free form.
    pub deaths: Vec<usize>,
    /// Lines of the `RestartNode`s that found their node dead: told likewise.
    pub restarts: Vec<usize>,
    /// Whether the bank lasts, so that nothing is lost by a death.
    pub lasts: bool,
    /// Every snapshot that was collected, in all rounds, in the order collected.
    pub collected: Vec<Collected>,
}

impl Expected {
    /// The status with which master ends.
    #[must_use]
    pub fn exit_status(&self) -> i32 {
        let lost = !self.lasts && !self.deaths.is_empty();
        i32::from(lost || !self.failures.is_empty())
    }
}

/// A command that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Its line, counted from 1.
    pub line: usize,
    /// The reason.
    pub why: Why,
}

/// Why a command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No frame waits on the channel, or on any to that node.
    NothingToReceive,
    /// There is no snapshot to collect.
    NothingBegun,
    /// A snapshot is not complete.
    MarkersOnTheWay,
    /// There is no snapshot to print.
    NothingCollected,
    /// None of this number was collected.
    NoSuchSnapshot,
    /// It needs a node that is dead.
    NodeDied,
    /// It needs a node that is dead, and this one is alive.
    NodeAlive,
    /// Snapshots in progress ended with a node, in a bank that does not last.
    SnapshotsLost,
}

/// A collected snapshot, with what it has to agree with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Collected {
    /// All that was deposited.
    pub deposits: u128,
    /// The balances at the cut.
    pub nodes: BTreeMap<u64, u64>,
    /// As the algorithm recorded them.
    pub channels: BTreeMap<(u64, u64), Vec<u64>>,
    /// The same from the definition: sent before the sender's cut, not received before the
    /// receiver's. `None` where more was received than sent: the cut is inconsistent.
    pub by_definition: BTreeMap<(u64, u64), Option<Vec<u64>>>,
}
