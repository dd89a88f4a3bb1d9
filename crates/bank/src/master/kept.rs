//! What master keeps in a bank that lasts, in order.
//!
//! Some of it does not follow from script and seed: how collections ended, and which nodes could not be
//! started. When everybody has died, master too, the script is run again from its first line, and the
//! nodes answer from their journals what they have carried out. But they are as they were at the end: of an
//! earlier moment they cannot be asked, and the parts of snapshots that were collected are gone. So an
//! outcome is kept before anything follows from it, and [recalled](Master::recall) in its turn.
//!
//! The rest is what no node knows of the bank: of whom it consists, and who is to be dead. Where the script
//! is never run again, the bank can be had without it ([`Abandoned`](super::Abandoned)).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use snapshot::SnapshotId;

use super::{Effect, Master, NotStarted, Waiting};
use crate::audit::{GlobalSnapshot, Unsound};
use crate::id::{NodeId, Place};

/// One thing that master keeps: how a collection ended, or what only master knows of the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// All of the snapshots that had begun were collected.
    Collected(BTreeMap<SnapshotId, GlobalSnapshot>),
    /// Markers were on their way.
    Incomplete(Waiting),
    /// A snapshot failed its audit.
    Unsound {
        /// Which.
        snapshot: SnapshotId,
        /// Why.
        reason: Unsound,
    },
    /// A node could not be started.
    NotStarted {
        /// The line that was to create it.
        line: u64,
        /// Why.
        reason: NotStarted,
    },
    /// `StartMaster` began a bank.
    Began {
        /// Whether `Connect` opens its channels.
        sparse: bool,
    },
    /// `KillAll` ended it.
    Ended,
    /// A node is created, at the next place.
    Created {
        /// What it is called.
        id: NodeId,
        /// What is in its account at first.
        deposit: u64,
    },
    /// `KillNode` leaves this node dead.
    Killed(Place),
    /// `RestartNode` has it come back.
    Restarted(Place),
    /// This channel opens once both ends are alive, by (from, to).
    PutOff(Place, Place),
}

/// What is known of an earlier run of the same script.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    /// There was one: nodes may have journals, and may have received what is on its way to them.
    pub(super) is_any: bool,
    /// The outcomes that are left, in order.
    pub(super) outcomes: VecDeque<Kept>,
}

impl Recalled {
    /// Why the node of this line could not be started, if so.
    pub(super) fn not_started(&mut self, line: u64) -> Option<NotStarted> {
        match self.outcomes.front() {
            Some(Kept::NotStarted { line: it, reason }) if *it == line => {
                let reason = reason.clone();
                self.outcomes.pop_front();
                Some(reason)
            }
            _ => None,
        }
    }
}

impl Master {
    /// The same script was interrupted: how its collections ended, in order. Before the first command.
    pub fn recall(&mut self, outcomes: impl IntoIterator<Item = Kept>) {
        self.recalled = Recalled {
            is_any: true,
            outcomes: outcomes.into_iter().collect(),
        };
    }

    /// Has something kept, unless an earlier run has kept it.
    pub(super) fn keep(&mut self, kept: Kept) {
        if !self.setup.lasting {
            return;
        }
        match self.recalled.outcomes.pop_front() {
            None => self.effects.push(Effect::Keep(Box::new(kept))),
            Some(before) => debug_assert_eq!(before, kept, "every run does the same"),
        }
    }
}
