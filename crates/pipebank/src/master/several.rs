//! Several hosts: what this process is where `mpirun` has started it, and how it meets the others.
//!
//! Rank 0 is master. The others start nodes on their hosts and carry frames, as master says; they are
//! given the same command line, and take from it what concerns their own host.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use hosts::{Errand, Host, Hosts, Introduction};
use journal::Survives;
use pipes::Patience;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cli::{Cli, Sub};
use super::lasting::{self, DataError, Part};
use super::shared::{Error, Stop, SystemOptions, inherit_little, status};
use crate::say::say;

/// A process among several that were started together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    pub(super) number: usize,
    pub(super) of: usize,
}

impl Rank {
    /// What the launcher says, if it has started several processes: Open MPI, or whoever speaks PMI.
    pub(super) fn of_this_process() -> Option<Self> {
        let number = |name: &str| env::var(name).ok()?.parse().ok();
        let of = |size, rank| {
            Some(Self {
                number: number(rank)?,
                of: number(size)?,
            })
        };
        let rank = of("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK");
        let rank = rank.or_else(|| of("PMI_SIZE", "PMI_RANK"));
        rank.filter(|rank| rank.of > 1)
    }
}

/// What master asks of another host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// How much CPU time its processes have taken.
    CpuTime,
    /// Something of the journals that it keeps.
    Data(lasting::Request),
}

impl From<lasting::Request> for Request {
    fn from(request: lasting::Request) -> Self {
        Self::Data(request)
    }
}

/// Asks another host.
pub(super) fn ask<T: DeserializeOwned>(
    errand: &Errand,
    host: Host,
    request: &Request,
) -> Result<T, hosts::Error> {
    let answer = errand.run_on(host, &pipes::to_bytes(request)?)?;
    Ok(pipes::from_bytes(&answer)?)
}

/// Asks all other hosts.
pub(super) fn ask_all<T: DeserializeOwned>(
    errand: &Errand,
    request: &Request,
) -> Result<Vec<T>, hosts::Error> {
    let answers = errand.run(&pipes::to_bytes(request)?)?;
    let answers = answers.iter().map(|it| Ok(pipes::from_bytes(it)?));
    answers.collect()
}

/// How much CPU time the processes of all hosts have taken that have ended, and master and its agents.
pub(super) fn cpu_time(hosts: &Hosts) -> Result<Duration, hosts::Error> {
    let elsewhere: Vec<Duration> = ask_all(&hosts.errand(), &Request::CpuTime)?;
    Ok(pipes::cpu_time()? + elsewhere.iter().sum::<Duration>())
}

/// Answers what master asks of this host, which may keep journals.
fn answer(request: &[u8], part: Option<&Part>) -> Result<Vec<u8>, DataError> {
    let request = pipes::from_bytes(request).map_err(hosts::Error::from)?;
    match (request, part) {
        (Request::CpuTime, _) => {
            let time = pipes::cpu_time().and_then(|time| pipes::to_bytes(&time));
            Ok(time.map_err(hosts::Error::from)?)
        }
        (Request::Data(request), Some(part)) => part.answer(request),
        (Request::Data(_), None) => Err(hosts::Error::Garbled.into()),
    }
}

/// The part of a process that is not master: its exit status.
pub(super) fn take_part(rank: Rank, cli: &Cli) -> u8 {
    let Some(system) = system_of(cli) else {
        // Whatever was asked for, rank 0 does.
        return status::DONE;
    };
    match serve(rank, system, data_of(cli)) {
        Ok(()) => status::DONE,
        // Rank 0 says so.
        Err(hosts::Error::NotBuiltIn) => status::MALFORMED,
        Err(error) => {
            say(format_args!("master (rank {}): {error}", rank.number));
            status::FAILED
        }
    }
}

/// The options of the system that is to be started, if one is.
fn system_of(cli: &Cli) -> Option<&SystemOptions> {
    match &cli.subcommand {
        None => Some(&cli.script.system).filter(|_| !cli.script.check),
        Some(Sub::Load(options)) => Some(&options.system),
        Some(_) => None,
    }
}

/// Where the bank lives, if it lasts, and what it is to survive.
fn data_of(cli: &Cli) -> Option<(&Path, Survives)> {
    let (data, sync) = match &cli.subcommand {
        None => (&cli.script.data, cli.script.sync),
        Some(Sub::Load(options)) => (&options.data, options.sync),
        Some(_) => return None,
    };
    let survives = Survives::if_synced(sync);
    Some((data.as_deref()?, survives))
}

/// All hosts, as master sees them; only this one, where master was started by itself.
pub(super) fn meet(system: &SystemOptions, patience: &Patience) -> Result<Hosts, Error> {
    if Rank::of_this_process().is_none() {
        return Ok(Hosts::default());
    }
    // The thread that carries starts nothing, but holds descriptors.
    inherit_little()?;
    let met = Hosts::join(join, introduction(system), || patience.is_left());
    met.map_err(|error| match error {
        hosts::Error::Interrupted => Stop::interrupted(patience, "the other hosts").into(),
        error => Error::NotStarted(error.into()),
    })
}

/// What is to be said where there are more hosts than nodes.
pub(super) fn surplus(hosts: &Hosts, nodes: u64) -> Option<String> {
    let idle = (hosts.count() as u64).checked_sub(nodes.max(1))?;
    let names = hosts.names().get(hosts.count() - idle as usize..)?;
    (idle > 0).then(|| {
        format!(
            "master: more hosts than nodes: there is nothing to do for {}",
            names.join(", ")
        )
    })
}

#[cfg(feature = "mpi")]
fn join() -> Result<hosts::Mpi, hosts::Error> {
    hosts::Mpi::join()
}

#[cfg(not(feature = "mpi"))]
fn join() -> Result<hosts::Nowhere, hosts::Error> {
    Err(hosts::Error::NotBuiltIn)
}

/// Starts and carries as master says.
fn serve(
    rank: Rank,
    system: &SystemOptions,
    data: Option<(&Path, Survives)>,
) -> Result<(), hosts::Error> {
    // Master ends this process in order.
    pipes::leave_signals_to_others()?;
    pipes::close_inherited_on_exec()?;
    pipes::raise_descriptor_limit(u64::MAX)?;
    let mut introduction = introduction(system);
    let part = data.map(|(path, survives)| Part::at(path, rank.number, survives));
    let part = part.transpose().unwrap_or_else(|error| {
        introduction.trouble = Some(error.to_string());
        None
    });
    let programs = system.programs().map(|programs| programs.node);
    let programs = programs.unwrap_or_default();
    let programs = programs.parent().map(Path::to_owned).unwrap_or_default();
    let setup = hosts::Setup {
        introduction,
        programs,
        held: part.as_ref().map(Part::held),
        run: Box::new(|request| answer(request, part.as_ref()).map_err(|error| error.to_string())),
    };
    let served = hosts::serve(join, setup);
    if let Some(part) = part {
        part.leave();
    }
    served
}

/// Who this host is.
fn introduction(system: &SystemOptions) -> Introduction {
    let host = fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.map_or_else(|_| "a host".to_owned(), |name| name.trim().to_owned());
    let build = || {
        let programs = system.programs();
        let told = |error: Error| error.to_string().trim_start_matches("master: ").to_owned();
        let programs = programs.map_err(told)?;
        let master = env::current_exe().map_err(|error| error.to_string())?;
        let mut digest = Sha256::new();
        for program in [&master, &programs.node] {
            let bytes = fs::read(program);
            digest.update(bytes.map_err(|error| format!("{}: {error}", program.display()))?);
        }
        let digest = digest.finalize();
        Ok(digest
            .iter()
            .take(8)
            .fold(0, |build, byte| build << 8 | u64::from(*byte)))
    };
    let (build, trouble) = match build() {
        Ok(build) => (build, None),
        Err(trouble) => (0, Some(trouble)),
    };
    Introduction {
        host,
        build,
        trouble,
    }
}
