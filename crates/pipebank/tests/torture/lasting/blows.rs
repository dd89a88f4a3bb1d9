//! Blows: who is killed, and how that is done from outside.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{SIGKILL, SIGSTOP};
use testing::{Folder, Pids, signal};

use super::job;
use super::plan::{Blow, Whom};

/// How long it is looked for somebody who is started in another's place.
const LOOKING: Duration = Duration::from_millis(300);

/// What came of a blow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struck {
    /// Master lives.
    Others,
    /// It was among them.
    Master,
    /// It had ended before.
    Nobody,
}

/// Waits for the time of a blow, and deals it, unless master ends before. Of those without whom all is over,
/// on several hosts, `which` is struck.
pub fn deal(master: &mut Child, folder: &Folder, blow: &Blow, which: usize) -> Struck {
    if job::is_launched() {
        job::await_beginning();
    }
    // Nothing is waited for: some time passes, so that the blow comes at any moment.
    thread::sleep(blow.after);
    if has_ended(master) {
        return Struck::Nobody;
    }
    let mut struck = pids_of(master.id(), folder, &blow.whom, which);
    if let Some(time) = blow.stop {
        struck.iter().for_each(|pid| signal(*pid, SIGSTOP));
        thread::sleep(time);
    }
    struck.iter().for_each(|pid| signal(*pid, SIGKILL));
    if blow.whom.has_master() {
        return Struck::Master;
    }
    let mut known = children_of(master.id());
    known.append(&mut struck);
    for _ in 0..blow.again {
        let Some(new) = newcomer(master, &known) else {
            break;
        };
        signal(new, SIGKILL);
        known.push(new);
    }
    Struck::Others
}

/// Whether this child of ours has ended.
fn has_ended(master: &mut Child) -> bool {
    master.try_wait().expect("master is ours").is_some()
}

/// A child of master's that was not there before, as soon as it is there.
fn newcomer(master: &mut Child, known: &[u32]) -> Option<u32> {
    let give_up = Instant::now() + LOOKING;
    while Instant::now() < give_up && !has_ended(master) {
        let children = children_of(master.id());
        if let Some(new) = children.into_iter().find(|pid| !known.contains(pid)) {
            return Some(new);
        }
        thread::yield_now();
    }
    None
}

fn pids_of(master: u32, folder: &Folder, whom: &Whom, which: usize) -> Vec<u32> {
    match whom {
        Whom::Master if job::is_launched() => job::head(which),
        Whom::Everybody { .. } if job::is_launched() => job::everybody(),
        Whom::Nodes(which) => {
            let nodes: Vec<u32> = pids(master, folder).nodes.values().copied().collect();
            let which = which.iter().filter(|_| !nodes.is_empty());
            which.map(|at| nodes[at % nodes.len()]).collect()
        }
        Whom::Observer => pids(master, folder).observer.into_iter().collect(),
        Whom::Children => children_of(master),
        Whom::Master => vec![master],
        Whom::Everybody { master_first: true } => {
            let mut all = vec![master];
            all.extend(children_of(master));
            all
        }
        Whom::Everybody { .. } => {
            let mut all = children_of(master);
            all.push(master);
            all
        }
    }
}

/// What this master says of its processes; nobody while it has said nothing yet.
fn pids(master: u32, folder: &Folder) -> Pids {
    let Ok(text) = fs::read(folder.path("run/pids.json")) else {
        return Pids::default();
    };
    let pids: Pids = serde_json::from_slice(&text).expect("pids.json parses at any moment");
    match pids.master == master || job::is_launched() && job::has(&pids) {
        true => pids,
        // Of one that was killed before.
        false => Pids::default(),
    }
}

/// The children of a process of master, whether anybody has told of them yet or not.
fn children_of(pid: u32) -> Vec<u32> {
    if job::is_launched() {
        return job::children();
    }
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<String> = children.collect();
    let words = children.iter().flat_map(|line| line.split_whitespace());
    words.filter_map(|word| word.parse().ok()).collect()
}
