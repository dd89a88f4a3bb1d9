//! The symbols of events, the heads of arrows, and the key that explains them.

use std::fmt::Write;

use history::{Content, System, What};

use super::style;
use crate::layout::{Layout, Placed, Point};
use crate::text_width::text_width;

/// The symbol of an event.
pub(super) fn event(out: &mut String, what: &What, placed: &Placed, tooltip: &str, height: i32) {
    let (event, Point { x, y }) = (placed.event, placed.at);
    let _ = write!(out, "<g data-event=\"{event}\">{tooltip}");
    let _ = match what {
        What::Start | What::End => write!(
            out,
            "<path class=\"guide\" d=\"M{x} -20V{}\"/>",
            height + 20
        ),
        What::Create { .. } => write!(
            out,
            "<rect class=\"ink\" x=\"{}\" y=\"{}\" width=\"4\" height=\"18\" rx=\"1\"/>",
            x - 2,
            y - 9
        ),
        What::Send { .. } | What::Receive { .. } => {
            write!(
                out,
                "<circle class=\"ink rim\" cx=\"{x}\" cy=\"{y}\" r=\"5\"/>"
            )
        }
        What::Refuse { .. } => write!(
            out,
            "<circle class=\"bad paper\" cx=\"{x}\" cy=\"{y}\" r=\"6\"/>\
             <path class=\"bad\" d=\"M{} {}l8 -8\"/>",
            x - 4,
            y + 4
        ),
        What::Begin { snapshot, .. } => write!(
            out,
            "<circle class=\"glyph {}\" cx=\"{x}\" cy=\"{y}\" r=\"13\"/>",
            style::stroke(*snapshot)
        ),
        What::Record { snapshot, .. } => write!(
            out,
            "<path class=\"rim {}\" d=\"M{} {y}l9 -9l9 9l-9 9z\"/>",
            style::fill(*snapshot),
            x - 9
        ),
        What::MarkerSent { snapshot, .. } => write!(
            out,
            "<circle class=\"{}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>",
            style::fill(*snapshot)
        ),
        What::MarkerReceived { snapshot, .. } => write!(
            out,
            "<circle class=\"pill {}\" cx=\"{x}\" cy=\"{y}\" r=\"4.5\"/>",
            style::stroke(*snapshot)
        ),
        What::ChannelClosed { snapshot, .. } => write!(
            out,
            "<path class=\"glyph {}\" d=\"M{x} {}v14\"/>",
            style::stroke(*snapshot),
            y - 7
        ),
        What::Collect { snapshot, .. } => write!(
            out,
            "<rect class=\"pill {}\" x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" rx=\"2\"/>",
            style::stroke(*snapshot),
            x - 6,
            y - 6
        ),
        What::Audit {
            snapshot,
            verdict: Ok(_),
        } => write!(
            out,
            "<path class=\"glyph {}\" d=\"M{} {y}l4 5l8 -10\"/>",
            style::stroke(*snapshot),
            x - 5
        ),
        What::Audit {
            verdict: Err(_), ..
        } => cross(out, x, y, 6),
        What::Death { .. } => cross(out, x, y, 9),
    };
    out.push_str("</g>\n");
}

fn cross(out: &mut String, x: i32, y: i32, size: i32) -> std::fmt::Result {
    let (left, top, side) = (x - size, y - size, 2 * size);
    write!(
        out,
        "<path class=\"bad dead\" d=\"M{left} {top}l{side} {side}m0 -{side}l-{side} {side}\"/>"
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
    Refused,
    Death,
}

impl Symbol {
    pub(super) const ALL: [Self; 7] = [
        Self::Message,
        Self::InTransit,
        Self::Lost,
        Self::Marker,
        Self::Cut,
        Self::Refused,
        Self::Death,
    ];

    pub(super) fn occurs(self, system: &System, layout: &Layout) -> bool {
        let happens = |is: fn(&What) -> bool| {
            let mut events = layout.events.iter().map(|it| &system.events[it.event].what);
            events.any(is)
        };
        let is_marker =
            |message: usize| matches!(system.messages[message].content, Content::Marker(_));
        let mut arrows = layout.arrows.iter();
        match self {
            Self::Message => arrows.any(|arrow| !is_marker(arrow.message)),
            Self::InTransit => arrows.any(|arrow| !arrow.crosses.is_empty()),
            Self::Lost => arrows.any(|arrow| arrow.is_lost),
            Self::Marker => arrows.any(|arrow| is_marker(arrow.message)),
            Self::Cut => !layout.cuts.is_empty(),
            Self::Refused => happens(|what| matches!(what, What::Refuse { .. })),
            Self::Death => happens(|what| matches!(what, What::Death { .. })),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::InTransit => "in a channel's state",
            Self::Lost => "never received",
            Self::Marker => "marker",
            Self::Cut => "cut, through recorded states",
            Self::Refused => "refused",
            Self::Death => "died",
        }
    }

    /// Where its explanation begins.
    fn indent(self) -> i32 {
        match self {
            Self::Refused | Self::Death => 22,
            _ => 42,
        }
    }

    /// How wide it is with its explanation.
    pub(super) fn width(self) -> i32 {
        self.indent() + text_width(self.name(), 14)
    }

    /// Writes it with its explanation.
    pub(super) fn write(self, out: &mut String, at: Point) {
        let Point { x, y } = at;
        let to = Point { x: x + 34, y };
        let line = format!("d=\"M{x} {y}H{}\"", to.x);
        let _ = match self {
            Self::Message | Self::Marker | Self::InTransit => {
                let (class, fill) = match self {
                    Self::Marker => ("marker k0", "f0"),
                    _ => ("message", "ink"),
                };
                if self == Self::InTransit {
                    let _ = write!(out, "<path class=\"pen k0\" stroke-width=\"10\" {line}/>");
                }
                let shown = write!(out, "<path class=\"{class}\" {line}/>");
                head(out, fill, at, Point { x: to.x + 4, y });
                shown
            }
            Self::Lost => {
                open_head(out, "message", at, to);
                write!(out, "<path class=\"message\" {line}/>")
            }
            Self::Cut => write!(
                out,
                "<path class=\"cut k0\" {line}/><path class=\"rim f0\" d=\"M{} {y}l8 -8l8 8l-8 8z\"/>",
                x + 9
            ),
            Self::Refused => write!(
                out,
                "<circle class=\"bad paper\" cx=\"{}\" cy=\"{y}\" r=\"6\"/>\
                     <path class=\"bad\" d=\"M{} {}l8 -8\"/>",
                x + 8,
                x + 4,
                y + 4
            ),
            Self::Death => cross(out, x + 8, y, 7),
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
