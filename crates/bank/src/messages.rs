//! Who says what to whom: every frame of the system but those between nodes
//! ([`Frame`]).
//!
//! | from → to | frame | answered by |
//! |---|---|---|
//! | master → node | [`Instruction::Open`] | [`Reply::Opened`] |
//! | | [`Instruction::Send`] | [`Reply::Sent`] or [`Reply::Refused`] |
//! | | [`Instruction::Receive`] | [`Reply::Transfer`], [`Reply::Marker`] or [`Reply::Ended`] |
//! | | [`Instruction::AwaitTake`] | [`Reply::Began`] or [`Reply::ObserverGone`] |
//! | | [`Instruction::Resume`], the first time after either of the latter | nothing of its own |
//! | | [`Instruction::ReadAhead`] | [`Reply::Ahead`] |
//! | | [`Instruction::ReadToEnd`] | [`Reply::Found`] …, the last of which says so |
//! | | [`Instruction::Report`] | [`Reply::Balance`] |
//! | | [`Instruction::Forget`] | [`Reply::Forgotten`] |
//! | | [`Instruction::Truncate`] | nothing |
//! | | [`Instruction::Load`] | [`Reply::Generated`], once it has generated all it will |
//! | | [`Instruction::Rest`] | nothing of its own: it hastens [`Reply::Generated`] |
//! | | [`Instruction::Count`] | [`Reply::Counted`] |
//! | | [`Instruction::SentTo`] | [`Reply::SentTo`] |
//! | | [`Instruction::Settle`] | [`Reply::Settled`], once everything has come |
//! | | [`Announcement::Incoming`], laid anew | [`Reply::Received`] |
//! | master → observer | [`Request::Join`] | [`Answer::Joined`]; nothing, where it joins again |
//! | | [`Request::Begin`] | nothing: the node says [`Reply::Began`] |
//! | | [`Request::Collect`] | [`Answer::Account`], [`Answer::Transit`] …, then [`Answer::Collected`]; or [`Answer::Waiting`] …, then [`Answer::Incomplete`]; or [`Answer::Unsound`], [`Answer::NodeGone`] |
//! | | [`Request::Watch`] | [`Answer::Watched`] for every snapshot; or [`Answer::Unsound`], [`Answer::NodeGone`] |
//! | | [`Request::Rest`] | [`Answer::Rested`], once no snapshot is in progress |
//! | observer → node | [`Order::Take`] | nothing: see [`Instruction::AwaitTake`] |
//! | | [`Order::Ask`] | [`Report::Waiting`] …, then [`Report::Asked`] |
//! | | [`Order::Give`] | [`Report::Account`], [`Report::Sent`] …, [`Report::Received`] …, [`Report::Transit`] …, then [`Report::Given`] |
//! | | [`Order::Recall`] | [`Report::Known`] |
//! | | [`Order::Forget`] | nothing |
//!
//! In a script a node answers every instruction but `Resume` and `Truncate` with one reply, in the order of
//! the instructions, so neither carries a number. What is found in a channel may be too long for one frame;
//! then its reply takes several. Under load the replies to [`Instruction::Load`] and
//! [`Instruction::Settle`] come when it is time. Who sent a frame is known by the pipe it came from.
//!
//! A *command* is what a user gives to master, in a script; what master makes of it for a node is an
//! *instruction*.
//!
//! Nodes are called by their places here: names are for people. Ids travel where a node or the
//! observer has something to say to somebody outside.
//!
//! An [`Announcement`] comes through the hatch, with a pipe end, and not in the stream of instructions:
//! one that waits would hold it up for ever. Only in a bank that lasts are there any.
//!
//! Under load nobody joins, so a part that is complete stays so: from [`Instruction::Load`] on a node
//! begins a snapshot as soon as it is ordered to, and hands its part over by itself.

mod list;

use serde::{Deserialize, Serialize};
use snapshot::{SnapshotId, Tally};

use self::list::list;
use crate::audit::Unsound;
use crate::id::{NodeId, Place};
use crate::member::Frame;

/// How many ids or amounts one frame carries at most (8 bytes each): the frame stays well within
/// the limit of 4,096 bytes.
pub const CHUNK: usize = 480;

/// How many frames of a channel one reply carries at most (12 bytes each).
pub const FRAMES: usize = 256;

/// How many channels one [`Instruction::Open`] opens at most: as many as one hand-over carries ends.
pub const CHANNELS: usize = 240;

/// Master's instructions to a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Instruction {
    /// Take the ends of these channels from the hatch: the write ends of the outgoing ones, then
    /// the read ends of the incoming ones. The markers of the snapshots that the node has recorded
    /// and not handed over go out first on the new channels.
    Open(Box<Opening>),
    /// Withdraw and enqueue a transfer.
    Send {
        /// The receiver.
        to: Place,
        /// The amount.
        amount: u64,
    },
    /// Take the frame at the head of a channel; wait for it where it is still on its way.
    Receive {
        /// The channel's sender.
        from: Place,
    },
    /// The observer's order to take this snapshot, which comes over another pipe, belongs here
    /// in the order of instructions: wait for it, and carry it out.
    AwaitTake {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// Go on: that a channel has ended, or that the observer is gone, has been heard. The first time that
    /// a node finds that, it keeps the instructions behind it until then, so that nothing a dead node
    /// has done can depend on an end that nobody knows it has found.
    Resume,
    /// Read a channel ahead, without receiving, until everything up to this frame has come or it ends.
    ReadAhead {
        /// The channel's sender.
        from: Place,
        /// The number of that frame, markers included: both ends count them from 1.
        frames: u64,
    },
    /// Read the channel of a dead node to its end, without receiving, and say what is there.
    ReadToEnd {
        /// The channel's sender.
        from: Place,
    },
    /// Say what the balance is.
    Report,
    /// These snapshots are over: remove what you have recorded of them. Only in a bank that lasts, where
    /// a part that was handed over is kept until then, since it may be asked for again.
    Forget {
        /// The first.
        first: SnapshotId,
        /// The last; all between are meant too.
        last: SnapshotId,
    },
    /// What you were told before this is never said again, and what you have sent is never wanted again, but
    /// for what waits in these channels: remove from your journal what nobody needs. Only in a bank that
    /// lasts, and not counted: if it is lost, the next one will do.
    Truncate {
        /// Your channels in which something waits: the receiver, and how many frames, markers included, it has
        /// received. At most [`FRAMES`].
        #[serde(deserialize_with = "list")]
        waiting: Vec<(Place, u64)>,
    },
    /// From now on make random transfers, and receive what comes as it comes.
    Load {
        /// What the choices are drawn from, together with the node's id. Who has begun with this seed
        /// goes on as it is: in a bank that lasts it is said again to whoever has come back.
        seed: u64,
        /// How many transfers to make; without it, as many as there is room for until
        /// [`Instruction::Rest`].
        quota: Option<u64>,
        /// How many nodes there are beside it, with which it makes way for the observer.
        others: u32,
        /// Stay on one CPU: this one, counted among those that the node may run on.
        pin: Option<u32>,
    },
    /// Make no more transfers; go on receiving.
    Rest,
    /// Say how many transfers you have received.
    Count,
    /// Say how many transfers you have sent to each of these.
    SentTo {
        /// At most [`CHUNK`].
        #[serde(deserialize_with = "list")]
        peers: Vec<Place>,
    },
    /// Say what the balance is once you have received this many transfers in all.
    Settle {
        /// As many as were sent to the node.
        transfers: u64,
    },
}

/// The channels that a node opens at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Opening {
    /// The receivers at the other ends of the outgoing channels.
    #[serde(deserialize_with = "list")]
    pub outgoing: Vec<Peer>,
    /// The senders at the other ends of the incoming channels. With `outgoing`, at most
    /// [`CHANNELS`].
    #[serde(deserialize_with = "list")]
    pub incoming: Vec<Peer>,
    /// Whether the markers that are owed are sent; not where no snapshot can be collected any more.
    pub owing: bool,
}

/// A node at the other end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// What it is called in messages.
    pub place: Place,
    /// What people call it.
    pub id: NodeId,
}

/// A node's replies, one for each [`Instruction`], in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// The channel's sender is dead and nothing is left in the channel. The first time,
    /// nothing more is carried out until [`Instruction::Resume`].
    Ended,
    /// The snapshot was begun.
    Began,
    /// The observer died before it gave the order. The first time, nothing more is carried out until
    /// [`Instruction::Resume`].
    ObserverGone,
    /// The channel is read ahead.
    Ahead {
        /// How many of the frames that were meant are there to be received.
        frames: u64,
    },
    /// What a dead node had written into its channel and was not received, in order; several
    /// replies where one does not hold it.
    Found {
        /// At most [`FRAMES`].
        #[serde(deserialize_with = "list")]
        frames: Vec<Frame>,
        /// Nothing comes after these.
        last: bool,
    },
    /// The balance.
    Balance {
        /// What there is.
        balance: u64,
    },
    /// The parts are removed.
    Forgotten,
    /// The node was started again, and is as it was: its first word. Answers no instruction.
    Restored,
    /// How many frames of a channel, markers included, the node has received: its sender, or the node
    /// itself, was started again, and the channel laid anew. Answers no instruction.
    Received {
        /// The channel's sender.
        from: Place,
        /// As it was announced.
        laying: u64,
        /// What it sends next is the frame behind these.
        frames: u64,
    },
    /// The node makes no more transfers.
    Generated,
    /// How far it is.
    Counted {
        /// Transfers received.
        received: u64,
    },
    /// How many transfers were sent to each of the peers that were named, in that order.
    SentTo {
        /// At most [`CHUNK`].
        #[serde(deserialize_with = "list")]
        transfers: Vec<u64>,
    },
    /// Everything that was to come has come.
    Settled {
        /// Transfers received.
        received: u64,
        /// What there is.
        balance: u64,
    },
}

/// What master says of the pipe ends that it hands to a node of a bank that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Announcement {
    /// Two: the read end of the observer's orders, and the write end of the reports to it.
    Observer,
    /// The read end of a channel: what came through another one before, and was not received, is
    /// void.
    Incoming {
        /// The channel's sender.
        from: Place,
        /// Where the channel was laid anew, the number of that: it is answered by [`Reply::Received`].
        laying: Option<u64>,
    },
    /// The write end of a channel.
    Outgoing {
        /// The channel's receiver.
        to: Place,
        /// As many frames have been received: what was sent behind them is to be sent again.
        received: u64,
    },
}

/// Master's requests to the observer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A node joins: take the write end of the pipe for [`Order`]s and the read end of the pipe
    /// for [`Report`]s from the hatch.
    Join {
        /// The node.
        node: Peer,
        /// What was in its account at first.
        deposit: u64,
        /// It, or the observer, was started again: nobody waits for an answer.
        again: bool,
    },
    /// Have this node begin a snapshot.
    Begin {
        /// The snapshot.
        snapshot: SnapshotId,
        /// Its initiator.
        node: Place,
    },
    /// Collect these snapshots, all of them or none.
    Collect {
        /// The first.
        first: SnapshotId,
        /// The last; all between are meant too.
        last: SnapshotId,
    },
    /// From now on take one snapshot after the other, the nodes in turn being the initiators.
    Watch {
        /// How many nodes there are: where the observer was started again, some join later.
        nodes: u32,
        /// From the beginning of one to that of the next; 0: as soon as may be.
        every_ms: u64,
        /// How many may be in progress at once.
        concurrent: u32,
    },
    /// Begin no more snapshots; finish those in progress.
    Rest,
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
        #[serde(deserialize_with = "list")]
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
        #[serde(deserialize_with = "list")]
        peers: Vec<NodeId>,
    },
    /// Nothing was collected: markers are still on their way.
    Incomplete,
    /// A snapshot failed its audit; nothing was collected, but the nodes have handed all over.
    Unsound {
        /// The snapshot.
        snapshot: SnapshotId,
        /// Where, and what is wrong.
        reason: Unsound,
    },
    /// A node died; nothing was collected.
    NodeGone {
        /// The node.
        node: Place,
    },
    /// A snapshot was taken under load, and has passed its audit.
    Watched {
        /// The snapshot.
        snapshot: SnapshotId,
        /// From its beginning until the last part of it was there.
        nanoseconds: u64,
        /// How many transfers were in transit.
        transfers: u64,
        /// How much money was in transit.
        in_transit: u128,
        /// All the money in it.
        total: u128,
    },
    /// No snapshot is in progress, and none will begin.
    Rested,
    /// The observer was started, in a bank that lasts: its first word.
    Started,
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
    /// Say of which snapshots you know: to an observer that has just been started, under load, in a bank
    /// that lasts; as is the next.
    Recall,
    /// All snapshots up to this one are over, as each has passed its audit: remove what you have recorded
    /// of them. Until then a part that was handed over is kept, since it may be asked for again.
    Forget {
        /// The last.
        last: SnapshotId,
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
        #[serde(deserialize_with = "list")]
        peers: Vec<Place>,
    },
    /// Everything that is waited for has been said: nothing, where the part is complete.
    Asked,
    /// The recorded balance: the beginning of a part.
    Account {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The balance at the cut.
        balance: u64,
    },
    /// The tally at the cut of an outgoing channel; those on which nothing was sent are left out.
    Sent {
        /// The channel's receiver.
        to: Place,
        /// Sent on it.
        tally: Tally,
    },
    /// The tally at the cut of an incoming channel; those on which nothing was received are left
    /// out.
    Received {
        /// The channel's sender.
        from: Place,
        /// Received from it.
        tally: Tally,
    },
    /// What was in transit from one peer, in order; several frames where one does not hold it.
    Transit {
        /// The channel's sender.
        from: Place,
        /// At most [`CHUNK`].
        #[serde(deserialize_with = "list")]
        amounts: Vec<u64>,
    },
    /// What is known of snapshots here. Numbers begin with 1, so 0 stands for none.
    Known {
        /// All up to this one have been forgotten.
        over: SnapshotId,
        /// The last that was ever recorded here.
        newest: SnapshotId,
    },
    /// The end of a part. `complete` is false where there was no complete part to give.
    Given {
        /// Whether this was a part.
        complete: bool,
    },
}
