//! Two plots in one SVG: throughput and snapshot latency over the number of nodes.
//!
//! Axes are linear and begin at 0. A pale column ends at the median of the runs, and the bar on it
//! reaches from the least of them to the most.

use std::fmt::Write;

use crate::loads::median;
use crate::machine::Machine;
use crate::rows::Row;

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 494.0;
/// Of the area between the axes of each plot.
const PLOT: (f64, f64) = (360.0, 260.0);
const TOP: f64 = 126.0;
const LEFTS: [f64; 2] = [62.0, 526.0];
/// The share of a group's room that its columns take.
const FILLED: f64 = 0.84;
/// A bar is seen also where all runs are alike.
const LEAST_BAR: f64 = 2.0;
/// Groups that are lower than this share of the axis have their figure above them.
const LOW: f64 = 0.04;
/// Why throughput falls beyond this many nodes: measured with the raw baseline (see the README).
const FALLS_BEYOND: u64 = 64;
const NOTE: [&str; 2] = [
    "Beyond 64 nodes a write has half as many transfers for a peer, also between raw pipes: each takes \
     about 1.6 times the CPU time.",
    "Four times as many channels, as 128 nodes have, cost 1.2 to 1.5 times as much on top of that.",
];

/// Plain properties, since not everything that shows SVG knows CSS variables.
pub(crate) const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.tick, .foot { font-size: 12px; fill: #59636e }
.paper { fill: #ffffff }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.column { fill-opacity: 0.35 }
.a { fill: #0969da }
.b { fill: #bc4c00 }
.c { fill: #1a7f37 }
.d { fill: #59636e }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.tick, .foot { fill: #9198a1 }
.paper { fill: #0d1117 }
.grid { stroke: #3d444d }
.a { fill: #4493f8 }
.b { fill: #f0883e }
.c { fill: #3fb950 }
.d { fill: #9198a1 }
}
";

/// The columns of one colour: class, name, and for each number of nodes what the runs gave.
struct Series {
    class: char,
    name: &'static str,
    runs: Vec<(u64, Vec<f64>)>,
}

/// The drawing; series without a figure are left out.
pub(crate) fn svg(rows: &[Row], machine: &Machine) -> String {
    let runs = |prefix: &str, of: fn(&Row) -> &Vec<f64>| -> Vec<(u64, Vec<f64>)> {
        let runs = |row: &Row| {
            let nodes = row.key.strip_prefix(prefix)?.parse().ok()?;
            let runs = of(row).clone();
            (!runs.is_empty()).then_some((nodes, runs))
        };
        rows.iter().filter_map(runs).collect()
    };
    let ours = |class, name, prefix: &str| Series {
        class,
        name,
        runs: runs(prefix, |row| &row.ours_runs),
    };
    let throughput = [
        Series {
            class: 'd',
            name: "raw pipes, no bank",
            runs: runs("load.off.", |row| &row.raw_runs),
        },
        ours('a', "snapshots off", "load.off."),
        ours('b', "10 snapshots/s", "load.ten."),
        ours('c', "back to back", "load.back_to_back."),
    ];
    let latency = [
        ours('b', "under load, 10/s", "latency.ten."),
        ours('c', "under load, back to back", "latency.back_to_back."),
        ours('d', "idle, by script", "latency.idle."),
    ];
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" \
         aria-label=\"Throughput and snapshot latency over the number of nodes\">\n\
         <style>\n{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" class=\"paper\"/>\n"
    );
    let [left, right] = LEFTS;
    plot(
        &mut text,
        left,
        "Million transfers a second",
        &throughput,
        1e-6,
    );
    plot(&mut text, right, "Snapshot latency in ms", &latency, 1.0);
    let machine = machine
        .to_string()
        .replace('&', "&amp;")
        .replace('<', "&lt;");
    let mut measured = throughput.iter().flat_map(|series| &series.runs);
    let falls = measured.any(|(nodes, _)| *nodes > FALLS_BEYOND);
    let mut foot =
        vec!["Columns end at the median of the runs, bars reach from the least to the most."];
    foot.extend(NOTE.iter().filter(|_| falls));
    foot.push(&machine);
    for (nth, line) in foot.iter().enumerate() {
        let y = HEIGHT - 12.0 - 17.0 * (foot.len() - 1 - nth) as f64;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<text class=\"foot\" x=\"18\" y=\"{y}\">{line}</text>"
        );
    }
    text.push_str("</svg>\n");
    text
}

fn plot(text: &mut String, left: f64, title: &str, series: &[Series], unit: f64) {
    let _ = writeln!(text, "<g transform=\"translate({left} {TOP})\">");
    let _ = writeln!(
        text,
        "<text class=\"title\" x=\"-44\" y=\"-92\">{title}</text>"
    );
    let shown: Vec<&Series> = series.iter().filter(|it| !it.runs.is_empty()).collect();
    let all = || shown.iter().flat_map(|series| &series.runs);
    let most = all().flat_map(|(_, runs)| runs).copied().reduce(f64::max);
    let mut nodes: Vec<u64> = all().map(|(nodes, _)| *nodes).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let Some(most) = most.filter(|most| *most > 0.0) else {
        text.push_str("<text x=\"0\" y=\"20\">not measured</text>\n</g>\n");
        return;
    };
    let step = step(most * unit);
    let top = (most * unit / step).ceil() * step;
    let up = |value: f64| PLOT.1 * (1.0 - value * unit / top);
    let mut line = 0.0;
    while line <= top * 1.001 {
        let y = up(line / unit);
        let _ = writeln!(
            text,
            "<line class=\"grid\" x1=\"0\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" x=\"-8\" y=\"{:.1}\" text-anchor=\"end\">{line}</text>",
            PLOT.0,
            y + 4.0
        );
        line += step;
    }
    let room = PLOT.0 / nodes.len() as f64;
    for (nth, nodes) in nodes.iter().enumerate() {
        let words = if nth == 0 { " nodes" } else { "" };
        let _ = writeln!(
            text,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{nodes}{words}</text>",
            (nth as f64 + 0.5) * room,
            PLOT.1 + 17.0
        );
        let here = all().filter(|(count, _)| count == nodes);
        let most = here.flat_map(|(_, runs)| runs).copied().fold(0.0, f64::max) * unit;
        if most < top * LOW {
            let _ = writeln!(
                text,
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">≤ {}</text>",
                (nth as f64 + 0.5) * room,
                up(most / unit) - 8.0,
                rounded_up(most)
            );
        }
    }
    let width = room * FILLED / shown.len() as f64;
    for (index, series) in shown.iter().enumerate() {
        let _ = writeln!(text, "<g class=\"{}\">", series.class);
        for (count, runs) in &series.runs {
            let nth = nodes.partition_point(|it| it < count) as f64;
            let x = (nth + (1.0 - FILLED) / 2.0) * room + index as f64 * width;
            column(text, x, width, runs, up);
        }
        name(text, series.name, index);
        text.push_str("</g>\n");
    }
    text.push_str("</g>\n");
}

/// A column up to the median, and on it a bar from the least to the most.
fn column(text: &mut String, x: f64, width: f64, runs: &[f64], up: impl Fn(f64) -> f64) {
    let least = runs.iter().copied().fold(f64::INFINITY, f64::min);
    let most = runs.iter().copied().fold(0.0, f64::max);
    let middle = up(median(runs.to_vec()).unwrap_or(0.0));
    let (top, bottom) = (up(most), up(least));
    let height = (bottom - top).max(LEAST_BAR);
    let _ = writeln!(
        text,
        "<rect class=\"column\" x=\"{:.1}\" y=\"{middle:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>\
         <rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
        x + 0.5,
        width - 1.0,
        PLOT.1 - middle,
        x + width * 0.3,
        width * 0.4,
    );
}

/// A series' place in the legend: two columns above the plot.
fn name(text: &mut String, name: &str, index: usize) {
    let (across, down) = ((index % 2) as f64 * 186.0, (index / 2) as f64 * 22.0 - 66.0);
    let _ = writeln!(
        text,
        "<rect class=\"column\" x=\"{across}\" y=\"{}\" width=\"12\" height=\"12\"/>\
         <rect x=\"{}\" y=\"{}\" width=\"5\" height=\"7\"/>\
         <text class=\"name\" x=\"{}\" y=\"{}\">{name}</text>",
        down - 6.0,
        across + 3.5,
        down - 8.0,
        across + 19.0,
        down + 4.5
    );
}

/// With two digits.
fn rounded_up(value: f64) -> String {
    let digits = (1.0 - value.log10().floor()).clamp(0.0, 3.0);
    let scale = 10f64.powf(digits);
    format!("{}", (value * scale).ceil() / scale)
}

/// From a line of the grid to the next: 1, 2 or 5 times a power of ten, and about five of them.
pub(crate) fn step(most: f64) -> f64 {
    let power = 10f64.powf((most / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    let found = steps.iter().find(|step| most / **step <= 6.0);
    found.copied().unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let load = |nodes: u64, runs: [f64; 3]| {
            let mut row = Row::new(
                format!("load.off.{nodes}"),
                "load",
                crate::rows::Unit::PerSecond,
            );
            row.ours_runs = runs.map(|run| run * 1e6).to_vec();
            row.raw_runs = runs.map(|run| run * 2e6).to_vec();
            row
        };
        vec![load(2, [30.0, 10.0, 20.0]), load(128, [40.0, 40.0, 40.0])]
    }

    /// The y, height, x and width of each rectangle of a class.
    fn rects(text: &str, class: &str) -> Vec<[f64; 4]> {
        let class = format!("<rect class=\"{class}\" x=\"");
        let number = |rect: &str, name: &str| -> f64 {
            let (_, rest) = rect.split_once(&format!(" {name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        let parts = text
            .split("/>")
            .filter_map(|part| Some(&part[part.find(&class)?..]));
        // Those of the legend are as wide.
        let plotted = parts.filter(|part| !part.contains("width=\"12\""));
        plotted
            .map(|it| ["y", "height", "x", "width"].map(|name| number(it, name)))
            .collect()
    }

    #[test]
    fn bars_reach_from_the_least_to_the_most_on_a_linear_axis_that_begins_at_0() {
        let text = svg(&rows(), &Machine::here(1));
        // The axis goes to 80 million; raw comes first.
        let per_million = PLOT.1 / 80.0;
        let spans = |class| -> Vec<[f64; 2]> {
            let rects = rects(&text, class).into_iter();
            rects
                .map(|[y, height, ..]| {
                    [y + height, y].map(|it| ((PLOT.1 - it) / per_million).round())
                })
                .collect()
        };
        assert_eq!(
            spans("column"),
            [[0.0, 40.0], [0.0, 80.0], [0.0, 20.0], [0.0, 40.0]]
        );
        assert_eq!(spans("bar")[0], [20.0, 60.0]);
        assert_eq!(spans("bar")[2], [10.0, 30.0]);
    }

    #[test]
    fn what_is_too_low_to_be_read_has_its_figure() {
        let mut rows = rows();
        rows[0].ours_runs = vec![31e4, 52e4];
        rows[0].raw_runs = vec![123_456.0];
        let text = svg(&rows, &Machine::here(1));
        assert!(text.contains(">≤ 0.52<"), "{text}");
    }

    #[test]
    fn no_colour_is_hidden_under_another() {
        let mut columns = rects(&svg(&rows(), &Machine::here(1)), "column");
        columns.sort_by(|a, b| a[2].total_cmp(&b[2]));
        for pair in columns.windows(2) {
            assert!(pair[0][2] + pair[0][3] <= pair[1][2], "{pair:?}");
        }
    }
}
