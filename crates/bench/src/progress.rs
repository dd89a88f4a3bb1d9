//! How far it is, on standard error, where that is a terminal.

use std::io::{self, IsTerminal, Write};

const WIDTH: usize = 24;

pub(crate) struct Progress {
    total: usize,
    done: usize,
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        let is_shown = io::stderr().is_terminal();
        Self {
            total,
            done: 0,
            is_shown,
        }
    }

    /// Begins the next step.
    pub(crate) fn step(&mut self, what: &str) {
        let filled = WIDTH * self.done / self.total.max(1);
        let bar = "█".repeat(filled) + &"░".repeat(WIDTH - filled);
        self.done += 1;
        self.show(&format!("{bar} {}/{} {what}", self.done, self.total));
    }

    /// Leaves the line empty.
    pub(crate) fn end(&self) {
        self.show("");
    }

    fn show(&self, line: &str) {
        if self.is_shown {
            // Nobody needs to see it.
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }
}
