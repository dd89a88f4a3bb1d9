//! How a death is undone, in a bank that lasts: it changes nothing but time.
//!
//! Who dies is started again at once, and goes on where it was. To whom is down nothing is said; what he
//! has not answered is said again when he is back. His node knows from its journal what of that it has
//! carried out already (`node/lasting.rs`).
//!
//! A channel one of whose ends was lost is *laid* anew: there is a new pipe, whose read end its receiver gets
//! at once. He says how many frames he has received, and only then the sender gets the write end, together
//! with that number, and sends what is behind. The latest laying counts, so any of the two may die meanwhile.
//!
//! Who was killed by `KillNode` stays dead until `RestartNode`: nothing is lost meanwhile, and nothing is
//! taken on its way to him. What he had sent was read ahead before, but if who has read it dies too, the
//! process of the dead node is started, to send it again; for the script it is dead all the same.

mod earlier;

use std::collections::{BTreeMap, VecDeque};

pub(super) use self::earlier::Earlier;
use super::effect::Notice;
use super::issue::{Issue, Stage};
use super::{Broken, Effect, Failure, Fate, Kept, Master, Process, Said, Step};
use crate::id::{NodeId, Place};
use crate::messages::{Instruction, Peer, Reply, Request};
use crate::script::{Command, Statement};

/// What a process of a bank that lasts had said when it died.
#[derive(Clone, Debug, Default)]
pub struct LastWords {
    /// What a node had replied, and was not handed in.
    pub replies: Vec<Reply>,
    /// Whether it had said anything at all since it was started.
    pub has_spoken: bool,
}

/// How often in a row a process may die before it has said anything. Whoever kills at random needs luck to
/// do that to the same one, each time during a longer pause; three times was not beyond the luck of tests
/// that kill at random.
const TRIES: u32 = 5;

/// What is under way so that somebody comes back.
#[derive(Debug, Default)]
pub(super) struct Comebacks {
    /// What the dead have said, and others before it was their turn.
    left: BTreeMap<Place, VecDeque<Reply>>,
    /// Channels that are laid anew, by (from, to), while it is not known what was received: by the number
    /// of the laying.
    layings: BTreeMap<(Place, Place), u64>,
    /// How many were laid.
    laid: u64,
    /// Who has come back, and has lost what he had read ahead, while a node is being killed.
    bereft: Vec<Place>,
    observer: Observer,
    /// How many processes each node has had before, of the bank that is opened.
    earlier: Vec<u64>,
}

/// The observer's process.
#[derive(Debug, Default)]
struct Observer {
    /// It is dead, and not started again yet: how it died.
    down: Option<Fate>,
    /// Which process it is, from 0.
    incarnation: u64,
    tries: u32,
}

impl Comebacks {
    /// What was said for a step of this process, if it need not say it any more.
    #[inline]
    pub(super) fn said(&mut self, process: Option<Process>) -> Option<Said> {
        match process {
            None => Some(Said::Nothing),
            Some(_) if self.left.is_empty() => None,
            Some(Process::Observer) => None,
            Some(Process::Node(node)) => {
                let left = self.left.get_mut(&node)?;
                let reply = left.pop_front();
                if left.is_empty() {
                    self.left.remove(&node);
                }
                reply.map(Said::Reply)
            }
        }
    }

    /// Whether it is not known yet of some channel how much of it was received.
    pub(super) fn is_laying(&self) -> bool {
        !self.layings.is_empty()
    }

    /// Somebody says something before it is his turn.
    pub(super) fn hear_early(&mut self, node: Place, reply: Reply) {
        self.left.entry(node).or_default().push_back(reply);
    }

    /// Whether nobody hears what is said to the observer.
    pub(super) fn is_observer_down(&self) -> bool {
        self.observer.down.is_some()
    }
}

impl Master {
    /// Somebody has died, and is to come back.
    pub(super) fn fell(
        &mut self,
        process: Process,
        fate: Fate,
        left: LastWords,
    ) -> Result<(), Broken> {
        match process {
            Process::Observer => {
                self.notify(Notice::ObserverDied(fate.clone()));
                let observer = &mut self.comebacks.observer;
                observer.down = Some(fate.clone());
                observer.tries = 1 + if left.has_spoken { 0 } else { observer.tries };
                let tries = observer.tries;
                self.restart(process, Some(&fate), tries);
            }
            Process::Node(node) => {
                let heard = left
                    .replies
                    .into_iter()
                    .filter(|reply| !matches!(reply, Reply::Received { .. } | Reply::Restored));
                let mut heard = heard.peekable();
                if heard.peek().is_some() {
                    self.comebacks.left.entry(node).or_default().extend(heard);
                }
                let it = &mut self.bank.nodes[node];
                let (id, was_dead) = (it.id, it.fate().is_some());
                let tries = it.fall(fate.clone(), left.has_spoken);
                if let Some((statement, Stage::Killing(killed))) = self.current
                    && killed == node
                {
                    self.notify(Notice::NodeDied(id, fate.clone()));
                    self.bank.nodes.die(node, fate.clone());
                    self.bank.channels.suspend(node, true);
                    self.log(|events, out| events.died(Some(statement.line), Some(id), &fate, out));
                    // Of some it is not certain that they have, or will have, what they have read ahead.
                    let laid = self.comebacks.layings.keys();
                    let unsure = laid.filter(|(from, _)| *from == node).map(|(_, to)| *to);
                    let bereft = std::mem::take(&mut self.comebacks.bereft);
                    for reader in unsure.chain(bereft).collect::<Vec<_>>() {
                        self.wake(node, reader);
                    }
                } else {
                    if !was_dead {
                        self.notify(Notice::NodeDied(id, fate.clone()));
                    }
                    self.restart(process, Some(&fate), tries);
                }
            }
        }
        self.go_on()
    }

    /// Whether it is not the turn of this node.
    #[inline]
    pub(super) fn is_early(&self, node: Place) -> bool {
        let front = self.in_flight.front();
        front.and_then(|entry| entry.step.process()) != Some(Process::Node(node))
    }

    /// Of how many instructions to a node the reply is known.
    fn answered(&self, node: Place) -> u64 {
        let process = Some(Process::Node(node));
        let steps = self.in_flight.iter();
        let unheard = steps.filter(|it| it.step.process() == process).count() as u64;
        self.bank.nodes[node].instructions - unheard + self.said_already(node) as u64
    }

    /// How many steps in flight of a node it has already said something for.
    fn said_already(&self, node: Place) -> usize {
        self.comebacks.left.get(&node).map_or(0, VecDeque::len)
    }

    /// Has a process started again, which died like that, or whose bank is opened.
    pub(super) fn restart(&mut self, process: Process, fate: Option<&Fate>, tries: u32) {
        let (answered, account, before) = match process {
            Process::Node(node) => {
                let answered = self.answered(node);
                let it = &mut self.bank.nodes[node];
                it.be_started();
                (answered, (it.id, it.deposit), it.incarnation())
            }
            Process::Observer => (0, (NodeId(0), 0), self.comebacks.observer.incarnation + 1),
        };
        self.effects.push(match fate {
            Some(fate) if fate.is_internal() || tries > TRIES => {
                Effect::GiveUp(process, fate.clone())
            }
            _ => Effect::Restart {
                process,
                answered,
                account,
                // Where a bank is opened, nobody has died.
                incarnation: before + u64::from(fate.is_some()),
                tries,
            },
        });
    }

    /// A process was started again.
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    pub fn restarted(&mut self, process: Process) -> Result<(), Broken> {
        match process {
            Process::Observer => self.observer_is_back(),
            Process::Node(node) => {
                let it = self.bank.nodes.get(node);
                if it.is_some_and(|node| !node.is_running()) {
                    self.node_is_back(node);
                }
            }
        }
        self.go_on()
    }

    fn observer_is_back(&mut self) {
        let Some(fate) = self.comebacks.observer.down.take() else {
            return;
        };
        self.comebacks.observer.incarnation += 1;
        let incarnation = self.comebacks.observer.incarnation + 1;
        self.log(|events, out| events.died(None, None, &fate, out));
        self.tell_of_restart(None, None, incarnation);
        self.bank.snapshots.start_over();
        let steps = || self.in_flight.iter().map(|entry| &entry.step);
        let unwelcomed = steps().filter(|step| matches!(step, Step::Joined)).count();
        let created: Vec<Place> = self.bank.nodes.created().map(|(place, _)| place).collect();
        let welcomed = created.len() - unwelcomed;
        for (index, node) in created.into_iter().enumerate() {
            if self.bank.nodes[node].is_running() || index >= welcomed {
                self.introduce(node, index < welcomed);
            }
        }
        let requests: Vec<Request> = self
            .in_flight
            .iter()
            .filter_map(|entry| self.request_of(&entry.step))
            .collect();
        self.effects
            .extend(requests.into_iter().map(Effect::Request));
    }

    fn node_is_back(&mut self, node: Place) {
        let it = &mut self.bank.nodes[node];
        let (id, dead, fate) = (it.id, it.fate().is_some(), it.rise());
        let by_command = match self.current {
            Some((statement, Stage::Restarting(it))) if it == node => Some(statement),
            _ => None,
        };
        let line = by_command.map(|statement| statement.line);
        // Where a bank is opened, nobody has died.
        let is_noticed = !dead && fate.is_some();
        if !dead && let Some(fate) = fate {
            self.log(|events, out| events.died(None, Some(id), &fate, out));
        }
        if is_noticed || line.is_some() {
            let incarnation = self.bank.nodes[node].next_incarnation();
            self.tell_of_restart(line, Some(id), incarnation);
        }
        self.introduce(node, true);
        let process = Some(Process::Node(node));
        let steps = self.in_flight.iter().map(|entry| &entry.step);
        let unanswered = steps
            .filter(|step| step.process() == process)
            .skip(self.said_already(node));
        let again: Vec<(Option<Request>, Option<Instruction>)> = unanswered
            .map(|step| (self.request_of(step), instruction_of(step)))
            .collect();
        for (request, instruction) in again {
            if let Some(request) = request {
                self.request(request);
            }
            if let Some(instruction) = instruction {
                self.effects.push(Effect::Instruct(node, instruction));
            }
        }
        let topology = &self.bank.topology;
        let outgoing = topology.outgoing(node).iter().map(|to| (node, *to));
        let incoming = topology.incoming(node).iter().map(|from| (*from, node));
        // Those to nodes that are not connected yet get their pipes when they open: with one more, what is sent
        // on the one would be sent again on the other, though it was received.
        let is_open = |it: &(Place, Place)| self.bank.channels.is_open(it.0, it.1);
        let channels: Vec<(Place, Place)> = outgoing.chain(incoming).filter(is_open).collect();
        for (from, to) in channels {
            self.lay(from, to);
        }
        self.wake_senders(node);
        if self.is_killing() {
            self.comebacks.bereft.push(node);
        }
        if let Some(statement) = by_command {
            self.current = None;
            self.comes_to_life(&statement, node);
        }
    }

    fn tell_of_restart(&mut self, line: Option<u64>, node: Option<NodeId>, incarnation: u64) {
        self.log(|events, out| events.restarted(line, node, incarnation, out));
        self.notify(Notice::Restarted { node, incarnation });
    }

    /// Makes pipes between a node and the observer: in the order in which the observer is told to take their
    /// ends.
    pub(super) fn introduce(&mut self, place: Place, again: bool) {
        if self.comebacks.is_observer_down() {
            return;
        }
        let node = &self.bank.nodes[place];
        let (id, deposit) = (node.id, node.deposit);
        self.effects.push(Effect::Introduce(place));
        self.request(Request::Join {
            node: Peer { place, id },
            deposit,
            again,
        });
    }

    /// Says something to the observer, unless it is down: then it is said when it is back.
    pub(super) fn request(&mut self, request: Request) {
        if !self.comebacks.is_observer_down() {
            self.effects.push(Effect::Request(request));
        }
    }

    /// What the observer is to be asked so that a step can be done.
    fn request_of(&self, step: &Step) -> Option<Request> {
        match step {
            Step::Begin { node, snapshot } => Some(Request::Begin {
                snapshot: *snapshot,
                node: *node,
            }),
            Step::Collect { first } => {
                let (_, last) = self.bank.snapshots.uncollected()?;
                Some(Request::Collect {
                    first: *first,
                    last,
                })
            }
            _ => None,
        }
    }

    /// Lays a channel anew, where both ends are there.
    pub(super) fn lay(&mut self, from: Place, to: Place) {
        let nodes = &self.bank.nodes;
        if nodes[from].is_running() && nodes[to].is_running() {
            self.comebacks.laid += 1;
            let laying = self.comebacks.laid;
            self.comebacks.layings.insert((from, to), laying);
            self.effects.push(Effect::Lay { from, to, laying });
        }
    }

    /// Who is dead for the script, and has sent something to a node, is to send it again.
    fn wake_senders(&mut self, node: Place) {
        for from in self.bank.topology.incoming(node).to_vec() {
            self.wake(from, node);
        }
    }

    /// Who is dead for the script is to send again what somebody has lost.
    fn wake(&mut self, dead: Place, reader: Place) {
        let is_wanted = |entry: &super::Entry| matches!(entry.step, Step::Receive { node, from, .. } if (from, node) == (dead, reader));
        let node = &self.bank.nodes[dead];
        if node.is_at_rest()
            && let Some(fate) = node.fate().cloned()
            && (self.bank.channels.len(dead, reader) > 0 || self.in_flight.iter().any(is_wanted))
        {
            self.restart(Process::Node(dead), Some(&fate), 0);
        }
    }

    /// A node says how much of a channel that was laid anew it has received.
    pub(super) fn hear_received(&mut self, to: Place, from: Place, laying: u64, received: u64) {
        if self.comebacks.layings.get(&(from, to)) == Some(&laying) {
            self.comebacks.layings.remove(&(from, to));
            if self.is_killing() {
                // What it had read ahead was perhaps in the pipe before, and its sender may die before it
                // has sent it again.
                self.comebacks.bereft.push(to);
            }
            self.effects.push(Effect::Attach { from, to, received });
        }
    }

    /// Whether a node is being killed, and what it has sent was, or is being, read ahead.
    fn is_killing(&self) -> bool {
        let is_kill = |it: &Statement| matches!(it.command, Command::KillNode { .. });
        matches!(&self.current, Some((it, Stage::Begun | Stage::Killing(_))) if is_kill(it))
    }

    /// The command `RestartNode`.
    pub(super) fn restart_node(
        &mut self,
        statement: &Statement,
        node: Place,
    ) -> Result<Issue, Failure> {
        self.bank.nodes.exists(node)?;
        let it = &mut self.bank.nodes[node];
        let Some(fate) = it.fate().cloned() else {
            return Err(Failure::NodeLives { node: it.id });
        };
        let is_running = it.is_running();
        self.keep(Kept::Restarted(node));
        let it = &mut self.bank.nodes[node];
        if is_running {
            // It is there already, to send something again.
            let (id, incarnation, line) = (it.id, it.next_incarnation(), Some(statement.line));
            self.tell_of_restart(line, Some(id), incarnation);
            // Nothing was read ahead for it when they were killed.
            self.wake_senders(node);
            self.comes_to_life(statement, node);
            return Ok(Issue::Done);
        }
        self.restart(Process::Node(node), Some(&fate), 0);
        Ok(Issue::Stalled(Stage::Restarting(node)))
    }

    /// A node that was dead for the script is so no more.
    fn comes_to_life(&mut self, statement: &Statement, node: Place) {
        let bank = &mut self.bank;
        bank.nodes.live(node);
        bank.channels.suspend(node, false);
        let put_off = std::mem::take(&mut bank.put_off);
        for (from, to, statement) in put_off {
            // Where the other end is dead, it is put off again.
            let _ = self.open_channel(&statement, from, to);
        }
        let bank = &mut self.bank;
        if bank.sparse {
            return;
        }
        // Who was created meanwhile is connected to it now.
        let living: Vec<Place> = bank.nodes.living().filter(|peer| *peer != node).collect();
        let strangers: Vec<Place> = living
            .into_iter()
            .filter(|peer| !bank.topology.has(node, *peer))
            .collect();
        for peer in &strangers {
            bank.topology.open(node, *peer);
            bank.topology.open(*peer, node);
        }
        for peers in strangers.chunks(self.setup.tile) {
            self.connect(statement, peers, &[node]);
        }
    }

    /// What is being done so that somebody comes back is of no interest any more.
    pub(super) fn let_the_dead_rest(&mut self) {
        self.comebacks = Comebacks::default();
    }
}

/// What a node is to be told so that a step can be done.
fn instruction_of(step: &Step) -> Option<Instruction> {
    Some(match step {
        Step::Opened { opening, .. } => Instruction::Open(opening.clone()),
        Step::Send { to, amount, .. } => Instruction::Send {
            to: *to,
            amount: *amount,
        },
        Step::Receive { from, .. } => Instruction::Receive { from: *from },
        Step::Begin { snapshot, .. } => Instruction::AwaitTake {
            snapshot: *snapshot,
        },
        Step::Balance { .. } => Instruction::Report,
        Step::Ahead { from, frames, .. } => Instruction::ReadAhead {
            from: *from,
            frames: *frames,
        },
        Step::Forgotten { first, last, .. } => Instruction::Forget {
            first: *first,
            last: *last,
        },
        Step::Known(_)
        | Step::Joined
        | Step::Collect { .. }
        | Step::Recalled { .. }
        | Step::Table
        | Step::ToEnd { .. } => return None,
    })
}

#[cfg(test)]
mod tests;
