//! A small bank that lasts, as a state and the steps that it can take: real nodes, which are restored from
//! their journals. Around them is what master, the observer and the kernel do, step by step.
//!
//! A frame is in the outbox of its sender, then in a pipe. A channel one of whose ends was lost is laid anew:
//! there is a new pipe, which its receiver reads from some time on, and its sender writes into once it is
//! known what was received.

use std::sync::Arc;

use bank::account::Outgoing;
use bank::id::Place;
use bank::member::{Frame, Part};
use bank::messages::{Instruction, Order, Reply, Report};
use bank::node::{Effect, Input};
use snapshot::SnapshotId;

use super::super::judge::{Verdict, judge};
use super::bounds::{Bank, Bounds, Bug};
use super::process::{Complaint, Process, answers, log, sent};
use super::steps::{Step, What};

/// The state of the whole. Processes are numbered from 0: that is their place.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct World {
    /// Shared with the state before, unless changed since.
    pub(crate) processes: Vec<Arc<Process>>,
    /// From process × to process, row by row.
    pub(super) channels: Vec<Channel>,
    /// Those that have begun.
    pub(crate) snapshots: Vec<Collection>,
    /// How many deaths there may still be: of processes, of the observer.
    pub(super) deaths: [usize; 2],
    /// What went wrong.
    pub(crate) complaint: Option<Complaint>,
}

/// A channel, whose pipes are numbered as they are laid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Channel {
    /// The last pipe that was laid.
    laid: u64,
    /// Which pipe its receiver reads, if any …
    reads: Option<u64>,
    /// … and its sender writes into. Where they are not the same, nobody reads what is written.
    writes: Option<u64>,
    /// What is in the pipe that is read, and behind it in the sender's outbox for it.
    pub(super) frames: Vec<Frame>,
    /// How many of them are in the pipe.
    pub(super) in_pipe: usize,
    /// Pipes that the receiver is to read, on their way to it.
    pub(super) to_read: Vec<u64>,
    /// Those that the sender is to write into, with what was received.
    pub(super) to_write: Vec<(u64, u64)>,
    /// Of which pipe master wants to hear what was received before.
    pub(super) awaited: Option<u64>,
}

/// How far the observer and master are with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Collection {
    InProgress,
    /// All were complete when asked; this many, the first, have handed over.
    Collecting(Vec<Part>),
    /// Master has it.
    Judged(Verdict),
}

impl Bank {
    pub(crate) fn beginning(&self) -> World {
        let everybody = 0..self.bounds.processes;
        let process = |at: usize| {
            let outgoing = everybody.clone().filter(|&to| self.has(at, to));
            let incoming = everybody.clone().filter(|&from| self.has(from, at));
            let (outgoing, incoming): (Vec<_>, Vec<_>) = (outgoing.collect(), incoming.collect());
            Arc::new(Process::new(at, &outgoing, &incoming).expect("it begins"))
        };
        let channel = Channel {
            reads: Some(0),
            writes: Some(0),
            ..Channel::default()
        };
        World {
            processes: everybody.clone().map(process).collect(),
            channels: vec![channel; self.bounds.processes * self.bounds.processes],
            snapshots: Vec::new(),
            deaths: [self.bounds.deaths, self.bounds.observers],
            complaint: None,
        }
    }

    /// What becomes of the world.
    pub(crate) fn take(&self, world: &World, step: Step) -> World {
        let mut world = world.clone();
        if let Err(complaint) = self.try_to_take(&mut world, step) {
            world.complaint = Some(complaint);
        }
        world
    }

    fn try_to_take(&self, world: &mut World, step: Step) -> Result<(), Complaint> {
        match step {
            Step::Instruct { at, what } => {
                let instruction = self.instruct(world, at, what);
                let process = world.process(at);
                process.in_flight.push(instruction);
                process.unread += 1;
                let effects = process.read()?;
                self.carry_out(world, at, effects)?;
            }
            Step::Read { at } => {
                let effects = world.process(at).read()?;
                self.carry_out(world, at, effects)?;
            }
            Step::Order { at } => {
                let effects = world.process(at).obey()?;
                self.carry_out(world, at, effects)?;
            }
            Step::Take { at } => {
                let undone = world.processes[at].undone().first();
                let Some(&Instruction::Receive { from }) = undone else {
                    return Err("nothing was asked for".to_owned());
                };
                let channel = &mut world.channels[self.channel(from.index(), at)];
                channel.in_pipe -= 1;
                let frame = channel.frames.remove(0);
                let effects = world.process(at).step(Input::Frame(frame))?;
                self.carry_out(world, at, effects)?;
            }
            Step::Keep { at } => world.process(at).keep(),
            Step::Hear { at } => self.hear(world, at)?,
            Step::Put { from, to } => world.channels[self.channel(from, to)].in_pipe += 1,
            Step::Laid { from, to } => {
                let channel = &mut world.channels[self.channel(from, to)];
                let laying = channel.to_read.remove(0);
                channel.reads = Some(laying);
                if self.bug != Some(Bug::OldPipeRead) {
                    channel.frames.clear();
                    channel.in_pipe = 0;
                }
                let process = world.process(to);
                process.step(Input::Laid(Place::at(from), laying))?;
                let said = process.replies.pop();
                self.hear_received(world, to, said)?;
            }
            Step::Attached { from, to } => {
                let channel = &mut world.channels[self.channel(from, to)];
                let (laying, received) = channel.to_write.remove(0);
                channel.writes = Some(laying);
                let process = world.process(from);
                let effects = process.step(Input::Attached(Place::at(to), received))?;
                self.carry_out(world, from, effects)?;
            }
            Step::Give { at, snapshot } => self.give(world, at, snapshot)?,
            Step::Collected { snapshot } => {
                if let Collection::Collecting(parts) = &world.snapshots[snapshot] {
                    let id = SnapshotId(snapshot as u64 + 1);
                    let verdict = judge(id, parts, &self.past(world)?);
                    world.snapshots[snapshot] = Collection::Judged(verdict);
                }
            }
            Step::Die { at } => self.die(world, at),
            Step::Restart { at } => self.restart(world, at)?,
            Step::ObserverDies => {
                world.deaths[1] -= 1;
                for collection in &mut world.snapshots {
                    if let Collection::Collecting(_) = collection {
                        *collection = Collection::InProgress;
                    }
                }
                for at in 0..world.processes.len() {
                    world.process(at).order_again();
                }
            }
        }
        Ok(())
    }

    fn instruct(&self, world: &mut World, at: usize, what: What) -> Instruction {
        match what {
            What::Send { to } => {
                let process = world.process(at);
                let amount = process.next_amount(at);
                process.transfers += 1;
                let to = Place::at(to);
                Instruction::Send { to, amount }
            }
            What::Receive { from } => Instruction::Receive {
                from: Place::at(from),
            },
            What::Begin => {
                world.snapshots.push(Collection::InProgress);
                let snapshot = SnapshotId(world.snapshots.len() as u64);
                world.process(at).orders.push(snapshot);
                Instruction::AwaitTake { snapshot }
            }
            What::Forget { snapshot } => {
                let snapshot = SnapshotId(snapshot as u64 + 1);
                let (first, last) = (snapshot, snapshot);
                Instruction::Forget { first, last }
            }
        }
    }

    /// What a node wants done about its channels.
    fn carry_out(
        &self,
        world: &mut World,
        at: usize,
        effects: Vec<Effect>,
    ) -> Result<(), Complaint> {
        for effect in effects {
            match effect {
                Effect::Frame(to, frame) => self.enqueue(world, at, to, frame),
                Effect::SendAgain(to, received) => {
                    // Whatever it has done is in the journal before that is gone through.
                    world.process(at).keep_all();
                    for frame in world.processes[at].frames_behind(at, to, received)? {
                        self.enqueue(world, at, to, frame);
                    }
                }
                other => return Err(format!("nobody asked for this: {other:?}")),
            }
        }
        Ok(())
    }

    fn enqueue(&self, world: &mut World, at: usize, to: Outgoing, frame: Frame) {
        let Some(node) = &world.processes[at].node else {
            return;
        };
        let to = node.member().account().outgoing()[to.0].peer;
        let channel = &mut world.channels[self.channel(at, to.index())];
        if channel.writes.is_some() && channel.writes == channel.reads {
            channel.frames.push(frame);
        }
    }

    fn hear(&self, world: &mut World, at: usize) -> Result<(), Complaint> {
        let process = world.process(at);
        let (reply, answered) = (&process.replies[0], process.answered);
        match process.kept().get(answered) {
            Some(record) if answers(reply, record) => {
                process.hear_reply();
                Ok(())
            }
            kept => Err(format!("{reply:?} answers {kept:?}")),
        }
    }

    /// Once it is known what was received, the sender gets its end of the pipe that was laid last.
    fn hear_received(
        &self,
        world: &mut World,
        to: usize,
        said: Option<Reply>,
    ) -> Result<(), Complaint> {
        let Some(Reply::Received {
            from,
            laying,
            frames,
        }) = said
        else {
            return Err(format!("nobody asked for this: {said:?}"));
        };
        let from = from.index();
        let is_alive = world.processes[from].is_alive();
        let channel = &mut world.channels[self.channel(from, to)];
        if channel.awaited == Some(laying) {
            channel.awaited = None;
            // To the dead nothing is handed over.
            channel
                .to_write
                .extend(is_alive.then_some((laying, frames)));
        }
        Ok(())
    }

    /// A node is asked whether its part is complete, and for the part: each as often as may be.
    fn give(&self, world: &mut World, at: usize, snapshot: usize) -> Result<(), Complaint> {
        let id = SnapshotId(snapshot as u64 + 1);
        let process = world.process(at);
        let asked = process.step(Input::Order(Order::Ask { snapshot: id }))?;
        let part = process.node.as_ref().and_then(|it| it.member().part(id));
        let given = process.step(Input::Order(Order::Give { snapshot: id }))?;
        let whole = Effect::Report(Report::Given { complete: true });
        if asked != [Effect::Report(Report::Asked)] || given.last() != Some(&whole) {
            return Err(format!("asked: {asked:?}; given: {given:?}"));
        }
        if let Collection::InProgress = world.snapshots[snapshot] {
            world.snapshots[snapshot] = Collection::Collecting(Vec::new());
        }
        if let Collection::Collecting(parts) = &mut world.snapshots[snapshot] {
            parts.extend(part);
        }
        Ok(())
    }

    fn die(&self, world: &mut World, at: usize) {
        world.deaths[0] -= 1;
        world.process(at).die();
        for peer in 0..world.processes.len() {
            // What it has put into pipes stays there to be taken.
            let outgoing = &mut world.channels[self.channel(at, peer)];
            outgoing.frames.truncate(outgoing.in_pipe);
            outgoing.writes = None;
            outgoing.to_write.clear();
            let incoming = &mut world.channels[self.channel(peer, at)];
            incoming.frames.clear();
            incoming.in_pipe = 0;
            incoming.reads = None;
            incoming.to_read.clear();
        }
    }

    fn restart(&self, world: &mut World, at: usize) -> Result<(), Complaint> {
        let process = world.process(at);
        process.restart(at)?;
        if self.bug == Some(Bug::TakesNotRepeated) {
            process.orders.clear();
        }
        for peer in 0..world.processes.len() {
            if !world.processes[peer].is_alive() {
                continue; // They are laid when it comes back.
            }
            for (from, to) in [(at, peer), (peer, at)] {
                if self.has(from, to) {
                    let channel = &mut world.channels[self.channel(from, to)];
                    channel.laid += 1;
                    channel.awaited = Some(channel.laid);
                    channel.to_read.push(channel.laid);
                    if self.bug == Some(Bug::NobodyAsksWhatWasReceived) {
                        let frames = sent(&log(world.processes[from].kept()), to).len() as u64;
                        channel.awaited = None;
                        channel.to_write.push((channel.laid, frames));
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn channel(&self, from: usize, to: usize) -> usize {
        from * self.bounds.processes + to
    }

    pub(super) fn has(&self, from: usize, to: usize) -> bool {
        let Bounds {
            shape, processes, ..
        } = self.bounds;
        from != to && shape.has(from, to, processes, true)
    }
}

impl World {
    fn process(&mut self, at: usize) -> &mut Process {
        Arc::make_mut(&mut self.processes[at])
    }
}
