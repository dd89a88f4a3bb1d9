//! What the tests of histories share: reading one, comparing it with what a bank is, and printing
//! from it what its script has printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use history::{
    Amount, Channel, Event, Header, Overall, ProcessId, Reader, System, Tally, Verifier, What,
};

/// A history that was read to its end.
#[derive(Debug)]
pub struct History {
    /// Its first line.
    pub header: Header,
    /// The others.
    pub events: Vec<Event>,
    /// Whether its last line was cut off.
    pub is_truncated: bool,
}

impl History {
    /// Reads the history in this file.
    #[track_caller]
    pub fn read(path: &Path) -> Self {
        let file = File::open(path).expect("there is a history");
        let mut reader = Reader::new(BufReader::new(file)).expect("it has a header");
        let events = reader.by_ref().collect::<Result<_, _>>();
        Self {
            header: reader.header().clone(),
            events: events.expect("it has nothing but events"),
            is_truncated: reader.is_truncated(),
        }
    }

    /// As lines without `time`, the only thing that may differ from run to run.
    pub fn timeless(&self) -> String {
        let mut lines = Vec::new();
        history::write_header(&mut lines, &self.header);
        for event in &self.events {
            let time = None;
            let event = event.clone();
            history::write_event(&mut lines, &Event { time, ..event });
        }
        String::from_utf8(lines).unwrap()
    }

    /// Every message is received after it was sent and in order, every balance follows from what
    /// went through the account, every recorded state is what it was then, and the verifier agrees.
    /// Returns the last balances of each system.
    #[track_caller]
    pub fn check(&self) -> Vec<BTreeMap<u64, i128>> {
        let systems = System::link(self.events.clone()).unwrap_or_else(|error| {
            panic!("{error}\n{}", self.timeless());
        });
        let mut verifier = Verifier::reordering();
        for (event, line) in self.events.iter().zip(2..) {
            verifier.on_event(event, line);
        }
        let report = verifier.finish();
        let is_valid = report.overall() != Overall::Invalid && !report.is_partial();
        assert!(is_valid, "{report:#?}\n{}", self.timeless());
        systems
            .iter()
            .map(|system| balances(system, &self.timeless()))
            .collect()
    }

    /// What the script of this history has printed.
    pub fn replay(&self, script: &str) -> String {
        let mut events = self.events.iter().peekable();
        let mut printed = Printed::default();
        for (index, text) in script.split('\n').enumerate() {
            let code = text.split(['#', ';']).next().unwrap_or_default();
            let words: Vec<&str> = code.split_whitespace().collect();
            let line = index as u64 + 1;
            let is_shown = words.first() == Some(&"Receive");
            while let Some(event) = events.next_if(|event| event.line == Some(line)) {
                printed.event(&event.what, is_shown);
            }
            if words.first() == Some(&"PrintSnapshot") {
                printed.snapshot(words.get(1).map(|number| number.parse().unwrap()));
            }
        }
        let left: Vec<_> = events.filter(|event| event.what != What::End).collect();
        assert!(left.is_empty(), "not in the order of lines: {left:?}");
        printed.text
    }
}

#[track_caller]
fn balances(system: &System, all: &str) -> BTreeMap<u64, i128> {
    let mut balances: BTreeMap<ProcessId, i128> = BTreeMap::new();
    let mut sent: BTreeMap<Channel, Tally> = BTreeMap::new();
    let mut received: BTreeMap<Channel, Tally> = BTreeMap::new();
    let mut dead = Vec::new();
    for (index, event) in system.events.iter().enumerate() {
        let line = system.line_of(index);
        let process = event.what.process();
        let is_back = matches!(event.what, What::Restarted { .. });
        let is_late = !is_back && process.is_some_and(|process| dead.contains(&process));
        assert!(!is_late, "line {line}: the dead do nothing\n{all}");
        match event.what {
            What::Create {
                process, amount, ..
            } => {
                balances.insert(process, amount);
            }
            What::Send {
                channel, amount, ..
            } => {
                let balance = balances.get_mut(&channel.from).unwrap();
                *balance -= amount;
                assert!(*balance >= 0, "line {line}: more than there was\n{all}");
                add(&mut sent, channel, channel.to, amount);
            }
            What::Receive {
                channel, amount, ..
            } => {
                *balances.get_mut(&channel.to).unwrap() += amount;
                add(&mut received, channel, channel.from, amount);
            }
            What::Refuse { channel, amount } => {
                let balance = balances[&channel.from];
                assert!(balance < amount, "line {line}: refused\n{all}");
            }
            What::Record {
                process,
                amount,
                sent: ref told_sent,
                received: ref told_received,
                ..
            } => {
                let at = format!("line {line}: process {process}\n{all}");
                assert_eq!(balances[&process], amount, "{at}");
                let of = |all: &BTreeMap<Channel, Tally>, end: fn(&Channel) -> ProcessId| {
                    let mut tallies: Vec<Tally> = all
                        .iter()
                        .filter(|(channel, _)| end(channel) == process)
                        .map(|(_, tally)| *tally)
                        .collect();
                    tallies.sort_by_key(|tally| tally.process);
                    tallies
                };
                assert_eq!(&of(&sent, |channel| channel.from), told_sent, "{at}");
                assert_eq!(&of(&received, |channel| channel.to), told_received, "{at}");
            }
            What::Death { process, .. } => dead.extend(process),
            What::Restarted { process, .. } => dead.retain(|it| Some(*it) != process),
            _ => {}
        }
    }
    balances.into_iter().map(|(id, sum)| (id.0, sum)).collect()
}

fn add(tallies: &mut BTreeMap<Channel, Tally>, channel: Channel, peer: ProcessId, amount: Amount) {
    let tally = tallies.entry(channel).or_insert(Tally {
        process: peer,
        messages: 0,
        sum: 0,
    });
    tally.messages += 1;
    tally.sum += amount;
}

/// States and channels of one snapshot.
#[derive(Default)]
struct Collected {
    states: BTreeMap<u64, Amount>,
    channels: BTreeMap<(u64, u64), Amount>,
    /// The channels there were, in a sparse system.
    sparse: Option<BTreeSet<(u64, u64)>>,
}

#[derive(Default)]
struct Printed {
    text: String,
    collected: BTreeMap<u64, Collected>,
    sparse: Option<BTreeSet<(u64, u64)>>,
}

impl Printed {
    fn event(&mut self, what: &What, is_shown: bool) {
        let out = &mut self.text;
        match what {
            What::Start { sparse } => {
                self.collected.clear();
                self.sparse = sparse.then(BTreeSet::new);
            }
            What::Connect { channel } => {
                let sparse = self.sparse.as_mut().expect("the system is sparse");
                sparse.insert((channel.from.0, channel.to.0));
            }
            What::Refuse { .. } => writeln!(out, "ERR_SEND").unwrap(),
            What::Begin { process, .. } => writeln!(out, "Started by Node {process}").unwrap(),
            What::Receive {
                channel, amount, ..
            } if is_shown => {
                writeln!(out, "{} Transfer {amount}", channel.from).unwrap();
            }
            What::MarkerReceived { channel, .. } if is_shown => {
                writeln!(out, "{} SnapshotToken -1", channel.from).unwrap();
            }
            What::Collect {
                snapshot,
                states,
                channels,
            } => {
                let collected = self.collected.entry(snapshot.0).or_default();
                collected.sparse.clone_from(&self.sparse);
                let states = states.iter().map(|state| (state.process.0, state.amount));
                collected.states.extend(states);
                for state in channels {
                    let end = (state.from.0, state.to.0);
                    *collected.channels.entry(end).or_default() +=
                        state.amounts.iter().sum::<Amount>();
                }
            }
            _ => {}
        }
    }

    fn snapshot(&mut self, number: Option<u64>) {
        let found = match number {
            Some(number) => self.collected.get(&number),
            None => self.collected.values().next_back(),
        };
        let Some(found) = found else {
            return;
        };
        let out = &mut self.text;
        writeln!(out, "---Node states").unwrap();
        for (node, balance) in &found.states {
            writeln!(out, "node {node} = {balance}").unwrap();
        }
        writeln!(out, "---Channel states").unwrap();
        for from in found.states.keys() {
            for to in found.states.keys().filter(|to| *to != from) {
                let sparse = found.sparse.as_ref();
                if sparse.is_some_and(|channels| !channels.contains(&(*from, *to))) {
                    continue;
                }
                let sum = found.channels.get(&(*from, *to)).unwrap_or(&0);
                writeln!(out, "channel ({from} → {to}) = {sum}").unwrap();
            }
        }
    }
}
