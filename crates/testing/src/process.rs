//! What /proc says of processes: who runs, who is stopped, which descriptors they have open.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::PATIENCE;

/// A process, told apart from a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its process id.
    pub pid: u32,
    started: u64,
}

impl Process {
    /// The process that has this id now.
    pub fn find(pid: u32) -> Option<Self> {
        let (_, started) = stat(pid)?;
        Some(Self { pid, started })
    }

    /// Whether it runs (a zombie does not: it only waits to be reaped).
    pub fn runs(&self) -> bool {
        stat(self.pid)
            .is_some_and(|(state, started)| started == self.started && !"ZX".contains(state))
    }

    /// Kills it, where it still runs.
    pub fn kill(&self) {
        if self.runs() {
            signal(self.pid, Signal::SIGKILL);
        }
    }
}

/// State and start time of a process.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some((
        fields.first()?.chars().next()?,
        fields.get(19)?.parse().ok()?,
    ))
}

/// The signals that a process holds back, as a set of bits: signal 1 is the lowest.
pub fn blocked_signals(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let set = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    u64::from_str_radix(set.expect("a signal set").trim(), 16).unwrap()
}

/// Waits until none of these runs any more; kills those that do, and fails.
#[track_caller]
pub fn gone(processes: &[Process]) {
    let left = || -> Vec<_> { processes.iter().filter(|process| process.runs()).collect() };
    if !until(|| left().is_empty()) {
        let stubborn = left();
        stubborn.iter().for_each(|process| process.kill());
        panic!("processes were left behind: {stubborn:?}");
    }
}

/// Looks again and again until something is so; whether it ever was. Only for what has no event.
pub fn until(mut so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE / 4;
    while !so() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

/// Sends a signal; to nobody where the process is gone.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    let _ = kill(pid, signal);
}

/// Sends a signal to all of a process group, which is called by the pid of its leader.
pub fn signal_group(leader: u32, signal: Signal) {
    let group = Pid::from_raw(i32::try_from(leader).unwrap());
    let _ = killpg(group, signal);
}

/// Stops a process, and waits until it has stopped.
#[track_caller]
pub fn stop(pid: u32) {
    signal(pid, Signal::SIGSTOP);
    let stopped = until(|| stat(pid).is_some_and(|(state, _)| state == 'T'));
    assert!(stopped, "process {pid} never stopped");
}

/// Waits until a process waits for something.
#[track_caller]
pub fn idle(pid: u32) {
    let idle = until(|| stat(pid).is_some_and(|(state, _)| state == 'S'));
    assert!(idle, "process {pid} never came to rest");
}

/// One open descriptor of a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Descriptor {
    /// Its number in its process.
    pub number: u32,
    /// What it is: `pipe:[123]`, `socket:[123]`, `anon_inode:[eventpoll]`, or a path.
    pub target: String,
    /// What it is open for.
    pub way: Way,
    /// Whether a program that the process becomes does not get it.
    pub close_on_exec: bool,
}

/// What a descriptor is open for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Reading.
    Reads,
    /// Writing.
    Writes,
    /// Reading and writing.
    Both,
}

impl Descriptor {
    /// Its target without what differs from run to run.
    pub fn kind(&self) -> &str {
        self.target.split(":[").next().unwrap_or_default()
    }
}

/// The open descriptors of a process, by number.
pub fn descriptors(pid: u32) -> Vec<Descriptor> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives") {
        let path = entry.unwrap().path();
        let number = file_name(&path).parse().unwrap();
        let Ok(target) = fs::read_link(&path) else {
            continue;
        };
        // One that was closed meanwhile (in a process at work) is not open.
        let Ok(info) = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")) else {
            continue;
        };
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .expect("fdinfo has flags");
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        found.push(Descriptor {
            number,
            target: target.to_string_lossy().into_owned(),
            way: match flags & 0o3 {
                0 => Way::Reads,
                1 => Way::Writes,
                _ => Way::Both,
            },
            close_on_exec: flags & 0o2_000_000 != 0,
        });
    }
    found.sort();
    found
}

/// Of those that `pid` has open, the ones that were not passed on to it by way of this test from
/// whoever runs the tests.
pub fn own_descriptors(pid: u32) -> Vec<Descriptor> {
    let passed_on: Vec<Descriptor> = descriptors(std::process::id())
        .into_iter()
        .filter(|fd| fd.number > 2 && !fd.close_on_exec)
        .collect();
    let is_passed_on = |fd: &Descriptor| {
        let mut same = passed_on.iter();
        same.any(|other| (other.number, &other.target) == (fd.number, &fd.target))
    };
    let mut own = descriptors(pid);
    own.retain(|fd| !is_passed_on(fd));
    own
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
