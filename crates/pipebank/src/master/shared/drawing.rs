//! Histories as pictures: for `master diagram`, and for a run with `--diagram`.
//!
//! What is drawn, and how, is in the crate `diagram`.

use std::io::BufRead;
use std::path::PathBuf;

use diagram::{Format, Selection};
use history::{Event, Header, Reader, System};

use super::error::Error;

/// A file to be written, and how.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
}

impl Output {
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        Ok(Self {
            path: PathBuf::from(name),
            format: Format::of_name(name).ok_or(Error::Ending)?,
        })
    }
}

/// A history, and the systems that it tells of.
pub(crate) struct Drawable {
    header: Header,
    pub(crate) systems: Vec<System>,
}

impl Drawable {
    /// Reads a whole history; reports where its last line is cut off.
    pub(crate) fn read(input: impl BufRead, tell: impl Fn(&str)) -> Result<Self, Error> {
        let mut reader = Reader::new(input)?;
        let mut events: Vec<Event> = Vec::new();
        while let Some(event) = reader.next_event()? {
            events.push(event);
        }
        if reader.is_truncated() {
            let line = reader.line();
            tell(&format!(
                "line {line} is cut off, as when a run is killed; what comes before it is drawn"
            ));
        }
        Ok(Self {
            header: reader.header().clone(),
            systems: System::link(events)?,
        })
    }

    /// Draws one of its systems.
    pub(crate) fn draw(
        &self,
        format: Format,
        system: &System,
        selection: Selection,
    ) -> Result<String, Error> {
        Ok(format.draw(system, &self.header, selection)?)
    }
}
