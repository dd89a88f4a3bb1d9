//! Lines that are in no order in which the events can have happened, put into one.
//!
//! Logs of processes that were merged anyhow have each process's lines in its own order, and perhaps a
//! receipt before its sending. What can have happened next is found by trying: the first line of each
//! process's that waits for nothing. What is outside of all processes is a process of its own here.
//!
//! An order has more in it than what depends on what: a process that was created, or a channel that was
//! opened, before a snapshot was collected belongs to it. So both happen as late as they can, when nobody
//! gets on without; and a snapshot is collected when nobody gets on otherwise.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::running::Running;
use crate::event::{Channel, Event, ProcessId, SnapshotId, What};

/// A system of which a line came that has to wait for a later one: how it stood before, and the events
/// since then, in the order of their lines.
#[derive(Debug)]
pub(super) struct Waiting {
    before: Running,
    events: Vec<(Event, u64)>,
}

/// The first two lines that are taken the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// A line of the history that is taken later.
    pub line: u64,
    /// The line after which it is.
    pub after: u64,
}

/// Where something happens: outside of all processes, or at one.
type Lane = Option<ProcessId>;

impl Waiting {
    pub(super) fn new(before: Running, events: Vec<(Event, u64)>) -> Self {
        Self { before, events }
    }

    pub(super) fn push(&mut self, event: Event, line: u64) {
        self.events.push((event, line));
    }

    /// Replays the events in an order in which they can have happened, as near to that of the lines as
    /// it gets; where there is none, until nothing can happen next. Returns how the system stands then.
    ///
    /// Where everything can have happened in the lines' order, and only something was collected before
    /// it was recorded, another order is taken only where nothing is wrong in it.
    pub(super) fn release(self) -> (Running, Option<Moved>) {
        let as_written = self.as_written();
        let mut running = self.before;
        let mut order = Order::new(&self.events);
        order.run(&mut running);
        running.settle();
        match as_written {
            Some(as_written) if running.is_wrong() => (as_written, None),
            _ => (running, order.moved),
        }
    }

    /// How the system stands after the events in the lines' order, if they can have happened in that.
    fn as_written(&self) -> Option<Running> {
        let mut running = self.before.clone();
        for (event, line) in &self.events {
            let is_collected = matches!(event.what, What::Collect { .. });
            if !is_collected && running.must_wait(&event.what) {
                return None;
            }
            running.on_event(event, *line);
        }
        Some(running)
    }
}

/// A lane, before it the place of its first event: the lines' order decides between two that may go on.
type Head = (usize, Lane);

struct Order<'a> {
    events: &'a [(Event, u64)],
    /// How many of them are left.
    left: usize,
    /// How many of these are steps of each snapshot, which come before it is collected, and where.
    steps: BTreeMap<SnapshotId, BTreeMap<Lane, usize>>,
    lanes: BTreeMap<Lane, VecDeque<usize>>,
    ready: BTreeSet<Head>,
    /// Those that create a process or open a channel.
    later: BTreeSet<Head>,
    /// Those that wait for another.
    blocked: BTreeSet<Head>,
    /// The last event in the lines' order that was replayed.
    last: usize,
    moved: Option<Moved>,
}

impl<'a> Order<'a> {
    fn new(events: &'a [(Event, u64)]) -> Self {
        let mut order = Self {
            events,
            left: events.len(),
            steps: BTreeMap::new(),
            lanes: BTreeMap::new(),
            ready: BTreeSet::new(),
            later: BTreeSet::new(),
            blocked: BTreeSet::new(),
            last: 0,
            moved: None,
        };
        for (index, (event, _)) in events.iter().enumerate() {
            let lane = order.lanes.entry(event.what.process()).or_default();
            lane.push_back(index);
            if let Some(snapshot) = step_of(&event.what) {
                let of_snapshot = order.steps.entry(snapshot).or_default();
                *of_snapshot.entry(event.what.process()).or_default() += 1;
            }
        }
        let lanes: Vec<Lane> = order.lanes.keys().copied().collect();
        for lane in lanes {
            order.queue(lane);
        }
        order
    }

    fn run(&mut self, running: &mut Running) {
        while let Some(head) = self.next(running) {
            self.replay(head, running);
        }
    }

    /// What happens next.
    fn next(&mut self, running: &Running) -> Option<Head> {
        let outside = self.outside();
        if let Some((index, _)) = outside
            && matches!(self.what(index), What::Start { .. })
        {
            return outside;
        }
        while let Some(head) = self.ready.pop_first() {
            match running.must_wait(self.what(head.0)) {
                true => drop(self.blocked.insert(head)),
                false => return Some(head),
            }
        }
        if outside.is_some_and(|(index, _)| self.is_due(index, running)) {
            return outside;
        }
        let needed = self.needed();
        let possible = |(index, _): &&Head| !running.must_wait(self.what(*index));
        let mut possible = self.later.iter().filter(possible);
        let is_needed = |(_, lane): &&Head| needed.contains(lane);
        let head = possible.clone().find(is_needed).or(possible.next());
        if let Some(&head) = head {
            self.later.remove(&head);
            return Some(head);
        }
        // There is no order: one of these cannot happen, or is collected too early.
        let stuck = self.blocked.iter().chain(&self.later).chain(&outside);
        let first = *stuck.min()?;
        self.blocked.remove(&first);
        self.later.remove(&first);
        Some(first)
    }

    fn what(&self, index: usize) -> &'a What {
        &self.events[index].0.what
    }

    /// What is first outside of all processes.
    fn outside(&self) -> Option<Head> {
        let first = self.lanes.get(&None)?.front()?;
        Some((*first, None))
    }

    /// Where something has to happen before the next snapshot can be collected, as far as can be seen.
    fn needed(&self) -> BTreeSet<Lane> {
        let Some((index, _)) = self.outside() else {
            return BTreeSet::new();
        };
        let What::Collect {
            snapshot, states, ..
        } = self.what(index)
        else {
            return BTreeSet::new();
        };
        let mut open: Vec<Lane> = match self.steps.get(snapshot) {
            Some(steps) => steps.keys().copied().collect(),
            None => states.iter().map(|state| Some(state.process)).collect(),
        };
        let mut needed = BTreeSet::new();
        while let Some(lane) = open.pop() {
            if !needed.insert(lane) {
                continue;
            }
            let first = self.lanes.get(&lane).and_then(VecDeque::front);
            match first.map(|first| self.what(*first)) {
                Some(What::Receive { channel, .. } | What::MarkerReceived { channel, .. }) => {
                    open.push(Some(channel.from));
                }
                Some(
                    What::Send { channel, .. }
                    | What::MarkerSent { channel, .. }
                    | What::Refuse { channel, .. }
                    | What::Connect { channel },
                ) => open.push(Some(channel.to)),
                _ => {}
            }
        }
        needed
    }

    /// Whether what is first outside of all processes may happen, when nobody gets on otherwise.
    fn is_due(&self, index: usize, running: &Running) -> bool {
        match self.what(index) {
            What::End => self.left == 1,
            What::Collect {
                snapshot, states, ..
            } => !self.steps.contains_key(snapshot) && running.have_begun(states),
            _ => true,
        }
    }

    /// Puts a lane where it belongs; that outside of all processes is nowhere.
    fn queue(&mut self, lane: Lane) {
        let first = self.lanes.get(&lane).and_then(VecDeque::front);
        let (Some(&first), Some(_)) = (first, lane) else {
            return;
        };
        match self.what(first) {
            What::Create { .. } | What::Connect { .. } => self.later.insert((first, lane)),
            _ => self.ready.insert((first, lane)),
        };
    }

    fn replay(&mut self, (index, lane): Head, running: &mut Running) {
        let (event, line) = &self.events[index];
        match index < self.last {
            true => {
                let after = self.events[self.last].1;
                self.moved.get_or_insert(Moved { line: *line, after });
            }
            false => self.last = index,
        }
        running.on_event(event, *line);
        self.left -= 1;
        if let Some(snapshot) = step_of(&event.what) {
            self.step(snapshot, lane);
        }
        self.lanes.entry(lane).or_default().pop_front();
        self.queue(lane);
        match event.what {
            What::Send { channel, .. } | What::MarkerSent { channel, .. } => self.wake(channel),
            What::Create { .. } => self.ready.append(&mut self.blocked),
            _ => {}
        }
    }

    /// A step of a snapshot is taken.
    fn step(&mut self, snapshot: SnapshotId, lane: Lane) {
        let Entry::Occupied(mut steps) = self.steps.entry(snapshot) else {
            return;
        };
        if let Entry::Occupied(mut here) = steps.get_mut().entry(lane) {
            *here.get_mut() -= 1;
            if *here.get() == 0 {
                here.remove();
            }
        }
        if steps.get().is_empty() {
            steps.remove();
        }
    }

    /// Something is on a channel: whoever reads it may have waited for that.
    fn wake(&mut self, channel: Channel) {
        let lane = Some(channel.to);
        let first = self.lanes.get(&lane).and_then(VecDeque::front);
        if let Some(&first) = first
            && self.blocked.remove(&(first, lane))
        {
            self.ready.insert((first, lane));
        }
    }
}

/// The snapshot of which it is a step, at a process.
fn step_of(what: &What) -> Option<SnapshotId> {
    what.process().and_then(|_| what.snapshot())
}
