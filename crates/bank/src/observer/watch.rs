//! What the observer does under load: one snapshot after the other, each audited.
//!
//! It never stops the traffic, and never waits for one node while another has something to say:
//! parts are gathered as they come, of several snapshots at once. The nodes are the initiators in
//! turn. When every node's part of a snapshot is there it is audited, and master is told the
//! result; nothing else is kept.

use std::collections::BTreeMap;

use snapshot::SnapshotId;

use super::{Added, Broken, Effect, Observer};
use crate::audit::{Handed, audit};
use crate::id::{NodeId, Place};
use crate::messages::{Answer, Order, Report};

const NANOSECONDS_A_MILLISECOND: u64 = 1_000_000;

/// The snapshots that are taken under load. Times are in nanoseconds.
#[derive(Debug)]
pub(super) struct Watch {
    every: u64,
    concurrent: usize,
    /// When the next one may begin; `None` once none shall.
    next: Option<u64>,
    begun: u64,
    /// Those in progress.
    open: BTreeMap<SnapshotId, Gathering>,
    /// Of which snapshot a node is handing its part over just now.
    handing: BTreeMap<Place, SnapshotId>,
    /// Master waits for the last to be over.
    is_resting: bool,
}

/// A snapshot in progress.
#[derive(Debug)]
struct Gathering {
    begun: u64,
    parts: BTreeMap<NodeId, Handed>,
}

impl Watch {
    pub(super) fn new(every_ms: u64, concurrent: u32, now: u64) -> Self {
        Self {
            every: every_ms.saturating_mul(NANOSECONDS_A_MILLISECOND),
            concurrent: concurrent as usize,
            next: Some(now),
            begun: 0,
            open: BTreeMap::new(),
            handing: BTreeMap::new(),
            is_resting: false,
        }
    }

    /// Begins no more; says so once those in progress are over.
    pub(super) fn rest(&mut self) {
        self.next = None;
        self.is_resting = true;
    }
}

impl Observer {
    /// When the next snapshot will begin, if that is a matter of time: then hand in the time.
    #[must_use]
    pub fn wakes_at(&self) -> Option<u64> {
        let watch = self.watch.as_ref()?;
        let may_begin = !self.nodes.is_empty() && watch.open.len() < watch.concurrent;
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
            let turn = watch.begun as usize % self.nodes.len();
            watch.begun += 1;
            let snapshot = SnapshotId(watch.begun);
            let parts = BTreeMap::new();
            watch.open.insert(snapshot, Gathering { begun: now, parts });
            let initiator = self.nodes.keys().nth(turn);
            effects.extend(initiator.map(|node| Effect::Order(*node, Order::Take { snapshot })));
        }
        if let Some(watch) = &mut self.watch
            && watch.is_resting
            && watch.open.is_empty()
        {
            watch.is_resting = false;
            effects.push(Effect::Answer(Answer::Rested));
        }
    }

    /// Adds what a node reported to its part; with the last part of a snapshot, audits it.
    pub(super) fn hear_watched(
        &mut self,
        place: Place,
        report: Report,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
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
    fn conclude(&self, snapshot: SnapshotId, all: Gathering, effects: &mut Vec<Effect>) {
        let answer = match audit(snapshot, all.parts, &self.deposits) {
            Ok(global) => {
                let amounts = || global.transit.values().flatten();
                Answer::Watched {
                    snapshot,
                    nanoseconds: self.now.saturating_sub(all.begun),
                    transfers: amounts().count() as u64,
                    in_transit: amounts().map(|amount| u128::from(*amount)).sum(),
                    total: global.total(),
                }
            }
            Err(reason) => Answer::Unsound { snapshot, reason },
        };
        effects.push(Effect::Answer(answer));
    }
}
