//! Lines in another order than that in which the events happened: as when the logs of processes are
//! merged anyhow, and as nobody can have seen them.

use std::collections::BTreeMap;

use history::{Event, Judged, Overall, ProcessId, Report, Rule, Verifier, What};
use testing::histories::{history, seeds};

const RUNS: u64 = 600;

fn verify(events: &[Event]) -> Report {
    let mut verifier = Verifier::new().in_any_order();
    for (event, line) in events.iter().zip(2..) {
        verifier.on_event(event, line);
    }
    verifier.finish()
}

/// The logs of a system's processes, and of what is outside of them; without its start and its end.
fn logs(system: &[Event]) -> Vec<Vec<Event>> {
    let mut logs: BTreeMap<Option<ProcessId>, Vec<Event>> = BTreeMap::new();
    for event in system {
        if !matches!(event.what, What::Start { .. } | What::End) {
            logs.entry(event.what.process())
                .or_default()
                .push(event.clone());
        }
    }
    logs.into_values().collect()
}

/// One after the other, or mixed, as the seed has it.
fn merged(mut logs: Vec<Vec<Event>>, mut seed: u64, is_mixed: bool) -> Vec<Event> {
    let mut merged = Vec::new();
    while !logs.is_empty() {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let log = (seed >> 33) as usize % logs.len();
        match is_mixed {
            true => {
                // Lines of one collection follow each other.
                let is_more = |it: &Event, next: &Event| match (&it.what, &next.what) {
                    (What::Collect { snapshot: one, .. }, What::Collect { snapshot, .. }) => {
                        one == snapshot
                    }
                    _ => false,
                };
                let first = logs[log].chunk_by(is_more).next().map_or(0, <[Event]>::len);
                merged.extend(logs[log].drain(..first));
                logs.retain(|log| !log.is_empty());
            }
            false => merged.extend(logs.remove(log)),
        }
    }
    merged
}

/// The same system by system: starts and ends stay where they are.
fn shuffled(events: &[Event], seed: u64, is_mixed: bool) -> Vec<Event> {
    let mut shuffled = Vec::new();
    for system in events.chunk_by(|_, next| !matches!(next.what, What::Start { .. })) {
        shuffled.push(system[0].clone());
        shuffled.extend(merged(logs(system), seed, is_mixed));
        shuffled.extend(system.last().filter(|last| last.what == What::End).cloned());
    }
    shuffled
}

#[test]
fn logs_that_are_merged_anyhow_have_the_verdicts_of_the_run() {
    let mut moved = 0;
    for seed in seeds(RUNS) {
        let events = history(seed);
        let as_it_happened = verify(&events);
        assert!(as_it_happened.moved.is_empty(), "PIPEBANK_SEED={seed}");
        for is_mixed in [false, true] {
            let report = verify(&shuffled(&events, seed, is_mixed));
            assert!(report.violations.is_empty(), "PIPEBANK_SEED={seed}");
            moved += report.moved.len();
            // Others can have happened as they are written, and are judged as they are written.
            let of_moved = |report: &Report, moved: &Report| -> Vec<Judged> {
                let is_moved = |it: &&Judged| moved.moved.contains_key(&it.system);
                report.snapshots.iter().filter(is_moved).cloned().collect()
            };
            let found = of_moved(&report, &report);
            let expected = of_moved(&as_it_happened, &report);
            assert_eq!(found, expected, "{is_mixed} PIPEBANK_SEED={seed}");
        }
    }
    assert!(moved > 500 || seeds(2).len() == 1, "{moved}");
}

#[test]
fn what_is_wrong_is_wrong_in_any_order() {
    let mut wrong = 0;
    for seed in seeds(RUNS) {
        let mut events = history(seed);
        let states = events.iter_mut().find_map(|event| match &mut event.what {
            What::Collect { states, .. } => states.first_mut(),
            _ => None,
        });
        let Some(state) = states else {
            continue;
        };
        state.amount ^= 1;
        wrong += 1;
        for is_mixed in [false, true] {
            let report = verify(&shuffled(&events, seed, is_mixed));
            assert_eq!(report.overall(), Overall::Invalid, "PIPEBANK_SEED={seed}");
        }
    }
    assert!(wrong > 100 || seeds(2).len() == 1);
}

/// A receipt of what nobody sent is named, not one that only comes too early in the lines.
#[test]
fn the_first_line_that_cannot_happen_in_any_order_is_named() {
    let events = crate::short::events(
        "start
        create 1 10
        create 2 20
        receive 1 2 3 1
        send 1 2 3 1
        receive 2 1 5 1
        send 1 2 4 2
        end",
    );
    let report = verify(&events);
    let violation = &report.violations[&1];
    assert_eq!(violation.rule, Rule::Fifo);
    assert_eq!(violation.events[0].at.history, 7);
    assert!(report.moved.is_empty());
}
