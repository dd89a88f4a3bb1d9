//! Somebody else who holds a pipe of a process open keeps neither its death from being noticed nor
//! master from ending.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::signal::Signal::SIGKILL;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use testing::{Folder, Master, SEED_LINE, Way, descriptors, idle, master, mesh, programs, signal};

/// A program of this name that does something and then becomes ours, or `exit`s.
fn wrap(place: &Folder, name: &str, before: &str) {
    let program = programs().join(name);
    let text = format!("#!/bin/sh\n{before}\nexec {} \"$@\"\n", program.display());
    let path = place.path("bin").join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder with programs that leave behind somebody who holds their pipes open, until the file is
/// closed.
fn programs_that_leave_somebody_behind() -> (Folder, File) {
    let place = Folder::new();
    fs::create_dir(place.path("bin")).unwrap();
    let fifo = place.path("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let both = OpenOptions::new().read(true).write(true).open(&fifo);
    let before = format!("cat <{} 2>/dev/null &", fifo.display());
    for name in ["node", "observer"] {
        wrap(&place, name, &before);
    }
    (place, both.unwrap())
}

const WITH_THEM: [&str; 4] = ["--seed", "1", "--bin-dir", "bin"];

#[test]
fn a_run_whose_processes_leave_somebody_behind_ends_like_any_other() {
    let (place, _open) = programs_that_leave_somebody_behind();
    let died = "node 1 died (killed by signal 9)";
    let script = mesh(2, 100) + "Send 1 2 5\nReceive 2\nKillNode 1\nSend 2 1 5\nKillAll\n";
    let again = mesh(2, 7) + "Send 2 1 7\nBeginSnapshot 1\nReceiveAll\nCollectState\n";
    let name = place.file("s.txt", script + &again);
    let ended = place.run(&[&WITH_THEM[..], &[name]].concat());
    let told = format!(
        "{died}\nlost with node 1: its balance of 95\ns.txt:7: `Send 2 1 5`: {died}\n{SEED_LINE}\n"
    );
    ended.expect(1, "1 Transfer 5\nStarted by Node 1\n", &told);
}

#[test]
fn so_does_a_load() {
    let (place, _open) = programs_that_leave_somebody_behind();
    let load = ["load", "--nodes", "3", "--transfers", "1000"];
    let ended = place.run(&[&load[..], &WITH_THEM].concat());
    ended.expect_status(0);
    assert_eq!(ended.err, "");
}

/// Opens pipes of a process once more: those with these numbers.
fn hold_open(pid: u32, is_held: impl Fn(u32) -> bool) -> Vec<File> {
    let pipes = descriptors(pid).into_iter();
    let pipes = pipes.filter(|fd| fd.kind() == "pipe" && fd.number != 2 && is_held(fd.number));
    let open = |fd: testing::Descriptor| {
        let mut options = OpenOptions::new();
        options.read(fd.way != Way::Writes);
        options.write(fd.way != Way::Reads);
        options.open(format!("/proc/{pid}/fd/{}", fd.number))
    };
    pipes.map(|fd| open(fd).unwrap()).collect()
}

#[test]
fn a_death_is_noticed_and_settled_whichever_pipes_of_the_dead_are_held_open() {
    for is_held in [|number| number == 1, |number| number < 2, |_| true] {
        let mut master = Master::start(&[]);
        master.write(mesh(3, 100) + "Send 2 1 7\nSend 2 3 1\n");
        let pids = master.settle(3);
        let held = hold_open(pids.nodes[&2], is_held);
        assert!(!held.is_empty());
        signal(pids.nodes[&2], SIGKILL);
        master.expect_err(&[
            "node 2 died (killed by signal 9)",
            "lost with node 2: its balance of 92",
        ]);
        // What it had sent is there.
        master.write("Receive 1 2\nReceiveAll\nSend 1 3 4\nReceive 3\n");
        master.expect_out(&["2 Transfer 7", "1 Transfer 4"]);
        master.end().expect_status(1);
        drop(held);
    }
}

#[test]
fn so_is_the_death_of_the_observer() {
    let mut master = Master::start(&[]);
    master.write(mesh(3, 100) + "BeginSnapshot 1\n");
    let pids = master.settle(3);
    let held = hold_open(pids.observer.unwrap(), |_| true);
    signal(pids.observer.unwrap(), SIGKILL);
    assert_eq!(master.err(), "the observer died (killed by signal 9)");
    master.write("Send 1 3 4\nReceive 3 1\nReceive 3 1\n");
    master.expect_out(&["Started by Node 1", "1 SnapshotToken -1", "1 Transfer 4"]);
    master.end().expect_status(1);
    drop(held);
}

#[test]
fn pipes_of_the_living_that_are_held_open_change_nothing() {
    let mut master = Master::start(&[]);
    master.write(mesh(3, 100));
    let pids = master.settle(3);
    let all = pids.nodes.values().copied().chain(pids.observer);
    let held: Vec<Vec<File>> = all.map(|pid| hold_open(pid, |_| true)).collect();
    master.write("Send 1 3 4\nReceiveAll\nBeginSnapshot 2\nReceiveAll\nCollectState\n");
    master.end().expect_status(0);
    drop(held);
}

#[test]
fn nobody_waits_in_vain_for_children_whose_ends_are_ignored_or_that_are_not_its_own() {
    let place = Folder::new();
    let name = place.file("s.txt", mesh(2, 100) + "Send 1 2 5\nReceive 2\n");
    let mut ignored = Command::new("env");
    ignored.args(["--ignore-signal=CHLD", master(), "--seed", "1", name]);
    let strangers = place.under_shell("true & true & sleep 0 & :", &["--seed", "1", name]);
    for mut command in [ignored, strangers] {
        command.current_dir(place.path("."));
        Master::spawn(command).end().expect(0, "1 Transfer 5\n", "");
    }
}

#[test]
fn master_rests_after_a_process_that_spoke_nonsense() {
    let place = Folder::new();
    fs::create_dir(place.path("bin")).unwrap();
    wrap(&place, "observer", ":");
    wrap(&place, "node", "printf 'no frame at all'; exec sleep 1000");
    let mut command = Command::new(master());
    command.args(WITH_THEM);
    let mut master = Master::start_in(place, command);
    master.write("StartMaster\nCreateNode 1 5\nnodes\n");
    let told = master.err();
    assert!(told.starts_with("node 1 died (killed by master"), "{told}");
    while master.err() != "lost with node 1: its balance of 5" {}
    idle(master.pid());
    master.end().expect_status(3);
}
