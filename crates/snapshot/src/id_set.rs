//! A set of snapshot numbers, as ranges.
//!
//! A process must recognise a marker of a snapshot that is over, or it would take it for the first
//! one of a new snapshot. Snapshots are numbered more or less one after the other, so the past of
//! a process that has seen a million of them is, as ranges, one entry or a few.

use alloc::collections::BTreeMap;
use core::ops::RangeInclusive;

use crate::SnapshotId;

/// First number → last number of each range. Ranges neither overlap nor touch, so that equal sets
/// are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdSet(BTreeMap<u64, u64>);

impl IdSet {
    /// Whether a number is in it.
    #[must_use]
    pub fn contains(&self, id: SnapshotId) -> bool {
        let range = self.0.range(..=id.0).next_back();
        range.is_some_and(|(_, &last)| id.0 <= last)
    }

    /// Its ranges, ascending.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = RangeInclusive<u64>> {
        self.0.iter().map(|(&first, &last)| first..=last)
    }

    /// The largest number in it.
    #[must_use]
    pub fn largest(&self) -> Option<SnapshotId> {
        self.0.values().next_back().copied().map(SnapshotId)
    }

    /// The number up to which all are in it, from 1; 0 where 1 is not.
    #[must_use]
    pub fn all_up_to(&self) -> SnapshotId {
        let range = self.0.range(..=1).next_back();
        SnapshotId(range.map_or(0, |(_, &last)| last))
    }

    /// Inserts all of a range.
    pub fn insert_all(&mut self, range: RangeInclusive<u64>) {
        let (mut first, mut last) = range.into_inner();
        if first > last {
            return;
        }
        while let Some((&other_first, &other_last)) =
            self.0.range(..=last.saturating_add(1)).next_back()
            && other_last >= first.saturating_sub(1)
        {
            first = first.min(other_first);
            last = last.max(other_last);
            self.0.remove(&other_first);
        }
        self.0.insert(first, last);
    }

    /// Inserts a number; whether it is new.
    pub fn insert(&mut self, id: SnapshotId) -> bool {
        if self.contains(id) {
            return false;
        }
        let below = self.0.range(..id.0).next_back();
        let first = match below {
            Some((&first, &last)) if last + 1 == id.0 => first,
            _ => id.0,
        };
        let above = id.0.checked_add(1).and_then(|next| self.0.remove(&next));
        self.0.insert(first, above.unwrap_or(id.0));
        true
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
    fn ranges_join_what_they_touch_and_nothing_else() {
        let universe = 12;
        for (first, last) in (0..universe).flat_map(|a| (0..universe).map(move |b| (a, b))) {
            let mut set = IdSet::default();
            for id in [1, 2, 4, 5, 6, 9] {
                set.insert(SnapshotId(id));
            }
            let mut one_by_one = set.clone();
            for id in first..=last {
                one_by_one.insert(SnapshotId(id));
            }
            set.insert_all(first..=last);
            assert_eq!(set, one_by_one, "{first} to {last}");
        }
        let mut set = IdSet::default();
        set.insert_all(2..=u64::MAX);
        assert_eq!(set.all_up_to(), SnapshotId(0));
        set.insert_all(0..=1);
        assert_eq!(set.0, BTreeMap::from([(0, u64::MAX)]));
        assert_eq!(set.all_up_to(), SnapshotId(u64::MAX));
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
