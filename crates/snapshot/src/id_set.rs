//! A set of snapshot numbers, as ranges.
//!
//! A process must recognise a marker of a snapshot that is over, or it would take it for the first
//! one of a new snapshot. Snapshots are numbered more or less one after the other, so the past of
//! a process that has seen a million of them is, as ranges, one entry or a few.

use alloc::collections::BTreeMap;

use crate::SnapshotId;

/// First number → last number of each range. Ranges neither overlap nor touch, so that equal sets
/// are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct IdSet(BTreeMap<u64, u64>);

impl IdSet {
    pub(crate) fn contains(&self, id: SnapshotId) -> bool {
        let range = self.0.range(..=id.0).next_back();
        range.is_some_and(|(_, &last)| id.0 <= last)
    }

    pub(crate) fn insert(&mut self, id: SnapshotId) {
        if self.contains(id) {
            return;
        }
        let below = self.0.range(..id.0).next_back();
        let first = match below {
            Some((&first, &last)) if last + 1 == id.0 => first,
            _ => id.0,
        };
        let above = id.0.checked_add(1).and_then(|next| self.0.remove(&next));
        self.0.insert(first, above.unwrap_or(id.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_any_order_end_as_one_range() {
        let mut set = IdSet::default();
        for id in [5, 3, 4, 1, 0, 2, 5] {
            set.insert(SnapshotId(id));
            assert!(set.contains(SnapshotId(id)));
        }
        assert_eq!(set.0, BTreeMap::from([(0, 5)]));
        assert!(!set.contains(SnapshotId(6)));
    }

    #[test]
    fn gaps_are_not_in_the_set() {
        let mut set = IdSet::default();
        for id in [10, 12, u64::MAX] {
            set.insert(SnapshotId(id));
        }
        let within = [9, 10, 11, 12, 13, u64::MAX - 1, u64::MAX].map(SnapshotId);
        let found = within.map(|id| set.contains(id));
        assert_eq!(found, [false, true, false, true, false, false, true]);
    }
}
