//! Text inside XML and HTML.

use std::borrow::Cow;
use std::fmt::Write as _;

use history::Cell;

/// The text with its mark-up escaped, also in attributes. What cannot be seen is shown by its number,
/// as everywhere ([`Cell`]); XML 1.0 has no way to write much of it.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    let is_markup = |character| matches!(character, '&' | '<' | '>' | '"' | '\'');
    let stays = |character| !is_markup(character) && Cell::of(character) == Cell::Plain(character);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        // Writing to a string cannot fail.
        let _ = match character {
            '&' => escaped.write_str("&amp;"),
            '<' => escaped.write_str("&lt;"),
            '>' => escaped.write_str("&gt;"),
            '"' => escaped.write_str("&quot;"),
            '\'' => escaped.write_str("&#39;"),
            '\n' => escaped.write_char(' '),
            character => write!(escaped, "{}", Cell::of(character)),
        };
    }
    Cow::Owned(escaped)
}
