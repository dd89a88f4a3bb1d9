//! Shapes of systems: a name, a number of nodes and a seed say which channels there are.

use std::fmt;

use rustc_hash::FxHashSet;

use super::Size;
use crate::draw::Draw;
use crate::id::Place;

/// Which channels a system of some number of nodes has. In each of them everybody can be reached from
/// everybody, so that a snapshot completes wherever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One for every ordered pair.
    Mesh,
    /// From every node to the next, from the last to the first.
    Ring,
    /// Between the first node and each of the others, both ways.
    Star,
    /// Between every node and its children, two at most, both ways.
    Tree,
    /// A ring, and from every node to this many others, drawn from the seed.
    Random(u32),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mesh => f.write_str("mesh"),
            Self::Ring => f.write_str("ring"),
            Self::Star => f.write_str("star"),
            Self::Tree => f.write_str("tree"),
            Self::Random(degree) => write!(f, "random:{degree}"),
        }
    }
}

impl Shape {
    /// How few nodes the shape can have: 2 at least.
    #[must_use]
    pub fn fewest_nodes(self) -> u64 {
        match self {
            // A node, the next one in the ring, and the others.
            Self::Random(degree) => u64::from(degree) + 2,
            _ => 2,
        }
    }

    /// How large it is with this many nodes, [enough](Self::fewest_nodes) of them.
    #[must_use]
    pub fn size(self, nodes: u64) -> Size {
        let channels = match self {
            Self::Mesh => return Size::mesh(nodes),
            Self::Ring => nodes,
            Self::Star | Self::Tree => 2 * (nodes - 1),
            Self::Random(degree) => nodes * (u64::from(degree) + 1),
        };
        Size { nodes, channels }
    }

    /// The channels, as (from, to), between this many nodes, [enough](Self::fewest_nodes) of them. Only
    /// those of [`Shape::Random`] depend on the seed.
    #[must_use]
    pub fn channels(self, nodes: u32, seed: u64) -> Vec<(Place, Place)> {
        let both_ways = |one, other| [(one, other), (other, one)];
        let all = 0..nodes;
        let pairs: Vec<(u32, u32)> = match self {
            Self::Mesh => {
                let rows = all
                    .clone()
                    .flat_map(|from| all.clone().map(move |to| (from, to)));
                rows.filter(|(from, to)| from != to).collect()
            }
            Self::Ring => all.map(|from| (from, (from + 1) % nodes)).collect(),
            Self::Star => (1..nodes).flat_map(|point| both_ways(0, point)).collect(),
            Self::Tree => {
                let parent = |child: u32| (child - 1) / 2;
                (1..nodes)
                    .flat_map(|child| both_ways(parent(child), child))
                    .collect()
            }
            Self::Random(degree) => {
                let mut draw = Draw::from_seed(seed);
                let mut steps = || drawn(&mut draw, nodes - 2, degree);
                all.flat_map(|from| {
                    // Itself is 0 steps round the ring, the next node 1.
                    let others = steps().into_iter().map(|step| step + 2);
                    let steps = [1].into_iter().chain(others);
                    steps.map(move |step| (from, (from + step) % nodes))
                })
                .collect()
            }
        };
        let place = |(from, to)| (Place(from), Place(to));
        pairs.into_iter().map(place).collect()
    }
}

/// So many different ones of `0..choices`, every set of them as likely as any other (Floyd's algorithm).
fn drawn(draw: &mut Draw, choices: u32, count: u32) -> Vec<u32> {
    let (mut chosen, mut order) = (FxHashSet::default(), Vec::new());
    for last in choices - count..choices {
        let pick = draw.pick(last as usize + 1) as u32;
        let new = if chosen.contains(&pick) { last } else { pick };
        chosen.insert(new);
        order.push(new);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Topology;

    const SEED: u64 = 7;
    const SHAPES: [Shape; 7] = [
        Shape::Mesh,
        Shape::Ring,
        Shape::Star,
        Shape::Tree,
        Shape::Random(1),
        Shape::Random(4),
        Shape::Random(9),
    ];

    fn topology(shape: Shape, nodes: u32, seed: u64) -> Topology {
        let mut topology = Topology::default();
        for _ in 0..nodes {
            topology.join();
        }
        for (from, to) in shape.channels(nodes, seed) {
            topology.open(from, to);
        }
        topology
    }

    /// By node: how many channels lead away from it, how many to it.
    fn degrees(shape: Shape, nodes: u32) -> Vec<(usize, usize)> {
        let topology = topology(shape, nodes, SEED);
        let of = |node| (topology.outgoing(node).len(), topology.incoming(node).len());
        (0..nodes).map(|node| of(Place(node))).collect()
    }

    #[test]
    fn from_every_node_every_other_can_be_reached_and_no_channel_is_there_twice() {
        for shape in SHAPES {
            let fewest = shape.fewest_nodes() as u32;
            for nodes in [fewest, fewest + 1, 12, 40] {
                let channels = shape.channels(nodes, SEED);
                let different: FxHashSet<_> = channels.iter().collect();
                assert_eq!(different.len(), channels.len(), "{shape} of {nodes}");
                assert!(
                    channels.iter().all(|(from, to)| from != to),
                    "{shape} of {nodes}"
                );
                let topology = topology(shape, nodes, SEED);
                for node in (0..nodes).map(Place) {
                    let reached = topology.reached_from([node]).len();
                    assert_eq!(reached, nodes as usize, "{shape} of {nodes} from {node:?}");
                }
            }
        }
    }

    #[test]
    fn a_size_is_known_without_counting() {
        for shape in SHAPES {
            let fewest = shape.fewest_nodes();
            for nodes in [fewest, fewest + 1, 40] {
                let channels = shape.channels(nodes as u32, SEED).len() as u64;
                assert_eq!(shape.size(nodes), Size { nodes, channels }, "{shape}");
            }
        }
    }

    #[test]
    fn each_node_has_the_channels_of_its_shape() {
        assert_eq!(degrees(Shape::Mesh, 4), [(3, 3); 4]);
        assert_eq!(degrees(Shape::Ring, 5), [(1, 1); 5]);
        assert_eq!(degrees(Shape::Star, 4), [(3, 3), (1, 1), (1, 1), (1, 1)]);
        let leaf = (1, 1);
        let tree = [(2, 2), (3, 3), (2, 2), leaf, leaf, leaf];
        assert_eq!(degrees(Shape::Tree, 6), tree);
        let random = degrees(Shape::Random(4), 40);
        assert!(random.iter().all(|(out, _)| *out == 5), "{random:?}");
        assert!(random.iter().any(|(_, into)| *into != 5), "{random:?}");
        assert_eq!(
            degrees(Shape::Random(2), 4),
            [(3, 3); 4],
            "nobody is left out"
        );
    }

    #[test]
    fn what_is_drawn_follows_from_the_seed_and_from_nothing_else() {
        let random = |seed| Shape::Random(3).channels(20, seed);
        assert_eq!(random(1), random(1));
        assert_ne!(random(1), random(2));
        assert_eq!(Shape::Tree.channels(9, 1), Shape::Tree.channels(9, 2));
    }

    #[test]
    fn every_other_node_is_as_likely_to_be_drawn() {
        let (nodes, seeds) = (6, 3000);
        let mut counts = [0; 6];
        for seed in 0..seeds {
            for (from, to) in Shape::Random(2).channels(nodes, seed) {
                if from == Place(0) {
                    counts[to.index()] += 1;
                }
            }
        }
        assert_eq!(counts[..2], [0, seeds], "itself, and the next");
        // Half of them each time: 1,500 expected, with a deviation of 27.
        let others = &counts[2..];
        assert!(
            others.iter().all(|count| (1365..1635).contains(count)),
            "{others:?}"
        );
    }
}
