//! What the observer makes of requests, reports, deaths and the time; answers do not depend on which
//! node is heard first.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use snapshot::Tally;

use super::*;

mod lasting;
mod watch;

/// The ids of the nodes at places 0, 1 and 2: in another order.
const IDS: [NodeId; 3] = [NodeId(30), NodeId(10), NodeId(20)];
const DEPOSIT: u64 = 100;
const BOTH: Request = Request::Collect {
    first: SnapshotId(1),
    last: SnapshotId(2),
};

/// An observer that three nodes have joined.
struct Driven(Observer);

impl Driven {
    fn new() -> Self {
        let mut driven = Self(Observer::new(false, false));
        for (place, id) in (0..).map(Place).zip(IDS) {
            let (node, deposit) = (Peer { place, id }, DEPOSIT);
            let joined = driven.request(Request::Join {
                node,
                deposit,
                again: false,
            });
            assert_eq!(
                joined,
                [Effect::Join(place), Effect::Answer(Answer::Joined)]
            );
        }
        driven
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.0.step(input, &mut effects).unwrap();
        effects
    }

    fn request(&mut self, request: Request) -> Vec<Effect> {
        self.step(Input::Request(request))
    }

    /// A node reports this; what follows from the last of it.
    fn report(&mut self, place: u32, reports: impl IntoIterator<Item = Report>) -> Vec<Effect> {
        let reports = reports
            .into_iter()
            .map(|report| Input::Report(Place(place), report));
        reports.flat_map(|report| self.step(report)).collect()
    }

    fn gone(&mut self, place: u32) -> Vec<Effect> {
        self.step(Input::NodeGone(Place(place)))
    }

    fn now(&mut self, now: u64) -> Vec<Effect> {
        self.step(Input::Now(now))
    }

    /// An observer that has asked for both snapshots.
    fn asking() -> Self {
        let mut observer = Self::new();
        observer.request(BOTH);
        observer
    }

    /// One that knows them to be complete everywhere, and waits for the parts.
    fn gathering() -> Self {
        let mut observer = Self::asking();
        for place in 0..3 {
            observer.report(place, [Report::Asked, Report::Asked]);
        }
        observer
    }
}

fn waiting(recorded: bool, peers: &[u32]) -> Report {
    let peers = peers.iter().copied().map(Place).collect();
    Report::Waiting { recorded, peers }
}

/// What the node at a place reports of a snapshot in which node 30 had sent 5 to node 20, which was
/// in transit, and 7 to node 10, which was not.
fn part(place: u32, snapshot: SnapshotId) -> Vec<Report> {
    let tally = |amount: u64| Tally::default().extended_by([amount]);
    let sent = |to: u32, amount| Report::Sent {
        to: Place(to),
        tally: tally(amount),
    };
    let from = Place(0);
    let (balance, rest) = match place {
        0 => (DEPOSIT - 12, vec![sent(1, 7), sent(2, 5)]),
        1 => {
            let tally = tally(7);
            (DEPOSIT + 7, vec![Report::Received { from, tally }])
        }
        _ => {
            let amounts = vec![5];
            (DEPOSIT, vec![Report::Transit { from, amounts }])
        }
    };
    let mut reports = vec![Report::Account { snapshot, balance }];
    reports.extend(rest);
    reports.push(Report::Given { complete: true });
    reports
}

fn parts(place: u32) -> Vec<Report> {
    [1, 2].map(|id| part(place, SnapshotId(id))).concat()
}

/// What master is answered of one of those snapshots: by node id.
fn answers(snapshot: SnapshotId) -> Vec<Effect> {
    let account = |node, balance| Answer::Account {
        snapshot,
        node,
        balance,
    };
    let transit = Answer::Transit {
        snapshot,
        from: IDS[0],
        to: IDS[2],
        amounts: vec![5],
    };
    let answers = [
        account(IDS[1], DEPOSIT + 7),
        account(IDS[2], DEPOSIT),
        account(IDS[0], DEPOSIT - 12),
        transit,
    ];
    answers.map(Effect::Answer).to_vec()
}

fn gone(place: u32) -> Vec<Effect> {
    let node = Place(place);
    vec![Effect::Answer(Answer::NodeGone { node })]
}

/// To every node, by snapshot.
fn orders(order: impl Fn(SnapshotId) -> Order) -> Vec<Effect> {
    let to = |id: u64| (0..3).map(move |place| (Place(place), SnapshotId(id)));
    let all = [1, 2].into_iter().flat_map(to);
    all.map(|(place, id)| Effect::Order(place, order(id)))
        .collect()
}

#[test]
fn everybody_is_asked_before_anybody_gives_and_answers_come_by_snapshot_and_node() {
    let mut observer = Driven::new();
    let asked = observer.request(BOTH);
    assert_eq!(asked, orders(|snapshot| Order::Ask { snapshot }));
    for place in 0..2 {
        assert_eq!(observer.report(place, [Report::Asked, Report::Asked]), []);
    }
    let given = observer.report(2, [Report::Asked, Report::Asked]);
    assert_eq!(given, orders(|snapshot| Order::Give { snapshot }));
    for place in 0..2 {
        assert_eq!(observer.report(place, parts(place)), []);
    }
    let collected = observer.report(2, parts(2));
    let all = [1, 2].map(|id| answers(SnapshotId(id))).concat();
    let end = Effect::Answer(Answer::Collected);
    assert_eq!(collected, [all, vec![end]].concat());
}

#[test]
fn of_a_collection_nothing_is_handed_over_while_anything_is_incomplete() {
    let mut observer = Driven::asking();
    let asked = Report::Asked;
    let first = [asked.clone(), waiting(true, &[1]), asked.clone()];
    assert_eq!(observer.report(0, first), []);
    let second = [
        waiting(false, &[0]),
        waiting(false, &[2]),
        asked.clone(),
        asked.clone(),
    ];
    assert_eq!(observer.report(1, second), []);
    let incomplete = observer.report(2, [asked.clone(), asked]);
    let waits = |id, node, recorded, peer| Answer::Waiting {
        snapshot: SnapshotId(id),
        node,
        recorded,
        peers: vec![peer],
    };
    let answers = [
        waits(1, IDS[1], false, IDS[0]),
        waits(1, IDS[1], false, IDS[2]),
        waits(2, IDS[0], true, IDS[1]),
        Answer::Incomplete,
    ];
    assert_eq!(incomplete, answers.map(Effect::Answer));
    assert!(!observer.request(BOTH).is_empty(), "it can be tried again");
}

#[test]
fn of_a_collection_with_one_unsound_snapshot_none_is_collected() {
    let mut observer = Driven::gathering();
    for place in 0..2 {
        observer.report(place, parts(place));
    }
    let lost = |report: &Report| !matches!(report, Report::Transit { .. });
    let mut reports = part(2, SnapshotId(1));
    reports.extend(part(2, SnapshotId(2)).into_iter().filter(lost));
    let answers = observer.report(2, reports);
    let [Effect::Answer(Answer::Unsound { snapshot, reason })] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(*snapshot, SnapshotId(2));
    assert!(matches!(reason, crate::audit::Unsound::Channel(_)));
}

#[test]
fn a_part_that_is_withheld_is_found_by_the_audit() {
    let mut observer = Driven::gathering();
    observer.report(0, parts(0));
    let mut reports = vec![Report::Given { complete: false }];
    reports.extend(part(1, SnapshotId(2)));
    observer.report(1, reports);
    let answers = observer.report(2, parts(2));
    let unsound = |answer: &Effect| matches!(answer, Effect::Answer(Answer::Unsound { .. }));
    assert!(answers.len() == 1 && unsound(&answers[0]), "{answers:?}");
}

#[test]
fn whatever_the_order_in_which_nodes_report_the_answers_are_the_same() {
    let asked = |_| vec![Report::Asked, Report::Asked];
    let waits = |place| vec![waiting(true, &[place]), Report::Asked, Report::Asked];
    let cases: [(_, &dyn Fn(u32) -> Vec<Report>); 3] = [
        (Driven::asking as fn() -> Driven, &asked),
        (Driven::asking, &waits),
        (Driven::gathering, &parts),
    ];
    for (begin, reports) in cases {
        let mut observer = begin();
        let one_by_one = (0..3).flat_map(|place| observer.report(place, reports(place)));
        let wanted: Vec<_> = one_by_one.collect();
        assert!(!wanted.is_empty());
        for seed in 0..100 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut observer = begin();
            let mut queues = [0, 1, 2].map(|place| reports(place).into_iter());
            let mut answers = Vec::new();
            while queues.iter().any(|queue| queue.len() > 0) {
                let place = random.next_u32() % 3;
                let next = queues[place as usize].next();
                answers.extend(observer.report(place, next));
            }
            assert_eq!(answers, wanted, "seed {seed}");
        }
    }
}

#[test]
fn a_report_that_does_not_belong_where_it_was_said_is_an_error() {
    let account = |id, balance| Report::Account {
        snapshot: SnapshotId(id),
        balance,
    };
    for (observer, report) in [
        (Driven::gathering(), Report::Asked),
        (Driven::gathering(), waiting(true, &[1])),
        (Driven::gathering(), account(2, 5)),
    ] {
        let mut observer = observer.0;
        let input = Input::Report(Place(0), report.clone());
        let refused = observer.step(input, &mut Vec::new());
        let Err(Broken::UnexpectedReport { node, report: what }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((node, *what), (IDS[0], report));
    }
    for report in [Report::Asked, account(1, 5)] {
        let input = Input::Report(Place(0), report);
        let mut observer = Driven::new().0;
        let both = Input::Request(BOTH);
        observer.step(both, &mut Vec::new()).unwrap();
        for _ in 0..2 {
            let asked = Input::Report(Place(0), Report::Asked);
            observer.step(asked, &mut Vec::new()).unwrap();
        }
        assert!(
            observer.step(input, &mut Vec::new()).is_err(),
            "one too many"
        );
    }
}

#[test]
fn requests_wait_for_the_collection_in_progress() {
    let mut observer = Driven::gathering();
    let (snapshot, node) = (SnapshotId(3), Place(1));
    assert_eq!(observer.request(Request::Begin { snapshot, node }), []);
    let mut effects = Vec::new();
    for place in 0..3 {
        effects = observer.report(place, parts(place));
    }
    let order = Effect::Order(node, Order::Take { snapshot });
    let end = [Effect::Answer(Answer::Collected), order];
    assert!(effects.ends_with(&end), "{effects:?}");
}

#[test]
fn a_node_that_dies_before_a_collection_makes_it_impossible() {
    let mut observer = Driven::new();
    assert_eq!(observer.gone(1), []);
    assert_eq!(observer.request(BOTH), gone(1));
}

#[test]
fn a_node_that_dies_while_it_is_asked_ends_the_collection_at_once() {
    let mut observer = Driven::asking();
    observer.report(0, [Report::Asked]);
    assert_eq!(observer.gone(1), gone(1));
    assert_eq!(observer.report(0, [Report::Asked]), [], "it is over");
    assert_eq!(observer.gone(0), []);
    assert_eq!(observer.request(BOTH), gone(0));
}

#[test]
fn a_node_that_dies_when_it_has_been_asked_cannot_give() {
    let mut observer = Driven::asking();
    let asked = [Report::Asked, Report::Asked];
    observer.report(1, asked.clone());
    assert_eq!(observer.gone(1), [], "others may have something to say");
    observer.report(0, asked.clone());
    assert_eq!(observer.report(2, asked), gone(1));
}

#[test]
fn a_node_that_dies_while_it_gives_ends_the_collection_and_one_that_has_given_does_not() {
    let mut observer = Driven::gathering();
    observer.report(1, part(1, SnapshotId(1)));
    assert_eq!(observer.gone(1), gone(1));

    let mut observer = Driven::gathering();
    observer.report(1, parts(1));
    assert_eq!(observer.gone(1), []);
    observer.report(0, parts(0));
    let collected = observer.report(2, parts(2));
    let end = Some(&Effect::Answer(Answer::Collected));
    assert_eq!(collected.last(), end);
}
