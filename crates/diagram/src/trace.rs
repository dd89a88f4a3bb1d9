//! The trace-event format of Chrome, which Perfetto reads (<https://ui.perfetto.dev>): a track for
//! each process, a slice for each event, a flow for each message.

use history::{Header, ProcessId, System, What};
use serde_json::{Value, json};

use crate::describe::describe;

/// The id of all tracks' common process; tracks are its threads.
const PID: u64 = 1;
/// The observer's track; those of processes come after it. Ids of processes may be too large for
/// whoever reads numbers as JavaScript does.
const OBSERVER: u64 = 1;
/// How long a slice lasts, in microseconds: an event has no length, but must be seen.
const LONGEST: u64 = 10;

/// The trace. Events stand where the clock says, where every one of them has a time; else a fixed
/// step after each other. On its track an event never begins before the one before it has ended.
#[must_use]
pub fn trace(system: &System, header: &Header) -> String {
    let name = header.script.as_deref().unwrap_or("a run");
    let mut events = vec![named("process_name", OBSERVER, name)];
    events.push(named("thread_name", OBSERVER, "observer"));
    for (process, track) in system.processes.keys().zip(OBSERVER + 1..) {
        events.push(named("thread_name", track, &format!("process {process}")));
    }
    let starts = starts(system);
    for (index, event) in system.events.iter().enumerate() {
        let track = track(system, event.what.process());
        let (start, length) = starts[index];
        let mut args = json!({});
        if let Some(line) = event.line {
            args["line"] = line.into();
        }
        events.push(json!({
            "name": describe(system, index), "cat": category(&event.what), "ph": "X",
            "pid": PID, "tid": track, "ts": start, "dur": length, "args": args,
        }));
    }
    for (id, message) in system.messages.iter().enumerate() {
        let Some(received) = message.received else {
            continue;
        };
        for (phase, event) in [("s", message.sent), ("f", received)] {
            let what = &system.events[event].what;
            let mut flow = json!({
                "name": "message", "cat": category(what), "ph": phase, "id": id, "pid": PID,
                "tid": track(system, what.process()), "ts": starts[event].0,
            });
            if phase == "f" {
                // It ends at the slice around it, not at the next one.
                flow["bp"] = "e".into();
            }
            events.push(flow);
        }
    }
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    format!(
        "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n",
        lines.join(",\n")
    )
}

fn named(what: &str, track: u64, name: &str) -> Value {
    json!({"name": what, "ph": "M", "pid": PID, "tid": track, "args": {"name": name}})
}

fn track(system: &System, process: Option<ProcessId>) -> u64 {
    let before = |process| system.processes.range(..process).count() as u64;
    process.map_or(OBSERVER, |process| OBSERVER + 1 + before(process))
}

fn category(what: &What) -> &'static str {
    match what {
        What::Send { .. } | What::Receive { .. } | What::Refuse { .. } => "message",
        What::MarkerSent { .. } | What::MarkerReceived { .. } => "marker",
        What::Begin { .. }
        | What::Record { .. }
        | What::ChannelClosed { .. }
        | What::Collect { .. }
        | What::Audit { .. } => "snapshot",
        What::Start | What::Create { .. } | What::Death { .. } | What::End => "life",
    }
}

/// When each event's slice begins and how long it is: never backwards in the history's order, so
/// that no message arrives before it was sent.
fn starts(system: &System) -> Vec<(u64, u64)> {
    let has_times = system.events.iter().all(|event| event.time.is_some());
    let mut starts: Vec<(u64, u64)> = Vec::with_capacity(system.events.len());
    let mut now = 0;
    for (event, step) in system.events.iter().zip(0..) {
        let time = match has_times {
            // A microsecond of its own for each, however fast they came.
            true => event.time.unwrap_or_default().max(now),
            false => step * LONGEST,
        };
        if let Some(before) = starts.last_mut() {
            before.1 = (time - before.0).clamp(1, LONGEST);
        }
        starts.push((time, LONGEST));
        now = time.saturating_add(1);
    }
    starts
}
