//! What no script can bring about as long as the bank is sound, or only by rare chance.

use history::{Event, Header, Reader, System, What};
use snapshot::SnapshotId;

use super::{Chronicle, Kept, Sinks, Unanswered};
use crate::master::channels::Taken;
use bank::id::NodeId;

/// What a run writes.
fn written(run: impl FnOnce(&mut Chronicle)) -> Vec<Event> {
    let sinks = Sinks::new(None, Some(Kept::new()), None);
    let mut chronicle = Chronicle::new(sinks, &Header::default());
    chronicle.started(1);
    run(&mut chronicle);
    let kept = chronicle.sinks.kept.unwrap();
    let reader = Reader::new(kept.lines().unwrap()).unwrap();
    reader.map(|event| event.unwrap()).collect()
}

#[test]
fn what_the_dead_sent_each_other_is_inferred_where_the_living_have_seen_what_followed() {
    let (one, two, three) = (NodeId(1), NodeId(2), NodeId(3));
    let events = written(|chronicle| {
        for (line, node, amount) in [(2, one, 100), (3, two, 500), (4, three, 0)] {
            chronicle.created(line, node, amount, true);
        }
        let send = |to, amount| Unanswered::Send { to, amount };
        chronicle.unanswered(5, two, send(one, 400));
        let expected = Taken::Transfer(400);
        chronicle.unanswered(
            6,
            one,
            Unanswered::Receive {
                from: two,
                expected,
            },
        );
        chronicle.unanswered(7, one, send(three, 450));
        chronicle.unanswered(8, one, send(two, 1));
        chronicle.received(9, one, three, 450);
    });
    let lines: Vec<Option<u64>> = events.iter().map(|event| event.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7, 9].map(Some), "{events:?}");
    assert!(System::link(events).is_ok());
}

#[test]
fn a_snapshot_that_failed_its_audit_is_told_and_its_markers_are_owed_no_more() {
    let events = written(|chronicle| {
        chronicle.created(2, NodeId(1), 10, true);
        chronicle.began(3, NodeId(1), SnapshotId(1), 10);
        chronicle.unsound(Some(4), SnapshotId(1), "money is missing".to_owned());
        chronicle.created(5, NodeId(2), 20, true);
    });
    let events: Vec<What> = events.into_iter().map(|event| event.what).collect();
    let [.., record, audit, create] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(
        matches!(record, What::Record { amount: 10, .. }),
        "{events:?}"
    );
    let verdict = Err("money is missing".to_owned());
    let snapshot = history::SnapshotId(1);
    assert_eq!(*audit, What::Audit { snapshot, verdict });
    assert!(
        matches!(create, What::Create { amount: 20, .. }),
        "{events:?}"
    );
}
