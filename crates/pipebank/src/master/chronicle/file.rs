//! The file that a history is written to.
//!
//! It is written as the run goes, in whole lines where the file allows it: what a killed run leaves
//! behind can be read. Where it cannot be written any more, it is given up at the end of a line.
//!
//! In a bank that lasts, the history goes on where an interrupted run had come to, if the file holds what that had
//! written.

use std::io::{self, Read, Seek};
use std::path::Path;

use pipes::Patience;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::master::shared::{Error, Files, OutputFile, Purpose, Stop};

/// The buffer is written once it holds this many bytes.
const BUFFER: usize = 64 * 1024;

/// The file and what is yet to be written to it.
pub(crate) struct HistoryFile {
    output: OutputFile,
    buffer: Vec<u8>,
    /// How many bytes were written, with those that are kept of an earlier run.
    written: u64,
    /// Of all of them.
    digest: XxHash3_128,
}

/// What was written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    length: u64,
    /// Nobody has to be kept from making another file with the same on purpose.
    digest: u128,
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
            digest: XxHash3_128::new(),
        })
    }

    /// Whether it is a file that keeps what is written to it.
    pub(super) fn keeps(&self) -> bool {
        self.output.file.metadata().is_ok_and(|it| it.is_file())
    }

    /// What was written to it, if it keeps that and there is nothing left to be written.
    pub(super) fn mark(&self) -> Option<Mark> {
        (self.keeps() && self.buffer.is_empty()).then(|| Mark {
            length: self.written,
            digest: self.digest.clone().finish_128(),
        })
    }

    /// Goes on behind what an earlier run has written to it, which is handed out; whether that is there.
    pub(super) fn go_on_from(
        &mut self,
        mark: Mark,
        mut before: impl FnMut(&[u8]),
    ) -> io::Result<bool> {
        if !self.keeps() {
            return Ok(false);
        }
        // It was opened to be written.
        let file = pipes::open_again_to_read(&self.output.file)?;
        let (mut file, mut piece) = (file.take(mark.length), vec![0; BUFFER]);
        let (mut length, mut digest) = (0, XxHash3_128::new());
        loop {
            match file.read(&mut piece)? {
                0 => break,
                count => {
                    length += count as u64;
                    digest.write(&piece[..count]);
                    before(&piece[..count]);
                }
            }
        }
        let found = Mark {
            length,
            digest: digest.clone().finish_128(),
        };
        if found == mark {
            (self.written, self.digest) = (length, digest);
        }
        Ok(found == mark)
    }

    /// Empties the file, but for what is kept of an earlier run: nothing can be refused any more.
    pub(super) fn cut(&self) -> Result<(), Error> {
        self.output.cut(self.written)
    }

    /// Waits until what was written is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.output.file.sync_data()
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
                self.digest.write(&self.buffer[..count]);
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
