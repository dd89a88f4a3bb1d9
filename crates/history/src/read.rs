//! Reading a history line by line, in bounded memory.

use std::io::{BufRead, Read};

use crate::error::Error;
use crate::event::{Event, Header};
use crate::foreign::Foreign;
use crate::wire::{self, Dialect, Malformed};

/// No line is longer, in bytes; a long `collect` is written as several.
pub const MAX_LINE: usize = 128 * 1024;

/// Reads the events of a history, one after the other.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    header: Header,
    buffer: Vec<u8>,
    line: u64,
    is_truncated: bool,
    dialect: Dialect,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut reader = Self {
            input,
            header: Header::default(),
            buffer: Vec::new(),
            line: 0,
            is_truncated: false,
            dialect: Dialect::default(),
        };
        let header = reader.next_line(|line, _| wire::read_header(line))?;
        reader.header = header.ok_or(Error::Empty)?;
        reader.dialect = Dialect::of(&reader.header);
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
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        self.next_line(wire::read_event)
    }

    fn next_line<T>(
        &mut self,
        read: impl Fn(&[u8], &mut Dialect) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Error> {
        loop {
            self.buffer.clear();
            let mut limited = (&mut self.input).take(MAX_LINE as u64 + 1);
            limited.read_until(b'\n', &mut self.buffer)?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            self.line += 1;
            if self.line == 1 {
                self.skip_mark()?;
            }
            // A blank line says nothing.
            if !self.buffer.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let line = self.line;
        let is_whole = self.buffer.pop_if(|byte| *byte == b'\n').is_some();
        if self.buffer.len() > MAX_LINE {
            return Err(Error::TooLong { line });
        }
        match read(&self.buffer, &mut self.dialect) {
            Ok(event) => Ok(Some(event)),
            Err(_) if !is_whole => {
                self.is_truncated = true;
                Ok(None)
            }
            Err(reason) => Err(Error::Malformed { line, reason }),
        }
    }
}

impl<R> Reader<R> {
    /// Skips a byte-order mark at the beginning, and knows text that is of another kind.
    fn skip_mark(&mut self) -> Result<(), Foreign> {
        const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
        if let Some(foreign) = Foreign::utf16(&self.buffer) {
            return Err(foreign);
        }
        if self.buffer.windows(2).any(|pair| pair == b"\r{") {
            return Err(Foreign::CarriageReturns);
        }
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_event().transpose()
    }
}
