//! Text from outside: what of it is shown.
//!
//! A history says what its writer wrote, and a script what somebody typed. Neither may act on a
//! terminal, reverse what is written after it, or hide. What is printable is decided here alone:
//! the texts of a history are printable because there are no others, and `bank::script` shows what
//! is in a script by the same [`Cell`]s.

use std::fmt::{self, Write as _};
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthChar;

/// A text in which everything can be seen, on one line: see [`Cell`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Text(String);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let mut shown = String::with_capacity(text.len());
        for char in text.chars() {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", Cell::of(char));
        }
        Self(shown)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(&text[..])
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// In quotes, so that it cannot pass for the text around it.
impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{}\"", self.0.replace('"', "\\\""))
    }
}

/// One character as it is shown.
///
/// A tab is a space. What cannot be seen, or acts on what shows it, is escaped: control characters
/// (`\x1b`), marks of direction (`\u{202e}`), characters without width, letters that are blank, and
/// what is no character or no character yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// As it is.
    Plain(char),
    /// By its number.
    Escaped(char),
}

impl Cell {
    /// How a character is shown.
    #[must_use]
    pub fn of(char: char) -> Self {
        match char {
            '\t' => Self::Plain(' '),
            ' '..='~' => Self::Plain(char),
            // Letters by their category, that look like nothing.
            '\u{115f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' => Self::Escaped(char),
            // The standard library knows what is printable: an escape has two characters at least.
            _ if char.escape_debug().nth(1).is_some() => Self::Escaped(char),
            // No cell is without width, so as many columns are never more characters.
            _ if char.width().is_none_or(|width| width == 0) => Self::Escaped(char),
            _ => Self::Plain(char),
        }
    }

    /// In columns of a terminal, at least one.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::Plain(char) => char.width().unwrap_or(1),
            Self::Escaped(char) if char.is_ascii() => r"\x1b".len(),
            Self::Escaped(char) => char.escape_unicode().len(),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Plain(char) => out.write_char(char),
            Self::Escaped(char) if char.is_ascii() => write!(out, "\\x{:02x}", u32::from(char)),
            Self::Escaped(char) => char.escape_unicode().fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn what_acts_or_hides_is_escaped_and_everything_else_stays() {
        // Controls, marks of direction (old and new, and those without a range), characters
        // without width, blanks that are no space, ends of lines, tags, and no characters.
        let odd = "\0\u{7}\u{8}\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\
                   \u{17b4}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\
                   \u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\u{206f}\
                   \u{2800}\u{3000}\u{3164}\u{e000}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{ffff}\
                   \u{1d173}\u{e0001}\u{e0041}\u{e0100}\u{10ffff}";
        for char in odd.chars() {
            let text = Text::from(&*format!("a{char}b"));
            assert!(
                text.is_ascii() && text.starts_with("a\\"),
                "{char:?}: {text}"
            );
            // To read it again changes nothing.
            assert_eq!(Text::from(&*text), text);
        }
        let plain = "arg.txt \\ 1 → 2: é数字 שלום 🏦 \u{fffd}";
        assert_eq!(&*Text::from(plain), plain);
        assert_eq!(format!("{:?}", Text::from("a\"b\\")), r#""a\"b\""#);
        assert_eq!(
            &*Text::from("a\tb\x1b[2J\u{202e}c"),
            "a b\\x1b[2J\\u{202e}c"
        );
    }
}
