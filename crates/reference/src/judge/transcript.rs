//! The results in an output, however they were written down.

use std::collections::HashSet;

use crate::words;

/// A line that holds a result: its words, with one blank between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from 1 in the output.
    pub(super) number: usize,
    pub(super) text: String,
}

/// The results. Blank lines, blanks at the end and between words, line ends of any kind and a
/// byte-order mark do not matter, `->` is `→`; in a transcript, commands of the script stand before
/// their results, on lines of their own or on the same line.
pub(super) fn results(script: &str, output: &str) -> Vec<Line> {
    let commands: Vec<Vec<&str>> = script
        .lines()
        .map(words)
        .filter(|one| !one.is_empty())
        .collect();
    let names: HashSet<&str> = commands.iter().map(|words| words[0]).collect();
    let mut commands = commands.iter();
    let output = output.strip_prefix('\u{feff}').unwrap_or(output);
    let mut lines = Vec::new();
    for (index, line) in output.lines().enumerate() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if words.first().is_some_and(|first| names.contains(first)) {
            // A command that is not shown is passed over; one that is no command of the script is
            // taken for a result, and a wrong one.
            let mut ahead = commands.clone();
            if let Some(command) = ahead.find(|command| words.starts_with(command)) {
                commands = ahead;
                words.drain(..command.len());
            }
        }
        if !words.is_empty() {
            let number = index + 1;
            let text = words.join(" ").replace("->", "→");
            lines.push(Line { number, text });
        }
    }
    lines
}
