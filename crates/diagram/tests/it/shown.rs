//! Runs and their pages, and what is true of them by definition.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use history::{Channel, Header, ProcessId, Reader, SnapshotId, System, What};

use crate::browser::Browser;
use testing::histories::{self, Params};

const RESTARTS: &str = include_str!("../../../../testdata/diagrams/restarts.history");
const EXAMPLE: &str = include_str!("../../../../testdata/diagrams/arg.history");
/// What a browser would run if it were taken for markup.
pub(crate) const HOSTILE: &str =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>&lt;\u{2028}";

/// A system, and the file of its page.
pub(crate) struct Shown {
    pub(crate) system: System,
    pub(crate) file: PathBuf,
}

impl Shown {
    /// The worked example.
    pub(crate) fn example() -> Self {
        Self::named("example")
    }

    /// The same, in a file of its own: tests run at once.
    pub(crate) fn named(name: &str) -> Self {
        Self::read(EXAMPLE, name)
    }

    fn new(system: System, header: &Header, name: &str) -> Self {
        let events: Vec<usize> = (0..system.events.len()).collect();
        Self::part(system, header, events, name)
    }

    /// The page of a part of a system.
    fn part(system: System, header: &Header, events: Vec<usize>, name: &str) -> Self {
        let page = diagram::page(&system, header, &events).unwrap();
        assert!(page.len() < 500_000 * events.len().max(1_000) / 1_000);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.html"));
        std::fs::write(&file, page).unwrap();
        Self { system, file }
    }

    /// One in which processes and the observer die and are restarted.
    pub(crate) fn restarts_as(name: &str) -> Self {
        Self::read(RESTARTS, name)
    }

    fn read(history: &str, name: &str) -> Self {
        let mut reader = Reader::new(history.as_bytes()).unwrap();
        let events: Vec<_> = reader.by_ref().collect::<Result<_, _>>().unwrap();
        let mut systems = System::link(events).unwrap();
        Self::new(systems.remove(0), reader.header(), name)
    }

    /// A run whose names and reasons are markup, with amounts beyond what a double can hold.
    pub(crate) fn hostile() -> Self {
        Self::hostile_as("hostile")
    }

    /// The same, in a file of its own.
    pub(crate) fn hostile_as(name: &str) -> Self {
        let reason = serde_json::to_string(HOSTILE).unwrap();
        let history = format!(
            r#"{{"history":1,"script":{reason}}}
{{"event":"start"}}
{{"event":"create","process":18446744073709551615,"amount":9007199254740993}}
{{"event":"create","process":1,"amount":18437736874454810621}}
{{"event":"send","process":1,"from":1,"to":18446744073709551615,"amount":9007199254740995,"number":1}}
{{"event":"begin","process":1,"snapshot":1}}
{{"event":"record","process":1,"snapshot":1,"amount":18428729675200069626}}
{{"event":"audit","snapshot":1,"passed":false,"reason":{reason}}}
{{"event":"death","process":1,"reason":{reason}}}
{{"event":"death","reason":{reason}}}
"#
        );
        Self::read(&history, name)
    }

    /// A ring in which a snapshot has begun: all of it, and the last channel and what follows.
    pub(crate) fn ring() -> [Self; 2] {
        const RING: &str = r#"{"history":2}
{"event":"start","sparse":true}
{"event":"create","process":1,"amount":10}
{"event":"create","process":2,"amount":20}
{"event":"create","process":3,"amount":30}
{"event":"connect","process":1,"from":1,"to":2}
{"event":"connect","process":3,"from":3,"to":1}
{"event":"connect","process":2,"from":2,"to":3}
{"event":"begin","process":1,"snapshot":1}
{"event":"record","process":1,"snapshot":1,"amount":10}
{"event":"marker_sent","process":1,"from":1,"to":2,"snapshot":1}
"#;
        let whole = Self::read(RING, "ring");
        let (header, events) = (Header::default(), (6..10).collect());
        let part = Self::part(whole.system.clone(), &header, events, "ring-part");
        [whole, part]
    }

    /// Three processes and one that joins, two snapshots at once.
    pub(crate) fn small() -> Self {
        Self::small_as("small")
    }

    /// The same, in a file of its own.
    pub(crate) fn small_as(name: &str) -> Self {
        let params = Params {
            processes: 3,
            steps: 45,
            snapshots: 2,
            joins: 1,
            deaths: 0,
            restarts: false,
            refusals: true,
            capacity: 3,
            sparse: false,
        };
        Self::random(3, &params, name)
    }

    /// The middle of a run, from when a snapshot has begun.
    pub(crate) fn middle() -> (Self, Vec<usize>) {
        Self::middle_as("middle")
    }

    /// The same, in a file of its own.
    pub(crate) fn middle_as(name: &str) -> (Self, Vec<usize>) {
        let small = Self::small_as(name);
        let begin = small.system.snapshots[&SnapshotId(1)].begin.unwrap();
        let events: Vec<usize> = (begin + 4..small.system.events.len() - 9).collect();
        let header = Header::default();
        let part = Self::part(small.system, &header, events.clone(), name);
        (part, events)
    }

    /// A run of 30 processes and more than 1,000 events, with snapshots at once and joins.
    pub(crate) fn large() -> Self {
        Self::large_as("large")
    }

    /// The same, in a file of its own.
    pub(crate) fn large_as(name: &str) -> Self {
        let params = Params {
            processes: 27,
            steps: 1900,
            snapshots: 1,
            joins: 3,
            deaths: 0,
            restarts: false,
            refusals: true,
            capacity: 1,
            sparse: false,
        };
        Self::random(4, &params, name)
    }

    fn random(seed: u64, params: &Params, name: &str) -> Self {
        let system = System::link(histories::run(seed, params))
            .unwrap()
            .remove(0);
        let header = Header {
            seed: Some(seed),
            script: Some(name.into()),
            ..Header::default()
        };
        Self::new(system, &header, name)
    }

    pub(crate) fn open(&self, browser: &mut Browser) {
        browser.open(&self.file, 1280, 800);
        browser.prefer(&[("prefers-reduced-motion", "reduce")]);
        browser.until("document.querySelector('.moment.current')");
    }
}

impl Shown {
    /// The events of each moment, as the page groups them; all together they are all events once.
    pub(crate) fn moments(&self, browser: &mut Browser) -> Vec<Vec<usize>> {
        let moments = browser.evaluate("moments.map(moment => moment.events)");
        let moments: Vec<Vec<usize>> = serde_json::from_value(moments).unwrap();
        let all: Vec<usize> = moments.concat();
        assert!(all.iter().copied().eq(0..self.system.events.len()));
        let drawn = "document.querySelectorAll('#diagram .moment').length";
        assert_eq!(browser.evaluate(drawn), moments.len());
        let drawn = "document.querySelectorAll('#diagram .message').length";
        assert_eq!(browser.evaluate(drawn), self.system.messages.len());
        moments
    }
}

/// For each event all that happened before it, from the definition: at the same process, or by
/// messages; a collection is after all the records of what it collects.
pub(crate) fn happened_before(system: &System) -> Vec<BTreeSet<usize>> {
    let mut before: Vec<BTreeSet<usize>> = Vec::new();
    let mut last: BTreeMap<ProcessId, usize> = BTreeMap::new();
    for (index, event) in system.events.iter().enumerate() {
        let mut causes: Vec<usize> = Vec::new();
        if let Some(process) = event.what.process() {
            causes.extend(last.insert(process, index));
        }
        if let Some(message) = system.message_of.get(&index) {
            let message = &system.messages[*message];
            causes.extend((message.received == Some(index)).then_some(message.sent));
        }
        if let What::Collect { snapshot, .. } = event.what {
            // Whatever belongs to the same step as a record is collected with it.
            causes.extend(system.snapshots[&snapshot].cut.values());
        }
        let mut all: BTreeSet<usize> = causes.iter().copied().collect();
        for cause in causes {
            all.extend(&before[cause]);
        }
        before.push(all);
    }
    before
}

/// The state of a system, event by event.
#[derive(Default)]
pub(crate) struct Replay {
    balances: BTreeMap<ProcessId, i128>,
    channels: BTreeMap<Channel, Vec<String>>,
}

impl Replay {
    pub(crate) fn event(&mut self, system: &System, event: usize) {
        match system.events[event].what {
            What::Create {
                process, amount, ..
            } => {
                self.balances.insert(process, amount);
            }
            What::Send {
                channel, amount, ..
            } => {
                *self.balances.get_mut(&channel.from).unwrap() -= amount;
                self.channels
                    .entry(channel)
                    .or_default()
                    .push(amount.to_string());
            }
            What::MarkerSent {
                channel, snapshot, ..
            } => {
                let marker = format!("marker S{snapshot}");
                self.channels.entry(channel).or_default().push(marker);
            }
            What::Receive {
                channel, amount, ..
            } => {
                *self.balances.get_mut(&channel.to).unwrap() += amount;
                self.channels.get_mut(&channel).unwrap().remove(0);
            }
            What::MarkerReceived { channel, .. } => {
                self.channels.get_mut(&channel).unwrap().remove(0);
            }
            _ => {}
        }
    }

    pub(crate) fn balances(&self) -> Vec<Vec<String>> {
        let rows = self.balances.iter();
        rows.map(|(process, balance)| vec![process.to_string(), balance.to_string()])
            .collect()
    }

    pub(crate) fn channels(&self) -> Vec<Vec<String>> {
        let rows = self.channels.iter().filter(|(_, queue)| !queue.is_empty());
        rows.map(|(channel, queue)| vec![channel.to_string(), queue.join(", ")])
            .collect()
    }

    /// The channels with money on them; then, for each snapshot, the channels that hold nothing
    /// but its markers, counted where they are many.
    pub(crate) fn in_transit(&self) -> Vec<Vec<String>> {
        let (mut rows, alone): (Vec<_>, Vec<_>) = self
            .channels()
            .into_iter()
            .partition(|row| row[1].split(", ").any(|it| !it.starts_with("marker")));
        let mut markers: Vec<(String, Vec<String>)> = Vec::new();
        for row in alone {
            for marker in row[1].split(", ") {
                let name = row[0].replace(' ', "\u{a0}");
                match markers.iter_mut().find(|(known, _)| known == marker) {
                    Some((_, names)) => names.push(name),
                    None => markers.push((marker.to_owned(), vec![name])),
                }
            }
        }
        rows.extend(markers.into_iter().map(|(marker, names)| {
            let on = match names.len() {
                0..=6 => names.join(", "),
                many => format!("on {many} channels"),
            };
            vec![marker, on]
        }));
        rows
    }
}
