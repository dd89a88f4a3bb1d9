//! What every layout holds to, over random histories and the histories of scripts.

use std::collections::BTreeMap;

use crate::common::{examples, overlapping};
use diagram::{Arrow, LabelKind, Layout, Placed, Point, Rect, Selection, select};
use history::{Content, System};

const RUNS: u64 = 80;

/// Calls `check` with systems, the events that are drawn, and their layout.
fn for_all(check: impl Fn(&str, &System, &[usize], &Layout)) {
    let examples = examples();
    let examples = examples
        .iter()
        .map(|example| (example.name.clone(), vec![example.system.clone()]));
    let seeds = testing::histories::seeds(RUNS).into_iter();
    let random = seeds.map(|seed| {
        (
            format!("PIPEBANK_SEED={seed}"),
            testing::histories::systems(seed),
        )
    });
    let large = [("large".to_owned(), System::link(large()).unwrap())];
    for (name, systems) in examples.chain(random).chain(large) {
        for system in &systems {
            for order in selections(system) {
                check(&name, system, &order, &Layout::new(system, &order));
            }
        }
    }
}

/// As many processes as can be drawn, and about 2,000 events.
fn large() -> Vec<history::Event> {
    let params = testing::histories::Params {
        processes: 30,
        steps: 1_000,
        snapshots: 1,
        joins: 0,
        deaths: 0,
        restarts: false,
        refusals: true,
        capacity: usize::MAX,
        sparse: false,
    };
    let mut events = testing::histories::run(1, &params);
    events.truncate(2_500);
    events
}

/// All of it; a part by lines or events; each snapshot.
fn selections(system: &System) -> Vec<Vec<usize>> {
    let all = select(system, Selection::All).unwrap();
    let third = all.len() / 3;
    let mut selections = vec![all[third..all.len() - third].to_vec(), all];
    for snapshot in system.snapshots.keys() {
        selections.push(select(system, Selection::Snapshot(*snapshot)).unwrap());
        if let Ok(straight) = system.straighten(*snapshot) {
            selections.push(straight.order);
        }
    }
    selections
}

fn points(layout: &Layout) -> BTreeMap<usize, &Placed> {
    layout.events.iter().map(|it| (it.event, it)).collect()
}

#[test]
fn every_event_has_one_place_and_time_goes_to_the_right() {
    for_all(|name, system, order, layout| {
        let placed: Vec<usize> = layout.events.iter().map(|it| it.event).collect();
        assert_eq!(placed, order, "{name}");
        let mut on_lane: BTreeMap<usize, &Placed> = BTreeMap::new();
        for (before, next) in layout.events.iter().zip(&layout.events[1..]) {
            assert!(before.column <= next.column, "{name}: {before:?} {next:?}");
        }
        for placed in &layout.events {
            assert!(
                (0..=layout.width).contains(&placed.at.x),
                "{name}: {placed:?}"
            );
            let Some(lane) = placed.lane else { continue };
            assert_eq!(layout.lanes[lane].y, placed.at.y, "{name}: {placed:?}");
            let process = system.events[placed.event].what.process();
            assert_eq!(layout.lanes[lane].process, process, "{name}: {placed:?}");
            if let Some(before) = on_lane.insert(lane, placed) {
                assert!(before.at.x <= placed.at.x, "{name}: {before:?} {placed:?}");
                // Only the parts of a step may be at one place.
                let is_step = before.column == placed.column;
                assert!(
                    is_step || before.at.x + 20 < placed.at.x,
                    "{name}: {placed:?}"
                );
            }
        }
    });
}

#[test]
fn every_arrow_goes_from_its_sending_to_its_receipt_or_to_a_border() {
    for_all(|name, system, order, layout| {
        let at = points(layout);
        let point = |event: usize| at.get(&event).map(|placed| placed.at);
        let mut ends = 0;
        for arrow in &layout.arrows {
            let message = &system.messages[arrow.message];
            let (sent, received) = (point(message.sent), message.received.and_then(point));
            assert_eq!(arrow.is_sent, sent.is_some(), "{name}: {arrow:?}");
            assert_eq!(arrow.is_received, received.is_some(), "{name}: {arrow:?}");
            assert_eq!(
                sent.unwrap_or(Point { x: 0, ..arrow.from }),
                arrow.from,
                "{name}"
            );
            match received {
                Some(received) => assert_eq!(received, arrow.to, "{name}"),
                None if arrow.is_lost => assert!(arrow.to.x > arrow.from.x, "{name}"),
                None => assert_eq!(arrow.to.x, layout.width, "{name}"),
            }
            // In a straightened order the markers owed to who joins may be received too early.
            let nth = |event| order.iter().position(|it| *it == event);
            let times = (nth(message.sent), message.received.and_then(nth));
            let is_owed = matches!(times, (Some(sent), Some(received)) if received < sent);
            let is_forwards = arrow.from.x + 20 < arrow.to.x;
            assert!(is_forwards || is_owed, "{name}: {arrow:?}");
            ends += usize::from(sent.is_some()) + usize::from(received.is_some());
        }
        let is_end = |event: &&usize| system.message_of.contains_key(event);
        assert_eq!(ends, order.iter().filter(is_end).count(), "{name}");
    });
}

#[test]
fn a_cut_goes_down_through_every_record_and_crosses_each_process_once() {
    for_all(|name, system, _, layout| {
        let at = points(layout);
        for cut in &layout.cuts {
            let records = &system.snapshots[&cut.snapshot].cut;
            let mut lanes: Vec<i32> = cut.points.iter().map(|point| point.y).collect();
            assert!(lanes.is_sorted_by(|a, b| a < b), "{name}: {cut:?}");
            let recorded = layout.lanes.iter();
            let recorded =
                recorded.filter(|lane| lane.process.is_some_and(|it| records.contains_key(&it)));
            lanes.retain(|y| recorded.clone().any(|lane| lane.y == *y));
            assert_eq!(lanes.len(), recorded.count(), "{name}: {cut:?}");
            for record in records.values() {
                if let Some(placed) = at.get(record) {
                    assert!(cut.points.contains(&placed.at), "{name}: {cut:?}");
                }
            }
        }
    });
}

#[test]
fn the_messages_that_cross_a_cut_are_what_was_collected() {
    for_all(|name, system, order, layout| {
        if order.len() < system.events.len() {
            return;
        }
        for (id, snapshot) in &system.snapshots {
            let Some(collected) = &snapshot.collected else {
                continue;
            };
            let mut crossing: BTreeMap<_, Vec<i128>> = BTreeMap::new();
            for arrow in layout.arrows.iter().filter(|it| it.crosses.contains(id)) {
                let message = &system.messages[arrow.message];
                if let Content::Amount(amount) = message.content {
                    crossing.entry(message.channel).or_default().push(amount);
                }
            }
            let mut right = collected.channels.clone();
            right.retain(|_, amounts| !amounts.is_empty());
            assert_eq!(crossing, right, "{name}: snapshot {id}");
        }
    });
}

#[test]
fn no_two_labels_overlap_and_no_amount_is_left_out() {
    for_all(|name, system, _, layout| {
        let areas: Vec<_> = layout.labels.iter().map(|label| label.area).collect();
        if let Some((a, b)) = overlapping(&areas) {
            panic!("{name}: {:?}\n{:?}", layout.labels[a], layout.labels[b]);
        }
        let is_amount =
            |message: usize| matches!(system.messages[message].content, Content::Amount(_));
        let arrows = layout
            .arrows
            .iter()
            .filter(|arrow| is_amount(arrow.message));
        let amounts = layout.labels.iter();
        let amounts = amounts.filter(|label| matches!(label.kind, diagram::LabelKind::Amount(_)));
        assert_eq!(arrows.count(), amounts.count(), "{name}");
    });
}

/// Whether a straight line passes through an area, by trying points on it that are a pixel apart.
fn passes(from: Point, to: Point, area: &Rect) -> bool {
    let is_apart = |a: i32, b: i32, from: i32, size: i32| a.max(b) < from || a.min(b) > from + size;
    if is_apart(from.x, to.x, area.x, area.width) || is_apart(from.y, to.y, area.y, area.height) {
        return false;
    }
    let (dx, dy) = (f64::from(to.x - from.x), f64::from(to.y - from.y));
    let steps = dx.abs().max(dy.abs()).max(1.0);
    let inside =
        |at: f64, from: i32, size: i32| at > f64::from(from) && at < f64::from(from + size);
    (0..=steps as i32)
        .map(|step| f64::from(step) / steps)
        .any(|share| {
            inside(f64::from(from.x) + dx * share, area.x, area.width)
                && inside(f64::from(from.y) + dy * share, area.y, area.height)
        })
}

/// The last 16 pixels of an arrow before its event, where its head is.
fn head(arrow: &Arrow) -> [Point; 2] {
    let (dx, dy) = (
        f64::from(arrow.from.x - arrow.to.x),
        f64::from(arrow.from.y - arrow.to.y),
    );
    let share = (16.0 / dx.hypot(dy)).min(1.0);
    let base = Point {
        x: arrow.to.x + (dx * share) as i32,
        y: arrow.to.y + (dy * share) as i32,
    };
    [base, arrow.to]
}

/// Labels, and those of them that a line or a head of an arrow runs through. A framed amount hides
/// what is beneath it.
fn crossed(layout: &Layout) -> [usize; 3] {
    let framed = |kind: LabelKind| match kind {
        LabelKind::Amount(message) => layout
            .arrows
            .iter()
            .any(|it| it.message == message && !it.crosses.is_empty()),
        LabelKind::Cut(_) => true,
        _ => false,
    };
    let labels = layout.labels.iter().filter(|label| !framed(label.kind));
    let mut counts = [0; 3];
    for label in labels {
        // The letters themselves: the area is a little larger.
        let area = Rect {
            x: label.area.x + 3,
            y: label.area.y + 3,
            width: label.area.width - 6,
            height: label.area.height - 7,
        };
        let lines = layout.arrows.iter().any(|it| passes(it.from, it.to, &area));
        let mut heads = layout.arrows.iter().filter(|it| it.is_received).map(head);
        counts[0] += 1;
        counts[1] += usize::from(lines);
        counts[2] += usize::from(heads.any(|[base, tip]| passes(base, tip, &area)));
    }
    counts
}

#[test]
fn labels_keep_clear_of_arrows_and_of_their_heads() {
    for example in examples() {
        let order = select(&example.system, Selection::All).unwrap();
        let [_, lines, heads] = crossed(&Layout::new(&example.system, &order));
        assert_eq!(heads, 0, "{}", example.name);
        assert!(lines <= 2, "{}: {lines}", example.name);
    }
    let mut sum = [0; 3];
    for seed in testing::histories::seeds(RUNS) {
        for system in testing::histories::systems(seed) {
            let order = select(&system, Selection::All).unwrap();
            let found = crossed(&Layout::new(&system, &order));
            sum = [0, 1, 2].map(|nth| sum[nth] + found[nth]);
        }
    }
    let [labels, lines, heads] = sum;
    assert!(lines * 20 <= labels && heads == 0, "{sum:?}");
}
