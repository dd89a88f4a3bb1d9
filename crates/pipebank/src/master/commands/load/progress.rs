//! The line on a terminal that shows how a load run goes. Where standard error is no terminal
//! there is none, and nobody is asked how far it is.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use pipes::Patience;

use super::options::Extent;
use super::summary::{Snapshots, short};
use crate::master::shared::{LAST_WORDS, columns};

/// How often it is brought up to date.
const EVERY: Duration = Duration::from_millis(250);

/// How wide the bar is.
const BAR: usize = 10;

/// What a terminal shows of a Ctrl-C, and the cursor. Both must fit behind the line: in the next row,
/// they could not be taken away with it.
const INTERRUPT: &str = "^C ";

/// Takes away what stands in the row.
const CLEAR: &str = "\r\x1b[K";

/// The line, where there is one.
pub(super) struct Progress(Option<Line>);

struct Line {
    extent: Extent,
    began: Instant,
    next: Instant,
    before: (Instant, u64),
}

impl Progress {
    /// No line yet.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// A line, if there is a terminal to show it.
    pub(super) fn begin(extent: Extent) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let now = Instant::now();
        Self(Some(Line {
            extent,
            began: now,
            next: now + EVERY,
            before: (now, 0),
        }))
    }

    /// When it wants to be brought up to date.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.as_ref().map(|line| line.next)
    }

    /// It has been asked how far it is.
    pub(super) fn asked(&mut self) {
        if let Some(line) = &mut self.0 {
            line.next = Instant::now() + EVERY;
        }
    }

    /// Shows how many transfers have been received.
    pub(super) fn show(&mut self, received: u64, snapshots: &Snapshots) {
        let Some(line) = &mut self.0 else {
            return;
        };
        // A terminal that is stopped stops nothing but the line.
        if !pipes::has_room(io::stderr()) {
            return;
        }
        let now = Instant::now();
        let (then, before) = line.before;
        let seconds = now.duration_since(then).as_secs_f64().max(1e-9);
        let rate = received.saturating_sub(before) as f64 / seconds;
        line.before = (now, received);
        let taken = BAR + 1 + INTERRUPT.len();
        let room =
            columns(io::stderr()).map_or(usize::MAX, |columns| columns.saturating_sub(taken));
        let done = match line.extent {
            Extent::Transfers(all) => received as f64 / all as f64,
            Extent::Duration(all) => {
                now.duration_since(line.began).as_secs_f64() / all.as_secs_f64()
            }
        };
        write(&format!(
            "{CLEAR}{} {}",
            bar(done),
            message(&short(rate), snapshots, room)
        ));
    }

    /// Takes the line away.
    pub(super) fn end(&mut self) {
        if self.0.take().is_some() {
            write(CLEAR);
        }
    }
}

/// Writes to the terminal; where it does not take that at once, nothing is lost.
fn write(text: &str) {
    let patience = Patience::brief(LAST_WORDS);
    let _ = pipes::write_patiently(io::stderr(), text.as_bytes(), &patience);
}

/// A bar of which this part is full.
fn bar(part: f64) -> String {
    let full = ((part * BAR as f64) as usize).min(BAR);
    "█".repeat(full) + &"░".repeat(BAR - full)
}

/// How it goes, as fully as there is room.
fn message(rate: &str, snapshots: &Snapshots, room: usize) -> String {
    let mut messages = vec![format!("{rate}/s"), format!("{rate} transfers/s")];
    if let Some(in_transit) = snapshots.last_in_transit() {
        let snapshots = format!("{} snapshots", snapshots.count());
        messages.push(format!("{rate}/s, {snapshots} ok"));
        messages.push(format!("{rate} transfers/s, {snapshots}, audit ok"));
        messages.push(format!(
            "{rate} transfers/s, {snapshots}, {in_transit} in transit, audit ok"
        ));
    }
    let fitting = messages.into_iter().rev().find(|text| text.len() <= room);
    fitting.unwrap_or_default()
}
