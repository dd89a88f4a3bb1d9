//! How much the journals of a bank that lasts take over time: a line, on linear axes that begin at 0.

use std::fmt::Write;

use crate::lasting::{LOOK, SAW, TOOTH};
use crate::machine::Machine;
use crate::plot::{STYLE, step};
use crate::rows::Row;

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 346.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 52.0;
/// Between the axes.
const PLOT: (f64, f64) = (838.0, 210.0);

/// The drawing of what was looked at.
pub(crate) fn svg(rows: &[Row], machine: &Machine) -> String {
    let row = rows.iter().find(|row| row.key == SAW);
    let megabytes = row.map_or(&[][..], |row| &row.ours_runs);
    let seconds = LOOK.as_secs_f64() * megabytes.len() as f64;
    let most = megabytes.iter().copied().fold(0.0, f64::max);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" \
         aria-label=\"What the journals of four nodes take on the disk, over time\">\n\
         <style>\n{STYLE}.line {{ fill: none; stroke-width: 1.5; stroke-linejoin: round }}\n\
         .line.a {{ stroke: #0969da }}\n\
         @media (prefers-color-scheme: dark) {{\n.line.a {{ stroke: #4493f8 }}\n}}\n</style>\n\
         <rect width=\"100%\" height=\"100%\" class=\"paper\"/>\n\
         <text class=\"title\" x=\"18\" y=\"28\">Journals on the disk, in megabytes</text>\n\
         <g transform=\"translate({LEFT} {TOP})\">\n"
    );
    if most > 0.0 {
        draw(&mut text, megabytes, seconds, most);
    } else {
        text.push_str("<text x=\"0\" y=\"20\">not measured</text>\n");
    }
    text.push_str("</g>\n");
    let machine = { machine.to_string() }
        .replace('&', "&amp;")
        .replace('<', "&lt;");
    let tooth = TOOTH.as_millis();
    let foot = [
        format!(
            "Load among 4 nodes, a snapshot every {tooth} ms: once it has passed its audit, all segments before it go."
        ),
        machine,
    ];
    for (line, y) in foot.iter().zip([HEIGHT - 29.0, HEIGHT - 12.0]) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<text class=\"foot\" x=\"18\" y=\"{y}\">{line}</text>"
        );
    }
    text.push_str("</svg>\n");
    text
}

fn draw(text: &mut String, megabytes: &[f64], seconds: f64, most: f64) {
    let (up, across) = (step(most), step(seconds));
    let top = (most / up).ceil() * up;
    let y = |value: f64| PLOT.1 * (1.0 - value / top);
    let x = |second: f64| PLOT.0 * second / seconds;
    let mut value = 0.0;
    while value <= top * 1.001 {
        let _ = writeln!(
            text,
            "<line class=\"grid\" x1=\"0\" x2=\"{}\" y1=\"{2:.1}\" y2=\"{2:.1}\"/>\
             <text class=\"tick\" x=\"-8\" y=\"{3:.1}\" text-anchor=\"end\">{1}</text>",
            PLOT.0,
            value,
            y(value),
            y(value) + 4.0
        );
        value += up;
    }
    let mut second = 0.0;
    while second <= seconds * 1.001 {
        let unit = if second == 0.0 { " s" } else { "" };
        let _ = writeln!(
            text,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{second}{unit}</text>",
            x(second),
            PLOT.1 + 17.0
        );
        second += across;
    }
    let points: Vec<String> = { megabytes.iter().enumerate() }
        .map(|(nth, value)| format!("{:.1},{:.1}", x(nth as f64 * LOOK.as_secs_f64()), y(*value)))
        .collect();
    let _ = writeln!(
        text,
        "<polyline class=\"line a\" points=\"{}\"/>",
        points.join(" ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Unit;

    #[test]
    fn the_line_goes_through_what_was_seen_on_axes_that_begin_at_0() {
        let mut row = Row::new(SAW, "journals", Unit::Megabytes);
        row.ours_runs = vec![0.0, 40.0, 10.0, 20.0];
        let text = svg(&[row], &Machine::here(1));
        let (_, points) = text.split_once("points=\"").unwrap();
        let (points, _) = points.split_once('"').unwrap();
        assert_eq!(points, "0.0,210.0 209.5,0.0 419.0,157.5 628.5,105.0");
    }

    #[test]
    fn what_was_not_measured_is_not_drawn() {
        assert!(svg(&[], &Machine::here(1)).contains("not measured"));
    }
}
