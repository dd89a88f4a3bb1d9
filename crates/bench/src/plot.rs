//! Two plots in one SVG: throughput and snapshot latency over the number of nodes, log axes.

use std::fmt::Write;

use crate::machine::Machine;
use crate::rows::Row;

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 446.0;
/// Of the area between the axes of each plot.
const PLOT: (f64, f64) = (340.0, 240.0);
const TOP: f64 = 126.0;
const LEFTS: [f64; 2] = [78.0, 528.0];

/// Plain properties, since not everything that shows SVG knows CSS variables.
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.tick, .foot { font-size: 12px; fill: #59636e }
.paper { fill: #ffffff }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
.dot { stroke: #ffffff; stroke-width: 1.5 }
.a .line { stroke: #0969da } .a .dot { fill: #0969da }
.b .line { stroke: #bc4c00 } .b .dot { fill: #bc4c00 }
.c .line { stroke: #1a7f37 } .c .dot { fill: #1a7f37 }
.d .line { stroke: #59636e; stroke-dasharray: 6 4 } .d .dot { fill: #59636e }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.tick, .foot { fill: #9198a1 }
.paper { fill: #0d1117 }
.grid { stroke: #3d444d }
.dot { stroke: #0d1117 }
.a .line { stroke: #4493f8 } .a .dot { fill: #4493f8 }
.b .line { stroke: #f0883e } .b .dot { fill: #f0883e }
.c .line { stroke: #3fb950 } .c .dot { fill: #3fb950 }
.d .line { stroke: #9198a1 } .d .dot { fill: #9198a1 }
}
";

/// A line of a plot: its class, its name, and its points (nodes, value).
struct Series {
    class: char,
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// The drawing; series without a figure are left out.
pub(crate) fn svg(rows: &[Row], machine: &Machine) -> String {
    let points = |prefix: &str, value: fn(&Row) -> Option<f64>| -> Vec<(f64, f64)> {
        let point = |row: &Row| {
            let nodes = row.key.strip_prefix(prefix)?.parse().ok()?;
            value(row)
                .filter(|value| *value > 0.0)
                .map(|value| (nodes, value))
        };
        rows.iter().filter_map(point).collect()
    };
    let ours = |class, name, prefix: &str| Series {
        class,
        name,
        points: points(prefix, |row| row.ours),
    };
    let throughput = [
        Series {
            class: 'd',
            name: "raw pipes, no bank",
            points: points("load.off.", |row| row.raw),
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
    plot(
        &mut text,
        LEFTS[0],
        "Transfers per second",
        &throughput,
        rate,
    );
    plot(
        &mut text,
        LEFTS[1],
        "Snapshot latency, median",
        &latency,
        time,
    );
    let foot = machine
        .to_string()
        .replace('&', "&amp;")
        .replace('<', "&lt;");
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "<text class=\"foot\" x=\"{}\" y=\"{}\">{foot}</text>\n</svg>",
        LEFTS[0] - 60.0,
        HEIGHT - 12.0
    );
    text
}

fn rate(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => value.to_string(),
    }
}

fn time(milliseconds: f64) -> String {
    match milliseconds {
        value if value >= 1e3 => format!("{} s", value / 1e3),
        value if value >= 1.0 => format!("{value} ms"),
        value => format!("{} µs", (value * 1e3).round()),
    }
}

/// A logarithmic axis from one whole value to another.
struct Axis {
    from: f64,
    to: f64,
    length: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        self.length * (value / self.from).ln() / (self.to / self.from).ln()
    }
}

fn plot(text: &mut String, left: f64, title: &str, series: &[Series], label: fn(f64) -> String) {
    let _ = writeln!(text, "<g transform=\"translate({left} {TOP})\">");
    let _ = writeln!(
        text,
        "<text class=\"title\" x=\"0\" y=\"-92\">{title}</text>"
    );
    let points = || series.iter().flat_map(|series| &series.points);
    let (width, height) = PLOT;
    let Some((x, y)) = axes(points()) else {
        let _ = writeln!(text, "<text x=\"0\" y=\"20\">not measured</text>\n</g>");
        return;
    };
    let mut decade = y.from;
    while decade <= y.to * 1.001 {
        let up = height - y.at(decade);
        let label = label(decade);
        let _ = writeln!(
            text,
            "<line class=\"grid\" x1=\"0\" x2=\"{width}\" y1=\"{up:.1}\" y2=\"{up:.1}\"/>\
             <text class=\"tick\" x=\"-8\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            up + 4.0
        );
        decade *= 10.0;
    }
    let mut nodes: Vec<f64> = points().map(|(nodes, _)| *nodes).collect();
    nodes.sort_by(f64::total_cmp);
    nodes.dedup();
    for nodes in nodes {
        let across = x.at(nodes);
        let _ = writeln!(
            text,
            "<line class=\"grid\" x1=\"{across:.1}\" x2=\"{across:.1}\" y1=\"0\" \
             y2=\"{height}\"/><text class=\"tick\" x=\"{across:.1}\" y=\"{}\" \
             text-anchor=\"middle\">{nodes}</text>",
            height + 17.0
        );
    }
    let _ = writeln!(
        text,
        "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">nodes</text>",
        width / 2.0,
        height + 35.0
    );
    let shown = series.iter().filter(|series| !series.points.is_empty());
    for (index, series) in shown.enumerate() {
        draw(text, series, index, &x, &y);
    }
    text.push_str("</g>\n");
}

/// A line with its dots, and its place in the legend: two columns above the plot.
fn draw(text: &mut String, series: &Series, index: usize, x: &Axis, y: &Axis) {
    let Series {
        class,
        name,
        points,
    } = series;
    let place = |(nodes, value): &(f64, f64)| (x.at(*nodes), PLOT.1 - y.at(*value));
    let path: Vec<String> = points
        .iter()
        .map(place)
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = writeln!(
        text,
        "<g class=\"{class}\"><polyline class=\"line\" points=\"{}\"/>",
        path.join(" ")
    );
    for (x, y) in points.iter().map(place) {
        let _ = writeln!(
            text,
            "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"
        );
    }
    let (across, down) = ((index % 2) as f64 * 186.0, (index / 2) as f64 * 22.0 - 66.0);
    let _ = writeln!(
        text,
        "<line class=\"line\" x1=\"{across}\" x2=\"{}\" y1=\"{down}\" y2=\"{down}\"/>\
         <circle class=\"dot\" cx=\"{}\" cy=\"{down}\" r=\"4\"/>\
         <text x=\"{}\" y=\"{}\">{name}</text></g>",
        across + 26.0,
        across + 13.0,
        across + 33.0,
        down + 4.5
    );
}

/// Both axes around all points; nothing where there are none.
fn axes<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> Option<(Axis, Axis)> {
    let mut bounds: Option<[f64; 4]> = None;
    for (x, y) in points {
        let [x0, x1, y0, y1] = bounds.unwrap_or([*x, *x, *y, *y]);
        bounds = Some([x0.min(*x), x1.max(*x), y0.min(*y), y1.max(*y)]);
    }
    let [x0, x1, y0, y1] = bounds?;
    let lowest = y0.log10().floor();
    let highest = y1.log10().ceil().max(lowest + 1.0);
    let axis = |from: f64, to: f64, length| Axis { from, to, length };
    Some((
        axis(x0 / 1.3, x1 * 1.3, PLOT.0),
        axis(10f64.powf(lowest), 10f64.powf(highest), PLOT.1),
    ))
}
