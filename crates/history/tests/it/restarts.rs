//! A death changes nothing but time: put into a history, with restarts, it leaves every verdict as it was,
//! of right histories and of wrong ones.

use std::collections::BTreeMap;

use history::{Event, ProcessId, Report, Rule, SnapshotId, Verdict, Verifier, What};
use testing::histories::{Params, run, seeds};

use crate::mutations::mutations;

const RUNS: u64 = 40;
/// Of a history's events, one in this number is changed.
const EVERY: usize = 12;

fn verify(events: &[Event]) -> Report {
    let mut verifier = Verifier::new();
    for (event, line) in events.iter().zip(2..) {
        verifier.on_event(event, line);
    }
    verifier.finish()
}

/// What is said of each snapshot, and of the system itself. Where somebody is dead for a while, what is
/// wrong with a snapshot may be known later than another thing: then the rule is another one.
type Verdicts = BTreeMap<Option<SnapshotId>, String>;

fn verdicts(report: &Report, with_rules: bool) -> Verdicts {
    let of = |rule: Rule, reason: &str| match with_rules {
        true => format!("{rule:?}: {reason}"),
        false => "invalid".to_owned(),
    };
    let judged = report.snapshots.iter().map(|judged| {
        let verdict = match &judged.verdict {
            Verdict::Invalid(violation) => of(violation.rule, &violation.reason),
            verdict => format!("{verdict:?}"),
        };
        (Some(judged.snapshot), verdict)
    });
    let broken = report.violations.values();
    let broken = broken.map(|it| (None, of(it.rule, &it.reason)));
    let mut verdicts: Verdicts = judged.chain(broken).collect();
    if !with_rules && verdicts.contains_key(&None) {
        // What had not been known by then is not known of the snapshots either.
        verdicts.retain(|snapshot, _| snapshot.is_none());
    }
    verdicts
}

/// A run in which nobody dies.
fn deathless(seed: u64) -> Vec<Event> {
    let (deaths, restarts) = (0, false);
    let params = Params {
        deaths,
        restarts,
        ..Params::any(seed)
    };
    run(seed, &params)
}

/// The same, with deaths in it: each process's, and the observer's, wherever the seed says, until at the
/// latest it does something or the system ends.
fn with_deaths(events: &[Event], mut seed: u64, are_long: bool) -> Vec<Event> {
    let mut below = |end: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % end
    };
    let mut lives: BTreeMap<Option<ProcessId>, (bool, u64)> = BTreeMap::new();
    let mut all = Vec::new();
    let put = |what: What, all: &mut Vec<Event>| {
        all.push(Event {
            line: None,
            time: None,
            what,
            extra: Vec::new(),
        });
    };
    for event in events {
        let acting = event.what.process();
        // Lines of one collection follow each other.
        let is_rest = |last: &Event| matches!(last.what, What::Collect { .. });
        if all.last().is_some_and(is_rest) && matches!(event.what, What::Collect { .. }) {
            all.push(event.clone());
            continue;
        }
        for (process, (is_dead, incarnation)) in &mut lives {
            let process = *process;
            let is_over = event.what == What::End || (process.is_some() && process == acting);
            if !*is_dead && below(12) == 0 {
                let reason = "killed by signal 9".into();
                put(What::Death { process, reason }, &mut all);
                *is_dead = true;
            }
            if *is_dead && (!are_long || is_over || below(30) == 0) {
                *incarnation += 1;
                let incarnation = *incarnation;
                let restarted = What::Restarted {
                    process,
                    incarnation,
                };
                put(restarted, &mut all);
                *is_dead = false;
            }
        }
        all.push(event.clone());
        match event.what {
            What::Start { .. } => drop(lives.insert(None, (false, 1))),
            What::Create { process, .. } => {
                lives.entry(Some(process)).or_insert((false, 1));
            }
            _ => {}
        }
    }
    all
}

/// Whether it begins with its start and ends with its end: elsewhere is no place for deaths.
fn is_whole(events: &[Event]) -> bool {
    let is_edge = |event: &Event| matches!(event.what, What::Start { .. } | What::End);
    let edges = events.iter().enumerate().filter(|(_, it)| is_edge(it));
    edges.map(|(at, _)| at).eq([0, events.len() - 1])
}

#[test]
fn deaths_that_end_change_no_verdict() {
    let mut kinds: BTreeMap<(&str, bool), u64> = BTreeMap::new();
    for seed in seeds(RUNS) {
        let events = deathless(seed);
        let untouched = ("untouched", events.clone(), false);
        let places = (seed as usize % EVERY..events.len() - 1).step_by(EVERY);
        let changed = places.flat_map(|at| mutations(&events, at));
        for (kind, history, _) in [untouched].into_iter().chain(changed) {
            if !is_whole(&history) {
                continue;
            }
            let report = verify(&history);
            for are_long in [false, true] {
                let interrupted = with_deaths(&history, seed, are_long);
                let found = verify(&interrupted);
                let [before, after] = [&report, &found].map(|it| verdicts(it, !are_long));
                let what = || format!("{kind}, long: {are_long}: PIPEBANK_SEED={seed}");
                assert_eq!(after, before, "{}\n{found:#?}", what());
                let is_invalid = before
                    .values()
                    .any(|it| !it.contains("nown") && !it.contains("Valid"));
                *kinds.entry((kind, is_invalid)).or_default() += 1;
            }
        }
    }
    println!("{kinds:#?}");
    assert!(kinds.len() > 15 || seeds(2).len() == 1);
}
