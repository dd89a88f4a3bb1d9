//! What the observer makes of nodes that come back, and of its own coming back.

use super::*;

/// An observer of a bank that lasts, which three nodes have joined.
fn lasting() -> Driven {
    let mut observer = Driven(Observer::new(true, false));
    for place in 0..3 {
        observer.request(join(place, true));
    }
    observer
}

/// One that waits for what is missing of both snapshots.
fn asking() -> Driven {
    let mut observer = lasting();
    observer.request(BOTH);
    observer
}

/// One that waits for the parts.
fn gathering() -> Driven {
    let mut observer = asking();
    for place in 0..3 {
        observer.report(place, [Report::Asked, Report::Asked]);
    }
    observer
}

fn join(place: u32, again: bool) -> Request {
    let (place, id) = (Place(place), IDS[place as usize]);
    Request::Join {
        node: Peer { place, id },
        deposit: DEPOSIT,
        again,
    }
}

fn order(place: u32, order: Order) -> Effect {
    Effect::Order(Place(place), order)
}

/// That both snapshots are collected.
fn collected() -> Vec<Effect> {
    let both = [1, 2].map(|id| answers(SnapshotId(id)));
    let mut all = both.concat();
    all.push(Effect::Answer(Answer::Collected));
    all
}

#[test]
fn who_comes_back_joins_and_is_not_waited_for() {
    let mut observer = lasting();
    let joined = [Effect::Join(Place(1))];
    assert_eq!(observer.request(join(1, true)), joined);
    let mut new = Driven(Observer::new(true, false));
    assert_eq!(
        new.request(join(1, true)),
        joined,
        "also if it is the observer who came back"
    );
    let mut first = joined.to_vec();
    first.push(Effect::Answer(Answer::Joined));
    assert_eq!(new.request(join(1, false)), first);
}

#[test]
fn a_death_is_not_the_end_of_a_collection() {
    let mut observer = gathering();
    observer.report(0, parts(0));
    assert_eq!(observer.gone(1), []);
    observer.request(join(1, true));
    observer.report(1, parts(1));
    assert_eq!(observer.report(2, parts(2)), collected());
}

#[test]
fn who_comes_back_is_asked_again_for_what_it_has_not_said() {
    let ask = |id| Order::Ask {
        snapshot: SnapshotId(id),
    };
    let give = |id| Order::Give {
        snapshot: SnapshotId(id),
    };
    let join_again = |mut observer: Driven| observer.request(join(1, true));
    let joined = Effect::Join(Place(1));

    let both = [joined.clone(), order(1, ask(1)), order(1, ask(2))];
    assert_eq!(join_again(asking()), both);
    let mut observer = asking();
    observer.report(1, [Report::Asked]);
    assert_eq!(join_again(observer), [joined.clone(), order(1, ask(2))]);
    let mut observer = asking();
    observer.report(1, [Report::Asked, Report::Asked]);
    assert_eq!(join_again(observer), std::slice::from_ref(&joined));

    let both = [joined.clone(), order(1, give(1)), order(1, give(2))];
    assert_eq!(join_again(gathering()), both);
    let mut observer = gathering();
    observer.report(1, part(1, SnapshotId(1)));
    assert_eq!(join_again(observer), [joined, order(1, give(2))]);
}

#[test]
fn what_somebody_was_saying_when_it_died_is_void() {
    // Half of what it waits for …
    let mut observer = asking();
    observer.report(1, [waiting(true, &[0])]);
    observer.request(join(1, true));
    observer.report(1, [waiting(true, &[0]), Report::Asked, Report::Asked]);
    observer.report(0, [Report::Asked, Report::Asked]);
    let said = observer.report(2, [Report::Asked, Report::Asked]);
    let waits = Answer::Waiting {
        snapshot: SnapshotId(1),
        node: IDS[1],
        recorded: true,
        peers: vec![IDS[0]],
    };
    assert_eq!(
        said,
        [waits, Answer::Incomplete].map(Effect::Answer),
        "once"
    );

    // … and half a part, wherever it breaks off.
    let whole = parts(2);
    for said in 0..whole.len() {
        let mut observer = gathering();
        observer.report(2, whole[..said].iter().cloned());
        observer.request(join(2, true));
        observer.report(0, parts(0));
        observer.report(1, parts(1));
        let first = part(2, SnapshotId(1)).len();
        let rest = if said < first { 0 } else { first };
        let last = observer.report(2, whole[rest..].iter().cloned());
        assert_eq!(last, collected(), "after {said} reports");
    }
}

#[test]
fn who_comes_back_is_let_in_at_once_whatever_waits_for_the_collection() {
    let mut observer = gathering();
    let snapshot = SnapshotId(3);
    let node = Place(0);
    assert_eq!(observer.request(Request::Begin { snapshot, node }), []);
    let back = observer.request(join(1, true));
    assert_eq!(back.first(), Some(&Effect::Join(Place(1))));
    for place in 0..2 {
        observer.report(place, parts(place));
    }
    let mut last = collected();
    last.push(order(0, Order::Take { snapshot }));
    assert_eq!(observer.report(2, parts(2)), last, "then what has waited");
}
