//! A small bank as a state and the steps it can take: real members, channels of bounded size, and
//! an observer. Nothing is decided here that a node decides: this is what its process does around
//! the member, one frame at a time, and what master and the observer do around that.

use std::sync::Arc;

use bank::account::{Incoming, Outgoing, Transfer};
use bank::id::Place;
use bank::member::{Frame, Member, Part};
use snapshot::{Markers, SnapshotId};

use super::bounds::{Bounds, Bug, Shape};
use super::judge::{Event, Past, Verdict, deposit, judge, messages};

/// The bank within its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bank {
    pub(crate) bounds: Bounds,
    pub(crate) bug: Option<Bug>,
}

/// The state of the whole. Processes are numbered from 0: that is their place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Who has joined; shared with the state before, unless changed since.
    pub(crate) processes: Vec<Arc<Process>>,
    /// From process × to process, row by row, for all that may ever join.
    pub(crate) channels: Vec<Channel>,
    /// Those that have begun.
    pub(crate) snapshots: Vec<Collection>,
    /// The channel that opens late is there.
    late: bool,
    /// A member refused what the algorithm says it must take.
    pub(crate) refused: bool,
}

/// One process: the real member and, beside it, what has really happened there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) member: Member,
    pub(crate) alive: bool,
    /// Its events in order. The judge knows nothing but these.
    pub(crate) log: Vec<Event>,
    /// With [`Bug::MarkersLater`]: what should have been sent before anything else.
    late: Vec<SnapshotId>,
}

/// Frames on their way from one process to another, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Channel {
    pub(crate) frames: Vec<Frame>,
    /// How many of them are in the pipe. The others are in the sender's outbox and die with it.
    in_pipe: usize,
}

/// How far the observer is with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Collection {
    InProgress,
    /// All were complete when asked; this many, the first, have handed over.
    Collecting(Vec<Part>),
    Judged(Verdict),
}

/// One step. What a node does in one go is one step; what can be interrupted is several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A member withdraws and its process enqueues.
    Transfer { from: usize, to: usize },
    /// One frame goes from the outbox into the pipe.
    Put { from: usize, to: usize },
    /// One frame is taken from the pipe.
    Take { from: usize, to: usize },
    /// A process begins the next snapshot.
    Begin { at: usize },
    /// The next process starts, without channels.
    Join,
    /// The channel that opens late is made.
    Connect,
    /// A process opens its ends of the channels between it and another.
    Open { at: usize, peer: usize },
    /// A process hands its part to the observer.
    Give { at: usize, snapshot: usize },
    /// A process is no more.
    Crash { at: usize },
    /// With [`Bug::MarkersLater`] only.
    SendLate { at: usize },
}

impl Bank {
    pub(crate) fn beginning(&self) -> World {
        let size = self.most();
        let mut world = World {
            processes: Vec::new(),
            channels: vec![Channel::default(); size * size],
            snapshots: Vec::new(),
            late: false,
            refused: false,
        };
        for _ in 0..self.bounds.founders {
            self.join(&mut world);
        }
        for at in 0..self.bounds.founders {
            for peer in (0..self.bounds.founders).filter(|&peer| peer != at) {
                self.open(&mut world, at, peer);
            }
        }
        world
    }

    /// Whatever can happen now.
    pub(crate) fn steps(&self, world: &World, steps: &mut Vec<Step>) {
        let judged = |it: &Collection| matches!(it, Collection::Judged(_));
        let all_begun = world.snapshots.len() == self.bounds.snapshots;
        if world.refused || (all_begun && world.snapshots.iter().all(judged)) {
            return; // What comes now has nothing to do with snapshots.
        }
        let living = world.processes.iter().filter(|it| it.alive).count();
        let may_crash = world.processes.len() - living < self.bounds.crashes;
        let may_send = world.transfers() < self.bounds.transfers;
        for (at, process) in world.processes.iter().enumerate() {
            if !process.alive {
                continue;
            }
            for peer in (0..world.processes.len()).filter(|&peer| peer != at) {
                let (from, to) = (at, peer);
                if !self.is_open(world, at, peer) {
                    steps.push(Step::Open { at, peer });
                    continue;
                }
                let can_send = self.has(world, from, to) && process.can_send(at);
                if may_send && world.processes[to].alive && can_send {
                    steps.push(Step::Transfer { from, to });
                }
                let outgoing = &world.channels[self.channel(from, to)];
                let room = self.bounds.pipe.unwrap_or(usize::MAX);
                if outgoing.in_pipe < outgoing.frames.len().min(room) {
                    steps.push(Step::Put { from, to });
                }
                if world.channels[self.channel(peer, at)].in_pipe > 0 {
                    steps.push(Step::Take { from: peer, to: at });
                }
            }
            if !all_begun && (at == 0 || self.everybody_begins()) {
                steps.push(Step::Begin { at });
            }
            if may_crash {
                steps.push(Step::Crash { at });
            }
            if !process.late.is_empty() {
                steps.push(Step::SendLate { at });
            }
        }
        let collecting = |it: &Collection| matches!(it, Collection::Collecting(_));
        if !world.snapshots.iter().any(collecting) {
            if world.processes.len() < self.most() {
                steps.push(Step::Join);
            }
            if self.bounds.shape == Shape::LateRing && !world.late {
                steps.push(Step::Connect);
            }
        }
        for snapshot in 0..world.snapshots.len() {
            if let Some(at) = self.gives_next(world, snapshot) {
                steps.push(Step::Give { at, snapshot });
            }
        }
    }

    /// What becomes of the world.
    pub(crate) fn take(&self, world: &World, step: Step) -> World {
        let mut world = world.clone();
        match step {
            Step::Transfer { from, to } => self.transfer(&mut world, from, to),
            Step::Put { from, to } => world.channels[self.channel(from, to)].in_pipe += 1,
            Step::Take { from, to } => self.receive(&mut world, from, to),
            Step::Begin { at } => {
                let id = SnapshotId(world.snapshots.len() as u64 + 1);
                world.snapshots.push(Collection::InProgress);
                match world.process(at).member.begin(id) {
                    Ok(markers) => self.recorded(&mut world, at, markers),
                    Err(_) => world.refused = true,
                }
            }
            Step::Join => self.join(&mut world),
            Step::Connect => world.late = true,
            Step::Open { at, peer } => self.open(&mut world, at, peer),
            Step::Give { at, snapshot } => self.give(&mut world, at, snapshot),
            Step::Crash { at } => self.crash(&mut world, at),
            Step::SendLate { at } => {
                for id in std::mem::take(&mut world.process(at).late) {
                    self.broadcast(&mut world, at, id);
                }
            }
        }
        world
    }

    fn transfer(&self, world: &mut World, from: usize, to: usize) {
        let process = world.process(from);
        let amount = process.next_amount(from);
        let channel = process.outgoing(to);
        match process.member.send(channel, amount) {
            Some(frame) => {
                process.log.push(Event::Sent { to, amount });
                self.enqueue(world, from, to, frame);
            }
            None => world.refused = true,
        }
    }

    fn receive(&self, world: &mut World, from: usize, to: usize) {
        let channel = &mut world.channels[self.channel(from, to)];
        channel.in_pipe -= 1;
        let frame = channel.frames.remove(0);
        let process = world.process(to);
        let channel = process.incoming(from);
        let received = process.member.receive(channel, [frame]);
        if let Frame::Message(Transfer(amount)) = frame {
            process.log.push(Event::Received { from, amount });
        }
        match received {
            Ok(marker) => {
                if let Some(markers) = marker.and_then(|marker| marker.relay) {
                    self.recorded(world, to, markers);
                }
            }
            Err(_) => world.refused = true,
        }
    }

    fn recorded(&self, world: &mut World, at: usize, markers: Markers) {
        let process = world.process(at);
        process.log.push(Event::Recorded(markers.id()));
        if self.bug == Some(Bug::MarkersLater) {
            process.late.push(markers.id());
        } else {
            self.broadcast(world, at, markers.id());
        }
    }

    /// The marker-sending rule: into every outbox, before anything else.
    fn broadcast(&self, world: &mut World, at: usize, id: SnapshotId) {
        let sends = |peer: &usize| world.processes[at].sends_to(*peer);
        let mut peers: Vec<usize> = (0..world.processes.len()).filter(sends).collect();
        if self.bug == Some(Bug::OneMarkerMissing) {
            peers.pop();
        }
        for peer in peers {
            self.enqueue(world, at, peer, Frame::Marker(id));
        }
    }

    fn enqueue(&self, world: &mut World, from: usize, to: usize, frame: Frame) {
        if world.processes[to].alive {
            let channel = &mut world.channels[self.channel(from, to)];
            channel.frames.push(frame);
            channel.in_pipe += usize::from(self.bounds.pipe.is_none());
        }
    }

    fn join(&self, world: &mut World) {
        let deposit = deposit(world.processes.len());
        world.processes.push(Arc::new(Process {
            member: Member::new(deposit),
            alive: true,
            log: Vec::new(),
            late: Vec::new(),
        }));
    }

    fn open(&self, world: &mut World, at: usize, peer: usize) {
        let (comes, goes) = (self.has(world, peer, at), self.has(world, at, peer));
        let (member, mut owed) = (&mut world.process(at).member, Vec::new());
        if comes {
            member.open_in(Place::at(peer));
        }
        if goes {
            owed = member.open_out(Place::at(peer));
        }
        if self.bug == Some(Bug::OwedMarkersForgotten) {
            return;
        }
        for frame in owed {
            self.enqueue(world, at, peer, frame);
        }
    }

    fn give(&self, world: &mut World, at: usize, snapshot: usize) {
        let id = SnapshotId(snapshot as u64 + 1);
        let Some(part) = world.process(at).member.hand_over(id) else {
            world.refused = true;
            return;
        };
        let mut parts = match &mut world.snapshots[snapshot] {
            Collection::Collecting(parts) => std::mem::take(parts),
            _ => Vec::new(),
        };
        parts.push(part);
        world.snapshots[snapshot] = if parts.len() == world.processes.len() {
            let verdict = judge(id, &parts, &self.past(world));
            Collection::Judged(verdict)
        } else {
            Collection::Collecting(parts)
        };
    }

    fn past(&self, world: &World) -> Past {
        let everybody = 0..world.processes.len();
        let pairs = everybody
            .clone()
            .flat_map(|from| everybody.clone().map(move |to| (from, to)));
        let channels = pairs.filter(|(from, to)| self.has(world, *from, *to));
        let balance = |it: &Arc<Process>| it.alive.then(|| it.member.account().balance());
        Past {
            logs: world.processes.iter().map(|it| it.log.clone()).collect(),
            balances: world.processes.iter().map(balance).collect(),
            channels: channels
                .map(|(from, to)| {
                    let frames = &world.channels[self.channel(from, to)].frames;
                    ((from, to), messages(frames))
                })
                .collect(),
        }
    }

    /// What is in its outboxes dies with it, and what is on the way to it will never be read; what
    /// it has put into pipes stays there to be taken.
    fn crash(&self, world: &mut World, at: usize) {
        world.process(at).alive = false;
        for peer in 0..world.processes.len() {
            let outgoing = &mut world.channels[self.channel(at, peer)];
            outgoing.frames.truncate(outgoing.in_pipe);
            world.channels[self.channel(peer, at)] = Channel::default();
        }
    }

    /// As many processes as there may ever be.
    fn most(&self) -> usize {
        self.bounds.founders + self.bounds.joiners
    }

    fn channel(&self, from: usize, to: usize) -> usize {
        from * self.most() + to
    }

    /// Whether there is a channel, its ends open or not.
    fn has(&self, world: &World, from: usize, to: usize) -> bool {
        self.bounds.shape.has(from, to, self.most(), world.late)
    }

    fn everybody_begins(&self) -> bool {
        !matches!(self.bounds.shape, Shape::Chain | Shape::ChainBack)
    }

    /// Whether a process has opened all ends that it has between it and another.
    fn is_open(&self, world: &World, at: usize, peer: usize) -> bool {
        let process = &world.processes[at];
        (process.sends_to(peer) || !self.has(world, at, peer))
            && (process.receives_from(peer) || !self.has(world, peer, at))
    }

    /// Whose part the observer takes next: of each in turn, once it has heard from all that they
    /// are complete. It does not ask while a process is joining, for then channels are half open.
    fn gives_next(&self, world: &World, snapshot: usize) -> Option<usize> {
        let at = match &world.snapshots[snapshot] {
            Collection::InProgress => {
                let id = SnapshotId(snapshot as u64 + 1);
                let everybody = 0..world.processes.len();
                let complete = everybody.clone().all(|at| {
                    let process = &world.processes[at];
                    let waits = process.member.waiting_for(id);
                    let is_open = |peer| peer == at || self.is_open(world, at, peer);
                    process.alive
                        && everybody.clone().all(is_open)
                        && waits.is_some_and(|peers| peers.is_empty())
                });
                complete.then_some(0)?
            }
            Collection::Collecting(parts) => parts.len(),
            Collection::Judged(_) => return None,
        };
        world.processes[at].alive.then_some(at)
    }
}

impl World {
    fn process(&mut self, at: usize) -> &mut Process {
        Arc::make_mut(&mut self.processes[at])
    }

    fn transfers(&self) -> usize {
        self.processes.iter().map(|it| it.sent()).sum()
    }

    pub(crate) fn somebody_crashed(&self) -> bool {
        self.processes.iter().any(|process| !process.alive)
    }
}

impl Process {
    fn outgoing(&self, peer: usize) -> Outgoing {
        let ends = self.member.account().outgoing();
        let it = ends.iter().position(|end| end.peer == Place::at(peer));
        Outgoing(it.expect("an open channel"))
    }

    fn incoming(&self, peer: usize) -> Incoming {
        let ends = self.member.account().incoming();
        let it = ends.iter().position(|end| end.peer == Place::at(peer));
        Incoming(it.expect("an open channel"))
    }

    fn sends_to(&self, peer: usize) -> bool {
        let ends = self.member.account().outgoing();
        ends.iter().any(|end| end.peer == Place::at(peer))
    }

    fn receives_from(&self, peer: usize) -> bool {
        let ends = self.member.account().incoming();
        ends.iter().any(|end| end.peer == Place::at(peer))
    }

    fn sent(&self) -> usize {
        let sent = |event: &&Event| matches!(event, Event::Sent { .. });
        self.log.iter().filter(sent).count()
    }

    fn can_send(&self, at: usize) -> bool {
        self.member.account().balance() >= self.next_amount(at)
    }

    /// No two transfers are of the same amount, so that none can be taken for another.
    fn next_amount(&self, at: usize) -> u64 {
        10 * self.sent() as u64 + at as u64 + 1
    }
}
