//! Columns: which event stands beside which, and how far to the right.

use std::collections::BTreeMap;

use history::{ProcessId, SnapshotId, System, What};

use crate::layout::{FONT, Lane, MARGIN, Placed, Point};
use crate::text_width::text_width;

/// How far everything stands from the next.
#[derive(Clone, Copy)]
struct Pitch {
    /// From an event to the next on the same lane, at least.
    event: i32,
    /// From one part of a step to the next.
    part: i32,
    /// From a message's sending to its receipt.
    run: i32,
}

const WIDE: Pitch = Pitch {
    event: 40,
    part: 16,
    run: 44,
};
const NARROW: Pitch = Pitch {
    event: 24,
    part: 14,
    run: 30,
};
/// From a column to the next.
const COLUMN: i32 = 26;
/// From an event to its label, and from that to the next event.
pub(crate) const BESIDE: i32 = 7;

/// The columns of a layout.
pub(crate) struct Columns {
    cells: Vec<Cell>,
    /// How far to the right each column is.
    x: Vec<i32>,
    width: i32,
    pitch: Pitch,
}

/// The place of an event.
struct Cell {
    event: usize,
    lane: Option<usize>,
    column: usize,
    /// Its part of the step, counted from 0.
    part: i32,
    /// Until where nothing else may stand on the lane, counted from the column.
    needs: i32,
}

impl Columns {
    pub(crate) fn new(
        system: &System,
        order: &[usize],
        lane_of: &BTreeMap<ProcessId, usize>,
        is_compact: bool,
    ) -> Self {
        let pitch = if is_compact { NARROW } else { WIDE };
        let mut cells: Vec<Cell> = Vec::with_capacity(order.len());
        let mut column = 0;
        // The last column in which something stands on each lane, and in which each event stands.
        let mut last_on: BTreeMap<usize, usize> = BTreeMap::new();
        let mut column_of: BTreeMap<usize, usize> = BTreeMap::new();
        for &event in order {
            let what = &system.events[event].what;
            let lane = match what {
                What::Start { .. } | What::End => None,
                // The observer's is below those of the processes.
                _ => Some(
                    what.process()
                        .map_or(lane_of.len(), |process| lane_of[&process]),
                ),
            };
            let before = cells.last().filter(|before| before.lane == lane);
            let part = before
                .and_then(|before| Some((before, step(&system.events[before.event].what, what)?)))
                .map(|(before, further)| before.part + further);
            if part.is_none() {
                let sent = sender_of(system, event).and_then(|sent| column_of.get(&sent));
                let is_taken = match lane {
                    Some(lane) => last_on.get(&lane) == Some(&column),
                    None => !cells.is_empty(),
                };
                let is_after_end = cells.last().is_some_and(|before| before.lane.is_none());
                let is_own = is_compact && !cells.is_empty();
                if is_own || is_taken || is_after_end || sent == Some(&column) {
                    column += 1;
                }
            }
            let part = part.unwrap_or(0);
            last_on.extend(lane.map(|lane| (lane, column)));
            column_of.insert(event, column);
            cells.push(Cell {
                event,
                lane,
                column,
                part,
                needs: part * pitch.part + needs(system, event, &column_of, pitch),
            });
        }
        let x = spread(system, &cells, pitch, is_compact);
        let ends = cells.iter().map(|cell| x[cell.column] + cell.needs);
        let width = ends.max().unwrap_or(0) + MARGIN;
        Self {
            cells,
            x,
            width,
            pitch,
        }
    }

    /// How many of the first events, at least one, can stand in this width; a step stays whole.
    pub(crate) fn fit(&self, width: i32) -> usize {
        let is_over = |cell: &Cell| self.x[cell.column] + cell.needs + MARGIN > width;
        let Some(over) = self.cells.iter().find(|cell| is_over(cell)) else {
            return self.cells.len();
        };
        let column = over.column.max(1);
        self.cells.partition_point(|cell| cell.column < column)
    }

    /// From border to border.
    pub(crate) fn width(&self) -> i32 {
        self.width
    }

    pub(crate) fn places(&self, lanes: &[Lane]) -> Vec<Placed> {
        let placed = |cell: &Cell| Placed {
            event: cell.event,
            column: cell.column,
            lane: cell.lane,
            at: Point {
                x: self.x[cell.column] + cell.part * self.pitch.part,
                y: cell.lane.map_or(0, |lane| lanes[lane].y),
            },
        };
        self.cells.iter().map(placed).collect()
    }
}

/// How far to the right each column is: after the one before it, or, where it is compact, after
/// what it needs to have happened.
fn spread(system: &System, cells: &[Cell], pitch: Pitch, is_compact: bool) -> Vec<i32> {
    let mut x: Vec<i32> = Vec::new();
    let mut free_from: BTreeMap<usize, i32> = BTreeMap::new();
    let mut sent_at: BTreeMap<usize, i32> = BTreeMap::new();
    let mut latest = MARGIN;
    for column in cells.chunk_by(|a, b| a.column == b.column) {
        let follows_all = |cell: &Cell| follows_all(&system.events[cell.event].what);
        let mut here = match x.last() {
            None => MARGIN,
            Some(before) if !is_compact => before + COLUMN,
            Some(_) if column.iter().any(follows_all) => latest,
            Some(_) => MARGIN,
        };
        for cell in column {
            // What happens to the system as a whole comes after everything else.
            let free = match cell.lane {
                Some(lane) => free_from.get(&lane),
                None => free_from.values().max(),
            };
            let sent = sender_of(system, cell.event).and_then(|sent| sent_at.get(&sent));
            let after_sent = sent.map(|sent| sent + pitch.run - cell.part * pitch.part);
            here = here
                .max(free.copied().unwrap_or(0))
                .max(after_sent.unwrap_or(0));
        }
        for cell in column {
            sent_at.insert(cell.event, here + cell.part * pitch.part);
            if let Some(lane) = cell.lane {
                let free = free_from.entry(lane).or_default();
                *free = (here + cell.needs).max(*free);
            }
        }
        // Nothing stands beside the start.
        let starts = column.iter().any(|cell| cell.lane.is_none());
        latest = latest.max(here + if starts { COLUMN } else { 0 });
        x.push(here);
    }
    x
}

/// Whether something depends on all that came before, and not only on its process and on the
/// messages that this received.
fn follows_all(what: &What) -> bool {
    matches!(
        what,
        What::Start { .. }
            | What::End
            | What::Create { .. }
            | What::Collect { .. }
            | What::Audit { .. }
            | What::Death { .. }
            | What::Restarted { .. }
    )
}

/// Where an event that receives something was sent.
fn sender_of(system: &System, event: usize) -> Option<usize> {
    let message = system.message_at(event)?;
    (message.received == Some(event)).then_some(message.sent)
}

/// Whether an event at the same place belongs to the step of the one before; how many parts
/// further it stands.
fn step(before: &What, next: &What) -> Option<i32> {
    let same_snapshot = before.snapshot()? == next.snapshot()?;
    let further = match (before, next) {
        (What::MarkerReceived { .. }, What::Record { .. }) => 1,
        (What::Begin { .. }, What::Record { .. }) => 0,
        (What::MarkerSent { .. }, What::MarkerSent { .. }) => 0,
        (_, What::MarkerSent { .. }) => 1,
        (What::Collect { .. }, What::Collect { .. }) => 0,
        (What::Collect { .. }, What::Audit { .. }) => 1,
        (_, What::ChannelClosed { .. }) => 0,
        _ => return None,
    };
    same_snapshot.then_some(further)
}

/// How much room an event needs to its right.
fn needs(system: &System, event: usize, drawn: &BTreeMap<usize, usize>, pitch: Pitch) -> i32 {
    if system.events[event].what == What::End {
        return 0;
    }
    let Some(text) = label_of(system, event) else {
        return pitch.event;
    };
    // A message that comes in over the border has its label where it is received.
    if sender_of(system, event).is_some_and(|sent| drawn.contains_key(&sent)) {
        return pitch.event;
    }
    let cut = match system.events[event].what {
        What::Record { snapshot, .. } => text_width(&cut_name(snapshot), FONT),
        _ => 0,
    };
    let beside = beside_of(&system.events[event].what);
    (beside + BESIDE + LABEL_PAD + text_width(&text, FONT).max(cut)).max(pitch.event)
}

/// From an event to its label: its symbol may be large.
pub(crate) fn beside_of(what: &What) -> i32 {
    match what {
        What::Record { .. } => 2 * BESIDE,
        _ => BESIDE,
    }
}

/// What a label is wider than its text.
pub(crate) const LABEL_PAD: i32 = 6;

/// The text that stands beside an event, or at least may have to.
pub(crate) fn label_of(system: &System, event: usize) -> Option<String> {
    match &system.events[event].what {
        What::Create { amount, .. }
        | What::Send { amount, .. }
        | What::Receive { amount, .. }
        | What::Refuse { amount, .. }
        | What::Record { amount, .. } => Some(amount.to_string()),
        What::Audit { verdict, .. } => Some(match verdict {
            Ok(total) => total.to_string(),
            Err(_) => "failed".to_owned(),
        }),
        _ => None,
    }
}

/// What a cut is called.
pub(crate) fn cut_name(snapshot: SnapshotId) -> String {
    format!("S{snapshot}")
}
