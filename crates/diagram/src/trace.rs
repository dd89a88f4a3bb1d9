//! The trace-event format of Chrome, which Perfetto reads (<https://ui.perfetto.dev>): a track for
//! each process, a slice for each moment, a flow for each message. A death lasts until its restart.

use std::collections::BTreeMap;
use std::ops::Range;

use history::{Death, Header, ProcessId, System, What};
use serde_json::{Value, json};

use crate::describe::{brief, describe};
use crate::error::Error;
use crate::moment::{moments, steps};

/// What a trace takes for time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Time {
    /// Each step is a second, so that every one is seen, however long it took.
    #[default]
    Steps,
    /// The clock says when something happened: starting processes takes most of a run.
    Clock,
}

/// A step, in microseconds.
const STEP: u64 = 1_000_000;
/// How long a slice lasts by the clock, in microseconds, at most: an event has no length, but must
/// be seen.
const LONGEST: u64 = 10;
/// The ids that a track can have. Perfetto shows them behind the track's name; a track 0 it drops.
const TRACKS: Range<u64> = 1..i32::MAX as u64;

/// The trace. On its track, a slice never begins before the one before it has ended.
///
/// # Errors
///
/// Where the clock is wanted, and not every event has a time.
pub fn trace(system: &System, header: &Header, time: Time) -> Result<String, Error> {
    let moments = moments(system);
    let places = match time {
        Time::Steps => by_steps(system, &moments),
        Time::Clock => by_clock(system, &moments)?,
    };
    let tracks = Tracks::new(system);
    let mut events = tracks.names(system, header);
    let mut place_of = vec![(0, 0); system.events.len()];
    let dead_until = dead_until(system, &moments, &places);
    for (moment, (start, length)) in moments.into_iter().zip(places) {
        let what = &system.events[moment.start].what;
        let track = tracks.of(system, what.process());
        let length = dead_until
            .get(&moment.start)
            .map_or(length, |end| end - start);
        place_of[moment.clone()].fill((track, start));
        let mut args = json!({});
        let said = moment.clone().map(|event| describe(system, event));
        args["what"] = said.collect::<Vec<_>>().into();
        if let Some(line) = system.events[moment.start].line {
            args["line"] = line.into();
        }
        if let Some(time) = system.events[moment.start].time {
            args["time"] = format!("{time} µs").into();
        }
        events.push(json!({
            "name": name(system, moment), "cat": category(what), "ph": "X",
            "pid": tracks.all, "tid": track, "ts": start, "dur": length, "args": args,
        }));
    }
    for (id, message) in system.messages.iter().enumerate() {
        let Some(received) = message.received else {
            continue;
        };
        for (phase, event) in [("s", message.sent), ("f", received)] {
            let (track, start) = place_of[event];
            let mut flow = json!({
                "name": "message", "cat": category(&system.events[event].what), "ph": phase,
                "id": id, "pid": tracks.all, "tid": track, "ts": start,
            });
            if phase == "f" {
                // It ends at the slice around it, not at the next one.
                flow["bp"] = "e".into();
            }
            events.push(flow);
        }
    }
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    Ok(format!(
        "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n",
        lines.join(",\n")
    ))
}

/// The ids of tracks: the processes', where those can be.
struct Tracks {
    are_ids: bool,
    /// The observer's, below those of processes.
    observer: u64,
    /// What all tracks belong to. Were it a track's too, that one would be called the main thread.
    all: u64,
}

impl Tracks {
    fn new(system: &System) -> Self {
        let count = system.processes.len() as u64;
        let last = system.processes.keys().next_back().map_or(0, |id| id.0);
        // The last two are needed too.
        let can_be = |id: u64| TRACKS.contains(&id) && TRACKS.contains(&id.saturating_add(2));
        let are_ids = system.processes.keys().all(|process| can_be(process.0));
        let observer = 1 + if are_ids { last } else { count };
        Self {
            are_ids,
            observer,
            all: observer + 1,
        }
    }

    fn of(&self, system: &System, process: Option<ProcessId>) -> u64 {
        match process {
            None => self.observer,
            Some(process) if self.are_ids => process.0,
            Some(process) => 1 + system.processes.range(..process).count() as u64,
        }
    }

    fn names(&self, system: &System, header: &Header) -> Vec<Value> {
        let named = |what: &str, track: u64, name: &str| json!({"name": what, "ph": "M", "pid": self.all, "tid": track, "args": {"name": name}});
        let run = header.script.as_deref().unwrap_or("a run");
        let mut names = vec![named("process_name", self.observer, run)];
        for process in system.processes.keys() {
            let name = match self.are_ids {
                true => "process".to_owned(),
                false => format!("process {}, track", system.called(*process)),
            };
            let track = self.of(system, Some(*process));
            names.push(named("thread_name", track, &name));
        }
        names.push(named("thread_name", self.observer, "observer, track"));
        names
    }
}

/// When each death ends that nothing else happens in.
fn dead_until(
    system: &System,
    moments: &[Range<usize>],
    places: &[(u64, u64)],
) -> BTreeMap<usize, u64> {
    let starts = moments.iter().zip(places);
    let starts: BTreeMap<usize, u64> = starts.map(|(it, place)| (it.start, place.0)).collect();
    let mut until = BTreeMap::new();
    for (process, deaths) in &system.deaths {
        for Death { died, restarted } in deaths {
            let Some(restarted) = *restarted else {
                continue;
            };
            let mut meanwhile = system.events[died + 1..restarted].iter();
            if meanwhile.all(|event| event.what.process() != *process) {
                until.extend(starts.get(&restarted).map(|start| (*died, *start)));
            }
        }
    }
    until
}

/// What is done at a moment: the markers that are sent, and the channels that are closed by it,
/// would only make it long.
fn name(system: &System, moment: Range<usize>) -> String {
    let first = moment.start;
    let is_told = |event: &usize| {
        let what = &system.events[*event].what;
        let follows = matches!(what, What::MarkerSent { .. } | What::ChannelClosed { .. });
        *event == first || !follows
    };
    let told = moment.filter(is_told);
    let told = told.map(|event| brief(system, &system.events[event].what));
    told.collect::<Vec<_>>().join(", ")
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
        What::Local { .. } => "local",
        What::Start { .. }
        | What::Create { .. }
        | What::Connect { .. }
        | What::Death { .. }
        | What::Restarted { .. }
        | What::End => "life",
    }
}

/// When each slice begins and how long it is.
fn by_steps(system: &System, moments: &[Range<usize>]) -> Vec<(u64, u64)> {
    let steps = steps(system, moments).into_iter();
    steps.map(|step| (step * STEP, STEP)).collect()
}

/// When each slice begins and how long it is: never backwards in the history's order, so that no
/// message arrives before it was sent.
fn by_clock(system: &System, moments: &[Range<usize>]) -> Result<Vec<(u64, u64)>, Error> {
    let mut places: Vec<(u64, u64)> = Vec::with_capacity(moments.len());
    let mut now = 0;
    for moment in moments {
        // A microsecond of its own for each, however fast they came.
        let time = system.events[moment.start].time.ok_or(Error::NoTimes)?;
        let time = time.max(now);
        if let Some(before) = places.last_mut() {
            before.1 = (time - before.0).clamp(1, LONGEST);
        }
        places.push((time, LONGEST));
        now = time.saturating_add(1);
    }
    Ok(places)
}
