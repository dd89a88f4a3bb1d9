//! A file that is imported: its lines, and what is wrong with them.

use std::ops::Range;
use std::path::Path;

use bank::script::Excerpt;
use history::Foreign;

use crate::master::shared::{Error, Files, Misread, Mistake, name_of, read_whole};

/// A text file.
pub(super) struct Source {
    /// How it is called in messages.
    pub(super) name: String,
    text: String,
}

/// A line, without its end.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    source: &'a Source,
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) text: &'a str,
}

impl Source {
    /// Reads a file, or standard input where the path is `-`.
    pub(super) fn read(path: &Path, what: &str, files: &mut Files) -> Result<Self, Error> {
        let name = name_of(path);
        let bytes = read_whole(path, what, files);
        let bytes = bytes.map_err(|error| Error::Io(error).in_file(&name))?;
        if let Some(foreign) = Foreign::utf16(&bytes) {
            return Err(Error::Foreign(foreign).in_file(&name));
        }
        let marked = bytes.strip_prefix(b"\xef\xbb\xbf");
        let text = marked.map_or(bytes.clone(), <[u8]>::to_vec);
        match String::from_utf8(text) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = error.into_bytes();
                let begin = text[..at].iter().rposition(|byte| *byte == b'\n');
                let begin = begin.map_or(0, |end| end + 1);
                let line = text[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
                let whole = text[begin..].split(|byte| *byte == b'\n').next();
                let word = at - begin..at - begin + 1;
                let excerpt = Excerpt::new(whole.unwrap_or_default(), word);
                Err(Error::from(Box::new(Misread {
                    path: name,
                    line,
                    excerpt,
                    mistake: Mistake::Bytes,
                })))
            }
        }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.text.lines().zip(1..).map(|(text, number)| Line {
            source: self,
            number,
            text,
        })
    }

    /// The end of the file, where something is missing.
    pub(super) fn end(&self) -> Line<'_> {
        let last = self.lines().last();
        last.unwrap_or(Line {
            source: self,
            number: 1,
            text: "",
        })
    }
}

impl<'a> Line<'a> {
    /// Its words, with a blank or the end of the line after each.
    pub(super) fn words(self) -> impl Iterator<Item = Word<'a>> {
        let words = self.text.split_whitespace();
        words.map(move |text| Word { line: self, text })
    }

    /// What is wrong with these bytes of it.
    pub(super) fn wrong(self, at: Range<usize>, mistake: Mistake) -> Error {
        let excerpt = Excerpt::new(self.text.as_bytes(), at);
        Error::from(Box::new(Misread {
            path: self.source.name.clone(),
            line: self.number,
            excerpt,
            mistake,
        }))
    }

    /// What is wrong with all of it.
    pub(super) fn all_wrong(self, mistake: Mistake) -> Error {
        self.wrong(0..self.text.len(), mistake)
    }

    /// What is wrong at its end.
    pub(super) fn lacks(self, mistake: Mistake) -> Error {
        let end = self.text.trim_end().len();
        self.wrong(end..end, mistake)
    }
}

/// A word of a line.
#[derive(Clone, Copy)]
pub(super) struct Word<'a> {
    line: Line<'a>,
    pub(super) text: &'a str,
}

impl Word<'_> {
    pub(super) fn wrong(self, mistake: Mistake) -> Error {
        // It is a part of the line's own text.
        let start = self.text.as_ptr().addr() - self.line.text.as_ptr().addr();
        self.line.wrong(start..start + self.text.len(), mistake)
    }
}
