//! Text from a history, made harmless inside XML and HTML.

use std::borrow::Cow;

/// The text with its mark-up escaped, also in attributes. What XML 1.0 has no way to write, and what
/// would change the direction of the text after it, becomes U+FFFD.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            character if is_harmless(character) => escaped.push(character),
            _ => escaped.push('\u{fffd}'),
        }
    }
    Cow::Owned(escaped)
}

fn is_harmless(character: char) -> bool {
    let is_direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_no_character = matches!(character, '\u{fffe}' | '\u{ffff}');
    let is_markup = matches!(character, '&' | '<' | '>' | '"' | '\'');
    !(character.is_control() || is_direction || is_no_character || is_markup)
}
