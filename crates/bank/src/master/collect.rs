//! Snapshots as master knows them, and what the observer answers: that a node has joined, what was
//! collected, or why nothing was.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use snapshot::SnapshotId;

use super::effect::Notice;
use super::{Bank, Broken, Effect, Failure, Kept, Master, Step, Waiting, WaitingNode};
use crate::audit::GlobalSnapshot;
use crate::id::{NodeId, Place};
use crate::messages::{Answer, Instruction};
use crate::script::Statement;

/// What the observer was asked for is done.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Joined,
    Collection(Kept),
    NodeGone(Place),
}

/// The snapshots of a system.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// How many have begun; the last one's number.
    begun: u64,
    /// The number of the first that has begun and is not collected.
    uncollected: u64,
    pub(super) collected: BTreeMap<u64, Rc<GlobalSnapshot>>,
    /// Whether whoever joins is sent the markers of those in progress: not once a death has ended a
    /// collection, since who had handed over what is not known, and nobody will collect them.
    pub(super) owing: bool,
    /// The part of an outcome that has come.
    arriving: BTreeMap<SnapshotId, GlobalSnapshot>,
    waiting: Waiting,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self {
            begun: 0,
            uncollected: 1,
            collected: BTreeMap::new(),
            owing: true,
            arriving: BTreeMap::new(),
            waiting: Waiting::default(),
        }
    }
}

impl Snapshots {
    /// Another one begins.
    pub(super) fn begin(&mut self) -> SnapshotId {
        self.begun += 1;
        SnapshotId(self.begun)
    }

    /// How many have begun, and the first that is not collected.
    pub(super) fn numbers(&self) -> (u64, u64) {
        (self.begun, self.uncollected)
    }

    /// As they were when their bank was closed.
    pub(super) fn reopen(
        (begun, uncollected): (u64, u64),
        collected: impl IntoIterator<Item = GlobalSnapshot>,
    ) -> Self {
        let collected = collected.into_iter();
        Self {
            begun,
            uncollected,
            collected: collected.map(|it| (it.id.0, Rc::new(it))).collect(),
            ..Self::default()
        }
    }

    /// The first and the last that have begun and are not collected.
    pub(super) fn uncollected(&self) -> Option<(SnapshotId, SnapshotId)> {
        let (first, last) = (self.uncollected, self.begun);
        (first <= last).then_some((SnapshotId(first), SnapshotId(last)))
    }

    /// Who was answering is no more, and will be asked again.
    pub(super) fn start_over(&mut self) {
        self.arriving.clear();
        self.waiting = Waiting::default();
    }

    fn arriving(&mut self, snapshot: SnapshotId) -> &mut GlobalSnapshot {
        let arriving = self.arriving.entry(snapshot);
        arriving.or_insert_with(|| GlobalSnapshot::new(snapshot))
    }

    /// The observer says something; what it was asked for may be done with it.
    pub(super) fn hear(&mut self, answer: Answer) -> Result<Option<Outcome>, Broken> {
        let outcome = match answer {
            Answer::Account {
                snapshot,
                node,
                balance,
            } => {
                self.arriving(snapshot).accounts.insert(node, balance);
                return Ok(None);
            }
            Answer::Transit {
                snapshot,
                from,
                to,
                amounts,
            } => {
                let transit = &mut self.arriving(snapshot).transit;
                transit.entry((from, to)).or_default().extend(amounts);
                return Ok(None);
            }
            Answer::Waiting {
                snapshot,
                node,
                recorded,
                peers,
            } => {
                self.waiting.parts.push(WaitingNode {
                    snapshot,
                    node,
                    recorded,
                    peers,
                });
                return Ok(None);
            }
            Answer::Started => return Ok(None),
            Answer::Joined => Outcome::Joined,
            Answer::Collected => {
                Outcome::Collection(Kept::Collected(std::mem::take(&mut self.arriving)))
            }
            Answer::Incomplete => {
                Outcome::Collection(Kept::Incomplete(std::mem::take(&mut self.waiting)))
            }
            Answer::Unsound { snapshot, reason } => {
                Outcome::Collection(Kept::Unsound { snapshot, reason })
            }
            Answer::NodeGone { node } => Outcome::NodeGone(node),
            Answer::Watched { .. } | Answer::Rested => {
                return Err(Broken::NotAskedFor(format!("{answer:?}")));
            }
        };
        self.start_over();
        Ok(Some(outcome))
    }
}

impl Bank {
    /// The channels there are, as people call them.
    fn channels_by_id(&self) -> BTreeSet<(NodeId, NodeId)> {
        let nodes = self.nodes.created();
        let channels = nodes.flat_map(|(from, node)| {
            let outgoing = self.topology.outgoing(from).iter();
            outgoing.map(move |to| (node.id, self.nodes[*to].id))
        });
        channels.collect()
    }

    /// Parts what is on its way from what can never come: `ReceiveAll` delivers only the former.
    fn leave_out_the_unreachable(&self, waiting: &mut Waiting) {
        let places: BTreeMap<NodeId, Place> = self
            .nodes
            .created()
            .map(|(place, node)| (node.id, place))
            .collect();
        let snapshots: BTreeSet<SnapshotId> =
            waiting.parts.iter().map(|part| part.snapshot).collect();
        for snapshot in snapshots {
            let recorded = self.channels.recorded(snapshot);
            let reached = self.topology.reached_from(recorded);
            let unreachable: Vec<NodeId> = places
                .iter()
                .filter(|(_, place)| !reached.contains(place))
                .map(|(id, _)| *id)
                .collect();
            if unreachable.is_empty() {
                continue;
            }
            let comes = |id: &NodeId| places.get(id).is_some_and(|place| reached.contains(place));
            for part in waiting
                .parts
                .iter_mut()
                .filter(|it| it.snapshot == snapshot)
            {
                part.peers.retain(comes);
            }
            waiting.unreachable.insert(snapshot, unreachable);
        }
        waiting.parts.retain(|part| !part.peers.is_empty());
    }
}

impl Master {
    /// The observer has answered: a collection ends.
    pub(super) fn end_collection(
        &mut self,
        statement: &Statement,
        first: SnapshotId,
        outcome: Outcome,
    ) -> Result<(), Broken> {
        match outcome {
            Outcome::Collection(kept) => {
                let mut keep = self.setup.lasting.then(|| Box::new(kept.clone()));
                if let Some(Kept::Collected(arrived)) = keep.as_deref_mut()
                    && self.bank.sparse
                {
                    let channels = self.bank.channels_by_id();
                    for snapshot in arrived.values_mut() {
                        snapshot.sparse = Some(channels.clone());
                    }
                }
                let before = self.effects.len();
                self.conclude(statement, first, kept)?;
                if let Some(keep) = keep {
                    self.effects.insert(before, Effect::Keep(keep));
                }
                Ok(())
            }
            Outcome::NodeGone(node) => {
                self.bank.snapshots.owing = false;
                let node = &self.bank.nodes[node];
                let Some(fate) = node.fate().cloned() else {
                    return Err(Broken::Lives(node.id));
                };
                let node = node.id;
                self.fail(statement, Failure::MemberDied { node, fate });
                Ok(())
            }
            Outcome::Joined => Err(Broken::NotAskedFor("a welcome".to_owned())),
        }
    }

    /// What follows from how a collection ended: all of its snapshots count as collected, or none.
    pub(super) fn conclude(
        &mut self,
        statement: &Statement,
        first: SnapshotId,
        kept: Kept,
    ) -> Result<(), Broken> {
        let line = Some(statement.line);
        match kept {
            Kept::Collected(arrived) => {
                self.log(|events, out| events.collected(line, arrived.values(), out));
                self.is_what_was_asked_for(first, &arrived)?;
                let bank = &mut self.bank;
                let channels = bank.sparse.then(|| bank.channels_by_id());
                for (id, mut snapshot) in arrived {
                    snapshot.sparse.clone_from(&channels);
                    bank.snapshots.collected.insert(id.0, Rc::new(snapshot));
                }
                let last = SnapshotId(bank.snapshots.begun);
                bank.snapshots.uncollected = last.0 + 1;
                bank.channels.collected();
                self.have_forgotten(statement, first, last);
            }
            Kept::Unsound { snapshot, reason } => {
                let why = reason.to_string();
                self.log(|events, out| events.unsound(line, snapshot, why, out));
                let last = SnapshotId(self.bank.snapshots.begun);
                self.have_forgotten(statement, first, last);
                // The nodes have handed all over.
                let reason = Box::new(reason);
                self.fail(statement, Failure::Unsound { snapshot, reason });
                self.bank.channels.collected();
                self.lose_snapshots();
            }
            Kept::Incomplete(mut waiting) => {
                self.bank.leave_out_the_unreachable(&mut waiting);
                self.fail(statement, Failure::Incomplete(waiting));
            }
            kept => return Err(Broken::NotAskedFor(format!("{kept:?}"))),
        }
        Ok(())
    }

    /// What the nodes of a bank that lasts have kept of snapshots may go.
    fn have_forgotten(&mut self, statement: &Statement, first: SnapshotId, last: SnapshotId) {
        if !self.setup.lasting {
            return;
        }
        let nodes: Vec<Place> = self.bank.nodes.created().map(|(place, _)| place).collect();
        for node in nodes {
            self.instruct(node, || Instruction::Forget { first, last });
            self.push(statement, Step::Forgotten { node, first, last });
        }
    }

    /// Snapshots that are not collected can never be: that is reported once.
    pub(super) fn lose_snapshots(&mut self) {
        let snapshots = &mut self.bank.snapshots;
        let Some((first, last)) = snapshots.uncollected() else {
            return;
        };
        snapshots.uncollected = snapshots.begun + 1;
        self.notify(Notice::SnapshotsLost {
            first: first.0,
            last: last.0,
        });
    }

    /// Every snapshot has passed the observer's audit. But the observer may itself be broken, and
    /// what it hands over is what people see: so it is every snapshot, of every node, with all the
    /// money.
    fn is_what_was_asked_for(
        &self,
        first: SnapshotId,
        arrived: &BTreeMap<SnapshotId, GlobalSnapshot>,
    ) -> Result<(), Broken> {
        let bank = &self.bank;
        let asked = first.0..=bank.snapshots.begun;
        if !arrived.keys().map(|id| id.0).eq(asked) {
            let what = "other snapshots than were asked for".to_owned();
            return Err(Broken::WrongSnapshot(what));
        }
        let mut members: Vec<NodeId> = bank.nodes.created().map(|(_, node)| node.id).collect();
        members.sort();
        let sparse = bank.sparse.then(|| bank.channels_by_id());
        let deposits = bank.nodes.created().map(|(_, node)| node.deposit);
        let deposited: u128 = deposits.map(u128::from).sum();
        for (id, snapshot) in arrived {
            let found = snapshot.total();
            let is_member = |node: &NodeId| members.binary_search(node).is_ok();
            let exists = |channel: &(NodeId, NodeId)| match &sparse {
                Some(channels) => channels.contains(channel),
                None => {
                    let (from, to) = channel;
                    from != to && is_member(from) && is_member(to)
                }
            };
            if !snapshot.accounts.keys().eq(&members)
                || !snapshot.transit.keys().all(exists)
                || found != deposited
            {
                return Err(Broken::WrongSnapshot(format!(
                    "snapshot {id} with {} of {} nodes and {found} of {deposited}",
                    snapshot.accounts.len(),
                    members.len()
                )));
            }
        }
        Ok(())
    }
}
