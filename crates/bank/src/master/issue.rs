//! What a command does before its reply: checks that it can be carried out, says what is to be sent
//! that carries it out, and notes what that will have changed.

use super::channels::Head;
use super::{Bank, Effect, Failure, Kept, Master, Shown, Step};
use crate::id::Place;
use crate::messages::{self, Request};
use crate::script::{Command, Statement};

/// How far a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing of it was issued.
    New,
    /// It has begun, and goes on once everything in flight is retired.
    Begun,
    /// This node is being started.
    Starting(Place),
    /// This node is being killed.
    Killing(Place),
    /// This node is being started again.
    Restarting(Place),
    /// The nodes of a bank that was kept are being started again.
    Opening,
}

/// Whether a statement could be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Issue {
    /// All of it is issued.
    Done,
    /// Some of it is; there is more.
    More(Stage),
    /// Something must happen first: most often, something in flight must be retired.
    Stalled(Stage),
}

impl Master {
    /// Issues a statement, or as much of it as can be issued now.
    pub(super) fn issue(&mut self, statement: &Statement, stage: Stage) -> Issue {
        match stage {
            Stage::Starting(_) | Stage::Restarting(_) => return Issue::Stalled(stage),
            Stage::Opening => return self.wait_for_everybody(),
            _ => {}
        }
        // Commands that concern everybody find everything before them done, but for nodes and channels of
        // the lines just before; nodes are connected together with those.
        let (concerns_everybody, grows) = match statement.command {
            Command::Send { .. }
            | Command::Receive { .. }
            | Command::ReceiveAll
            | Command::BeginSnapshot { .. }
            | Command::PrintSnapshot { .. } => (false, false),
            Command::CreateNode { .. } | Command::Connect { .. } => (!self.bank.growing, true),
            _ => (true, false),
        };
        if !grows && !self.bank.unconnected.is_empty() {
            self.connect_new_nodes();
        }
        if concerns_everybody && !self.in_flight.is_empty() {
            return Issue::Stalled(stage);
        }
        self.bank.growing = grows;
        // Transfers, of which there are most, come first, and nothing that might be a failure is moved for them.
        let issued = match statement.command {
            Command::Send { from, to, amount } => match self.can_send(from, to) {
                Ok(()) => return self.send(statement, from, to, amount),
                Err(failure) => Err(failure),
            },
            Command::Receive {
                to,
                from: Some(from),
            } => match self.can_receive(to, from) {
                Ok(()) => return self.take_head(statement, from, to),
                Err(failure) => Err(failure),
            },
            Command::StartMaster { sparse } => Ok(self.start(statement, sparse)),
            Command::KillAll => Ok(self.kill_all(statement)),
            Command::CreateNode { id, amount } => Ok(self.create_node(statement, id, amount)),
            Command::Connect { from, to } => self.open_channel(statement, from, to),
            Command::Receive { to, from: None } => self.receive_any(statement, to),
            Command::ReceiveAll => Ok(self.receive_all(statement)),
            Command::BeginSnapshot { id } => self.begin_snapshot(statement, id),
            Command::CollectState => self.collect(statement, stage),
            Command::PrintSnapshot { number } => self.print_snapshot(statement, number),
            Command::KillNode { id } => self.kill_node(statement, id, stage),
            Command::RestartNode { id } => self.restart_node(statement, id),
            Command::Nodes => Ok(self.list_nodes(statement, stage)),
        };
        issued.unwrap_or_else(|failure| {
            self.push(statement, Step::Known(Box::new(Err(failure))));
            Issue::Done
        })
    }

    fn start(&mut self, statement: &Statement, sparse: bool) -> Issue {
        if let Some(image) = self.image.take() {
            self.effects.push(Effect::StartObserver);
            self.open_bank(statement, *image);
            return self.wait_for_everybody();
        }
        self.keep(Kept::Began { sparse });
        self.effects.push(Effect::StartObserver);
        self.bank = Bank {
            is_begun: true,
            sparse,
            ..Bank::default()
        };
        self.log(|events, out| events.started(statement.line, sparse, out));
        Issue::Done
    }

    /// A bank is open once everybody is there: the observer may not be asked of anybody before.
    fn wait_for_everybody(&self) -> Issue {
        let nodes = &self.bank.nodes;
        match nodes.living().all(|node| nodes[node].is_running()) {
            true => Issue::Done,
            false => Issue::Stalled(Stage::Opening),
        }
    }

    fn kill_all(&mut self, statement: &Statement) -> Issue {
        // Also if it was never opened.
        if self.image.take().is_some() || self.bank.is_begun {
            self.keep(Kept::Ended);
        }
        self.end(Some(statement.line));
        Issue::Done
    }

    /// Ends the system, on this line of the script if it says so, and forgets what was known of it:
    /// also in the middle of things.
    pub fn end(&mut self, line: Option<u64>) {
        self.log_unsettled();
        self.log(|events, out| events.ended(line, out));
        self.let_the_dead_rest();
        self.current = None;
        self.drawn = None;
        self.held = None;
        self.in_flight.clear();
        self.retired = self.issued;
        self.bank = Bank::default();
        self.effects.push(Effect::EndAll);
    }

    /// An instruction goes to a node; where that is down, it is repeated once it is back.
    ///
    /// Many a second: made where it is to be, it need not be moved.
    #[inline]
    pub(super) fn instruct(
        &mut self,
        node: Place,
        instruction: impl FnOnce() -> messages::Instruction,
    ) {
        let it = &mut self.bank.nodes[node];
        it.instructions += 1;
        if it.is_running() {
            self.effects.push(Effect::Instruct(node, instruction()));
        }
    }

    #[inline]
    fn can_send(&self, from: Place, to: Place) -> Result<(), Failure> {
        self.bank.nodes.lives(from)?;
        self.bank.nodes.lives(to)
    }

    #[inline]
    fn send(&mut self, statement: &Statement, from: Place, to: Place, amount: u64) -> Issue {
        let certain = self.bank.nodes[from].balance.reserve(amount);
        self.bank.channels.send(from, to, amount, certain);
        self.instruct(from, || messages::Instruction::Send { to, amount });
        let step = Step::Send {
            node: from,
            to,
            amount,
            certain,
        };
        self.push(statement, step);
        Issue::Done
    }

    #[inline]
    fn can_receive(&self, to: Place, from: Place) -> Result<(), Failure> {
        let Bank {
            nodes,
            topology,
            channels,
            ..
        } = &self.bank;
        nodes.lives(to)?;
        nodes.exists(from)?;
        let (sender, receiver) = (nodes[from].id, nodes[to].id);
        let is_empty = channels.head(from, to) == Head::Nothing;
        match nodes.fate(from).cloned() {
            Some(fate) if !topology.has(from, to) => Err(Failure::NeverConnected {
                dead: sender,
                to: receiver,
                fate,
            }),
            Some(fate) if is_empty => Err(Failure::Ended { from: sender, fate }),
            None if is_empty => Err(Failure::NothingFrom {
                from: sender,
                to: receiver,
            }),
            _ => Ok(()),
        }
    }

    fn receive_any(&mut self, statement: &Statement, to: Place) -> Result<Issue, Failure> {
        self.bank.nodes.lives(to)?;
        let drawn = self.drawn.take().or_else(|| {
            let ready = self.bank.channels.ready();
            let choices = ready.count_into(to);
            if !ready.is_determined_into(to) || choices == 0 {
                return None;
            }
            let pick = self.draw.pick(choices);
            Some((self.bank.channels.ready().nth_into(to, pick)?, to))
        });
        match drawn {
            Some((from, to)) => Ok(self.take_drawn(statement, from, to)),
            None if self.bank.channels.ready().is_determined_into(to) => {
                let to = self.bank.nodes[to].id;
                Err(Failure::NothingTo { to })
            }
            None => Ok(Issue::Stalled(Stage::New)),
        }
    }

    fn receive_all(&mut self, statement: &Statement) -> Issue {
        let drawn = self.drawn.take().or_else(|| {
            let ready = self.bank.channels.ready();
            let choices = ready.count();
            if !ready.is_determined() || choices == 0 {
                return None;
            }
            let pick = self.draw.pick(choices);
            self.bank.channels.ready().nth(pick)
        });
        match drawn {
            Some((from, to)) => match self.take_drawn(statement, from, to) {
                Issue::Done => Issue::More(Stage::New),
                issue => issue,
            },
            None if self.bank.channels.ready().is_determined() => Issue::Done,
            None => Issue::Stalled(Stage::New),
        }
    }

    /// Takes the head of a channel that was drawn; remembers the draw where it cannot yet.
    fn take_drawn(&mut self, statement: &Statement, from: Place, to: Place) -> Issue {
        let issue = self.take_head(statement, from, to);
        if issue != Issue::Done {
            self.drawn = Some((from, to));
        }
        issue
    }

    /// Has a node take the head of a channel, once it is certain that it will find it there: else
    /// it might wait for ever.
    #[inline]
    fn take_head(&mut self, statement: &Statement, from: Place, to: Place) -> Issue {
        let channels = &mut self.bank.channels;
        match channels.head(from, to) {
            Head::Undetermined | Head::Nothing => return Issue::Stalled(Stage::New),
            Head::Marker(_, certain_after) if self.retired < certain_after => {
                return Issue::Stalled(Stage::New);
            }
            Head::Marker(..) | Head::Transfer(_) => {}
        }
        let Some(expected) = channels.take(from, to, self.issued + 1) else {
            return Issue::Stalled(Stage::New);
        };
        self.instruct(to, || messages::Instruction::Receive { from });
        let step = Step::Receive {
            node: to,
            from,
            expected,
        };
        self.push(statement, step);
        Issue::Done
    }

    fn begin_snapshot(&mut self, statement: &Statement, node: Place) -> Result<Issue, Failure> {
        self.bank.nodes.lives(node)?;
        self.snapshots_are_possible()?;
        let snapshot = self.bank.snapshots.begin();
        self.bank.channels.record(node, snapshot, self.issued + 1);
        let request = Request::Begin { snapshot, node };
        self.request(request);
        self.instruct(node, || messages::Instruction::AwaitTake { snapshot });
        self.push(statement, Step::Begin { node, snapshot });
        Ok(Issue::Done)
    }

    fn collect(&mut self, statement: &Statement, stage: Stage) -> Result<Issue, Failure> {
        if stage == Stage::Begun {
            // What comes next may need what was collected, and must not change it.
            return Ok(Issue::Done);
        }
        self.snapshots_are_possible()?;
        let snapshots = &self.bank.snapshots;
        let (first, last) = snapshots.uncollected().ok_or(Failure::NothingBegun)?;
        let step = match self.recalled.outcomes.pop_front().map(Box::new) {
            Some(kept) => Step::Recalled { first, kept },
            None => {
                self.request(Request::Collect { first, last });
                Step::Collect { first }
            }
        };
        self.push(statement, step);
        Ok(Issue::More(Stage::Begun))
    }

    fn print_snapshot(
        &mut self,
        statement: &Statement,
        number: Option<u64>,
    ) -> Result<Issue, Failure> {
        let collected = &self.bank.snapshots.collected;
        let snapshot = match number {
            None => collected.values().next_back(),
            Some(number) => collected.get(&number),
        };
        match (snapshot, number) {
            (Some(snapshot), _) => {
                let shown = Shown::Snapshot(snapshot.clone());
                self.push(statement, Step::Known(Box::new(Ok(shown))));
                Ok(Issue::Done)
            }
            (None, Some(wanted)) if !collected.is_empty() => Err(Failure::NotCollected {
                wanted,
                collected: collected.keys().copied().collect(),
            }),
            (None, _) => Err(Failure::NothingCollected),
        }
    }

    /// Kills a node at this line of the script. First, what it has enqueued is read ahead by those
    /// it is for: so what survives it is everything, however full its pipes were, and the same
    /// in every run.
    fn kill_node(
        &mut self,
        statement: &Statement,
        node: Place,
        stage: Stage,
    ) -> Result<Issue, Failure> {
        match stage {
            Stage::New => {
                self.bank.nodes.lives(node)?;
                let readers: Vec<Place> = self.bank.nodes.living().collect();
                for reader in readers {
                    let channels = &self.bank.channels;
                    if channels.len(node, reader) > 0 {
                        let frames = channels.end(node, reader);
                        let (from, node) = (node, reader);
                        self.instruct(reader, || messages::Instruction::ReadAhead { from, frames });
                        self.push(statement, Step::Ahead { node, from, frames });
                    }
                }
                Ok(Issue::More(Stage::Begun))
            }
            Stage::Begun if self.bank.nodes.fate(node).is_none() => {
                self.keep(Kept::Killed(node));
                self.effects.push(Effect::Kill(node));
                Ok(Issue::Stalled(Stage::Killing(node)))
            }
            Stage::Killing(_) if self.bank.nodes.fate(node).is_none() => Ok(Issue::Stalled(stage)),
            // It is dead, and that is settled.
            _ => Ok(Issue::Done),
        }
    }

    /// The command `nodes`: asks everybody for the balance and shows the table.
    fn list_nodes(&mut self, statement: &Statement, stage: Stage) -> Issue {
        if stage == Stage::Begun {
            // What comes next must not be in the table.
            return Issue::Done;
        }
        let living: Vec<Place> = self.bank.nodes.living().collect();
        for node in living {
            self.instruct(node, || messages::Instruction::Report);
            self.push(statement, Step::Balance { node });
        }
        self.push(statement, Step::Table);
        Issue::More(Stage::Begun)
    }

    fn snapshots_are_possible(&self) -> Result<(), Failure> {
        if let Some(fate) = &self.bank.observer {
            return Err(Failure::ObserverDied(fate.clone()));
        }
        match self.bank.nodes.first_dead() {
            None => Ok(()),
            Some((node, fate)) => Err(Failure::MemberDied {
                node,
                fate: fate.clone(),
            }),
        }
    }
}
