//! Labels, placed so that no two of them overlap, and where they cross the least.
//!
//! Each label has places where a reader looks for it, the best first, and takes the one where the
//! fewest lines, heads and symbols are in its way. Beside each lane is a strip for the labels of its
//! own events; columns are far enough from each other that those fit. The amounts of messages stand
//! beside their arrows, between two strips; those of messages that cross a cut are framed, and stand
//! on them.

use history::{Content, System, What};

use crate::columns::{BESIDE, LABEL_PAD, beside_of, cut_name, label_of};
use crate::layout::{Arrow, FONT, LABEL, Label, LabelKind, Layout, Point, Rect, Setting};
use crate::obstacles::{Buckets, Obstacles, at_height};
use crate::text_width::text_width;

/// The far side of the strip, counted from the lane.
const STRIP: i32 = LABEL + 4;
/// Above the first lane: the lower edge of the script's lines.
const LINES: i32 = -58;
/// From an arrow to its label.
const GAP: i32 = 3;

/// All labels of a layout that has everything else.
pub(crate) fn all(
    layout: &Layout,
    system: &System,
    order: &[usize],
    setting: Setting,
) -> Vec<Label> {
    let mut board = Board {
        labels: Vec::new(),
        taken: Buckets::default(),
        obstacles: Obstacles::of(layout),
    };
    names(&mut board, system, layout);
    cuts(&mut board, layout);
    // In another order, or several in one column, they would read like a mistake.
    if order.is_sorted() && !setting.is_compact {
        lines(&mut board, layout, system, order);
    }
    beside_events(&mut board, layout, system);
    amounts(&mut board, layout, system);
    board.labels
}

/// The labels so far, where they are, and what is in their way.
struct Board {
    labels: Vec<Label>,
    taken: Buckets<Rect>,
    obstacles: Obstacles,
}

impl Board {
    fn is_free(&self, area: &Rect) -> bool {
        self.taken.near(area, |taken| taken.overlaps(area)) == 0
    }

    fn add(&mut self, kind: LabelKind, text: String, area: Rect) {
        self.taken.add(area.x, area.x + area.width, area);
        self.labels.push(Label { kind, text, area });
    }

    /// The cheapest of the places that are free. Where none is, the first free one further and
    /// further away.
    fn best(&self, places: &[Place], own: Option<usize>) -> Rect {
        let mut best: Option<(u32, Rect)> = None;
        for place in places {
            let is_cheap = |limit| best.is_none_or(|(cost, _)| limit < cost);
            if is_cheap(place.cost) && self.is_free(&place.area) {
                let cost = place.cost + self.obstacles.cost(&place.area, own);
                if is_cheap(cost) {
                    best = Some((cost, place.area));
                }
            }
        }
        if let Some((_, area)) = best {
            return area;
        }
        let first = places.first().map_or(rect(0, 0, 0), |place| place.area);
        let further = (1..).flat_map(|nth| [-nth, nth]).map(|nth| Rect {
            y: first.y + nth * LABEL / 2,
            ..first
        });
        further
            .into_iter()
            .find(|area| self.is_free(area))
            .unwrap_or(first)
    }
}

/// Where a label may stand, and what that costs beside what is in its way there.
#[derive(Clone, Copy)]
struct Place {
    area: Rect,
    cost: u32,
}

fn size(text: &str) -> i32 {
    text_width(text, FONT) + LABEL_PAD
}

fn rect(x: i32, y: i32, width: i32) -> Rect {
    Rect {
        x,
        y,
        width,
        height: LABEL,
    }
}

/// States, refusals and audits, beside their event.
fn beside_events(board: &mut Board, layout: &Layout, system: &System) {
    for placed in &layout.events {
        let what = &system.events[placed.event].what;
        let kind = match what {
            What::Create { .. } | What::Record { .. } => LabelKind::State(placed.event),
            What::Refuse { .. } => LabelKind::Refused(placed.event),
            What::Audit { .. } => LabelKind::Audit(placed.event),
            _ => continue,
        };
        if let Some(text) = label_of(system, placed.event) {
            let area = board.best(&around(placed.at, beside_of(what), size(&text)), None);
            board.add(kind, text, area);
        }
    }
}

/// Above and below an event, to its right and to its left; then further above and beneath.
fn around(at: Point, beside: i32, width: i32) -> [Place; 10] {
    let [right, left] = [at.x + beside, at.x - beside - width];
    let [above, below] = [at.y - STRIP, at.y + STRIP - LABEL];
    let centre = at.x - width / 2;
    let further = LABEL - 4;
    [
        (right, above, 0),
        (right, below, 4),
        (left, above, 10),
        (left, below, 14),
        (centre, above - further, 40),
        (centre, below + further, 44),
        (right, above - further, 50),
        (right, below + further, 54),
        (left, above - further, 70),
        (left, below + further, 74),
    ]
    .map(|(x, y, cost)| Place {
        area: rect(x, y, width),
        cost,
    })
}

/// The processes' names at the left border, and their states at the right one.
fn names(board: &mut Board, system: &System, layout: &Layout) {
    for (index, lane) in layout.lanes.iter().enumerate() {
        let name = match lane.process {
            Some(process) => format!("process {}", system.called(process)),
            None => "observer".to_owned(),
        };
        let width = size(&name);
        let area = rect(-2 * BESIDE - width, lane.y - LABEL / 2, width);
        board.add(LabelKind::Name(index), name, area);
        if let Some(before) = lane.before.filter(|_| lane.begins == crate::Edge::Border) {
            let text = before.to_string();
            let area = rect(
                area.x + width - size(&text),
                lane.y + LABEL / 2,
                size(&text),
            );
            board.add(LabelKind::Last(index), text, area);
        }
        if let Some(after) = lane.after {
            let text = after.to_string();
            let area = rect(lane.to + BESIDE, lane.y - LABEL / 2, size(&text));
            board.add(LabelKind::Last(index), text, area);
        }
    }
}

/// The names of the cuts, at their upper ends.
fn cuts(board: &mut Board, layout: &Layout) {
    for cut in &layout.cuts {
        let text = cut_name(cut.snapshot);
        let width = size(&text);
        let top = cut.ends[0];
        // Several may be at the same border: then away from it.
        let step = match top.x < layout.width {
            true => width + 2,
            false => -width - 2,
        };
        let area = |shift: i32| rect(top.x - width / 2 + shift * step, top.y - LABEL, width);
        let free = (0..).map(area).find(|area| board.is_free(area));
        if let Some(area) = free {
            board.add(LabelKind::Cut(cut.snapshot), text, area);
        }
    }
}

/// Where each line of the script begins, as far as there is room.
fn lines(board: &mut Board, layout: &Layout, system: &System, order: &[usize]) {
    let mut last = None;
    for (placed, event) in layout.events.iter().zip(order) {
        let line = system.events[*event].line;
        let Some(number) = line.filter(|_| line != last) else {
            continue;
        };
        last = line;
        let text = number.to_string();
        let width = size(&text);
        let area = rect(placed.at.x - width / 2, LINES - LABEL, width);
        if board.is_free(&area) {
            board.add(LabelKind::Line, text, area);
        }
    }
    if last.is_some() {
        let text = "script line".to_owned();
        let width = size(&text);
        let area = rect(-2 * BESIDE - width, LINES - LABEL, width);
        board.add(LabelKind::Line, text, area);
    }
}

/// The amounts of messages.
fn amounts(board: &mut Board, layout: &Layout, system: &System) {
    for arrow in &layout.arrows {
        let Content::Amount(amount) = system.messages[arrow.message].content else {
            continue;
        };
        let text = amount.to_string();
        let is_framed = !arrow.crosses.is_empty();
        let mut places = places(layout, arrow, size(&text), is_framed);
        places.extend(beside(arrow, size(&text)));
        // A frame hides its own arrow.
        let area = board.best(&places, is_framed.then_some(arrow.message));
        board.add(LabelKind::Amount(arrow.message), text, area);
    }
}

/// Beside the event, on the side of its peer: it does not say as well whose amount it is.
fn beside(arrow: &Arrow, width: i32) -> impl Iterator<Item = Place> {
    let (event, peer) = match arrow.is_sent {
        true => (arrow.from, arrow.to),
        false => (arrow.to, arrow.from),
    };
    around(event, BESIDE, width).into_iter().map(move |place| {
        let is_away = (place.area.y > event.y) != (peer.y > event.y);
        let cost = place.cost + if is_away { 150 } else { 100 };
        Place { cost, ..place }
    })
}

/// At the arrow, between the strips of lanes: near its sender, near its receiver, then elsewhere;
/// first in the middle between two lanes.
fn places(layout: &Layout, arrow: &Arrow, width: i32, is_framed: bool) -> Vec<Place> {
    let down = (arrow.to.y - arrow.from.y).signum();
    if arrow.is_lost {
        let y = arrow.to.y + down * 4 - LABEL / 2;
        let beside = [(arrow.to.x + 6, 0), (arrow.to.x - 24 - width, 1)];
        let place = |(x, cost)| Place {
            area: rect(x, y, width),
            cost,
        };
        return beside.map(place).to_vec();
    }
    let (top, bottom) = (arrow.from.y.min(arrow.to.y), arrow.from.y.max(arrow.to.y));
    let ys: Vec<i32> = layout.lanes.iter().map(|lane| lane.y).collect();
    let mut gaps: Vec<(i32, i32)> = ys.windows(2).map(|pair| (pair[0], pair[1])).collect();
    gaps.retain(|(upper, lower)| *upper >= top && *lower <= bottom);
    if down < 0 {
        gaps.reverse();
    }
    if gaps.len() > 2 {
        let last = gaps.remove(gaps.len() - 1);
        gaps.insert(2, last);
    }
    let mut places = Vec::new();
    for (upper, lower) in gaps {
        let (upper, lower) = (upper + STRIP + LABEL / 2, lower - STRIP - LABEL / 2);
        for share in [50, 40, 60, 30, 70, 20, 80, 10, 90, 0, 100] {
            let y = upper + (lower - upper) * share / 100;
            let at = |y| at_height(arrow.from, arrow.to, y);
            let (above, below) = (at(y - LABEL / 2 - GAP), at(y + LABEL / 2 + GAP));
            let xs = match is_framed {
                true => vec![at(y) - width / 2],
                false => vec![above.max(below) + GAP, above.min(below) - GAP - width],
            };
            for x in xs {
                let area = rect(x, y - LABEL / 2, width);
                // Earlier ones are nearer.
                let cost = (places.len() as u32).min(59);
                places.push(Place { area, cost });
            }
        }
    }
    places
}
