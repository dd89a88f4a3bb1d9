//! The verdict on a snapshot of which no step is in the history: by what was collected alone.

use super::{BREAKS_OFF, Collecting, deposits, no_channel, sum};
use crate::event::ProcessId;
use crate::verify::log::Log;
use crate::verify::rule::{Rule, Violation};
use crate::verify::running::InProgress;
use crate::verify::{Unjudged, Verdict};

/// Whether a state of everybody was collected, and whether they add up.
pub(super) fn judge(
    log: &Log,
    open: &InProgress,
    collecting: &Collecting,
    is_cut_off: bool,
) -> Verdict {
    let is_missing = |process: &&ProcessId| !collecting.states.contains_key(process);
    let is_missing = log.processes.keys().any(|process| is_missing(&process));
    if is_missing && is_cut_off {
        return Verdict::Unknown(BREAKS_OFF.to_owned());
    }
    if let Some(violation) = wrong(log, open, collecting) {
        return Verdict::Invalid(Box::new(violation));
    }
    let reason = match (log.facts.is_opaque, expected(log, open)) {
        (true, _) => "states are opaque",
        (false, None) => "nothing says what it should add up to",
        (false, Some(_)) => {
            return Verdict::Valid {
                processes: collecting.states.len(),
                messages: collecting.channels.values().map(Vec::len).sum(),
                in_transit: Some(sum(collecting.channels.values().flatten())),
                total: Some(collecting.total()),
                unjudged: vec![Unjudged::Cut],
            };
        }
    };
    Verdict::Unknown(format!("no step of it is in the history, and {reason}"))
}

/// What it should add up to: what was deposited, or what the header says where nobody is created.
fn expected(log: &Log, open: &InProgress) -> Option<i128> {
    match log.processes.is_empty() {
        true => log.facts.total,
        false => deposits(log, open),
    }
}

fn wrong(log: &Log, open: &InProgress, collecting: &Collecting) -> Option<Violation> {
    let wrong = |rule, reason: String| {
        let violation = Violation::new(rule, reason);
        Some(violation.seen("collected", collecting.at))
    };
    if let Some(process) = collecting.twice {
        let process = log.called(process);
        let reason = format!("the state of process {process} is collected twice");
        return wrong(Rule::States, reason);
    }
    // Where nobody is created, whoever recorded was there.
    if !log.processes.is_empty() {
        let created = &log.processes;
        let mut all = created.keys();
        if let Some(process) = all.find(|it| !collecting.states.contains_key(it)) {
            let process = log.called(*process);
            let reason = format!("no state of process {process} was collected");
            return wrong(Rule::Complete, reason);
        }
        let mut all = collecting.states.keys();
        if let Some(process) = all.find(|it| !created.contains_key(it)) {
            let process = log.called(*process);
            let reason =
                format!("a state of process {process} is collected, which was never created");
            return wrong(Rule::States, reason);
        }
        if let Some(violation) = no_channel(log, open, collecting) {
            return Some(violation);
        }
    }
    if log.facts.is_opaque {
        return None;
    }
    let (total, expected) = (collecting.total(), expected(log, open)?);
    let said = match log.processes.is_empty() {
        true => format!("the header says {expected}"),
        false => format!("{expected} were deposited"),
    };
    match total == expected {
        true => None,
        false => wrong(
            Rule::Money,
            format!("states and messages add up to {total}, and {said}"),
        ),
    }
}
