//! A layout as an SVG image: for a web page, a slide, a README.
//!
//! Everything is written in plain elements and plain properties, so that not only browsers show it.
//! Every event is an element with `data-event` (its index in the system), every message one with
//! `data-message`.

mod glyphs;
mod style;

use std::fmt::Write;

use history::{Content, Header, SnapshotId, System};

use crate::describe::describe;
use crate::layout::{Arrow, Edge, Label, LabelKind, Lane, Layout, Point, Rect};
use crate::legend::{Legend, Look};
use crate::text_width::text_width;
use crate::xml::escape;

use self::glyphs::Symbol;

/// Between the image's edges and what is in it.
const PAD: i32 = 28;
/// Above the first lane: the heading, the script's lines, the cuts' names.
const TOP: i32 = 150;
/// Below the last lane.
const BOTTOM: i32 = 48;
/// More snapshots are not shown around one message.
const PENS: usize = 4;
/// The legend needs as much.
const LEAST_WIDTH: i32 = 760;
/// The height of a row of symbols, with the room below.
const KEY_ROW: i32 = 36;

/// The image. Writing to a string cannot fail, so that results of `write!` are let go.
#[must_use]
pub fn svg(system: &System, header: &Header, layout: &Layout) -> String {
    let (left, right) = margins(layout);
    let title = header.script.as_deref().unwrap_or("a run");
    let facts = facts(system, header, layout);
    let least = LEAST_WIDTH - 2 * PAD;
    let least = least.max(text_width(title, 20)).max(text_width(&facts, 14));
    let width = (left + layout.width + right - 2 * PAD).max(least);
    let legend = Legend::new(layout, system, width);
    let widest = legend
        .items
        .iter()
        .map(|item| item.area.x + item.area.width);
    let width = width.max(widest.max().unwrap_or(0));
    let symbols = key(system, layout, width);
    let key_height = symbols.last().map_or(0, |(_, at)| at.y + KEY_ROW);
    let below = TOP + layout.height() + BOTTOM;
    let height = below + key_height + legend.height + PAD;

    let mut out = String::new();
    head(&mut out, title, &facts, (width + 2 * PAD, height));
    let _ = writeln!(out, "<g transform=\"translate({left} {TOP})\">");
    borders(&mut out, layout);
    for (index, lane) in layout.lanes.iter().enumerate() {
        lifeline(&mut out, lane, index);
    }
    for arrow in &layout.arrows {
        highlight(&mut out, arrow);
    }
    cuts(&mut out, layout);
    for arrow in &layout.arrows {
        message(&mut out, system, arrow);
    }
    for placed in &layout.events {
        let tooltip = tooltip(system, placed.event);
        let what = &system.events[placed.event].what;
        glyphs::event(&mut out, what, placed, &tooltip, layout.height());
    }
    for label in &layout.labels {
        write_label(&mut out, label, layout);
    }
    out.push_str("</g>\n");
    let _ = writeln!(out, "<g transform=\"translate({PAD} {below})\">");
    for (symbol, at) in symbols {
        symbol.write(&mut out, at);
    }
    out.push_str("</g>\n");
    write_legend(&mut out, &legend, below + key_height);
    out.push_str("</svg>\n");
    out
}

/// Left and right of the borders.
fn margins(layout: &Layout) -> (i32, i32) {
    let areas = || layout.labels.iter().map(|label| label.area);
    let left = areas().map(|area| area.x).min().unwrap_or(0).min(0);
    let right = areas().map(|area| area.x + area.width).max().unwrap_or(0);
    (PAD - left, PAD + (right - layout.width).max(0))
}

/// The line beneath the title.
fn facts(system: &System, header: &Header, layout: &Layout) -> String {
    let processes = layout.lanes.iter().filter(|lane| lane.process.is_some());
    let mut facts = vec![
        count(processes.count(), "process", "processes"),
        count(layout.events.len(), "event", "events"),
        count(layout.cuts.len(), "snapshot", "snapshots"),
    ];
    facts.extend(header.seed.map(|seed| format!("seed {seed}")));
    if layout.events.len() < system.events.len() {
        facts.push(format!("a part of {} events", system.events.len()));
    }
    if layout.passing > 0 {
        let passing = count(layout.passing, "message", "messages");
        facts.push(format!("{passing} in transit all the time not drawn"));
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
         arrows, markers dashed, the cut of each snapshot as a line through the places where \
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

/// Where what is drawn is a part only.
fn borders(out: &mut String, layout: &Layout) {
    let is_cut = |left: bool| {
        let lanes = layout.lanes.iter().filter(|lane| lane.process.is_some());
        let mut edges = lanes.map(|lane| if left { lane.begins } else { lane.ends });
        edges.any(|edge| edge == Edge::Border)
    };
    let goes_on = layout.events.last().is_some_and(|last| last.lane.is_some());
    for (x, is_cut) in [(0, is_cut(true)), (layout.width, goes_on && is_cut(false))] {
        if is_cut {
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
    let _ = writeln!(
        out,
        "<path class=\"{class}\" data-lane=\"{index}\" d=\"M{from} {y}H{to}\"/>"
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
        let [top, bottom] = cut.ends;
        let line = std::iter::once(&top).chain(&cut.points).chain([&bottom]);
        let line: Vec<String> = line
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

/// The symbols that occur, in rows.
fn key(system: &System, layout: &Layout, width: i32) -> Vec<(Symbol, Point)> {
    let mut at = Point { x: 0, y: 10 };
    let mut symbols = Vec::new();
    for symbol in Symbol::ALL {
        if !symbol.occurs(system, layout) {
            continue;
        }
        if at.x > 0 && at.x + symbol.width() > width {
            at = Point {
                x: 0,
                y: at.y + KEY_ROW * 2 / 3,
            };
        }
        symbols.push((symbol, at));
        at.x += symbol.width() + 24;
    }
    symbols
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
