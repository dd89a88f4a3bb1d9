//! Processes, as a world has them.

use std::collections::VecDeque;

use bank::account::Incoming;
use bank::id::Place;
use bank::messages::{Answer, Instruction, Order, Reply, Report, Request};
use bank::node::Node;
use bank::observer::Observer;

use crate::pipe::Pipe;

/// What a node waits for.
#[derive(Debug)]
pub(super) enum Asked {
    Take(Incoming),
    Ahead(Incoming, u64),
    ToEnd(Incoming),
}

impl Asked {
    /// Of which channel.
    pub(super) fn from(&self) -> Incoming {
        let (Self::Take(from) | Self::Ahead(from, _) | Self::ToEnd(from)) = self;
        *from
    }
}

/// How a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    /// It gets no time any more (SIGSTOP), and will be killed.
    Stopped,
    Dead,
}

#[derive(Debug)]
pub struct NodeProcess {
    pub node: Node,
    pub(super) life: Life,
    /// Master has noticed that it is dead, the observer has, and it has found the observer dead.
    pub(super) noticed: [bool; 3],
    pub(super) instructions: Pipe<Instruction>,
    pub(super) replies: Pipe<Reply>,
    pub(super) orders: Pipe<Order>,
    pub(super) reports: Pipe<Report>,
    /// Where its channels lead and come from.
    pub outgoing: Vec<Place>,
    pub incoming: Vec<Place>,
    pub(super) asked: Option<Asked>,
    /// The observer has the pipes to and from it.
    pub(super) joined: bool,
}

#[derive(Debug)]
pub(super) struct ObserverProcess {
    pub(super) observer: Observer,
    pub(super) life: Life,
    pub(super) noticed: bool,
    pub(super) requests: VecDeque<Request>,
    pub(super) answers: Pipe<Answer>,
}
