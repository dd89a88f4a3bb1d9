//! One system of processes, channels and snapshots, step by step, and the events of its run.

mod deaths;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use history::{Amount, Channel, ChannelState, Event, ProcessId, ProcessState, SnapshotId, What};

use super::tally::{count, tallies};
use super::{Draw, Params};

/// The events of one system, from `start` to `end`.
pub fn run(seed: u64, params: &Params) -> Vec<Event> {
    let mut run = Run {
        draw: Draw::new(seed),
        params: params.clone(),
        processes: BTreeMap::new(),
        channels: BTreeMap::new(),
        snapshots: BTreeSet::new(),
        begun: 0,
        is_lost: false,
        observer: Life::default(),
        line: 1,
        events: Vec::new(),
    };
    run.tell(What::Start {
        sparse: params.sparse,
    });
    for _ in 0..params.processes {
        run.create();
    }
    if params.sparse {
        run.connect_some();
    }
    for _ in 0..params.steps {
        run.line += 1;
        run.step();
    }
    if run.draw.below(4) > 0 {
        while run.restart() {}
        while run.receive() {}
        run.collect();
    }
    run.tell(What::End);
    run.events
}

/// What is on a channel.
#[derive(Clone, Copy, Debug)]
enum Item {
    Message { amount: Amount, number: u64 },
    Marker(SnapshotId),
}

#[derive(Debug, Default)]
struct Wire {
    queue: VecDeque<Item>,
    sent: u64,
}

#[derive(Debug, Default)]
struct Process {
    state: Amount,
    life: Life,
    /// Markers that it owes on channels that opened while it was dead.
    owed: Vec<(ProcessId, SnapshotId)>,
    sent: BTreeMap<ProcessId, (u64, Amount)>,
    received: BTreeMap<ProcessId, (u64, Amount)>,
    /// Its parts of the snapshots that are not collected, in the order in which it recorded them.
    parts: Vec<Part>,
}

/// Whether somebody is dead, and how often it was restarted.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    is_dead: bool,
    /// It is not restarted.
    is_gone: bool,
    restarts: u64,
}

/// What a process has recorded of a snapshot.
#[derive(Debug)]
struct Part {
    snapshot: SnapshotId,
    state: Amount,
    /// Whose markers have not come.
    open: BTreeSet<ProcessId>,
    channels: BTreeMap<ProcessId, Vec<Amount>>,
}

struct Run {
    draw: Draw,
    params: Params,
    processes: BTreeMap<ProcessId, Process>,
    channels: BTreeMap<Channel, Wire>,
    /// Those that have begun and are not collected.
    snapshots: BTreeSet<SnapshotId>,
    begun: u64,
    /// Whether somebody died for good: no snapshot is completed after that.
    is_lost: bool,
    observer: Life,
    line: u64,
    events: Vec<Event>,
}

impl Run {
    fn tell(&mut self, what: What) {
        self.interrupt(&what);
        self.note(what);
    }

    fn note(&mut self, what: What) {
        self.events.push(Event {
            line: Some(self.line),
            time: None,
            what,
            extra: Vec::new(),
        });
    }

    fn step(&mut self) {
        if self.params.restarts && self.draw.one_in(8) {
            self.restart();
        }
        match self.draw.below(if self.params.sparse { 42 } else { 40 }) {
            0..=15 => self.send(),
            16..=31 => drop(self.receive()),
            32..=34 => self.begin(),
            35..=36 => self.collect(),
            37 if self.params.joins > 0 => {
                self.params.joins -= 1;
                self.create();
            }
            38 if self.params.refusals => self.refuse(),
            39 if self.params.deaths > 0 => {
                self.params.deaths -= 1;
                self.die();
            }
            40.. => {
                let alive = self.alive();
                let ends = [self.draw.pick(&alive), self.draw.pick(&alive)];
                if let [Some(from), Some(to)] = ends {
                    self.connect(from, to);
                }
            }
            _ => {}
        }
    }

    fn alive(&self) -> Vec<ProcessId> {
        self.those(|life| !life.is_dead)
    }

    /// Those that live, or will be restarted.
    fn present(&self) -> Vec<ProcessId> {
        self.those(|life| !life.is_gone)
    }

    fn those(&self, are_meant: fn(Life) -> bool) -> Vec<ProcessId> {
        let those = self.processes.iter().filter(|(_, it)| are_meant(it.life));
        those.map(|(process, _)| *process).collect()
    }

    /// A channel from one that lives.
    fn any_channel(&mut self) -> Option<Channel> {
        let [from, to] = [self.alive(), self.present()];
        let [from, to] = [self.draw.pick(&from)?, self.draw.pick(&to)?];
        let channel = Channel { from, to };
        self.channels.contains_key(&channel).then_some(channel)
    }

    /// Mostly a ring, so that a snapshot reaches everybody; and some more.
    fn connect_some(&mut self) {
        let all = self.alive();
        let next = all.iter().cycle().skip(1);
        for (from, to) in all.iter().zip(next) {
            if self.draw.below(8) > 0 {
                self.connect(*from, *to);
            }
        }
        for from in &all {
            for to in &all {
                if self.draw.one_in(4) {
                    self.connect(*from, *to);
                }
            }
        }
    }

    /// A channel opens: who has recorded owes its reader a marker first of all, who waits for one.
    fn connect(&mut self, from: ProcessId, to: ProcessId) {
        let channel = Channel { from, to };
        if from == to || self.channels.contains_key(&channel) {
            return;
        }
        self.channels.insert(channel, Wire::default());
        self.tell(What::Connect { channel });
        let receiver = self.processes.get_mut(&to).expect("a process");
        for part in &mut receiver.parts {
            part.open.insert(from);
            part.channels.insert(from, Vec::new());
        }
        let parts = self.processes[&from].parts.iter();
        let owed: Vec<SnapshotId> = parts.map(|part| part.snapshot).collect();
        for snapshot in owed {
            self.send_marker(from, to, snapshot);
        }
    }

    fn create(&mut self) {
        let process = loop {
            let process = ProcessId(self.draw.below(100));
            if !self.processes.contains_key(&process) {
                break process;
            }
        };
        // All together fit in 64 bits.
        let state = Amount::from(match self.draw.below(8) {
            0 => 0,
            1 => u64::MAX >> 6,
            _ => self.draw.below(1000),
        });
        self.tell(What::Create {
            process,
            name: None,
            amount: state,
        });
        let peers = if self.params.sparse {
            Vec::new()
        } else {
            self.present()
        };
        for peer in peers {
            let channels = [(peer, process), (process, peer)];
            for (from, to) in channels {
                self.channels.insert(Channel { from, to }, Wire::default());
            }
            // Who has recorded owes the newcomer a marker first of all, and waits for one.
            let owed: Vec<SnapshotId> = {
                let Some(it) = self.processes.get_mut(&peer) else {
                    continue;
                };
                for part in &mut it.parts {
                    part.open.insert(process);
                    part.channels.insert(process, Vec::new());
                }
                let owed = it.parts.iter().map(|part| part.snapshot);
                if it.life.is_dead {
                    it.owed.extend(owed.map(|snapshot| (process, snapshot)));
                    continue;
                }
                owed.collect()
            };
            for snapshot in owed {
                self.send_marker(peer, process, snapshot);
            }
        }
        let newcomer = Process {
            state,
            ..Process::default()
        };
        self.processes.insert(process, newcomer);
    }

    fn send(&mut self) {
        let Some(channel) = self.any_channel() else {
            return;
        };
        if self.channels[&channel].queue.len() < self.params.capacity {
            let state = self.processes[&channel.from].state;
            let amount = match self.draw.below(6) {
                0 => state,
                1 => 0,
                _ => self.draw.up_to(state.min(300)),
            };
            let number = self.put(channel, amount);
            self.tell(What::Send {
                channel,
                amount,
                number,
                inferred: false,
            });
        }
    }

    /// Puts a message on its channel and returns its number.
    fn put(&mut self, channel: Channel, amount: Amount) -> u64 {
        let sender = self.processes.get_mut(&channel.from).expect("a process");
        sender.state -= amount;
        count(sender.sent.entry(channel.to).or_default(), amount);
        let wire = self.channels.entry(channel).or_default();
        wire.sent += 1;
        let number = wire.sent;
        wire.queue.push_back(Item::Message { amount, number });
        number
    }

    fn refuse(&mut self) {
        if let Some(channel) = self.any_channel()
            && let Some(amount) = self.processes[&channel.from].state.checked_add(1)
        {
            self.tell(What::Refuse { channel, amount });
        }
    }

    /// Takes what is next on some channel; whether there was anything to take.
    fn receive(&mut self) -> bool {
        let waiting: Vec<Channel> = {
            let is_alive = |to: &ProcessId| !self.processes[to].life.is_dead;
            let waiting = self.channels.iter();
            let waiting = waiting.filter(|(it, wire)| is_alive(&it.to) && !wire.queue.is_empty());
            waiting.map(|(channel, _)| *channel).collect()
        };
        let Some(channel) = self.draw.pick(&waiting) else {
            return false;
        };
        let wire = self.channels.get_mut(&channel).expect("a channel");
        match wire.queue.pop_front().expect("something waits") {
            Item::Marker(snapshot) => self.receive_marker(channel, snapshot),
            Item::Message { amount, number } => {
                self.tell(What::Receive {
                    channel,
                    amount,
                    number,
                });
                let receiver = self.processes.get_mut(&channel.to).expect("a process");
                receiver.state += amount;
                count(receiver.received.entry(channel.from).or_default(), amount);
                for part in &mut receiver.parts {
                    if part.open.contains(&channel.from) {
                        let recorded = part.channels.entry(channel.from).or_default();
                        recorded.push(amount);
                    }
                }
            }
        }
        true
    }

    fn receive_marker(&mut self, channel: Channel, snapshot: SnapshotId) {
        self.tell(What::MarkerReceived { channel, snapshot });
        let parts = &self.processes[&channel.to].parts;
        if !parts.iter().any(|part| part.snapshot == snapshot) {
            self.record(channel.to, snapshot);
        }
        let receiver = self.processes.get_mut(&channel.to).expect("a process");
        for part in &mut receiver.parts {
            if part.snapshot == snapshot {
                part.open.remove(&channel.from);
            }
        }
        self.tell(What::ChannelClosed { channel, snapshot });
    }

    fn begin(&mut self) {
        if self.is_lost {
            return;
        }
        // Now and then a snapshot is begun at a further process, before its marker comes there.
        let again = self.snapshots.last().copied();
        let Some(process) = self.draw.pick(&self.alive()) else {
            return;
        };
        let snapshot = match again {
            Some(snapshot) if self.draw.one_in(5) => snapshot,
            _ if self.snapshots.len() >= self.params.snapshots => return,
            _ => {
                self.begun += 1;
                SnapshotId(self.begun)
            }
        };
        let parts = &self.processes[&process].parts;
        if !parts.iter().any(|part| part.snapshot == snapshot) {
            self.snapshots.insert(snapshot);
            self.tell(What::Begin {
                process,
                snapshot,
                members: Vec::new(),
            });
            self.record(process, snapshot);
        }
    }

    fn record(&mut self, process: ProcessId, snapshot: SnapshotId) {
        let outgoing = self.channels.keys().filter(|it| it.from == process);
        let to: Vec<ProcessId> = outgoing.map(|it| it.to).collect();
        let incoming = self.channels.keys().filter(|it| it.to == process);
        let from: Vec<ProcessId> = incoming.map(|it| it.from).collect();
        let recorder = self.processes.get_mut(&process).expect("a process");
        let state = recorder.state;
        recorder.parts.push(Part {
            snapshot,
            state,
            open: from.iter().copied().collect(),
            channels: from.iter().map(|peer| (*peer, Vec::new())).collect(),
        });
        let record = What::Record {
            process,
            snapshot,
            amount: state,
            sent: tallies(&recorder.sent),
            received: tallies(&recorder.received),
        };
        self.tell(record);
        for peer in to {
            if !self.processes[&peer].life.is_gone {
                self.send_marker(process, peer, snapshot);
            }
        }
    }

    fn send_marker(&mut self, from: ProcessId, to: ProcessId, snapshot: SnapshotId) {
        let channel = Channel { from, to };
        let wire = self.channels.entry(channel).or_default();
        wire.queue.push_back(Item::Marker(snapshot));
        self.tell(What::MarkerSent {
            channel,
            snapshot,
            inferred: false,
        });
    }

    /// Collects every snapshot that is complete.
    fn collect(&mut self) {
        if self.observer.is_dead {
            return;
        }
        for snapshot in self.snapshots.clone() {
            let has_all = |it: &Process| {
                let mut parts = it.parts.iter();
                parts.any(|part| part.snapshot == snapshot && part.open.is_empty())
            };
            if !self.is_lost && self.processes.values().all(has_all) {
                self.snapshots.remove(&snapshot);
                self.collect_one(snapshot);
            }
        }
    }

    fn collect_one(&mut self, snapshot: SnapshotId) {
        let (mut states, mut channels) = (Vec::new(), Vec::new());
        let mut total = 0;
        for (&process, it) in &mut self.processes {
            let is_it = |part: &mut Part| part.snapshot == snapshot;
            for part in it.parts.extract_if(.., is_it) {
                total += part.state;
                let amount = part.state;
                states.push(ProcessState { process, amount });
                for (from, amounts) in part.channels {
                    total += amounts.iter().sum::<Amount>();
                    if !amounts.is_empty() || self.draw.one_in(8) {
                        channels.push(ChannelState {
                            from,
                            to: process,
                            amounts,
                        });
                    }
                }
            }
        }
        // It may take several lines.
        let second = match self.draw.one_in(3) {
            true => (states.split_off(states.len() / 2), split(&mut channels)),
            false => (Vec::new(), Vec::new()),
        };
        self.tell(What::Collect {
            snapshot,
            states,
            channels,
        });
        if second != (Vec::new(), Vec::new()) {
            let (states, channels) = second;
            self.tell(What::Collect {
                snapshot,
                states,
                channels,
            });
        }
        if self.draw.below(8) > 0 {
            let verdict = Ok(total);
            self.tell(What::Audit { snapshot, verdict });
        }
    }
}

/// Divides the last channel's state in two, and returns its second half.
fn split(channels: &mut [ChannelState]) -> Vec<ChannelState> {
    let Some(last) = channels.last_mut() else {
        return Vec::new();
    };
    let amounts = last.amounts.split_off(last.amounts.len() / 2);
    vec![ChannelState {
        amounts,
        ..last.clone()
    }]
}
