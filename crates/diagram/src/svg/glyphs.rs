//! The symbols of events, the heads of arrows, and the key that explains them.

use std::fmt::{Result, Write};

use history::{Content, SnapshotId, System, What};

use super::style;
use crate::layout::{Layout, Placed, Point};
use crate::text_width::text_width;

/// The symbol of an event.
pub(super) fn event(out: &mut String, what: &What, placed: &Placed, tooltip: &str, height: i32) {
    let (event, Point { x, y }) = (placed.event, placed.at);
    let _ = write!(out, "<g data-event=\"{event}\">{tooltip}");
    let _ = match what {
        What::Start { .. } | What::End => write!(
            out,
            "<path class=\"guide\" d=\"M{x} -20V{}\"/>",
            height + 20
        ),
        What::Create { .. } => bar(out, x, y),
        What::Connect { .. } | What::Local { .. } => local(out, x, y),
        What::Send { .. } | What::Receive { .. } => dot(out, x, y),
        What::Refuse { .. } => refused(out, x, y),
        What::Begin { snapshot, .. } => ring(out, x, y, style::stroke(*snapshot)),
        What::Record { snapshot, .. } => diamond(out, x, y, style::fill(*snapshot)),
        What::MarkerSent { snapshot, .. } => sent(out, x, y, style::fill(*snapshot)),
        What::MarkerReceived { snapshot, .. } => received(out, x, y, style::stroke(*snapshot)),
        What::ChannelClosed { snapshot, .. } => tick(out, x, y, style::stroke(*snapshot)),
        What::Collect { snapshot, .. } => square(out, x, y, style::stroke(*snapshot)),
        What::Audit {
            snapshot,
            verdict: Ok(_),
        } => check(out, x, y, style::stroke(*snapshot)),
        What::Audit {
            verdict: Err(_), ..
        } => cross(out, x, y, 6),
        What::Death { .. } => cross(out, x, y, 9),
        What::Restarted { .. } => again(out, x, y),
    };
    out.push_str("</g>\n");
}

fn bar(out: &mut String, x: i32, y: i32) -> Result {
    let (left, top) = (x - 2, y - 9);
    write!(
        out,
        "<rect class=\"ink\" x=\"{left}\" y=\"{top}\" width=\"4\" height=\"18\" rx=\"1\"/>"
    )
}

fn local(out: &mut String, x: i32, y: i32) -> Result {
    let top = y - 4;
    write!(out, "<path class=\"life\" d=\"M{x} {top}v8\"/>")
}

fn dot(out: &mut String, x: i32, y: i32) -> Result {
    write!(
        out,
        "<circle class=\"ink rim\" cx=\"{x}\" cy=\"{y}\" r=\"5\"/>"
    )
}

fn refused(out: &mut String, x: i32, y: i32) -> Result {
    let (left, bottom) = (x - 4, y + 4);
    write!(
        out,
        "<circle class=\"bad paper\" cx=\"{x}\" cy=\"{y}\" r=\"6\"/>\
         <path class=\"bad\" d=\"M{left} {bottom}l8 -8\"/>"
    )
}

fn ring(out: &mut String, x: i32, y: i32, stroke: &str) -> Result {
    write!(
        out,
        "<circle class=\"glyph {stroke}\" cx=\"{x}\" cy=\"{y}\" r=\"13\"/>"
    )
}

fn diamond(out: &mut String, x: i32, y: i32, fill: &str) -> Result {
    let left = x - 9;
    write!(
        out,
        "<path class=\"rim {fill}\" d=\"M{left} {y}l9 -9l9 9l-9 9z\"/>"
    )
}

fn sent(out: &mut String, x: i32, y: i32, fill: &str) -> Result {
    write!(
        out,
        "<circle class=\"{fill}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>"
    )
}

fn received(out: &mut String, x: i32, y: i32, stroke: &str) -> Result {
    write!(
        out,
        "<circle class=\"pill {stroke}\" cx=\"{x}\" cy=\"{y}\" r=\"4.5\"/>"
    )
}

fn tick(out: &mut String, x: i32, y: i32, stroke: &str) -> Result {
    let top = y - 7;
    write!(out, "<path class=\"glyph {stroke}\" d=\"M{x} {top}v14\"/>")
}

fn square(out: &mut String, x: i32, y: i32, stroke: &str) -> Result {
    let (left, top) = (x - 6, y - 6);
    write!(
        out,
        "<rect class=\"pill {stroke}\" x=\"{left}\" y=\"{top}\" width=\"12\" height=\"12\" rx=\"2\"/>"
    )
}

fn check(out: &mut String, x: i32, y: i32, stroke: &str) -> Result {
    let left = x - 5;
    write!(
        out,
        "<path class=\"glyph {stroke}\" d=\"M{left} {y}l4 5l8 -10\"/>"
    )
}

fn cross(out: &mut String, x: i32, y: i32, size: i32) -> Result {
    let (left, top, side) = (x - size, y - size, 2 * size);
    write!(
        out,
        "<path class=\"bad dead\" d=\"M{left} {top}l{side} {side}m0 -{side}l-{side} {side}\"/>"
    )
}

/// An arrow that goes round.
fn again(out: &mut String, x: i32, y: i32) -> Result {
    let (right, upper, left, top) = (x + 6, y - 4, x - 9, y - 9);
    write!(
        out,
        "<rect class=\"paper\" x=\"{left}\" y=\"{top}\" width=\"18\" height=\"18\" rx=\"9\"/>\
         <path class=\"life\" d=\"M{right} {upper}A7 7 0 1 0 {} {}\"/>\
         <path class=\"ink\" d=\"M{} {}v7h-7z\"/>",
        x + 7,
        y + 1,
        x + 9,
        y - 9,
    )
}

/// How far the tip of an arrow is from the middle of its event.
const BEFORE: f64 = 6.0;
const HEAD: (f64, f64) = (10.0, 3.8);

/// The head of an arrow, and the corners of its base.
fn corners(from: Point, to: Point, before: f64) -> [(f64, f64); 3] {
    let (dx, dy) = (f64::from(to.x - from.x), f64::from(to.y - from.y));
    let length = (dx * dx + dy * dy).sqrt().max(1.0);
    let (ux, uy) = (dx / length, dy / length);
    let tip = (f64::from(to.x) - ux * before, f64::from(to.y) - uy * before);
    let base = (tip.0 - ux * HEAD.0, tip.1 - uy * HEAD.0);
    let (sx, sy) = (-uy * HEAD.1, ux * HEAD.1);
    [(base.0 + sx, base.1 + sy), tip, (base.0 - sx, base.1 - sy)]
}

pub(super) fn head(out: &mut String, fill: &str, from: Point, to: Point) {
    let [a, tip, b] = corners(from, to, BEFORE);
    let _ = write!(
        out,
        "<path class=\"{fill}\" d=\"M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}z\"/>",
        a.0, a.1, tip.0, tip.1, b.0, b.1
    );
}

/// The head of what did not arrive.
pub(super) fn open_head(out: &mut String, class: &str, from: Point, to: Point) {
    let [a, tip, b] = corners(from, to, 0.0);
    let _ = write!(
        out,
        "<path class=\"{class}\" stroke-dasharray=\"none\" d=\"M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}\"/>",
        a.0, a.1, tip.0, tip.1, b.0, b.1
    );
}

/// A symbol that the key explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Message,
    InTransit,
    Lost,
    Marker,
    Cut,
    Created,
    Connected,
    Local,
    Exchange,
    Refused,
    Begin,
    Record,
    MarkerSent,
    MarkerReceived,
    Closed,
    Collect,
    Passed,
    Death,
    Restart,
    Border,
}

impl Symbol {
    /// Lines first, then what happens at a process, then the rest.
    pub(super) const ALL: [Self; 20] = [
        Self::Message,
        Self::InTransit,
        Self::Lost,
        Self::Marker,
        Self::Cut,
        Self::Created,
        Self::Connected,
        Self::Local,
        Self::Exchange,
        Self::Refused,
        Self::Begin,
        Self::Record,
        Self::MarkerSent,
        Self::MarkerReceived,
        Self::Closed,
        Self::Collect,
        Self::Passed,
        Self::Death,
        Self::Restart,
        Self::Border,
    ];

    pub(super) fn occurs(self, system: &System, layout: &Layout) -> bool {
        let is_marker =
            |message: usize| matches!(system.messages[message].content, Content::Marker(_));
        let mut arrows = layout.arrows.iter();
        match self {
            Self::Message => arrows.any(|arrow| !is_marker(arrow.message)),
            Self::InTransit => arrows.any(|arrow| !arrow.crosses.is_empty()),
            Self::Lost => arrows.any(|arrow| arrow.is_lost),
            Self::Marker => arrows.any(|arrow| is_marker(arrow.message)),
            Self::Cut => !layout.cuts.is_empty(),
            Self::Border => super::is_cut_off(layout).contains(&true),
            _ => {
                let events = layout.events.iter();
                events
                    .filter_map(|placed| Self::of(&system.events[placed.event].what))
                    .any(|symbol| symbol == self)
            }
        }
    }

    /// That of an event.
    fn of(what: &What) -> Option<Self> {
        Some(match what {
            What::Start { .. } | What::End => return None,
            What::Create { .. } => Self::Created,
            What::Connect { .. } => Self::Connected,
            What::Local { .. } => Self::Local,
            What::Send { .. } | What::Receive { .. } => Self::Exchange,
            What::Refuse { .. } => Self::Refused,
            What::Begin { .. } => Self::Begin,
            What::Record { .. } => Self::Record,
            What::MarkerSent { .. } => Self::MarkerSent,
            What::MarkerReceived { .. } => Self::MarkerReceived,
            What::ChannelClosed { .. } => Self::Closed,
            What::Collect { .. } => Self::Collect,
            What::Audit { verdict: Ok(_), .. } => Self::Passed,
            What::Audit {
                verdict: Err(_), ..
            } => return None,
            What::Death { .. } => Self::Death,
            What::Restarted { .. } => Self::Restart,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::InTransit => "in a channel's state",
            Self::Lost => "never received",
            Self::Marker => "marker",
            Self::Cut => "cut, through recorded states",
            Self::Created => "created",
            Self::Connected => "opens a channel",
            Self::Local => "something local",
            Self::Exchange => "sent or received",
            Self::Refused => "refused: not enough money",
            Self::Begin => "begins a snapshot",
            Self::Record => "records its state",
            Self::MarkerSent => "sends its markers",
            Self::MarkerReceived => "receives a marker",
            Self::Closed => "has a channel's whole state",
            Self::Collect => "collected",
            Self::Passed => "audit passed",
            Self::Death => "died",
            Self::Restart => "restarted",
            Self::Border => "goes on beyond",
        }
    }

    /// Where its explanation begins.
    fn indent(self) -> i32 {
        match self {
            Self::Message | Self::InTransit | Self::Lost | Self::Marker | Self::Cut => 42,
            _ => 32,
        }
    }

    /// How wide it is with its explanation.
    pub(super) fn width(self) -> i32 {
        self.indent() + text_width(self.name(), 14)
    }

    /// Writes it with its explanation, in the colour of a snapshot.
    pub(super) fn write(self, out: &mut String, at: Point, snapshot: SnapshotId) {
        let (stroke, fill) = (style::stroke(snapshot), style::fill(snapshot));
        let Point { x, y } = at;
        let to = Point { x: x + 34, y };
        let line = format!("d=\"M{x} {y}H{}\"", to.x);
        let middle = x + self.indent() / 2 - 3;
        let _ = match self {
            Self::Message | Self::Marker | Self::InTransit => {
                let (class, head_fill) = match self {
                    Self::Marker => (format!("marker {stroke}"), fill),
                    _ => ("message".to_owned(), "ink"),
                };
                if self == Self::InTransit {
                    let _ = write!(
                        out,
                        "<path class=\"pen {stroke}\" stroke-width=\"10\" d=\"M{} {y}H{}\"/>",
                        x + 5,
                        x + 29
                    );
                }
                let shown = write!(out, "<path class=\"{class}\" {line}/>");
                head(out, head_fill, at, Point { x: to.x + 4, y });
                shown
            }
            Self::Lost => {
                open_head(out, "message", at, to);
                write!(out, "<path class=\"message\" {line}/>")
            }
            Self::Cut => write!(
                out,
                "<path class=\"cut {stroke}\" d=\"M{} {y}H{}\"/>",
                x + 6,
                x + 28
            ),
            Self::Created => bar(out, middle, y),
            Self::Connected | Self::Local => local(out, middle, y),
            Self::Exchange => dot(out, middle, y),
            Self::Refused => refused(out, middle, y),
            Self::Begin => {
                let _ = diamond(out, middle, y, fill);
                ring(out, middle, y, stroke)
            }
            Self::Record => diamond(out, middle, y, fill),
            Self::MarkerSent => sent(out, middle, y, fill),
            Self::MarkerReceived => received(out, middle, y, stroke),
            Self::Closed => tick(out, middle, y, stroke),
            Self::Collect => square(out, middle, y, stroke),
            Self::Passed => check(out, middle, y, stroke),
            Self::Death => cross(out, middle, y, 7),
            Self::Restart => again(out, middle, y),
            Self::Border => write!(
                out,
                "<path class=\"border\" d=\"M{middle} {}v20\"/>",
                y - 10
            ),
        };
        let name = self.name();
        let _ = writeln!(
            out,
            "<text class=\"muted\" x=\"{}\" y=\"{}\">{name}</text>",
            x + self.indent(),
            y + 5
        );
    }
}
