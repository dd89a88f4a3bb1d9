//! The language, serially: [`interpret`] a script, and see what it must print.
//!
#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod draw;
mod expected;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

pub use draw::Draw;
pub use expected::{Collected, Expected, Failure, Why};

/// A mistake that can be planted, to see that the laws in the tests notice it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Who records because a marker came sends none itself.
    OnlyInitiatorSendsMarkers,
    /// A marker is put before what waits on its channel.
    MarkerOvertakes,
    /// What crosses the cut is not recorded.
    TransitForgotten,
    /// A channel is recorded although its marker has come.
    RecordingNeverClosed,
    /// Of several snapshots in progress, only the last records channels.
    OnlyNewestRecords,
    /// A node that joins gets no markers of the snapshots in progress.
    JoinOwesNothing,
    /// The channel from a node that joins is not recorded.
    JoinNotAwaited,
}

/// What `script` must do with `--seed seed`.
///
/// # Panics
///
/// If the static check would refuse the script.
#[must_use]
pub fn interpret(script: &str, seed: u64) -> Expected {
    interpret_with(script, seed, None)
}

/// The same with a mistake.
///
/// # Panics
///
/// If the static check would refuse the script.
#[must_use]
pub fn interpret_with(script: &str, seed: u64, bug: Option<Bug>) -> Expected {
    let mut model = Model {
        draw: Draw::from_seed(seed),
        bank: Bank::default(),
        expected: Expected::default(),
        bug,
    };
    let script = script.strip_prefix('\u{feff}').unwrap_or(script);
    for (index, text) in script.lines().enumerate() {
        let words = words(text);
        if let Err(why) = model.command(index + 1, &words) {
            let line = index + 1;
            model.expected.failures.push(Failure { line, why });
        }
    }
    model.expected
}

/// The words of a line, without its comment.
#[must_use]
pub fn words(line: &str) -> Vec<&str> {
    let code = line.split(['#', ';']).next().unwrap_or("");
    code.split_whitespace().collect()
}

#[derive(Debug)]
enum Frame {
    Transfer(u64),
    Marker(u64),
}

/// One direction between two nodes, with its whole past (for `Collected::by_definition`).
#[derive(Debug, Default)]
struct Channel {
    waiting: VecDeque<Frame>,
    sent: Vec<u64>,
    received: usize,
}

/// What one node has recorded for one snapshot.
#[derive(Debug)]
struct Recording {
    number: u64,
    balance: u64,
    /// By sender: what was recorded, and whether the marker has come.
    incoming: BTreeMap<u64, (Vec<u64>, bool)>,
    /// At the cut: transfers sent, by receiver, and received, by sender.
    sent: BTreeMap<u64, usize>,
    received: BTreeMap<u64, usize>,
}

#[derive(Debug)]
struct Node {
    balance: u64,
    deposit: u64,
    dead: bool,
    /// Not yet collected, in the order recorded.
    recordings: Vec<Recording>,
}

/// What `KillAll` forgets.
#[derive(Debug, Default)]
struct Bank {
    nodes: BTreeMap<u64, Node>,
    channels: BTreeMap<(u64, u64), Channel>,
    begun: u64,
    uncollected: Vec<u64>,
    collected: BTreeMap<u64, Collected>,
}

struct Model {
    draw: Draw,
    bank: Bank,
    expected: Expected,
    bug: Option<Bug>,
}

impl Model {
    fn command(&mut self, line: usize, words: &[&str]) -> Result<(), Why> {
        let number = |at: usize| -> u64 { words[at].parse().expect("checked before") };
        match (words.first().copied(), words.len()) {
            (None, _) | (Some("StartMaster" | "nodes"), 1) => Ok(()),
            (Some("KillAll"), 1) => {
                self.bank = Bank::default();
                Ok(())
            }
            (Some("CreateNode"), 3) => {
                self.create(number(1), number(2));
                Ok(())
            }
            (Some("KillNode"), 2) => self.kill(line, number(1)),
            (Some("Send"), 4) => self.send(number(1), number(2), number(3)),
            (Some("Receive"), 2) => self.receive(number(1), None),
            (Some("Receive"), 3) => self.receive(number(1), Some(number(2))),
            (Some("ReceiveAll"), 1) => {
                self.receive_all();
                Ok(())
            }
            (Some("BeginSnapshot"), 2) => self.begin(number(1)),
            (Some("CollectState"), 1) => self.collect(),
            (Some("PrintSnapshot"), 1) => self.print(None),
            (Some("PrintSnapshot"), 2) => self.print(Some(number(1))),
            _ => panic!("line {line}: the static check refuses {words:?}"),
        }
    }

    fn say(&mut self, line: &str) {
        self.expected.stdout.push_str(line);
        self.expected.stdout.push('\n');
    }

    fn dead(&self, id: u64) -> bool {
        self.bank.nodes[&id].dead
    }

    fn any_dead(&self) -> bool {
        self.bank.nodes.values().any(|node| node.dead)
    }

    fn create(&mut self, id: u64, deposit: u64) {
        for (&other, node) in &mut self.bank.nodes {
            if node.dead {
                continue;
            }
            let mut to_new = Channel::default();
            for recording in &mut node.recordings {
                if self.bug != Some(Bug::JoinOwesNothing) {
                    to_new.waiting.push_back(Frame::Marker(recording.number));
                }
                if self.bug != Some(Bug::JoinNotAwaited) {
                    recording.incoming.insert(id, (Vec::new(), false));
                }
            }
            self.bank.channels.insert((other, id), to_new);
            self.bank.channels.insert((id, other), Channel::default());
        }
        let node = Node {
            balance: deposit,
            deposit,
            dead: false,
            recordings: Vec::new(),
        };
        let before = self.bank.nodes.insert(id, node);
        assert!(before.is_none(), "node {id} created twice");
    }

    /// What the node had sent stays in its channels.
    fn kill(&mut self, line: usize, id: u64) -> Result<(), Why> {
        if self.dead(id) {
            return Err(Why::NodeDied);
        }
        self.bank.nodes.get_mut(&id).unwrap().dead = true;
        self.expected.deaths.push(line);
        Ok(())
    }

    fn send(&mut self, from: u64, to: u64, amount: u64) -> Result<(), Why> {
        if self.dead(from) || self.dead(to) {
            return Err(Why::NodeDied);
        }
        let sender = self.bank.nodes.get_mut(&from).unwrap();
        if sender.balance < amount {
            self.say("ERR_SEND");
            return Ok(());
        }
        sender.balance -= amount;
        let channel = self.bank.channels.get_mut(&(from, to)).unwrap();
        channel.waiting.push_back(Frame::Transfer(amount));
        channel.sent.push(amount);
        Ok(())
    }

    fn receive(&mut self, to: u64, from: Option<u64>) -> Result<(), Why> {
        if self.dead(to) {
            return Err(Why::NodeDied);
        }
        let channels = self.bank.channels.iter();
        let candidates: Vec<u64> = channels
            .filter(|(end, channel)| end.1 == to && !channel.waiting.is_empty())
            .map(|(end, _)| end.0)
            .collect();
        let from = match from {
            Some(from) if candidates.contains(&from) => from,
            Some(from) if self.dead(from) => return Err(Why::NodeDied),
            Some(_) => return Err(Why::NothingToReceive),
            None if candidates.is_empty() => return Err(Why::NothingToReceive),
            None => candidates[self.draw.pick(candidates.len())],
        };
        let said = match self.deliver(from, to) {
            Frame::Transfer(amount) => format!("{from} Transfer {amount}"),
            Frame::Marker(_) => format!("{from} SnapshotToken -1"),
        };
        self.say(&said);
        Ok(())
    }

    fn receive_all(&mut self) {
        loop {
            let channels = self.bank.channels.iter();
            let candidates: Vec<(u64, u64)> = channels
                .filter(|(end, channel)| !channel.waiting.is_empty() && !self.dead(end.1))
                .map(|(end, _)| *end)
                .collect();
            if candidates.is_empty() {
                return;
            }
            let (from, to) = candidates[self.draw.pick(candidates.len())];
            self.deliver(from, to);
        }
    }

    /// `to` takes the message at the head of the channel, by Chandy and Lamport's receiving rule.
    fn deliver(&mut self, from: u64, to: u64) -> Frame {
        let channel = self.bank.channels.get_mut(&(from, to)).unwrap();
        let frame = channel.waiting.pop_front().expect("not empty");
        let node = self.bank.nodes.get_mut(&to).unwrap();
        match frame {
            Frame::Transfer(amount) => {
                channel.received += 1;
                let newest = node.recordings.len().saturating_sub(1);
                for (at, recording) in node.recordings.iter_mut().enumerate() {
                    let Some((amounts, closed)) = recording.incoming.get_mut(&from) else {
                        continue;
                    };
                    let records = match self.bug {
                        Some(Bug::TransitForgotten) => false,
                        Some(Bug::RecordingNeverClosed) => true,
                        Some(Bug::OnlyNewestRecords) => !*closed && at == newest,
                        _ => !*closed,
                    };
                    if records {
                        amounts.push(amount);
                    }
                }
                node.balance += amount;
            }
            Frame::Marker(number) => {
                if node.recordings.iter().all(|one| one.number != number) {
                    let relay = self.bug != Some(Bug::OnlyInitiatorSendsMarkers);
                    self.record(to, number, relay);
                }
                let recordings = &mut self.bank.nodes.get_mut(&to).unwrap().recordings;
                let recording = recordings.iter_mut().find(|one| one.number == number);
                if let Some((_, closed)) = recording.unwrap().incoming.get_mut(&from) {
                    *closed = true;
                }
            }
        }
        frame
    }

    /// The sending rule: record the own state, then a marker on every outgoing channel, before any
    /// other message; from now on every incoming channel is recorded.
    fn record(&mut self, id: u64, number: u64, send_markers: bool) {
        let node = self.bank.nodes.get_mut(&id).unwrap();
        let mut recording = Recording {
            number,
            balance: node.balance,
            incoming: BTreeMap::new(),
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
        };
        for (&(from, to), channel) in &mut self.bank.channels {
            if from == id {
                recording.sent.insert(to, channel.sent.len());
                match self.bug {
                    _ if !send_markers => {}
                    Some(Bug::MarkerOvertakes) => channel.waiting.push_front(Frame::Marker(number)),
                    _ => channel.waiting.push_back(Frame::Marker(number)),
                }
            }
            if to == id {
                recording.received.insert(from, channel.received);
                recording.incoming.insert(from, (Vec::new(), false));
            }
        }
        node.recordings.push(recording);
    }

    fn begin(&mut self, id: u64) -> Result<(), Why> {
        if self.any_dead() {
            return Err(Why::NodeDied);
        }
        self.bank.begun += 1;
        self.bank.uncollected.push(self.bank.begun);
        self.record(id, self.bank.begun, true);
        self.say(&format!("Started by Node {id}"));
        Ok(())
    }

    /// Every member has recorded and has got the marker on every incoming channel.
    fn complete(&self, number: u64) -> bool {
        self.bank.nodes.values().all(|node| {
            let recording = node.recordings.iter().find(|one| one.number == number);
            recording.is_some_and(|one| one.incoming.values().all(|(_, closed)| *closed))
        })
    }

    fn collect(&mut self) -> Result<(), Why> {
        if self.bank.uncollected.is_empty() {
            return Err(Why::NothingBegun);
        }
        if self.any_dead() {
            return Err(Why::SnapshotsLost);
        }
        if !self.bank.uncollected.iter().all(|&one| self.complete(one)) {
            return Err(Why::MarkersOnTheWay);
        }
        for number in std::mem::take(&mut self.bank.uncollected) {
            let collected = self.hand_over(number);
            self.bank.collected.insert(number, collected.clone());
            self.expected.collected.push(collected);
        }
        Ok(())
    }

    fn hand_over(&mut self, number: u64) -> Collected {
        let mut collected = Collected::default();
        let mut parts = BTreeMap::new();
        for (&id, node) in &mut self.bank.nodes {
            let at = node.recordings.iter().position(|one| one.number == number);
            let part = node.recordings.remove(at.unwrap());
            collected.deposits += u128::from(node.deposit);
            collected.nodes.insert(id, part.balance);
            parts.insert(id, part);
        }
        for (&(from, to), channel) in &self.bank.channels {
            let recorded = parts[&to].incoming.get(&from);
            let amounts = recorded.map(|(amounts, _)| amounts.clone());
            let amounts = amounts.unwrap_or_default();
            collected.channels.insert((from, to), amounts);
            // A channel that opened after a node's cut has carried nothing before it.
            let sent = parts[&from].sent.get(&to).copied().unwrap_or(0);
            let received = parts[&to].received.get(&from).copied().unwrap_or(0);
            let in_transit = channel.sent.get(received..sent).map(<[u64]>::to_vec);
            collected.by_definition.insert((from, to), in_transit);
        }
        collected
    }

    fn print(&mut self, number: Option<u64>) -> Result<(), Why> {
        let collected = match number {
            Some(number) => self.bank.collected.get(&number),
            None => self.bank.collected.values().next_back(),
        };
        let none = self.bank.collected.is_empty();
        let collected = collected.ok_or(if none {
            Why::NothingCollected
        } else {
            Why::NoSuchSnapshot
        })?;
        let text = &mut self.expected.stdout;
        text.push_str("---Node states\n");
        for (id, balance) in &collected.nodes {
            writeln!(text, "node {id} = {balance}").unwrap();
        }
        text.push_str("---Channel states\n");
        for ((from, to), amounts) in &collected.channels {
            let sum: u64 = amounts.iter().sum();
            writeln!(text, "channel ({from} \u{2192} {to}) = {sum}").unwrap();
        }
        Ok(())
    }
}
