//! Bytes that arrive in pieces, cut into lines in bounded memory.

/// As many bytes as a line may have, its end not counted.
pub const LINE_LIMIT: usize = 65_536;

/// One line of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: u64,
    /// What it says, without the line feed at its end. A line that is longer than [`LINE_LIMIT`]
    /// is cut shortly beyond it, so that [`Checker::line`](super::Checker::line) refuses it.
    pub text: &'a [u8],
}

/// Takes bytes as they come and gives complete lines.
///
/// Provided that all complete lines are taken before the next `push`, it holds at most what the
/// last `push` brought and the beginning of one line before it.
#[derive(Debug, Default)]
pub struct LineSplitter {
    buffer: Vec<u8>,
    /// How many bytes of `buffer` were given out already.
    given: usize,
    /// How many bytes of `buffer` were given out or hold no line feed.
    searched: usize,
    /// How many lines were given out.
    lines: u64,
}

impl LineSplitter {
    /// A splitter at the beginning of its input.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the input.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.buffer.drain(..self.given);
        self.searched -= self.given;
        self.given = 0;
        let holds_one_line = self.searched == self.buffer.len();
        if holds_one_line && self.buffer.len() >= CUT {
            self.buffer.truncate(CUT);
            self.searched = CUT;
            bytes = &bytes[find_line_feed(bytes).unwrap_or(bytes.len())..];
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line, if it has come whole.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        let Some(length) = find_line_feed(&self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + length;
        Some(self.give(end, end + 1))
    }

    /// Says that there is no more input: gives the last line if it has no line feed. To be called
    /// when [`next_line`](Self::next_line) has no more.
    pub fn finish(&mut self) -> Option<Line<'_>> {
        let end = self.buffer.len();
        (self.given < end).then(|| self.give(end, end))
    }

    fn give(&mut self, end: usize, next: usize) -> Line<'_> {
        let text = &self.buffer[self.given..end];
        self.given = next;
        self.searched = next;
        self.lines += 1;
        Line {
            number: self.lines,
            text: &text[..text.len().min(CUT)],
        }
    }
}

/// Where a line is cut: a carriage return at its end does not count, so one byte more would not do.
const CUT: usize = LINE_LIMIT + 2;

/// Eight bytes at a time would not pay: lines are short.
fn find_line_feed(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::{LINE_LIMIT, LineSplitter};

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_the_limit() {
        let mut splitter = LineSplitter::new();
        let piece = vec![b'x'; 10_000];
        for _ in 0..1_000 {
            splitter.push(&piece);
            assert_eq!(splitter.next_line(), None);
            assert!(splitter.buffer.len() < LINE_LIMIT + 2 * piece.len());
        }
        splitter.push(b"\nx");
        assert_eq!(splitter.next_line().map(|line| line.number), Some(1));
        assert_eq!(splitter.finish().map(|line| line.text), Some(&b"x"[..]));
    }
}
