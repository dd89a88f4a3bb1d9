//! Messages on standard error, coloured where that is wanted.

use std::io::Write;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use super::cli::Colour;

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
                Some((place, rest)) if number == 0 => {
                    painted += &format!("{PLACE}{place}:{PLACE:#} {rest}");
                }
                _ => painted += line,
            }
        }
        painted
    }

    /// Writes a message, in one piece. Where nobody can hear it, that is nobody's failure.
    pub(super) fn tell(self, text: &str) {
        let line = self.paint(text) + "\n";
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
