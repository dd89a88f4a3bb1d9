//! Pipes and processes, as a world has them.

use std::collections::VecDeque;

use bank::account::Incoming;
use bank::draw::Draw;
use bank::id::Place;
use bank::messages::{Answer, Instruction, Order, Reply, Report, Request};
use bank::node::Node;
use bank::observer::Observer;

/// One direction of a pipe.
#[derive(Debug)]
pub struct Pipe<T> {
    /// Enqueued by the writer, not written.
    pub outbox: VecDeque<T>,
    /// Written, not read.
    pub written: VecDeque<T>,
}

impl<T> Default for Pipe<T> {
    fn default() -> Self {
        Self {
            outbox: VecDeque::new(),
            written: VecDeque::new(),
        }
    }
}

impl<T> Pipe<T> {
    pub fn push(&mut self, frame: T) {
        self.outbox.push_back(frame);
    }

    pub fn write(&mut self, frames: usize) {
        self.written.extend(self.outbox.drain(..frames));
    }

    /// The writer dies; a part of its outbox, from the front, has got through before.
    pub fn cut_off(&mut self, draw: &mut Draw) {
        let through = draw.pick(self.outbox.len() + 1);
        self.write(through);
        self.outbox.clear();
    }

    pub fn frames(&self) -> impl Iterator<Item = &T> {
        self.written.iter().chain(&self.outbox)
    }
}

/// What a node waits for.
#[derive(Debug)]
pub(super) enum Asked {
    Take(Incoming),
    Ahead(Incoming, u64),
    ToEnd(Incoming),
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
    pub(super) instructions: VecDeque<Instruction>,
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
