//! Channels by the places of those at their other ends.

use super::Broken;
use crate::id::Place;

/// Which channel leads to, or comes from, the node at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Slots(Vec<Option<u32>>);

impl Slots {
    pub(super) fn set(&mut self, place: Place, slot: usize) {
        if self.0.len() <= place.index() {
            self.0.resize(place.index() + 1, None);
        }
        self.0[place.index()] = Some(slot as u32);
    }

    pub(super) fn get(&self, place: Place) -> Result<usize, Broken> {
        let slot = self.0.get(place.index()).copied().flatten();
        slot.map(|slot| slot as usize)
            .ok_or(Broken::NotConnected(place))
    }
}
