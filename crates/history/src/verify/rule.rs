//! What a history must keep to, where each rule comes from, and what is said where one is broken.
//!
//! The sources:
//!
//! - K. M. Chandy and L. Lamport, "Distributed Snapshots: Determining Global States of Distributed
//!   Systems", ACM Transactions on Computer Systems 3(1), 1985, pages 63–75;
//! - T. H. Lai and T. H. Yang, "On Distributed Snapshots", Information Processing Letters 25(3), 1987;
//! - F. Mattern, "Virtual Time and Global States of Distributed Systems", in: M. Cosnard and others
//!   (editors), Parallel and Distributed Algorithms, North-Holland 1989, pages 215–226;
//! - F. Mattern, "Efficient Algorithms for Distributed Snapshots and Global Virtual Time
//!   Approximation", Journal of Parallel and Distributed Computing 18(4), 1993, pages 423–434;
//! - A. D. Kshemkalyani and M. Singhal, "Distributed Computing: Principles, Algorithms, and Systems",
//!   Cambridge University Press 2008, chapter 4, "Global state and snapshot recording algorithms".

use std::fmt;

use crate::event::Channel;

/// Where an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The line of the history, counted from 1; the header is line 1.
    pub history: u64,
    /// The line of the script that asked for it.
    pub script: Option<u64>,
    /// How many events were replayed before it: where lines are taken in another order, theirs.
    pub(super) turn: u64,
}

/// Shown as `line 14 of the history (line 7 of the script)`.
impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {} of the history", self.history)?;
        match self.script {
            Some(line) => write!(out, " (line {line} of the script)"),
            None => Ok(()),
        }
    }
}

/// A rule. Of several that a snapshot breaks, the first in this order is reported: what happened at
/// all, then what a snapshot is, then how Chandy and Lamport take one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Events are of a process that was created and lives, and of a channel that was opened, of a system
    /// between its start and end.
    Order,
    /// Who is restarted had died, and has the next incarnation.
    Restart,
    /// Every process's log replays.
    Account,
    /// A channel's receives are a prefix of its sends.
    Fifo,
    /// What is inferred comes from processes that died.
    Inferred,
    /// One record a process and snapshot.
    OneRecord,
    /// What was recorded is what is replayed.
    Recorded,
    /// No message is received before the cut and sent after it.
    Consistent,
    /// Every member has recorded, and nobody else.
    Complete,
    /// Collected states are the recorded ones.
    States,
    /// A channel's state is what was sent before and received after.
    InTransit,
    /// Nothing is made or lost.
    Money,
    /// A process records at the right moment.
    Moment,
    /// One marker a channel, at its sender's cut.
    Markers,
    /// Cuts of which one depends on the other are ordered.
    CutOrder,
    /// The reordered run exists.
    Reordered,
    /// The audit agrees.
    Audit,
}

impl Rule {
    /// All of them, in their order.
    pub const ALL: [Self; 17] = [
        Self::Order,
        Self::Restart,
        Self::Account,
        Self::Fifo,
        Self::Inferred,
        Self::OneRecord,
        Self::Recorded,
        Self::Consistent,
        Self::Complete,
        Self::States,
        Self::InTransit,
        Self::Money,
        Self::Moment,
        Self::Markers,
        Self::CutOrder,
        Self::Reordered,
        Self::Audit,
    ];

    /// Its name, as one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.text().0
    }

    /// The rule, as a sentence.
    #[must_use]
    pub fn statement(self) -> &'static str {
        self.text().1
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(self) -> &'static str {
        self.text().2
    }

    fn text(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Order => (
                "order",
                "an event is of a process that was created and lives, and of a channel that was opened, \
                 between a system's start and its end",
                "the schema of a history",
            ),
            Self::Restart => (
                "restart",
                "whoever is restarted had died, and comes back as the next incarnation: the first restart \
                 makes it 2",
                "the schema of a history",
            ),
            Self::Account => (
                "account",
                "a process never sends more than it has, and refuses only what it does not have",
                "the bank: a state is what was deposited and received, less what was sent",
            ),
            Self::Fifo => (
                "fifo",
                "what is received from a channel is what was sent on it, in the same order",
                "Chandy & Lamport 1985, section 2",
            ),
            Self::Inferred => (
                "inferred",
                "what its process did not confirm comes from one that died",
                "the schema of a history",
            ),
            Self::OneRecord => (
                "one_record",
                "a process records its state once for a snapshot",
                "Chandy & Lamport 1985, section 3.2, marker-receiving rule",
            ),
            Self::Recorded => (
                "recorded",
                "a process records the state and the tallies that it has",
                "Chandy & Lamport 1985, section 3.2; Mattern 1993 (counting messages)",
            ),
            Self::Consistent => (
                "consistent",
                "no message is received before the cut and sent after it",
                "Mattern 1989, consistent cuts; Kshemkalyani & Singhal 2008, chapter 4, condition C2",
            ),
            Self::Complete => (
                "complete",
                "every member has recorded its state when a snapshot is collected, and nobody else",
                "Chandy & Lamport 1985, section 3.3, termination",
            ),
            Self::States => (
                "states",
                "the states collected are those that were recorded",
                "Chandy & Lamport 1985, section 3.3, termination",
            ),
            Self::InTransit => (
                "in_transit",
                "a channel's state is the messages sent before the cut and received after it, in \
                 order",
                "Kshemkalyani & Singhal 2008, chapter 4, condition C1; Lai & Yang 1987",
            ),
            Self::Money => (
                "money",
                "states and messages in transit add up to what was deposited",
                "follows from the rules before it, and is counted all the same",
            ),
            Self::Moment => (
                "moment",
                "a process records its state when it begins a snapshot or receives its first \
                 marker, and does nothing in between",
                "Chandy & Lamport 1985, section 3.2, both marker rules",
            ),
            Self::Markers => (
                "markers",
                "one marker of a snapshot is sent on each channel, after its sender recorded and \
                 before any further message, and received before the snapshot is collected",
                "Chandy & Lamport 1985, section 3.2, both marker rules",
            ),
            Self::CutOrder => (
                "cut_order",
                "where all who began a snapshot had recorded another one first, so has everybody",
                "follows from FIFO channels and both marker rules (Chandy & Lamport 1985, section \
                 3.2); cuts of which neither depends on the other may cross (Mattern 1989)",
            ),
            Self::Reordered => (
                "reordered",
                "the same events, those before the cut first, are a run in which the snapshot is \
                 the state at one instant",
                "Chandy & Lamport 1985, section 4, Theorem 1",
            ),
            Self::Audit => (
                "audit",
                "the audit in the history says what is so",
                "the schema of a history",
            ),
        }
    }
}

/// An event that shows that a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What happened, in a few words.
    pub what: String,
    /// Where it is written.
    pub at: Location,
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The channel on which.
    pub channel: Option<Channel>,
    /// What its ends are called: by their names, where they have some.
    pub ends: Option<Box<[String; 2]>>,
    /// How, in words.
    pub reason: String,
    /// The events that show it, in their order; rarely more than two.
    pub events: Vec<Witness>,
}

impl Violation {
    pub(super) fn new(rule: Rule, reason: impl Into<String>) -> Self {
        Self {
            rule,
            channel: None,
            ends: None,
            reason: reason.into(),
            events: Vec::new(),
        }
    }

    pub(super) fn on(mut self, channel: Channel) -> Self {
        self.channel = Some(channel);
        self
    }

    pub(super) fn seen(mut self, what: impl Into<String>, at: Location) -> Self {
        let what = what.into();
        self.events.push(Witness { what, at });
        self.events.sort_by_key(|event| event.at.turn);
        self
    }
}

/// Several lines: the reason, the events, the rule.
impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("  ")?;
        match (&self.ends, self.channel) {
            (Some(ends), _) => write!(out, "channel {}: ", ends.join(" → "))?,
            (None, Some(channel)) => write!(out, "channel {channel}: ")?,
            (None, None) => {}
        }
        write!(out, "{}", self.reason)?;
        for event in &self.events {
            write!(out, "\n  {}: {}", event.what, event.at)?;
        }
        write!(
            out,
            "\n  rule `{}`: {} ({})",
            self.rule.name(),
            self.rule.statement(),
            self.rule.source()
        )
    }
}
