//! What can go wrong with a command ([`Failure`]), and how processes end ([`Fate`]).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use snapshot::SnapshotId;

use crate::audit::Unsound;
use crate::id::NodeId;

/// How a process of the system ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// Killed by this signal.
    Signal(i32),
    /// Ended by itself with this exit status.
    Exit(i32),
    /// What it wrote was no reply, so master killed it.
    Garbled(String),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => write!(f, "killed by signal {number}"),
            Self::Exit(status) => write!(f, "exited with status {status}"),
            Self::Garbled(reason) => write!(f, "killed by master, which cannot read it: {reason}"),
        }
    }
}

impl Fate {
    /// Whether the process ended as it should when everything ends.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::Exit(0)
    }

    /// Whether the process ended because it found, or was, something that cannot be.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        match self {
            Self::Signal(_) => false,
            Self::Exit(status) => *status != 0,
            Self::Garbled(_) => true,
        }
    }
}

/// Why a command has no effect. The script goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each says what it means.
pub enum Failure {
    #[error("node {node} died ({fate})")]
    NodeDied { node: NodeId, fate: Fate },
    #[error("node {node} is alive")]
    NodeLives { node: NodeId },
    #[error("the observer died ({0}): there are no snapshots without it")]
    ObserverDied(Fate),
    #[error("node {node} does not exist: its CreateNode on line {line} failed")]
    NeverCreated { node: NodeId, line: u64 },
    #[error("nothing to receive: nothing is on its way from node {from} to node {to}")]
    NothingFrom { from: NodeId, to: NodeId },
    #[error("nothing to receive: nothing is on its way to node {to}")]
    NothingTo { to: NodeId },
    #[error("nothing more to receive from node {from}: node {from} died ({fate})")]
    Ended { from: NodeId, fate: Fate },
    #[error("there is no channel {dead} → {to}: node {dead} died ({fate}) before it was opened")]
    NeverConnected {
        dead: NodeId,
        to: NodeId,
        fate: Fate,
    },
    #[error("no snapshot has begun that is not collected; BeginSnapshot would begin one")]
    NothingBegun,
    #[error("a snapshot needs every node, and node {node} died ({fate})")]
    MemberDied { node: NodeId, fate: Fate },
    #[error("{0}")]
    Incomplete(Waiting),
    #[error("no snapshot has been collected")]
    NothingCollected,
    #[error("snapshot {wanted} has not been collected{}", have(.collected))]
    NotCollected { wanted: u64, collected: Vec<u64> },
    #[error("snapshot {snapshot} failed its audit: {reason}")]
    Unsound {
        snapshot: SnapshotId,
        reason: Box<Unsound>,
    },
    #[error(transparent)]
    NotStarted(NotStarted),
}

/// Why a process could not be started, in the words of whoever was to start it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct NotStarted(pub String);

impl Failure {
    /// Whether it means that the system itself is broken, not the script or the machine.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Unsound { .. })
    }
}

/// What keeps snapshots from being complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Who waits for markers that are on their way, by snapshot and node.
    pub parts: Vec<WaitingNode>,
    /// Nodes to which no marker of the snapshot can ever come: no channels lead there from those that have
    /// recorded it.
    pub unreachable: BTreeMap<SnapshotId, Vec<NodeId>>,
}

/// A node that waits for markers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingNode {
    /// Of this snapshot.
    pub snapshot: SnapshotId,
    /// It.
    pub node: NodeId,
    /// Whether it has recorded its state; else any of them would be the first.
    pub recorded: bool,
    /// From these.
    pub peers: Vec<NodeId>,
}

/// How many nodes, and how many channels of each, a message names.
const NAMED: usize = 8;

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (snapshot, nodes)) in self.unreachable.iter().take(NAMED).enumerate() {
            let also = if index > 0 { "; " } else { "" };
            write!(
                f,
                "{also}no marker of snapshot {snapshot} can ever reach {}",
                named(nodes)
            )?;
        }
        if !self.unreachable.is_empty() {
            f.write_str(
                ", as no channels lead there from where it began; Connect would open some",
            )?;
            if self.parts.is_empty() {
                return Ok(());
            }
            f.write_str("; and ")?;
        }
        f.write_str("markers are still on their way: ")?;
        let mut snapshot = None;
        for (index, part) in self.parts.iter().take(NAMED).enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            if snapshot != Some(part.snapshot) {
                write!(f, "snapshot {}: ", part.snapshot)?;
                snapshot = Some(part.snapshot);
            }
            part.fmt(f)?;
        }
        match self.parts.len().saturating_sub(NAMED) {
            0 => {}
            1 => f.write_str("; and 1 more node waits")?,
            more => write!(f, "; and {more} more nodes wait")?,
        }
        f.write_str("; ReceiveAll would deliver them")
    }
}

/// `node 3`, `nodes 3, 4 and 5`, `nodes 3, 4 and 17 more`
fn named(nodes: &[NodeId]) -> String {
    let (shown, more) = match nodes.len() {
        ..=NAMED => nodes.split_at(nodes.len().saturating_sub(1)),
        _ => nodes.split_at(NAMED),
    };
    let last = match more {
        [one] => one.to_string(),
        more => format!("{} more", more.len()),
    };
    match shown {
        [] => format!("node {last}"),
        shown => {
            let shown: Vec<String> = shown.iter().map(NodeId::to_string).collect();
            format!("nodes {} and {last}", shown.join(", "))
        }
    }
}

impl fmt::Display for WaitingNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node;
        let marker = match self.recorded {
            true => "the marker",
            false => "its first marker",
        };
        write!(f, "node {node} waits for {marker} on ")?;
        for (index, from) in self.peers.iter().take(NAMED).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{from} → {node}")?;
        }
        match self.peers.len().saturating_sub(NAMED) {
            0 => Ok(()),
            1 => f.write_str(" and 1 more channel"),
            more => write!(f, " and {more} more channels"),
        }
    }
}

fn have(collected: &[u64]) -> String {
    let Some((first, last)) = collected.first().zip(collected.last()) else {
        return String::new();
    };
    if first == last {
        format!("; only {first} has")
    } else {
        format!("; those from {first} to {last} have")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{NAMED, NodeId, SnapshotId, Waiting, WaitingNode};

    #[test]
    fn what_is_left_out_is_counted_in_plain_english() {
        let waiting = |nodes: usize, peers: usize| {
            let part = |node: usize| WaitingNode {
                snapshot: SnapshotId(1),
                node: NodeId(node as u64),
                recorded: true,
                peers: (100..100 + peers as u64).map(NodeId).collect(),
            };
            let waiting = Waiting {
                parts: (0..nodes).map(part).collect(),
                unreachable: BTreeMap::new(),
            };
            let told = waiting.to_string();
            told.strip_suffix("; ReceiveAll would deliver them")
                .unwrap()
                .to_owned()
        };
        assert!(waiting(NAMED, NAMED).ends_with("107 → 7"));
        assert!(waiting(NAMED + 1, 1).ends_with("; and 1 more node waits"));
        assert!(waiting(NAMED + 2, 1).ends_with("; and 2 more nodes wait"));
        assert!(waiting(1, NAMED + 1).ends_with(" and 1 more channel"));
        assert!(waiting(1, NAMED + 2).ends_with(" and 2 more channels"));
    }
}
