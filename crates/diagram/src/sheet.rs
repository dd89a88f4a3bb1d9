//! What an image shows of a history: as much as can be read, in one row or in several.
//!
//! A row is a layout of events that follow each other. What crosses its borders goes on in the next
//! row, as it does where a part of a history is drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use history::{Channel, Content, Message, ProcessId, System, What};

use crate::columns::Columns;
use crate::layout::{Layout, Setting, borders};
use crate::select::takes_part;

/// More events are not drawn: nobody could read them. One snapshot of 30 processes alone, which
/// must be possible, is 2,600 events.
pub const MAX_EVENTS: usize = 4000;
/// More processes are not drawn.
pub const MAX_PROCESSES: usize = 30;
/// From border to border where it is compact: with the names beside it, a slide or a page held
/// sideways.
const PAGE: i32 = 980;

/// An image's content.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What is drawn, from above to below.
    pub rows: Vec<Layout>,
    /// What was to be drawn and is not.
    pub left_out: Option<LeftOut>,
    /// How it is drawn.
    pub setting: Setting,
    /// The processes of which something is drawn.
    pub(crate) processes: usize,
    /// The events that are drawn.
    pub(crate) events: usize,
    /// How many there are in the system, leaving out what the setting leaves out.
    pub(crate) of_events: usize,
    /// The messages that are in transit all the time, which are not drawn.
    pub(crate) passing: usize,
    /// Whether the events are in another order than they had.
    pub(crate) is_reordered: bool,
}

/// How much of what was to be drawn is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The events that are drawn.
    pub events: usize,
    /// Of how many.
    pub of_events: usize,
    /// The processes that are drawn.
    pub processes: usize,
    /// Of how many.
    pub of_processes: usize,
    /// The line of the script up to which it is drawn, where it ends early.
    pub until: Option<u64>,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            events, of_events, ..
        } = self;
        write!(f, "a part is drawn: ")?;
        if self.processes < self.of_processes {
            let Self {
                processes,
                of_processes,
                ..
            } = self;
            write!(
                f,
                "the {processes} of {of_processes} processes to which most happens, "
            )?;
        }
        write!(f, "the first {events} of {of_events} events")?;
        if let Some(line) = self.until {
            write!(f, ", up to line {line}")?;
        }
        write!(
            f,
            "; --from LINE and --to LINE (lines of the script) or --snapshot N choose another"
        )
    }
}

impl Sheet {
    /// Sets these events of a system, which are in an order in which they can have happened: of too
    /// many the first, of too many processes those to which most happens.
    #[must_use]
    pub fn new(system: &System, order: &[usize], setting: Setting) -> Self {
        let all = takes_part(system, order.iter().copied());
        let wanted = |event: &usize| !(setting.without_markers && is_of_marker(system, *event));
        let mut events: Vec<usize> = order.iter().copied().filter(wanted).collect();
        let of_events = events.len();
        let processes = busiest(system, &events, &all);
        events.retain(|event| is_among(system, *event, &processes));
        let ends_early = events.len() > MAX_EVENTS;
        events.truncate(MAX_EVENTS);
        let line = || events.iter().rev().find_map(|it| system.events[*it].line);
        let left_out = LeftOut {
            events: events.len(),
            of_events,
            processes: processes.len(),
            of_processes: all.len(),
            until: ends_early.then(line).flatten(),
        };
        let is_part = left_out.events < of_events || left_out.processes < left_out.of_processes;
        let rows = match setting.is_compact {
            true => rows(system, &events, &processes, setting),
            false => vec![Layout::set(system, &events, &processes, setting)],
        };
        let lanes = rows.iter().flat_map(|row| &row.lanes);
        let drawn: BTreeSet<ProcessId> = lanes.filter_map(|lane| lane.process).collect();
        let passing = passing(system, &events, &drawn, setting);
        Self {
            rows,
            left_out: is_part.then_some(left_out),
            setting,
            processes: drawn.len(),
            events: events.len(),
            of_events: (0..system.events.len()).filter(wanted).count(),
            passing,
            is_reordered: !events.is_sorted(),
        }
    }
}

/// As many rows as are needed, each at most as wide as a page.
fn rows(
    system: &System,
    events: &[usize],
    processes: &BTreeSet<ProcessId>,
    setting: Setting,
) -> Vec<Layout> {
    let lane_of: BTreeMap<ProcessId, usize> = processes.iter().copied().zip(0..).collect();
    let mut rows = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let fit = Columns::new(system, rest, &lane_of, true).fit(PAGE);
        let (row, later) = rest.split_at(fit);
        rows.push(Layout::set(system, row, processes, setting));
        rest = later;
    }
    rows
}

/// How many messages between these processes are in transit before the first event and after the last.
fn passing(
    system: &System,
    events: &[usize],
    processes: &BTreeSet<ProcessId>,
    setting: Setting,
) -> usize {
    let (first, last) = borders(events);
    let is_passing = |message: &&Message| {
        let is_drawn = matches!(message.content, Content::Amount(_)) || !setting.without_markers;
        let Channel { from, to } = message.channel;
        let is_between = processes.contains(&from) && processes.contains(&to);
        let is_there = message.sent < first && message.received.is_none_or(|it| it > last);
        is_drawn && is_between && is_there
    };
    system.messages.iter().filter(is_passing).count()
}

fn is_of_marker(system: &System, event: usize) -> bool {
    matches!(
        system.events[event].what,
        What::MarkerSent { .. } | What::MarkerReceived { .. } | What::ChannelClosed { .. }
    )
}

/// Of too many processes those to which most happens.
fn busiest(
    system: &System,
    events: &[usize],
    processes: &BTreeSet<ProcessId>,
) -> BTreeSet<ProcessId> {
    if processes.len() <= MAX_PROCESSES {
        return processes.clone();
    }
    let mut counts: BTreeMap<ProcessId, usize> = BTreeMap::new();
    for process in events
        .iter()
        .filter_map(|it| system.events[*it].what.process())
    {
        *counts.entry(process).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(process, count)| (std::cmp::Reverse(*count), *process));
    let busiest = counts.into_iter().take(MAX_PROCESSES);
    busiest.map(|(process, _)| process).collect()
}

/// Whether an event is of these processes; of markers, both ends.
fn is_among(system: &System, event: usize, processes: &BTreeSet<ProcessId>) -> bool {
    let what = &system.events[event].what;
    match what {
        What::MarkerSent { channel, .. }
        | What::MarkerReceived { channel, .. }
        | What::ChannelClosed { channel, .. } => {
            processes.contains(&channel.from) && processes.contains(&channel.to)
        }
        _ => what
            .process()
            .is_none_or(|process| processes.contains(&process)),
    }
}
