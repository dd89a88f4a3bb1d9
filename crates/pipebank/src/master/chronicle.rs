//! The history of the run: its events are stamped with the time and handed to whoever wants them.
//! That is the file of the history (`--history`), the memory until the run has ended and is drawn
//! (`--diagram`), and what the prompt's `show` draws.
//!
//! `chronicle/file.rs`: the file, and what becomes of it when it cannot be written.

mod file;

use std::time::Instant;

use diagram::Recent;
use history::{Event, Header, What};
use pipes::Patience;

use super::shared::Error;

pub(super) use file::HistoryFile;

/// Where events go.
pub(super) struct Chronicle {
    file: Option<HistoryFile>,
    pub(super) kept: Option<Kept>,
    pub(super) recent: Option<Recent>,
    begun: Instant,
    /// The line that was made last.
    line: Vec<u8>,
}

impl Chronicle {
    /// Begins, where anybody wants it.
    pub(super) fn begin(
        file: Option<HistoryFile>,
        kept: Option<Kept>,
        recent: Option<Recent>,
        header: &Header,
    ) -> Option<Self> {
        if file.is_none() && kept.is_none() && recent.is_none() {
            return None;
        }
        let mut chronicle = Self {
            file,
            kept,
            recent,
            begun: Instant::now(),
            line: Vec::new(),
        };
        history::write_header(&mut chronicle.line, header);
        chronicle.hand_out_line();
        Some(chronicle)
    }

    /// Empties the file: the run begins.
    pub(super) fn empty_file(&self) -> Result<(), Error> {
        self.file.as_ref().map_or(Ok(()), HistoryFile::empty)
    }

    /// Something has happened, and this line of the script asked for it.
    pub(super) fn push(&mut self, line: Option<u64>, what: What) {
        let time = u64::try_from(self.begun.elapsed().as_micros()).ok();
        let event = Event {
            line,
            time,
            what,
            extra: Vec::new(),
        };
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
            file.push(&self.line);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(&self.line);
        }
    }

    /// Whether the file should be written now.
    pub(super) fn is_full(&self) -> bool {
        self.file.as_ref().is_some_and(HistoryFile::is_full)
    }

    /// Writes the file as far as there is something to write. Where that cannot be done
    /// ([`Error::HistoryLost`]), the file is given up.
    pub(super) fn write_file(&mut self, patience: &Patience) -> Result<(), Error> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let written = file.write(patience);
        if matches!(written, Err(Error::HistoryLost { .. })) {
            self.file = None;
        }
        written
    }
}

/// No more than this is kept: some 300,000 events.
pub(super) const KEPT_MIB: usize = 32;

/// The lines of a history.
#[derive(Debug)]
pub(super) struct Kept {
    lines: Vec<u8>,
    limit: usize,
    /// They became too many, and were dropped.
    is_over: bool,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self {
            lines: Vec::new(),
            limit: KEPT_MIB << 20,
            is_over: false,
        }
    }

    fn push(&mut self, line: &[u8]) {
        if self.lines.len() + line.len() > self.limit {
            self.is_over = true;
            self.lines = Vec::new();
        }
        if !self.is_over {
            self.lines.extend_from_slice(line);
        }
    }

    /// All the lines, unless they were too many.
    pub(super) fn lines(&self) -> Option<&[u8]> {
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
