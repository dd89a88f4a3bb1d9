//! Cuts are drawn straight: proven by replay on thousands of random runs.

use history::{Content, Error, Reader, SnapshotId, Straightened, System, What};
use testing::histories::{seeds, systems};

const RUNS: u64 = 3_000;

#[test]
fn the_cut_of_every_complete_snapshot_is_an_instant_of_an_equivalent_run() {
    let (mut straight, mut collected, mut in_transit, mut moved, mut uneven) = (0, 0, 0, 0, 0);
    let (mut crossing, mut joined) = (0, 0);
    for seed in seeds(RUNS) {
        for system in systems(seed) {
            for (&id, snapshot) in &system.snapshots {
                match system.straighten(id) {
                    Ok(order) => {
                        let state = order.check(&system);
                        let state = state.unwrap_or_else(|error| {
                            panic!("snapshot {id}: {error}\nPIPEBANK_SEED={seed}")
                        });
                        straight += 1;
                        collected += usize::from(snapshot.collected.is_some());
                        in_transit += state.channels.len();
                        moved += usize::from(!order.order.is_sorted());
                        crossing += usize::from(overlaps(&system, &order.order[order.cut]));
                        let begin = snapshot.begin.unwrap();
                        joined +=
                            usize::from(snapshot.cut.keys().any(|it| system.processes[it] > begin));
                    }
                    Err(Error::NeverRecorded { .. }) if snapshot.collected.is_none() => uneven += 1,
                    Err(error) => panic!("snapshot {id}: {error}\nPIPEBANK_SEED={seed}"),
                }
            }
        }
    }
    println!(
        "{straight} cuts straightened, {collected} of them collected, {moved} by moving events, \
         {joined} with processes that joined, {crossing} with others in progress, {in_transit} \
         channels not empty; {uneven} incomplete"
    );
    if straight > 100 {
        assert!(collected > 1000 && moved > 1000 && in_transit > 1000 && uneven > 100);
        assert!(joined > 100 && crossing > 100);
    }
}

/// Whether another snapshot had been recorded by some process and not by all when this one was.
fn overlaps(system: &System, line: &[usize]) -> bool {
    let first = line.iter().min().unwrap();
    system.snapshots.values().any(|other| {
        let is_before = |record: &usize| record < first;
        other.cut.values().any(is_before) && !other.cut.values().all(is_before)
    })
}

#[test]
fn the_order_is_a_stable_partition_with_the_records_on_the_line() {
    for seed in seeds(200) {
        for system in systems(seed) {
            for (&id, snapshot) in &system.snapshots {
                let Ok(straight) = system.straighten(id) else {
                    continue;
                };
                let (order, cut) = (&straight.order, straight.cut.clone());
                let parts = [&order[..cut.start], &order[cut.clone()], &order[cut.end..]];
                assert!(
                    parts.iter().all(|part| part.is_sorted()),
                    "PIPEBANK_SEED={seed}"
                );
                assert!(snapshot.cut.values().all(|it| parts[1].contains(it)));
                assert!(matches!(system.events[order[0]].what, What::Start { .. }));
                assert_eq!(system.events[order[order.len() - 1]].what, What::End);
            }
        }
    }
}

#[test]
fn a_wrong_order_does_not_pass() {
    let mut caught = 0;
    for seed in seeds(50) {
        for system in systems(seed) {
            for &id in system.snapshots.keys() {
                let Ok(straight) = system.straighten(id) else {
                    continue;
                };
                // A neighbour of another place, message before its sending, process out of order.
                for at in 1..straight.order.len() {
                    let mut wrong = straight.clone();
                    wrong.order.swap(at - 1, at);
                    if depends(&system, wrong.order[at], wrong.order[at - 1]) {
                        assert!(
                            wrong.check(&system).is_err(),
                            "at {at}, PIPEBANK_SEED={seed}"
                        );
                        caught += 1;
                    }
                }
                let mut wrong = straight.clone();
                wrong.order.pop();
                assert!(wrong.check(&system).is_err());
                wrong.order.push(0);
                assert!(wrong.check(&system).is_err());
                for cut in [0..straight.order.len(), 0..0] {
                    let wrong = Straightened {
                        cut,
                        ..straight.clone()
                    };
                    assert!(wrong.check(&system).is_err(), "PIPEBANK_SEED={seed}");
                }
            }
        }
    }
    assert!(caught > 100 || seeds(2).len() == 1);
}

#[test]
fn a_cut_that_is_not_consistent_is_not_straightened() {
    let text = concat!(
        r#"{"history":1}"#,
        "\n",
        r#"{"event":"start"}"#,
        "\n",
        r#"{"event":"create","process":1,"amount":9}"#,
        "\n",
        r#"{"event":"create","process":2,"amount":9}"#,
        "\n",
        r#"{"event":"record","process":1,"snapshot":1,"amount":9}"#,
        "\n",
        r#"{"event":"send","process":1,"from":1,"to":2,"amount":3,"number":1}"#,
        "\n",
        r#"{"event":"receive","process":2,"from":1,"to":2,"amount":3,"number":1}"#,
        "\n",
    );
    let systems = |more: &str| {
        let text = format!("{text}{more}\n");
        System::link(Reader::new(text.as_bytes()).unwrap().map(Result::unwrap)).unwrap()
    };
    let too_late = r#"{"event":"record","process":2,"snapshot":1,"amount":12}"#;
    assert_eq!(
        systems(too_late)[0]
            .straighten(SnapshotId(1))
            .unwrap_err()
            .to_string(),
        "a message on channel 1 → 2 is received before the cut of snapshot 1, and sent after it"
    );
    let dead = r#"{"event":"death","process":2,"reason":"killed"}"#;
    assert_eq!(
        systems(dead)[0]
            .straighten(SnapshotId(1))
            .unwrap_err()
            .to_string(),
        "process 2 never recorded its state for snapshot 1, and died"
    );
    let unknown = systems(dead)[0].straighten(SnapshotId(2));
    assert!(matches!(unknown, Err(Error::NoSnapshot(SnapshotId(2)))));
}

/// Whether the one event must come before the other, which comes after it in the history.
fn depends(system: &System, before: usize, after: usize) -> bool {
    let [one, other] = [before, after].map(|event| system.events[event].what.process());
    let carries = |message: &usize| {
        let message = system.messages[*message];
        matches!(message.content, Content::Amount(_)) && message.received == Some(after)
    };
    (one.is_some() && one == other) || system.message_of.get(&before).is_some_and(carries)
}
