//! A run as one self-contained page: the diagram to zoom, to step through, and to draw straight.
//!
//! The page's parts are files in `page/`; here they are put together with the run's data. Nothing
//! from a history is written as markup: everything is in the data, as JSON in which `<` is escaped,
//! and the page sets it as text. Its policy lets nothing run but its own script, named by its hash,
//! and nothing load at all; images may be made of data that the page already has, which is how a
//! picture of it becomes a PNG.
//!
//! The order in which a cut is straight is computed and checked here; the page only draws it.

mod data;

use history::{Header, System};
use sha2::{Digest, Sha256};

use crate::error::Error;

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// In this order: each uses those before it.
const SCRIPT: &str = concat!(
    include_str!("page/model.js"),
    include_str!("page/consistency.js"),
    include_str!("page/draw.js"),
    include_str!("page/move.js"),
    include_str!("page/panel.js"),
    include_str!("page/cut.js"),
    include_str!("page/play.js"),
    include_str!("page/address.js"),
    include_str!("page/save.js"),
    include_str!("page/main.js"),
);

/// The page that shows these events of a system, which follow each other in it.
///
/// # Errors
///
/// Where a cut was reordered and the order fails its check.
pub fn page(system: &System, header: &Header, events: &[usize]) -> Result<String, Error> {
    let data = data::of(system, header, events)?;
    // Nothing in it can end the element that it stands in.
    let data = serde_json::to_string(&data)?.replace('<', "\\u003c");
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    Ok(fill(
        FRAME,
        &[
            ("{policy}", &policy),
            ("{style}", STYLE),
            ("{data}", &data),
            ("{script}", SCRIPT),
        ],
    ))
}

/// Puts parts in their places, which come in this order; what is in them is not looked at again.
fn fill(frame: &str, parts: &[(&str, &str)]) -> String {
    // At once: a text that grows is held twice while it is copied.
    let length = parts.iter().map(|(_, part)| part.len()).sum::<usize>();
    let mut filled = String::with_capacity(frame.len() + length);
    let mut rest = frame;
    for (place, part) in parts {
        let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
        filled.push_str(before);
        filled.push_str(part);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// The SHA-256 of a text, in base 64, as a content security policy names it.
fn hash(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for bytes in Sha256::digest(text).chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | u32::from(bytes.get(at).copied().unwrap_or(0))
        });
        for digit in 0..=bytes.len() {
            encoded.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
        encoded.extend((bytes.len()..3).map(|_| '='));
    }
    encoded
}

#[cfg(test)]
mod tests {
    #[test]
    fn hashes_are_in_base_64() {
        assert_eq!(
            super::hash(""),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
        assert_eq!(
            super::hash("abc"),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
        );
    }
}
