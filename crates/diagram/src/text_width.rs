//! How wide a text is at most, whatever sans-serif font it will be shown in.

/// The width in pixels, never too small: digits are as wide as in the widest of the usual fonts.
#[must_use]
pub fn text_width(text: &str, font_size: i32) -> i32 {
    let thousandths: i32 = text.chars().map(width_of).sum();
    (thousandths * font_size + 999) / 1000
}

/// In thousandths of the font's size.
fn width_of(character: char) -> i32 {
    match character {
        ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'i' | 'j' | 'l' => 360,
        '0'..='9' | 'a'..='h' | 'k' | 'n'..='v' | 'x'..='z' | '·' | '-' | '–' | '(' | ')' => 640,
        'm' | 'w' | 'M' | 'W' | '→' | '%' | '+' | '=' | '<' | '>' => 1000,
        'A'..='Z' => 800,
        '\u{20}'..='\u{7e}' => 860,
        // Other scripts may need as much as their height, emoji more.
        _ => 1400,
    }
}
