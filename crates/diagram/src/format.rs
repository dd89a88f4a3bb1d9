//! The formats, each known by the ending of a file's name.

use history::{Header, System};

use crate::error::Error;
use crate::layout::Setting;
use crate::select::{Selection, select, takes_part};
use crate::sheet::{LeftOut, MAX_EVENTS, Sheet};
use crate::trace::Time;

/// A format that a history can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An image.
    Svg(Setting),
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

/// A system in a format.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// What the file contains.
    pub text: String,
    /// What was to be drawn and is not.
    pub left_out: Option<LeftOut>,
}

/// Larger graphs and sequence diagrams are of no use, and take the programs that draw them long.
pub(crate) const MAX_SMALL: usize = 500;

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Svg(Setting::WIDE),
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
            Self::Svg(_) => ".svg",
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
    ) -> Result<Drawing, Error> {
        match self {
            Self::Svg(setting) => {
                let sheet = Sheet::new(system, &select(system, selection)?, setting);
                return Ok(Drawing {
                    text: crate::svg(system, header, &sheet),
                    left_out: sheet.left_out,
                });
            }
            Self::Html => return page(system, header, &select(system, selection)?),
            _ if selection != Selection::All => return Err(Error::WholeOnly(self.ending())),
            _ => {}
        }
        let events = system.events.len();
        let is_small = matches!(self, Self::Mermaid | Self::Dot);
        if is_small && events > MAX_SMALL {
            let ending = self.ending();
            return Err(Error::TooMany { events, ending });
        }
        let text = match self {
            Self::Shiviz => crate::shiviz(system),
            Self::Trace(time) => crate::trace(system, header, time)?,
            Self::Mermaid => crate::mermaid(system),
            Self::Svg(_) | Self::Html | Self::Dot => crate::dot(system),
        };
        Ok(Drawing {
            text,
            left_out: None,
        })
    }
}

/// A page of the first of these events, if they are too many.
fn page(system: &System, header: &Header, order: &[usize]) -> Result<Drawing, Error> {
    let shown = &order[..order.len().min(MAX_EVENTS)];
    let processes = takes_part(system, shown.iter().copied()).len();
    let left_out = LeftOut {
        events: shown.len(),
        of_events: order.len(),
        processes,
        of_processes: processes,
        until: shown.iter().rev().find_map(|it| system.events[*it].line),
    };
    Ok(Drawing {
        text: crate::page(system, header, shown)?,
        left_out: (shown.len() < order.len()).then_some(left_out),
    })
}
