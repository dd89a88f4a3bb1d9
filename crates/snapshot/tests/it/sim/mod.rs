//! A whole system in one value: processes, channels, a seeded schedule, and an omniscient log.
//!
//! A schedule is one seed. At every step it picks what happens next, anything that a real system
//! could do: a message is sent or taken, a snapshot begins (also at several processes at once), a
//! process joins, a channel opens at one of its ends, a snapshot is collected. In the end every
//! channel is emptied, and every snapshot must be complete.
//!
//! The system is generic over [`Process`], so that the honest recorder and broken ones run under
//! the same schedules. Each collected snapshot is checked three times, in ways that share nothing:
//! by the audit, by the [definition](log) over the log of all that happened, and by counting.

#![allow(clippy::expect_used)] // A simulator that is broken must stop the test.

pub(crate) mod honest;
mod log;
mod schedule;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use snapshot::{Error, Frame, LocalSnapshot, Part, SnapshotId, Tally, Violation, audit};

use log::{Event, Log};
pub(crate) use schedule::{run, seeds};

/// The name of a process.
pub(crate) type Id = u32;

/// Tokens that travel, and a number that no other message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) tokens: u64,
}

/// What a process records of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) tokens: u64,
    pub(crate) sent: BTreeMap<Id, Tally>,
    pub(crate) received: BTreeMap<Id, Tally>,
}

impl State {
    pub(crate) fn send(&mut self, to: Id, message: Message) {
        self.tokens -= message.tokens;
        self.sent.entry(to).or_default().extend(message.tokens);
    }

    pub(crate) fn receive(&mut self, from: Id, message: Message) {
        self.tokens += message.tokens;
        self.received
            .entry(from)
            .or_default()
            .extend(message.tokens);
    }
}

/// Frames to be put on channels, by destination, in order.
pub(crate) type Frames = Vec<(Id, Frame<Message>)>;

/// One process: its state and its recorder. It is handed what happens and returns what it sends.
pub(crate) trait Process {
    fn state(&self) -> &State;
    fn open_in(&mut self, from: Id);
    fn open_out(&mut self, to: Id) -> Frames;
    fn send(&mut self, to: Id, message: Message) -> Frames;
    fn take(&mut self, from: Id, frame: Frame<Message>) -> Result<Frames, Error<Id>>;
    fn begin(&mut self, id: SnapshotId) -> Result<Frames, Error<Id>>;
    fn is_complete(&self, id: SnapshotId) -> bool;
    fn hand_over(&mut self, id: SnapshotId) -> Option<LocalSnapshot<Id, State, Message>>;
}

/// A snapshot as collected: the part of every process.
pub(crate) type Collected = BTreeMap<Id, LocalSnapshot<Id, State, Message>>;

/// What is wrong with a system, by the check that found it.
#[derive(Debug)]
#[allow(dead_code)] // Some fields are for whoever reads a failing test's output.
pub(crate) enum Failure {
    /// Two ends of a channel disagree.
    Audit {
        id: SnapshotId,
        violation: Violation<Id>,
    },
    /// All channels are empty, and yet a part is not complete.
    NeverCompletes { id: SnapshotId, process: Id },
    /// The parts are not what the log says they should be.
    Definition {
        id: SnapshotId,
        process: Id,
        recorded: String,
        defined: String,
    },
    /// Tokens appeared or vanished.
    Conservation {
        id: SnapshotId,
        recorded: u64,
        brought: u64,
    },
    /// The recorder refused what the system did.
    Protocol(Error<Id>),
}

impl From<Error<Id>> for Failure {
    fn from(error: Error<Id>) -> Self {
        Failure::Protocol(error)
    }
}

/// What a schedule came to, so that a test can see that it was about something.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) snapshots: BTreeMap<SnapshotId, Collected>,
    /// How many of them were collected while things still happened.
    pub(crate) collected_early: usize,
    /// Snapshots in progress at the same time, at most.
    pub(crate) most_at_once: usize,
    /// Snapshots begun at a second process that had not heard of them.
    pub(crate) initiated_twice: usize,
    /// Processes that joined while a snapshot was in progress.
    pub(crate) joined_in_the_middle: usize,
    /// Parts that were complete before a channel opened, and then no longer.
    pub(crate) reopened: usize,
}

/// A channel; its two ends open one after the other.
#[derive(Default)]
struct Channel {
    frames: VecDeque<Frame<Message>>,
    open_in: bool,
    open_out: bool,
}

/// The system: what happens to it is one method each, called by the schedule.
struct System<Pr, Make> {
    make: Make,
    processes: BTreeMap<Id, Pr>,
    channels: BTreeMap<(Id, Id), Channel>,
    in_progress: BTreeSet<SnapshotId>,
    log: Log,
    outcome: Outcome,
}

impl<Pr: Process, Make: Fn(u64) -> Pr> System<Pr, Make> {
    fn join(&mut self, tokens: u64) -> Id {
        let process = self.processes.len() as Id;
        self.processes.insert(process, (self.make)(tokens));
        self.log.add(Event::Joined { process, tokens });
        self.outcome.joined_in_the_middle += usize::from(!self.in_progress.is_empty());
        process
    }

    fn process(&mut self, process: Id) -> &mut Pr {
        self.processes
            .get_mut(&process)
            .expect("a process that joined")
    }

    fn channel(&mut self, from: Id, to: Id) -> &mut Channel {
        self.channels
            .get_mut(&(from, to))
            .expect("a channel that was connected")
    }

    /// Adds a channel of which neither end is open.
    fn connect(&mut self, from: Id, to: Id) {
        self.channels.entry((from, to)).or_default();
    }

    fn open_in(&mut self, from: Id, to: Id) {
        self.channel(from, to).open_in = true;
        let complete = |process: &Pr, ids: &BTreeSet<SnapshotId>| {
            ids.iter().filter(|&&id| process.is_complete(id)).count()
        };
        let before = complete(&self.processes[&to], &self.in_progress);
        self.process(to).open_in(from);
        self.outcome.reopened += before - complete(&self.processes[&to], &self.in_progress);
    }

    fn open_out(&mut self, from: Id, to: Id) {
        self.channel(from, to).open_out = true;
        let frames = self.process(from).open_out(to);
        self.put(from, frames);
    }

    fn send(&mut self, from: Id, to: Id, tokens: u64) {
        let message = self.log.send(from, to, tokens);
        let frames = self.process(from).send(to, message);
        self.put(from, frames);
    }

    fn take(&mut self, from: Id, to: Id) -> Result<(), Failure> {
        let frame = self
            .channel(from, to)
            .frames
            .pop_front()
            .expect("a channel with a frame");
        self.log.add(match frame {
            Frame::Message(message) => Event::Taken { from, to, message },
            Frame::Marker(id) => Event::Heard { process: to, id },
        });
        let frames = self.process(to).take(from, frame)?;
        self.put(to, frames);
        Ok(())
    }

    fn begin(&mut self, process: Id, id: SnapshotId) -> Result<(), Failure> {
        self.outcome.initiated_twice += usize::from(!self.in_progress.insert(id));
        self.outcome.most_at_once = self.outcome.most_at_once.max(self.in_progress.len());
        self.log.add(Event::Heard { process, id });
        let frames = self.process(process).begin(id)?;
        self.put(process, frames);
        Ok(())
    }

    fn put(&mut self, from: Id, frames: Frames) {
        for (to, frame) in frames {
            self.channel(from, to).frames.push_back(frame);
        }
    }

    /// Takes the parts out if all are complete and no channel is half open, and checks them.
    fn collect(&mut self, id: SnapshotId) -> Result<(), Failure> {
        let open = self
            .channels
            .values()
            .all(|channel| channel.open_in && channel.open_out);
        if !open
            || !self
                .processes
                .values()
                .all(|process| process.is_complete(id))
        {
            return Ok(());
        }
        let hand_over = |(&name, process): (&Id, &mut Pr)| {
            (name, process.hand_over(id).expect("a complete part"))
        };
        let collected: Collected = self.processes.iter_mut().map(hand_over).collect();
        self.in_progress.remove(&id);
        audited(id, &collected)?;
        self.log.check(id, &collected, self.channels.keys())?;
        self.outcome.snapshots.insert(id, collected);
        Ok(())
    }

    /// Fails if a snapshot is still in progress; for when nothing can happen any more.
    fn completed(&self) -> Result<(), Failure> {
        for &id in &self.in_progress {
            for (&process, part) in &self.processes {
                if !part.is_complete(id) {
                    return Err(Failure::NeverCompletes { id, process });
                }
            }
        }
        Ok(())
    }
}

/// The audit, as an observer makes it: of what the processes handed over, and of nothing else.
fn audited(id: SnapshotId, collected: &Collected) -> Result<(), Failure> {
    let part = |part: &LocalSnapshot<Id, State, Message>| Part {
        sent: part.state.sent.clone(),
        received: part.state.received.clone(),
        channels: part.channels.clone(),
    };
    let parts = collected
        .iter()
        .map(|(&process, local)| (process, part(local)))
        .collect();
    audit(&parts, |message: &Message| message.tokens)
        .map_err(|violation| Failure::Audit { id, violation })
}
