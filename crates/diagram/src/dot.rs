//! A graph in Graphviz's language: for small runs, or for other tools.
//!
//! A process is a straight row, in the order of their ids; what it does at one moment is a node; a
//! message is an edge, and so is each part of a cut. Where a node stands is decided here: Graphviz
//! would make a short drawing of the graph, in which processes wander and change places. It is asked
//! only to draw (`layout=nop`).

use std::collections::BTreeMap;
use std::fmt::Write;

use history::{Content, Message, ProcessId, SnapshotId, System, What};

use crate::describe::describe;
use crate::moment::moments;
use crate::text_width::text_width;

/// Of all texts, in points, as is everything here.
const FONT: i32 = 10;
/// From a process to the next.
const LANE: i32 = 62;
/// From an event to the next on the same process, beside what they are wide.
const GAP: i32 = 12;
/// From a column to the next, at least.
const COLUMN: i32 = 9;
/// From the sending of a message to its receipt, at least.
const RUN: i32 = 26;
/// Half an event without a text.
const POINT: i32 = 3;
/// The colours of snapshots, which people with any colour vision tell apart.
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#b8639a", "#d08f00", "#3d9cd6",
];

const INK: &str = "#1f2328";
const BAD: &str = "#a40e26";
/// The line of a process that is dead, and will be restarted.
const DEAD: &str = ", style=dotted, color=\"#8c959f\"";

/// The graph. Writing to a string cannot fail.
#[must_use]
pub fn dot(system: &System) -> String {
    let nodes = place(system);
    let width = nodes.iter().map(|node| node.x + node.half).max();
    let width = width.unwrap_or(0) + RUN;
    let mut out = format!(
        "digraph history {{\n  layout=nop;\n  splines=line;\n  outputorder=edgesfirst;\n  \
         labelloc=b;\n  labeljust=l;\n  label={};\n  \
         graph [fontname=\"sans-serif\", fontsize={FONT}];\n  \
         node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\", \
         fontsize={FONT}, height=0, width=0, margin=\"0.05,0.02\"];\n  \
         edge [fontname=\"sans-serif\", fontsize={FONT}, arrowsize=0.6];\n",
        quoted(&audits(system))
    );
    for (lane, process) in system.processes.keys().enumerate() {
        let y = height(lane);
        let name = format!("process {}", system.called(*process));
        let x = -text_width(&name, FONT) / 2;
        let _ = writeln!(
            out,
            "  p{process} [label={}, shape=plaintext, pos=\"{x},{y}\"];",
            quoted(&name)
        );
        let mut life = vec![format!("p{process}")];
        for node in nodes.iter().filter(|node| node.lane == lane) {
            write_node(&mut out, system, node);
            let name = format!("e{}", node.name);
            if is_back_by(system, *process, node.name) {
                write_life(&mut out, &life, "");
                let from = life.pop().unwrap_or_default();
                write_life(&mut out, &[from, name.clone()], DEAD);
                life.clear();
            }
            life.push(name);
        }
        // Whoever has died has no end.
        if !system.stays_dead(Some(*process)) {
            let _ = writeln!(
                out,
                "  end{process} [style=invis, shape=point, pos=\"{width},{y}\"];"
            );
            life.push(format!("end{process}"));
        }
        write_life(&mut out, &life, "");
    }
    let at: BTreeMap<usize, &Node> = nodes
        .iter()
        .flat_map(|node| node.events.clone().map(move |event| (event, node)))
        .collect();
    let mut amounts = Amounts::new(&nodes);
    for message in &system.messages {
        write_message(&mut out, system, message, &at, &mut amounts);
    }
    for (id, snapshot) in &system.snapshots {
        let cut: Vec<String> = snapshot
            .cut
            .values()
            .map(|event| format!("e{}", at[event].name))
            .collect();
        if cut.len() > 1 {
            let (cut, colour) = (cut.join(" -> "), colour(*id));
            let _ = writeln!(
                out,
                "  {cut} [dir=none, penwidth=6, color=\"{colour}40\", tooltip=\"the cut of snapshot {id}\"];"
            );
        }
    }
    out.push_str("}\n");
    out
}

/// Whether a process is dead just before an event of its, and is restarted by it or later.
fn is_back_by(system: &System, process: ProcessId, event: usize) -> bool {
    let deaths = system.deaths.get(&Some(process));
    let mut deaths = deaths.into_iter().flatten();
    deaths.any(|it| it.died < event && it.restarted.is_some_and(|restarted| event <= restarted))
}

/// A part of a process's line.
fn write_life(out: &mut String, nodes: &[String], look: &str) {
    if nodes.len() > 1 {
        let _ = writeln!(out, "  {} [dir=none{look}];", nodes.join(" -> "));
    }
}

/// What a process does at one moment.
struct Node {
    /// Its first event, by which it is called.
    name: usize,
    events: std::ops::Range<usize>,
    lane: usize,
    /// Its middle.
    x: i32,
    /// Half its width.
    half: i32,
    label: Option<String>,
}

/// Every moment of a process in its place: further to the right than what came before it on its
/// process, and never to the left of what came before it in the history.
fn place(system: &System) -> Vec<Node> {
    let lanes: BTreeMap<_, usize> = system.processes.keys().zip(0..).collect();
    let mut nodes: Vec<Node> = Vec::new();
    // For each lane where it is free, and for each event its place.
    let mut free = vec![0; lanes.len()];
    let mut place_of: BTreeMap<usize, i32> = BTreeMap::new();
    let mut now = 0;
    for events in moments(system) {
        let Some(process) = system.events[events.start].what.process() else {
            continue;
        };
        let lane = lanes[&process];
        let label = label(system, &events);
        let half = label.as_deref().map_or(POINT, |label| {
            let lines = label.lines().map(|line| text_width(line, FONT));
            lines.max().unwrap_or(0) / 2 + 4
        });
        let sent = system
            .message_at(events.start)
            .map(|message| message.sent)
            .and_then(|sent| place_of.get(&sent));
        let mut x = now.max(free[lane] + half);
        if let Some(sent) = sent {
            x = x.max(sent + RUN);
        }
        // Either beside what came before, or visibly after it.
        if x > now {
            x = x.max(now + COLUMN);
        }
        now = x;
        free[lane] = x + half + GAP;
        place_of.extend(events.clone().map(|event| (event, x)));
        nodes.push(Node {
            name: events.start,
            events,
            lane,
            x,
            half,
            label,
        });
    }
    nodes
}

fn height(lane: usize) -> i32 {
    -LANE * i32::try_from(lane).unwrap_or(i32::MAX / LANE)
}

/// As short as can be: what is sent and received stands at the edge.
fn label(system: &System, events: &std::ops::Range<usize>) -> Option<String> {
    let mut label = None;
    for event in &system.events[events.clone()] {
        match &event.what {
            What::Create { amount, .. } => label = Some(format!("created\n{amount}")),
            What::Refuse { channel, amount } => {
                label = Some(format!("refused\n{amount} → {}", system.called(channel.to)));
            }
            What::Record {
                snapshot, amount, ..
            } => label = Some(format!("S{snapshot}\n{amount}")),
            What::Death { .. } => label = Some("died".to_owned()),
            What::Restarted { .. } => label = Some("restarted".to_owned()),
            _ => {}
        }
    }
    label
}

fn write_node(out: &mut String, system: &System, node: &Node) {
    let what = &system.events[node.name].what;
    let colour = match what {
        What::Death { .. } | What::Refuse { .. } => BAD,
        _ => what.snapshot().map_or(INK, colour),
    };
    let shape = match &node.label {
        Some(label) => format!("label={}", quoted(label)),
        None => format!(
            "label=\"\", shape=point, width={0:.3}, height={0:.3}, fillcolor=\"{colour}\"",
            f64::from(2 * POINT) / 72.0
        ),
    };
    let penwidth = match what {
        What::Begin { .. } => 2.5,
        _ => 1.0,
    };
    let said: Vec<String> = node
        .events
        .clone()
        .map(|event| describe(system, event))
        .collect();
    let tooltip = quoted(&said.join("\n"));
    let (name, x, y) = (node.name, node.x, height(node.lane));
    let _ = writeln!(
        out,
        "  e{name} [{shape}, pos=\"{x},{y}\", color=\"{colour}\", penwidth={penwidth}, tooltip={tooltip}];"
    );
}

fn write_message(
    out: &mut String,
    system: &System,
    message: &Message,
    at: &BTreeMap<usize, &Node>,
    amounts: &mut Amounts,
) {
    let channel = message.channel;
    let lane = |process| system.processes.range(..process).count();
    let sent = at[&message.sent];
    let tail = (sent.x, height(sent.lane));
    let (to, head) = match message.received {
        Some(received) => {
            let node = at[&received];
            (format!("e{}", node.name), (node.x, height(node.lane)))
        }
        None => {
            // It ends on its way, just before the receiver's row.
            let lost = format!("lost{}", message.sent);
            let row = height(lane(channel.to));
            let (x, y) = (sent.x + RUN, row + (tail.1 - row).signum() * LANE / 2);
            let _ = writeln!(
                out,
                "  {lost} [label=\"×\", shape=plaintext, style=\"\", fontcolor=\"{BAD}\", \
                 pos=\"{x},{y}\"];"
            );
            (lost, (x, y))
        }
    };
    let (what, look) = match message.content {
        Content::Amount(amount) => {
            let amount = amount.to_string();
            let (distance, angle) = amounts.put(&amount, tail, head);
            let beside = format!("labeldistance={distance}, labelangle={angle}");
            let look = format!("headlabel=\"{amount}\", {beside}");
            (amount, look)
        }
        Content::Marker(snapshot) => (
            format!("the marker of snapshot {snapshot}"),
            format!(
                "style=dashed, penwidth=0.7, arrowsize=0.5, color=\"{}\"",
                colour(snapshot)
            ),
        ),
    };
    let from = sent.name;
    let _ = writeln!(
        out,
        "  e{from} -> {to} [{look}, tooltip=\"{what}, {channel}\"];"
    );
}

/// Where amounts stand beside the ends of their messages.
struct Amounts {
    /// What is taken, each by its middle, and half its width and height.
    taken: Vec<[f64; 4]>,
}

impl Amounts {
    fn new(nodes: &[Node]) -> Self {
        let boxes = nodes.iter().filter(|node| node.label.is_some());
        let taken = boxes.map(|node| [node.x, height(node.lane), node.half, FONT + 3]);
        Self {
            taken: taken.map(|area| area.map(f64::from)).collect(),
        }
    }

    /// How far from the head of a message its amount stands, in units of 10 points, and to which
    /// side: the first place that is free, at best away from the receiver's row; or the first of all.
    fn put(&mut self, amount: &str, tail: (i32, i32), head: (i32, i32)) -> (f64, i32) {
        let (x, y) = (f64::from(head.0), f64::from(head.1));
        let back = (f64::from(tail.1) - y).atan2(f64::from(tail.0) - x);
        let half = f64::from(text_width(amount, FONT)) / 2.0;
        let away = if tail.1 > head.1 { -1 } else { 1 };
        let distances = [2.2, 3.2, 4.2, 5.2].into_iter();
        let mut places = distances.flat_map(|distance| {
            [25 * away, -25 * away].map(|angle| {
                let direction = back + f64::from(angle).to_radians();
                let (right, up) = (direction.cos(), direction.sin());
                let middle = (x + 10.0 * distance * right, y + 10.0 * distance * up);
                let area = [middle.0, middle.1, half, f64::from(FONT) / 2.0];
                (area, (distance, angle))
            })
        });
        let overlaps = |a: &[f64; 4], b: &[f64; 4]| {
            (a[0] - b[0]).abs() < a[2] + b[2] && (a[1] - b[1]).abs() < a[3] + b[3]
        };
        let first = places.clone().next();
        let is_on_row = |area: &[f64; 4]| {
            let above = area[1].rem_euclid(f64::from(LANE));
            above.min(f64::from(LANE) - above) < area[3]
        };
        let is_free = |area: &[f64; 4]| {
            !is_on_row(area) && !self.taken.iter().any(|taken| overlaps(area, taken))
        };
        let place = places.find(|(area, _)| is_free(area)).or(first);
        let (area, place) = place.unwrap_or_default();
        self.taken.push(area);
        place
    }
}

/// What the audits of all snapshots say, a line for each.
fn audits(system: &System) -> String {
    let mut lines = String::new();
    for (id, snapshot) in &system.snapshots {
        let said = snapshot.audit.map(|audit| describe(system, audit));
        let said = said.unwrap_or_else(|| format!("snapshot {id} is not audited"));
        lines += &said;
        lines.push('\n');
    }
    lines
}

fn colour(snapshot: SnapshotId) -> &'static str {
    let index = snapshot.0.wrapping_sub(1) % COLOURS.len() as u64;
    COLOURS[index as usize]
}

/// As a string of the language, in which nothing else is escaped; a backslash has a meaning in
/// labels.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}
