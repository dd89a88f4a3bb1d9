//! Reading a history line by line, in bounded memory.

use std::io::{self, BufRead, Read};

use thiserror::Error;

use crate::event::{Event, Header};
use crate::wire::{self, Malformed};

/// No line is longer, in bytes; a long `collect` is written as several.
pub const MAX_LINE: usize = 128 * 1024;

/// Why a history cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It cannot be read at all.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is not even a first line.
    #[error("there is no history in it: not even the first line is whole")]
    Empty,
    /// A line is too long.
    #[error("line {line}: it is longer than {MAX_LINE} bytes, as no line of a history is")]
    TooLong {
        /// Counted from 1.
        line: u64,
    },
    /// A line is no event, or the first no header.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: Malformed,
    },
}

/// Reads the events of a history, one after the other.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    header: Header,
    buffer: Vec<u8>,
    line: u64,
    is_truncated: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            input,
            header: Header::default(),
            buffer: Vec::new(),
            line: 0,
            is_truncated: false,
        };
        let header = reader.next_line(wire::read_header)?;
        reader.header = header.ok_or(ReadError::Empty)?;
        Ok(reader)
    }

    /// What the run was.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the history ended in the middle of a line, as it does when its writer was killed.
    /// That line is not an event. Known once there are no more events.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// The line of the history, counted from 1, on which the last event was.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    ///
    /// Where the input cannot be read, or a line that is not truncated is no event.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        self.next_line(wire::read_event)
    }

    fn next_line<T>(
        &mut self,
        read: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<Option<T>, ReadError> {
        self.buffer.clear();
        let mut limited = (&mut self.input).take(MAX_LINE as u64 + 1);
        limited.read_until(b'\n', &mut self.buffer)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let line = self.line;
        let is_whole = self.buffer.pop_if(|byte| *byte == b'\n').is_some();
        if self.buffer.len() > MAX_LINE {
            return Err(ReadError::TooLong { line });
        }
        match read(&self.buffer) {
            Ok(event) => Ok(Some(event)),
            Err(_) if !is_whole => {
                self.is_truncated = true;
                Ok(None)
            }
            Err(reason) => Err(ReadError::Malformed { line, reason }),
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_event().transpose()
    }
}
