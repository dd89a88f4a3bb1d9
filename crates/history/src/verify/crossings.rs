//! Where the cuts of snapshots cross the channels, by counting: the messages in transit at a cut are
//! those after the receiver's number up to the sender's.
//!
//! A process that records puts the snapshot at the end of its [`Records`], and that is all: nothing is
//! noted on its channels. The next message that passes an end of one shows how many had passed it
//! before, and one [`Crossing`] there serves all records since the last one. So a record takes the same
//! time whatever the number of processes, and a message whatever the number of snapshots.

use std::collections::VecDeque;

use super::rule::Location;
use crate::event::SnapshotId;

/// The snapshots that a process has recorded, in that order. Each has a place, counted from 0; those
/// at the front that were collected are forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    forgotten: u64,
    snapshots: VecDeque<SnapshotId>,
}

impl Records {
    /// Adds one; returns its place.
    pub(super) fn push(&mut self, snapshot: SnapshotId) -> u64 {
        self.snapshots.push_back(snapshot);
        self.end() - 1
    }

    /// The place of the first that is not forgotten.
    pub(super) fn begin(&self) -> u64 {
        self.forgotten
    }

    /// The place of the next.
    pub(super) fn end(&self) -> u64 {
        self.forgotten + self.snapshots.len() as u64
    }

    /// The one at this place, unless it is forgotten.
    pub(super) fn get(&self, place: u64) -> Option<SnapshotId> {
        let index = place.checked_sub(self.forgotten)?;
        self.snapshots.get(usize::try_from(index).ok()?).copied()
    }

    /// Forgets those at the front that are over.
    pub(super) fn forget(&mut self, is_over: impl Fn(SnapshotId) -> bool) {
        while self.snapshots.front().is_some_and(|it| is_over(*it)) {
            self.snapshots.pop_front();
            self.forgotten += 1;
        }
    }
}

/// Where the cuts of one process cross one of its ends of channels.
#[derive(Clone, Debug, Default)]
pub(super) struct Crossings(VecDeque<Crossing>);

/// The cuts after the last crossing and before a message.
#[derive(Clone, Debug)]
pub(super) struct Crossing {
    /// The place of the first record that is not before the message.
    records: u64,
    /// How many messages had passed the end before it.
    pub(super) messages: u64,
    /// When it passed the end.
    pub(super) passed: Location,
    /// At the sender's end: when it was received.
    pub(super) received: Option<Location>,
}

impl Crossings {
    /// A message passes the end, after so many others.
    pub(super) fn on_message(&mut self, records: &Records, messages: u64, passed: Location) {
        let noted = self.0.back().map_or(0, |last| last.records);
        if records.end() <= noted.max(records.begin()) {
            return;
        }
        let is_forgotten = |it: &Crossing| it.records <= records.begin();
        while self.0.front().is_some_and(is_forgotten) {
            self.0.pop_front();
        }
        self.0.push_back(Crossing {
            records: records.end(),
            messages,
            passed,
            received: None,
        });
    }

    /// At the sender's end: the message of that number is received. Returns how many records its
    /// sender had made before it sent it, as far as they are not forgotten.
    pub(super) fn on_received(&mut self, number: u64, at: Location) -> u64 {
        let after = self.0.partition_point(|it| it.messages < number);
        let Some(before) = after.checked_sub(1).and_then(|it| self.0.get_mut(it)) else {
            return 0;
        };
        if before.messages + 1 == number {
            before.received = Some(at);
        }
        before.records
    }

    /// The first message after the record at this place; `None` where there was none so far.
    pub(super) fn after(&self, place: u64) -> Option<&Crossing> {
        self.0.get(self.0.partition_point(|it| it.records <= place))
    }
}
