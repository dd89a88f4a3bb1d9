//! The lines of a log: its events, each with its host, its clock and its text.

use std::collections::BTreeMap;

use bank::script::Printable;

use crate::master::commands::import::source::{Line, Source};
use crate::master::shared::{Error, Mistake};

/// How ShiViz reads a log if it is not told otherwise: the text comes first.
const TEXT_FIRST: &str = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})";
/// The other way round, as many loggers write it.
const CLOCK_FIRST: &str = r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)";

/// What a log says.
pub(super) struct Log<'a> {
    /// In the order in which they occur.
    pub(super) hosts: Vec<&'a str>,
    /// In the order of the log.
    pub(super) events: Vec<Logged<'a>>,
    /// Each host's own events, in their order.
    own: Vec<Vec<usize>>,
}

/// An event.
pub(super) struct Logged<'a> {
    /// With its host and clock.
    pub(super) line: Line<'a>,
    pub(super) host: usize,
    /// How many events of each host it knows of, itself included.
    pub(super) clock: BTreeMap<usize, u64>,
    /// Its number among those of its host, from 1.
    pub(super) own: u64,
    pub(super) text: &'a str,
}

impl<'a> Log<'a> {
    pub(super) fn read(source: &'a Source) -> Result<Self, Error> {
        let clocks = clocks(source)?;
        let mut hosts: Vec<&str> = Vec::new();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for (line, _) in &clocks {
            let (host, _) = split(*line).unwrap_or_default();
            numbers.entry(host).or_insert_with(|| {
                hosts.push(host);
                hosts.len() - 1
            });
        }
        let mut log = Self {
            own: vec![Vec::new(); hosts.len()],
            hosts,
            events: Vec::new(),
        };
        for (line, text) in clocks {
            let event = log.event(line, text, &numbers)?;
            log.own[event.host].push(log.events.len());
            log.events.push(event);
        }
        for events in &mut log.own {
            events.sort_by_key(|event| log.events[*event].own);
            for (event, expected) in events.iter().zip(1..) {
                let event = &log.events[*event];
                if event.own != expected {
                    return Err(event.line.all_wrong(Mistake::NotNext {
                        host: Printable::new(log.hosts[event.host].as_bytes()),
                        found: event.own,
                        expected,
                    }));
                }
            }
        }
        log.knows_what_is_there()?;
        Ok(log)
    }

    /// The event before this one at its host.
    pub(super) fn before(&self, event: usize) -> Option<usize> {
        let Logged { host, own, .. } = self.events[event];
        self.at(host, own - 1)
    }

    /// The last event of each other host of which it knows, and the one before it did not.
    pub(super) fn heard_of(&self, event: usize) -> Vec<usize> {
        let Logged { host, clock, .. } = &self.events[event];
        let before = self.before(event).map(|before| &self.events[before].clock);
        let is_news = |(other, count): &(&usize, &u64)| {
            let known = before.and_then(|clock| clock.get(other));
            *other != host && known.is_none_or(|known| *count > known)
        };
        let news = clock.iter().filter(is_news);
        news.filter_map(|(other, count)| self.at(*other, *count))
            .collect()
    }

    /// A host's event number `own`.
    fn at(&self, host: usize, own: u64) -> Option<usize> {
        let index = usize::try_from(own.checked_sub(1)?).ok()?;
        self.own[host].get(index).copied()
    }

    fn event(
        &self,
        line: Line<'a>,
        text: &'a str,
        numbers: &BTreeMap<&str, usize>,
    ) -> Result<Logged<'a>, Error> {
        let (name, json) = split(line).unwrap_or_default();
        let start = line.text.len() - line.text[name.len()..].trim_start().len();
        let json_at = start..start + json.len();
        let counts: Result<BTreeMap<String, u64>, _> = serde_json::from_str(json);
        let counts = counts.map_err(|error| {
            let at = start + error.column().saturating_sub(1);
            line.wrong(at..at + 1, Mistake::Clock(error))
        })?;
        let mut clock = BTreeMap::new();
        for (other, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let host = numbers.get(&*other).ok_or_else(|| {
                line.wrong(
                    json_at.clone(),
                    Mistake::NoSuchEvent {
                        host: Printable::new(other.as_bytes()),
                        event: count,
                        count: 0,
                    },
                )
            })?;
            clock.insert(*host, count);
        }
        let host = numbers[name];
        let own = clock.get(&host).copied();
        let own = own.ok_or_else(|| {
            line.wrong(
                json_at,
                Mistake::NotInOwnClock(Printable::new(name.as_bytes())),
            )
        })?;
        Ok(Logged {
            line,
            host,
            clock,
            own,
            text,
        })
    }

    fn knows_what_is_there(&self) -> Result<(), Error> {
        for Logged { line, clock, .. } in &self.events {
            for (host, event) in clock {
                if self.at(*host, *event).is_none() {
                    return Err(line.all_wrong(Mistake::NoSuchEvent {
                        host: Printable::new(self.hosts[*host].as_bytes()),
                        event: *event,
                        count: self.own[*host].len(),
                    }));
                }
            }
        }
        Ok(())
    }
}

/// The lines with clocks, each with the text of its event.
fn clocks(source: &Source) -> Result<Vec<(Line<'_>, &str)>, Error> {
    let mut lines = source.lines().peekable();
    let mut is_text_first = None;
    if let Some(first) = lines.next_if(|line| line.text.contains("(?<")) {
        is_text_first = match first.text.trim() {
            TEXT_FIRST => Some(true),
            CLOCK_FIRST => Some(false),
            _ => return Err(first.all_wrong(Mistake::Expression(TEXT_FIRST))),
        };
        // The second line would divide executions.
        if let Some(second) = lines.next()
            && !second.text.trim().is_empty()
        {
            return Err(second.all_wrong(Mistake::Divided));
        }
    }
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let next_is_clock = lines.peek().is_some_and(|next| split(*next).is_some());
        if line.text.trim().is_empty() && !(is_text_first == Some(true) && next_is_clock) {
            continue;
        }
        let is_text_first = *is_text_first.get_or_insert(split(line).is_none());
        if is_text_first {
            let clock = lines.next_if(|next| split(*next).is_some());
            let clock = clock.ok_or_else(|| match lines.peek() {
                Some(next) => next.all_wrong(Mistake::NoEvent),
                None => line.all_wrong(Mistake::NoEvent),
            })?;
            found.push((clock, line.text.trim_end()));
        } else if split(line).is_some() {
            let text = lines.next().map_or("", |text| text.text.trim_end());
            found.push((line, text));
        } else {
            return Err(line.all_wrong(Mistake::NoEvent));
        }
    }
    Ok(found)
}

/// A line with a host and a clock, in its two parts.
fn split(line: Line<'_>) -> Option<(&str, &str)> {
    let (host, clock) = line.text.split_once(' ')?;
    let clock = clock.trim();
    let is_clock = clock.starts_with('{') && clock.ends_with('}');
    let is_host = !host.is_empty() && !host.contains(char::is_whitespace);
    (is_clock && is_host).then_some((host, clock))
}
