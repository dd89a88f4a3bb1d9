//! Moments: what is done at once, by one rule of the algorithm, though it is several events.

use std::collections::HashMap;
use std::ops::Range;

use history::{ProcessId, System, What};

/// The moments of a system, in order: each is events that follow each other.
pub(crate) fn moments(system: &System) -> Vec<Range<usize>> {
    let mut moments: Vec<Range<usize>> = Vec::new();
    for (index, event) in system.events.iter().enumerate() {
        match moments.last_mut() {
            Some(last) if joins(&system.events[index - 1].what, &event.what) => last.end += 1,
            _ => moments.push(index..index + 1),
        }
    }
    moments
}

/// For each moment the step in which it is, counted from 0, in the order of the history: one after
/// the other on a process, and a message is received after the step in which it was sent. What
/// happens outside of all processes comes after everything before it.
pub(crate) fn steps(system: &System, moments: &[Range<usize>]) -> Vec<u64> {
    let mut now = 0;
    let mut last_on: HashMap<Option<ProcessId>, u64> = HashMap::new();
    let mut sent_in: HashMap<usize, u64> = HashMap::new();
    let step = |(index, events): (usize, &Range<usize>)| {
        let process = system.events[events.start].what.process();
        let sent = system
            .message_at(events.start)
            .and_then(|message| sent_in.get(&message.sent));
        let is_outside = process.is_none() && index > 0;
        if is_outside || last_on.get(&process) == Some(&now) || sent == Some(&now) {
            now += 1;
        }
        last_on.insert(process, now);
        sent_in.extend(events.clone().map(|event| (event, now)));
        now
    };
    moments.iter().enumerate().map(step).collect()
}

/// Whether an event belongs to what a process does by the same rule of the algorithm as in the
/// event before.
pub(crate) fn joins(before: &What, next: &What) -> bool {
    if before.process() != next.process() || before.snapshot() != next.snapshot() {
        return false;
    }
    match next {
        What::Record { .. } => matches!(before, What::Begin { .. } | What::MarkerReceived { .. }),
        What::MarkerSent { .. } | What::ChannelClosed { .. } => before.snapshot().is_some(),
        What::Collect { .. } | What::Audit { .. } => matches!(before, What::Collect { .. }),
        _ => false,
    }
}
