//! The file that a history is written to.
//!
//! It is written as the run goes, in whole lines where the file allows it: what a killed run leaves
//! behind can be read. Where it cannot be written any more, it is given up at the end of a line.

use std::io::{self, Seek};
use std::path::Path;

use pipes::Patience;

use crate::master::shared::{Error, Files, OutputFile, Purpose, Stop};

/// The buffer is written once it holds this many bytes.
const BUFFER: usize = 64 * 1024;

/// The file and what is yet to be written to it.
pub(crate) struct HistoryFile {
    output: OutputFile,
    buffer: Vec<u8>,
    /// How many bytes were written.
    written: u64,
}

impl HistoryFile {
    /// Opens the file; what is in it stays until it is emptied.
    pub(crate) fn open(path: &Path, files: &mut Files, patience: &Patience) -> Result<Self, Error> {
        if path == Path::new("-") {
            return Err(Error::HistoryToStdout);
        }
        Ok(Self {
            output: files.open(path, Purpose::HISTORY, patience)?,
            buffer: Vec::new(),
            written: 0,
        })
    }

    /// Empties the file: nothing can be refused any more.
    pub(super) fn empty(&self) -> Result<(), Error> {
        self.output.empty()
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
        match pipes::write_patiently(&self.output.file, &self.buffer, patience) {
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
        if let Ok(position) = self.output.file.stream_position() {
            let count = usize::try_from(position.saturating_sub(self.written)).unwrap_or(0);
            let written = &self.buffer[..count.min(self.buffer.len())];
            let lines = written.iter().rposition(|byte| *byte == b'\n');
            let whole = lines.map_or(0, |end| end as u64 + 1);
            let _ = self.output.file.set_len(self.written + whole);
        }
        Error::HistoryLost {
            history: self.output.name.clone(),
            source,
        }
    }
}
