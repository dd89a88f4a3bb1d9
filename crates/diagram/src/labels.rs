//! Labels, placed so that no two of them overlap.
//!
//! Beside each lane is a strip that belongs to the labels of its own events; columns are far enough
//! from each other that those fit. In the area between two strips the amounts of messages stand on
//! their arrows, where there is room; else they stand in the strip beside their event.

use std::collections::BTreeMap;

use history::{Content, System, What};

use crate::columns::{BESIDE, LABEL_PAD, beside_of, cut_name, label_of};
use crate::layout::{Arrow, FONT, LABEL, Label, LabelKind, Layout, Point, Rect};
use crate::text_width::text_width;

/// The far side of the strip, counted from the lane.
const STRIP: i32 = LABEL + 4;
/// Above the first lane: the lower edge of the script's lines.
const LINES: i32 = -58;
/// Rects are looked up by where they are, in areas of this width.
const BUCKET: i32 = 256;

/// All labels of a layout that has everything else.
pub(crate) fn all(layout: &Layout, system: &System, order: &[usize]) -> Vec<Label> {
    let mut board = Board::default();
    beside_events(&mut board, layout, system);
    names(&mut board, layout);
    cuts(&mut board, layout);
    lines(&mut board, layout, system, order);
    amounts(&mut board, layout, system);
    board.labels
}

/// The labels so far, and where they are.
#[derive(Default)]
struct Board {
    labels: Vec<Label>,
    buckets: BTreeMap<i32, Vec<Rect>>,
}

impl Board {
    fn is_free(&self, area: &Rect) -> bool {
        let buckets = buckets(area).filter_map(|bucket| self.buckets.get(&bucket));
        !buckets.flatten().any(|taken| taken.overlaps(area))
    }

    fn add(&mut self, kind: LabelKind, text: String, area: Rect) {
        for bucket in buckets(&area) {
            self.buckets.entry(bucket).or_default().push(area);
        }
        self.labels.push(Label { kind, text, area });
    }
}

fn buckets(area: &Rect) -> impl Iterator<Item = i32> {
    area.x.div_euclid(BUCKET)..=(area.x + area.width).div_euclid(BUCKET)
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

/// States, refusals and audits, above their lane.
fn beside_events(board: &mut Board, layout: &Layout, system: &System) {
    for placed in &layout.events {
        let kind = match system.events[placed.event].what {
            What::Create { .. } | What::Record { .. } => LabelKind::State(placed.event),
            What::Refuse { .. } => LabelKind::Refused(placed.event),
            What::Audit { .. } => LabelKind::Audit(placed.event),
            _ => continue,
        };
        if let Some(text) = label_of(system, placed.event) {
            let beside = beside_of(&system.events[placed.event].what);
            let area = rect(placed.at.x + beside, placed.at.y - STRIP, size(&text));
            board.add(kind, text, area);
        }
    }
}

/// The processes' names at the left border, and their states at the right one.
fn names(board: &mut Board, layout: &Layout) {
    for (index, lane) in layout.lanes.iter().enumerate() {
        let name = match lane.process {
            Some(process) => format!("process {process}"),
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
        let text = "line".to_owned();
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
        let width = size(&text);
        let lines = lines_near(layout, arrow, width);
        let on_arrow = places(layout, arrow, width);
        let free = on_arrow.into_iter().filter(|area| board.is_free(area));
        let best = free.min_by_key(|area| lines.iter().filter(|it| it.crosses(area)).count());
        let area = best.unwrap_or_else(|| beside(arrow, width));
        board.add(LabelKind::Amount(arrow.message), text, area);
    }
}

/// In the strip beside the event, on the side of its peer.
fn beside(arrow: &Arrow, width: i32) -> Rect {
    let (event, peer) = match arrow.is_sent {
        true => (arrow.from, arrow.to),
        false => (arrow.to, arrow.from),
    };
    let y = match peer.y > event.y {
        true => event.y + STRIP - LABEL,
        false => event.y - STRIP,
    };
    rect(event.x + BESIDE, y, width)
}

/// On the arrow, between the strips of lanes: near its sender, else near its receiver; first in the
/// middle between two lanes.
fn places(layout: &Layout, arrow: &Arrow, width: i32) -> Vec<Rect> {
    if arrow.is_lost {
        let down = (arrow.to.y - arrow.from.y).signum();
        let centre = arrow.to.y + down * 4;
        return vec![rect(arrow.to.x + 4, centre - LABEL / 2, width)];
    }
    let is_down = arrow.to.y > arrow.from.y;
    let (top, bottom) = match is_down {
        true => (arrow.from.y, arrow.to.y),
        false => (arrow.to.y, arrow.from.y),
    };
    let ys: Vec<i32> = layout.lanes.iter().map(|lane| lane.y).collect();
    let mut gaps: Vec<(i32, i32)> = ys.windows(2).map(|pair| (pair[0], pair[1])).collect();
    gaps.retain(|(upper, lower)| *upper >= top && *lower <= bottom);
    if !is_down {
        gaps.reverse();
    }
    let mut places = Vec::new();
    for (upper, lower) in gaps.iter().take(2).chain(gaps.iter().skip(2).next_back()) {
        let (upper, lower) = (upper + STRIP + LABEL / 2, lower - STRIP - LABEL / 2);
        for fraction in [50, 0, 100, 25, 75] {
            let y = upper + (lower - upper) * fraction / 100;
            let x = at_height(arrow.from, arrow.to, y);
            places.push(rect(x - width / 2, y - LABEL / 2, width));
        }
    }
    places
}

/// Where a line that is not horizontal is at this height.
fn at_height(from: Point, to: Point, y: i32) -> i32 {
    let (dx, dy) = (i64::from(to.x - from.x), i64::from(to.y - from.y));
    let along = (dx * i64::from(y - from.y)).checked_div(dy).unwrap_or(0);
    i32::try_from(i64::from(from.x) + along).unwrap_or(from.x)
}

/// A line that is drawn.
struct Segment(Point, Point);

impl Segment {
    /// Whether it passes through an area.
    fn crosses(&self, area: &Rect) -> bool {
        let (upper, lower) = match self.0.y < self.1.y {
            true => (self.0, self.1),
            false => (self.1, self.0),
        };
        let (top, bottom) = (area.y.max(upper.y), (area.y + area.height).min(lower.y));
        if top > bottom || upper.y == lower.y {
            return false;
        }
        let ends = [top, bottom].map(|y| at_height(upper, lower, y));
        ends[0].min(ends[1]) < area.x + area.width && ends[0].max(ends[1]) > area.x
    }
}

/// The other arrows and the cuts that come near an arrow.
fn lines_near(layout: &Layout, arrow: &Arrow, width: i32) -> Vec<Segment> {
    let (left, right) = (arrow.from.x - width, arrow.to.x + width);
    let others = layout.arrows.iter();
    let others = others.filter(|other| other.message != arrow.message);
    let arrows = others.map(|other| Segment(other.from, other.to));
    let segments = layout.cuts.iter().flat_map(|cut| cut.points.windows(2));
    let cuts = segments.map(|pair| Segment(pair[0], pair[1]));
    let is_near = |line: &Segment| line.0.x.min(line.1.x) < right && line.0.x.max(line.1.x) > left;
    arrows.chain(cuts).filter(is_near).collect()
}
