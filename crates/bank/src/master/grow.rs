//! How a system grows: nodes that start, and the channels that connect them.
//!
//! In a full mesh the nodes of consecutive lines are connected together; in a sparse system each channel is
//! opened for itself.

use super::issue::{Issue, Stage};
use super::{Broken, Effect, Failure, Kept, Master, NotStarted, Step};
use crate::id::{NodeId, Place};
use crate::messages::{Instruction, Opening, Peer, Request};
use crate::script::Statement;
use crate::topology::Size;

/// A node, the receivers of channels that it opens, and the senders of others.
type Ends = (Place, Vec<Place>, Vec<Place>);

impl Master {
    /// Where the channels of a node lead, in the order in which they opened.
    #[must_use]
    pub fn outgoing(&self, node: Place) -> &[Place] {
        self.bank.topology.outgoing(node)
    }

    /// How large the system is, or is about to be: with the node that is being started, and the channels
    /// that come with it.
    #[must_use]
    pub fn size(&self) -> Size {
        let bank = &self.bank;
        let mut size = Size {
            nodes: bank.nodes.created().count() as u64,
            channels: bank.topology.channels() as u64,
        };
        if let Some((_, Stage::Starting(_))) = self.current {
            size.nodes += 1;
            if !bank.sparse {
                size.channels += 2 * bank.nodes.living().count() as u64;
            }
        }
        size
    }

    pub(super) fn create_node(&mut self, statement: &Statement, id: NodeId, amount: u64) -> Issue {
        let place = self.bank.nodes.start(id, amount);
        let deposit = amount;
        self.keep(Kept::Created { id, deposit });
        if let Some(reason) = self.recalled.not_started(statement.line) {
            self.not_started(statement, place, reason);
            return Issue::Done;
        }
        self.effects.push(Effect::StartNode { place, id, deposit });
        Issue::Stalled(Stage::Starting(place))
    }

    /// The node that was to be started was, or could not be.
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    pub fn started(&mut self, outcome: Result<(), NotStarted>) -> Result<(), Broken> {
        let Some((statement, Stage::Starting(place))) = self.current.take() else {
            return Err(Broken::NotAskedFor("a node was started".to_owned()));
        };
        let (line, bank) = (statement.line, &mut self.bank);
        let (id, deposit) = (bank.nodes[place].id, bank.nodes[place].deposit);
        match outcome {
            Err(reason) => {
                if self.setup.lasting {
                    let reason = reason.clone();
                    let kept = Kept::NotStarted { line, reason };
                    self.effects.push(Effect::Keep(Box::new(kept)));
                }
                self.not_started(&statement, place, reason);
            }
            Ok(()) => {
                bank.channels.join(id);
                if bank.sparse {
                    bank.topology.join();
                } else {
                    bank.topology.join_mesh(bank.nodes.living());
                    bank.unconnected.push((place, statement));
                }
                bank.nodes.started(place, None);
                let owing = bank.snapshots.owing;
                if bank.observer.is_none() {
                    if self.setup.lasting {
                        self.introduce(place, false);
                    } else {
                        self.request(Request::Join {
                            node: Peer { place, id },
                            deposit,
                            again: false,
                        });
                    }
                    self.push(&statement, Step::Joined);
                }
                self.log(|events, out| events.created(line, id, deposit, owing, out));
                if self.setup.window == 1 && !self.setup.lasting {
                    self.connect_new_nodes();
                }
            }
        }
        self.go_on()
    }

    /// A node could not be started: it has its place all the same.
    fn not_started(&mut self, statement: &Statement, place: Place, reason: NotStarted) {
        let bank = &mut self.bank;
        bank.channels.join(bank.nodes[place].id);
        bank.topology.join();
        bank.nodes.started(place, Some(statement.line));
        let failure = Failure::NotStarted(reason);
        self.push(statement, Step::Known(Box::new(Err(failure))));
    }

    /// Connects the nodes that were created and are not connected yet: those of consecutive lines
    /// together, in a bank that lasts always those of all of them: whose channels open when is a matter of
    /// the script alone. The mesh is laid in tiles, so that one hand-over carries many ends. Whoever has
    /// died since they were created gets his pipes all the same: they were there together.
    pub(super) fn connect_new_nodes(&mut self) {
        self.bank.growing = false;
        let new = std::mem::take(&mut self.bank.unconnected);
        let Some((first, statement)) = new.first().copied() else {
            return;
        };
        let new: Vec<Place> = new.into_iter().map(|(place, _)| place).collect();
        let old: Vec<Place> = (0..first.index()).map(Place::at).collect();
        let side = self.setup.tile;
        let mut before: Vec<&[Place]> = old.chunks(side).collect();
        for block in new.chunks(side) {
            for other in &before {
                self.connect(&statement, other, block);
            }
            for (index, node) in block.iter().enumerate() {
                self.connect(&statement, &block[..index], &[*node]);
            }
            before.push(block);
        }
    }

    /// Opens one channel of a sparse system.
    pub(super) fn open_channel(
        &mut self,
        statement: &Statement,
        from: Place,
        to: Place,
    ) -> Result<Issue, Failure> {
        if self.setup.lasting {
            self.bank.nodes.exists(from)?;
            self.bank.nodes.exists(to)?;
            let is_dead = |node| self.bank.nodes.fate(node).is_some();
            if is_dead(from) || is_dead(to) {
                self.keep(Kept::PutOff(from, to));
                self.bank.put_off.push((from, to, *statement));
                return Ok(Issue::Done);
            }
        }
        self.bank.nodes.lives(from)?;
        self.bank.nodes.lives(to)?;
        let (nodes, owing) = (&self.bank.nodes, self.bank.snapshots.owing);
        let channel = (nodes[from].id, nodes[to].id);
        self.log(|events, out| events.connected(statement.line, channel, owing, out));
        self.bank.topology.open(from, to);
        self.open(
            statement,
            [(from, vec![to], vec![]), (to, vec![], vec![from])],
        );
        Ok(Issue::Done)
    }

    /// Connects each of `rows` with each of `columns`, as the topology has it; no node is in both.
    pub(super) fn connect(&mut self, statement: &Statement, rows: &[Place], columns: &[Place]) {
        let topology = &self.bank.topology;
        let sides = rows.iter().map(|row| (*row, columns));
        let sides = sides.chain(columns.iter().map(|column| (*column, rows)));
        let ends: Vec<Ends> = sides
            .map(|(node, others)| {
                let others = || others.iter().copied();
                let outgoing = others().filter(|to| topology.has(node, *to)).collect();
                let incoming = others().filter(|from| topology.has(*from, node)).collect();
                (node, outgoing, incoming)
            })
            .filter(|(_, outgoing, incoming): &Ends| !outgoing.is_empty() || !incoming.is_empty())
            .collect();
        if !ends.is_empty() {
            self.open(statement, ends);
        }
    }

    /// Opens channels: for each node, the receivers of those that go out, the senders of those that come
    /// in. Both ends of each are there.
    fn open(&mut self, statement: &Statement, ends: impl AsRef<[Ends]>) {
        let ends = ends.as_ref();
        let nodes = &self.bank.nodes;
        let pairs = ends
            .iter()
            .flat_map(|(node, outgoing, _)| outgoing.iter().map(|to| (*node, *to)))
            // The others are laid anew when who is down is back.
            .filter(|(from, to)| nodes[*from].is_running() && nodes[*to].is_running());
        let pairs: Vec<(Place, Place)> = pairs.collect();
        match self.recalled.is_any {
            false => self.effects.push(Effect::Connect(pairs)),
            // Something may have been received already.
            true => pairs.into_iter().for_each(|(from, to)| self.lay(from, to)),
        }
        let owing = self.bank.snapshots.owing;
        for (node, outgoing, incoming) in ends {
            let node = *node;
            for to in outgoing {
                self.bank.channels.open(node, *to, owing, self.issued + 1);
            }
            let opening = Box::new(Opening {
                outgoing: self.bank.nodes.peers(outgoing),
                incoming: self.bank.nodes.peers(incoming),
                owing,
            });
            match self.recalled.is_any {
                true => self.instruct(node, || Instruction::Open(opening.clone())),
                false => {
                    let it = &mut self.bank.nodes[node];
                    it.instructions += 1;
                    if it.is_running() {
                        self.effects.push(Effect::Open(node, opening.clone()));
                    }
                }
            }
            self.push(statement, Step::Opened { node, opening });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::{Awaits, Process, Setup};
    use crate::messages::Answer;
    use crate::script::read_script;

    /// How large a system is while the nodes of a script are being started, and in the end: nodes and
    /// channels.
    fn sizes(script: &str) -> Vec<(u64, u64)> {
        let mut master = Master::new(Setup {
            seed: 1,
            window: 100,
            tile: 4,
            history: false,
            lasting: false,
        });
        let mut sizes = Vec::new();
        let mut note = |master: &Master| {
            let Size { nodes, channels } = master.size();
            sizes.push((nodes, channels));
        };
        for statement in read_script(script.as_bytes()).unwrap() {
            master.execute(&statement).unwrap();
            if matches!(statement.command, crate::script::Command::CreateNode { .. }) {
                note(&master);
                master.started(Ok(())).unwrap();
            }
        }
        note(&master);
        sizes
    }

    #[test]
    fn a_node_that_could_not_be_started_is_not_started_when_the_script_is_run_again() {
        let setup = Setup {
            seed: 1,
            window: 100,
            tile: 4,
            history: false,
            lasting: true,
        };
        let full = NotStarted("no room".to_owned());
        let run = |master: &mut Master, outcomes: &[Result<(), NotStarted>]| {
            let mut outcomes = outcomes.iter().cloned();
            let (mut kept, mut failed) = (Vec::new(), Vec::new());
            let script = b"StartMaster\nCreateNode 1 0\nCreateNode 2 0\n";
            for statement in read_script(script).unwrap() {
                master.execute(&statement).unwrap();
                let (mut effects, mut more) = (Vec::new(), Vec::new());
                master.swap_effects(&mut effects);
                if effects
                    .iter()
                    .any(|it| matches!(it, Effect::StartNode { .. }))
                {
                    master.started(outcomes.next().unwrap()).unwrap();
                }
                // The observer welcomes the first.
                while master.awaits() == Awaits::Word(Process::Observer) {
                    master.hear_observer(Answer::Joined).unwrap();
                }
                master.swap_effects(&mut more);
                for effect in effects.into_iter().chain(more) {
                    match effect {
                        Effect::Keep(it) => kept.push(*it),
                        Effect::Fail { line, failed: it } => failed.push((line, it.1)),
                        _ => {}
                    }
                }
            }
            (kept, failed)
        };
        let outcomes = [Ok(()), Err(full.clone())];
        let (kept, failed) = run(&mut Master::new(setup), &outcomes);
        let (line, reason) = (3, full.clone());
        let [id, other] = [1, 2].map(NodeId);
        let is_kept = [
            Kept::Began { sparse: false },
            Kept::Created { id, deposit: 0 },
            Kept::Created {
                id: other,
                deposit: 0,
            },
            Kept::NotStarted { line, reason },
        ];
        assert_eq!(kept, is_kept);
        assert_eq!(failed, [(3, Failure::NotStarted(full))]);
        let mut again = Master::new(setup);
        again.recall(kept);
        assert_eq!(run(&mut again, &[Ok(())]), (Vec::new(), failed));
    }

    #[test]
    fn the_channels_that_come_with_a_node_are_counted_before_it_is_there() {
        let three = "CreateNode 1 0\nCreateNode 2 0\nCreateNode 3 0\n";
        let mesh = sizes(&format!("StartMaster\n{three}"));
        assert_eq!(mesh, [(1, 0), (2, 2), (3, 6), (3, 6)]);
        let sparse =
            format!("StartMaster sparse\n{three}Connect 1 2\nCreateNode 4 0\nConnect 1 4\n");
        assert_eq!(sizes(&sparse), [(1, 0), (2, 0), (3, 0), (4, 1), (4, 2)]);
    }
}
