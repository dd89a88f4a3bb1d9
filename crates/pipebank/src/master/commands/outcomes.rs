//! `master outcomes`: every snapshot that a small script can print.
//!
//! The search is `reference::outcomes`; this shows what it found.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use reference::outcomes::{Outcome, Outcomes, What, determined, outcomes};
use serde::Serialize;

use crate::master::shared::{Colour, Error, Files, checked_script, name_of, status, write_out};

/// Show every snapshot that a small script can print, and in how many orders
///
/// Tries every order in which messages can be received where the script leaves it open: every choice
/// of a `Receive TO`, every order within a `ReceiveAll`. For each outcome there is a script that
/// prints it always.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:

  $ master outcomes arg.txt
  $ master outcomes arg.txt --script 2 > second.txt

Exit status:

  0        all outcomes are shown
  1        they cannot be written
  2        the script is malformed, or cannot be read, or it has no such outcome
  4        there are more orders than --most allows: some outcomes are shown
  141      standard output was closed by its reader")]
pub(crate) struct OutcomesOptions {
    /// The script; `-` reads standard input
    script: PathBuf,
    /// Only say on which lines the outcome depends
    #[arg(long, conflicts_with_all = ["json", "number"])]
    check: bool,
    /// Write a script that always leads to outcome N
    #[arg(long = "script", value_name = "N", conflicts_with = "json")]
    number: Option<usize>,
    /// How many messages are taken at most, in all orders together
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    most: usize,
    /// Write every outcome as one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) color: Colour,
}

/// Shows what a script can print.
pub(crate) fn run(options: &OutcomesOptions) -> Result<u8, Error> {
    let script = checked_script(&options.script, &mut Files::default())?;
    let found = outcomes(&script, What::Snapshots, options.most);
    let text = match options {
        OutcomesOptions { check: true, .. } => check(&found),
        OutcomesOptions { json: true, .. } => to_json(&script, &found)?,
        OutcomesOptions { number: None, .. } => to_text(&found),
        OutcomesOptions {
            number: Some(number),
            ..
        } => {
            let outcome = number
                .checked_sub(1)
                .and_then(|at| found.outcomes.values().nth(at));
            let outcome = outcome.ok_or_else(|| Error::NoSuchOutcome {
                script: name_of(&options.script),
                number: *number,
                count: found.outcomes.len(),
            })?;
            determined(&script, &outcome.order)
        }
    };
    write_out(text.as_bytes())?;
    Ok(match found.complete {
        true => status::DONE,
        false => status::UNKNOWN,
    })
}

fn check(found: &Outcomes) -> String {
    let mut text = String::new();
    match on_lines(&found.depends_on) {
        None => text += "nothing that is drawn matters\n",
        Some(lines) => {
            let _ = writeln!(text, "what is drawn matters on {lines}");
        }
    }
    text + &not_all(found)
}

fn on_lines(lines: &BTreeSet<usize>) -> Option<String> {
    let numbers: Vec<String> = lines.iter().map(ToString::to_string).collect();
    match numbers.split_last()? {
        (one, []) => Some(format!("line {one}")),
        (last, others) => Some(format!("lines {} and {last}", others.join(", "))),
    }
}

fn not_all(found: &Outcomes) -> String {
    match found.complete {
        true => String::new(),
        false => "these are not all: there are too many orders; --most N tries more\n".to_owned(),
    }
}

fn orders(outcome: &Outcome) -> String {
    match outcome.orders {
        u128::MAX => "very many".to_owned(),
        orders => orders.to_string(),
    }
}

/// What is the same in all outcomes, once; then a row an outcome, with what is not.
fn to_text(found: &Outcomes) -> String {
    let texts: Vec<Vec<&str>> = found
        .outcomes
        .keys()
        .map(|text| text.lines().collect())
        .collect();
    let mut text = String::new();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let count = texts.len();
    let _ = write!(text, "{count} outcome{}", plural(count));
    if let Some(lines) = on_lines(&found.depends_on).filter(|_| count > 1) {
        let _ = write!(text, ", which what is drawn on {lines} decides");
    }
    text += "\n\n";
    let length = texts.iter().map(Vec::len).max().unwrap_or(0);
    let same_length = texts.iter().all(|lines| lines.len() == length);
    if !same_length {
        for (at, (printed, outcome)) in found.outcomes.iter().enumerate() {
            let _ = writeln!(text, "outcome {}, orders: {}", at + 1, orders(outcome));
            let printed = if printed.is_empty() {
                "no snapshot\n"
            } else {
                printed
            };
            printed
                .lines()
                .for_each(|line| text += &format!("  {line}\n"));
        }
        return text + &not_all(found);
    }
    // `node 1 = ` and `channel (1 → 2) = ` head the columns of what differs.
    let differs = |at: &usize| texts.iter().any(|lines| lines[*at] != texts[0][*at]);
    let columns: Vec<usize> = (0..length).filter(differs).collect();
    let first = texts.first().map_or(&[][..], Vec::as_slice);
    for (at, line) in first.iter().enumerate() {
        match columns.iter().position(|&column| column == at) {
            None => text += &format!("{line}\n"),
            Some(column) => text += &format!("{} = [{}]\n", split(line).0, letter(column)),
        }
    }
    if !columns.is_empty() {
        let mut rows = vec![vec!["outcome".to_owned(), "orders".to_owned()]];
        rows[0].extend((0..columns.len()).map(|column| format!("[{}]", letter(column))));
        for (at, (lines, outcome)) in texts.iter().zip(found.outcomes.values()).enumerate() {
            let mut row = vec![(at + 1).to_string(), orders(outcome)];
            row.extend(
                columns
                    .iter()
                    .map(|&column| split(lines[column]).1.to_owned()),
            );
            rows.push(row);
        }
        text.push('\n');
        text += &table(&rows);
    }
    text + &not_all(found)
}

fn split(line: &str) -> (&str, &str) {
    line.rsplit_once(" = ").unwrap_or((line, ""))
}

/// a, b … z, aa, ab …
fn letter(column: usize) -> String {
    let last = char::from(b'a' + (column % 26) as u8);
    match column / 26 {
        0 => last.to_string(),
        more => letter(more - 1) + &last.to_string(),
    }
}

/// Aligned to the right.
fn table(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    for row in rows {
        let cells = row.iter().enumerate();
        let cells: Vec<String> = cells
            .map(|(column, cell)| format!("{cell:>0$}", width(column)))
            .collect();
        text += &cells.join("  ");
        text.push('\n');
    }
    text
}

#[derive(Serialize)]
struct Line<'a> {
    outcome: usize,
    /// As text, since JSON's numbers may be too small for it.
    orders: String,
    printed: &'a str,
    script: String,
}

#[derive(Serialize)]
struct Summary<'a> {
    outcomes: usize,
    complete: bool,
    depends_on_lines: &'a BTreeSet<usize>,
}

fn to_json(script: &str, found: &Outcomes) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for (at, (printed, outcome)) in found.outcomes.iter().enumerate() {
        let line = Line {
            outcome: at + 1,
            orders: outcome.orders.to_string(),
            printed,
            script: determined(script, &outcome.order),
        };
        text += &serde_json::to_string(&line)?;
        text.push('\n');
    }
    let summary = Summary {
        outcomes: found.outcomes.len(),
        complete: found.complete,
        depends_on_lines: &found.depends_on,
    };
    text += &serde_json::to_string(&summary)?;
    text.push('\n');
    Ok(text)
}
