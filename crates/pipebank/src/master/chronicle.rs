//! The history of the run: its events are stamped with the time and handed to whoever wants them.
//! That is the file of the history (`--history`), the memory until the run has ended and is drawn
//! (`--diagram`), and what the prompt's `show` draws.
//!
//! `chronicle/file.rs`: the file, and what becomes of it when it cannot be written.

mod file;

use std::io;
use std::time::{Duration, Instant};

use diagram::Recent;
use history::{Event, Header, What};
use pipes::Patience;
use serde::{Deserialize, Serialize};

use self::file::Mark;
use super::shared::Error;

pub(super) use self::file::HistoryFile;

/// How far a history that is in a file had come, when it was noted how far its script was.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Reached {
    file: Mark,
    /// The time, in microseconds.
    time: u64,
}

/// Where events go.
pub(super) struct Chronicle {
    file: Option<HistoryFile>,
    pub(super) kept: Option<Kept>,
    pub(super) recent: Option<Recent>,
    begun: Instant,
    /// How long earlier runs have taken to come to where it goes on.
    before: Duration,
    /// Whether it goes on with the history of an earlier run.
    pub(super) goes_on: bool,
    /// The line that was made last.
    line: Vec<u8>,
}

impl Chronicle {
    /// Begins, where anybody wants it, or goes on where an earlier run of the script had come to, if it can.
    pub(super) fn begin(
        file: Option<HistoryFile>,
        kept: Option<Kept>,
        recent: Option<Recent>,
        header: &Header,
        reached: Option<Reached>,
    ) -> Option<Self> {
        if file.is_none() && kept.is_none() && recent.is_none() {
            return None;
        }
        let mut chronicle = Self {
            file,
            kept,
            recent,
            begun: Instant::now(),
            before: Duration::ZERO,
            goes_on: false,
            line: Vec::new(),
        };
        if let Some(reached) = reached.filter(|it| chronicle.has_come_to(it)) {
            chronicle.before = Duration::from_micros(reached.time);
            chronicle.goes_on = true;
        } else {
            history::write_header(&mut chronicle.line, header);
            chronicle.hand_out_line();
        }
        Some(chronicle)
    }

    /// Whether the file holds what was written to it until then.
    fn has_come_to(&mut self, reached: &Reached) -> bool {
        let Some(file) = &mut self.file else {
            return false;
        };
        let mut before = self.kept.as_ref().map(|_| Kept::new());
        let goes_on = file.go_on_from(reached.file, |bytes| {
            if let Some(kept) = &mut before {
                kept.push(bytes);
            }
        });
        // What cannot be read is not there.
        let goes_on = goes_on.unwrap_or(false);
        if goes_on {
            self.kept = before;
        }
        goes_on
    }

    /// How far it has come, where it can go on from there: what there was to be written is.
    pub(super) fn reached(&self) -> Option<Reached> {
        let file = self.file.as_ref()?.mark()?;
        let time = u64::try_from(self.elapsed().as_micros()).ok()?;
        Some(Reached { file, time })
    }

    /// Whether it could go on after an interruption.
    pub(super) fn can_go_on(&self) -> bool {
        self.file.as_ref().is_some_and(HistoryFile::keeps)
    }

    /// Empties the file, but for what it goes on with: the run begins.
    pub(super) fn cut_file(&self) -> Result<(), Error> {
        self.file.as_ref().map_or(Ok(()), HistoryFile::cut)
    }

    /// Waits until what was written to the file is on the disk.
    pub(super) fn sync_file(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), HistoryFile::sync)
    }

    fn elapsed(&self) -> Duration {
        self.before + self.begun.elapsed()
    }

    /// Something has happened, and this line of the script asked for it.
    pub(super) fn push(&mut self, line: Option<u64>, what: What) {
        let time = u64::try_from(self.elapsed().as_micros()).ok();
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
