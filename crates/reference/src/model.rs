//! The bank, serially: one state, and what each command does to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::rc::Rc;

use crate::{Bug, Collected, Statement, Why};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    Transfer(u64),
    Marker(u64),
}

/// One direction between two nodes, with its whole past (for `Collected::by_definition`).
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
struct Channel {
    waiting: VecDeque<Frame>,
    sent: Vec<u64>,
    received: usize,
}

/// What one node has recorded for one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Recording {
    number: u64,
    balance: u64,
    /// By sender: what was recorded, and whether the marker has come.
    incoming: BTreeMap<u64, (Vec<u64>, bool)>,
    /// At the cut: transfers sent, by receiver, and received, by sender.
    sent: BTreeMap<u64, usize>,
    received: BTreeMap<u64, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    balance: u64,
    deposit: u64,
    dead: bool,
    /// Not yet collected, in the order recorded.
    recordings: Vec<Recording>,
}

/// From `StartMaster` to `KillAll`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Bank {
    bug: Option<Bug>,
    /// Whether a node that was killed can come back. Until one does, that is no difference to what is
    /// printed.
    pub(crate) lasts: bool,
    /// Since `StartMaster`; it stays so when a script ends without `KillAll`, in a bank that lasts.
    is_open: bool,
    sparse: bool,
    nodes: BTreeMap<u64, Node>,
    channels: BTreeMap<(u64, u64), Channel>,
    /// Channels that open once both ends are alive.
    wanted: BTreeSet<(u64, u64)>,
    begun: u64,
    pub(crate) uncollected: Vec<u64>,
    pub(crate) collected: BTreeMap<u64, Rc<Collected>>,
}

impl Bank {
    pub(crate) fn new(bug: Option<Bug>, lasts: bool) -> Self {
        Self {
            bug,
            lasts,
            ..Self::default()
        }
    }

    /// Carries out one command, and returns what it prints. `choose` picks one of so many.
    pub(crate) fn execute(
        &mut self,
        statement: Statement,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<String, Why> {
        match statement {
            Statement::Start { .. } if self.is_open => {}
            Statement::Start { sparse } => (self.is_open, self.sparse) = (true, sparse),
            Statement::Nothing => {}
            Statement::KillAll => *self = Self::new(self.bug, self.lasts),
            Statement::Create { id, deposit } => self.create(id, deposit),
            Statement::Connect { from, to } => self.connect(from, to)?,
            Statement::Kill { id } => self.kill(id)?,
            Statement::Restart { id } => self.restart(id)?,
            Statement::Send { from, to, amount } => return self.send(from, to, amount),
            Statement::Receive { to, from } => return self.receive(to, from, choose),
            Statement::ReceiveAll => self.receive_all(choose),
            Statement::Begin { id } => return self.begin(id),
            Statement::Collect => self.collect()?,
            Statement::Print { number } => return self.print(number),
        }
        Ok(String::new())
    }

    pub(crate) fn dead(&self, id: u64) -> bool {
        self.nodes[&id].dead
    }

    fn any_dead(&self) -> bool {
        self.nodes.values().any(|node| node.dead)
    }

    fn create(&mut self, id: u64, deposit: u64) {
        let node = Node {
            balance: deposit,
            deposit,
            dead: false,
            recordings: Vec::new(),
        };
        if !self.sparse {
            let others = self.nodes.keys();
            self.wanted
                .extend(others.flat_map(|&other| [(other, id), (id, other)]));
        }
        let before = self.nodes.insert(id, node);
        assert!(before.is_none(), "node {id} created twice");
        self.open_wanted();
    }

    fn connect(&mut self, from: u64, to: u64) -> Result<(), Why> {
        if !self.lasts && (self.dead(from) || self.dead(to)) {
            return Err(Why::NodeDied);
        }
        self.wanted.insert((from, to));
        self.open_wanted();
        Ok(())
    }

    fn open_wanted(&mut self) {
        for (from, to) in self.wanted.clone() {
            if !self.dead(from) && !self.dead(to) {
                self.wanted.remove(&(from, to));
                self.open(from, to);
            }
        }
    }

    /// A channel that opens late: who has recorded sends the markers first, and waits for them.
    fn open(&mut self, from: u64, to: u64) {
        let mut channel = Channel::default();
        for recording in &self.nodes[&from].recordings {
            if self.bug != Some(Bug::JoinOwesNothing) {
                channel.waiting.push_back(Frame::Marker(recording.number));
            }
        }
        for recording in &mut self.nodes.get_mut(&to).unwrap().recordings {
            if self.bug != Some(Bug::JoinNotAwaited) {
                recording.incoming.insert(from, (Vec::new(), false));
            }
        }
        let before = self.channels.insert((from, to), channel);
        assert!(before.is_none(), "{from} and {to} connected twice");
    }

    /// What the node had sent stays in its channels.
    fn kill(&mut self, id: u64) -> Result<(), Why> {
        if self.dead(id) {
            return Err(Why::NodeDied);
        }
        self.nodes.get_mut(&id).unwrap().dead = true;
        Ok(())
    }

    /// The node goes on as it was.
    fn restart(&mut self, id: u64) -> Result<(), Why> {
        assert!(
            self.lasts,
            "node {id} restarted in a bank that does not last"
        );
        if !self.dead(id) {
            return Err(Why::NodeAlive);
        }
        self.nodes.get_mut(&id).unwrap().dead = false;
        self.open_wanted();
        Ok(())
    }

    fn send(&mut self, from: u64, to: u64, amount: u64) -> Result<String, Why> {
        if self.dead(from) || self.dead(to) {
            return Err(Why::NodeDied);
        }
        let sender = self.nodes.get_mut(&from).unwrap();
        if sender.balance < amount {
            return Ok("ERR_SEND\n".into());
        }
        sender.balance -= amount;
        let channel = self.channels.get_mut(&(from, to)).unwrap();
        channel.waiting.push_back(Frame::Transfer(amount));
        channel.sent.push(amount);
        Ok(String::new())
    }

    /// The channels of which `statement` may take a message next, by sender and receiver.
    pub(crate) fn choices(&self, statement: Statement) -> Vec<(u64, u64)> {
        let channels = self
            .channels
            .iter()
            .filter(|(_, channel)| !channel.waiting.is_empty());
        let ends = channels.map(|(&ends, _)| ends);
        match statement {
            Statement::Receive { to, from } => ends
                .filter(|ends| ends.1 == to && from.is_none_or(|from| ends.0 == from))
                .collect(),
            Statement::ReceiveAll => ends.filter(|ends| !self.dead(ends.1)).collect(),
            _ => Vec::new(),
        }
    }

    fn receive(
        &mut self,
        to: u64,
        from: Option<u64>,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Result<String, Why> {
        if self.dead(to) {
            return Err(Why::NodeDied);
        }
        let choices = self.choices(Statement::Receive { to, from });
        let from = match from {
            _ if !choices.is_empty() => match from {
                Some(from) => from,
                None => choices[choose(choices.len())].0,
            },
            Some(from) if self.dead(from) => return Err(Why::NodeDied),
            _ => return Err(Why::NothingToReceive),
        };
        Ok(match self.deliver(from, to) {
            Frame::Transfer(amount) => format!("{from} Transfer {amount}\n"),
            Frame::Marker(_) => format!("{from} SnapshotToken -1\n"),
        })
    }

    fn receive_all(&mut self, choose: &mut dyn FnMut(usize) -> usize) {
        loop {
            let choices = self.choices(Statement::ReceiveAll);
            if choices.is_empty() {
                return;
            }
            let (from, to) = choices[choose(choices.len())];
            self.deliver(from, to);
        }
    }

    /// `to` takes the message at the head of the channel, by Chandy and Lamport's receiving rule.
    pub(crate) fn deliver(&mut self, from: u64, to: u64) -> Frame {
        let channel = self.channels.get_mut(&(from, to)).unwrap();
        let frame = channel.waiting.pop_front().expect("not empty");
        let node = self.nodes.get_mut(&to).unwrap();
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
                let recordings = &mut self.nodes.get_mut(&to).unwrap().recordings;
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
        let node = self.nodes.get_mut(&id).unwrap();
        let mut recording = Recording {
            number,
            balance: node.balance,
            incoming: BTreeMap::new(),
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
        };
        for (&(from, to), channel) in &mut self.channels {
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

    fn begin(&mut self, id: u64) -> Result<String, Why> {
        if self.any_dead() {
            return Err(Why::NodeDied);
        }
        self.begun += 1;
        self.uncollected.push(self.begun);
        self.record(id, self.begun, true);
        Ok(format!("Started by Node {id}\n"))
    }

    /// Every member has recorded and has got the marker on every incoming channel.
    fn complete(&self, number: u64) -> bool {
        self.nodes.values().all(|node| {
            let recording = node.recordings.iter().find(|one| one.number == number);
            recording.is_some_and(|one| one.incoming.values().all(|(_, closed)| *closed))
        })
    }

    fn collect(&mut self) -> Result<(), Why> {
        if self.uncollected.is_empty() {
            return Err(Why::NothingBegun);
        }
        if self.any_dead() {
            return Err(match self.lasts {
                true => Why::NodeDied,
                false => Why::SnapshotsLost,
            });
        }
        if !self.uncollected.iter().all(|&one| self.complete(one)) {
            return Err(Why::MarkersOnTheWay);
        }
        for number in std::mem::take(&mut self.uncollected) {
            let collected = self.hand_over(number);
            self.collected.insert(number, Rc::new(collected));
        }
        Ok(())
    }

    fn hand_over(&mut self, number: u64) -> Collected {
        let mut collected = Collected::default();
        let mut parts = BTreeMap::new();
        for (&id, node) in &mut self.nodes {
            let at = node.recordings.iter().position(|one| one.number == number);
            let part = node.recordings.remove(at.unwrap());
            collected.deposits += u128::from(node.deposit);
            let balance = match self.bug {
                Some(Bug::StateAtCollection) => node.balance,
                _ => part.balance,
            };
            collected.nodes.insert(id, balance);
            parts.insert(id, part);
        }
        for (&(from, to), channel) in &self.channels {
            let recorded = parts[&to].incoming.get(&from);
            let amounts = recorded.map(|(amounts, _)| amounts.clone());
            let amounts = amounts.unwrap_or_default();
            let ends = match self.bug {
                Some(Bug::ChannelsSwapped) => (to, from),
                _ => (from, to),
            };
            collected.channels.insert(ends, amounts);
            // A channel that opened after a node's cut has carried nothing before it.
            let sent = parts[&from].sent.get(&to).copied().unwrap_or(0);
            let received = parts[&to].received.get(&from).copied().unwrap_or(0);
            let in_transit = channel.sent.get(received..sent).map(<[u64]>::to_vec);
            collected.by_definition.insert((from, to), in_transit);
        }
        collected
    }

    fn print(&self, number: Option<u64>) -> Result<String, Why> {
        let collected = match number {
            Some(number) => self.collected.get(&number),
            None => self.collected.values().next_back(),
        };
        let none = self.collected.is_empty();
        let collected = collected.ok_or(if none {
            Why::NothingCollected
        } else {
            Why::NoSuchSnapshot
        })?;
        let mut text = String::from("---Node states\n");
        for (id, balance) in &collected.nodes {
            writeln!(text, "node {id} = {balance}").unwrap();
        }
        text.push_str("---Channel states\n");
        for ((from, to), amounts) in &collected.channels {
            let sum: u64 = amounts.iter().sum();
            writeln!(text, "channel ({from} \u{2192} {to}) = {sum}").unwrap();
        }
        Ok(text)
    }
}
