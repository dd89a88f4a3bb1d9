//! One process of a bank that lasts: the real node, what is around it, and what outlives it.

use std::hash::{Hash, Hasher};

use bank::Broken;
use bank::account::{Outgoing, Transfer};
use bank::id::{NodeId, Place};
use bank::member::Frame;
use bank::messages::{Instruction, Opening, Order, Peer, Reply};
use bank::node::{Effect, Input, Node, Record, Resending, Restoring};
use snapshot::SnapshotId;

use super::super::judge::{Event, deposit};

/// A process, and what master knows of it.
///
/// Two are equal that agree in everything but what only a node knows: a right one knows nothing that the
/// rest does not tell.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// The real one; `None` while it is dead.
    pub(crate) node: Option<Node>,
    /// What outlives it.
    journal: Vec<Record>,
    /// What it has done and not kept yet. Nothing goes out before it is.
    pub(crate) unkept: Vec<Record>,
    /// What it has said and nobody has heard.
    pub(crate) replies: Vec<Reply>,
    /// How many instructions it has answered.
    pub(crate) answered: usize,
    /// Those that it has not, …
    pub(crate) in_flight: Vec<Instruction>,
    /// … the last of which, so many, it has not read since it was started.
    pub(crate) unread: usize,
    /// The observer's orders to take snapshots, on their way.
    pub(crate) orders: Vec<SnapshotId>,
    /// Those that came before their turn, in order of their numbers.
    ordered: Vec<SnapshotId>,
    /// How many transfers master has had it make.
    pub(crate) transfers: usize,
}

impl Process {
    fn identity(&self) -> impl Eq + Hash {
        let node = self.node.as_ref();
        (
            node.map(|node| (node.member(), node.is_waiting(), node.instructions())),
            (&self.journal, &self.unkept),
            (&self.replies, self.answered, &self.in_flight, self.unread),
            (&self.orders, &self.ordered),
        )
    }
}

impl Hash for Process {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

/// What must not be.
pub(crate) type Complaint = String;

fn says(broken: Broken) -> Complaint {
    broken.to_string()
}

fn id(at: usize) -> NodeId {
    NodeId(at as u64 + 1)
}

impl Process {
    /// One that has opened its channels.
    pub(crate) fn new(
        at: usize,
        outgoing: &[usize],
        incoming: &[usize],
    ) -> Result<Self, Complaint> {
        let peers = |peers: &[usize]| {
            let peer = |&at: &usize| Peer {
                place: Place::at(at),
                id: id(at),
            };
            peers.iter().map(peer).collect()
        };
        let opening = Opening {
            outgoing: peers(outgoing),
            incoming: peers(incoming),
            owing: true,
        };
        let mut process = Self {
            node: Some(
                Restoring::new(id(at), deposit(at), false, 0)
                    .done()
                    .map_err(says)?,
            ),
            journal: Vec::new(),
            unkept: Vec::new(),
            replies: Vec::new(),
            answered: 0,
            in_flight: vec![Instruction::Open(opening.into())],
            unread: 1,
            orders: Vec::new(),
            ordered: Vec::new(),
            transfers: 0,
        };
        process.read()?;
        process.keep_all();
        process.hear_reply();
        Ok(process)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.node.as_ref().is_some_and(Node::is_waiting)
    }

    /// Whether whatever it has said may go out.
    pub(crate) fn has_kept_all(&self) -> bool {
        self.is_alive() && self.unkept.is_empty()
    }

    /// Everything that it has done, kept or not.
    pub(crate) fn records(&self) -> impl DoubleEndedIterator<Item = &Record> + Clone {
        self.journal.iter().chain(&self.unkept)
    }

    /// How many instructions it was given.
    pub(crate) fn instructions(&self) -> usize {
        self.answered + self.in_flight.len()
    }

    pub(crate) fn kept(&self) -> &[Record] {
        &self.journal
    }

    /// Whether it is there and has forgotten so many snapshots, the first.
    pub(crate) fn has_forgotten(&self, snapshots: usize) -> bool {
        let is_kept = |record: &&Record| matches!(record, Record::Forget { .. });
        let part = |node: &Node, id| node.member().part(SnapshotId(id)).is_some();
        let mut ids = 1..=snapshots as u64;
        self.journal.iter().filter(is_kept).count() == snapshots && { self.node.as_ref() }
            .is_some_and(|node| !ids.any(|id| part(node, id)))
    }

    /// Whether it was told to forget a snapshot.
    pub(crate) fn is_to_forget(&self, snapshot: SnapshotId) -> bool {
        let told = |it: &Instruction| matches!(it, Instruction::Forget { first, .. } if *first == snapshot);
        let done = |it: &Record| matches!(it, Record::Forget { first, .. } if *first == snapshot);
        self.in_flight.iter().any(told) || self.journal.iter().any(done)
    }

    /// Instructions that it has not carried out, as far as can be seen.
    pub(crate) fn undone(&self) -> &[Instruction] {
        let done = self.records().count().saturating_sub(self.answered);
        self.in_flight.get(done..).unwrap_or_default()
    }

    /// Has the node do what is to be done about an input; returns what concerns its channels.
    pub(crate) fn step(&mut self, input: Input) -> Result<Vec<Effect>, Complaint> {
        let node = self.node.as_mut().ok_or("the dead do nothing")?;
        let mut effects = Vec::new();
        node.step(input, &mut effects).map_err(says)?;
        let mut done = Vec::new();
        node.take_unkept(|bytes| done.extend(bytes));
        self.unkept.extend(Record::all_in(&done).map_err(says)?);
        let mut channels = Vec::new();
        for effect in effects {
            match effect {
                Effect::Reply(reply) => self.replies.push(reply),
                Effect::Frame(..) | Effect::SendAgain(..) | Effect::Report(_) => {
                    channels.push(effect);
                }
                _ => {}
            }
        }
        let node = self.node.as_ref().ok_or("the dead do nothing")?;
        self.ordered
            .retain(|snapshot| !node.member().has_recorded(*snapshot));
        Ok(channels)
    }

    /// It reads the next instruction.
    pub(crate) fn read(&mut self) -> Result<Vec<Effect>, Complaint> {
        let next = self.in_flight.len() - self.unread;
        self.unread -= 1;
        self.step(Input::Instruction(self.in_flight[next].clone()))
    }

    /// It is ordered to take a snapshot.
    pub(crate) fn obey(&mut self) -> Result<Vec<Effect>, Complaint> {
        let snapshot = self.orders.remove(0);
        self.ordered.push(snapshot);
        self.ordered.sort_unstable();
        self.ordered.dedup();
        self.step(Input::Order(Order::Take { snapshot }))
    }

    pub(crate) fn keep(&mut self) {
        self.journal.push(self.unkept.remove(0));
    }

    pub(crate) fn keep_all(&mut self) {
        self.journal.append(&mut self.unkept);
    }

    /// Master hears a reply to an instruction.
    pub(crate) fn hear_reply(&mut self) {
        self.replies.remove(0);
        self.in_flight.remove(0);
        self.answered += 1;
    }

    /// It dies, and with it whatever has not gone out.
    pub(crate) fn die(&mut self) {
        self.node = None;
        self.unkept.clear();
        self.replies.clear();
        self.orders.clear();
        self.ordered.clear();
        self.unread = self.in_flight.len();
    }

    /// It is started again: what it was ordered to take and has not answered is ordered again.
    pub(crate) fn restart(&mut self, at: usize) -> Result<(), Complaint> {
        self.node = Some(self.restored(at)?);
        self.order_again();
        Ok(())
    }

    /// What its journal makes of it.
    pub(crate) fn restored(&self, at: usize) -> Result<Node, Complaint> {
        let mut restoring = Restoring::new(id(at), deposit(at), false, self.answered as u64);
        for record in &self.journal {
            restoring.redo(&record.to_bytes()).map_err(says)?;
        }
        restoring.done().map_err(says)
    }

    /// The observer orders again whatever has not been answered.
    pub(crate) fn order_again(&mut self) {
        let takes = self.in_flight.iter().filter_map(|it| match it {
            Instruction::AwaitTake { snapshot } => Some(*snapshot),
            _ => None,
        });
        self.orders = takes.filter(|_| self.node.is_some()).collect();
    }

    /// What is to be sent again on a channel behind its first frames.
    pub(crate) fn frames_behind(
        &self,
        at: usize,
        to: Outgoing,
        received: u64,
    ) -> Result<Vec<Frame>, Complaint> {
        let mut resending = Resending::new(id(at), deposit(at), &[(to, received)]);
        let mut frames = Vec::new();
        for record in self.records() {
            let redone = resending.redo(&record.to_bytes(), |_, frame| frames.push(frame));
            redone.map_err(says)?;
        }
        Ok(frames)
    }

    /// What it has lived through, by its records.
    pub(crate) fn log(&self) -> Vec<Event> {
        log(self.records())
    }

    /// What it has received from somebody, in order.
    pub(crate) fn received(&self, peer: usize) -> impl Iterator<Item = Frame> {
        self.records().filter_map(move |record| match record {
            Record::Receive { from, frame } if *from == Place::at(peer) => Some(*frame),
            _ => None,
        })
    }

    /// No two transfers are of the same amount, so that none can be taken for another.
    pub(crate) fn next_amount(&self, at: usize) -> u64 {
        10 * self.transfers as u64 + at as u64 + 1
    }
}

/// What a process has lived through that has done this.
pub(crate) fn log<'r>(records: impl IntoIterator<Item = &'r Record>) -> Vec<Event> {
    let mut log = Vec::new();
    for record in records {
        let event = match *record {
            Record::Send { to, amount } => Event::Sent {
                to: to.index(),
                amount,
            },
            Record::Receive {
                from,
                frame: Frame::Message(Transfer(amount)),
            } => Event::Received {
                from: from.index(),
                amount,
            },
            Record::Begin { snapshot }
            | Record::Receive {
                frame: Frame::Marker(snapshot),
                ..
            } if !log.contains(&Event::Recorded(snapshot)) => Event::Recorded(snapshot),
            _ => continue,
        };
        log.push(event);
    }
    log
}

/// What a process has sent to another that has lived through this.
pub(crate) fn sent(log: &[Event], peer: usize) -> Vec<Frame> {
    let frames = log.iter().filter_map(|event| match *event {
        Event::Sent { to, amount } if to == peer => Some(Frame::Message(Transfer(amount))),
        Event::Recorded(snapshot) => Some(Frame::Marker(snapshot)),
        _ => None,
    });
    frames.collect()
}

/// Whether this is what master is to hear of what was done.
pub(crate) fn answers(reply: &Reply, record: &Record) -> bool {
    match (record, reply) {
        (Record::Send { .. }, Reply::Sent { .. })
        | (Record::Begin { .. }, Reply::Began)
        | (Record::Forget { .. }, Reply::Forgotten) => true,
        (Record::Receive { frame, .. }, Reply::Transfer { amount, .. }) => {
            *frame == Frame::Message(Transfer(*amount))
        }
        (Record::Receive { frame, .. }, Reply::Marker { snapshot, .. }) => {
            *frame == Frame::Marker(*snapshot)
        }
        _ => false,
    }
}
