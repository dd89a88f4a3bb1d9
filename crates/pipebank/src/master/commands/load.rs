//! `master load`: the bank by itself, under full load, with snapshots meanwhile.
//!
//! ```text
//!   set up      observer, nodes, channels
//!   begin       Watch ──▶ observer      Load ──▶ every node
//!   go on       until the time is over, the quotas are used up, or a signal comes
//!   come to     Rest ──▶ observer and nodes; what was sent to whom ──▶ every node;
//!   rest        each says its balance once all of that has come
//! ```
//!
//! Master takes no part in the traffic: it waits. A death ends the run, with a summary of what was
//! measured until then; a snapshot that fails its audit, or money that is missing at the end, ends it at
//! once and without one.
//!
//! * `load/options.rs`: the command line;
//! * `load/run.rs`, `load/set_up.rs`, `load/heard.rs`: the run, how it is set up, and what is heard of it;
//! * `load/progress.rs`, `load/summary.rs`: what is shown of it.

mod options;
mod progress;
mod run;
mod set_up;
mod summary;

use std::io;

use bank::master::Fate;
use journal::Survives;
use pipes::{Patience, write_patiently};

use self::options::SnapshotEvery;
use self::run::Run;
use self::summary::{Outcome, Summary};
use crate::master::cluster::Cluster;
use crate::master::ending::{Ended, Ending};
use crate::master::lasting::{DataError, Opened, Script, StandardOutput, TILE};
use crate::master::mesh;
use crate::master::several;
use crate::master::shared::{Error, Stop, inherit_little, status, status_of};

pub(crate) use self::options::LoadOptions;

/// Runs the bank under load.
pub(crate) fn run(options: LoadOptions) -> Result<u8, Error> {
    let (painter, timeout) = (options.system.painter(), options.system.timeout);
    let patience = Patience::hold(timeout).map_err(Error::not_started)?;
    let ran = run_within(options, &patience);
    Ok(ran.unwrap_or_else(|error| error.tell(painter, &patience)))
}

fn run_within(options: LoadOptions, patience: &Patience) -> Result<u8, Error> {
    let (painter, json) = (options.system.painter(), options.json);
    let mut run = prepare(options, patience)?;
    let ended = to_its_end(&mut run, json);
    let status = ended.unwrap_or_else(|error| error.tell(painter, patience));
    if matches!(status, status::FAILED | status::BROKEN) {
        let seed = run.seed;
        run.tell(&format!(
            "master: the seed was {seed}; --seed {seed} repeats its choices"
        ))?;
    }
    Ok(status)
}

/// Everything that can go wrong before anything is started.
fn prepare(options: LoadOptions, patience: &Patience) -> Result<Run<'_>, Error> {
    let hosts = several::meet(&options.system, patience)?;
    let (size, deposits) = (options.size()?, options.deposits()?);
    inherit_little()?;
    Cluster::check_room(size, hosts.count(), format!("master: {} nodes", size.nodes))?;
    let programs = options.system.programs()?;
    let cluster = Cluster::new(programs, hosts, options.system.run_dir()?, patience);
    let mut cluster = cluster.map_err(Error::NotStarted)?;
    let mut seed = options.system.seed();
    if let Some(path) = options.data.as_deref() {
        if options.snapshot_every == SnapshotEvery::Never {
            return Err(Error::JournalsWithoutEnd);
        }
        let survives = Survives::if_synced(options.sync);
        let load = Script {
            name: "a load".to_owned(),
            known_by: Some(options.identity()),
            seed: options.system.given_seed(),
            drawn_seed: seed,
            is_load: true,
        };
        let data = Opened::at(path, survives, cluster.hosts.errand())?;
        if data.known().is_some() {
            let path = path.to_owned();
            return Err(DataError::OfScripts { path }.into());
        }
        let data = data.take_up(load, &StandardOutput::of_this_process())?;
        seed = data.seed();
        cluster = cluster.lasting(Some(data));
    }
    let tile = match cluster.data {
        Some(_) => TILE,
        None => mesh::tile(Some(size.nodes)).map_err(Error::not_started)?,
    };
    let surplus = several::surplus(&cluster.hosts, size.nodes);
    let mut run = Run::new(options, deposits, seed, patience, cluster, tile);
    surplus.map_or(Ok(()), |surplus| run.tell(&surplus))?;
    Ok(run)
}

fn to_its_end(run: &mut Run<'_>, json: bool) -> Result<u8, Error> {
    let outcome = run.drive();
    run.progress.end();
    // Whoever does not answer will not end by itself either.
    let ended = run.cluster.end_all(match outcome {
        Err(Error::Stop(Stop::TimedOut { .. } | Stop::Signal(_))) => Ending::AtOnce,
        _ if run.caught.is_some() => Ending::Signalled,
        _ => Ending::Script,
    });
    let outcome = outcome?;
    if let Some(data) = run.cluster.data.as_mut().filter(|_| run.caught.is_none()) {
        // Whatever there was has come to rest, and has ended.
        data.remove().map_err(Stop::from)?;
        data.finish(None).map_err(Stop::from)?;
    }
    if let Some(died) = &outcome.died {
        let status = died.status();
        run.tell(&died.to_string())?;
        // Where a process was not what it should have been, no number is worth showing.
        if status == status::FAILED {
            show(run, outcome, json)?;
        }
        return Ok(status);
    }
    match complain(run, &ended?)? {
        status::DONE => show(run, outcome, json),
        status => Ok(status),
    }
}

/// Tells of those that did not end as they should, and returns what status that makes.
fn complain(run: &mut Run<'_>, ended: &Ended) -> Result<u8, Error> {
    let mut standing = status::DONE;
    for unclean in &ended.unclean {
        // Who was killed has kept everything.
        if run.cluster.data.is_some() && matches!(unclean.fate, Some(Fate::Signal(_))) {
            continue;
        }
        run.tell(&unclean.to_string())?;
        standing = standing.max(unclean.fate.as_ref().map_or(status::DONE, status_of));
    }
    Ok(standing)
}

/// Writes the summary.
fn show(run: &mut Run<'_>, mut outcome: Outcome, json: bool) -> Result<u8, Error> {
    // All children have been waited for, so that their time is known. A host that is lost says nothing.
    outcome.cpu = several::cpu_time(&run.cluster.hosts).ok();
    let summary = Summary::new(outcome, std::mem::take(&mut run.snapshots));
    let text = match json {
        true => summary.json()?,
        false => summary.text(),
    };
    run.forget_repeated()?;
    match write_patiently(io::stdout(), text.as_bytes(), run.patience) {
        Ok(written) if written == text.len() => {
            Ok(run.caught.map_or(status::DONE, status::signalled))
        }
        Ok(_) => Err(Stop::interrupted(run.patience, "the reader of the summary").into()),
        Err(error) => Err(match Stop::stdout(error) {
            Stop::Stdout(error) => Error::Summary(error),
            closed => closed.into(),
        }),
    }
}
