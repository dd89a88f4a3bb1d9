//! What the observer does of its own accord under load: one snapshot after the other, each audited.
//!
//! It never stops the traffic, and never waits for one node while another has something to say:
//! parts are gathered as they come, of several snapshots at once. The members are the initiators
//! in turn. When every member's part of a snapshot is there it is audited, and master is told the
//! result; nothing else is kept.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pipes::{Fill, Token};
use snapshot::SnapshotId;

use super::{Observer, ObserverError, REPORTS, on};
use bank::audit::{Handed, audit};
use bank::id::NodeId;
use bank::messages::{Answer, Order, Report};
use bank::observer::Added;

/// The snapshots that are taken under load.
pub(super) struct Watch {
    every: Duration,
    concurrent: usize,
    /// When the next one may begin; `None` once none shall.
    next: Option<Instant>,
    begun: u64,
    /// Those in progress.
    open: BTreeMap<SnapshotId, Gathering>,
    /// The members, in the order of their tokens.
    members: Vec<NodeId>,
    /// The part that each of them is handing over just now.
    handing: Vec<Option<(Option<SnapshotId>, Handed)>>,
    /// Master waits for the last to be over.
    resting: bool,
}

/// A snapshot in progress.
struct Gathering {
    begun: Instant,
    parts: BTreeMap<NodeId, Handed>,
}

impl Watch {
    /// When the next snapshot will begin, if that is a matter of time.
    pub(super) fn next_begin(&self) -> Option<Instant> {
        self.next.filter(|_| self.open.len() < self.concurrent)
    }
}

impl Observer {
    pub(super) fn start_watching(
        &mut self,
        every_ms: u64,
        concurrent: u32,
    ) -> Result<(), ObserverError> {
        let members = self.nodes();
        for (token, node) in (REPORTS..).zip(&members) {
            let member = self.members.get_mut(node);
            let member = member.ok_or(ObserverError::UnknownNode(*node))?;
            let watched = member.reports.watch(&self.poller, token, true);
            watched.map_err(on("reports"))?;
        }
        self.watch = Some(Watch {
            every: Duration::from_millis(every_ms),
            concurrent: concurrent as usize,
            next: Some(Instant::now()),
            begun: 0,
            open: BTreeMap::new(),
            handing: members.iter().map(|_| None).collect(),
            members,
            resting: false,
        });
        self.begin_due_snapshots()
    }

    /// Begins no more; says so once those in progress are over.
    pub(super) fn rest(&mut self) -> Result<(), ObserverError> {
        if let Some(watch) = &mut self.watch {
            watch.next = None;
            watch.resting = true;
        }
        Ok(())
    }

    /// Reads what members report, begins what is due.
    pub(super) fn go_on_watching(&mut self) -> Result<(), ObserverError> {
        for token in std::mem::take(&mut self.ready) {
            if token >= REPORTS {
                self.read_reports(token)?;
            }
        }
        self.begin_due_snapshots()?;
        if let Some(watch) = &mut self.watch
            && watch.resting
            && watch.open.is_empty()
        {
            watch.resting = false;
            self.answer(Answer::Rested)?;
        }
        Ok(())
    }

    fn begin_due_snapshots(&mut self) -> Result<(), ObserverError> {
        loop {
            let now = Instant::now();
            let Some(watch) = &mut self.watch else {
                return Ok(());
            };
            let Some(due) = watch.next_begin().filter(|due| *due <= now) else {
                return Ok(());
            };
            // One that could not begin in time is left out, and those after it keep their times.
            watch.next = Some((due + watch.every).max(now));
            if watch.members.is_empty() {
                return Ok(());
            }
            let node = watch.members[watch.begun as usize % watch.members.len()];
            watch.begun += 1;
            let snapshot = SnapshotId(watch.begun);
            let parts = BTreeMap::new();
            watch.open.insert(snapshot, Gathering { begun: now, parts });
            self.order(node, Order::Take { snapshot })?;
        }
    }

    /// Reads all that one member has reported.
    fn read_reports(&mut self, token: Token) -> Result<(), ObserverError> {
        let Some(watch) = &self.watch else {
            return Ok(());
        };
        let index = (token - REPORTS) as usize;
        let node = watch.members[index];
        loop {
            let reports = &mut self.member(node)?.reports;
            if let Some(report) = reports.next_frame().map_err(on("reports"))? {
                self.take_report(index, node, report)?;
                continue;
            }
            match reports.fill().map_err(on("reports"))? {
                Fill::More => {}
                Fill::Empty => return Ok(()),
                Fill::Ended => return self.answer(Answer::NodeGone { node }),
            }
        }
    }

    /// Adds what a member reported to its part; with the last part of a snapshot, audits it.
    fn take_report(
        &mut self,
        index: usize,
        node: NodeId,
        report: Report,
    ) -> Result<(), ObserverError> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        let (id, handed) = watch.handing[index].get_or_insert_default();
        match handed.add(report) {
            Ok(Added::More) => Ok(()),
            Ok(Added::Begins(snapshot)) => {
                *id = Some(snapshot);
                Ok(())
            }
            Ok(Added::Ends { .. }) => {
                let Some((Some(id), handed)) = watch.handing[index].take() else {
                    return Ok(());
                };
                let Some(gathering) = watch.open.get_mut(&id) else {
                    return Ok(());
                };
                gathering.parts.insert(node, handed);
                if gathering.parts.len() < watch.members.len() {
                    return Ok(());
                }
                match watch.open.remove(&id) {
                    Some(gathering) => self.conclude(id, gathering),
                    None => Ok(()),
                }
            }
            Err(report) => Err(ObserverError::Unexpected { node, report }),
        }
    }

    /// All parts of a snapshot are there.
    fn conclude(&mut self, snapshot: SnapshotId, all: Gathering) -> Result<(), ObserverError> {
        match audit(snapshot, all.parts, &self.deposits) {
            Ok(global) => {
                let nanoseconds = all.begun.elapsed().as_nanos() as u64;
                let amounts = || global.transit.values().flatten();
                self.answer(Answer::Watched {
                    snapshot,
                    nanoseconds,
                    transfers: amounts().count() as u64,
                    in_transit: amounts().map(|amount| u128::from(*amount)).sum(),
                    total: global.total(),
                })
            }
            Err(reason) => self.answer(Answer::Unsound { snapshot, reason }),
        }
    }
}
