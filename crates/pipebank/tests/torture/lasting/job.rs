//! A bank on several hosts, where `PIPEBANK_MASTER` is a program that launches a job of MPI processes, and
//! not master itself: `scripts/hosts-check` makes such programs.
//!
//! A run is in a PID namespace of its own, so whoever has the name of one of our programs, or of one of
//! MPI's, belongs to the job.

use std::fs;
use std::time::Duration;

use testing::{Pids, until};

/// What agents are called, and master: they are the same program.
const MASTER: &str = "master";
/// Whoever may be killed without ending the job.
const CHILDREN: [&str; 2] = ["node", "observer"];
/// Those who start a job, and see to it on the other hosts.
const LAUNCHERS: [&str; 2] = ["mpirun", "orted"];

/// Whether master is on several hosts.
pub fn is_launched() -> bool {
    std::env::var_os("PIPEBANK_MASTER").is_some()
}

/// How long a run may take: a job takes a second to start.
pub fn deadline(usual: Duration) -> Duration {
    match is_launched() {
        true => usual * 4,
        false => usual,
    }
}

/// The processes that have one of these names.
fn called(names: &[&str]) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("there is /proc").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_one = |pid: &u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        names.contains(&name.trim_end())
    };
    let mut pids: Vec<u32> = pids.filter(is_one).collect();
    pids.sort_unstable();
    pids
}

/// The nodes and the observer, on whatever host.
pub fn children() -> Vec<u32> {
    called(&CHILDREN)
}

/// Everybody.
pub fn everybody() -> Vec<u32> {
    called(&[&CHILDREN[..], &LAUNCHERS, &[MASTER]].concat())
}

/// Somebody without whom the job is over: master, an agent, or one who has launched them.
pub fn head(which: usize) -> Vec<u32> {
    let heads = match which % 3 {
        0 => called(&LAUNCHERS),
        _ => called(&[MASTER]),
    };
    let head = heads.get(which / 3 % heads.len().max(1));
    head.copied().into_iter().collect()
}

/// Whether these are processes of the present job, and not of one before it.
pub fn has(pids: &Pids) -> bool {
    called(&[MASTER]).contains(&pids.master)
}

/// Waits until the job has begun to do something; not for ever, since it may be over.
pub fn await_beginning() {
    until(|| !children().is_empty() || called(&[LAUNCHERS[0]]).is_empty());
}
