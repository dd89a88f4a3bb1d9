//! The bank under load: with snapshots off, ten a second, and back to back.

use std::time::Duration;

use crate::error::Error;
use crate::jobs::{Bench, Job};
use crate::ours::{Lasts, Summary};
use crate::plan::Layout;
use crate::raw;
use crate::rows::{Row, State, Unit};
use bank::topology::Shape;

/// How snapshots are taken: the option's value, and what the keys and the words are.
pub(crate) const MODES: [(&str, &str, &str); 3] = [
    ("none", "off", "snapshots off"),
    ("100", "ten", "10 snapshots/s"),
    ("0", "back_to_back", "snapshots back to back"),
];

/// How snapshots are taken of this one: of other shapes than meshes there are fewer figures.
fn modes(layout: Layout) -> &'static [(&'static str, &'static str, &'static str)] {
    match layout.shape {
        Shape::Mesh => &MODES,
        _ => &MODES[..2],
    }
}

/// The share of the raw baseline's throughput that the bank must reach.
const RATIO: f64 = 0.6;

pub(crate) fn load(layout: Layout, can_load: bool) -> Job {
    // Million transfers a second with snapshots off, and milliseconds for a snapshot.
    let (rate, latency) = match (layout.shape, layout.nodes) {
        (Shape::Mesh, 4) => (Some(15e6), Some(1.0)),
        (Shape::Mesh, 16) => (Some(12e6), Some(5.0)),
        (Shape::Mesh, 64) => (Some(8e6), Some(30.0)),
        (Shape::Mesh, 128) => (None, Some(300.0)),
        _ => (None, None),
    };
    let name = layout.key();
    let mut rows = Vec::new();
    for (every, key, words) in modes(layout) {
        let measure = format!("load, {layout}, {words}");
        let row = Row::new(format!("load.{key}.{name}"), measure, Unit::PerSecond);
        rows.push(match *every {
            "none" => row.target(rate).ratio_target(rate.map(|_| RATIO)),
            _ => row,
        });
    }
    for (_, key, words) in &modes(layout)[1..] {
        let measure = format!("snapshot under load, {layout}, {words}, median");
        let row = Row::new(format!("latency.{key}.{name}"), measure, Unit::Milliseconds);
        rows.push(row.target(latency.filter(|_| *key == "ten")));
    }
    Job {
        what: format!("load, {layout}"),
        rows: unless(can_load, rows),
        work: Box::new(move |bench, rows| measure(bench, layout, can_load, rows)),
    }
}

/// So long that several snapshots are over before the load is, which hastens the last.
fn duration(usual: Duration, layout: Layout, every: &str) -> Duration {
    /// Several snapshots, for each node that their markers pass one after the other.
    const PER_HOP: Duration = Duration::from_millis(30);
    match (layout.shape, every) {
        (Shape::Ring, "100") => usual.max(PER_HOP * layout.nodes as u32),
        _ => usual,
    }
}

fn measure(bench: &Bench, layout: Layout, can_load: bool, rows: &mut [Row]) -> Result<(), Error> {
    for _ in 0..bench.plan.repeats {
        rows[0]
            .raw_runs
            .push(raw::load::measure(layout, bench.plan.load)?);
        if !can_load {
            continue;
        }
        let modes = modes(layout);
        for (at, (every, _, _)) in modes.iter().enumerate() {
            let duration = duration(bench.plan.load, layout, every);
            let summary = audited(bench.ours.load(layout, duration, every, Lasts::Not)?)?;
            rows[at].ours_runs.push(summary.rate);
            if at > 0 {
                let latency = &mut rows[modes.len() + at - 1].ours_runs;
                latency.extend(summary.latency_ms.p50);
            }
        }
    }
    let best = |runs: &[f64]| runs.iter().copied().reduce(f64::max);
    for row in rows {
        row.raw = best(&row.raw_runs);
        row.ours = match row.unit {
            Unit::PerSecond => best(&row.ours_runs),
            _ => median(row.ours_runs.clone()),
        };
    }
    Ok(())
}

/// What ten snapshots a second cost: runs with and without them, by turns.
pub(crate) fn loss(nodes: usize, can_load: bool) -> Job {
    let measure = format!("loss of throughput at 10 snapshots/s, {nodes} nodes");
    let row = Row::new("load.loss", &measure, Unit::Percent).target(3.0);
    Job {
        what: measure,
        rows: unless(can_load, vec![row]),
        work: Box::new(move |bench, rows| {
            if !can_load {
                return Ok(());
            }
            let rate = |every| -> Result<f64, Error> {
                let summary =
                    bench
                        .ours
                        .load(Layout::mesh(nodes), bench.plan.loss, every, Lasts::Not)?;
                Ok(audited(summary)?.rate)
            };
            let mut losses = Vec::new();
            for turn in 0..bench.plan.loss_pairs {
                // Whoever comes second finds another machine: each does so half of the time.
                let (off, on) = if turn % 2 == 0 {
                    let off = rate("none")?;
                    (off, rate("100")?)
                } else {
                    let on = rate("100")?;
                    (rate("none")?, on)
                };
                losses.push(100.0 * (1.0 - on / off));
            }
            rows[0].note = spread(&losses);
            rows[0].ours = median(losses);
            Ok(())
        }),
    }
}

/// The note of a median.
pub(crate) fn spread(losses: &[f64]) -> Option<String> {
    let least = losses.iter().copied().reduce(f64::min)?;
    let most = losses.iter().copied().reduce(f64::max)?;
    Some(format!(
        "the median of {} pairs of runs, from {least:.1} % to {most:.1} %",
        losses.len()
    ))
}

pub(crate) fn audited(summary: Summary) -> Result<Summary, Error> {
    if summary.audited == summary.snapshots {
        return Ok(summary);
    }
    Err(Error::Master {
        arguments: "load".to_owned(),
        status: "snapshots that were not audited".to_owned(),
    })
}

fn unless(can_load: bool, rows: Vec<Row>) -> Vec<Row> {
    if can_load {
        return rows;
    }
    let skip = |row| skipped(row, "this master has no subcommand `load`");
    rows.into_iter().map(skip).collect()
}

/// A row that is there, with the reason why it has no figure.
pub(crate) fn skipped(mut row: Row, why: &str) -> Row {
    row.state = State::Skipped;
    row.note = Some(why.to_owned());
    row
}

/// The middle one; of an even number, the smaller of two.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// Seconds, for plans.
pub(crate) const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
