//! Where the events of a run go: to the file of the history, into memory until the run has ended and
//! is drawn, to what the prompt's `show` draws.

use std::time::Instant;

use diagram::Recent;
use history::{Event, Header};
use pipes::Signals;

use super::HistoryFile;
use crate::master::failure::Stop;

/// Each is there where somebody wants it.
pub(crate) struct Sinks {
    pub(crate) file: Option<HistoryFile>,
    pub(crate) kept: Option<Kept>,
    pub(crate) recent: Option<Recent>,
    /// The line that was made last.
    line: Vec<u8>,
}

impl Sinks {
    pub(crate) fn new(
        file: Option<HistoryFile>,
        kept: Option<Kept>,
        recent: Option<Recent>,
    ) -> Self {
        Self {
            file,
            kept,
            recent,
            line: Vec::new(),
        }
    }

    /// Whether anybody wants them.
    pub(crate) fn is_any(&self) -> bool {
        self.file.is_some() || self.kept.is_some() || self.recent.is_some()
    }

    pub(super) fn begin(&mut self, header: &Header) {
        history::write_header(&mut self.line, header);
        self.hand_out_line();
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.file.is_some() || self.kept.is_some() {
            self.line.clear();
            history::write_event(&mut self.line, &event);
            self.hand_out_line();
        }
        if let Some(recent) = &mut self.recent {
            recent.push(event);
        }
    }

    fn hand_out_line(&mut self) {
        if let Some(file) = &mut self.file {
            file.buffer.extend_from_slice(&self.line);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(&self.line);
        }
    }

    /// Whether the file should be written now.
    pub(crate) fn is_full(&self) -> bool {
        self.file.as_ref().is_some_and(HistoryFile::is_full)
    }

    /// Writes the file as far as there is something to write; where that cannot be done, what is to
    /// be told of it: the file is given up.
    pub(crate) fn write_file(
        &mut self,
        signals: Option<&Signals>,
        deadline: Option<Instant>,
    ) -> Result<Option<String>, Stop> {
        let Some(file) = &mut self.file else {
            return Ok(None);
        };
        let complaint = file.write(signals, deadline)?;
        if complaint.is_some() {
            self.file = None;
        }
        Ok(complaint)
    }
}

/// No more than this is kept: some 300,000 events.
pub(crate) const KEPT_MIB: usize = 32;

/// The lines of a history.
#[derive(Debug)]
pub(crate) struct Kept {
    lines: Vec<u8>,
    limit: usize,
    /// They became too many, and were dropped.
    is_over: bool,
}

impl Kept {
    pub(crate) fn new() -> Self {
        Self {
            lines: Vec::new(),
            limit: KEPT_MIB << 20,
            is_over: false,
        }
    }

    pub(super) fn push(&mut self, line: &[u8]) {
        if self.lines.len() + line.len() > self.limit {
            self.is_over = true;
            self.lines = Vec::new();
        }
        if !self.is_over {
            self.lines.extend_from_slice(line);
        }
    }

    /// All the lines, unless they were too many.
    pub(crate) fn lines(&self) -> Option<&[u8]> {
        (!self.is_over).then_some(&self.lines)
    }
}

#[test]
fn lines_that_are_too_many_are_dropped_all() {
    let mut kept = Kept::new();
    kept.limit = 9;
    kept.push(b"four\n");
    kept.push(b"six\n");
    assert_eq!(kept.lines(), Some(&b"four\nsix\n"[..]));
    kept.push(b"\n");
    kept.push(b"\n");
    assert_eq!(kept.lines(), None);
}
