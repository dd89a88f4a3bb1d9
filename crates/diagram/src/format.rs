//! The formats, each known by the ending of a file's name.

use history::{Header, System};

use crate::error::Error;
use crate::layout::Layout;
use crate::select::{Selection, select};
use crate::trace::Time;

/// A format that a history can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An image.
    Svg,
    /// A page to look at it closely.
    Html,
    /// A log for ShiViz.
    Shiviz,
    /// A trace for Perfetto.
    Trace(Time),
    /// A sequence diagram for Markdown.
    Mermaid,
    /// A graph for Graphviz.
    Dot,
}

/// Larger graphs and sequence diagrams are of no use, and take the programs that draw them long.
pub(crate) const MAX_SMALL: usize = 500;

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Svg,
        Self::Html,
        Self::Shiviz,
        Self::Trace(Time::Steps),
        Self::Mermaid,
        Self::Dot,
    ];

    /// How the names of its files end.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Svg => ".svg",
            Self::Html => ".html",
            Self::Shiviz => ".shiviz",
            Self::Trace(_) => ".trace.json",
            Self::Mermaid => ".mmd",
            Self::Dot => ".dot",
        }
    }

    /// The format of a file with this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| name.ends_with(format.ending()))
    }

    /// The endings that are known, in words.
    #[must_use]
    pub fn endings() -> String {
        Self::ALL.map(Self::ending).join(", ")
    }

    /// Writes a system, or a part of it, in this format.
    ///
    /// # Errors
    ///
    /// Where the selection is of nothing or of too much, or the format has no parts,
    /// or the clock is wanted of a history without times.
    pub fn draw(
        self,
        system: &System,
        header: &Header,
        selection: Selection,
    ) -> Result<String, Error> {
        if matches!(self, Self::Svg | Self::Html) {
            let order = select(system, selection)?;
            return Ok(match self {
                Self::Html => crate::page(system, header, &order)?,
                _ => crate::svg(system, header, &Layout::new(system, &order)),
            });
        }
        if selection != Selection::All {
            return Err(Error::WholeOnly(self.ending()));
        }
        let events = system.events.len();
        let is_small = matches!(self, Self::Mermaid | Self::Dot);
        if is_small && events > MAX_SMALL {
            let ending = self.ending();
            return Err(Error::TooMany { events, ending });
        }
        Ok(match self {
            Self::Shiviz => crate::shiviz(system),
            Self::Trace(time) => crate::trace(system, header, time)?,
            Self::Mermaid => crate::mermaid(system),
            Self::Svg | Self::Html | Self::Dot => crate::dot(system),
        })
    }
}
