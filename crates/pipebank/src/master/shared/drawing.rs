//! Histories as pictures: for `master diagram`, and for a run with `--diagram`.
//!
//! What is drawn, and how, is in the crate `diagram`.

use std::io::BufRead;
use std::path::PathBuf;

use clap::Args;
use diagram::{Drawing, Format, Selection, Setting};
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

/// How images are set.
#[derive(Clone, Copy, Debug, Args, Default)]
pub(crate) struct ImageOptions {
    /// Draw an .svg without markers: cuts and recorded states stay
    #[arg(long)]
    no_markers: bool,
    /// Draw an .svg that fits a page: events as close as what happened before them allows, in rows
    #[arg(long)]
    compact: bool,
}

impl ImageOptions {
    /// The formats, with images set so; one must be an image if anything is wanted of images.
    pub(crate) fn set(
        self,
        formats: impl IntoIterator<Item = Format>,
    ) -> Result<Vec<Format>, Error> {
        let setting = Setting {
            without_markers: self.no_markers,
            is_compact: self.compact,
        };
        let set = |format| match format {
            Format::Svg(_) => Format::Svg(setting),
            format => format,
        };
        let formats: Vec<Format> = formats.into_iter().map(set).collect();
        match setting == Setting::WIDE || formats.contains(&Format::Svg(setting)) {
            true => Ok(formats),
            false => Err(Error::SettingOfNoImage),
        }
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
        let (header, mut systems) = (reader.header().clone(), System::link(events)?);
        for system in &mut systems {
            system.is_signed = header.is_signed;
        }
        Ok(Self { header, systems })
    }

    /// Draws one of its systems.
    pub(crate) fn draw(
        &self,
        format: Format,
        system: &System,
        selection: Selection,
    ) -> Result<Drawing, Error> {
        Ok(format.draw(system, &self.header, selection)?)
    }
}
