//! A line of characters, each with its ink.

use super::Ink;

/// A line; what is right of its width is cut off.
pub(super) struct TextLine {
    cells: Vec<(char, Ink)>,
}

impl TextLine {
    pub(super) fn new(width: usize) -> Self {
        Self {
            cells: vec![(' ', Ink::Plain); width],
        }
    }

    pub(super) fn put(&mut self, x: usize, text: &str, ink: Ink) {
        let cells = self.cells.iter_mut().skip(x);
        for (cell, character) in cells.zip(text.chars()) {
            *cell = (character, ink);
        }
    }

    /// The line without the spaces at its end.
    pub(super) fn paint(&self, paint: &impl Fn(Ink, &str) -> String) -> String {
        let end = self.cells.iter().rposition(|cell| cell.0 != ' ');
        let cells = &self.cells[..end.map_or(0, |end| end + 1)];
        let mut painted = String::new();
        // Spaces need no ink of their own: fewer changes.
        for run in cells.chunk_by(|one, next| one.1 == next.1) {
            let text: String = run.iter().map(|cell| cell.0).collect();
            match run[0].1 {
                Ink::Plain => painted += &text,
                ink => painted += &paint(ink, &text),
            }
        }
        painted
    }
}

/// The first of the texts that has room, or as much of the last as has.
pub(super) fn fit(texts: &[String], room: usize, ellipsis: char) -> String {
    let fitting = texts.iter().find(|text| text.chars().count() <= room);
    match (fitting, texts.last()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) if room > 0 => {
            let mut cut: String = text.chars().take(room - 1).collect();
            cut.push(ellipsis);
            cut
        }
        _ => String::new(),
    }
}
