//! Which events of a system are drawn: all, or a part that is named.

use std::collections::BTreeSet;

use history::{ProcessId, SnapshotId, System, What};

use crate::error::Error;

/// How many events are shown before and after a snapshot.
const CONTEXT: usize = 6;

/// What is to be drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The whole system.
    #[default]
    All,
    /// What certain lines of the script did; `None` is as far as it goes.
    Lines {
        /// The first of them.
        from: Option<u64>,
        /// The last of them.
        to: Option<u64>,
    },
    /// A snapshot from its beginning to its last marker, and a little around it.
    Snapshot(SnapshotId),
}

/// The selected events, in their order.
///
/// # Errors
///
/// Where there are none.
pub fn select(system: &System, selection: Selection) -> Result<Vec<usize>, Error> {
    let range = match selection {
        Selection::All => 0..system.events.len(),
        Selection::Lines { from, to } => lines(system, from, to)?,
        Selection::Snapshot(snapshot) => around(system, snapshot)?,
    };
    Ok(range.collect())
}

/// The processes at which something happens, or with whom messages are exchanged.
pub(crate) fn takes_part(
    system: &System,
    events: impl IntoIterator<Item = usize>,
) -> BTreeSet<ProcessId> {
    let mut processes = BTreeSet::new();
    for event in events {
        let what = &system.events[event].what;
        processes.extend(what.process());
        // Whoever is named in what is said of an event.
        if let What::Connect { channel }
        | What::Refuse { channel, .. }
        | What::ChannelClosed { channel, .. } = what
        {
            processes.extend([channel.from, channel.to]);
        }
        if let Some(message) = system.message_at(event) {
            processes.extend([message.channel.from, message.channel.to]);
        }
    }
    processes
}

/// From the first event of these lines to the last one. What happened meanwhile without
/// being asked for, as a death from outside, has no line and is among them.
fn lines(
    system: &System,
    from: Option<u64>,
    to: Option<u64>,
) -> Result<std::ops::Range<usize>, Error> {
    let wanted = from.unwrap_or(0)..=to.unwrap_or(u64::MAX);
    let is_wanted = |event: &history::Event| event.line.is_some_and(|line| wanted.contains(&line));
    let first = system.events.iter().position(is_wanted);
    let last = system.events.iter().rposition(is_wanted);
    if let (Some(first), Some(last)) = (first, last) {
        return Ok(first..last + 1);
    }
    let known = || system.events.iter().filter_map(|event| event.line);
    Err(Error::NoSuchLines {
        lines: match (from, to) {
            (Some(from), Some(to)) => format!("lines {from} to {to}"),
            (Some(from), None) => format!("line {from} or later"),
            (None, Some(to)) => format!("line {to} or earlier"),
            (None, None) => "any line".to_owned(),
        },
        known: match (known().min(), known().max()) {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => "none: it has no lines".to_owned(),
        },
    })
}

fn around(system: &System, snapshot: SnapshotId) -> Result<std::ops::Range<usize>, Error> {
    let is_part = |event: &history::Event| {
        event.what.process().is_some() && event.what.snapshot() == Some(snapshot)
    };
    let first = system.events.iter().position(is_part);
    let last = system.events.iter().rposition(is_part);
    if let (Some(first), Some(last)) = (first, last) {
        return Ok(first.saturating_sub(CONTEXT)..(last + 1 + CONTEXT).min(system.events.len()));
    }
    let last = system.snapshots.keys().next_back();
    Err(Error::NoSuchSnapshot {
        snapshot,
        known: match last {
            Some(last) => format!("they are numbered from 1 to {last}"),
            None => "it has none".to_owned(),
        },
    })
}
