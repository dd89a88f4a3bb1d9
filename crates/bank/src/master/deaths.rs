//! What the death of a process changes: one rule instead of guesses.
//!
//! *A node carries out its instructions in order, so a dead one has carried out a prefix of them: the
//! shortest that explains what the living have seen of it.* Seen is a reply that master read, and a
//! frame that a living reader has taken, or finds in its channel when it reads it to the end.
//! Everything follows from the prefix by replaying the accounts: which unanswered sends were carried
//! out and which refused, what was sent and never written, what was on the way to the dead, what
//! balance died with it.
//!
//! A death is reported once, when it is noticed. From then on nothing is issued until it is *settled*:
//!
//! 1. everything in flight is answered, by the living, and by what the dead had still said. Everybody is
//!    heard as soon as he speaks: who has found the end of a channel has halted until master has heard
//!    of that, and others, whose turn is before his, may wait for him;
//! 2. every living node reads the channels from the dead to their ends, and says what is there;
//! 3. if nobody else has died meanwhile, master comes back to what was certain, and replays all that
//!    was in flight in the order of the script (`deaths/replay.rs`);
//! 4. everything is retired: what the dead have carried out without saying so as if they had said it,
//!    what they have not as failed; what was lost is reported, and what is in channels is known again.
//!
//! What is reported on stderr, what the history says and what can still be received come from that one
//! replay, so the money in them adds up.

mod losses;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use self::replay::{Explanation, explain};
use super::channels::Taken;
use super::collect::Outcome;
use super::comebacks::LastWords;
use super::effect::Notice;
use super::issue::Stage;
use super::retire::Retired;
use super::{Awaits, Bank, Broken, Entry, Failure, Fate, Master, Process, Said, Step};
use crate::id::Place;
use crate::member::Frame;
use crate::messages::{Instruction, Reply};
use crate::script::{self, Statement};

/// Deaths on the way to being settled.
#[derive(Debug, Default)]
pub(super) struct Settling {
    dead: Vec<Dead>,
    /// How many of them the living were asked about.
    asked: usize,
    /// What was said for each step in flight, from the first on; for the next one it is waited.
    said: Vec<Said>,
    /// What others have said before it was their turn.
    early: BTreeMap<Process, VecDeque<Said>>,
    /// Somebody who must be dead too, by what was said.
    unheard_of: Option<Process>,
    /// What living readers found in the channels of the dead, by (from, to).
    found: BTreeMap<(Place, Place), Vec<Frame>>,
}

/// A process whose death is not settled.
#[derive(Clone, Copy, Debug)]
struct Dead {
    process: Process,
    /// The line on which the script killed it.
    line: Option<u64>,
}

impl Settling {
    /// Whose next word is needed.
    pub(super) fn awaits(&self, in_flight: &VecDeque<Entry>) -> Awaits {
        let next = in_flight.get(self.said.len());
        match next.and_then(|entry| entry.step.process()) {
            Some(process) => Awaits::Word(process),
            None => self.unheard_of.map_or(Awaits::Nobody, Awaits::Death),
        }
    }

    /// Goes through the steps in flight, as far as somebody has said something for them.
    fn take_turns(&mut self, in_flight: &VecDeque<Entry>) {
        while let Some(entry) = in_flight.get(self.said.len()) {
            let said = match entry.step.process() {
                None => Some(Said::Nothing),
                Some(process) => self.early.get_mut(&process).and_then(VecDeque::pop_front),
            };
            let Some(said) = said else {
                return;
            };
            if let (Step::ToEnd { from, node }, Said::Reply(Reply::Found { frames, last })) =
                (&entry.step, &said)
            {
                self.found.entry((*from, *node)).or_default().extend(frames);
                if !last {
                    continue;
                }
            }
            self.said.push(said);
        }
    }

    fn nodes(&self) -> impl Iterator<Item = (Place, Option<u64>)> {
        self.dead.iter().filter_map(|dead| match dead.process {
            Process::Node(node) => Some((node, dead.line)),
            Process::Observer => None,
        })
    }
}

impl Bank {
    /// The process that must be dead where this was said, and of whose death master has not heard.
    #[inline]
    pub(super) fn unheard_of_death(&self, step: &Step, said: &Said) -> Option<Process> {
        let node = match (said, step) {
            (Said::Reply(Reply::Ended), Step::Receive { from, .. }) => *from,
            (Said::Reply(Reply::ObserverGone), _) => {
                return self.observer.is_none().then_some(Process::Observer);
            }
            (Said::Outcome(outcome), _) => match **outcome {
                Outcome::NodeGone(node) => node,
                _ => return None,
            },
            _ => return None,
        };
        let is_unheard_of = self.nodes.fate(node).is_none();
        is_unheard_of.then_some(Process::Node(node))
    }
}

impl Master {
    /// A process has died. What it had said before that, and was not handed in yet, still counts; in a bank
    /// that lasts, all of that is in `left`.
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    pub fn died(&mut self, process: Process, fate: Fate, left: LastWords) -> Result<(), Broken> {
        if self.setup.lasting {
            return self.fell(process, fate, left);
        }
        let line = match (self.current, process) {
            (Some((statement, Stage::Killing(killed))), Process::Node(node)) if killed == node => {
                Some(statement.line)
            }
            _ => None,
        };
        match process {
            Process::Observer => {
                self.log(|events, out| events.died(None, None, &fate, out));
                self.notify(Notice::ObserverDied(fate.clone()));
                self.bank.observer = Some(fate);
            }
            Process::Node(node) => {
                self.notify(Notice::NodeDied(self.bank.nodes[node].id, fate.clone()));
                self.bank.nodes.die(node, fate);
            }
        }
        let mut settling = self.settling.take().unwrap_or_default();
        settling.dead.push(Dead { process, line });
        settling.said.extend(self.held.take().map(|(said, _)| said));
        self.settling = Some(settling);
        self.go_on()
    }

    /// For how many steps in flight something was said.
    pub(super) fn heard(&self) -> usize {
        let settling = self.settling.as_ref();
        settling.map_or(0, |settling| settling.said.len())
    }

    /// A node says that nothing more comes from somebody: the first time it waits until that is known.
    pub(super) fn hear_of_end(&mut self, node: Place) {
        let process = Process::Node(node);
        let settling = self.settling.as_ref();
        let early = settling.and_then(|settling| settling.early.get(&process));
        let mut owed = self.in_flight.iter().skip(self.heard());
        let mut owed = owed
            .by_ref()
            .filter(|it| it.step.process() == Some(process));
        let from = match owed.nth(early.map_or(0, VecDeque::len)).map(|it| &it.step) {
            Some(Step::Receive { from, .. }) => Process::Node(*from),
            _ => Process::Observer,
        };
        if self.bank.ended.insert((from, node)) && self.bank.nodes.fate(node).is_none() {
            self.instruct(node, || Instruction::Resume);
        }
    }

    /// A dead process, which was [awaited](Master::awaits), has nothing more to say.
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    pub fn silent(&mut self) -> Result<(), Broken> {
        let Awaits::Word(process) = self.awaits() else {
            return Err(Broken::NotAskedFor("silence".to_owned()));
        };
        self.say_settling(process, Said::Nothing)
    }

    pub(super) fn say_settling(&mut self, process: Process, said: Said) -> Result<(), Broken> {
        match &mut self.settling {
            Some(settling) => settling.early.entry(process).or_default().push_back(said),
            None => return Err(Broken::NotAskedFor(format!("{said:?}"))),
        }
        self.go_on()
    }

    /// Goes on towards settling the deaths; whether it has come any further without anybody's word.
    pub(super) fn go_on_settling(&mut self) -> Result<bool, Broken> {
        let Some(mut settling) = self.settling.take() else {
            return Ok(false);
        };
        settling.take_turns(&self.in_flight);
        if settling.said.len() < self.in_flight.len() {
            self.settling = Some(settling);
            return Ok(false);
        }
        let mut said = self.in_flight.iter().zip(&settling.said);
        settling.unheard_of =
            said.find_map(|(entry, said)| self.bank.unheard_of_death(&entry.step, said));
        if settling.unheard_of.is_some() {
            self.settling = Some(settling);
            return Ok(false);
        }
        // Who was created has channels, before anything is made of them.
        self.connect_new_nodes();
        let unasked: Vec<Place> = settling.dead[settling.asked..]
            .iter()
            .filter_map(|dead| match dead.process {
                Process::Node(node) => Some(node),
                Process::Observer => None,
            })
            .collect();
        settling.asked = settling.dead.len();
        for from in unasked {
            self.ask_readers(from);
        }
        if settling.said.len() < self.in_flight.len() {
            self.settling = Some(settling);
            return Ok(true);
        }
        self.settle(*settling)?;
        Ok(true)
    }

    /// Has every living node read the channel from a dead one to its end.
    fn ask_readers(&mut self, from: Place) {
        // Told apart from the script's own by its line.
        let statement = Statement {
            line: 0,
            command: script::Command::KillNode { id: from },
        };
        let readers: Vec<Place> = self.bank.nodes.living().collect();
        for node in readers {
            if self.bank.topology.has(from, node) {
                self.instruct(node, || Instruction::ReadToEnd { from });
                self.push(&statement, Step::ToEnd { from, node });
            }
        }
    }

    /// Everything that will ever be said has been said.
    fn settle(&mut self, mut settling: Settling) -> Result<(), Broken> {
        let entries: Vec<Entry> = self.in_flight.drain(..).collect();
        self.retired = self.issued;
        self.drawn = None;
        for entry in entries.iter().rev() {
            self.undo(&entry.step);
        }
        let dead: Vec<Place> = settling.nodes().map(|(node, _)| node).collect();
        let explained = explain(&self.bank, &entries, &settling.said, &settling.found, &dead);
        let Explanation {
            channels,
            replies,
            losses,
        } = match explained {
            Ok(explanation) => explanation,
            Err(broken) => {
                // The history is to have the deaths all the same.
                self.settling = Some(Box::new(settling));
                return Err(broken);
            }
        };
        self.bank.channels = channels;
        for ((from, to), found) in &settling.found {
            self.bank.channels.truncate(*from, *to, found.len());
        }
        for node in &dead {
            self.bank.channels.die(*node);
        }
        let said = std::mem::take(&mut settling.said);
        for ((entry, said), inferred) in entries.into_iter().zip(said).zip(replies) {
            match (said, inferred) {
                (Said::Nothing, Some(reply)) => {
                    let retired = Retired::Settled { inferred: true };
                    self.complete(entry, Said::Reply(reply), retired)?;
                }
                (said, _) => {
                    let retired = Retired::Settled { inferred: false };
                    self.complete(entry, said, retired)?;
                }
            }
        }
        self.lose_snapshots();
        for ((node, line), loss) in settling.nodes().zip(losses) {
            self.log_death(node, line);
            let node = self.bank.nodes[node].id;
            self.notify(Notice::LostWith {
                node,
                balance: loss.balance,
                into: loss.into,
                unwritten: loss.unwritten,
            });
        }
        Ok(())
    }

    /// Undoes what was foreseen of a step in flight, of which all later ones are undone.
    fn undo(&mut self, step: &Step) {
        let channels = &mut self.bank.channels;
        match step {
            Step::Opened { node, opening } => {
                for to in opening.outgoing.iter().rev() {
                    channels.undo_open(*node, to.place);
                }
            }
            Step::Send { node, to, .. } => channels.undo_send(*node, *to),
            Step::Receive {
                node,
                from,
                expected,
            } => channels.undo_take(*from, *node, *expected),
            Step::Begin { node, snapshot } => channels.undo_record(*node, *snapshot),
            _ => {}
        }
    }

    /// A step in flight at a death is done in a way that only a death brings about.
    pub(super) fn complete_after_death(
        &mut self,
        statement: &Statement,
        step: Step,
        said: Said,
    ) -> Result<(), Broken> {
        let nodes = &self.bank.nodes;
        let failure = match (step, said) {
            (Step::Receive { from, .. }, Said::Reply(Reply::Ended)) => {
                nodes.fate(from).map(|fate| Failure::Ended {
                    from: nodes[from].id,
                    fate: fate.clone(),
                })
            }
            (Step::Begin { .. }, Said::Reply(Reply::ObserverGone)) => {
                self.bank.observer.clone().map(Failure::ObserverDied)
            }
            (
                Step::Send { node, .. } | Step::Receive { node, .. } | Step::Begin { node, .. },
                Said::Nothing,
            ) => nodes.lives(node).err(),
            (Step::Collect { .. }, Said::Nothing) => {
                self.bank.snapshots.owing = false;
                self.bank.observer.clone().map(Failure::ObserverDied)
            }
            (
                Step::Opened { .. }
                | Step::Balance { .. }
                | Step::Forgotten { .. }
                | Step::Ahead { .. }
                | Step::ToEnd { .. },
                Said::Nothing,
            )
            | (Step::Ahead { .. }, Said::Reply(Reply::Ahead { .. })) => None,
            (step, said) => return self.complete_otherwise(statement, step, said),
        };
        self.fail_one(statement, failure);
        Ok(())
    }

    /// Tells a failure, but not of one of the messages of a `ReceiveAll`, which goes on without it.
    fn fail_one(&mut self, statement: &Statement, failure: Option<Failure>) {
        if statement.command != script::Command::ReceiveAll
            && let Some(failure) = failure
        {
            self.fail(statement, failure);
        }
    }

    /// For the history: a node has died.
    fn log_death(&mut self, node: Place, line: Option<u64>) {
        let node = &self.bank.nodes[node];
        if let (Some(fate), Some(events)) = (node.fate(), &mut self.events) {
            events.died(line, Some(node.id), fate, &mut self.effects);
        }
    }

    /// For the history: the system ends, and with it what is yet to be found out of the dead.
    pub(super) fn log_unsettled(&mut self) {
        let settling = self.settling.take();
        for (node, line) in settling.iter().flat_map(|settling| settling.nodes()) {
            self.log_death(node, line);
        }
    }
}

/// What a receive has brought, as it was foreseen.
fn reply_of(taken: Taken, balance: u64) -> Reply {
    match taken {
        Taken::Transfer(amount) => Reply::Transfer { amount, balance },
        Taken::FirstMarker(snapshot) => Reply::Marker {
            snapshot,
            recorded: true,
        },
        Taken::Marker(snapshot) => Reply::Marker {
            snapshot,
            recorded: false,
        },
    }
}
