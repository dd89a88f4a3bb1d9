//! Faults, and how they are injected: by signals, and through what /proc shows of descriptors.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bank::account::Transfer;
use bank::draw::Draw;
use bank::member::Frame;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal::{SIGCONT, SIGKILL, SIGSTOP};
use snapshot::SnapshotId;

use super::plan::{Forgery, Plan, What, Whom};
use testing::{Descriptor, Master, Pids, Way, signal};

const PAGE: i32 = 4096;

/// Injects the faults one after the other, each at its time; never into the bank that was there
/// before.
pub fn inject(master: &Master, before: &Pids, plan: &Plan) {
    let mut draw = Draw::from_seed(plan.seed);
    // There is somebody to whom it may happen, or the run is over.
    let is_new = |pid: &u32| !before.nodes.values().any(|old| old == pid);
    let patience = Instant::now() + Duration::from_secs(1);
    while let Some(pids) = who_lives(master)
        && !pids.nodes.values().any(is_new)
        && Instant::now() < patience
    {
        thread::sleep(Duration::from_micros(100));
    }
    for fault in &plan.faults {
        // Nothing is waited for: some time passes, so that the fault comes at any moment.
        thread::sleep(fault.after);
        if let Some(pids) = who_lives(master) {
            happen(&pids, &fault.what, &mut draw);
        }
    }
}

/// `None` where the run is over.
pub fn who_lives(master: &Master) -> Option<Pids> {
    let text = fs::read(master.place().path("run/pids.json")).ok()?;
    Some(serde_json::from_slice(&text).expect("pids.json parses at any moment"))
}

fn happen(pids: &Pids, what: &What, draw: &mut Draw) {
    match what {
        What::Kill(whom) => {
            for pid in whom.iter().filter_map(|who| pid_of(pids, who)) {
                signal(pid, SIGKILL);
            }
        }
        What::Stop(whom, time) => {
            let whom: Vec<u32> = whom.iter().filter_map(|who| pid_of(pids, who)).collect();
            for pid in &whom {
                signal(*pid, SIGSTOP);
            }
            thread::sleep(*time);
            for pid in &whom {
                signal(*pid, SIGCONT);
            }
        }
        What::Interrupt(times) => {
            for _ in 0..*times {
                for pid in everybody(pids) {
                    signal(pid, SIGSTOP);
                    signal(pid, SIGCONT);
                }
            }
        }
        What::Shrink => {
            for pid in everybody(pids) {
                for pipe in pipes(pid) {
                    // Where it is too full to shrink, or has gone, it stays.
                    if let Some(file) = open(pid, &pipe) {
                        let _ = fcntl(&file, FcntlArg::F_SETPIPE_SZ(PAGE));
                    }
                }
            }
        }
        What::Inject(forgery) => forge(pids, *forgery, draw),
    }
}

fn everybody(pids: &Pids) -> impl Iterator<Item = u32> {
    let nodes = pids.nodes.values().copied();
    [pids.master].into_iter().chain(pids.observer).chain(nodes)
}

fn pid_of(pids: &Pids, who: &Whom) -> Option<u32> {
    match who {
        Whom::Master => Some(pids.master),
        Whom::Observer => pids.observer,
        Whom::Node(at) => pids
            .nodes
            .values()
            .nth(at % pids.nodes.len().max(1))
            .copied(),
    }
}

/// The pipes that a process has open; none where it has gone.
fn pipes(pid: u32) -> Vec<Descriptor> {
    let alive = Path::new(&format!("/proc/{pid}/fdinfo/0")).exists();
    let all = match alive {
        true => std::panic::catch_unwind(|| testing::descriptors(pid)).unwrap_or_default(),
        false => Vec::new(),
    };
    all.into_iter().filter(|fd| fd.kind() == "pipe").collect()
}

fn open(pid: u32, pipe: &Descriptor) -> Option<File> {
    OpenOptions::new()
        .read(pipe.way == Way::Reads)
        .write(pipe.way == Way::Writes)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(format!("/proc/{pid}/fd/{}", pipe.number))
        .ok()
}

/// Writes into a channel between two nodes, as if its sender had done it.
fn forge(pids: &Pids, forgery: Forgery, draw: &mut Draw) {
    let mut channels = Vec::new();
    for from in pids.nodes.values() {
        let written = pipes(*from);
        for to in pids.nodes.values().filter(|to| *to != from) {
            let read = pipes(*to);
            let is_read = |pipe: &&Descriptor| {
                let reads =
                    |other: &Descriptor| other.way == Way::Reads && other.target == pipe.target;
                pipe.way == Way::Writes && read.iter().any(reads)
            };
            channels.extend(
                written
                    .iter()
                    .find(is_read)
                    .map(|pipe| (*from, pipe.clone())),
            );
        }
    }
    if channels.is_empty() {
        return;
    }
    let (pid, pipe) = &channels[draw.pick(channels.len())];
    let mut bytes = Vec::new();
    match forgery {
        Forgery::Garbage => bytes = vec![0xa5; 100],
        Forgery::Oversized => bytes = [&[0xff, 0xff][..], &[7; 4000]].concat(),
        Forgery::HalfAFrame => bytes = vec![30, 0, 0, 0],
        Forgery::Transfer(amount) => {
            pipes::encode(&Frame::Message(Transfer(amount)), &mut bytes).unwrap();
        }
        Forgery::Marker(number) => {
            pipes::encode(&Frame::Marker(SnapshotId(number)), &mut bytes).unwrap();
        }
    }
    if let Some(mut file) = open(*pid, pipe) {
        // A full pipe takes nothing, and then nothing happens.
        let _ = file.write_all(&bytes);
    }
}
