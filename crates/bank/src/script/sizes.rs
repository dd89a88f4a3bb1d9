//! How large the systems of a script become.

use std::collections::HashSet;

use super::{Command, Known, Statement};
use crate::id::Place;
use crate::topology::Size;

/// How large the systems of a script become: of all that lives at once, where none of it is within
/// anything else. The first system may be one that is known, of a bank that lasts. Empty where no
/// system is started.
#[must_use]
pub fn largest(statements: &[Statement], mut known: Option<&Known>) -> Vec<Size> {
    let mut largest: Vec<Size> = Vec::new();
    let mut system = Living::default();
    for statement in statements {
        match statement.command {
            Command::StartMaster { sparse } => {
                system = match known.take() {
                    Some(known) => Living::open(known),
                    None => Living::begin(sparse),
                }
            }
            Command::KillAll => {
                system = Living::default();
                continue;
            }
            Command::CreateNode { .. } => system.create(),
            Command::Connect { from, to } => system.connect(from, to),
            Command::KillNode { id } => system.kill(id),
            Command::RestartNode { id } => system.restart(id),
            _ => continue,
        }
        let size = system.size();
        if !largest.iter().any(|other| size.is_within(*other)) {
            largest.retain(|other| !other.is_within(size));
            largest.push(size);
        }
    }
    largest
}

/// Those who live, and what leads from one of them to another.
#[derive(Default)]
struct Living {
    is_sparse: bool,
    nodes: HashSet<Place>,
    /// In a sparse system, by node: with whom it has a channel, once for each. With the dead there is
    /// none until they are started again.
    peers: Vec<Vec<Place>>,
    channels: u64,
}

impl Living {
    fn begin(is_sparse: bool) -> Self {
        Self {
            is_sparse,
            ..Self::default()
        }
    }

    /// All of them live, as far as is known here.
    fn open(known: &Known) -> Self {
        let mut living = Self::begin(known.channels.is_some());
        known.nodes.iter().for_each(|_| living.create());
        for (from, to) in known.channels.iter().flatten() {
            living.connect(*from, *to);
        }
        living
    }

    fn create(&mut self) {
        self.nodes.insert(Place::at(self.peers.len()));
        self.peers.push(Vec::new());
    }

    fn connect(&mut self, from: Place, to: Place) {
        self.peers[from.index()].push(to);
        self.peers[to.index()].push(from);
        let lives = |node| self.nodes.contains(node);
        self.channels += u64::from([from, to].iter().all(lives));
    }

    fn kill(&mut self, node: Place) {
        if self.nodes.remove(&node) {
            self.channels -= self.channels_of(node);
        }
    }

    fn restart(&mut self, node: Place) {
        if self.nodes.insert(node) {
            self.channels += self.channels_of(node);
        }
    }

    /// In a sparse system: how many it shares with those who live.
    fn channels_of(&self, node: Place) -> u64 {
        let peers = self.peers[node.index()].iter();
        peers.filter(|peer| self.nodes.contains(peer)).count() as u64
    }

    fn size(&self) -> Size {
        let nodes = self.nodes.len() as u64;
        match self.is_sparse {
            true => Size {
                nodes,
                channels: self.channels,
            },
            false => Size::mesh(nodes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::script::{ScriptReader, read_lasting_script};

    /// Of a script, whose lines are divided by `;` here: nodes and channels.
    fn sizes(lines: &str) -> Vec<(u64, u64)> {
        let text = lines.replace("; ", "\n");
        let statements = read_lasting_script(text.as_bytes()).unwrap();
        let sizes = largest(&statements, None).into_iter();
        sizes.map(|size| (size.nodes, size.channels)).collect()
    }

    #[test]
    fn a_bank_that_is_opened_is_counted_with_what_is_in_it() {
        let known = Known {
            nodes: vec![(NodeId(1), 5), (NodeId(2), 5)],
            channels: Some(vec![(Place(0), Place(1))]),
        };
        let text =
            b"StartMaster\nCreateNode 3 5\nConnect 1 3\nKillAll\nStartMaster\nCreateNode 1 0\n";
        let mut reader = ScriptReader::default().lasting(true).opening(known.clone());
        reader.push(text).unwrap();
        let statements = reader.finish().unwrap();
        let (nodes, channels) = (3, 2);
        assert_eq!(
            largest(&statements, Some(&known)),
            [Size { nodes, channels }]
        );
    }

    #[test]
    fn those_who_live_at_once_are_counted() {
        let two = "StartMaster; CreateNode 1 0; CreateNode 2 0";
        let killed = "StartMaster; CreateNode 1 0; KillNode 1; KillNode 1";
        for (script, largest) in [
            ("", vec![]),
            ("KillAll", vec![]),
            ("StartMaster; KillAll", vec![(0, 0)]),
            (
                &format!("{two}; KillAll; StartMaster; CreateNode 1 0"),
                vec![(2, 2)],
            ),
            (
                &format!("{killed}; CreateNode 2 0; CreateNode 3 0"),
                vec![(2, 2)],
            ),
            (
                &format!("{killed}; CreateNode 2 0; RestartNode 1; RestartNode 2"),
                vec![(2, 2)],
            ),
        ] {
            assert_eq!(sizes(script), largest, "{script}");
        }
    }

    #[test]
    fn in_a_sparse_system_only_the_channels_that_are_opened_count() {
        let three = "StartMaster sparse; CreateNode 1 0; CreateNode 2 0; CreateNode 3 0";
        let chain = &format!("{three}; Connect 1 2; Connect 2 3");
        for (script, largest) in [
            (three, vec![(3, 0)]),
            (chain, vec![(3, 2)]),
            // Of node 2 both channels are gone, of node 1 none is left to lose.
            (
                &format!("{chain}; KillNode 2; KillNode 1; CreateNode 4 0; Connect 3 4"),
                vec![(3, 2)],
            ),
            (
                &format!("{chain}; KillNode 1; CreateNode 4 0; Connect 3 4; Connect 4 3"),
                vec![(3, 3)],
            ),
            (
                &format!(
                    "{chain}; Connect 3 2; KillNode 2; CreateNode 4 0; RestartNode 2; RestartNode 2"
                ),
                vec![(4, 3)],
            ),
            // A dead peer's channels come back with the second of both.
            (
                &format!(
                    "{chain}; KillNode 2; KillNode 1; CreateNode 4 0; CreateNode 5 0; RestartNode 1; \
                          RestartNode 2"
                ),
                vec![(5, 2)],
            ),
            // Whoever is dead gets none yet.
            (&format!("{three}; KillNode 1; Connect 1 2"), vec![(3, 0)]),
            (
                &format!("{three}; KillNode 1; Connect 1 2; Connect 2 3; RestartNode 1"),
                vec![(3, 2)],
            ),
        ] {
            assert_eq!(sizes(script), largest, "{script}");
        }
    }

    #[test]
    fn of_several_systems_the_one_with_most_nodes_and_the_one_with_most_channels_count() {
        let ring = "StartMaster sparse; CreateNode 1 0; CreateNode 2 0; CreateNode 3 0; \
                    CreateNode 4 0; Connect 1 2; Connect 2 3; Connect 3 4; Connect 4 1";
        let mesh = "StartMaster; CreateNode 1 0; CreateNode 2 0; CreateNode 3 0";
        let both = format!("{ring}; KillAll; {mesh}; KillAll; {ring}");
        assert_eq!(sizes(&both), [(4, 4), (3, 6)]);
    }
}
