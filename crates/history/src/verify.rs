//! Whether the snapshots of a history are right: an offline checker of anybody's history.
//!
//! It replays what happened, event by event, and judges every snapshot when it is collected, by the
//! [rules](Rule). It is written from the definitions, and shares nothing with what takes snapshots.
//! It reads as a stream, in a time that grows with the number of events alone. What it holds grows with
//! the processes, the channels in use, the markers of snapshots in progress and the messages that are or
//! may have been in transit, not with the events.
//!
//! * `verify/rule.rs`: the rules, each with its source;
//! * `verify/log.rs`: processes and channels, replayed;
//! * `verify/crossings.rs`: where cuts cross the channels, by counting;
//! * `verify/running.rs`: a system on its way, and its snapshots in progress;
//! * `verify/judge.rs`: the verdict on what was collected.

mod crossings;
mod judge;
mod log;
mod rule;
mod running;

use std::collections::BTreeMap;

pub use self::rule::{Location, Rule, Violation, Witness};
use self::running::Running;
use crate::event::{Event, SnapshotId, What};

/// Checks a history, event by event.
#[derive(Debug, Default)]
pub struct Verifier {
    running: Option<Running>,
    reorders: bool,
    report: Report,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many events there were.
    pub events: u64,
    /// How many systems.
    pub systems: u64,
    /// The snapshots, by system and number.
    pub snapshots: Vec<Judged>,
    /// Where a system's log itself breaks a rule, the first time: what happened after that is
    /// not judged.
    pub violations: BTreeMap<u64, Violation>,
}

/// A snapshot and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The system, counted from 1.
    pub system: u64,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the audit in the history had passed.
    pub audit: Option<bool>,
}

/// Whether a snapshot is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It keeps to all rules.
    Valid {
        /// How many processes are in it.
        processes: usize,
        /// How many messages were in transit.
        messages: usize,
        /// The sum of these.
        in_transit: u128,
        /// The sum of all states and of these; `None` where it says nothing.
        total: Option<u128>,
        /// What the history does not let one judge, each with the reason.
        unjudged: Vec<String>,
    },
    /// It breaks a rule.
    Invalid(Box<Violation>),
    /// There is nothing to judge, and why.
    Unknown(String),
}

/// The verdict on all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overall {
    /// Some snapshots were collected, and they are valid.
    Valid,
    /// Something breaks a rule.
    Invalid,
    /// No snapshot was collected.
    Unknown,
}

impl Verifier {
    /// A checker that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that also constructs the reordered run of every snapshot and replays it. It holds all
    /// events of a system, and replays them once for each snapshot.
    #[must_use]
    pub fn reordering() -> Self {
        Self {
            reorders: true,
            ..Self::default()
        }
    }

    /// The event on this line of the history.
    pub fn on_event(&mut self, event: &Event, line: u64) {
        self.report.events += 1;
        let at = Location {
            history: line,
            script: event.line,
            turn: self.report.events,
        };
        if matches!(event.what, What::Start { .. }) {
            if let Some(running) = &mut self.running {
                running.on_next_start(at);
            }
            self.close();
        }
        let reorders = self.reorders;
        let running = self.running.get_or_insert_with(|| {
            self.report.systems += 1;
            Running::new(reorders)
        });
        running.on_event(event, at);
    }

    /// There are no more events.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.close();
        self.report
    }

    fn close(&mut self) {
        if let Some(running) = self.running.take() {
            running.close(&mut self.report);
        }
    }
}

impl Report {
    /// The verdict on all together.
    #[must_use]
    pub fn overall(&self) -> Overall {
        let any = |is_it: fn(&Verdict) -> bool| self.count(is_it) > 0;
        if !self.violations.is_empty() || any(|it| matches!(it, Verdict::Invalid(_))) {
            Overall::Invalid
        } else if any(|it| matches!(it, Verdict::Valid { .. })) {
            Overall::Valid
        } else {
            Overall::Unknown
        }
    }

    /// How many snapshots have such a verdict.
    pub fn count(&self, is_it: impl Fn(&Verdict) -> bool) -> usize {
        let verdicts = self.snapshots.iter().map(|judged| &judged.verdict);
        verdicts.filter(|verdict| is_it(verdict)).count()
    }
}
