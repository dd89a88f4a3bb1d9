//! Valid histories are found valid; histories in which one thing was changed are found invalid,
//! unless they are, provably, valid histories too.
//!
//! The proof is another judge, which shares nothing with the verifier: the events are linked as a
//! whole, and each snapshot that was collected is straightened and replayed.

use std::collections::{BTreeMap, BTreeSet};

use history::{
    Event, Overall, ProcessId, Report, Rule, Snapshot, SnapshotId, Straightened, System, Verdict,
    Verifier, What,
};
use testing::histories::{history, seeds};

const RUNS: u64 = 1_500;
const MUTATED: u64 = 120;
/// Of a history's events, one in this number is changed.
const EVERY: usize = 16;

fn verify(events: &[Event], mut verifier: Verifier) -> Report {
    for (event, line) in events.iter().zip(2..) {
        verifier.on_event(event, line);
    }
    verifier.finish()
}

#[test]
fn every_snapshot_of_every_random_history_is_valid() {
    let (mut valid, mut unknown, mut in_transit) = (0, 0, 0);
    for seed in seeds(RUNS) {
        let events = history(seed);
        let report = verify(&events, Verifier::new());
        assert!(
            report.violations.is_empty(),
            "{report:#?}\nPIPEBANK_SEED={seed}"
        );
        let collected: BTreeSet<_> = collected(&events);
        for judged in &report.snapshots {
            let is_collected = collected.contains(&(judged.system, judged.snapshot));
            match judged.verdict {
                Verdict::Valid { messages, .. } if is_collected => {
                    valid += 1;
                    in_transit += messages;
                }
                Verdict::Unknown(_) if !is_collected => unknown += 1,
                _ => panic!("{judged:#?}\nPIPEBANK_SEED={seed}"),
            }
        }
        if seed < 200 {
            let reordered = verify(&events, Verifier::reordering());
            assert_eq!(reordered, report, "PIPEBANK_SEED={seed}");
        }
    }
    println!("{valid} valid with {in_transit} messages in transit, {unknown} not collected");
    assert!(seeds(RUNS).len() == 1 || (valid > 2000 && in_transit > 5000 && unknown > 100));
}

/// The snapshots that were collected, with the numbers of their systems.
fn collected(events: &[Event]) -> BTreeSet<(u64, SnapshotId)> {
    let mut system = 0;
    let mut collected = BTreeSet::new();
    for event in events {
        match event.what {
            What::Start { .. } => system += 1,
            What::Collect { snapshot, .. } => drop(collected.insert((system, snapshot))),
            _ => {}
        }
    }
    collected
}

#[test]
fn one_change_makes_a_history_invalid_or_another_valid_one() {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for seed in seeds(MUTATED) {
        let events = history(seed);
        for at in (seed as usize % EVERY..events.len()).step_by(EVERY) {
            for (kind, mutated, must_be_invalid) in mutations(&events, at) {
                let report = verify(&mutated, Verifier::new());
                let is_invalid = report.overall() == Overall::Invalid;
                let what = format!(
                    "{kind} at line {}: {:?}\n{report:#?}\nPIPEBANK_SEED={seed}",
                    at + 2,
                    events[at].what
                );
                assert!(
                    is_invalid || !must_be_invalid,
                    "found nothing wrong: {what}"
                );
                let by = match is_invalid {
                    false => {
                        let proof = is_valid(&mutated);
                        assert!(proof.is_ok(), "found nothing wrong: {proof:?}\n{what}");
                        "nothing: another valid history"
                    }
                    // What the other judge does not look at.
                    true if !is_beyond_the_other(&report) => {
                        assert!(is_valid(&mutated).is_err(), "found something wrong: {what}");
                        "by both"
                    }
                    true => "by the verifier",
                };
                *counts.entry((kind, by)).or_default() += 1;
            }
        }
    }
    println!("{counts:#?}");
    assert!(counts.len() > 15 || seeds(2).len() == 1);
}

/// Whether every rule that is broken is one that the other judge does not know.
fn is_beyond_the_other(report: &Report) -> bool {
    let verdicts = report
        .snapshots
        .iter()
        .filter_map(|judged| match &judged.verdict {
            Verdict::Invalid(violation) => Some(violation.rule),
            _ => None,
        });
    let broken = report.violations.values().map(|violation| violation.rule);
    let mut rules = verdicts.chain(broken);
    rules.all(|rule| {
        matches!(
            rule,
            Rule::Order
                | Rule::Restart
                | Rule::Inferred
                | Rule::OneRecord
                | Rule::Recorded
                | Rule::Complete
                | Rule::States
                | Rule::Moment
                | Rule::Markers
                | Rule::CutOrder
                | Rule::Audit
        )
    })
}

/// The other judge.
fn is_valid(events: &[Event]) -> Result<(), String> {
    let systems = System::link(events.to_vec()).map_err(|error| error.to_string())?;
    for system in systems {
        // A line through nothing, to replay what no snapshot asks for.
        let whole = Straightened {
            snapshot: SnapshotId(u64::MAX),
            order: (0..system.events.len()).collect(),
            cut: 0..0,
        };
        let mut with_none = system.clone();
        with_none
            .snapshots
            .insert(whole.snapshot, history::Snapshot::default());
        replays(&whole, &with_none)?;
        for (&id, snapshot) in &system.snapshots {
            if snapshot.collected.is_some() {
                let straight = system.straighten(id).map_err(|error| error.to_string())?;
                straight.check(&system).map_err(|error| error.to_string())?;
            }
            // Not everybody may have recorded what was not collected.
            for message in &system.messages {
                let is_sent_after = is_after(snapshot, message.channel.from, Some(message.sent));
                let is_received_after = is_after(snapshot, message.channel.to, message.received);
                let is_marker = message.content.amount().is_none();
                if !is_marker && is_sent_after == Some(true) && is_received_after == Some(false) {
                    return Err(format!("snapshot {id} is crossed by {message:?}"));
                }
            }
        }
    }
    Ok(())
}

/// Whether something that happens at a process is after its cut, where it has one.
fn is_after(snapshot: &Snapshot, process: ProcessId, event: Option<usize>) -> Option<bool> {
    Some(snapshot.cut.get(&process)? < &event?)
}

fn replays(whole: &Straightened, system: &System) -> Result<(), String> {
    whole
        .check(system)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// The history with the event changed in one way, for each way; and whether that cannot be right.
pub(crate) fn mutations(events: &[Event], at: usize) -> Vec<(&'static str, Vec<Event>, bool)> {
    let what = &events[at].what;
    let is_of_collected = is_of_collected(events, at);
    let mut all = Vec::new();
    let mut change = |kind, must_be_invalid, with: &[What]| {
        let with = with.iter().map(|what| Event {
            what: what.clone(),
            ..events[at].clone()
        });
        let mut mutated = events.to_vec();
        mutated.splice(at..=at, with);
        all.push((kind, mutated, must_be_invalid));
    };
    let drop_is_wrong = match what {
        What::Begin { .. }
        | What::Record { .. }
        | What::MarkerSent { .. }
        | What::MarkerReceived { .. } => is_of_collected,
        What::Start { .. } => true,
        _ => false,
    };
    change("drop", drop_is_wrong, &[]);
    let double_is_wrong = !matches!(
        what,
        What::Refuse { .. } | What::Collect { .. } | What::Audit { .. } | What::MarkerSent { .. }
    );
    change("double", double_is_wrong, &[what.clone(), what.clone()]);
    // How a snapshot was taken is not judged where there is no marker of it.
    let is_judged = is_of_collected || has_markers(events, at);
    for (kind, changed, is_wrong) in changed(what, is_of_collected) {
        let is_wrong = is_wrong && (kind != "another number" || is_judged);
        change(kind, is_wrong, &[changed]);
    }
    if at + 1 < events.len() {
        let mut swapped = events.to_vec();
        swapped.swap(at, at + 1);
        all.push(("swap", swapped, false));
        // Moved far.
        let mut moved = events.to_vec();
        let event = moved.remove(at);
        moved.insert((at + events.len() / 2) % events.len(), event);
        all.push(("move", moved, false));
    }
    all
}

fn changed(what: &What, is_of_collected: bool) -> Vec<(&'static str, What, bool)> {
    let mut all = Vec::new();
    let mut amount_is_wrong = false;
    let mut other = what.clone();
    match &mut other {
        What::Create { amount, .. } | What::Refuse { amount, .. } => *amount ^= 1,
        What::Send { amount, .. } | What::Receive { amount, .. } => *amount ^= 1,
        What::Record { amount, .. } => {
            *amount ^= 1;
            amount_is_wrong = true;
        }
        What::Audit { verdict, .. } => {
            *verdict = Err("something else".into());
            amount_is_wrong = is_of_collected;
        }
        What::Collect { states, .. } if !states.is_empty() => {
            states[0].amount ^= 1;
            amount_is_wrong = true;
        }
        _ => {}
    }
    if other != *what {
        all.push(("another amount", other, amount_is_wrong));
    }
    let mut other = what.clone();
    match &mut other {
        What::Send { number, .. } | What::Receive { number, .. } => *number += 1,
        What::Restarted { incarnation, .. } => *incarnation += 1,
        What::Begin { snapshot, .. }
        | What::Record { snapshot, .. }
        | What::MarkerSent { snapshot, .. }
        | What::MarkerReceived { snapshot, .. }
        | What::ChannelClosed { snapshot, .. } => snapshot.0 += 1000,
        _ => return with_collected(what, all),
    }
    all.push(("another number", other, true));
    let mut other = what.clone();
    match &mut other {
        What::Record { sent, .. } if !sent.is_empty() => sent[0].sum ^= 1,
        What::Record { received, .. } if !received.is_empty() => received[0].messages += 1,
        What::Send { channel, .. }
        | What::Receive { channel, .. }
        | What::MarkerSent { channel, .. }
        | What::MarkerReceived { channel, .. } => {
            (channel.from, channel.to) = (channel.to, channel.from);
        }
        _ => return all,
    }
    let is_tally = matches!(what, What::Record { .. });
    all.push((
        if is_tally {
            "another tally"
        } else {
            "the way back"
        },
        other,
        is_tally,
    ));
    all
}

/// The channels' states, changed.
fn with_collected(
    what: &What,
    mut all: Vec<(&'static str, What, bool)>,
) -> Vec<(&'static str, What, bool)> {
    let full = |channels: &[history::ChannelState]| {
        let mut channels = channels.iter();
        channels.position(|channel| !channel.amounts.is_empty())
    };
    type Edit = (&'static str, fn(&mut Vec<i128>));
    let edits: [Edit; 4] = [
        ("channel: another amount", |amounts| amounts[0] ^= 1),
        ("channel: one more", |amounts| amounts.push(1)),
        ("channel: one less", |amounts| {
            amounts.truncate(amounts.len() - 1)
        }),
        ("channel: another order", |amounts| amounts.reverse()),
    ];
    for (kind, edit) in edits {
        let mut other = what.clone();
        if let What::Collect { channels, .. } = &mut other
            && let Some(index) = full(channels)
        {
            edit(&mut channels[index].amounts);
            if other != *what {
                all.push((kind, other, true));
            }
        }
    }
    all
}

/// Whether an event is none of a snapshot, or of one that has markers in its system.
fn has_markers(events: &[Event], at: usize) -> bool {
    let Some(snapshot) = events[at].what.snapshot() else {
        return true;
    };
    let is_start = |event: &Event| matches!(event.what, What::Start { .. });
    let first = events[..=at].iter().rposition(is_start).unwrap_or(0);
    let of_system = events[first + 1..].iter().take_while(|it| !is_start(it));
    let mut markers = of_system.filter(|it| matches!(it.what, What::MarkerSent { .. }));
    markers.any(|it| it.what.snapshot() == Some(snapshot))
}

/// Whether an event is one of a snapshot that is collected, in its system.
fn is_of_collected(events: &[Event], at: usize) -> bool {
    let id = |what: &What| match *what {
        What::Begin { snapshot, .. }
        | What::Record { snapshot, .. }
        | What::MarkerSent { snapshot, .. }
        | What::MarkerReceived { snapshot, .. }
        | What::Audit { snapshot, .. } => Some(snapshot),
        _ => None,
    };
    let Some(snapshot) = id(&events[at].what) else {
        return false;
    };
    let starts = events[..=at]
        .iter()
        .filter(|event| matches!(event.what, What::Start { .. }));
    collected(events).contains(&(starts.count() as u64, snapshot))
}
