//! Messages on standard error, coloured where that is wanted.

use std::io::Write;
use std::time::Instant;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use pipes::Signals;

use super::cli::Colour;
use super::failure::Stop;
use super::prompt::Above;

const PLACE: Style = Style::new().bold();
const CARET: Style = AnsiColor::Red.on_default().bold();

/// Standard error, which honours `--color` and `NO_COLOR`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painter(ColorChoice);

impl Painter {
    pub(super) fn new(colour: Colour) -> Self {
        Self(match colour {
            Colour::Auto => AutoStream::choice(&std::io::stderr()),
            Colour::Always => ColorChoice::AlwaysAnsi,
            Colour::Never => ColorChoice::Never,
        })
    }

    /// A message with its place in bold and its carets in red, or just as it is.
    pub(super) fn paint(self, text: &str) -> String {
        if self.0 == ColorChoice::Never {
            return text.to_owned();
        }
        let mut painted = String::new();
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                painted.push('\n');
            }
            let is_caret = line.contains('^') && line.chars().all(|c| " ^".contains(c));
            match line.split_once(": ") {
                _ if is_caret => painted += &format!("{CARET}{line}{CARET:#}"),
                Some((place, rest)) if !line.starts_with(' ') => {
                    painted += &format!("{PLACE}{place}:{PLACE:#} {rest}");
                }
                _ => painted += line,
            }
        }
        painted
    }

    /// A piece of a message in this style, or just as it is.
    pub(super) fn style(self, style: Style, text: &str) -> String {
        match self.0 == ColorChoice::Never {
            true => text.to_owned(),
            false => format!("{style}{text}{style:#}"),
        }
    }

    /// Writes a message, in one piece. Where nobody can hear it, that is nobody's failure.
    pub(super) fn tell(self, text: &str) {
        let line = self.paint(text) + "\n";
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// Where a session's messages go.
pub(super) enum Teller {
    /// To standard error.
    Stderr(Painter),
    /// Above the prompt, while somebody types.
    Above(Painter, Above),
}

impl Teller {
    pub(super) fn painter(&self) -> Painter {
        match self {
            Self::Stderr(painter) | Self::Above(painter, _) => *painter,
        }
    }

    /// Tells a message, waiting while nobody reads it, but no longer than until a signal arrives
    /// or the deadline passes.
    pub(super) fn tell(
        &mut self,
        text: &str,
        signals: Option<&Signals>,
        deadline: Option<Instant>,
    ) -> Result<(), Stop> {
        let painter = match self {
            Self::Above(painter, above) => {
                above(&painter.paint(text));
                return Ok(());
            }
            Self::Stderr(painter) => painter,
        };
        let line = painter.paint(text) + "\n";
        let stderr = std::io::stderr();
        match pipes::write_interruptibly(&stderr, line.as_bytes(), signals, deadline) {
            Ok(count) if count < line.len() => {
                Err(Stop::interrupted(signals, "the reader of standard error")?)
            }
            // Where nobody can hear it, that is nobody's failure.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
