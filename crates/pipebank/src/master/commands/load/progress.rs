//! The line on a terminal that shows how a load run goes. Where standard error is no terminal
//! there is none, and nobody is asked how far it is.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::options::Extent;
use super::summary::{Snapshots, short};

/// How often it is brought up to date.
const EVERY: Duration = Duration::from_millis(250);

/// The line, where there is one.
pub(super) struct Progress(Option<Line>);

struct Line {
    bar: ProgressBar,
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
        let length = match extent {
            Extent::Transfers(transfers) => transfers,
            Extent::Duration(duration) => duration.as_millis() as u64,
        };
        let bar = ProgressBar::new(length);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self(Some(Line {
            bar,
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
        let now = Instant::now();
        let (then, before) = line.before;
        let seconds = now.duration_since(then).as_secs_f64().max(1e-9);
        let rate = received.saturating_sub(before) as f64 / seconds;
        line.before = (now, received);
        let mut message = format!("{} transfers/s", short(rate));
        if let Some(in_transit) = snapshots.last_in_transit() {
            let count = snapshots.count();
            message += &format!(", {count} snapshots, {in_transit} in transit, audit ok");
        }
        line.bar.set_message(message);
        line.bar.set_position(match line.extent {
            Extent::Transfers(_) => received,
            Extent::Duration(_) => now.duration_since(line.began).as_millis() as u64,
        });
    }

    /// Takes the line away.
    pub(super) fn end(&mut self) {
        if let Some(line) = self.0.take() {
            line.bar.finish_and_clear();
        }
    }
}
