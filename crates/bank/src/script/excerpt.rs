//! A line that is read, with carets under what is wrong with it.

use std::fmt;
use std::ops::Range;

use super::printable::{cells, window};

/// A line, or what of it surrounds a word, made printable, and carets under the word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Where the word begins: counted from 1, in characters of the line as it was written.
    pub column: u64,
    echo: Box<str>,
    /// Display columns before the word in `echo`, and under the word; the latter is not 0.
    indent: u16,
    width: u16,
}

impl Excerpt {
    /// Of `line`, about the bytes `word` of it, which may be none, also at its end.
    #[must_use]
    pub fn new(line: &[u8], word: Range<usize>) -> Self {
        /// As wide as an echoed line may be.
        const COLUMNS: usize = 120;
        /// How much of a line that is wider is shown before the word.
        const CONTEXT: usize = 40;

        let (mut column, mut before, mut under) = (1, 0, 0);
        for (at, cell) in cells(line).take_while(|&(at, _)| at < word.end) {
            if at < word.start {
                column += 1;
                before += cell.width();
            } else {
                under += cell.width();
            }
        }
        let is_wide = before + under.max(1) >= COLUMNS;
        let begin = if is_wide {
            before.saturating_sub(CONTEXT)
        } else {
            0
        };
        let echo = window(line, begin, COLUMNS);
        let indent = if echo.hidden > 0 {
            1 + before - echo.hidden
        } else {
            before
        };
        let width = under.clamp(1, COLUMNS - 1 - indent);
        // Both are less than COLUMNS.
        let (indent, width) = (indent as u16, width as u16);
        Self {
            column,
            echo: echo.text,
            indent,
            width,
        }
    }
}

/// Two lines, the second one without its end.
impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (indent, width) = (usize::from(self.indent), usize::from(self.width));
        writeln!(f, "    {}", self.echo)?;
        write!(f, "    {:indent$}{:^<width$}", "", "")
    }
}
