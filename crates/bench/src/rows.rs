//! The table: one row a measure, ours beside the raw baseline, and whether the target is met.

use std::fmt::Write;

use serde::Serialize;
use serde_json::json;

use crate::machine::Machine;

/// The version of the JSON document's schema.
const SCHEMA: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Megabytes,
    Nanoseconds,
    Bytes,
    Percent,
}

impl Unit {
    /// Whether more is better.
    pub(crate) fn more_is_better(self) -> bool {
        self == Self::PerSecond
    }

    fn show(self, value: f64) -> String {
        let short = |value: f64| match value {
            value if value >= 99.95 => format!("{value:.0}"),
            value if value >= 9.995 => format!("{value:.1}"),
            value => format!("{value:.2}"),
        };
        match self {
            Self::PerSecond if value >= 999_500.0 => format!("{} M/s", short(value / 1e6)),
            Self::PerSecond if value >= 999.5 => format!("{} k/s", short(value / 1e3)),
            Self::PerSecond => format!("{} /s", short(value)),
            Self::Milliseconds => format!("{} ms", short(value)),
            Self::Megabytes => format!("{} MB", short(value)),
            Self::Nanoseconds => format!("{} ns", short(value)),
            Self::Bytes => format!("{} B", short(value)),
            Self::Percent => format!("{value:.2} %"),
        }
    }

    fn show_limit(self, value: f64) -> String {
        let text = self.show(value);
        match text.split_once(' ') {
            Some((number, unit)) if number.contains('.') => {
                let number = number.trim_end_matches('0').trim_end_matches('.');
                format!("{number} {unit}")
            }
            _ => text,
        }
    }
}

/// What a row must reach.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Target {
    /// In the row's unit: at least, or at most where less is better.
    pub(crate) value: Option<f64>,
    /// At least this part of the raw baseline's speed.
    pub(crate) ratio: Option<f64>,
}

/// A measure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What a program knows it by.
    pub(crate) key: String,
    /// What a reader knows it by.
    pub(crate) measure: String,
    pub(crate) unit: Unit,
    pub(crate) ours: Option<f64>,
    pub(crate) raw: Option<f64>,
    /// What each run gave, where they are kept: ours and the raw baseline's.
    pub(crate) ours_runs: Vec<f64>,
    pub(crate) raw_runs: Vec<f64>,
    /// Where every run of ours has one of the baseline's beside it: the median of their ratios.
    pub(crate) ratio_of_pairs: Option<f64>,
    pub(crate) target: Target,
    /// Why there is no figure, or what else is to be known.
    pub(crate) note: Option<String>,
    pub(crate) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Measured,
    Skipped,
    Failed,
}

impl Row {
    pub(crate) fn new(key: impl Into<String>, measure: impl Into<String>, unit: Unit) -> Self {
        Self {
            key: key.into(),
            measure: measure.into(),
            unit,
            ours: None,
            raw: None,
            ours_runs: Vec::new(),
            raw_runs: Vec::new(),
            ratio_of_pairs: None,
            target: Target::default(),
            note: None,
            state: State::Measured,
        }
    }

    /// With a target in the row's unit.
    pub(crate) fn target(mut self, value: impl Into<Option<f64>>) -> Self {
        self.target.value = value.into();
        self
    }

    /// With a target as a part of the raw baseline's speed.
    pub(crate) fn ratio_target(mut self, ratio: impl Into<Option<f64>>) -> Self {
        self.target.ratio = ratio.into();
        self
    }

    /// Our speed as a part of the raw baseline's: more is better, also where the unit is a time.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let (ours, raw) = (self.ours?, self.raw?);
        Some(if let Some(ratio) = self.ratio_of_pairs {
            ratio
        } else if self.unit.more_is_better() {
            ours / raw
        } else {
            raw / ours
        })
    }

    fn verdict(&self) -> &'static str {
        match self.state {
            State::Skipped => return "skipped",
            State::Failed => return "failed",
            State::Measured => {}
        }
        let value = self.target.value.zip(self.ours).map(|(target, ours)| {
            if self.unit.more_is_better() {
                ours >= target
            } else {
                ours <= target
            }
        });
        let ratio = self.target.ratio.zip(self.ratio());
        let ratio = ratio.map(|(target, ratio)| ratio >= target);
        match (value, ratio) {
            (None, None) => "–",
            (Some(false), _) | (_, Some(false)) => "short",
            _ => "met",
        }
    }

    fn cells(&self) -> [String; 6] {
        let show = |value: Option<f64>| value.map_or("–".to_owned(), |it| self.unit.show(it));
        let percent = |ratio: f64| format!("{:.0}%", ratio * 100.0);
        let sign = if self.unit.more_is_better() {
            '≥'
        } else {
            '≤'
        };
        let value = self.target.value.map(|value| {
            let value = self.unit.show_limit(value);
            format!("{sign} {value}")
        });
        let ratio = self.target.ratio.map(|it| format!("≥ {}", percent(it)));
        let target: Vec<String> = value.into_iter().chain(ratio).collect();
        [
            self.measure.clone(),
            show(self.ours),
            show(self.raw),
            self.ratio().map_or("–".to_owned(), percent),
            if target.is_empty() {
                "–".to_owned()
            } else {
                target.join(", ")
            },
            self.verdict().to_owned(),
        ]
    }
}

const HEAD: [&str; 6] = ["measure", "ours", "raw", "ratio", "target", "verdict"];

/// The table as Markdown, aligned to be read as it is, and what there is to say beneath it.
pub(crate) fn table(rows: &[Row], machine: &Machine) -> String {
    let cells: Vec<[String; 6]> = rows.iter().map(Row::cells).collect();
    let mut widths = HEAD.map(|head| head.chars().count());
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    let mut line = |row: &[String; 6]| {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Figures stand right, words left. Writing to a string cannot fail.
            let _ = match column {
                1..=3 => write!(text, "| {cell:>width$} "),
                _ => write!(text, "| {cell:<width$} "),
            };
        }
        text.push_str("|\n");
    };
    line(&HEAD.map(str::to_owned));
    let mut rule = widths.map(|width| "-".repeat(width));
    for dashes in &mut rule[1..=3] {
        dashes.replace_range(dashes.len() - 1.., ":");
    }
    line(&rule);
    cells.iter().for_each(line);
    let _ = writeln!(text, "\n{machine}");
    let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in rows {
        let Some(note) = &row.note else { continue };
        match notes.iter_mut().find(|(known, _)| known == note) {
            Some((_, measures)) => measures.push(&row.measure),
            None => notes.push((note, vec![&row.measure])),
        }
    }
    for (note, measures) in notes {
        let others = match measures.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let _ = writeln!(text, "{}{others}: {note}", measures[0]);
    }
    text
}

/// Everything as one JSON document.
pub(crate) fn document(rows: &[Row], machine: &Machine, mode: &str) -> serde_json::Value {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "key": row.key,
                "measure": row.measure,
                "unit": row.unit,
                "ours": row.ours,
                "raw": row.raw,
                "ours_runs": row.ours_runs,
                "raw_runs": row.raw_runs,
                "ratio": row.ratio(),
                "target": row.target,
                "verdict": match row.verdict() {
                    "–" => None,
                    verdict => Some(verdict),
                },
                "note": row.note,
            })
        })
        .collect();
    json!({ "schema": SCHEMA, "mode": mode, "machine": machine, "rows": rows })
}
