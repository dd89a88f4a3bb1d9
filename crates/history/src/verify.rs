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
//! * `verify/judge.rs`: the verdict on what was collected;
//! * `verify/order.rs`: lines that are in no order in which the events can have happened.

mod crossings;
mod judge;
mod log;
mod order;
mod rule;
mod running;

use std::collections::BTreeMap;
use std::fmt;

use self::log::Facts;
pub use self::order::Moved;
use self::order::Waiting;
pub use self::rule::{Location, Rule, Violation, Witness};
use self::running::Running;
use crate::event::{Event, Header, SnapshotId, What};

/// Checks a history, event by event.
#[derive(Debug, Default)]
pub struct Verifier {
    running: Option<Running>,
    reorders: bool,
    report: Report,
    facts: Facts,
    /// Whether lines may be in another order than that in which the events happened.
    in_any_order: bool,
    /// The first events of the system, where these are all so far.
    first: Vec<(Event, u64)>,
    /// The system, once a line had to wait for a later one.
    waiting: Option<Waiting>,
}

/// Where a line has to wait for a later one, the events before it are put in order too, if they are no
/// more than these.
const FIRST: usize = 4096;

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
    /// The systems whose lines were taken in another order, in which everything can have happened.
    pub moved: BTreeMap<u64, Moved>,
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
        /// The sum of these; `None` where they have none.
        in_transit: Option<i128>,
        /// The sum of all states and of these; `None` where it says nothing.
        total: Option<i128>,
        /// What the history does not let one judge.
        unjudged: Vec<Unjudged>,
    },
    /// It breaks a rule.
    Invalid(Box<Violation>),
    /// There is nothing to judge, and why.
    Unknown(String),
}

/// What a history does not let one judge of a snapshot. Shown with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// How it was taken.
    Markers,
    /// Whether it adds up.
    Total,
    /// What states and messages are.
    Contents,
    /// Anything but whether it adds up.
    Cut,
    /// Whether the reordered run exists, where that was wanted.
    Reordered,
}

impl fmt::Display for Unjudged {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Markers => "how it was taken, since it has no markers",
            Self::Total => "its total, since messages went to others or came from them",
            Self::Contents => "what states and messages are, since they are opaque",
            Self::Cut => "its cut and its channels, since no step of it is in the history",
            Self::Reordered => "the reordered run, since not everybody recorded",
        })
    }
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

    /// One that takes the lines in another order where the events cannot have happened in theirs: each
    /// process's own lines in their order, and a receipt after its sending. It holds the events of a
    /// system from the first that has to wait.
    #[must_use]
    pub fn in_any_order(self) -> Self {
        Self {
            in_any_order: true,
            ..self
        }
    }

    /// One that knows what the header says: whether states are opaque, and what they add up to.
    #[must_use]
    pub fn of(self, header: &Header) -> Self {
        let facts = Facts {
            is_opaque: header.is_opaque,
            is_signed: header.is_signed,
            total: header.total,
        };
        Self { facts, ..self }
    }

    /// The event on this line of the history.
    pub fn on_event(&mut self, event: &Event, line: u64) {
        self.report.events += 1;
        if matches!(event.what, What::Start { .. }) {
            self.release();
            if let Some(running) = &mut self.running {
                running.on_next_start(event, line);
            }
            self.close();
        }
        let (facts, reorders) = (self.facts, self.reorders);
        let running = self.running.get_or_insert_with(|| {
            self.report.systems += 1;
            Running::new(facts, reorders)
        });
        if let Some(waiting) = &mut self.waiting {
            return waiting.push(event.clone(), line);
        }
        if self.in_any_order {
            if running.must_wait(&event.what) {
                let before = match self.first.len() == running.events() {
                    true => Running::new(facts, reorders),
                    false => {
                        self.first.clear();
                        std::mem::take(running)
                    }
                };
                let mut waiting = Waiting::new(before, std::mem::take(&mut self.first));
                waiting.push(event.clone(), line);
                self.waiting = Some(waiting);
                return;
            }
            if running.events() < FIRST {
                self.first.push((event.clone(), line));
            }
        }
        running.on_event(event, line);
    }

    /// There are no more events.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.close();
        self.report
    }

    /// Replays what waits.
    fn release(&mut self) {
        let Some(waiting) = self.waiting.take() else {
            return;
        };
        let (running, moved) = waiting.release();
        if let Some(moved) = moved.filter(|_| !running.is_broken()) {
            self.report.moved.insert(self.report.systems, moved);
        }
        self.running = Some(running);
    }

    fn close(&mut self) {
        self.first.clear();
        self.release();
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

    /// Whether something of a snapshot that is valid could not be judged.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.count(|it| matches!(it, Verdict::Valid { unjudged, .. } if !unjudged.is_empty())) > 0
    }

    /// How many snapshots have such a verdict.
    pub fn count(&self, is_it: impl Fn(&Verdict) -> bool) -> usize {
        let verdicts = self.snapshots.iter().map(|judged| &judged.verdict);
        verdicts.filter(|verdict| is_it(verdict)).count()
    }
}
