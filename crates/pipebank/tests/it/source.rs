//! Rust sources as text, with what is no code blanked: enough to find words and measure functions,
//! far from a parser.

/// A source file, and the same with comments, strings and characters blanked, line by line.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (path, text) = (path.to_owned(), text.to_owned());
        let code = blanked(&text);
        Self { path, text, code }
    }
}

/// The line and the length in lines of every function that has a body, from brace to brace.
pub(crate) fn functions(code: &str) -> Vec<(usize, usize)> {
    let line_at = |position: usize| 1 + code[..position].matches('\n').count();
    let starts = code.match_indices("fn ").map(|(start, _)| start);
    let starts = starts.filter(|start| !code[..*start].ends_with(is_word_part));
    let mut found = Vec::new();
    for start in starts {
        // Up to the body, and past the `;` of `[u8; 4]`.
        let mut nested = 0_i32;
        let body = code[start..].char_indices().find(|(_, c)| {
            nested += i32::from("([".contains(*c)) - i32::from(")]".contains(*c));
            nested == 0 && "{;".contains(*c)
        });
        let Some((offset, '{')) = body else { continue };
        let mut depth = 0_i32;
        let close = code[start + offset..].char_indices().find(|(_, c)| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth == 0
        });
        let length = close.expect("braces match").0;
        let (first, last) = (line_at(start + offset), line_at(start + offset + length));
        found.push((line_at(start), last - first + 1));
    }
    found
}

/// Spells `use std::{fs, io::Read}` out as `std::fs std::io`, behind the line where it begins.
pub(crate) fn with_std_paths_spelt_out(code: &str) -> String {
    let mut out = code.to_owned();
    let starts: Vec<usize> = code.match_indices("std::{").map(|(at, _)| at).collect();
    for start in starts.into_iter().rev() {
        let (mut depth, mut spelt, mut name) = (0, String::new(), String::new());
        for c in code[start + "std::".len()..].chars() {
            if is_word_part(c) && depth == 1 {
                name.push(c);
                continue;
            }
            // What follows a name's own `::` is not a module of std's.
            if !name.is_empty() && !name.starts_with(':') {
                spelt.push_str(&format!(" std::{name}"));
            }
            name = String::from(if c == ':' { ":" } else { "" });
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth == 0 {
                break;
            }
        }
        let line_end = start + code[start..].find('\n').unwrap_or(code.len() - start);
        out.insert_str(line_end, &spelt);
    }
    out
}

/// Whether `word` occurs as a whole word; a path (`a::b`) and a macro (`a!`) count as one.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let goes_on = word.ends_with(is_word_part) && after.starts_with(is_word_part);
        !before.ends_with(is_word_part) && !goes_on
    })
}

/// Whether an absolute path begins here: not the middle of a relative one, nor of an address.
pub(crate) fn has_absolute(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !is_word_part(c) && !".-~*})/".contains(c))
    })
}

pub(crate) fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The source with everything blank that is not code; lines stay where they are.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_new_word = !out.ends_with(is_word_part);
        let (length, is_code) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (block_comment(rest), false),
            '"' => (string(rest), false),
            'r' | 'b' | 'c' if is_new_word => match raw_string(rest) {
                Some(length) => (length, false),
                None => (1, true),
            },
            '\'' => match character(rest) {
                Some(length) => (length, false),
                None => (1, true), // a lifetime
            },
            other => (other.len_utf8(), true),
        };
        let (part, after) = rest.split_at(length);
        if is_code {
            out.push_str(part);
        } else {
            out.extend(part.chars().map(|c| if c == '\n' { c } else { ' ' }));
        }
        rest = after;
    }
    out
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        if text[at..].starts_with("/*") {
            depth += 1;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '"' && !is_escaped {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let after = text.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inside
        .find(&close)
        .map_or(inside.len(), |at| at + close.len());
    Some(text.len() - inside.len() + end)
}

fn character(text: &str) -> Option<usize> {
    let mut inside = text.char_indices().skip(1);
    let (_, first) = inside.next()?;
    if first == '\\' {
        return inside
            .skip(1)
            .find(|(_, c)| *c == '\'')
            .map(|(at, _)| at + 1);
    }
    let (at, second) = inside.next()?;
    (second == '\'').then_some(at + 1)
}
