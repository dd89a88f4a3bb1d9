//! The log format of ShiViz (<https://bestchai.bitbucket.io/shiviz/>): an event is a line that says
//! what it is, and a line with its host and its vector clock.

use std::collections::BTreeMap;
use std::fmt::Write;

use history::{ProcessId, System, What};

use crate::describe::describe;

/// The first line: how the rest is to be read. It is the expression that ShiViz takes by default.
pub const EXPRESSION: &str = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})";

/// The log. What happens outside of all processes (`collect`, `audit`) is not in it: it would have
/// a clock, but no cause. Writing to a string cannot fail.
#[must_use]
pub fn shiviz(system: &System) -> String {
    // The second line would divide executions, of which there is one.
    let mut out = format!("{EXPRESSION}\n\n");
    let mut clocks: BTreeMap<ProcessId, BTreeMap<ProcessId, u64>> = BTreeMap::new();
    // The clocks that travel with messages, by message.
    let mut sent: BTreeMap<usize, BTreeMap<ProcessId, u64>> = BTreeMap::new();
    for (index, event) in system.events.iter().enumerate() {
        let Some(process) = event.what.process() else {
            continue;
        };
        let clock = clocks.entry(process).or_default();
        let message = system.message_of.get(&index);
        let is_receipt = matches!(
            event.what,
            What::Receive { .. } | What::MarkerReceived { .. }
        );
        if let Some(carried) = message
            .filter(|_| is_receipt)
            .and_then(|it| sent.remove(it))
        {
            for (other, count) in carried {
                let known = clock.entry(other).or_default();
                *known = count.max(*known);
            }
        }
        *clock.entry(process).or_default() += 1;
        if let Some(message) = message.filter(|_| !is_receipt) {
            sent.insert(*message, clock.clone());
        }
        let counts = clock
            .iter()
            .map(|(id, count)| format!("\"p{id}\": {count}"));
        let counts = counts.collect::<Vec<_>>().join(", ");
        let text = describe(system, index);
        let _ = writeln!(out, "{text}\np{process} {{{counts}}}");
    }
    out
}
