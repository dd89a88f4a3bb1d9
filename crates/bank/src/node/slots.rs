//! What a node knows of its channels, beside what its account does.

use super::Broken;
use crate::id::{NodeId, Place};

/// One end of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Neighbour {
    /// At the other end.
    pub(super) id: NodeId,
    /// Markers that have passed.
    pub(super) markers: u64,
    /// It is dead, and nothing is left in its channel to this node.
    pub(super) has_ended: bool,
}

impl Neighbour {
    /// Through whose channel nothing has passed.
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            markers: 0,
            has_ended: false,
        }
    }
}

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
