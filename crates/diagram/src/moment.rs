//! Moments: what is done at once, by one rule of the algorithm, though it is several events.

use std::ops::Range;

use history::{System, What};

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
