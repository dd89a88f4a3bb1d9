//! Foreign bytes made safe to show at a terminal, and how many columns they take there.

use std::fmt;

use history::Cell;

/// Bytes that print as text without any power over a terminal: as [`Cell`]s, and what is not UTF-8
/// as U+FFFD.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(&'a [u8]);

/// Shows `bytes` whole: a path, say.
#[must_use]
pub fn printable(bytes: &[u8]) -> Shown<'_> {
    Shown(bytes)
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        cells(self.0).try_for_each(|(_, cell)| cell.fmt(f))
    }
}

/// Foreign text that is kept to be shown later: like [`Shown`], and shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printable(Box<str>);

impl Printable {
    /// Shortened, where it is longer, to a width at which a message is still read.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        const COLUMNS: usize = 40;
        Self(window(bytes, 0, COLUMNS).text)
    }
}

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Every character of `bytes` with the byte it begins at, in order. A sequence that is not UTF-8
/// counts as one.
pub(super) fn cells(bytes: &[u8]) -> impl Iterator<Item = (usize, Cell)> {
    let mut at = 0;
    bytes.utf8_chunks().flat_map(move |chunk| {
        let (valid, invalid) = (chunk.valid(), chunk.invalid());
        let start = at;
        at += valid.len() + invalid.len();
        let broken = (!invalid.is_empty()).then_some((
            start + valid.len(),
            Cell::Plain(char::REPLACEMENT_CHARACTER),
        ));
        let whole = valid.char_indices();
        whole
            .map(move |(offset, char)| (start + offset, Cell::of(char)))
            .chain(broken)
    })
}

/// A part of a text.
pub(super) struct Window {
    pub(super) text: Box<str>,
    /// How many columns of the whole are left out before it; where there are any, `text` begins
    /// with `…`.
    pub(super) hidden: usize,
}

/// `bytes` as shown from display column `begin` (from 0) on, in at most `columns` columns, those
/// for the `…` at either end included.
pub(super) fn window(bytes: &[u8], begin: usize, columns: usize) -> Window {
    use fmt::Write as _;

    let mut text = String::new();
    let (mut hidden, mut used) = (0, 0);
    let mut cells = cells(bytes).map(|(_, cell)| cell).peekable();
    while let Some(cell) = cells.next_if(|_| hidden < begin) {
        hidden += cell.width();
    }
    if hidden > 0 {
        text.push('…');
        used = 1;
    }
    // Whether all the rest fits is known only at its end; until then, room for the ellipsis is
    // kept by remembering where it would go.
    let mut cut = text.len();
    for cell in cells {
        used += cell.width();
        if used > columns {
            text.truncate(cut);
            text.push('…');
            break;
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{cell}");
        if used < columns {
            cut = text.len();
        }
    }
    Window {
        text: text.into(),
        hidden,
    }
}
