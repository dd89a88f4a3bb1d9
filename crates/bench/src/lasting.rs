//! The bank that lasts, beside the same bank without `--data` in the same run: that is here what stands
//! under "raw".

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::comebacks;
use crate::error::{Error, While};
use crate::jobs::{Bench, Job, SCRIPTS, Script};
use crate::loads::{audited, median, millis, skipped, spread};
use crate::ours::Lasts;
use crate::plan::{Layout, Plan};
use crate::rows::{Row, Unit};

/// The row of which the saw is drawn, and the time between two of its values.
pub(crate) const SAW: &str = "lasting.journals.4";
pub(crate) const LOOK: Duration = millis(10);
/// How often a snapshot is taken meanwhile, so that one tooth is told from the next.
pub(crate) const TOOTH: Duration = millis(500);

/// Never, in milliseconds: a bank that lasts has to have snapshots.
const OFF: &str = "3600000";

/// Everything there is to do.
pub(crate) fn all(plan: &Plan, can_load: bool) -> Vec<Job> {
    let mut loads = Vec::new();
    for nodes in plan.lasting_nodes {
        loads.extend([load(*nodes), synced_load(*nodes)]);
    }
    loads.extend([bytes_a_transfer(), loss(plan.loss_nodes), journals()]);
    if !can_load {
        for job in &mut loads {
            let skip = |row: &Row| skipped(row.clone(), "this master has no subcommand `load`");
            job.rows = job.rows.iter().map(skip).collect();
            job.work = Box::new(|_, _| Ok(()));
        }
    }
    let mut jobs: Vec<Job> = SCRIPTS.map(script).into();
    jobs.extend(loads);
    jobs.push(sync());
    jobs.extend(comebacks::all(plan.killed_nodes));
    jobs
}

fn job(row: Row, work: impl Fn(&Bench, &mut Row) -> Result<(), Error> + 'static) -> Job {
    Job {
        what: row.measure.clone(),
        rows: vec![row],
        work: Box::new(move |bench, rows| work(bench, &mut rows[0])),
    }
}

/// With `--data` and without, by turns. Whoever comes second finds another machine: each does so half of
/// the time.
fn pairs(
    bench: &Bench,
    row: &mut Row,
    rate: impl Fn(Lasts) -> Result<f64, Error>,
) -> Result<(), Error> {
    for turn in 0..bench.plan.pairs {
        let mut order = [Lasts::Not, Lasts::Deaths];
        order.rotate_left(turn % 2);
        for lasts in order {
            let rate = rate(lasts)?;
            match lasts {
                Lasts::Not => row.raw_runs.push(rate),
                _ => row.ours_runs.push(rate),
            }
        }
    }
    let both = row.ours_runs.iter().zip(&row.raw_runs);
    let ratios: Vec<f64> = both.map(|(ours, raw)| ours / raw).collect();
    let percents: Vec<f64> = ratios.iter().map(|ratio| 100.0 * ratio).collect();
    row.note = spread(&percents);
    row.ratio_of_pairs = median(ratios);
    row.ours = median(row.ours_runs.clone());
    row.raw = median(row.raw_runs.clone());
    Ok(())
}

fn script(script: Script) -> Job {
    let measure = format!("{}, `--data`", script.measure);
    let target = if script.window.is_some() { 0.90 } else { 0.95 };
    let row = Row::new(format!("lasting.{}", script.key), measure, Unit::PerSecond);
    job(row.ratio_target(target), move |bench, row| {
        let (commands, path, _) = script.write(bench)?;
        pairs(bench, row, |lasts| {
            let seconds = bench.ours.script(&path, script.window, lasts)?;
            Ok(commands as f64 / seconds)
        })
    })
}

fn load(nodes: usize) -> Job {
    let measure = format!("load, {nodes} nodes, 10 snapshots/s, `--data`");
    let row = Row::new(format!("lasting.load.{nodes}"), measure, Unit::PerSecond);
    job(row.ratio_target(0.7), move |bench, row| {
        pairs(bench, row, |lasts| {
            let layout = Layout::mesh(nodes);
            let summary = bench.ours.load(layout, bench.plan.load, "100", lasts)?;
            Ok(audited(summary)?.rate)
        })
    })
}

fn synced_load(nodes: usize) -> Job {
    let measure = format!("load, {nodes} nodes, 10 snapshots/s, `--data --sync`");
    let row = Row::new(format!("lasting.sync.{nodes}"), measure, Unit::PerSecond);
    let target = match nodes {
        4 => Some(2e6),
        16 => Some(8e6),
        _ => None,
    };
    job(row.target(target), move |bench, row| {
        for _ in 0..bench.plan.repeats {
            let (layout, duration) = (Layout::mesh(nodes), bench.plan.load);
            let summary = bench.ours.load(layout, duration, "100", Lasts::Failures)?;
            row.ours_runs.push(audited(summary)?.rate);
        }
        row.ours = median(row.ours_runs.clone());
        Ok(())
    })
}

/// How many bytes a small write has, as far as it can be told from others.
const SMALL: usize = 64;
/// And where it stops being told.
const SYNCED: u64 = 1 << 20;

/// What the disk can do: one process, which writes a little and waits for it.
fn sync() -> Job {
    let measure = "fdatasync after a write of 64 bytes, one process";
    let row = Row::new("lasting.fdatasync", measure, Unit::PerSecond);
    job(row, |bench, row| {
        let path = bench.ours.scratch("synced");
        let file = File::create(&path).while_("make a file")?;
        // As a journal has its room before it is written.
        file.write_all_at(&vec![0; SYNCED as usize], 0)
            .and_then(|()| file.sync_all())
            .while_("write a file")?;
        let (mut count, began) = (0_u64, Instant::now());
        while began.elapsed() < bench.plan.load {
            let at = count * SMALL as u64 % SYNCED;
            file.write_all_at(&[1; SMALL], at)
                .and_then(|()| file.sync_data())
                .while_("sync a file")?;
            count += 1;
        }
        row.raw = Some(count as f64 / began.elapsed().as_secs_f64());
        fs::remove_file(path).while_("remove a file")
    })
}

/// Before the second snapshot nothing of a journal is removed.
fn bytes_a_transfer() -> Job {
    let measure = "journals' bytes for a transfer, 4 nodes, balance 1,000";
    let row = Row::new("lasting.bytes", measure, Unit::Bytes);
    job(row, |bench, row| {
        let (layout, duration) = (Layout::mesh(4), bench.plan.load);
        let summary = bench.ours.load(layout, duration, OFF, Lasts::Deaths)?;
        let bytes = summary.journal_bytes.map(|it| it.most as f64);
        row.ours = bytes.map(|bytes| bytes / summary.transfers as f64);
        Ok(())
    })
}

/// What ten snapshots a second cost, with `--data` and without: runs with and without them, by turns.
fn loss(nodes: usize) -> Job {
    let words = format!("loss of throughput at 10 snapshots/s, {nodes} nodes");
    let row = |key, measure| Row::new(key, measure, Unit::Percent);
    Job {
        what: format!("{words}, `--data`"),
        rows: vec![
            row("lasting.loss", format!("{words}, `--data`")),
            row(
                "lasting.loss.more",
                "by so much more than without `--data`".to_owned(),
            )
            .target(3.0),
        ],
        work: Box::new(move |bench, rows| {
            let rate = |every, lasts| -> Result<f64, Error> {
                let (layout, duration) = (Layout::mesh(nodes), bench.plan.loss);
                Ok(audited(bench.ours.load(layout, duration, every, lasts)?)?.rate)
            };
            let (mut losses, mut mores) = (Vec::new(), Vec::new());
            for turn in 0..bench.plan.loss_pairs {
                let loss = |lasts| -> Result<f64, Error> {
                    let mut runs = [OFF, "100"];
                    runs.rotate_left(turn % 2);
                    let rates = (rate(runs[0], lasts)?, rate(runs[1], lasts)?);
                    let (off, on) = match turn % 2 {
                        0 => rates,
                        _ => (rates.1, rates.0),
                    };
                    Ok(100.0 * (1.0 - on / off))
                };
                let (without, with) = (loss(Lasts::Not)?, loss(Lasts::Deaths)?);
                losses.push(with);
                mores.push(with - without);
            }
            for (row, values) in rows.iter_mut().zip([losses, mores]) {
                row.note = spread(&values);
                row.ours = median(values);
            }
            Ok(())
        }),
    }
}

/// How much of the disk the journals take, looked at again and again.
fn journals() -> Job {
    let measure = "journals on the disk, 4 nodes, 2 snapshots/s, at most";
    let row = Row::new(SAW, measure, Unit::Megabytes);
    job(row, |bench, row| {
        let data = bench.ours.data();
        let (duration, every) = (bench.plan.load, TOOTH.as_millis().to_string());
        let looks = duration.as_millis() / LOOK.as_millis();
        let mut seen = Vec::new();
        let look = || {
            let began = Instant::now();
            for turn in 1..=looks as u32 {
                seen.push(on_the_disk(&data) as f64 / 1e6);
                thread::sleep((LOOK * turn).saturating_sub(began.elapsed()));
            }
        };
        let layout = Layout::mesh(4);
        let summary = bench
            .ours
            .load_beside(layout, duration, &every, Lasts::Deaths, look)?;
        audited(summary)?;
        row.ours = seen.iter().copied().reduce(f64::max);
        row.ours_runs = seen;
        Ok(())
    })
}

/// Files may go meanwhile.
fn on_the_disk(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let blocks = files.filter_map(|file| Some(file.metadata().ok()?.blocks()));
    blocks.sum::<u64>() * 512
}
