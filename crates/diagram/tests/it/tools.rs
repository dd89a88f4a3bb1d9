//! The exports in the real programs that they are for, where those are there: Graphviz.

use std::io::Write as _;
use std::process::{Command, Stdio};

use diagram::dot;
use history::System;
use testing::histories::{self, Params};

use crate::common::examples;

/// A run of this many processes with one snapshot: what somebody would put on a page.
fn small(processes: u64) -> System {
    let params = Params {
        processes,
        steps: 12 * processes,
        snapshots: 1,
        joins: 0,
        deaths: 0,
        refusals: true,
        capacity: usize::MAX,
    };
    System::link(histories::run(processes, &params))
        .unwrap()
        .remove(0)
}

fn systems() -> Vec<(String, System)> {
    let examples = examples().into_iter().map(|it| (it.name, it.system));
    let small = [2, 3, 5, 10].map(|processes| (format!("{processes} processes"), small(processes)));
    let random = histories::seeds(20).into_iter().flat_map(|seed| {
        let systems = histories::systems(seed).into_iter();
        systems.map(move |system| (format!("PIPEBANK_SEED={seed}"), system))
    });
    examples.chain(small).chain(random).collect()
}

/// A node as Graphviz draws it, in points.
struct Drawn {
    name: String,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// What `dot` makes of a graph: its width, and its nodes. It has nothing to complain about.
fn graphviz(name: &str, graph: &str) -> Option<(f64, Vec<Drawn>)> {
    let mut dot = Command::new("dot")
        .arg("-Tplain")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    dot.stdin
        .take()
        .unwrap()
        .write_all(graph.as_bytes())
        .unwrap();
    let output = dot.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{name}: {output:?}\n{graph}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let points = |inches: &str| inches.parse::<f64>().unwrap() * 72.0;
    let mut width = 0.0;
    let mut nodes = Vec::new();
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["graph", _, wide, _] => width = points(wide),
            ["node", name, x, y, w, h, ..] => nodes.push(Drawn {
                name: name.to_owned(),
                x: points(x),
                y: points(y),
                width: points(w),
                height: points(h),
            }),
            _ => {}
        }
    }
    Some((width, nodes))
}

#[test]
fn graphviz_draws_processes_as_straight_rows_in_order_and_time_to_the_right() {
    for (name, system) in systems() {
        let Some((width, nodes)) = graphviz(&name, &dot(&system)) else {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: there is no Graphviz (Debian: apt-get install graphviz)"
            );
            return;
        };
        let at = |name: &str| nodes.iter().find(|node| node.name == name);
        // Rows from top to bottom in the order of ids.
        let rows: Vec<f64> = system
            .processes
            .keys()
            .map(|process| at(&format!("p{process}")).unwrap().y)
            .collect();
        assert!(rows.is_sorted_by(|a, b| a - b > 40.0), "{name}: {rows:?}");
        // Moments stand on their process's row, in the order of the history.
        let mut last = f64::MIN;
        let mut drawn = 0;
        for (event, what) in system.events.iter().map(|event| &event.what).enumerate() {
            let Some(node) = at(&format!("e{event}")) else {
                continue;
            };
            let process = what.process().unwrap();
            let row = rows[system.processes.range(..process).count()];
            assert!((node.y - row).abs() < 1.0, "{name}: {event}");
            assert!(
                node.x >= last - 0.1,
                "{name}: {event} stands before what came before"
            );
            last = node.x;
            drawn += 1;
        }
        assert!(drawn >= system.processes.len(), "{name}");
        for message in &system.messages {
            let sent = at(&format!("e{}", message.sent));
            let received = message.received.and_then(|it| at(&format!("e{it}")));
            if let (Some(sent), Some(received)) = (sent, received) {
                assert!(sent.x + 20.0 < received.x, "{name}: {message:?}");
            }
        }
        // Nothing covers anything else, so that it can be read.
        for (index, a) in nodes.iter().enumerate() {
            for b in &nodes[..index] {
                let overlap = (a.x - b.x).abs() < (a.width + b.width) / 2.0 - 0.1
                    && (a.y - b.y).abs() < (a.height + b.height) / 2.0 - 0.1;
                let is_lost = [a, b].iter().any(|it| it.name.starts_with("lost"));
                assert!(!overlap || is_lost, "{name}: {} and {}", a.name, b.name);
            }
        }
        // As wide as a page in landscape format, at the most a little more.
        if !name.starts_with("PIPEBANK_SEED") {
            assert!(width < 1_100.0, "{name}: {width}");
        }
    }
}
