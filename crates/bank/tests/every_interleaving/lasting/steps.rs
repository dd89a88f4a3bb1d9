//! What can happen next to a bank that lasts.

use std::sync::Arc;

use bank::id::Place;
use bank::messages::Instruction;
use snapshot::SnapshotId;

use super::super::bounds::Shape;
use super::bounds::{Bank, Bug};
use super::process::{Process, sent};
use super::world::{Collection, World};

/// What master has a process do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Send { to: usize },
    Receive { from: usize },
    Begin,
    Forget { snapshot: usize },
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Master instructs a process, which does what can be done at once.
    Instruct { at: usize, what: What },
    /// A process that has come back is instructed again.
    Read { at: usize },
    /// The observer's order to take a snapshot reaches a process.
    Order { at: usize },
    /// A process has the frame that it waits for.
    Take { at: usize },
    /// A process keeps the next of what it has done.
    Keep { at: usize },
    /// Master hears the next word of a process.
    Hear { at: usize },
    /// One frame goes from the outbox into the pipe.
    Put { from: usize, to: usize },
    /// A receiver has its end of a new pipe, and master hears what it has received.
    Laid { from: usize, to: usize },
    /// A sender has.
    Attached { from: usize, to: usize },
    /// A process is asked for its part of a snapshot, and hands it over.
    Give { at: usize, snapshot: usize },
    /// Master hears of a snapshot that is whole.
    Collected { snapshot: usize },
    /// A process dies …
    Die { at: usize },
    /// … and is started again.
    Restart { at: usize },
    /// The observer dies and is started again.
    ObserverDies,
}

impl Bank {
    /// Whatever can happen now.
    pub(crate) fn steps(&self, world: &World, steps: &mut Vec<Step>) {
        if world.complaint.is_some() || self.is_over(world) {
            return;
        }
        for (at, process) in world.processes.iter().enumerate() {
            if !process.is_alive() {
                steps.push(Step::Restart { at });
                continue;
            }
            self.steps_of(world, at, process, steps);
            if world.deaths[0] > 0 {
                steps.push(Step::Die { at });
            }
        }
        for snapshot in 0..world.snapshots.len() {
            match &world.snapshots[snapshot] {
                Collection::Collecting(parts) if parts.len() == world.processes.len() => {
                    steps.push(Step::Collected { snapshot });
                }
                _ => steps.extend(self.gives_next(world, snapshot)),
            }
        }
        if world.deaths[1] > 0 && !world.snapshots.is_empty() {
            steps.push(Step::ObserverDies);
        }
    }

    fn steps_of(&self, world: &World, at: usize, process: &Process, steps: &mut Vec<Step>) {
        if !process.unkept.is_empty() {
            // What else it could do now would be lost with it, or can be done when it is kept.
            steps.push(Step::Keep { at });
            if self.bug != Some(Bug::NothingHeldBack) {
                return;
            }
        }
        let is_ready = !process.is_waiting();
        if is_ready && process.unread > 0 {
            steps.push(Step::Read { at });
        } else if is_ready && process.in_flight.len() < self.bounds.window {
            let whats = self.instructions(world, at, process);
            steps.extend(whats.into_iter().map(|what| Step::Instruct { at, what }));
        }
        if !process.orders.is_empty() {
            steps.push(Step::Order { at });
        }
        if let Some(Instruction::Receive { from }) = process.undone().first()
            && process.is_waiting()
            && world.channels[self.channel(from.index(), at)].in_pipe > 0
        {
            steps.push(Step::Take { at });
        }
        if !process.replies.is_empty() {
            steps.push(Step::Hear { at });
        }
        for peer in (0..world.processes.len()).filter(|&peer| peer != at) {
            let outgoing = &world.channels[self.channel(at, peer)];
            if outgoing.in_pipe < self.bounds.pipe.min(outgoing.frames.len()) {
                steps.push(Step::Put { from: at, to: peer });
            }
            if !outgoing.to_write.is_empty() {
                steps.push(Step::Attached { from: at, to: peer });
            }
            if !world.channels[self.channel(peer, at)].to_read.is_empty() {
                steps.push(Step::Laid { from: peer, to: at });
            }
        }
    }

    /// What master may have a process do. It has it receive only what was sent.
    fn instructions(&self, world: &World, at: usize, process: &Process) -> Vec<What> {
        let mut whats = Vec::new();
        let account = process.node.as_ref().map(|node| node.member().account());
        let balance = account.map_or(0, |account| account.balance());
        let made: usize = world.processes.iter().map(|it| it.transfers).sum();
        // What is sent when all snapshots are with master has nothing to do with them.
        let judged = |it: &Collection| matches!(it, Collection::Judged(_));
        let late =
            world.snapshots.len() == self.bounds.snapshots && world.snapshots.iter().all(judged);
        let may_send = made < self.bounds.transfers && balance >= process.next_amount(at) && !late;
        for peer in 0..world.processes.len() {
            if may_send && self.has(at, peer) {
                whats.push(What::Send { to: peer });
            }
            let receive = Instruction::Receive {
                from: Place::at(peer),
            };
            let asked_for = process.undone().iter().filter(|it| **it == receive);
            let known = process.received(peer).count() + asked_for.count();
            if self.has(peer, at) && sent(&world.processes[peer].log(), at).len() > known {
                whats.push(What::Receive { from: peer });
            }
        }
        let all_begin = !matches!(self.bounds.shape, Shape::Chain | Shape::ChainBack);
        if world.snapshots.len() < self.bounds.snapshots && (at == 0 || all_begin) {
            whats.push(What::Begin);
        }
        for (snapshot, it) in world.snapshots.iter().enumerate() {
            if matches!(it, Collection::Judged(_))
                && !process.is_to_forget(SnapshotId(snapshot as u64 + 1))
            {
                whats.push(What::Forget { snapshot });
            }
        }
        whats
    }

    /// Whose part the observer takes next: of each in turn, once it has heard from all that they
    /// are complete, as soon as what that is about is kept.
    fn gives_next(&self, world: &World, snapshot: usize) -> Option<Step> {
        let id = SnapshotId(snapshot as u64 + 1);
        let at = match &world.snapshots[snapshot] {
            Collection::InProgress => {
                let is_complete = |process: &Arc<Process>| {
                    let waits = process.node.as_ref()?.member().waiting_for(id)?;
                    Some(process.has_kept_all() && waits.is_empty())
                };
                let mut everybody = world.processes.iter();
                let complete = everybody.all(|process| is_complete(process) == Some(true));
                complete.then_some(0)?
            }
            Collection::Collecting(parts) => parts.len(),
            Collection::Judged(_) => return None,
        };
        // Master asks for a collection once it has heard what came of everything before.
        let process = &world.processes[at];
        let gives = process.has_kept_all() && process.in_flight.is_empty();
        gives.then_some(Step::Give { at, snapshot })
    }
}
