//! Messages as wide as the terminal: lines end between words, and a caret stays under its word.

use std::os::fd::AsFd;

use textwrap::{Options, WordSplitter, fill};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Prose that is wider is tiring to read; `--help` is as wide.
const WIDEST: usize = 100;

/// How much of a line is shown before the word that the carets point at, where not all of it fits.
const CONTEXT: usize = 8;

/// How many columns the terminal at this stream has; `None` where it is none, or does not say.
pub(crate) fn columns(stream: impl AsFd) -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(stream)?;
    Some(usize::from(width.0))
}

/// A message for a terminal of so many columns. What goes on is indented; lines that are indented
/// already stay as they are, but for a line with carets beneath it: of that, so much is shown that it
/// fits and the carets stand right.
pub(crate) fn fit(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let mut lines = text.split('\n').peekable();
    let mut fitted = Vec::new();
    while let Some(line) = lines.next() {
        match lines.next_if(|next| is_caret(next)) {
            Some(carets) => fitted.push(window(line, carets, columns)),
            None if line.starts_with(' ') => fitted.push(line.to_owned()),
            None => fitted.push(prose(line, "", "  ", columns)),
        }
    }
    fitted.join("\n")
}

/// A paragraph: its first line begins with `first`, those that follow with `next`.
pub(crate) fn prose(text: &str, first: &str, next: &str, columns: usize) -> String {
    let options = Options::new(columns.clamp(1, WIDEST))
        .initial_indent(first)
        .subsequent_indent(next)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    fill(text, options)
}

/// Whether it is a line of carets, which stands under another.
pub(crate) fn is_caret(line: &str) -> bool {
    line.contains('^') && line.chars().all(|c| " ^".contains(c))
}

/// A line and the carets beneath it, as much of both as fits.
fn window(line: &str, carets: &str, columns: usize) -> String {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let room = columns.saturating_sub(indent).max(CONTEXT + 2);
    let begin = carets.find('^').unwrap_or(0).saturating_sub(indent);
    let under = carets.len() - indent - begin;
    if text.width().max(begin + under) <= room {
        return format!("{line}\n{carets}");
    }
    // Where the word does not fit behind all that comes before it, that is cut. Room for a `…` behind.
    let cut = match begin + under < room {
        true => 0,
        false => begin.saturating_sub(CONTEXT),
    };
    let mut hidden = 0;
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next_if(|_| hidden < cut) {
        hidden += char.width().unwrap_or(0);
    }
    let mut shown = String::from(if hidden > 0 { "…" } else { "" });
    let rest: String = rest.collect();
    let is_cut = shown.width() + rest.width() > room;
    let end = room - usize::from(is_cut);
    for char in rest.chars() {
        if shown.width() + char.width().unwrap_or(0) > end {
            break;
        }
        shown.push(char);
    }
    if is_cut {
        shown.push('…');
    }
    let before = begin - hidden + usize::from(hidden > 0);
    let under = under.min(room.saturating_sub(before)).max(1);
    let (indent, carets) = (" ".repeat(indent), "^".repeat(under));
    format!("{indent}{shown}\n{indent}{:before$}{carets}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "-:7: `CollectState`: markers are still on their way: snapshot 1: node 1 \
                           waits for its first marker on 2 → 1; ReceiveAll would deliver them";

    #[test]
    fn no_word_is_broken_and_no_line_too_wide() {
        for columns in [20, 40, 80, 120] {
            let fitted = fit(MESSAGE, Some(columns));
            for line in fitted.lines() {
                assert!(line.width() <= columns, "{columns}:\n{fitted}");
            }
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&fitted), words(MESSAGE), "{columns}");
        }
        assert_eq!(fit(MESSAGE, None), MESSAGE);
    }

    #[test]
    fn options_and_paths_are_words() {
        let message = "a: --bin-dir says so";
        assert_eq!(fit(message, Some(8)), "a:\n  --bin-dir\n  says\n  so");
    }

    #[test]
    fn carets_stay_under_their_word() {
        let long = "Send 1 2 ".to_owned() + &"0".repeat(60) + " surplus and more";
        for (line, word) in [
            ("Sned 1 2 3 # a comment that goes on and on", "Sned"),
            ("Send 1 2 3 and something else that is surplus", "and"),
            (long.as_str(), "surplus"),
            (
                "CreateNode 漢字漢字漢字漢字漢字漢字漢字漢字漢字 wrong",
                "wrong",
            ),
        ] {
            for columns in 24..130 {
                let at = line[..line.find(word).unwrap()].width();
                let carets = " ".repeat(4 + at) + &"^".repeat(word.len());
                let fitted = fit(
                    &format!("s.txt:1:1: no\n    {line}\n{carets}"),
                    Some(columns),
                );
                let lines: Vec<&str> = fitted.lines().collect();
                let [.., shown, carets] = lines[..] else {
                    panic!("{fitted}");
                };
                assert!(shown.width() <= columns, "{columns}:\n{fitted}");
                let column = carets.find('^').unwrap();
                let found = shown.find(word);
                let found = found.unwrap_or_else(|| panic!("{columns}:\n{fitted}"));
                assert_eq!(shown[..found].width(), column, "{columns}:\n{fitted}");
                assert_eq!(
                    carets.trim_start().len(),
                    word.len(),
                    "{columns}:\n{fitted}"
                );
            }
        }
    }
}
