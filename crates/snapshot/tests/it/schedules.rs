//! Thousands of random schedules of a growing system: every snapshot that is collected is
//! consistent, is what the definition says, and conserves what must be conserved.

use crate::sim::honest::Honest;
use crate::sim::{Outcome, run, seeds};

const SCHEDULES: u64 = 3_000;

#[test]
fn every_snapshot_of_every_schedule_is_complete_consistent_and_as_defined() {
    let mut outcomes = Vec::new();
    for seed in seeds(SCHEDULES) {
        match run(seed, Honest::new) {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => panic!("{failure:#?}\nrun just this again with PIPEBANK_SEED={seed}"),
        }
    }
    let total = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).sum::<usize>();
    let (schedules, snapshots) = (outcomes.len(), total(|outcome| outcome.snapshots.len()));
    let (early, in_transit) = (total(|outcome| outcome.collected_early), total(in_transit));
    let initiated_twice = total(|outcome| outcome.initiated_twice);
    let (joined, reopened) = (total(|it| it.joined_in_the_middle), total(|it| it.reopened));
    let most_at_once = outcomes.iter().map(|outcome| outcome.most_at_once).max();
    println!(
        "{schedules} schedules: {snapshots} snapshots ({early} collected while things happened), \
         at most {most_at_once:?} at once, {initiated_twice} begun at a further process, \
         {in_transit} messages in transit, {joined} processes joined in the middle, {reopened} \
         complete parts reopened"
    );
    if schedules > 1 {
        // Nothing above means much unless the schedules were about something.
        assert!(snapshots > 3 * schedules && early > schedules);
        assert!(in_transit > snapshots);
        assert!(most_at_once >= Some(4) && initiated_twice > schedules / 10);
        assert!(joined > schedules / 10 && reopened > schedules / 10);
    }
}

#[test]
fn a_schedule_is_determined_by_its_seed() {
    for seed in seeds(20) {
        let outcome = || run(seed, Honest::new).expect("a snapshot that is right");
        assert_eq!(
            outcome().snapshots,
            outcome().snapshots,
            "PIPEBANK_SEED={seed}"
        );
    }
}

/// Messages recorded as in transit, in all its snapshots.
fn in_transit(outcome: &Outcome) -> usize {
    let parts = outcome.snapshots.values().flat_map(|parts| parts.values());
    parts
        .flat_map(|part| part.channels.values())
        .map(Vec::len)
        .sum()
}
