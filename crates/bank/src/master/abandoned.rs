//! A script that is given up: what it has carried out stays, what it has not is never carried out, and the
//! bank is kept for the next script.
//!
//! The script may be gone, so nothing is run again. What was carried out is in the journals of the nodes;
//! of whom the bank consists, and which snapshots were collected, master has [kept](Kept). Together that is
//! an [`Image`], but for what was interrupted half way. The nodes, as the folds of their journals, do what
//! is missing of that, and nothing else; it moves no money:
//!
//! * of snapshots that were collected, every node removes its part, as some have done;
//! * a channel that is open at one end opens at the other, and in a full mesh every channel opens that is
//!   not;
//! * a snapshot that nobody has recorded, while a later one has begun, is begun by everybody: whose it was
//!   to be is not known, it can be collected only together with the later one, and so it is complete
//!   wherever channels lead.
//!
//! To do it twice changes nothing, so it may be interrupted itself.

use std::collections::{BTreeMap, BTreeSet};

use snapshot::SnapshotId;

use super::image::{Channel, Image, Node as Kind};
use super::{Fate, Kept};
use crate::Broken;
use crate::account::{Incoming, Outgoing};
use crate::id::{NodeId, Place};
use crate::member::Frame;
use crate::messages::{Instruction, Opening, Order, Peer};
use crate::node::{Input, Node};

/// How a node ends that `KillNode` kills.
const KILLED: Fate = Fate::Signal(9);

/// The nodes of a bank, by place.
pub type Folds = BTreeMap<Place, Node>;

/// A bank whose script is given up.
#[derive(Clone, Debug)]
pub struct Abandoned {
    /// What is known of it without its nodes.
    image: Image,
}

impl Abandoned {
    /// The bank that there is after all that master has kept since the script began, where it was to open
    /// this one. `None` where there is none.
    #[must_use]
    pub fn new(opened: Option<Image>, kept: impl IntoIterator<Item = Kept>) -> Option<Self> {
        let mut image = opened;
        for kept in kept {
            match kept {
                Kept::Began { sparse } => image = Some(Image::begun(sparse)),
                Kept::Ended => image = None,
                kept => image.iter_mut().for_each(|image| image.note(&kept)),
            }
        }
        image.map(|image| Self { image })
    }

    /// The nodes whose journals are to be folded ([`Restoring::as_it_is`](crate::node::Restoring::as_it_is)):
    /// their places, what they are called, and what was in their accounts. One that has no journal yet has
    /// done nothing.
    pub fn nodes(&self) -> impl Iterator<Item = (Place, NodeId, u64)> {
        let all = self.image.nodes.iter().enumerate();
        all.filter(|(_, node)| node.never_created.is_none())
            .map(|(index, node)| (Place::at(index), node.id, node.deposit))
    }

    /// Has the nodes do what was interrupted. What they have to [keep](Node::take_unkept) then belongs into
    /// their journals.
    ///
    /// # Errors
    ///
    /// These are not the nodes of this bank.
    pub fn settle(&mut self, nodes: &mut Folds) -> Result<(), Broken> {
        self.are_its_own(nodes)?;
        self.count_snapshots(nodes);
        self.forget(nodes)?;
        self.open(nodes)?;
        self.begin(nodes)
    }

    /// What is to be kept of it, once its nodes have [settled](Self::settle). Of each node, `sent` says what
    /// it has sent on channels behind so many frames.
    ///
    /// # Errors
    ///
    /// What `sent` says.
    pub fn image<E>(
        self,
        nodes: &Folds,
        mut sent: impl FnMut(Place, &[(Outgoing, u64)]) -> Result<Vec<(Outgoing, Frame)>, E>,
    ) -> Result<Image, E> {
        let mut image = self.image;
        for (place, node) in nodes {
            let kind = &mut image.nodes[place.index()];
            kind.balance = node.member().account().balance();
            kind.instructions = node.instructions();
            kind.recorded = node.member().recorder().recorded().collect();
        }
        image.channels.clear();
        for (from, node) in nodes {
            let ends = node.member().account().outgoing().iter().enumerate();
            let received = |to: Place| received(&nodes[&to], *from);
            let wanted = ends.map(|(slot, end)| (Outgoing(slot), received(end.peer)));
            let wanted: Vec<(Outgoing, u64)> = wanted.collect();
            let first = image.channels.len();
            let peers = node.member().account().outgoing().iter().map(|it| it.peer);
            image
                .channels
                .extend(peers.zip(&wanted).map(|(to, wanted)| Channel {
                    from: *from,
                    to,
                    taken: wanted.1,
                    waiting: Vec::new(),
                }));
            for (to, frame) in sent(*from, &wanted)? {
                image.channels[first + to.0].waiting.push(frame);
            }
        }
        image.channels.sort_by_key(|it| (it.from, it.to));
        let is_open: BTreeSet<_> = image.channels.iter().map(|it| (it.from, it.to)).collect();
        image.put_off.retain(|channel| !is_open.contains(channel));
        Ok(image)
    }

    fn are_its_own(&self, nodes: &Folds) -> Result<(), Broken> {
        for (place, node) in nodes {
            let known = self.image.nodes[place.index()].instructions;
            let found = node.instructions();
            if found < known {
                return Err(Broken::TailLost { found, known });
            }
            let account = node.member().account();
            let mut peers = account.outgoing().iter().chain(account.incoming());
            if !peers.all(|end| nodes.contains_key(&end.peer)) {
                return Err(Broken::Unreadable("a channel to nobody"));
            }
        }
        Ok(())
    }

    /// Which snapshots have begun, and which of them are over: master may have said neither.
    fn count_snapshots(&mut self, nodes: &Folds) {
        let recorders = || nodes.values().map(|node| node.member().recorder());
        let over = recorders().filter_map(|it| it.handed_over().largest());
        let over = over.max().map_or(0, |last| last.0);
        let image = &mut self.image;
        image.uncollected = image.uncollected.max(over + 1);
        let recorded = recorders().flat_map(|it| it.recorded()).max();
        let begun = recorded.map_or(0, |last| last.0);
        image.begun = image.begun.max(begun).max(image.uncollected - 1);
    }

    fn forget(&self, nodes: &mut Folds) -> Result<(), Broken> {
        let last = SnapshotId(self.image.uncollected - 1);
        for node in nodes.values_mut() {
            let recorded = node.member().recorder().recorded();
            if let Some(first) = recorded.filter(|it| *it <= last).min() {
                instruct(node, Instruction::Forget { first, last })?;
            }
        }
        Ok(())
    }

    fn open(&self, nodes: &mut Folds) -> Result<(), Broken> {
        let channels = self.channels(nodes);
        let peer = |place: Place| Peer {
            place,
            id: self.image.nodes[place.index()].id,
        };
        for (place, node) in nodes {
            let account = node.member().account();
            let outgoing = account.outgoing().iter().map(|it| (*place, it.peer));
            let incoming = account.incoming().iter().map(|it| (it.peer, *place));
            let is_open: BTreeSet<_> = outgoing.chain(incoming).collect();
            let closed = || channels.iter().filter(|it| !is_open.contains(it));
            let outgoing = closed().filter(|(from, _)| from == place);
            let incoming = closed().filter(|(_, to)| to == place);
            let opening = Opening {
                outgoing: outgoing.map(|(_, to)| peer(*to)).collect(),
                incoming: incoming.map(|(from, _)| peer(*from)).collect(),
                owing: true,
            };
            if !opening.outgoing.is_empty() || !opening.incoming.is_empty() {
                instruct(node, Instruction::Open(Box::new(opening)))?;
            }
        }
        Ok(())
    }

    /// The channels that there are, by (from, to): those that are open at one end at least, and those that
    /// were to open between who is alive.
    fn channels(&self, nodes: &Folds) -> BTreeSet<(Place, Place)> {
        let mut channels = BTreeSet::new();
        for (place, node) in nodes {
            let account = node.member().account();
            channels.extend(account.outgoing().iter().map(|it| (*place, it.peer)));
            channels.extend(account.incoming().iter().map(|it| (it.peer, *place)));
        }
        let is_dead = |place: &Place| self.image.dead.iter().any(|(dead, _)| dead == place);
        let alive: BTreeSet<Place> = nodes.keys().filter(|it| !is_dead(it)).copied().collect();
        match self.image.sparse {
            true => {
                let put_off = self.image.put_off.iter();
                let is_due =
                    |(from, to): &&(Place, Place)| alive.contains(from) && alive.contains(to);
                channels.extend(put_off.filter(is_due));
            }
            false => {
                let from_each = alive
                    .iter()
                    .flat_map(|from| alive.iter().map(move |to| (*from, *to)));
                channels.extend(from_each.filter(|(from, to)| from != to));
            }
        }
        channels
    }

    fn begin(&self, nodes: &mut Folds) -> Result<(), Broken> {
        let uncollected = self.image.uncollected..=self.image.begun;
        for snapshot in uncollected.map(SnapshotId) {
            if nodes.values().any(|it| it.member().has_recorded(snapshot)) {
                continue;
            }
            for node in nodes.values_mut() {
                node.step(Input::Order(Order::Take { snapshot }), &mut Vec::new())?;
                instruct(node, Instruction::AwaitTake { snapshot })?;
            }
        }
        Ok(())
    }
}

impl Image {
    /// A bank that has just begun.
    fn begun(sparse: bool) -> Self {
        Self {
            sparse,
            nodes: Vec::new(),
            dead: Vec::new(),
            channels: Vec::new(),
            put_off: Vec::new(),
            begun: 0,
            uncollected: 1,
            collected: Vec::new(),
        }
    }

    /// What master has kept happens to it.
    fn note(&mut self, kept: &Kept) {
        match *kept {
            Kept::Created { id, deposit } => self.nodes.push(Kind {
                id,
                deposit,
                balance: deposit,
                instructions: 0,
                never_created: None,
                recorded: Vec::new(),
            }),
            Kept::NotStarted { line, .. } => {
                if let Some(node) = self.nodes.last_mut() {
                    node.never_created = Some(line);
                }
            }
            Kept::Killed(node) => self.dead.push((node, KILLED)),
            Kept::Restarted(node) => self.dead.retain(|(dead, _)| *dead != node),
            Kept::PutOff(from, to) => {
                if !self.put_off.contains(&(from, to)) {
                    self.put_off.push((from, to));
                }
            }
            Kept::Collected(ref snapshots) => {
                self.collected.extend(snapshots.values().cloned());
                let last = snapshots.keys().last().map_or(0, |last| last.0);
                self.uncollected = self.uncollected.max(last + 1);
            }
            Kept::Incomplete(_) | Kept::Unsound { .. } | Kept::Began { .. } | Kept::Ended => {}
        }
    }
}

/// Has a node carry out an instruction. What it says and sends is not heard: it has what it has sent in its
/// journal.
fn instruct(node: &mut Node, instruction: Instruction) -> Result<(), Broken> {
    node.step(Input::Instruction(instruction), &mut Vec::new())
}

/// How many frames of the channel from another a node has received.
fn received(node: &Node, from: Place) -> u64 {
    let incoming = node.member().account().incoming();
    let slot = incoming.iter().position(|it| it.peer == from);
    slot.map_or(0, |slot| node.frames_received(Incoming(slot)))
}
