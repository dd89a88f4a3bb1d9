//! Which channels there are: directed, between nodes that are called by their places.

mod shape;

use rustc_hash::FxHashSet;

use crate::id::Place;

pub use self::shape::Shape;

/// How large a system is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Nodes.
    pub nodes: u64,
    /// Channels between them.
    pub channels: u64,
}

impl Size {
    /// That of a full mesh, which has a channel for every ordered pair.
    #[must_use]
    pub fn mesh(nodes: u64) -> Self {
        let channels = nodes * nodes.saturating_sub(1);
        Self { nodes, channels }
    }

    /// Whether it is no larger than the other, in nothing.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        self.nodes <= other.nodes && self.channels <= other.channels
    }
}

/// The channels of a system. In a full mesh there is one for every ordered pair of nodes that were
/// alive together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// By sender: the receivers, in the order in which the channels opened.
    outgoing: Vec<Vec<Place>>,
    /// By receiver: the senders.
    incoming: Vec<Vec<Place>>,
    /// By (from, to).
    channels: FxHashSet<(Place, Place)>,
}

impl Topology {
    /// A node joins, without channels.
    pub fn join(&mut self) -> Place {
        self.outgoing.push(Vec::new());
        self.incoming.push(Vec::new());
        Place::at(self.outgoing.len() - 1)
    }

    /// A node joins a full mesh: there are channels to and from each of `present`.
    pub fn join_mesh(&mut self, present: impl IntoIterator<Item = Place>) -> Place {
        let new = self.join();
        for old in present {
            self.open(old, new);
            self.open(new, old);
        }
        new
    }

    /// Opens the channel `from → to`, which was not there.
    pub fn open(&mut self, from: Place, to: Place) {
        self.outgoing[from.index()].push(to);
        self.incoming[to.index()].push(from);
        self.channels.insert((from, to));
    }

    /// How many channels have opened.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    /// How many nodes have joined.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.outgoing.len()
    }

    /// The receivers of a node's outgoing channels.
    #[must_use]
    pub fn outgoing(&self, node: Place) -> &[Place] {
        &self.outgoing[node.index()]
    }

    /// The senders of a node's incoming channels.
    #[must_use]
    pub fn incoming(&self, node: Place) -> &[Place] {
        &self.incoming[node.index()]
    }

    /// These nodes, and all to which channels lead from them.
    #[must_use]
    pub fn reached_from(&self, nodes: impl IntoIterator<Item = Place>) -> FxHashSet<Place> {
        let mut reached: FxHashSet<Place> = nodes.into_iter().collect();
        let mut next: Vec<Place> = reached.iter().copied().collect();
        while let Some(node) = next.pop() {
            let new = self.outgoing(node).iter();
            next.extend(new.copied().filter(|to| reached.insert(*to)));
        }
        reached
    }

    /// Whether there is, or was, a channel `from → to`.
    #[must_use]
    pub fn has(&self, from: Place, to: Place) -> bool {
        self.channels.contains(&(from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesh_has_a_channel_for_every_ordered_pair_of_those_who_met() {
        let mut mesh = Topology::default();
        let one = mesh.join_mesh([]);
        let two = mesh.join_mesh([one]);
        // One is gone when three joins.
        let three = mesh.join_mesh([two]);
        assert_eq!(mesh.outgoing(two), [one, three]);
        assert_eq!(mesh.incoming(three), [two]);
        assert!(mesh.has(one, two) && mesh.has(two, one) && mesh.has(three, two));
        assert!(!mesh.has(one, three) && !mesh.has(three, one) && !mesh.has(one, one));
    }

    #[test]
    fn channels_lead_one_way_only() {
        let mut chain = Topology::default();
        let [one, two, three] = [(); 3].map(|()| chain.join());
        chain.open(one, two);
        chain.open(two, three);
        assert_eq!(chain.reached_from([one]).len(), 3);
        assert_eq!(
            chain.reached_from([two]),
            [two, three].into_iter().collect()
        );
        assert_eq!(chain.reached_from([three, two]).len(), 2);
        assert!(chain.reached_from([]).is_empty());
    }
}
