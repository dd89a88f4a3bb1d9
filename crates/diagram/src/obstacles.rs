//! What labels keep clear of: lines, the heads of arrows, and the symbols of events.

use std::collections::BTreeMap;

use crate::layout::{Arrow, Layout, Point, Rect};

/// Obstacles are looked up by where they are, in areas of this width.
const BUCKET: i32 = 256;
/// Between a label and a thin line, at least.
const CLEAR: i32 = 2;
/// Half the width of a cut's band.
const BAND: i32 = 6;
/// Half the size of the symbol of an event.
const SYMBOL: i32 = 4;
/// How much of an arrow belongs to its head, from the middle of the event, and half its width.
const HEAD: (i32, i32) = (17, 5);

/// What an obstacle in the way of a label costs: a head hides a digit, a symbol may be taken for
/// another, and a line runs behind a label's halo.
const HEAD_COST: u32 = 400;
const SYMBOL_COST: u32 = 200;
const LINE_COST: u32 = 60;

/// A line that is drawn, and how far it is to be kept clear of.
#[derive(Clone, Copy)]
struct Line {
    from: Point,
    to: Point,
    clear: i32,
    /// The message that it carries.
    message: Option<usize>,
}

impl Line {
    /// Whether it passes through an area.
    fn crosses(&self, area: &Rect) -> bool {
        let area = Rect {
            x: area.x - self.clear,
            y: area.y - self.clear,
            width: area.width + 2 * self.clear,
            height: area.height + 2 * self.clear,
        };
        let (upper, lower) = match self.from.y < self.to.y {
            true => (self.from, self.to),
            false => (self.to, self.from),
        };
        let (top, bottom) = (area.y.max(upper.y), (area.y + area.height).min(lower.y));
        if top > bottom {
            return false;
        }
        let ends = match upper.y == lower.y {
            true => [upper.x, lower.x],
            false => [top, bottom].map(|y| at_height(upper, lower, y)),
        };
        ends[0].min(ends[1]) < area.x + area.width && ends[0].max(ends[1]) > area.x
    }
}

/// Where a line that is not horizontal is at this height.
pub(crate) fn at_height(from: Point, to: Point, y: i32) -> i32 {
    let (dx, dy) = (i64::from(to.x - from.x), i64::from(to.y - from.y));
    let along = (dx * i64::from(y - from.y)).checked_div(dy).unwrap_or(0);
    i32::try_from(i64::from(from.x) + along).unwrap_or(from.x)
}

/// All obstacles of a layout.
pub(crate) struct Obstacles {
    lines: Buckets<Line>,
    heads: Buckets<Rect>,
    symbols: Buckets<Rect>,
}

impl Obstacles {
    pub(crate) fn of(layout: &Layout) -> Self {
        let mut all = Self {
            lines: Buckets::default(),
            heads: Buckets::default(),
            symbols: Buckets::default(),
        };
        for arrow in &layout.arrows {
            all.line(arrow.from, arrow.to, CLEAR, Some(arrow.message));
            if arrow.is_received || arrow.is_lost {
                let head = head(arrow);
                all.heads.add(head.x, head.x + head.width, head);
            }
        }
        for cut in &layout.cuts {
            let points: Vec<Point> = cut.line().collect();
            for pair in points.windows(2) {
                all.line(pair[0], pair[1], BAND, None);
            }
        }
        for lane in &layout.lanes {
            let [from, to] = [lane.from, lane.to].map(|x| Point { x, y: lane.y });
            all.line(from, to, CLEAR, None);
        }
        for placed in layout.events.iter().filter(|it| it.lane.is_some()) {
            let area = around(placed.at, SYMBOL);
            all.symbols.add(area.x, area.x + area.width, area);
        }
        all
    }

    fn line(&mut self, from: Point, to: Point, clear: i32, message: Option<usize>) {
        let line = Line {
            from,
            to,
            clear,
            message,
        };
        let (left, right) = (from.x.min(to.x) - clear, from.x.max(to.x) + clear);
        self.lines.add(left, right, line);
    }

    /// What it costs to put a label here; lines may be those of its own message.
    pub(crate) fn cost(&self, area: &Rect, own: Option<usize>) -> u32 {
        let is_other = |line: &Line| own.is_none() || line.message != own;
        let lines = self
            .lines
            .near(area, |line| is_other(line) && line.crosses(area));
        let heads = self.heads.near(area, |head| head.overlaps(area));
        let symbols = self.symbols.near(area, |symbol| symbol.overlaps(area));
        LINE_COST * lines + HEAD_COST * heads + SYMBOL_COST * symbols
    }
}

/// The area of an arrow's head.
fn head(arrow: &Arrow) -> Rect {
    let Arrow { from, to, .. } = arrow;
    let (dx, dy) = (f64::from(from.x - to.x), f64::from(from.y - to.y));
    let share = f64::from(HEAD.0) / dx.hypot(dy).max(1.0);
    let base = Point {
        x: to.x + (dx * share) as i32,
        y: to.y + (dy * share) as i32,
    };
    let (left, top) = (to.x.min(base.x) - HEAD.1, to.y.min(base.y) - HEAD.1);
    Rect {
        x: left,
        y: top,
        width: to.x.max(base.x) + HEAD.1 - left,
        height: to.y.max(base.y) + HEAD.1 - top,
    }
}

fn around(at: Point, half: i32) -> Rect {
    Rect {
        x: at.x - half,
        y: at.y - half,
        width: 2 * half,
        height: 2 * half,
    }
}

/// Things by where they are.
pub(crate) struct Buckets<T>(BTreeMap<i32, Vec<T>>);

impl<T> Default for Buckets<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy> Buckets<T> {
    pub(crate) fn add(&mut self, left: i32, right: i32, thing: T) {
        for bucket in left.div_euclid(BUCKET)..=right.div_euclid(BUCKET) {
            self.0.entry(bucket).or_default().push(thing);
        }
    }

    /// How many are in the way of an area; what is in several buckets may count several times.
    pub(crate) fn near(&self, area: &Rect, is_in_the_way: impl Fn(&T) -> bool) -> u32 {
        let (left, right) = (area.x - BAND, area.x + area.width + BAND);
        let buckets = left.div_euclid(BUCKET)..=right.div_euclid(BUCKET);
        let things = buckets.filter_map(|bucket| self.0.get(&bucket)).flatten();
        things.filter(|thing| is_in_the_way(thing)).count() as u32
    }
}
