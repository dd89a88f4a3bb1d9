//! Where everything is drawn: a lane for each process, time to the right.
//!
//! Events stand in columns. A later event never stands further left, so that everything left of a
//! vertical line is a beginning of the history; events that follow each other share a column as
//! long as they are on different lanes and none receives what another sent. In a compact layout each
//! event stands as far left as what happened before it allows: what is left of a vertical line can
//! still have been the beginning. The clock is never asked. What a process does in one go (a marker received, the state recorded, markers sent) is a
//! *step*: its parts stand close together.
//!
//! The order is handed in, so that an equivalent one can be drawn the same way.
//!
//! Lengths are pixels. `x` is 0 at the left border and `y` at the first lane; to the left of the
//! border are the lanes' names, above the first lane the names of the cuts and the script's lines.

use std::collections::{BTreeMap, BTreeSet};

use history::{Content, ProcessId, Replay, SnapshotId, System, What};

use crate::columns::Columns;
use crate::labels;
use crate::select::takes_part;

/// A place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// To the right.
    pub x: i32,
    /// Down.
    pub y: i32,
}

/// An area; neither its right nor its lower edge belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// The left edge.
    pub x: i32,
    /// The upper edge.
    pub y: i32,
    /// How wide.
    pub width: i32,
    /// How high.
    pub height: i32,
}

impl Rect {
    /// Whether both have a part in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// How a lifeline begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// At the border of what is drawn: it goes on there.
    Border,
    /// With the event that creates the process.
    Created,
    /// With its death, after which it is not restarted in what is drawn.
    Died,
}

/// A process, as a horizontal line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The process; `None` is the observer, where snapshots are collected and audited.
    pub process: Option<ProcessId>,
    /// How far down.
    pub y: i32,
    /// Where its life begins.
    pub from: i32,
    /// Where it ends.
    pub to: i32,
    /// From where to where it is dead, until it is restarted.
    pub dead: Vec<[i32; 2]>,
    /// How it begins.
    pub begins: Edge,
    /// How it ends.
    pub ends: Edge,
    /// Its state at the left border; `None` where it is created later, and for the observer.
    pub before: Option<i128>,
    /// Its state where its line ends; `None` where it is dead, and for the observer.
    pub after: Option<i128>,
}

/// An event and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The event.
    pub event: usize,
    /// The column, counted from 0; a step is in one column.
    pub column: usize,
    /// The lane, counted from above; `None` for what happens to the system as a whole.
    pub lane: Option<usize>,
    /// Where.
    pub at: Point,
}

/// A message or marker on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// The message: an index in the system's messages.
    pub message: usize,
    /// Where it is sent, or comes in over the left border.
    pub from: Point,
    /// Where it is received, leaves over the right border, or is last seen.
    pub to: Point,
    /// Whether it is sent in what is drawn.
    pub is_sent: bool,
    /// Whether it is received in what is drawn.
    pub is_received: bool,
    /// Whether it is never received at all.
    pub is_lost: bool,
    /// The snapshots drawn whose cut it crosses: it is in the recorded state of its channel.
    pub crosses: Vec<SnapshotId>,
}

/// The cut of a snapshot: a line through the places where processes recorded their states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its points, downwards, one for each lane whose process recorded its state: there, or at the
    /// border beyond which that happened.
    pub points: Vec<Point>,
    /// Its ends above the first lane and below the last one; where its line begins and ends.
    pub ends: [Point; 2],
}

impl Cut {
    /// All of its line, from its upper end to its lower one.
    pub(crate) fn line(&self) -> impl Iterator<Item = Point> {
        let [top, bottom] = self.ends;
        let inner = self.points.iter().copied();
        std::iter::once(top).chain(inner).chain([bottom])
    }
}

/// What a label shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelKind {
    /// A process's state, at this event.
    State(usize),
    /// An amount that was refused, at this event.
    Refused(usize),
    /// The total or the failure of an audit, at this event.
    Audit(usize),
    /// The amount of a message: an index in the system's messages.
    Amount(usize),
    /// The name of a cut.
    Cut(SnapshotId),
    /// A line of the script.
    Line,
    /// A process's name, at this lane.
    Name(usize),
    /// A process's state where its line ends or begins at a border, at this lane.
    Last(usize),
}

/// A text and the area it may take: no two of them overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What it shows.
    pub kind: LabelKind,
    /// The text.
    pub text: String,
    /// Its area; the text is in its middle.
    pub area: Rect,
}

/// Everything that is drawn, and where.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// From border to border.
    pub width: i32,
    /// The lanes, downwards: processes by id, then the observer where something happens there.
    pub lanes: Vec<Lane>,
    /// The events, in their order.
    pub events: Vec<Placed>,
    /// Messages and markers, in the order in which they were sent.
    pub arrows: Vec<Arrow>,
    /// The cuts, by snapshot.
    pub cuts: Vec<Cut>,
    /// All labels.
    pub labels: Vec<Label>,
}

/// The size of the letters.
pub(crate) const FONT: i32 = 14;
/// The height of a label.
pub(crate) const LABEL: i32 = 18;
/// Between the borders and what is nearest to them.
pub(crate) const MARGIN: i32 = 30;
/// Between the lines of two lanes.
const LANE_GAP: i32 = 96;
/// The same where there are many.
const NARROW_GAP: i32 = 76;
/// The same where it is to be compact.
const COMPACT_GAP: i32 = 66;
/// Between the last process and the observer, who sends no messages.
const OBSERVER_GAP: i32 = 70;
const MANY_LANES: usize = 12;
/// How far a cut goes beyond the first and the last lane.
const BEYOND: i32 = 26;
/// How long the arrow of a message is that is never received.
const STUB: Point = Point { x: 44, y: 34 };

/// What is drawn, and how close together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Markers are left out: cuts and the states that were recorded stay.
    pub without_markers: bool,
    /// Events stand as close together as what happened before them allows, in rows of a page's width.
    pub is_compact: bool,
}

impl Setting {
    /// Everything, in one row.
    pub const WIDE: Self = Self {
        without_markers: false,
        is_compact: false,
    };
}

impl Layout {
    /// Places these events of a system, which are in an order in which they can have happened.
    #[must_use]
    pub fn new(system: &System, order: &[usize]) -> Self {
        let processes = takes_part(system, order.iter().copied());
        Self::set(system, order, &processes, Setting::WIDE)
    }

    /// The same in a setting. Of these processes those are drawn that take part or are alive.
    pub(crate) fn set(
        system: &System,
        order: &[usize],
        processes: &BTreeSet<ProcessId>,
        setting: Setting,
    ) -> Self {
        let (mut lanes, lane_of) = lanes(system, order, processes, setting);
        let columns = Columns::new(system, order, &lane_of, setting.is_compact);
        let events = columns.places(&lanes);
        let width = columns.width();
        let at: BTreeMap<usize, Point> = events.iter().map(|it| (it.event, it.at)).collect();
        let is_end = |placed: &&Placed| system.events[placed.event].what == What::End;
        let end = events.last().filter(is_end).map_or(width, |end| end.at.x);
        let first = borders(order).0;
        let x_of = |event: usize| {
            let before = (event < first).then_some(0);
            at.get(&event).map(|point| point.x).or(before)
        };
        for (index, lane) in lanes.iter_mut().enumerate() {
            lane.to = end;
            let created = lane.process.and_then(|it| at.get(&system.processes[&it]));
            if let Some(created) = created {
                (lane.from, lane.begins) = (created.x, Edge::Created);
            }
            let deaths = system.deaths.get(&lane.process);
            for death in deaths.into_iter().flatten() {
                let Some(died) = x_of(death.died) else {
                    continue;
                };
                if let Some(restarted) = death.restarted.and_then(x_of) {
                    lane.dead
                        .extend((died < restarted).then_some([died, restarted]));
                    continue;
                }
                // What is known by its channel only may come later.
                let last = events.iter().rfind(|it| it.lane == Some(index));
                let last = last.map_or(died, |it| it.at.x.max(died));
                (lane.to, lane.ends) = (last, Edge::Died);
            }
        }
        let mut layout = Self {
            width,
            lanes,
            events,
            ..Self::default()
        };
        layout.add_cuts(system, order, &at);
        layout.add_arrows(system, &at, &lane_of);
        layout.arrows.retain(|arrow| {
            let content = system.messages[arrow.message].content;
            !(setting.without_markers && matches!(content, Content::Marker(_)))
        });
        layout.labels = labels::all(&layout, system, order, setting);
        layout
    }

    /// How far down the last lane is.
    #[must_use]
    pub fn height(&self) -> i32 {
        self.lanes.last().map_or(0, |lane| lane.y)
    }

    fn add_arrows(
        &mut self,
        system: &System,
        at: &BTreeMap<usize, Point>,
        lane_of: &BTreeMap<ProcessId, usize>,
    ) {
        for (index, message) in system.messages.iter().enumerate() {
            let sent = at.get(&message.sent).copied();
            let received = message.received.and_then(|event| at.get(&event)).copied();
            if sent.is_none() && received.is_none() {
                continue;
            }
            let lane_y = |process| lane_of.get(&process).map(|lane| self.lanes[*lane].y);
            let is_lost = message.received.is_none();
            // Both processes have lanes: they take part in what is drawn.
            let from = sent.or_else(|| {
                Some(Point {
                    x: 0,
                    y: lane_y(message.channel.from)?,
                })
            });
            let to = received.or_else(|| {
                let y = lane_y(message.channel.to)?;
                Some(match from {
                    Some(from) if is_lost => Point {
                        x: from.x + STUB.x,
                        y: from.y + STUB.y * (y - from.y).signum(),
                    },
                    _ => Point { x: self.width, y },
                })
            });
            let (Some(from), Some(to)) = (from, to) else {
                continue;
            };
            let is_crossed = |id: &SnapshotId| system.snapshots[id].crosses(message);
            let drawn = self.cuts.iter().map(|cut| cut.snapshot);
            self.arrows.push(Arrow {
                message: index,
                from,
                to,
                is_sent: sent.is_some(),
                is_received: received.is_some(),
                is_lost,
                crosses: drawn.filter(is_crossed).collect(),
            });
        }
    }

    fn add_cuts(&mut self, system: &System, order: &[usize], at: &BTreeMap<usize, Point>) {
        let (first, _) = borders(order);
        for (id, snapshot) in &system.snapshots {
            if !snapshot.cut.values().any(|event| at.contains_key(event)) {
                continue;
            }
            let mut points = Vec::new();
            for lane in &self.lanes {
                let record = lane.process.and_then(|process| snapshot.cut.get(&process));
                let Some(record) = record else { continue };
                let border = if *record < first { 0 } else { self.width };
                let x = at.get(record).map_or(border, |point| point.x);
                points.push(Point { x, y: lane.y });
            }
            let (Some(top), Some(bottom)) = (points.first(), points.last()) else {
                continue;
            };
            let ends = [(top, -BEYOND), (bottom, BEYOND)];
            let ends = ends.map(|(point, beyond)| Point {
                x: point.x,
                y: point.y + beyond,
            });
            self.cuts.push(Cut {
                snapshot: *id,
                points,
                ends,
            });
        }
    }
}

/// The first and the last of the events.
pub(crate) fn borders(order: &[usize]) -> (usize, usize) {
    let first = order.iter().min().copied().unwrap_or(0);
    let last = order.iter().max().copied().unwrap_or(0);
    (first, last)
}

/// A lane for each of the processes that takes part or is alive, by id, and one for the observer where
/// it takes part.
fn lanes(
    system: &System,
    order: &[usize],
    processes: &BTreeSet<ProcessId>,
    setting: Setting,
) -> (Vec<Lane>, BTreeMap<ProcessId, usize>) {
    let (first, last) = borders(order);
    let replayed = |events| system.events.iter().take(events).collect::<Replay>();
    let (before, after) = (replayed(first), replayed(last + 1));
    let mut takes_part = takes_part(system, order.iter().copied());
    takes_part.extend(
        before
            .processes()
            .iter()
            .filter(|(_, now)| !now.is_dead)
            .map(|(id, _)| *id),
    );
    takes_part.retain(|process| processes.contains(process));
    let has_observer = order.iter().any(|event| {
        matches!(
            system.events[*event].what,
            What::Collect { .. }
                | What::Audit { .. }
                | What::Death { process: None, .. }
                | What::Restarted { process: None, .. }
        )
    });
    let gap = match (setting.is_compact, takes_part.len() > MANY_LANES) {
        (true, _) => COMPACT_GAP,
        (false, true) => NARROW_GAP,
        (false, false) => LANE_GAP,
    };
    let mut lanes = Vec::new();
    let empty = Lane {
        process: None,
        y: 0,
        from: 0,
        to: 0,
        dead: Vec::new(),
        begins: Edge::Border,
        ends: Edge::Border,
        before: None,
        after: None,
    };
    for (index, process) in takes_part.iter().enumerate() {
        let before = before.processes().get(process);
        let after = after.processes().get(process);
        lanes.push(Lane {
            process: Some(*process),
            y: index as i32 * gap,
            before: before.filter(|now| !now.is_dead).map(|now| now.balance),
            after: after.filter(|now| !now.is_dead).map(|now| now.balance),
            ..empty.clone()
        });
    }
    if has_observer {
        let y = lanes.last().map_or(0, |lane| lane.y + OBSERVER_GAP);
        lanes.push(Lane { y, ..empty });
    }
    let lane_of = takes_part.into_iter().zip(0..).collect();
    (lanes, lane_of)
}
