//! Does the audit find anything? A recorder is broken in every way that we could think of, and the
//! audit must catch each: not by knowing the bugs, but because it checks the definition.
//!
//! A bug that keeps a marker from somebody leaves no snapshot to audit; there, what must be seen
//! is that it never completes.

use crate::faulty::{Bug, Faulty};
use crate::sim::honest::Honest;
use crate::sim::{Failure, run, seeds};

/// Each bug must be caught within this number of schedules. Most are within the first few.
const SCHEDULES: u64 = 150;

/// What a bug must be caught by.
#[derive(Debug, PartialEq, Eq)]
enum Check {
    Audit,
    NeverCompletes,
}

const BUGS: &[(Bug, Check)] = &[
    (Bug::MarkerAfterTheNextMessage, Check::Audit),
    (Bug::NoRelay, Check::NeverCompletes),
    (Bug::OneChannelGetsNoMarker, Check::NeverCompletes),
    (Bug::NeverStopsRecording, Check::Audit),
    (Bug::EveryChannelClosedByOneMarker, Check::Audit),
    (Bug::EverySnapshotClosedByOneMarker, Check::Audit),
    (Bug::MarkersOfTwoSnapshotsConfused, Check::Audit),
    (Bug::StateRecordedAfterTheNextMessageReceived, Check::Audit),
    (Bug::StateRecordedAfterTheNextMessageSent, Check::Audit),
    (Bug::StateRecordedBeforeThePreviousMessage, Check::Audit),
    (Bug::NothingRecorded, Check::Audit),
    (Bug::OnlyTheFirstMessageRecorded, Check::Audit),
    (Bug::OnlyTheNewestSnapshotRecords, Check::Audit),
    (Bug::RecordedTwice, Check::Audit),
    (Bug::RecordedInAnotherOrder, Check::Audit),
    (Bug::RecordedOnAnotherChannel, Check::Audit),
    (Bug::RecordedWithAnotherAmount, Check::Audit),
    (Bug::FirstMarkersChannelStaysOpen, Check::Audit),
    (Bug::FirstMarkersChannelNotEmpty, Check::Audit),
    (Bug::NewChannelGetsNoMarker, Check::NeverCompletes),
    (Bug::NewChannelGetsItsMarkerLate, Check::Audit),
    (Bug::NewChannelNotRecorded, Check::Audit),
    (Bug::CompletePartDoesNotReopen, Check::Audit),
    (Bug::HandedOverIncomplete, Check::Audit),
];

/// The check that found it, if it is one of those that count here.
fn check(failure: &Failure) -> Option<Check> {
    match failure {
        Failure::Audit { .. } => Some(Check::Audit),
        Failure::NeverCompletes { .. } => Some(Check::NeverCompletes),
        Failure::Definition { .. } | Failure::Conservation { .. } | Failure::Protocol(_) => None,
    }
}

#[test]
fn every_planted_bug_is_caught() {
    let mut missed = Vec::new();
    for (bug, expected) in BUGS {
        let (mut caught, mut first) = (0, None);
        for seed in seeds(SCHEDULES) {
            let Err(failure) = run(seed, |tokens| Faulty::new(tokens, Some(*bug))) else {
                continue;
            };
            if check(&failure).as_ref() == Some(expected) {
                caught += 1;
                first.get_or_insert((seed, failure));
            }
        }
        match first {
            Some((seed, Failure::Audit { violation, .. })) => {
                println!("{bug:?}: audit, in {caught} schedules, first {seed}: {violation}");
            }
            Some((seed, failure)) => {
                println!("{bug:?}: in {caught} schedules, first {seed}: {failure:?}");
            }
            None => missed.push(bug),
        }
    }
    // A single schedule need not bring out every bug.
    let single = seeds(SCHEDULES).count() == 1;
    assert!(
        single || missed.is_empty(),
        "not caught in {SCHEDULES} schedules: {missed:?}"
    );
}

#[test]
fn without_a_bug_the_copy_is_the_recorder() {
    for seed in seeds(SCHEDULES) {
        let copy = run(seed, |tokens| Faulty::new(tokens, None));
        let recorder = run(seed, Honest::new);
        match (copy, recorder) {
            (Ok(copy), Ok(recorder)) => {
                assert_eq!(copy.snapshots, recorder.snapshots, "PIPEBANK_SEED={seed}");
            }
            (copy, recorder) => panic!("{copy:#?}\n{recorder:#?}\nPIPEBANK_SEED={seed}"),
        }
    }
}
