//! What the page knows of a run. Ids and amounts are strings, since JavaScript's numbers have 53
//! bits; lanes, events, messages and snapshots are named by their index in the page's lists.

mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use history::{
    Channel, Content, Header, Message, ProcessId, Replay, SnapshotId, System, Text, What,
};
use serde::Serialize;
use snapshot::SnapshotView;

use crate::error::Error;
use crate::moment::joins;
use crate::select::takes_part;

/// The whole.
#[derive(Serialize)]
pub(super) struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<PartView>,
    processes: Vec<ProcessView>,
    /// In a sparse system: the lanes that channels joined before the first event shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<[usize; 2]>>,
    events: Vec<EventView>,
    messages: Vec<MessageView>,
    snapshots: Vec<SnapshotView>,
}

/// Which part of its run the page shows, where it does not show all of it.
#[derive(Serialize)]
struct PartView {
    /// Its first event and its last one, counted from 1.
    events: [usize; 2],
    /// How many events the run has.
    of: usize,
    /// The first and the last line of the script that did something in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<[String; 2]>,
    /// How many snapshots the run has.
    snapshots: usize,
}

/// A process, and how it is before the first event shown.
#[derive(Serialize)]
struct ProcessView {
    id: String,
    /// Its state; none where it is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    died: bool,
    recording: Vec<RecordingView>,
}

#[derive(Serialize)]
struct RecordingView {
    snapshot: usize,
    /// The lanes whose channels are recorded already.
    closed: BTreeSet<usize>,
}

/// An event; what does not apply is left out.
#[derive(Default, Serialize)]
struct EventView {
    kind: &'static str,
    /// It is part of what the process did in the event before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    joins: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inferred: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

/// A message or marker; `sent` and `received` are left out where that is not shown.
#[derive(Serialize)]
struct MessageView {
    from: usize,
    to: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<usize>,
    /// It is received nowhere.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
}

/// What the page needs of these events, which follow each other in the system.
pub(super) fn of(system: &System, header: &Header, events: &[usize]) -> Result<Data, Error> {
    let shown = Shown::new(system, events);
    let carried = |message: &usize| shown.carried(&system.messages[*message]);
    Ok(Data {
        script: header.script.clone(),
        seed: header.seed.map(|seed| seed.to_string()),
        sha256: header.sha256.clone(),
        part: shown.part(),
        processes: shown.processes(),
        channels: shown.channels(),
        events: shown
            .events
            .clone()
            .map(|event| shown.event(event))
            .collect(),
        messages: shown.messages.keys().map(carried).collect(),
        snapshots: shown
            .snapshots
            .keys()
            .map(|id| shown.snapshot(*id))
            .collect::<Result<_, _>>()?,
    })
}

/// A part of a system, and the index of everything in the page's lists.
struct Shown<'a> {
    system: &'a System,
    events: Range<usize>,
    lanes: BTreeMap<ProcessId, usize>,
    messages: BTreeMap<usize, usize>,
    snapshots: BTreeMap<SnapshotId, usize>,
}

impl<'a> Shown<'a> {
    fn new(system: &'a System, events: &[usize]) -> Self {
        let first = events.first().copied().unwrap_or(0);
        let events = first..events.last().map_or(first, |last| last + 1);
        let processes = takes_part(system, events.clone());
        let what = system.events[events.clone()].iter();
        let mut snapshots: BTreeSet<SnapshotId> =
            what.filter_map(|event| event.what.snapshot()).collect();
        let on_lanes = |message: &Message| {
            let Channel { from, to } = message.channel;
            processes.contains(&from) && processes.contains(&to)
        };
        let is_shown = |message: &Message| {
            message.sent < events.end && message.received.is_none_or(|it| it >= events.start)
        };
        let messages = system.messages.iter().enumerate();
        let messages = messages.filter(|(_, message)| on_lanes(message) && is_shown(message));
        let messages: Vec<usize> = messages.map(|(index, _)| index).collect();
        for message in &messages {
            if let Content::Marker(snapshot) = system.messages[*message].content {
                snapshots.insert(snapshot);
            }
        }
        Self {
            system,
            events,
            lanes: indexed(processes),
            messages: indexed(messages),
            snapshots: indexed(snapshots),
        }
    }

    /// What part this is of its run; none where it is all of it.
    fn part(&self) -> Option<PartView> {
        let of = self.system.events.len();
        let lines = || {
            self.system.events[self.events.clone()]
                .iter()
                .filter_map(|it| it.line)
        };
        let lines = lines().min().zip(lines().max());
        (self.events.len() < of).then(|| PartView {
            events: [self.events.start + 1, self.events.end],
            of,
            lines: lines.map(|(first, last)| [first.to_string(), last.to_string()]),
            snapshots: self.system.snapshots.len(),
        })
    }

    /// The index of an event, where it is shown.
    fn index(&self, event: usize) -> Option<usize> {
        let index = event.checked_sub(self.events.start)?;
        (event < self.events.end).then_some(index)
    }

    fn lane(&self, process: ProcessId) -> Option<usize> {
        self.lanes.get(&process).copied()
    }

    /// The channels that are open before the first event shown, where not everybody has one to everybody.
    fn channels(&self) -> Option<Vec<[usize; 2]>> {
        let before = &self.system.events[..self.events.start];
        let opened = before.iter().filter_map(|event| match event.what {
            What::Connect { channel } => Some([self.lane(channel.from)?, self.lane(channel.to)?]),
            _ => None,
        });
        let start = self.system.events.first().map(|event| &event.what);
        matches!(start, Some(What::Start { sparse: true })).then(|| opened.collect())
    }

    /// The processes as they are before the first event shown.
    fn processes(&self) -> Vec<ProcessView> {
        let events = &self.system.events[..self.events.start];
        let replay: Replay = events.iter().collect();
        // The channels' ends that are recorded, by receiver and snapshot.
        let mut closed: BTreeMap<_, BTreeSet<usize>> = BTreeMap::new();
        for event in events {
            if let What::ChannelClosed { channel, snapshot } = event.what {
                let closed = closed.entry((channel.to, snapshot)).or_default();
                closed.extend(self.lane(channel.from));
            }
        }
        let process = |id: &ProcessId| {
            let now = replay.processes().get(id);
            let recording = |snapshot: &SnapshotId| {
                Some(RecordingView {
                    snapshot: *self.snapshots.get(snapshot)?,
                    closed: closed.get(&(*id, *snapshot)).cloned().unwrap_or_default(),
                })
            };
            let recorded = now.iter().flat_map(|now| &now.recorded);
            ProcessView {
                id: self.system.called(*id),
                before: now.map(|now| now.balance.to_string()),
                died: now.is_some_and(|now| now.is_dead),
                recording: recorded.filter_map(recording).collect(),
            }
        };
        self.lanes.keys().map(process).collect()
    }

    fn event(&self, index: usize) -> EventView {
        let event = &self.system.events[index];
        let what = &event.what;
        let snapshot = what
            .snapshot()
            .and_then(|snapshot| self.snapshots.get(&snapshot));
        let message = self.system.message_of.get(&index);
        let (kind, amount) = match *what {
            What::Start { .. } => ("start", None),
            What::Create { amount, .. } => ("create", Some(amount)),
            What::Send { amount, .. } => ("send", Some(amount)),
            What::Receive { amount, .. } => ("receive", Some(amount)),
            What::Refuse { amount, .. } => ("refuse", Some(amount)),
            What::Begin { .. } => ("begin", None),
            What::Record { amount, .. } => ("record", Some(amount)),
            What::MarkerSent { .. } => ("marker_sent", None),
            What::MarkerReceived { .. } => ("marker_received", None),
            What::ChannelClosed { .. } => ("channel_closed", None),
            What::Collect { .. } => ("collect", None),
            What::Audit { ref verdict, .. } => ("audit", verdict.as_ref().ok().copied()),
            What::Death { .. } => ("death", None),
            What::Restarted { .. } => ("restarted", None),
            What::Connect { .. } => ("connect", None),
            What::Local { .. } => ("local", None),
            What::End => ("end", None),
        };
        let channel = match *what {
            What::Connect { channel }
            | What::Refuse { channel, .. }
            | What::ChannelClosed { channel, .. } => Some(channel),
            _ => None,
        };
        EventView {
            kind,
            joins: index > self.events.start && joins(&self.system.events[index - 1].what, what),
            lane: what.process().and_then(|process| self.lane(process)),
            from: channel.and_then(|channel| self.lane(channel.from)),
            to: channel.and_then(|channel| self.lane(channel.to)),
            message: message.and_then(|message| self.messages.get(message).copied()),
            snapshot: snapshot.copied(),
            amount: amount.map(|amount| amount.to_string()),
            reason: reason_of(what),
            incarnation: match *what {
                What::Restarted { incarnation, .. } => Some(incarnation.to_string()),
                _ => None,
            },
            inferred: matches!(
                what,
                What::Send { inferred: true, .. } | What::MarkerSent { inferred: true, .. }
            ),
            line: event.line.map(|line| line.to_string()),
            time: event.time.map(|time| time.to_string()),
        }
    }

    fn carried(&self, message: &Message) -> MessageView {
        let (amount, snapshot) = match message.content {
            Content::Amount(amount) => (Some(amount.to_string()), None),
            Content::Marker(snapshot) => (None, self.snapshots.get(&snapshot).copied()),
        };
        let number = match self.system.events[message.sent].what {
            What::Send { number, .. } => Some(number.to_string()),
            _ => None,
        };
        MessageView {
            from: self.lane(message.channel.from).unwrap_or_default(),
            to: self.lane(message.channel.to).unwrap_or_default(),
            amount,
            number,
            snapshot,
            sent: self.index(message.sent),
            received: message.received.and_then(|event| self.index(event)),
            lost: message.received.is_none(),
        }
    }
}

fn indexed<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    items.into_iter().zip(0..).collect()
}

fn reason_of(what: &What) -> Option<Text> {
    match what {
        What::Audit { verdict, .. } => verdict.as_ref().err().cloned(),
        What::Death { reason, .. } | What::Local { text: reason, .. } => Some(reason.clone()),
        _ => None,
    }
}
