//! What master wants done, and what it wants shown.

use std::fmt;
use std::rc::Rc;

use history::What;

use super::channels::Transfers;
use super::failure::{Failure, Fate};
use super::kept::Kept;
use crate::audit::GlobalSnapshot;
use crate::id::{NodeId, Place};
use crate::messages::{Instruction, Opening, Request};
use crate::script;

/// A process other than master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// The observer.
    Observer,
    /// A node.
    Node(Place),
}

/// What is to be done for master, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append this instruction to what a node is to do.
    Instruct(Place, Instruction),
    /// Append this request to what the observer is to do.
    Request(Request),
    /// Show this result of the command on a line.
    Show {
        /// The line.
        line: u64,
        /// The result.
        shown: Shown,
    },
    /// A command has failed: report it.
    Fail {
        /// Its line.
        line: u64,
        /// It, and why.
        failed: Box<(script::Command, Failure)>,
    },
    /// Report this.
    Notify(Box<Notice>),
    /// Show the table of the `nodes` command.
    Table(Vec<Row>),
    /// Something for the history, where one is wanted, and the line that asked for it.
    History(Box<(Option<u64>, What)>),
    /// Start the observer.
    StartObserver,
    /// Start a node and, unless the bank lasts, connect it to the observer; then say how that went
    /// ([`Master::started`](super::Master::started)). It goes on from its journal where it has one: the
    /// script is run again, and nothing that it has replied was heard in this run.
    StartNode {
        /// Its place.
        place: Place,
        /// Its id.
        id: NodeId,
        /// What is in its account.
        deposit: u64,
    },
    /// Make a pipe for each of these channels, by (from, to).
    Connect(Vec<(Place, Place)>),
    /// Hand a node its ends of channels that were made, and append [`Instruction::Open`].
    Open(Place, Box<Opening>),
    /// Start a process again, in a bank that lasts; then say so
    /// ([`Master::restarted`](super::Master::restarted)).
    Restart {
        /// Which.
        process: Process,
        /// Of how many instructions to the node the reply is known.
        answered: u64,
        /// What a node is called, and what was in its account at first.
        account: (NodeId, u64),
        /// Which process of it this is, from 1.
        incarnation: u64,
        /// How often it was started since it last said anything, with this time: the more, the longer the
        /// pause before.
        tries: u32,
    },
    /// It dies again and again, or is broken: the run cannot go on.
    GiveUp(Process, Fate),
    /// Keep this for ever, before anything is done of what follows, in a bank that lasts.
    Keep(Box<Kept>),
    /// Make pipes between a node and the observer, in a bank that lasts.
    Introduce(Place),
    /// Make a new pipe for a channel, hand over its read end, and keep the other.
    Lay {
        /// The channel's sender.
        from: Place,
        /// Its receiver.
        to: Place,
        /// The number of the laying, for [`Reply::Received`](crate::messages::Reply::Received).
        laying: u64,
    },
    /// Hand over the write end that was kept.
    Attach {
        /// The channel's sender.
        from: Place,
        /// Its receiver.
        to: Place,
        /// How many of its frames have been received.
        received: u64,
    },
    /// Kill a node with SIGKILL.
    Kill(Place),
    /// End every process, and wait until they have ended. In a bank that lasts, what was kept of its nodes
    /// goes, all of it or none; but that of a bank which this script has not begun stays until the script
    /// is over, since it may be run again.
    EndAll,
}

/// A result.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // As the commands and messages have it.
pub enum Shown {
    Transfer {
        node: NodeId,
        from: NodeId,
        amount: u64,
    },
    Marker {
        node: NodeId,
        from: NodeId,
        snapshot: u64,
    },
    Refused {
        from: NodeId,
        to: NodeId,
        amount: u64,
        balance: u64,
    },
    Started {
        node: NodeId,
        snapshot: u64,
    },
    Snapshot(Rc<GlobalSnapshot>),
}

/// A message on stderr that belongs to no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A node died.
    NodeDied(NodeId, Fate),
    /// The observer died.
    ObserverDied(Fate),
    /// A process was started again, which had died.
    Restarted {
        /// The node; else the observer.
        node: Option<NodeId>,
        /// Which process it is, from 1.
        incarnation: u64,
    },
    /// These snapshots were begun, and can never be collected.
    SnapshotsLost {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// What was lost with a dead node.
    LostWith {
        /// The node.
        node: NodeId,
        /// What was in its account.
        balance: u64,
        /// What was on the way to it.
        into: Transfers,
        /// What it had sent but not written.
        unwritten: Transfers,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeDied(node, fate) => write!(f, "node {node} died ({fate})"),
            Self::ObserverDied(fate) => write!(f, "the observer died ({fate})"),
            Self::Restarted { node, incarnation } => {
                match node {
                    Some(node) => write!(f, "node {node}")?,
                    None => write!(f, "the observer")?,
                }
                write!(f, " was started again (incarnation {incarnation})")
            }
            Self::SnapshotsLost { first, last } if first == last => {
                write!(f, "snapshot {first} is lost: it was not yet collected")
            }
            Self::SnapshotsLost { first, last } => write!(
                f,
                "snapshots {first} to {last} are lost: they were not yet collected"
            ),
            Self::LostWith {
                node,
                balance,
                into,
                unwritten,
            } => {
                write!(f, "lost with node {node}: its balance of {balance}")?;
                if into.count > 0 {
                    write!(f, ", {into} on the way to it")?;
                }
                if unwritten.count > 0 {
                    write!(f, ", {unwritten} of its own that it had not written")?;
                }
                Ok(())
            }
        }
    }
}

/// A node in the table of the `nodes` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place.
    pub place: Place,
    /// Its id.
    pub id: NodeId,
    /// Which process it has, or had last, from 1.
    pub incarnation: u64,
    /// How it is.
    pub state: State,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is dead.
    Died(Fate),
    /// It runs.
    Running {
        /// What is in its account.
        balance: u64,
        /// What waits in its incoming channels that are not empty: from whom, how many transfers,
        /// and markers.
        waiting: Vec<(NodeId, Transfers, u64)>,
    },
}
