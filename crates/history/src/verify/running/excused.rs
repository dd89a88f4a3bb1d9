//! What is not held against a snapshot while somebody is dead.
//!
//! Whoever stays dead completes no snapshot, so that those in progress are given up, with the markers that
//! were to come; and perhaps it did more than is known. For whoever comes back, all the rules hold as if it
//! had never been dead. Which of the two a death is, nobody knows before the restart.

use super::{InProgress, Running};
use crate::event::SnapshotId;
use crate::verify::judge::{Collecting, wrong_marker};
use crate::verify::rule::Violation;

impl Running {
    /// Remembers what is wrong with a snapshot if everybody who is dead comes back; of several things, the
    /// one whose rule comes first.
    pub(super) fn excuse(&mut self, snapshot: SnapshotId, violation: Violation) {
        let known = self.excused.get(&snapshot);
        if known.is_none_or(|known| violation.rule < known.rule) {
            self.excused.insert(snapshot, violation);
        }
    }

    /// Remembers what is wrong with a snapshot, and would not be if it were over.
    pub(super) fn blame_unless_excused(&mut self, snapshot: SnapshotId, violation: Violation) {
        match self.log.dead.since {
            Some(_) => self.excuse(snapshot, violation),
            None => self.blame(snapshot, violation),
        }
    }

    /// It was collected without the markers on channels that opened when one of their ends was dead.
    pub(super) fn excuse_missing_markers(
        &mut self,
        snapshot: SnapshotId,
        open: &InProgress,
        collecting: &Collecting,
    ) {
        if self.log.dead.since.is_some()
            && !open.is_bare()
            && open.has_markers(&self.log)
            && let Some(violation) = wrong_marker(&self.log, open, collecting, false)
        {
            self.excuse(snapshot, violation);
        }
    }

    /// Somebody came back: if nobody is dead any more, all that was excused is wrong.
    pub(super) fn excuse_no_longer(&mut self) {
        if self.log.dead.since.is_none() {
            for (snapshot, violation) in std::mem::take(&mut self.excused) {
                self.blame(snapshot, violation);
            }
        }
    }
}
