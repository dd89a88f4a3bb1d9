//! What is wrong when something happens that cannot: a process does not keep to the rules.

use snapshot::SnapshotId;

use crate::account::Overflow;
use crate::id::{NodeId, Place};
use crate::messages::Report;

/// A rule was broken, by a process of the system; never by a user's command. Whoever finds that must
/// not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A deposit would make money out of nothing.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The recorder refuses a marker or a beginning.
    #[error(transparent)]
    Recorder(#[from] snapshot::Error<Place>),
    /// What came through a channel breaks a rule.
    #[error("channel from node {from}: {source}")]
    Channel {
        /// Its sender.
        from: NodeId,
        /// The rule.
        source: Box<Broken>,
    },
    /// A node is named that is not there, or to which or from which there is no channel.
    #[error("the node at place {0} was named, which is not connected")]
    NotConnected(Place),
    /// The order that came is not the one that was announced.
    #[error("the observer ordered snapshot {ordered} where master announced {announced}")]
    WrongOrder {
        /// What the observer said.
        ordered: SnapshotId,
        /// What master said.
        announced: SnapshotId,
    },
    /// Something was said or handed in that nobody had asked for.
    #[error("nobody asked for this: {0}")]
    NotAskedFor(String),
    /// A node reported something that does not belong where it was said.
    #[error("unexpected report from node {node}: {report:?}")]
    UnexpectedReport {
        /// The node.
        node: NodeId,
        /// What it said.
        report: Box<Report>,
    },
    /// A command cannot have come to this.
    #[error("`{command}` on line {line}: {said}")]
    WrongReply {
        /// The command.
        command: crate::script::Command,
        /// Its line.
        line: u64,
        /// What was foreseen, and what was said.
        said: String,
    },
    /// The observer says that a node is gone, and it is not.
    #[error("the observer says that node {0} is dead, and it lives")]
    Lives(NodeId),
    /// The observer handed over what is not a snapshot of the whole bank, or not the one that was
    /// asked for.
    #[error("the observer handed over {0}")]
    WrongSnapshot(String),
    /// A node of a bank that lasts was started again, and its journal does not hold all that it has done.
    #[error("the journal holds {found}, and {known} were carried out: its end is lost")]
    TailLost {
        /// How many instructions, or frames that were sent to somebody.
        found: u64,
        /// How many of them others know of.
        known: u64,
    },
    /// Master asks of a snapshot what it was told already, as the node's journal shows.
    #[error(
        "master asks of snapshot {snapshot} what it was told before, and has kept nothing of that: the end of \
         its journal is lost"
    )]
    AskedAgain {
        /// Which.
        snapshot: SnapshotId,
    },
    /// A journal holds what no node writes.
    #[error("the journal holds what no node has written: {0}")]
    Unreadable(&'static str),
    /// A segment of a journal was removed, and somebody needs what was in it.
    #[error("what is behind {needed} is needed, and the journal begins with {first}")]
    Dropped {
        /// As many frames had been sent when the journal's first segment began.
        first: u64,
        /// As many have been received.
        needed: u64,
    },
    /// The observer says that a snapshot is over, and the node still waits for markers of it.
    #[error("snapshot {snapshot} is said to be over, and its markers have not all come")]
    Unfinished {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// Master repeats an instruction, and the journal holds another one.
    #[error("the journal holds {kept}, and master says {said}")]
    OtherThanKept {
        /// What was carried out.
        kept: String,
        /// What is to be carried out now.
        said: String,
    },
    /// What was found in the channels of the dead.
    #[error("no beginning of their commands explains what was found of the dead: {}", nodes(.0))]
    Unexplained(Vec<NodeId>),
}

impl Broken {
    /// A node reported something that does not belong where it was said.
    pub(crate) fn unexpected(node: NodeId, report: Report) -> Self {
        Self::UnexpectedReport {
            node,
            report: Box::new(report),
        }
    }
}

fn nodes(ids: &[NodeId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("node {id}")).collect();
    ids.join(", ")
}
