//! A layout as an SVG image: for a web page, a slide, a README.
//!
//! Everything is written in plain elements and plain properties, so that not only browsers show it.
//! Every event is an element with `data-event` (its index in the system), every message one with
//! `data-message`.

mod glyphs;
mod style;

use std::collections::BTreeSet;
use std::fmt::Write;

use history::{Content, Header, SnapshotId, System};

use crate::describe::describe;
use crate::layout::{Arrow, Edge, Label, LabelKind, Lane, Layout, Point, Rect};
use crate::legend::{Legend, Look};
use crate::sheet::{LeftOut, Sheet};
use crate::text_width::text_width;
use crate::xml::escape;

use self::glyphs::Symbol;

/// Between the image's edges and what is in it.
const PAD: i32 = 28;
/// The title and the facts.
const HEADING: i32 = 76;
/// Above the first lane and below the last one, at least.
const AROUND: i32 = 48;
/// Between rows.
const BETWEEN: i32 = 16;
/// More snapshots are not shown around one message.
const PENS: usize = 4;
/// The legend needs as much.
const LEAST_WIDTH: i32 = 760;
/// From a line of symbols to the next, and from the last one to what is below.
const KEY_LINE: i32 = 26;
const KEY_BELOW: i32 = 36;
/// Between the columns of symbols.
const KEY_GAP: i32 = 12;

/// The image. Writing to a string cannot fail, so that results of `write!` are let go.
#[must_use]
pub fn svg(system: &System, header: &Header, sheet: &Sheet) -> String {
    let (left, content) = margins(&sheet.rows);
    let title = header.script.as_deref().unwrap_or("a run");
    let facts = facts(header, sheet);
    let least = LEAST_WIDTH - 2 * PAD;
    let least = least.max(text_width(title, 20)).max(text_width(&facts, 14));
    let width = content.max(least);
    let legend = Legend::new(&sheet.rows, system, width);
    let widest = legend
        .items
        .iter()
        .map(|item| item.area.x + item.area.width);
    let width = width.max(widest.max().unwrap_or(0));
    let symbols = key(system, &sheet.rows, width);
    let key_height = symbols.last().map_or(0, |(_, at)| at.y + KEY_BELOW);

    let mut drawn = String::new();
    let mut below = HEADING;
    for (nth, layout) in sheet.rows.iter().enumerate() {
        let [above, height] = height(layout);
        below += above + if nth > 0 { BETWEEN } else { 0 };
        let _ = writeln!(drawn, "<g transform=\"translate({left} {below})\">");
        row(&mut drawn, system, layout);
        drawn.push_str("</g>\n");
        below += height;
    }
    let height = below + key_height + legend.height + PAD;

    let mut out = String::new();
    head(&mut out, title, &facts, (width + 2 * PAD, height));
    out.push_str(&drawn);
    let _ = writeln!(out, "<g transform=\"translate({PAD} {below})\">");
    let cuts = sheet.rows.iter().flat_map(|row| &row.cuts);
    let first = cuts.map(|cut| cut.snapshot).min().unwrap_or(SnapshotId(1));
    for (symbol, at) in symbols {
        symbol.write(&mut out, at, first);
    }
    out.push_str("</g>\n");
    write_legend(&mut out, &legend, below + key_height);
    out.push_str("</svg>\n");
    out
}

/// One row of the diagram, from what is beneath to what is on top.
fn row(out: &mut String, system: &System, layout: &Layout) {
    borders(out, layout);
    for (index, lane) in layout.lanes.iter().enumerate() {
        lifeline(out, lane, index);
    }
    cuts(out, layout);
    for arrow in &layout.arrows {
        highlight(out, arrow);
    }
    for arrow in &layout.arrows {
        message(out, system, arrow);
    }
    for placed in &layout.events {
        let tooltip = tooltip(system, placed.event);
        let what = &system.events[placed.event].what;
        glyphs::event(out, what, placed, &tooltip, layout.height());
    }
    for label in &layout.labels {
        write_label(out, label, layout);
    }
}

/// Where the rows' left borders are, and how wide everything is.
fn margins(rows: &[Layout]) -> (i32, i32) {
    let labels = || rows.iter().flat_map(|row| &row.labels);
    let left = labels().map(|label| label.area.x).min().unwrap_or(0).min(0);
    let right = labels().map(|label| label.area.x + label.area.width);
    let widths = rows.iter().map(|row| row.width);
    let right = right.chain(widths).max().unwrap_or(0);
    (PAD - left, right - left)
}

/// How far a row reaches above its first lane, and down from there.
fn height(layout: &Layout) -> [i32; 2] {
    let areas = || layout.labels.iter().map(|label| label.area);
    let top = areas().map(|area| -area.y).max().unwrap_or(0);
    let bottom = areas().map(|area| area.y + area.height).max().unwrap_or(0);
    [
        top.max(AROUND),
        (layout.height() + AROUND).max(bottom + AROUND / 2),
    ]
}

/// The line beneath the title.
fn facts(header: &Header, sheet: &Sheet) -> String {
    let cuts = sheet.rows.iter().flat_map(|row| &row.cuts);
    let cuts: BTreeSet<SnapshotId> = cuts.map(|cut| cut.snapshot).collect();
    let mut facts = vec![
        count(sheet.processes, "process", "processes"),
        count(sheet.events, "event", "events"),
        count(cuts.len(), "snapshot", "snapshots"),
    ];
    facts.extend(header.seed.map(|seed| format!("seed {seed}")));
    if sheet.setting.without_markers {
        facts.push("without markers".to_owned());
    }
    if sheet.events < sheet.of_events {
        facts.push(format!("a part of {} events", sheet.of_events));
    }
    if let Some(LeftOut {
        processes,
        of_processes,
        ..
    }) = sheet.left_out
        && processes < of_processes
    {
        facts.push(format!("a part of {of_processes} processes"));
    }
    if sheet.passing > 0 {
        let passing = count(sheet.passing, "message", "messages");
        facts.push(format!("{passing} in transit all the time not drawn"));
    }
    if sheet.is_reordered {
        facts.push("events in another order with the same causes".to_owned());
    }
    facts.join(" · ")
}

fn head(out: &mut String, title: &str, facts: &str, (width, height): (i32, i32)) {
    let name = escape(title);
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">Space-time diagram of {name}</title>\n\
         <desc id=\"desc\">{facts}. One horizontal line a process, time to the right, messages as \
         arrows, markers dashed, the cut of each snapshot as a band through the places where \
         processes recorded their states.</desc>\n\
         <style>\n{}</style>\n\
         <rect width=\"100%\" height=\"100%\" class=\"paper\"/>\n\
         <text class=\"title\" x=\"{PAD}\" y=\"{}\">{name}</text>\n\
         <text class=\"muted\" x=\"{PAD}\" y=\"{}\">{facts}</text>",
        style::STYLE,
        PAD + 14,
        PAD + 36
    );
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn tooltip(system: &System, event: usize) -> String {
    let line = system.events[event].line;
    let line = line.map(|line| format!("line {line}: "));
    let text = line.unwrap_or_default() + &describe(system, event);
    format!("<title>{}</title>", escape(&text))
}

/// Whether processes go on beyond the left border and beyond the right one.
fn is_cut_off(layout: &Layout) -> [bool; 2] {
    let lanes = || layout.lanes.iter().filter(|lane| lane.process.is_some());
    let goes_on = layout.events.last().is_some_and(|last| last.lane.is_some());
    [
        lanes().any(|lane| lane.begins == Edge::Border),
        goes_on && lanes().any(|lane| lane.ends == Edge::Border),
    ]
}

fn borders(out: &mut String, layout: &Layout) {
    for (x, is_cut_off) in [0, layout.width].into_iter().zip(is_cut_off(layout)) {
        if is_cut_off {
            let bottom = layout.height() + 20;
            let _ = writeln!(out, "<path class=\"border\" d=\"M{x} -20V{bottom}\"/>");
        }
    }
}

fn lifeline(out: &mut String, lane: &Lane, index: usize) {
    let Lane { y, from, to, .. } = *lane;
    if from > 0 {
        let _ = writeln!(out, "<path class=\"guide\" d=\"M0 {y}H{from}\"/>");
    }
    let class = match lane.process {
        Some(_) => "life",
        None => "guide",
    };
    let mut line = format!("M{from} {y}");
    for [died, restarted] in &lane.dead {
        let _ = write!(line, "H{died}M{restarted} {y}");
        if lane.process.is_some() {
            let _ = writeln!(out, "<path class=\"guide\" d=\"M{died} {y}H{restarted}\"/>");
        }
    }
    let _ = writeln!(
        out,
        "<path class=\"{class}\" data-lane=\"{index}\" d=\"{line}H{to}\"/>"
    );
}

/// What is in a channel's state is marked as with a broad pen, once for each snapshot; the
/// legend has all of them.
fn highlight(out: &mut String, arrow: &Arrow) {
    let Arrow { from, to, .. } = arrow;
    for (nth, snapshot) in arrow.crosses.iter().take(PENS).enumerate().rev() {
        let _ = writeln!(
            out,
            "<path class=\"pen {}\" stroke-width=\"{}\" d=\"M{} {}L{} {}\"/>",
            style::stroke(*snapshot),
            10 + 6 * nth,
            from.x,
            from.y,
            to.x,
            to.y
        );
    }
}

fn cuts(out: &mut String, layout: &Layout) {
    for cut in &layout.cuts {
        let line: Vec<String> = cut
            .line()
            .map(|point| format!("{} {}", point.x, point.y))
            .collect();
        let _ = writeln!(
            out,
            "<path class=\"cut {}\" data-cut=\"{}\" d=\"M{}\"/>",
            style::stroke(cut.snapshot),
            cut.snapshot,
            line.join("L")
        );
    }
}

fn message(out: &mut String, system: &System, arrow: &Arrow) {
    let message = &system.messages[arrow.message];
    let class = match message.content {
        Content::Amount(_) if arrow.crosses.is_empty() => "message".to_owned(),
        Content::Amount(_) => "message crosses".to_owned(),
        Content::Marker(snapshot) => format!("marker {}", style::stroke(snapshot)),
    };
    let fill = match message.content {
        Content::Amount(_) => "ink",
        Content::Marker(snapshot) => style::fill(snapshot),
    };
    let Arrow { from, to, .. } = arrow;
    let _ = write!(
        out,
        "<g data-message=\"{}\"><path class=\"{class}\" d=\"M{} {}L{} {}\"/>",
        arrow.message, from.x, from.y, to.x, to.y
    );
    if arrow.is_received {
        glyphs::head(out, fill, *from, *to);
    } else if arrow.is_lost {
        glyphs::open_head(out, &class, *from, *to);
    }
    out.push_str("</g>\n");
}

fn write_label(out: &mut String, label: &Label, layout: &Layout) {
    let Rect {
        x,
        y,
        width,
        height,
    } = label.area;
    let (class, frame) = match label.kind {
        LabelKind::State(_) => ("state", None),
        LabelKind::Refused(_) => ("refused", None),
        LabelKind::Audit(_) | LabelKind::Last(_) => ("state", None),
        LabelKind::Amount(message) => {
            let arrow = layout.arrows.iter().find(|arrow| arrow.message == message);
            let crosses = arrow.and_then(|arrow| arrow.crosses.first());
            match crosses {
                Some(snapshot) => ("amount bold", Some(*snapshot)),
                None => ("amount", None),
            }
        }
        LabelKind::Cut(snapshot) => ("bold", Some(snapshot)),
        LabelKind::Line => ("line", None),
        LabelKind::Name(_) => ("bold", None),
    };
    if let Some(snapshot) = frame {
        pill(out, label.area, snapshot);
    }
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        x + width / 2,
        y + height - 5,
        escape(&label.text)
    );
}

/// A frame in a snapshot's colour.
fn pill(out: &mut String, area: Rect, snapshot: SnapshotId) {
    let Rect {
        x,
        y,
        width,
        height,
    } = area;
    let _ = writeln!(
        out,
        "<rect class=\"pill {}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"5\"/>",
        style::stroke(snapshot)
    );
}

/// The symbols that occur, in columns.
fn key(system: &System, rows: &[Layout], width: i32) -> Vec<(Symbol, Point)> {
    let occurs = |symbol: &Symbol| rows.iter().any(|row| symbol.occurs(system, row));
    let symbols: Vec<Symbol> = Symbol::ALL.into_iter().filter(occurs).collect();
    let widest = symbols.iter().map(|symbol| symbol.width()).max();
    let column = widest.unwrap_or(0) + KEY_GAP;
    let columns = ((width + KEY_GAP) / column.max(1)).max(1);
    let place = |nth: i32| Point {
        x: nth % columns * column,
        y: 10 + nth / columns * KEY_LINE,
    };
    symbols.into_iter().zip((0..).map(place)).collect()
}

fn write_legend(out: &mut String, legend: &Legend, top: i32) {
    let _ = writeln!(out, "<g transform=\"translate({PAD} {top})\">");
    for item in &legend.items {
        let Rect {
            x,
            y,
            width,
            height,
        } = item.area;
        let class = match item.look {
            Look::Name(snapshot) => {
                let area = Rect {
                    x: x - 4,
                    y,
                    width: width + 8,
                    height,
                };
                pill(out, area, snapshot);
                "bold"
            }
            Look::Plain => "",
            Look::Muted => "muted",
            Look::InTransit => "bold",
        };
        let baseline = y + height - 5;
        let text = escape(&item.text);
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{x}\" y=\"{baseline}\">{text}</text>"
        );
    }
    out.push_str("</g>\n");
}
