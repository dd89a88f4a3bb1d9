//! A log as a history: its processes and channels, then its events.

use std::collections::{BTreeMap, BTreeSet};

use history::{Channel, Event, Extra, Header, ProcessId, Text, What, write_event, write_header};

use super::read::{Log, Logged};
use crate::master::commands::import::names::numbers;

/// The history, in this order, where `senders` has for each event those whose messages it receives.
pub(super) fn written(
    name: &str,
    log: &Log,
    senders: &[BTreeSet<usize>],
    order: &[usize],
) -> String {
    let ids = numbers(log.hosts.iter().copied());
    let mut writer = Writer {
        log,
        ids: ids.into_iter().map(ProcessId).collect(),
        senders,
        receivers: vec![Vec::new(); log.events.len()],
        sent: BTreeMap::new(),
        numbers: BTreeMap::new(),
        out: Vec::new(),
    };
    for &event in order {
        for &sender in &senders[event] {
            writer.receivers[sender].push(event);
        }
    }
    let header = Header {
        script: Some(Text::from(name)),
        is_opaque: true,
        ..Header::default()
    };
    write_header(&mut writer.out, &header);
    writer.write(None, What::Start { sparse: true });
    writer.declare();
    for &event in order {
        writer.event(event);
    }
    writer.write(None, What::End);
    String::from_utf8_lossy(&writer.out).into_owned()
}

struct Writer<'a> {
    log: &'a Log<'a>,
    /// The hosts' processes.
    ids: Vec<ProcessId>,
    senders: &'a [BTreeSet<usize>],
    /// For each event, those that receive what it sends.
    receivers: Vec<Vec<usize>>,
    /// How many messages each channel has carried.
    sent: BTreeMap<(ProcessId, ProcessId), u64>,
    /// Messages' numbers on their channels, by what sends and what receives them.
    numbers: BTreeMap<(usize, usize), u64>,
    out: Vec<u8>,
}

impl Writer<'_> {
    /// The processes, with the names that they have in the log, and the channels.
    fn declare(&mut self) {
        for (process, host) in self.ids.clone().into_iter().zip(&self.log.hosts) {
            let (name, amount) = (Some(Text::from(*host)), 0);
            let created = What::Create {
                process,
                name,
                amount,
            };
            self.write(None, created);
        }
        let sends = self.receivers.iter().enumerate();
        let channels: BTreeSet<(ProcessId, ProcessId)> = sends
            .flat_map(|(event, received)| received.iter().map(move |at| (event, *at)))
            .map(|(event, received)| (self.process(event), self.process(received)))
            .collect();
        for (from, to) in channels {
            let channel = Channel { from, to };
            self.write(None, What::Connect { channel });
        }
    }

    /// What an event receives, then its text, then what it sends.
    fn event(&mut self, event: usize) {
        let Logged { line, text, .. } = &self.log.events[event];
        let line = Some(line.number);
        let process = self.process(event);
        for &sender in &self.senders[event] {
            let (from, to) = (self.process(sender), process);
            let received = What::Receive {
                channel: Channel { from, to },
                amount: 0,
                number: self.numbers[&(sender, event)],
            };
            self.write(line, received);
        }
        let text = Text::from(*text);
        self.write(line, What::Local { process, text });
        for receiver in self.receivers[event].clone() {
            let (from, to) = (process, self.process(receiver));
            let number = self.sent.entry((from, to)).or_default();
            *number += 1;
            self.numbers.insert((event, receiver), *number);
            let sent = What::Send {
                channel: Channel { from, to },
                amount: 0,
                number: *number,
                inferred: false,
            };
            self.write(line, sent);
        }
    }

    fn process(&self, event: usize) -> ProcessId {
        self.ids[self.log.events[event].host]
    }

    /// An event, with its line of the log.
    fn write(&mut self, line: Option<usize>, what: What) {
        let event = Event {
            line: line.map(|line| line as u64),
            time: None,
            what,
            extra: Extra::new(),
        };
        write_event(&mut self.out, &event);
    }
}
