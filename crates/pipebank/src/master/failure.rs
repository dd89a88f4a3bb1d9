//! Why one command of a script fails; what ends the whole run is [`Stop`].

use pipes::Shortage;
use snapshot::SnapshotId;

use super::process::Fate;
use bank::audit::Unsound;
use bank::id::NodeId;

pub(super) use super::shared::Stop;

/// Why a command has no effect. The script goes on.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("node {node} died ({fate})")]
    NodeDied { node: NodeId, fate: Fate },
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
    #[error("there is no channel: node {dead} died ({fate}) before node {joined} was created")]
    NeverConnected {
        dead: NodeId,
        joined: NodeId,
        fate: Fate,
    },
    #[error("no snapshot has begun that is not collected; BeginSnapshot would begin one")]
    NothingBegun,
    #[error("a snapshot needs every node, and node {node} died ({fate})")]
    MemberDied { node: NodeId, fate: Fate },
    #[error("{0}; ReceiveAll would deliver them")]
    Incomplete(Waiting),
    #[error("no snapshot has been collected")]
    NothingCollected,
    #[error("snapshot {wanted} has not been collected{}", have(.collected))]
    NotCollected { wanted: u64, collected: Vec<u64> },
    #[error("snapshot {snapshot} failed its audit: {reason}")]
    Unsound {
        snapshot: SnapshotId,
        reason: Unsound,
    },
    #[error("cannot start another node: it takes {0}")]
    Shortage(Shortage),
    #[error("{0}")]
    Start(String),
}

impl Failure {
    /// Whether it means that the system itself is broken, not the script or the machine.
    pub(super) fn is_internal(&self) -> bool {
        matches!(self, Self::Unsound { .. })
    }
}

/// The markers that keep snapshots from being complete.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    pub(super) parts: Vec<WaitingNode>,
}

/// A node that waits for markers.
#[derive(Clone, Debug)]
pub(super) struct WaitingNode {
    pub(super) snapshot: SnapshotId,
    pub(super) node: NodeId,
    /// Whether it has recorded its state; else any of them would be the first.
    pub(super) recorded: bool,
    pub(super) peers: Vec<NodeId>,
}

/// How many nodes, and how many channels of each, a message names.
const NAMED: usize = 8;

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
        if self.parts.len() > NAMED {
            write!(f, "; and {} more nodes wait", self.parts.len() - NAMED)?;
        }
        Ok(())
    }
}

impl std::fmt::Display for WaitingNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
        if self.peers.len() > NAMED {
            write!(f, " and {} more channels", self.peers.len() - NAMED)?;
        }
        Ok(())
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
