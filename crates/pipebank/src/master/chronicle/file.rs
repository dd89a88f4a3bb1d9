//! The file that a history is written to.
//!
//! It is written as the run goes, in whole lines where the file allows it: what a killed run leaves
//! behind can be read. Where it cannot be written any more, it is given up at the end of a line.

use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pipes::Patience;

use crate::master::shared::{Error, Stop, name_of};

/// The buffer is written once it holds this many bytes.
const BUFFER: usize = 64 * 1024;

/// The file and what is yet to be written to it.
pub(crate) struct HistoryFile {
    name: String,
    file: File,
    buffer: Vec<u8>,
    /// How many bytes were written.
    written: u64,
}

impl HistoryFile {
    /// Creates the file, or empties it; it must not be the script.
    pub(crate) fn create(
        path: &Path,
        script: Option<&Path>,
        patience: &Patience,
    ) -> Result<Self, Error> {
        if path == Path::new("-") {
            return Err(Error::HistoryToStdout);
        }
        let name = name_of(path);
        if script.is_some_and(|script| is_same_file(path, script)) {
            return Err(Error::OverwritesScript { history: name });
        }
        let mut options = File::options();
        let opened = pipes::open_to_write(path, options.create(true).truncate(true), patience);
        match opened {
            Err(source) => Err(Error::History {
                history: name,
                source,
            }),
            Ok(None) => Err(Stop::interrupted(patience, &format!("a reader of {name}")).into()),
            Ok(Some(file)) => Ok(Self {
                name,
                file,
                buffer: Vec::new(),
                written: 0,
            }),
        }
    }

    pub(super) fn push(&mut self, line: &[u8]) {
        self.buffer.extend_from_slice(line);
    }

    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= BUFFER
    }

    /// Writes what there is. Where it cannot be written ([`Error::HistoryLost`]), nothing more must
    /// be written; where a signal or the deadline came first ([`Error::Stop`]), the rest can be.
    pub(super) fn write(&mut self, patience: &Patience) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        match pipes::write_patiently(&self.file, &self.buffer, patience) {
            Ok(count) => {
                self.buffer.drain(..count);
                self.written += count as u64;
            }
            Err(error) => return Err(self.give_up(error)),
        }
        match self.buffer.is_empty() {
            true => Ok(()),
            false => Err(Stop::interrupted(patience, "the reader of the history").into()),
        }
    }

    /// Ends the file with the last line that is whole.
    fn give_up(&mut self, source: io::Error) -> Error {
        // What is no regular file has no end that could be moved.
        if let Ok(position) = self.file.stream_position() {
            let count = usize::try_from(position.saturating_sub(self.written)).unwrap_or(0);
            let written = &self.buffer[..count.min(self.buffer.len())];
            let lines = written.iter().rposition(|byte| *byte == b'\n');
            let whole = lines.map_or(0, |end| end as u64 + 1);
            let _ = self.file.set_len(self.written + whole);
        }
        Error::HistoryLost {
            history: self.name.clone(),
            source,
        }
    }
}

/// Whether both are there, and the same.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    identity(one).is_some_and(|found| identity(other) == Some(found))
}
