//! What the observer does under load: one snapshot after the other, each audited.
//!
//! It never stops the traffic, and never waits for one node while another has something to say:
//! parts are gathered as they come, of several snapshots at once. The nodes are the initiators in
//! turn. When every node's part of a snapshot is there it is audited, and master is told the
//! result; nothing else is kept.
//!
//! # In a bank that lasts
//!
//! Snapshots are numbered from 1, and those up to some number are *over*: each has passed its audit. Once
//! that number grows, everybody is ordered to forget what is over, in this order and no other. So a node is
//! described by two numbers: up to which it has forgotten, and the newest that it has recorded. An observer
//! that has just been started asks every node for both ([`Order::Recall`]). What one of them has forgotten
//! is over. All between that and the newest of anybody are *open*, whether or not anybody has recorded them, since
//! the orders of an observer that is dead are void from the moment in which a node hears the next one.
//!
//! A node that joins, for whatever reason, is ordered whatever concerns it: to forget what is over; to
//! begin every open snapshot whose initiator it is, which depends on its number only; and to hand over
//! each part that is not there. Who has done so already does nothing, or says the same. What is not
//! complete yet is handed over by itself when it is.

use std::collections::{BTreeMap, BTreeSet};

use snapshot::{IdSet, SnapshotId};

use super::{Added, Broken, Effect, Observer};
use crate::audit::{Handed, audit};
use crate::id::{NodeId, Place};
use crate::messages::{Answer, Order, Report};

/// No bank has as many snapshots in progress: who says so is broken.
const MOST_OPEN: u64 = 1 << 20;

const NANOSECONDS_A_MILLISECOND: u64 = 1_000_000;

/// The snapshots that are taken under load. Times are in nanoseconds.
#[derive(Debug)]
pub(super) struct Watch {
    nodes: usize,
    every: u64,
    concurrent: u64,
    /// When the next one may begin; `None` once none shall.
    next: Option<u64>,
    begun: u64,
    /// Those in progress.
    open: BTreeMap<SnapshotId, Gathering>,
    /// Of which snapshot a node is handing its part over just now.
    handing: BTreeMap<Place, SnapshotId>,
    /// Those that have passed their audit.
    over: IdSet,
    /// Nothing begins while it is not known what others have begun.
    recall: Option<Recall>,
    /// Master waits for the last to be over.
    is_resting: bool,
}

/// What is known so far of the snapshots that there were.
#[derive(Debug, Default)]
struct Recall {
    heard: BTreeSet<Place>,
    over: u64,
    newest: u64,
}

/// A snapshot in progress.
#[derive(Debug)]
struct Gathering {
    begun: u64,
    parts: BTreeMap<NodeId, Handed>,
}

impl Watch {
    pub(super) fn new(nodes: u32, every_ms: u64, concurrent: u32, now: u64, recalls: bool) -> Self {
        Self {
            nodes: nodes as usize,
            every: every_ms.saturating_mul(NANOSECONDS_A_MILLISECOND),
            concurrent: concurrent.into(),
            next: Some(now),
            begun: 0,
            open: BTreeMap::new(),
            handing: BTreeMap::new(),
            over: IdSet::default(),
            recall: recalls.then(Recall::default),
            is_resting: false,
        }
    }

    /// Begins no more; says so once those in progress are over.
    pub(super) fn rest(&mut self) {
        self.next = None;
        self.is_resting = true;
    }

    /// Which of the nodes, in the order of their places, begins a snapshot.
    fn turn(&self, snapshot: SnapshotId) -> usize {
        (snapshot.0 - 1) as usize % self.nodes.max(1)
    }
}

impl Observer {
    /// When the next snapshot will begin, if that is a matter of time: then hand in the time.
    #[must_use]
    pub fn wakes_at(&self) -> Option<u64> {
        let watch = self.watch.as_ref()?;
        let is_all_known = watch.recall.is_none() && !self.nodes.is_empty();
        // In a bank that lasts every part is kept until all snapshots before are over too.
        let open = match self.lasting {
            true => watch.begun - watch.over.all_up_to().0,
            false => watch.open.len() as u64,
        };
        let may_begin = is_all_known && open < watch.concurrent;
        watch.next.filter(|_| may_begin)
    }

    /// Begins what is due.
    pub(super) fn go_on_watching(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now;
        while let Some(due) = self.wakes_at().filter(|due| *due <= now) {
            let Some(watch) = &mut self.watch else {
                return;
            };
            // One that could not begin in time is left out, and those after it keep their times.
            watch.next = Some(due.saturating_add(watch.every).max(now));
            watch.begun += 1;
            let snapshot = SnapshotId(watch.begun);
            let parts = BTreeMap::new();
            watch.open.insert(snapshot, Gathering { begun: now, parts });
            let initiator = self.nodes.keys().nth(watch.turn(snapshot));
            effects.extend(initiator.map(|node| Effect::Order(*node, Order::Take { snapshot })));
        }
        if let Some(watch) = &mut self.watch
            && watch.is_resting
            && watch.recall.is_none()
            && watch.open.is_empty()
        {
            watch.is_resting = false;
            effects.push(Effect::Answer(Answer::Rested));
        }
    }

    /// What a node was handing over is void.
    pub(super) fn interrupt(&mut self, place: Place) {
        if let Some(watch) = &mut self.watch {
            watch.handing.remove(&place);
        }
    }

    /// A node has joined, or it is known now what is open: it is ordered whatever concerns it.
    pub(super) fn watch_again(
        &mut self,
        place: Place,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let id = self.node(place)?.id;
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        let mut order = |order| effects.push(Effect::Order(place, order));
        if let Some(recall) = &watch.recall {
            // What it has said before its death still is true.
            if !recall.heard.contains(&place) {
                order(Order::Recall);
            }
            return Ok(());
        }
        let last = watch.over.all_up_to();
        if last.0 > 0 {
            order(Order::Forget { last });
        }
        for (&snapshot, gathering) in &watch.open {
            if self.nodes.keys().nth(watch.turn(snapshot)) == Some(&place) {
                order(Order::Take { snapshot });
            }
            if !gathering.parts.contains_key(&id) {
                order(Order::Give { snapshot });
            }
        }
        Ok(())
    }

    /// A node says what it knows. Once everybody has, it is known what is open.
    fn recall(
        &mut self,
        place: Place,
        (over, newest): (SnapshotId, SnapshotId),
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let node = self.node(place)?.id;
        let now = self.now;
        let is_possible = newest.0 <= over.0.saturating_add(MOST_OPEN);
        let watch = self.watch.as_mut();
        let asked = watch.and_then(|watch| Some((watch.recall.as_mut()?, watch.nodes)));
        let Some((recall, nodes)) = asked.filter(|_| is_possible) else {
            let report = Report::Known { over, newest };
            return Err(Broken::unexpected(node, report));
        };
        recall.heard.insert(place);
        recall.over = recall.over.max(over.0);
        recall.newest = recall.newest.max(newest.0);
        if recall.heard.len() < nodes {
            return Ok(());
        }
        let (over, newest) = (recall.over, recall.newest.max(recall.over));
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        watch.recall = None;
        watch.over.insert_all(1..=over);
        watch.begun = newest;
        for open in over + 1..=newest {
            let (begun, parts) = (now, BTreeMap::new());
            watch
                .open
                .insert(SnapshotId(open), Gathering { begun, parts });
        }
        for place in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.watch_again(place, effects)?;
        }
        Ok(())
    }

    /// Adds what a node reported to its part; with the last part of a snapshot, audits it.
    pub(super) fn hear_watched(
        &mut self,
        place: Place,
        report: Report,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        if let Report::Known { over, newest } = report {
            return self.recall(place, (over, newest), effects);
        }
        let added = self.add(place, report)?;
        let (node, nodes) = (self.node(place)?.id, self.nodes.len());
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        match added {
            Added::More => {}
            Added::Begins(snapshot) => {
                watch.handing.insert(place, snapshot);
            }
            Added::Ends(part) => {
                let id = watch.handing.remove(&place);
                let gathering = id.and_then(|id| Some((id, watch.open.get_mut(&id)?)));
                if let (Some((id, gathering)), Some(part)) = (gathering, part) {
                    gathering.parts.insert(node, part);
                    if gathering.parts.len() == nodes
                        && let Some(whole) = watch.open.remove(&id)
                    {
                        self.conclude(id, whole, effects);
                    }
                }
            }
        }
        Ok(())
    }

    /// All parts of a snapshot are there.
    fn conclude(&mut self, snapshot: SnapshotId, all: Gathering, effects: &mut Vec<Effect>) {
        let global = match audit(snapshot, all.parts, &self.deposits) {
            Ok(global) => global,
            Err(reason) => {
                effects.push(Effect::Answer(Answer::Unsound { snapshot, reason }));
                return;
            }
        };
        let amounts = || global.transit.values().flatten();
        effects.push(Effect::Answer(Answer::Watched {
            snapshot,
            nanoseconds: self.now.saturating_sub(all.begun),
            transfers: amounts().count() as u64,
            in_transit: amounts().map(|amount| u128::from(*amount)).sum(),
            total: global.total(),
        }));
        let Some(watch) = self.watch.as_mut().filter(|_| self.lasting) else {
            return;
        };
        let before = watch.over.all_up_to();
        watch.over.insert(snapshot);
        let last = watch.over.all_up_to();
        if last > before {
            let forget = |place| Effect::Order(place, Order::Forget { last });
            effects.extend(self.nodes.keys().copied().map(forget));
        }
    }
}
