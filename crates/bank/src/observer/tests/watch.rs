//! What the observer does under load, and when it or others have been started again.

use super::*;

fn take(place: u32, id: u64) -> Effect {
    let snapshot = SnapshotId(id);
    Effect::Order(Place(place), Order::Take { snapshot })
}

fn watched(id: u64, nanoseconds: u64) -> Effect {
    Effect::Answer(Answer::Watched {
        snapshot: SnapshotId(id),
        nanoseconds,
        transfers: 1,
        in_transit: 5,
        total: 3 * u128::from(DEPOSIT),
    })
}

#[test]
fn under_load_nodes_begin_in_turn_as_many_at_once_as_was_said() {
    let mut observer = Driven::new();
    observer.now(1000);
    let (every_ms, concurrent) = (0, 2);
    let begun = observer.request(Request::Watch {
        nodes: 3,
        every_ms,
        concurrent,
    });
    assert_eq!(begun, [take(0, 1), take(1, 2)]);
    assert_eq!(observer.0.wakes_at(), None, "no more at once");

    // The second is over first.
    let (one, two, three) = (SnapshotId(1), SnapshotId(2), SnapshotId(3));
    observer.now(1500);
    for (place, id) in [(2, two), (0, two), (1, one), (1, two)] {
        let effects = observer.report(place, part(place, id));
        match (place, id) {
            (1, SnapshotId(2)) => assert_eq!(effects, [watched(2, 500), take(2, 3)]),
            _ => assert_eq!(effects, []),
        }
    }
    observer.now(1600);
    observer.report(0, part(0, one));
    assert_eq!(
        observer.report(2, part(2, one)),
        [watched(1, 600), take(0, 4)]
    );
    observer.report(0, part(0, three));

    assert_eq!(observer.request(Request::Rest), []);
    observer.report(1, part(1, three));
    assert_eq!(observer.report(2, part(2, three)), [watched(3, 100)]);
    for place in 0..2 {
        observer.report(place, part(place, SnapshotId(4)));
    }
    let last = observer.report(2, part(2, SnapshotId(4)));
    let rested = Effect::Answer(Answer::Rested);
    assert_eq!(last, [watched(4, 0), rested]);
    assert_eq!(observer.now(1_000_000_000), []);
}

#[test]
fn under_load_snapshots_begin_when_they_are_due_and_those_that_cannot_are_left_out() {
    const MS: u64 = 1_000_000;
    let mut observer = Driven::new();
    observer.now(MS);
    let (every_ms, concurrent) = (10, 1);
    let begun = observer.request(Request::Watch {
        nodes: 3,
        every_ms,
        concurrent,
    });
    assert_eq!(begun, [take(0, 1)]);
    for place in 0..3 {
        observer.now(5 * MS);
        observer.report(place, part(place, SnapshotId(1)));
    }
    assert_eq!(observer.0.wakes_at(), Some(11 * MS));
    assert_eq!(observer.now(11 * MS - 1), []);
    assert_eq!(observer.now(11 * MS), [take(1, 2)]);
    // This one takes longer than 10 ms; the next begins when it is over.
    assert_eq!(observer.now(40 * MS), []);
    for place in 0..2 {
        observer.report(place, part(place, SnapshotId(2)));
    }
    let over = observer.report(2, part(2, SnapshotId(2)));
    assert_eq!(over, [watched(2, 29 * MS), take(2, 3)]);
}

#[test]
fn under_load_master_hears_of_an_unsound_snapshot_and_of_a_death() {
    let mut observer = Driven::new();
    let (every_ms, concurrent) = (0, 1);
    observer.request(Request::Watch {
        nodes: 3,
        every_ms,
        concurrent,
    });
    for place in 0..2 {
        observer.report(place, part(place, SnapshotId(1)));
    }
    let mut reports = part(2, SnapshotId(1));
    reports[0] = Report::Account {
        snapshot: SnapshotId(1),
        balance: DEPOSIT + 1,
    };
    let effects = observer.report(2, reports);
    let unsound = matches!(effects[0], Effect::Answer(Answer::Unsound { .. }));
    assert!(unsound, "{effects:?}");
    assert_eq!(observer.gone(2), gone(2));
}

#[test]
fn nobody_begins_where_nobody_has_joined() {
    let mut observer = Driven(Observer::new(false, false));
    let (every_ms, concurrent) = (0, 1);
    let begun = observer.request(Request::Watch {
        nodes: 3,
        every_ms,
        concurrent,
    });
    assert_eq!(begun, []);
    assert_eq!(observer.0.wakes_at(), None);
    let rested = Effect::Answer(Answer::Rested);
    assert_eq!(observer.request(Request::Rest), [rested]);
}

/// An observer of a bank that lasts, which was just started again when nodes had recorded snapshots: up
/// to 3 the first has forgotten them, and up to 4 the second has recorded them. The third comes later.
fn recalling() -> Driven {
    let mut observer = Driven(Observer::new(true, false));
    let (every_ms, concurrent) = (0, 2);
    let join = |place: u32| Request::Join {
        node: Peer {
            place: Place(place),
            id: IDS[place as usize],
        },
        deposit: DEPOSIT,
        again: true,
    };
    for place in 0..2 {
        assert_eq!(observer.request(join(place)), [Effect::Join(Place(place))]);
    }
    let recall = |place| Effect::Order(Place(place), Order::Recall);
    let begun = observer.request(Request::Watch {
        nodes: 3,
        every_ms,
        concurrent,
    });
    assert_eq!(begun, [recall(0), recall(1)]);
    assert_eq!(observer.report(0, [known(3, 3)]), []);
    let again = observer.request(join(0));
    assert_eq!(again, [Effect::Join(Place(0))], "it has said so");
    assert_eq!(
        observer.request(join(2)),
        [Effect::Join(Place(2)), recall(2)]
    );
    // Nothing is known of that yet: it will be asked for again.
    assert_eq!(observer.report(1, part(1, SnapshotId(4))), []);
    assert_eq!(observer.report(1, [known(2, 4)]), []);
    observer
}

fn known(over: u64, newest: u64) -> Report {
    let (over, newest) = (SnapshotId(over), SnapshotId(newest));
    Report::Known { over, newest }
}

fn forget(place: u32, id: u64) -> Effect {
    let last = SnapshotId(id);
    Effect::Order(Place(place), Order::Forget { last })
}

fn give(place: u32, id: u64) -> Effect {
    let snapshot = SnapshotId(id);
    Effect::Order(Place(place), Order::Give { snapshot })
}

#[test]
fn an_observer_that_was_started_again_under_load_goes_on_with_what_there_was() {
    let mut observer = recalling();
    let ordered = observer.report(2, [known(1, 1)]);
    let first = [forget(0, 3), take(0, 4), give(0, 4)];
    let others = [forget(1, 3), give(1, 4), forget(2, 3), give(2, 4)];
    assert_eq!(ordered, [&first[..], &others, &[take(1, 5)]].concat());

    // Whoever comes back is asked for what is not there; what it was saying is void.
    let four = SnapshotId(4);
    observer.report(1, part(1, four));
    observer.report(0, part(0, four).into_iter().take(2));
    let join = |place: u32| Request::Join {
        node: Peer {
            place: Place(place),
            id: IDS[place as usize],
        },
        deposit: DEPOSIT,
        again: true,
    };
    let joined = [Effect::Join(Place(0)), forget(0, 3), take(0, 4)];
    let again = [&joined[..], &[give(0, 4), give(0, 5)]].concat();
    assert_eq!(observer.request(join(0)), again);
    let joined = [Effect::Join(Place(1)), forget(1, 3)];
    let again = [&joined[..], &[take(1, 5), give(1, 5)]].concat();
    assert_eq!(observer.request(join(1)), again);

    observer.report(0, part(0, four));
    let over = observer.report(2, part(2, four));
    let forgotten = [forget(0, 4), forget(1, 4), forget(2, 4)];
    assert_eq!(
        over,
        [&[watched(4, 0)][..], &forgotten, &[take(2, 6)]].concat()
    );
}

#[test]
fn nothing_is_forgotten_before_all_that_came_before_it_is_over() {
    let mut observer = recalling();
    observer.report(2, [known(1, 1)]);
    let (four, five) = (SnapshotId(4), SnapshotId(5));
    observer.report(0, part(0, five));
    observer.report(1, part(1, five));
    assert_eq!(observer.report(2, part(2, five)), [watched(5, 0)]);
    observer.report(0, part(0, four));
    observer.report(1, part(1, four));
    let over = observer.report(2, part(2, four));
    let forgotten = [forget(0, 5), forget(1, 5), forget(2, 5)];
    let begun = [take(2, 6), take(0, 7)];
    assert_eq!(over, [&[watched(4, 0)][..], &forgotten, &begun].concat());
}

#[test]
fn an_observer_that_was_started_again_has_not_rested_before_it_knows_what_there_was() {
    let mut observer = recalling();
    assert_eq!(observer.request(Request::Rest), []);
    let ordered = observer.report(2, [known(1, 1)]);
    let rested = Effect::Answer(Answer::Rested);
    assert!(!ordered.contains(&rested), "{ordered:?}");
    for place in 0..2 {
        observer.report(place, part(place, SnapshotId(4)));
    }
    let over = observer.report(2, part(2, SnapshotId(4)));
    assert_eq!(over.last(), Some(&rested));
}
