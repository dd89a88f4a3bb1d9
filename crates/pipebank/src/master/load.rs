//! `master load`: the bank by itself, under full load, photographed meanwhile.
//!
//! ```text
//!   set up      observer, nodes, channels
//!   begin       Watch ──▶ observer      Load ──▶ every node
//!   go on       until the time is over, the quotas are used up, or a signal comes
//!   come to     Rest ──▶ observer and nodes; what was sent to whom ──▶ every node;
//!   rest        each says its balance once all of that has come
//! ```
//!
//! Master takes no part in the traffic: it waits. A death, a snapshot that fails its audit, or
//! money that is missing at the end ends the run at once, without a summary.
//!
//! * `load/options.rs`: the command line;
//! * `load/run.rs`: the run;
//! * `load/progress.rs`, `load/summary.rs`: what is shown of it.

mod options;
mod progress;
mod run;
mod summary;

use std::io;

use pipes::{Signals, write_interruptibly};

use self::run::{Failure, Run};
use self::summary::{Outcome, Summary};
use super::cluster::Cluster;
use super::ending::{Ended, Ending};
use super::failure::Stop;
use super::paint::Painter;
use super::run_dir::RunDir;
use super::{any_seed, find_programs, inherit_little, status};

pub(super) use self::options::LoadOptions;

/// Runs `master load` and returns its exit status.
pub(super) fn run(options: LoadOptions) -> u8 {
    let painter = Painter::new(options.color);
    let json = options.json;
    match prepare(options) {
        Ok(run) => to_its_end(run, painter, json),
        Err(reason) => {
            painter.tell(&reason);
            status::MALFORMED
        }
    }
}

/// Everything that can go wrong before anything is started.
fn prepare(options: LoadOptions) -> Result<Run, String> {
    let deposits = options.deposits()?;
    let of_master = |error| format!("master: {error}");
    inherit_little().map_err(of_master)?;
    if let Some(shortage) = Cluster::needs(None, options.nodes.into(), 1).shortage() {
        return Err(format!("master: {} nodes need {shortage}", options.nodes));
    }
    let signals = Signals::hold().map_err(of_master)?;
    let programs = find_programs(options.bin_dir.as_deref(), options.verbose)?;
    let run_dir = options.run_dir.as_deref().map(RunDir::open);
    let run_dir = run_dir.transpose().map_err(|error| error.to_string())?;
    let cluster = Cluster::new(programs, run_dir).map_err(of_master)?;
    let seed = options.seed.unwrap_or_else(any_seed);
    Ok(Run::new(options, deposits, seed, signals, cluster))
}

fn to_its_end(mut run: Run, painter: Painter, json: bool) -> u8 {
    let outcome = run.drive();
    run.progress.end();
    // Whoever does not answer will not end by itself either.
    let ended = run.cluster.end_all(
        &run.signals,
        match outcome {
            Err(Failure::Stop(Stop::TimedOut { .. } | Stop::Signal(_))) => Ending::AtOnce,
            _ if run.caught.is_some() => Ending::Signalled,
            _ => Ending::Script,
        },
    );
    let status = match outcome.and_then(|outcome| Ok((outcome, ended?))) {
        Ok((outcome, ended)) => match complain(&ended, painter) {
            0 => show(&mut run, outcome, painter, json),
            status => status,
        },
        Err(failure) => {
            if !matches!(failure, Failure::Stop(Stop::Signal(_))) {
                painter.tell(&format!("master: {failure}"));
            }
            failure.status()
        }
    };
    if matches!(status, status::FAILED | status::BROKEN) {
        let seed = run.seed;
        painter.tell(&format!(
            "master: the seed was {seed}; --seed {seed} repeats its choices"
        ));
    }
    status
}

/// Tells of those that did not end as they should, and returns what status that makes.
fn complain(ended: &Ended, painter: Painter) -> u8 {
    let mut standing = 0;
    for unclean in &ended.unclean {
        painter.tell(&unclean.to_string());
        standing = standing.max(match &unclean.fate {
            None => 0,
            Some(fate) if fate.is_internal() => status::BROKEN,
            Some(_) => status::FAILED,
        });
    }
    standing
}

/// Writes the summary.
fn show(run: &mut Run, mut outcome: Outcome, painter: Painter, json: bool) -> u8 {
    // All children have been waited for, so that their time is known.
    outcome.cpu = pipes::cpu_time().unwrap_or_default();
    let summary = Summary::new(outcome, std::mem::take(&mut run.snapshots));
    let text = match json {
        true => summary.json().map_err(io::Error::from),
        false => Ok(summary.text()),
    };
    let stdout = io::stdout();
    let written = text.and_then(|text| {
        let written =
            write_interruptibly(&stdout, text.as_bytes(), Some(&run.signals), run.deadline);
        written.map(|written| written == text.len())
    });
    match written {
        Ok(true) => run.caught.map_or(0, signalled),
        Ok(false) => match run.signals.next_caught() {
            Ok(Some(caught)) => signalled(caught.0),
            _ => status::TIMED_OUT,
        },
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => status::STDOUT_CLOSED,
        Err(error) => {
            painter.tell(&format!("master: cannot write the summary: {error}"));
            status::FAILED
        }
    }
}

fn signalled(number: i32) -> u8 {
    status::SIGNALLED.saturating_add(u8::try_from(number).unwrap_or(0))
}
