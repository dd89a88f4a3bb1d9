//! Master, as a value: what is to be done for each command of a script, and what follows from what
//! the other processes say.
//!
//! Commands are *issued* in script order, as far ahead of their replies as the window allows, and
//! *retired* in script order, when their replies have come, as a processor does with instructions;
//! only then is a result shown or a failure reported. So the output is that of strict serial execution
//! (a window of 1), whatever was in flight. What a command needs to know before it can be issued,
//! `channels.rs` knows, or it stays where it is until something in flight is retired.
//!
//! Whoever drives it does, again and again,
//!
//! 1. what the [`Effect`]s say ([`Master::swap_effects`]),
//! 2. [`execute`](Master::execute) the next statement while it [is ready](Master::is_ready),
//! 3. otherwise hand in what the process that it [awaits](Master::awaits) says next
//!    ([`hear`](Master::hear), [`hear_observer`](Master::hear_observer), [`died`](Master::died),
//!    [`silent`](Master::silent)).
//!
//! Whatever else processes say meanwhile waits in the driver's buffers.
//!
//! * `issue.rs`: what a command does before its reply; `grow.rs`: what those do that start nodes and open
//!   channels;
//! * `retire.rs`: what its reply brings; `collect.rs`: what the observer answers;
//! * `deaths.rs`: what the death of a process changes; `comebacks.rs`: how it is undone, in a bank that
//!   lasts; `kept.rs`, `image.rs`, `moment.rs`: what outlives master there; `abandoned.rs`: a script that is
//!   given up;
//! * `channels.rs`, `ready.rs`: what is known of channels;
//! * `load.rs`: what comes after the set-up, where the nodes are to run freely;
//! * `events.rs`: the history.

mod abandoned;
mod channels;
mod collect;
mod comebacks;
mod deaths;
mod effect;
mod events;
mod failure;
mod grow;
mod image;
mod issue;
mod kept;
mod load;
mod moment;
mod nodes;
mod ready;
mod retire;
mod step;

use std::collections::{BTreeSet, VecDeque};

use self::channels::{Channels, Ticket};
use self::collect::Snapshots;
use self::comebacks::Comebacks;
use self::deaths::Settling;
use self::events::Events;
use self::issue::{Issue, Stage};
use self::kept::Recalled;
use self::nodes::Nodes;
use self::retire::Retired;
use self::step::{Entry, Said, Step};
use crate::Broken;
use crate::draw::Draw;
use crate::id::Place;
use crate::member::Frame;
use crate::messages::{Answer, Reply};
use crate::script::Statement;
use crate::topology::Topology;

pub use self::abandoned::{Abandoned, Folds};
pub use self::channels::Transfers;
pub use self::comebacks::LastWords;
pub use self::effect::{Effect, Notice, Process, Row, Shown, State};
pub use self::failure::{Failure, Fate, NotStarted, Waiting, WaitingNode};
pub use self::image::Image;
pub use self::kept::Kept;
pub use self::load::{Load, Part, Plan};
pub use self::moment::{HistorySoFar, Moment};

/// What a master has to know from the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// What it draws from.
    pub seed: u64,
    /// How many steps may be in flight, at least 1.
    pub window: usize,
    /// With how many others a new node is connected at once, at least 1. In a bank that lasts it must never
    /// change: nodes remember what they were told.
    pub tile: usize,
    /// Whether a history is wanted.
    pub history: bool,
    /// Whether the bank lasts: whoever dies is started again and goes on where he was.
    pub lasting: bool,
}

/// Whose next word master needs to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// Nobody's: nothing is in flight.
    Nobody,
    /// That of this process: its next reply or answer or, where it is dead and has nothing more to
    /// say, [`Master::silent`].
    Word(Process),
    /// The news that this process is dead, which another one knows already.
    Death(Process),
}

/// What master knows of the system between a `StartMaster` and a `KillAll`.
#[derive(Debug, Default)]
struct Bank {
    /// Whether there is one.
    is_begun: bool,
    /// Whether `Connect` opens the channels.
    sparse: bool,
    /// Whether the last commands were such that make it grow.
    growing: bool,
    nodes: Nodes,
    topology: Topology,
    channels: Channels,
    snapshots: Snapshots,
    observer: Option<Fate>,
    /// Who has said of whom that nothing more comes from it, by (from, to).
    ended: BTreeSet<(Process, Place)>,
    /// Nodes that were created by the last lines and have no channels yet.
    unconnected: Vec<(Place, Statement)>,
    /// Channels of a sparse system whose ends were not both alive when they were to be opened, in a bank
    /// that lasts.
    put_off: Vec<(Place, Place, Statement)>,
}

/// Master.
#[derive(Debug)]
pub struct Master {
    setup: Setup,
    draw: Draw,
    /// The system since the last `StartMaster`; empty after `KillAll`.
    bank: Bank,
    /// The statement that is being issued, and how far.
    current: Option<(Statement, Stage)>,
    /// The channel that a draw has chosen, while its receive cannot be issued yet.
    drawn: Option<(Place, Place)>,
    in_flight: VecDeque<Entry>,
    /// How many steps may be in flight just now: see [`Master::make_room`].
    room: usize,
    /// The ticket of the next step to be issued, and of the next to be retired.
    issued: Ticket,
    retired: Ticket,
    /// What was said for the step at the front, which master cannot yet understand: somebody is dead,
    /// and it has not heard of that.
    held: Option<(Said, Process)>,
    /// Deaths that have been reported but not yet settled.
    settling: Option<Box<Settling>>,
    /// What is under way so that somebody comes back, in a bank that lasts.
    comebacks: Comebacks,
    recalled: Recalled,
    /// A bank that the first `StartMaster` opens.
    image: Option<Box<Image>>,
    events: Option<Box<Events>>,
    effects: Vec<Effect>,
}

impl Master {
    /// A master before the first command.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            draw: Draw::from_seed(setup.seed),
            bank: Bank::default(),
            current: None,
            drawn: None,
            in_flight: VecDeque::new(),
            room: setup.window,
            issued: 0,
            retired: 0,
            held: None,
            settling: None,
            comebacks: Comebacks::default(),
            recalled: Recalled::default(),
            image: None,
            events: setup.history.then(|| Box::new(Events::new(setup.lasting))),
            effects: Vec::new(),
        }
    }

    /// Whether there is room for another statement.
    #[must_use]
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.current.is_none() && self.settling.is_none() && self.in_flight.len() < self.room
    }

    /// Whether everything that was issued is retired, and every death is settled. Then only a death
    /// can happen.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.current.is_none() && self.settling.is_none() && self.in_flight.is_empty()
    }

    /// Issues a statement, or as much of it as can be issued now; the rest follows by itself. Master
    /// must be [ready](Self::is_ready).
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    #[inline]
    pub fn execute(&mut self, statement: &Statement) -> Result<(), Broken> {
        debug_assert!(self.current.is_none(), "one statement after the other");
        self.retire_what_is_known()?;
        if self.settling.is_some() {
            self.current = Some((*statement, Stage::New));
        } else if !self.issue_now(statement, Stage::New) {
            return Ok(());
        }
        self.go_on()
    }

    /// No statement follows for now: what waits for the next ones to be done with them is done. Not so in
    /// a bank that lasts, in which everybody does the same in every run, whenever statements come.
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    pub fn pause(&mut self) -> Result<(), Broken> {
        if !self.setup.lasting && self.settling.is_none() && self.current.is_none() {
            self.connect_new_nodes();
        }
        self.go_on()
    }

    /// The script is over, in a bank that lasts: what was left for the next statement is done now. Master
    /// must be [ready](Self::is_ready).
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    pub fn finish(&mut self) -> Result<(), Broken> {
        debug_assert!(self.current.is_none(), "nothing is being issued");
        self.connect_new_nodes();
        self.go_on()
    }

    /// What is to be done, in order, in exchange for an empty list.
    #[inline]
    pub fn swap_effects(&mut self, empty: &mut Vec<Effect>) {
        std::mem::swap(&mut self.effects, empty);
    }

    /// Whose next word it needs to go on.
    #[must_use]
    #[inline]
    pub fn awaits(&self) -> Awaits {
        if let Some(settling) = &self.settling {
            return settling.awaits(&self.in_flight);
        }
        if let Some((_, dead)) = &self.held {
            return Awaits::Death(*dead);
        }
        match self
            .in_flight
            .front()
            .and_then(|entry| entry.step.process())
        {
            Some(process) => Awaits::Word(process),
            None => match self.current {
                Some((_, Stage::Killing(node))) => Awaits::Death(Process::Node(node)),
                _ => Awaits::Nobody,
            },
        }
    }

    /// Whether a death is being settled, or a channel laid anew: then a word of any node is heard, not only
    /// of the one that is [awaited](Self::awaits). Somebody else may wait for that.
    #[must_use]
    pub fn hears_everybody(&self) -> bool {
        self.settling.is_some() || self.comebacks.is_laying()
    }

    /// The statement that is waited for, as people write it. `None` where what is waited for belongs
    /// to no statement.
    #[must_use]
    pub fn waits_for(&self) -> Option<(u64, crate::script::Command)> {
        let statement = match self.in_flight.get(self.heard()) {
            Some(Entry {
                step: Step::ToEnd { .. },
                ..
            }) => return None,
            Some(entry) => entry.statement,
            None => self.current?.0,
        };
        Some((statement.line, self.by_name(statement.command)))
    }

    /// The id of a node.
    #[must_use]
    pub fn id(&self, node: Place) -> Option<crate::id::NodeId> {
        self.bank.nodes.get(node).map(|node| node.id)
    }

    /// How many instructions a node was given, as it counts them itself.
    #[must_use]
    pub fn instructions(&self, node: Place) -> Option<u64> {
        self.bank.nodes.get(node).map(|node| node.instructions)
    }

    /// How many frames of a channel its receiver has taken, as it counts them itself, once nothing is
    /// in flight.
    #[must_use]
    pub fn frames_taken(&self, from: Place, to: Place) -> u64 {
        self.bank.channels.taken(from, to)
    }

    /// What waits in a channel, in order, once nothing is in flight.
    pub fn in_transit(&self, from: Place, to: Place) -> impl Iterator<Item = Frame> {
        self.bank.channels.frames(from, to)
    }

    /// A node, which was [awaited](Self::awaits), replies.
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    #[inline]
    pub fn hear(&mut self, node: Place, reply: Reply) -> Result<(), Broken> {
        match reply {
            Reply::Ended | Reply::ObserverGone => self.hear_of_end(node),
            Reply::Received {
                from,
                laying,
                frames,
            } => {
                self.hear_received(node, from, laying, frames);
                return Ok(());
            }
            Reply::Restored => return Ok(()),
            _ => {}
        }
        if self.settling.is_some() {
            return self.say_settling(Process::Node(node), Said::Reply(reply));
        }
        if self.comebacks.is_laying() && self.is_early(node) {
            self.comebacks.hear_early(node, reply);
            return Ok(());
        }
        // By any other reply nobody is known to be dead.
        if matches!(reply, Reply::Ended | Reply::ObserverGone) {
            return self.take_word(Said::Reply(reply));
        }
        let Some(Entry { statement, step }) = self.in_flight.pop_front() else {
            return Err(Broken::NotAskedFor(format!("{reply:?}")));
        };
        self.retired += 1;
        if !self.brings(&statement, &step, &reply, Retired::InTurn) {
            self.complete_rarely(&statement, step, Said::Reply(reply), true)?;
        }
        self.go_on()
    }

    /// The observer, which was [awaited](Self::awaits), answers.
    ///
    /// # Errors
    ///
    /// Something that cannot be.
    pub fn hear_observer(&mut self, answer: Answer) -> Result<(), Broken> {
        let Some(outcome) = self.bank.snapshots.hear(answer)? else {
            return Ok(());
        };
        if self.settling.is_some() {
            return self.say_settling(Process::Observer, Said::Outcome(Box::new(outcome)));
        }
        self.take_word(Said::Outcome(Box::new(outcome)))
    }

    /// The step at the front is done, unless what was said means that somebody is dead of whose death
    /// master has not heard.
    #[inline]
    fn take_word(&mut self, said: Said) -> Result<(), Broken> {
        let Some(front) = self.in_flight.front() else {
            return Err(Broken::NotAskedFor(format!("{said:?}")));
        };
        if let Some(dead) = self.bank.unheard_of_death(&front.step, &said) {
            self.held = Some((said, dead));
            return Ok(());
        }
        if let Some(entry) = self.in_flight.pop_front() {
            self.retired += 1;
            self.complete(entry, said, Retired::InTurn)?;
        }
        self.go_on()
    }

    /// Retires what nobody need say anything for, and issues what can be issued.
    fn go_on(&mut self) -> Result<(), Broken> {
        loop {
            if self.settling.is_some() {
                if !self.go_on_settling()? {
                    return Ok(());
                }
                continue;
            }
            self.retire_what_is_known()?;
            let Some((statement, stage)) = self.current.take() else {
                self.make_room();
                return Ok(());
            };
            if !self.issue_now(&statement, stage) {
                return Ok(());
            }
        }
    }

    /// Retires what nobody need say anything for.
    #[inline]
    fn retire_what_is_known(&mut self) -> Result<(), Broken> {
        while let Some(entry) = self.in_flight.front()
            && let Some(said) = self.comebacks.said(entry.step.process())
            && let Some(entry) = self.in_flight.pop_front()
        {
            self.retired += 1;
            self.complete(entry, said, Retired::InTurn)?;
        }
        Ok(())
    }

    /// Issues what can be issued of a statement; whether there may be more to do.
    #[inline]
    fn issue_now(&mut self, statement: &Statement, stage: Stage) -> bool {
        self.make_room();
        if self.in_flight.len() >= self.room {
            self.current = Some((*statement, stage));
            return false;
        }
        match self.issue(statement, stage) {
            Issue::Done => true,
            Issue::More(stage) => {
                self.current = Some((*statement, stage));
                true
            }
            Issue::Stalled(stage) => {
                self.current = Some((*statement, stage));
                let front = self.in_flight.front();
                front.is_some_and(|entry| entry.step.process().is_none())
            }
        }
    }

    /// Once the window is full, nothing more is issued until half of it is retired: many commands,
    /// and many replies, then travel together, and everybody wakes up half as often.
    #[inline]
    fn make_room(&mut self) {
        let window = self.setup.window;
        if self.in_flight.len() >= window {
            self.room = window / 2;
        } else if self.in_flight.len() <= window / 2 {
            self.room = window;
        }
    }

    #[inline]
    fn push(&mut self, statement: &Statement, step: Step) {
        self.issued += 1;
        self.in_flight.push_back(Entry {
            statement: *statement,
            step,
        });
    }

    /// A command as people write it.
    fn by_name(&self, command: crate::script::Command<Place>) -> crate::script::Command {
        command.rename(|place| self.id(place).unwrap_or(crate::id::NodeId(0)))
    }

    fn notify(&mut self, notice: Notice) {
        self.effects.push(Effect::Notify(Box::new(notice)));
    }

    /// Reports that a command failed.
    fn fail(&mut self, statement: &Statement, failure: Failure) {
        let command = self.by_name(statement.command);
        self.effects.push(Effect::Fail {
            line: statement.line,
            failed: Box::new((command, failure)),
        });
    }

    /// Adds to the history, where one is wanted.
    #[inline]
    fn log(&mut self, write: impl FnOnce(&mut Events, &mut Vec<Effect>)) {
        if let Some(events) = &mut self.events {
            write(events, &mut self.effects);
        }
    }
}
