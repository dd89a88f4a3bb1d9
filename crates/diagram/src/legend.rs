//! The table beneath a diagram: each snapshot with its states, its channels' states and its audit.

use std::collections::BTreeSet;

use history::{Amount, SnapshotId, System, What};

use crate::columns::cut_name;
use crate::layout::{LABEL, Layout, Rect};
use crate::text_width::text_width;

/// How a text of the legend looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The name of a snapshot.
    Name(SnapshotId),
    /// Plain.
    Plain,
    /// Says what follows.
    Muted,
    /// In transit at the cut.
    InTransit,
}

/// A text of the legend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) look: Look,
    pub(crate) text: String,
    pub(crate) area: Rect,
}

/// The legend's texts, and how high it is.
pub(crate) struct Legend {
    pub(crate) items: Vec<Item>,
    pub(crate) height: i32,
}

pub(crate) const FONT: i32 = 14;
const ROW: i32 = LABEL + 6;
/// Where what belongs to a snapshot's name begins.
const INDENT: i32 = 104;
/// Between texts.
const SPACE: i32 = 20;
/// Of the messages of one channel, more are only counted.
const MESSAGES: usize = 12;

impl Legend {
    /// For the snapshots whose cuts are drawn, in this width.
    pub(crate) fn new(rows: &[Layout], system: &System, width: i32) -> Self {
        let mut flow = Flow {
            items: Vec::new(),
            x: 0,
            y: 0,
            width,
        };
        let cuts = rows.iter().flat_map(|row| &row.cuts);
        let cuts: BTreeSet<SnapshotId> = cuts.map(|cut| cut.snapshot).collect();
        for id in cuts {
            snapshot(&mut flow, system, id);
            flow.y += ROW / 2;
        }
        Self {
            height: flow.y,
            items: flow.items,
        }
    }
}

/// Texts one after the other, in rows.
struct Flow {
    items: Vec<Item>,
    x: i32,
    y: i32,
    width: i32,
}

impl Flow {
    /// Begins a row with what it is about.
    fn head(&mut self, look: Look, text: String) {
        self.x = 0;
        self.put(look, text);
        self.x = INDENT;
    }

    fn add(&mut self, look: Look, text: String) {
        if self.x > INDENT && self.x + text_width(&text, FONT) > self.width {
            self.x = INDENT;
            self.y += ROW;
        }
        self.put(look, text);
    }

    fn put(&mut self, look: Look, text: String) {
        let width = text_width(&text, FONT);
        self.items.push(Item {
            look,
            area: Rect {
                x: self.x,
                y: self.y,
                width,
                height: LABEL,
            },
            text,
        });
        self.x += width + SPACE;
    }
}

fn snapshot(flow: &mut Flow, system: &System, id: SnapshotId) {
    let snapshot = &system.snapshots[&id];
    flow.head(Look::Name(id), cut_name(id));
    let begin = snapshot.begin.map(|event| &system.events[event]);
    if let Some((begin, process)) = begin.and_then(|begin| Some((begin, begin.what.process()?))) {
        let line = begin.line.map(|line| format!(" in line {line}"));
        let line = line.unwrap_or_default();
        flow.add(Look::Plain, format!("begun by process {process}{line}"));
    }
    let audit = snapshot.audit.map(|event| &system.events[event].what);
    let verdict = match audit {
        Some(What::Audit {
            verdict: Ok(total), ..
        }) => {
            format!("audit passed: {total} in all")
        }
        Some(What::Audit {
            verdict: Err(reason),
            ..
        }) => format!("audit failed: {reason}"),
        _ if snapshot.collected.is_some() => "collected, not audited".to_owned(),
        _ => "not collected".to_owned(),
    };
    for word in wrap(&verdict, 80) {
        flow.add(Look::Plain, word);
    }
    flow.y += ROW;

    flow.head(Look::Muted, "processes".to_owned());
    let recorded = snapshot.cut.iter().filter_map(|(process, event)| {
        let amount = system.events[*event].what.recorded()?;
        Some((*process, amount))
    });
    let states: Vec<_> = match &snapshot.collected {
        Some(collected) => collected.states.iter().map(|(id, it)| (*id, *it)).collect(),
        None => recorded.collect(),
    };
    for (process, amount) in states {
        flow.add(Look::Plain, format!("{process}: {amount}"));
    }
    flow.y += ROW;

    let Some(collected) = &snapshot.collected else {
        return;
    };
    flow.head(Look::Muted, "channels".to_owned());
    for (channel, amounts) in collected.channels.iter().filter(|(_, it)| !it.is_empty()) {
        let shown: Vec<String> = amounts
            .iter()
            .take(MESSAGES)
            .map(Amount::to_string)
            .collect();
        let mut text = format!("{channel}: {}", shown.join(" + "));
        if amounts.len() > MESSAGES {
            let sum: Amount = amounts.iter().sum();
            text += &format!(" + … = {sum} ({} messages)", amounts.len());
        }
        flow.add(Look::InTransit, text);
    }
    let is_empty = collected.channels.values().all(Vec::is_empty);
    let rest = if is_empty {
        "all empty"
    } else {
        "all others empty"
    };
    flow.add(Look::Muted, rest.to_owned());
    flow.y += ROW;
}

/// Divides a text between words into pieces of about this number of characters.
pub(crate) fn wrap(text: &str, length: usize) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match pieces.last_mut() {
            Some(piece) if piece.chars().count() + word.chars().count() < length => {
                piece.push(' ');
                piece.push_str(word);
            }
            _ => pieces.push(word.to_owned()),
        }
    }
    pieces
}
