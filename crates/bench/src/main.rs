//! The whole, measured: `scripts/bench` builds and runs this. Ours and the raw baseline are measured
//! by turns, because machines drift.
//!
//! The raw baselines are in `raw`; what is measured, and against which targets, is in `jobs` and
//! `loads`; how much of it, in `plan`.
//!
#![doc = include_str!("../README.md")]
#![allow(missing_docs)]

mod comebacks;
mod cpus;
mod error;
mod frames;
mod jobs;
mod lasting;
mod loads;
mod machine;
mod ours;
mod plan;
mod plot;
mod progress;
mod raw;
mod rows;
mod saw;
mod scripts;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::cpus::Cpus;
use crate::error::{Error, While};
use crate::jobs::{Bench, Job};
use crate::machine::Machine;
use crate::ours::Ours;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::rows::{Row, State};

/// Measures the bank beside raw baselines that make the same system calls without it.
///
/// Ratios are of our speed to the raw one, so more is better everywhere. Ours and raw are measured
/// by turns, and the best of each counts. Leave the machine alone meanwhile.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Options {
    /// Measure less, in about a minute (in full: about fifteen)
    #[arg(long)]
    quick: bool,
    /// Measure nearly nothing, only to see that everything runs
    #[arg(long)]
    smoke: bool,
    /// Measure only what has this in its name, such as `load` or `script`; may be given several times
    #[arg(long, value_name = "WORDS")]
    only: Vec<String>,
    /// Write one JSON document too; with `-` to standard output, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw throughput and snapshot latency over the number of nodes
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw how much the journals of a bank that lasts take over time
    #[arg(long, value_name = "FILE")]
    saw: Option<PathBuf>,
    /// Where the programs `master`, `node` and `observer` are
    #[arg(long, value_name = "DIR")]
    bin_dir: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    let outcome = match arguments.get(1).map(String::as_str) {
        Some("child") => raw::child(&arguments[2..]).map(|()| ExitCode::SUCCESS),
        _ => run(&Options::parse()),
    };
    outcome.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "bench: {error}");
        ExitCode::FAILURE
    })
}

fn run(options: &Options) -> Result<ExitCode, Error> {
    // As master does for itself: a mesh in the making has many descriptors open.
    pipes::raise_descriptor_limit(u64::MAX)?;
    let plan = match (options.smoke, options.quick) {
        (true, _) => Plan::SMOKE,
        (_, true) => Plan::QUICK,
        _ => Plan::FULL,
    };
    let mode = plan.mode;
    let bench = Bench {
        ours: Ours::new(&options.bin_dir)?,
        cpus: Cpus::allowed()?,
        plan,
    };
    let machine = Machine::here(bench.cpus.count());
    let mut jobs = jobs::all(&bench.plan, bench.cpus.count(), bench.ours.can_load());
    let only = &options.only;
    jobs.retain(|job| only.is_empty() || only.iter().any(|words| job.what.contains(words)));
    let mut progress = Progress::new(jobs.len());
    let mut rows = Vec::new();
    for job in jobs {
        progress.step(&job.what);
        rows.extend(measured(&bench, job)?);
    }
    progress.end();

    if let Some(path) = &options.svg {
        fs::write(path, plot::svg(&rows, &machine)).while_("write the plot")?;
    }
    if let Some(path) = &options.saw {
        fs::write(path, saw::svg(&rows, &machine)).while_("write the plot")?;
    }
    let table = rows::table(&rows, &machine);
    let document = format!("{:#}\n", rows::document(&rows, &machine, mode));
    match options.json.as_deref() {
        Some(path) if path == Path::new("-") => print(&document)?,
        Some(path) => {
            print(&table)?;
            fs::write(path, document).while_("write the document")?;
        }
        None => print(&table)?,
    }
    let failed = rows.iter().any(|row| row.state == State::Failed);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The rows of a job, with figures or with the reason why there are none.
fn measured(bench: &Bench, job: Job) -> Result<Vec<Row>, Error> {
    let Job { mut rows, work, .. } = job;
    let is_skipped = |row: &Row| row.state == State::Skipped && row.raw.is_none();
    // A baseline is worth having even where there is nothing to compare it with.
    let outcome = work(bench, &mut rows);
    bench.cpus.anywhere()?;
    if let Err(error) = outcome {
        for row in rows.iter_mut().filter(|row| !is_skipped(row)) {
            row.state = State::Failed;
            row.note = Some(error.to_string());
        }
    }
    Ok(rows)
}

/// Writes to standard output; that nobody reads it is no failure.
fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.while_("write the table"),
    }
}

/// This program, to be started again as a child.
fn own_path() -> Result<PathBuf, Error> {
    env::current_exe().while_("find this program")
}
