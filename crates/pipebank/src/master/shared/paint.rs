//! Messages on standard error: as wide as the terminal, and coloured where that is wanted.

use std::io;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use clap::{Args, ColorChoice};
use pipes::Patience;

use super::error::Stop;
use super::fit::{columns, fit, is_caret};

const PLACE: Style = Style::new().bold();
const CARET: Style = AnsiColor::Red.on_default().bold();

/// The option `--color`.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Colour {
    /// When to colour messages; `auto`: at a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
}

/// Where messages are written.
#[derive(Clone, Copy, Debug)]
enum Stream {
    Stdout,
    Stderr,
}

/// A stream for messages, with or without colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painter {
    stream: Stream,
    is_colourful: bool,
}

impl Painter {
    /// Standard error.
    pub(crate) fn new(colour: Colour) -> Self {
        Self::on(Stream::Stderr, colour)
    }

    /// Standard output, for what consists of nothing but messages.
    pub(crate) fn on_stdout(colour: Colour) -> Self {
        Self::on(Stream::Stdout, colour)
    }

    fn on(stream: Stream, colour: Colour) -> Self {
        let choice = || match stream {
            Stream::Stdout => AutoStream::choice(&io::stdout()),
            Stream::Stderr => AutoStream::choice(&io::stderr()),
        };
        let is_colourful = match colour.color {
            ColorChoice::Auto => choice() != anstream::ColorChoice::Never,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        Self {
            stream,
            is_colourful,
        }
    }

    /// How many columns the terminal has; `None` where there is none, or it does not say.
    pub(crate) fn columns(self) -> Option<usize> {
        match self.stream {
            Stream::Stdout => columns(io::stdout()),
            Stream::Stderr => columns(io::stderr()),
        }
    }

    /// Whether there are colours.
    pub(crate) fn is_colourful(self) -> bool {
        self.is_colourful
    }

    /// A message that fits the terminal, with its place in bold and its carets in red where there are
    /// colours.
    pub(crate) fn message(self, text: &str) -> String {
        let text = fit(text, self.columns());
        if !self.is_colourful {
            return text;
        }
        let mut painted = String::new();
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                painted.push('\n');
            }
            match line.split_once(": ") {
                _ if is_caret(line) => painted += &format!("{CARET}{line}{CARET:#}"),
                Some((place, rest)) if !line.starts_with(' ') => {
                    painted += &format!("{PLACE}{place}:{PLACE:#} {rest}");
                }
                _ => painted += line,
            }
        }
        painted
    }

    /// A piece of a message in this style, or just as it is.
    pub(crate) fn style(self, style: Style, text: &str) -> String {
        match self.is_colourful {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }

    /// Writes a message, however long it takes: for what can be ended at any time.
    pub(crate) fn tell(self, text: &str) {
        let _ = self.tell_within(text, &Patience::default());
    }

    /// Writes a message, waiting while nobody reads it, as long as `patience` lasts. Where nobody can
    /// hear it, that is nobody's failure.
    pub(crate) fn tell_within(self, text: &str, patience: &Patience) -> Result<(), Stop> {
        self.write(&(self.message(text) + "\n"), patience)
    }

    /// The same with what is to stay as it is, the end of its last line included.
    pub(crate) fn write(self, text: &str, patience: &Patience) -> Result<(), Stop> {
        let bytes = text.as_bytes();
        let written = match self.stream {
            Stream::Stdout => pipes::write_patiently(io::stdout(), bytes, patience),
            Stream::Stderr => pipes::write_patiently(io::stderr(), bytes, patience),
        };
        match (written, self.stream) {
            (Ok(count), _) if count == text.len() => Ok(()),
            (Ok(_), Stream::Stdout) => {
                Err(Stop::interrupted(patience, "the reader of standard output"))
            }
            (Ok(_), Stream::Stderr) => {
                Err(Stop::interrupted(patience, "the reader of standard error"))
            }
            (Err(error), Stream::Stdout) => Err(Stop::stdout(error)),
            (Err(_), Stream::Stderr) => Ok(()),
        }
    }
}
