//! Who says what to whom: every frame of the system but those between nodes
//! ([`Frame`](crate::member::Frame)).
//!
//! | from → to | frame | answered by |
//! |---|---|---|
//! | master → node | [`Command::Open`] | [`Reply::Opened`] |
//! | | [`Command::Send`] | [`Reply::Sent`], [`Reply::Refused`] or [`Reply::PeerGone`] |
//! | | [`Command::Receive`] | [`Reply::Transfer`], [`Reply::Marker`] or [`Reply::Ended`] |
//! | | [`Command::AwaitTake`] | [`Reply::Began`] or [`Reply::ObserverGone`] |
//! | | [`Command::ReadAhead`] | [`Reply::Ahead`] |
//! | | [`Command::Report`] | [`Reply::Balance`] |
//! | master → observer | [`Request::Join`] | [`Answer::Joined`] |
//! | | [`Request::Begin`] | nothing: the node says [`Reply::Began`] |
//! | | [`Request::Collect`] | [`Answer::Account`], [`Answer::Transit`] …, then [`Answer::Collected`]; or [`Answer::Waiting`] …, then [`Answer::Incomplete`]; or [`Answer::Unsound`], [`Answer::NodeGone`] |
//! | observer → node | [`Order::Take`] | nothing: see [`Command::AwaitTake`] |
//! | | [`Order::Ask`] | [`Report::Waiting`] …, then [`Report::Asked`] |
//! | | [`Order::Give`] | [`Report::Account`], [`Report::Channel`], [`Report::Transit`] …, then [`Report::Given`] |
//!
//! A node answers every command with exactly one reply, in the order of the commands, so neither
//! carries a number: the n-th reply belongs to the n-th command. Who sent a frame is known by the
//! pipe it came from.

use serde::{Deserialize, Serialize};
use snapshot::{SnapshotId, Tally};

use crate::audit::Unsound;
use crate::id::NodeId;

/// How many ids or amounts one frame carries at most (8 bytes each): the frame stays well within
/// the limit of 4,096 bytes.
pub const CHUNK: usize = 480;

/// Master's commands to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Take the ends of the channels to and from each of these peers from the hatch: for each
    /// the write end, then the read end.
    Open {
        /// At most as many as one hand-over carries.
        peers: Vec<NodeId>,
    },
    /// Withdraw and enqueue a transfer.
    Send {
        /// The receiver.
        to: NodeId,
        /// The amount.
        amount: u64,
    },
    /// Take the frame at the head of a channel; wait for it where it is still on its way.
    Receive {
        /// The channel's sender.
        from: NodeId,
    },
    /// The observer's order to take this snapshot, which comes over another pipe, belongs here
    /// in the order of commands: wait for it, and carry it out.
    AwaitTake {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// Read a channel ahead, without receiving, until this many frames are there or it ends.
    ReadAhead {
        /// The channel's sender.
        from: NodeId,
        /// How many frames; `u64::MAX` for all until the end of file.
        frames: u64,
    },
    /// Say what the balance is.
    Report,
}

/// A node's replies, one for each [`Command`], in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The channels are open; markers owed to the peers are on their way.
    Opened,
    /// The transfer is enqueued.
    Sent {
        /// What is left.
        balance: u64,
    },
    /// The balance is too small; nothing was sent.
    Refused {
        /// What there is.
        balance: u64,
    },
    /// The peer is dead; nothing was sent, the money stays here.
    PeerGone,
    /// A transfer was received.
    Transfer {
        /// What it brought.
        amount: u64,
        /// What there is now.
        balance: u64,
    },
    /// A marker was received.
    Marker {
        /// Its snapshot.
        snapshot: SnapshotId,
        /// It was the first of its snapshot here: the node has recorded its state and sent the
        /// marker on every outgoing channel.
        recorded: bool,
    },
    /// The channel's sender is dead and nothing is left in the channel.
    Ended,
    /// The snapshot was begun.
    Began,
    /// The observer died before it gave the order.
    ObserverGone,
    /// What is there to be received from a channel that was read ahead.
    Ahead {
        /// Transfers.
        transfers: u64,
        /// Their sum.
        amount: u128,
        /// Markers.
        markers: u64,
    },
    /// The balance.
    Balance {
        /// What there is.
        balance: u64,
    },
}

/// Master's requests to the observer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A node joins: take the write end of the pipe for [`Order`]s and the read end of the pipe
    /// for [`Report`]s from the hatch.
    Join {
        /// The node.
        node: NodeId,
        /// What was in its account at first.
        deposit: u64,
    },
    /// Have this node begin a snapshot.
    Begin {
        /// The snapshot.
        snapshot: SnapshotId,
        /// Its initiator.
        node: NodeId,
    },
    /// Collect these snapshots, all of them or none.
    Collect {
        /// The first.
        first: SnapshotId,
        /// The last; all between are meant too.
        last: SnapshotId,
    },
}

/// The observer's answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The node's pipes are here.
    Joined,
    /// The state of one account in a snapshot.
    Account {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The account's node.
        node: NodeId,
        /// Its recorded balance.
        balance: u64,
    },
    /// What was in transit on one channel in a snapshot, in order; several frames where one does
    /// not hold it. Channels that were empty are not mentioned.
    Transit {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The channel's sender.
        from: NodeId,
        /// The channel's receiver.
        to: NodeId,
        /// At most [`CHUNK`].
        amounts: Vec<u64>,
    },
    /// The snapshots are collected, and each has passed the audit.
    Collected,
    /// A node waits for markers of a snapshot.
    Waiting {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The node that waits.
        node: NodeId,
        /// Whether it has recorded its state; else any of them would be the first.
        recorded: bool,
        /// For the markers of these, at most [`CHUNK`].
        peers: Vec<NodeId>,
    },
    /// Nothing was collected: markers are still on their way.
    Incomplete,
    /// A snapshot failed its audit; nothing was collected.
    Unsound {
        /// The snapshot.
        snapshot: SnapshotId,
        /// Where, and what is wrong.
        reason: Unsound,
    },
    /// A node died; nothing was collected.
    NodeGone {
        /// The node.
        node: NodeId,
    },
}

/// The observer's orders to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Begin this snapshot.
    Take {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// Say which markers of this snapshot have not come.
    Ask {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// Hand over your part of this snapshot, which is complete.
    Give {
        /// The snapshot.
        snapshot: SnapshotId,
    },
}

/// A node's reports to the observer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The markers of these peers have not come.
    Waiting {
        /// Whether the state is recorded; else any of them would be the first.
        recorded: bool,
        /// At most [`CHUNK`].
        peers: Vec<NodeId>,
    },
    /// Everything that is waited for has been said: nothing, where the part is complete.
    Asked,
    /// The recorded balance: the beginning of a part.
    Account {
        /// The balance at the cut.
        balance: u64,
    },
    /// The tallies at the cut of the channels to and from one peer.
    Channel {
        /// The peer.
        peer: NodeId,
        /// Sent to it.
        sent: Tally,
        /// Received from it.
        received: Tally,
    },
    /// What was in transit from one peer, in order; several frames where one does not hold it.
    Transit {
        /// The peer.
        from: NodeId,
        /// At most [`CHUNK`].
        amounts: Vec<u64>,
    },
    /// The end of a part. `complete` is false where there was no complete part to give.
    Given {
        /// Whether this was a part.
        complete: bool,
    },
}
