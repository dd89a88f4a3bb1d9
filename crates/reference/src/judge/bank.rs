//! The bank as a judge follows it: everything is known but in what order a `ReceiveAll` delivered.
//!
//! It is one that lasts: a script without `RestartNode` prints the same in any.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::drain::{Drain, Queue};

/// A node or a channel, counted in the order of creation.
pub(super) type Index = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    Transfer(u64),
    /// Of the snapshot with this number.
    Marker(u64),
    /// Of the nth snapshot that a node recorded during a `ReceiveAll` in which it recorded several.
    /// The node sent it on a channel that was opened later, or to a node that was dead.
    Nth {
        drain: usize,
        node: Index,
        nth: usize,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) balance: u64,
    pub(super) dead: bool,
    pub(super) incoming: Vec<Index>,
    outgoing: Vec<Index>,
    /// Snapshots in progress, and the `ReceiveAll` during which each was recorded, if any. In order,
    /// but for those of one `ReceiveAll`.
    recorded: Vec<(u64, Option<usize>)>,
    /// How many messages wait on all its incoming channels.
    waiting: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) from: Index,
    pub(super) to: Index,
    pub(super) waiting: VecDeque<Frame>,
}

/// What one node has recorded for one snapshot.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// The balance, unless the node recorded during a `ReceiveAll`.
    pub(super) balance: Option<u64>,
    /// The `ReceiveAll` during which the node recorded, by its number.
    pub(super) drain: Option<usize>,
    pub(super) incoming: BTreeMap<Index, Recorded>,
}

/// The recorded state of a channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorded {
    /// The sum of what is certainly in it. What was left of the channel's queue in the `ReceiveAll`
    /// in which its receiver recorded comes on top.
    pub(super) known: u128,
    /// How many transfers of that queue came before the marker; `None` if the receiver did not
    /// record during a `ReceiveAll`, or the channel was opened later.
    pub(super) before_marker: Option<usize>,
    pub(super) closed: bool,
    /// What was received after the marker, until the snapshot was collected: no part of it.
    pub(super) after: u128,
}

/// The parts of a snapshot, by node.
pub(super) type Parts = BTreeMap<Index, Part>;

/// A snapshot that was collected.
#[derive(Debug, Clone)]
pub(super) struct Collected {
    pub(super) parts: Parts,
    /// In the order of printing.
    pub(super) nodes: Vec<Index>,
    pub(super) channels: Vec<Index>,
    pub(super) deposits: u128,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Bank {
    sparse: bool,
    index: HashMap<u64, Index>,
    pub(super) nodes: Vec<Node>,
    pub(super) channels: Vec<Channel>,
    between: HashMap<(Index, Index), Index>,
    /// Channels that open once both ends are alive.
    wanted: Vec<(Index, Index)>,
    deposits: u128,
    begun: u64,
    in_progress: BTreeMap<u64, Parts>,
    pub(super) collected: BTreeMap<u64, Collected>,
    pub(super) drains: Vec<Drain>,
}

impl Bank {
    pub(super) fn start(sparse: bool) -> Self {
        Self {
            sparse,
            ..Self::default()
        }
    }

    pub(super) fn node(&self, id: u64) -> Index {
        self.index[&id]
    }

    pub(super) fn channel(&self, from: u64, to: u64) -> Option<Index> {
        let ends = (*self.index.get(&from)?, *self.index.get(&to)?);
        self.between.get(&ends).copied()
    }

    pub(super) fn dead(&self, id: u64) -> bool {
        self.nodes[self.node(id)].dead
    }

    pub(super) fn create(&mut self, id: u64, deposit: u64) {
        let new = self.nodes.len();
        self.index.insert(id, new);
        self.deposits += u128::from(deposit);
        self.nodes.push(Node {
            id,
            balance: deposit,
            dead: false,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            recorded: Vec::new(),
            waiting: 0,
        });
        if !self.sparse {
            let pairs = (0..new).flat_map(|other| [(other, new), (new, other)]);
            self.wanted.extend(pairs);
        }
        self.open_wanted();
    }

    fn any_dead(&self) -> bool {
        self.nodes.iter().any(|node| node.dead)
    }

    pub(super) fn connect(&mut self, from: u64, to: u64) {
        self.wanted.push((self.node(from), self.node(to)));
        self.open_wanted();
    }

    fn open_wanted(&mut self) {
        for (from, to) in std::mem::take(&mut self.wanted) {
            match self.nodes[from].dead || self.nodes[to].dead {
                true => self.wanted.push((from, to)),
                false => self.open(from, to),
            }
        }
    }

    /// Whoever has recorded sends its markers first and waits for those of the other.
    fn open(&mut self, from: Index, to: Index) {
        let channel = self.channels.len();
        self.between.insert((from, to), channel);
        self.nodes[from].outgoing.push(channel);
        self.nodes[to].incoming.push(channel);
        for parts in self.in_progress.values_mut() {
            if let Some(part) = parts.get_mut(&to) {
                part.incoming.insert(channel, Recorded::default());
            }
        }
        let waiting = VecDeque::new();
        self.channels.push(Channel { from, to, waiting });
        self.push_markers(channel, 0);
    }

    /// The sender's markers, but for those of as many snapshots as it recorded first.
    fn push_markers(&mut self, channel: Index, but: usize) {
        let node = self.channels[channel].from;
        let recorded = self.nodes[node].recorded[but..].to_vec();
        for together in recorded.chunk_by(|one, next| one.1.is_some() && one.1 == next.1) {
            for (nth, &(number, drain)) in together.iter().enumerate() {
                let frame = match drain {
                    Some(drain) if together.len() > 1 => Frame::Nth { drain, node, nth },
                    _ => Frame::Marker(number),
                };
                self.push(channel, frame);
            }
        }
    }

    pub(super) fn kill(&mut self, id: u64) {
        let node = self.node(id);
        self.nodes[node].dead = true;
    }

    pub(super) fn restart(&mut self, id: u64) {
        let node = self.node(id);
        self.nodes[node].dead = false;
        self.open_wanted();
    }

    /// Whether the balance suffices.
    pub(super) fn send(&mut self, from: u64, to: u64, amount: u64) -> bool {
        let channel = self.between[&(self.node(from), self.node(to))];
        let sender = &mut self.nodes[self.channels[channel].from];
        if sender.balance < amount {
            return false;
        }
        sender.balance -= amount;
        self.push(channel, Frame::Transfer(amount));
        true
    }

    fn push(&mut self, channel: Index, frame: Frame) {
        let Channel { to, waiting, .. } = &mut self.channels[channel];
        waiting.push_back(frame);
        self.nodes[*to].waiting += 1;
    }

    /// The snapshots whose marker this can be: one, unless it is hidden which was recorded first.
    pub(super) fn snapshots(&self, frame: Frame) -> Vec<u64> {
        match frame {
            Frame::Transfer(_) => Vec::new(),
            Frame::Marker(number) => vec![number],
            Frame::Nth { drain, node, nth } => self.drains[drain].nth(node, nth),
        }
    }

    pub(super) fn anything_for(&self, id: u64) -> bool {
        self.nodes[self.node(id)].waiting > 0
    }

    pub(super) fn head(&self, channel: Index) -> Option<Frame> {
        self.channels[channel].waiting.front().copied()
    }

    /// The receiver takes the message at the head of a channel that is not empty.
    pub(super) fn receive(&mut self, channel: Index) {
        let Channel { to, waiting, .. } = &mut self.channels[channel];
        let to = *to;
        let Some(frame) = waiting.pop_front() else {
            return;
        };
        self.nodes[to].waiting -= 1;
        match frame {
            Frame::Transfer(amount) => {
                self.nodes[to].balance += amount;
                for parts in self.in_progress.values_mut() {
                    let part = parts.get_mut(&to);
                    if let Some(state) = part.and_then(|part| part.incoming.get_mut(&channel)) {
                        state.add(amount.into());
                    }
                }
            }
            Frame::Marker(_) | Frame::Nth { .. } => {
                let number = self.snapshots(frame)[0];
                if !self.in_progress[&number].contains_key(&to) {
                    self.record(number, to);
                }
                let part = self
                    .in_progress
                    .get_mut(&number)
                    .and_then(|parts| parts.get_mut(&to));
                if let Some(state) = part.and_then(|part| part.incoming.get_mut(&channel)) {
                    state.closed = true;
                }
            }
        }
    }

    fn record(&mut self, number: u64, node: Index) {
        self.nodes[node].recorded.push((number, None));
        let incoming = self.nodes[node].incoming.iter();
        let part = Part {
            balance: Some(self.nodes[node].balance),
            drain: None,
            incoming: incoming
                .map(|&channel| (channel, Recorded::default()))
                .collect(),
        };
        self.in_progress
            .entry(number)
            .or_default()
            .insert(node, part);
        for channel in self.nodes[node].outgoing.clone() {
            self.push(channel, Frame::Marker(number));
        }
    }

    /// Whether a snapshot has begun.
    pub(super) fn begin(&mut self, id: u64) -> bool {
        if self.any_dead() {
            return false;
        }
        self.begun += 1;
        self.record(self.begun, self.node(id));
        true
    }

    /// Collects all that has begun, if all of it is complete.
    pub(super) fn collect(&mut self) {
        let complete = |parts: &Parts| {
            let closed = |part: &Part| part.incoming.values().all(|state| state.closed);
            parts.len() == self.nodes.len() && parts.values().all(closed)
        };
        if self.any_dead() || !self.in_progress.values().all(complete) {
            return;
        }
        let id = |node: Index| self.nodes[node].id;
        let mut nodes: Vec<Index> = (0..self.nodes.len()).collect();
        nodes.sort_by_key(|&node| id(node));
        let mut channels: Vec<Index> = (0..self.channels.len()).collect();
        channels.sort_by_key(|&one| (id(self.channels[one].from), id(self.channels[one].to)));
        self.nodes.iter_mut().for_each(|node| node.recorded.clear());
        for (number, parts) in std::mem::take(&mut self.in_progress) {
            let collected = Collected {
                parts,
                nodes: nodes.clone(),
                channels: channels.clone(),
                deposits: self.deposits,
            };
            self.collected.insert(number, collected);
        }
    }

    /// Delivers everything. What is hidden is what a node that recorded meanwhile had received
    /// before.
    pub(super) fn receive_all(&mut self) {
        let recording = self.who_will_record();
        let hidden = recording.values().any(|nodes| !nodes.is_empty());
        let before: Vec<usize> = self.nodes.iter().map(|node| node.recorded.len()).collect();
        let drain = self.drains.len();
        if hidden {
            let new = self.drain(&recording);
            // Orders that are hidden there decide what comes first here.
            let with = new.earlier().flat_map(|one| self.drains[one].with.clone());
            let with: BTreeSet<usize> = with.chain([drain]).collect();
            self.drains.push(new);
            for &one in &with {
                self.drains[one].with.clone_from(&with);
            }
        }
        for (number, parts) in &mut self.in_progress {
            let new = &recording[number];
            for &node in new {
                let part = Part {
                    balance: None,
                    drain: hidden.then_some(drain),
                    incoming: BTreeMap::new(),
                };
                parts.insert(node, part);
                self.nodes[node]
                    .recorded
                    .push((*number, hidden.then_some(drain)));
            }
            for (&node, part) in parts.iter_mut() {
                if self.nodes[node].dead {
                    continue;
                }
                let new_here = new.contains(&node);
                for &channel in &self.nodes[node].incoming {
                    let from = self.channels[channel].from;
                    let queue = &self.channels[channel].waiting;
                    let state = part.incoming.entry(channel).or_default();
                    let mut before_marker = 0;
                    for &frame in queue {
                        match frame {
                            Frame::Transfer(_) if new_here && !state.closed => before_marker += 1,
                            Frame::Transfer(amount) => state.add(amount.into()),
                            Frame::Marker(of) => state.closed |= of == *number,
                            // Those of one group stand side by side.
                            Frame::Nth { drain, node, .. } => {
                                state.closed |= self.drains[drain].records(node, *number);
                            }
                        }
                    }
                    if new_here {
                        state.before_marker = Some(before_marker);
                    }
                    state.closed |= new.contains(&from);
                }
            }
        }
        for channel in 0..self.channels.len() {
            let Channel { from, to, waiting } = &mut self.channels[channel];
            let (from, to) = (*from, &mut self.nodes[*to]);
            if to.dead {
                // What was sent to it meanwhile waits for it.
                self.push_markers(channel, before[from]);
                continue;
            }
            to.waiting = 0;
            for frame in waiting.drain(..) {
                if let Frame::Transfer(amount) = frame {
                    to.balance += amount;
                }
            }
        }
    }

    /// Who records which snapshot while everything is delivered.
    fn who_will_record(&self) -> BTreeMap<u64, Vec<Index>> {
        let mut recording: BTreeMap<u64, Vec<Index>> = self
            .in_progress
            .keys()
            .map(|&number| (number, Vec::new()))
            .collect();
        if self.in_progress.is_empty() {
            return recording;
        }
        let mut markers: Vec<(u64, Index)> = Vec::new();
        for channel in self.channels.iter().filter(|one| !one.waiting.is_empty()) {
            for &frame in &channel.waiting {
                let numbers = self.snapshots(frame);
                markers.extend(numbers.iter().map(|&number| (number, channel.to)));
            }
        }
        while let Some((number, node)) = markers.pop() {
            let new = recording.entry(number).or_default();
            let has = self
                .in_progress
                .get(&number)
                .is_some_and(|parts| parts.contains_key(&node));
            if has || self.nodes[node].dead || new.contains(&node) {
                continue;
            }
            new.push(node);
            let outgoing = self.nodes[node].outgoing.iter();
            markers.extend(outgoing.map(|&channel| (number, self.channels[channel].to)));
        }
        recording
    }

    fn drain(&self, recording: &BTreeMap<u64, Vec<Index>>) -> Drain {
        let mut drain = Drain::default();
        for (&number, nodes) in recording {
            for &node in nodes {
                drain.recording.insert((number, node));
                drain.balances.insert(node, self.nodes[node].balance);
                let incoming = &self.nodes[node].incoming;
                drain
                    .incoming
                    .entry(node)
                    .or_insert_with(|| incoming.clone());
                for &channel in incoming {
                    let Channel { from, waiting, .. } = &self.channels[channel];
                    let queue = || Queue::new(*from, waiting, &self.drains);
                    drain.queues.entry(channel).or_insert_with(queue);
                }
            }
        }
        drain
    }
}

impl Recorded {
    fn add(&mut self, amount: u128) {
        if self.closed {
            self.after += amount;
        } else {
            self.known += amount;
        }
    }
}
