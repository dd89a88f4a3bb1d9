//! A graph in Graphviz's language: for small runs, or for other tools.
//!
//! A row of nodes for each process, joined by its life; an edge for each message. `dot` draws it so
//! that every edge points to the right.

use std::fmt::Write;

use history::{Content, System};

use crate::describe::describe;

/// The graph. Writing to a string cannot fail.
#[must_use]
pub fn dot(system: &System) -> String {
    let mut out = String::from(
        "digraph history {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n  \
         edge [fontname=\"sans-serif\"];\n",
    );
    for process in system.processes.keys() {
        let _ = writeln!(out, "  subgraph cluster_p{process} {{");
        let _ = writeln!(out, "    label=\"process {process}\";");
        let mut life = Vec::new();
        for (index, event) in system.events.iter().enumerate() {
            if event.what.process() == Some(*process) {
                let text = quoted(&describe(system, index));
                let _ = writeln!(out, "    e{index} [label={text}];");
                life.push(format!("e{index}"));
            }
        }
        let _ = writeln!(out, "    {} [weight=8];", life.join(" -> "));
        out.push_str("  }\n");
    }
    for message in &system.messages {
        let Some(received) = message.received else {
            continue;
        };
        let (label, style) = match message.content {
            Content::Amount(amount) => (amount.to_string(), "solid"),
            Content::Marker(snapshot) => (format!("S{snapshot}"), "dashed"),
        };
        let sent = message.sent;
        let _ = writeln!(
            out,
            "  e{sent} -> e{received} [label=\"{label}\", style={style}];"
        );
    }
    out.push_str("}\n");
    out
}

/// As a string of the language, in which nothing else is escaped; a backslash has a meaning in
/// labels.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
