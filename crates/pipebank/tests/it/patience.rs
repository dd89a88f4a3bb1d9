//! A signal and the deadline count at any time: while nothing has started yet, while there is always
//! something to read, while nobody reads what is to be written.

use std::fs::{self, File};
use std::io::{PipeReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use nix::sys::signal::Signal::{self, SIGHUP, SIGINT, SIGTERM};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use testing::{
    EXAMPLE, Folder, Master, SEED_LINE, blocked_signals, gone, idle, master, mesh,
    more_messages_than_a_pipe_holds, signal, stop, until,
};

fn fifo(place: &Folder, name: &str) -> PathBuf {
    let path = place.path(name);
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    path
}

/// `master ARGUMENTS` in this folder, reading this file.
fn reading(place: Folder, arguments: &[&str], input: &str) -> Master {
    let mut command = Command::new(master());
    command.args(["--seed", "1"]).args(arguments);
    let input = File::open(input).unwrap();
    command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Master::start_as_is_in(place, command)
}

/// Waits until master obeys signals in its own way, and not by dying of them.
#[track_caller]
fn holds_signals(master: &Master) {
    let term = 1 << (SIGTERM as u64 - 1);
    let holds = || blocked_signals(master.pid()) & term != 0;
    assert!(until(holds), "master never begins to hold signals");
}

/// Sends a signal; master ends with it and says nothing.
#[track_caller]
fn ends_by(master: Master, which: Signal) {
    holds_signals(&master);
    signal(master.pid(), which);
    let ended = master.ended();
    assert!(!ended.err.contains("master: "), "{ended:#?}");
    ended.expect_status(128 + which as i32);
}

/// Master ends because the time is over, while it was waiting for this.
#[track_caller]
fn ends_late(master: Master, waited_for: &str) {
    let ended = master.ended();
    let told = format!("master: the time (--timeout) ran out while waiting for {waited_for}\n");
    assert!(ended.err.ends_with(&told), "{ended:#?}");
    ended.expect_status(124);
}

const SOON: [&str; 2] = ["--timeout", "0.2"];

#[test]
fn input_that_is_always_there_keeps_neither_the_deadline_nor_a_signal_from_being_obeyed() {
    for input in ["/dev/zero", "/dev/urandom"] {
        ends_late(
            reading(Folder::new(), &SOON, input),
            "the end of the script",
        );
        ends_by(reading(Folder::new(), &[], input), SIGINT);
    }
}

#[test]
fn neither_do_lines_that_never_end_whatever_is_in_them() {
    let sent = "Send 1 2 1\nReceiveAll\n";
    let whole = format!("StartMaster\nCreateNode 1 5\nCreateNode 2 5\n{sent}KillAll\n");
    let lines = [
        "bogus\n",
        "\n",
        "# nothing\n",
        "StartMaster\n",
        "PrintSnapshot\n",
        "nodes\n",
        "StartMaster\nKillAll\n",
        "StartMaster\nPrintSnapshot\nKillAll\n",
        &whole,
    ];
    for line in lines {
        let text = line.repeat(1 + 10_000 / line.len());
        let mut master = Master::start(&SOON);
        master.write_for_ever(&text);
        let ended = master.ended();
        assert!(ended.err.contains("the time (--timeout) ran out"));
        ended.expect_status(124);
        let mut master = Master::start(&[]);
        master.write_for_ever(&text);
        ends_by(master, SIGTERM);
    }
}

#[test]
fn a_script_that_never_ends_is_read_only_until_then() {
    let endless = |arguments: &[&str]| {
        let place = Folder::new();
        let mut command = Command::new(master());
        command.args(arguments);
        Master::start_in(place, command)
    };
    ends_late(
        endless(&["--timeout", "0.2", "/dev/zero"]),
        "the end of /dev/zero",
    );
    ends_by(endless(&["/dev/zero"]), SIGTERM);
    let check = ["--timeout", "0.2", "--check"];
    ends_late(
        reading(Folder::new(), &check, "/dev/zero"),
        "the end of standard input",
    );
    // Here nothing comes at all.
    ends_late(endless(&check), "the end of standard input");
    ends_by(endless(&["--check", "-"]), SIGHUP);
}

#[test]
fn a_fifo_whose_other_end_nobody_opens_is_waited_for_until_then() {
    let run = |arguments: &[&str]| {
        let place = Folder::new();
        place.file("s.txt", EXAMPLE);
        fifo(&place, "fifo");
        fifo(&place, "fifo.svg");
        let mut command = Command::new(master());
        command.args(["--run-dir", "run"]).args(arguments);
        Master::start_in(place, command)
    };
    for (arguments, waited_for) in [
        (&["fifo"][..], "the end of fifo"),
        (&["--history", "fifo", "s.txt"], "a reader of fifo"),
        (&["--diagram", "fifo.svg", "s.txt"], "a reader of fifo.svg"),
    ] {
        ends_late(run(&[&SOON[..], arguments].concat()), waited_for);
        let master = run(arguments);
        holds_signals(&master);
        idle(master.pid());
        ends_by(master, SIGTERM);
    }
}

#[test]
fn a_fifo_that_is_opened_later_is_as_good_as_a_file() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    let right = place.run(&["--seed", "1", "--history", "h", name]);
    let (script, history) = (fifo(&place, "script"), fifo(&place, "history"));
    let history_of = |path: PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().skip(1);
        let times = |line: &str| line.split(",\"time\"").next().map(str::to_owned);
        lines.filter_map(times).collect::<Vec<_>>()
    };
    let expected = history_of(place.path("h"));
    let mut command = Command::new(master());
    command.args(["--seed", "1", "--history", "history", "script"]);
    let master = Master::start_in(place, command);
    holds_signals(&master);
    idle(master.pid());
    let writer = thread::spawn(move || fs::write(script, EXAMPLE).unwrap());
    let reader = thread::spawn(move || history_of(history));
    master.ended().expect(0, &right.out, "");
    writer.join().unwrap();
    assert_eq!(reader.join().unwrap(), expected);
}

/// A command whose messages nobody reads, once as many have been written as find room.
fn unheard(place: Folder, arguments: &[&str]) -> (Master, PipeReader) {
    let (mut messages, writer) = std::io::pipe().unwrap();
    let mut command = Command::new(master());
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(writer);
    let master = Master::start_as_is_in(place, command);
    messages.read_exact(&mut [0]).unwrap();
    (master, messages)
}

#[test]
fn refusals_that_nobody_reads_are_no_reason_to_stay() {
    let place = Folder::new();
    let name = place.file("s.txt", "nonsense, and a long line of it\n".repeat(900));
    let (mut master, _messages) = unheard(place, &["--timeout", "0.2", name]);
    assert_eq!(master.wait().code(), Some(124));

    let place = Folder::new();
    place.file("s.txt", "nonsense, and a long line of it\n".repeat(900));
    let (mut master, _messages) = unheard(place, &[name]);
    signal(master.pid(), SIGTERM);
    assert_eq!(master.wait().code(), Some(128 + SIGTERM as i32));
}

#[test]
fn the_deadline_ends_a_master_whose_messages_nobody_reads() {
    let place = Folder::new();
    let name = place.file("s.txt", mesh(3, 100) + &more_messages_than_a_pipe_holds());
    let (mut master, _messages) = unheard(place, &["--timeout", "0.5", name]);
    assert_eq!(master.wait().code(), Some(124));
}

#[test]
fn a_load_whose_messages_nobody_reads_ends_by_one_signal_and_at_the_deadline() {
    // Every node says every snapshot, so that nodes wait for the reader as well.
    let load = "load --nodes 3 --duration 1000 --snapshot-every 0 --verbose --run-dir run";
    let load: Vec<&str> = load.split(' ').collect();
    let late = [&load[..], &["--timeout", "1"]].concat();
    let (mut master, _messages) = unheard(Folder::new(), &late);
    assert_eq!(master.wait().code(), Some(124));

    let (mut master, _messages) = unheard(Folder::new(), &load);
    assert!(until(|| master.place().path("run/pids.json").exists()));
    signal(master.pid(), SIGTERM);
    assert_eq!(master.wait().code(), Some(128 + SIGTERM as i32));
    assert!(!master.place().path("run").exists());
}

#[test]
fn one_signal_is_enough_for_a_load_that_cannot_come_to_rest() {
    let mut command = Command::new(master());
    command
        .args(["load", "--nodes", "3", "--duration", "1000", "--verbose"])
        .args(["--snapshot-every", "none", "--run-dir", "run"]);
    let mut master = Master::start_in(Folder::new(), command);
    while master.err() != "master: the load begins" {}
    let pids = master.pids();
    master.remember(&pids);
    stop(pids.nodes[&2]);
    signal(master.pid(), SIGTERM);
    assert_eq!(master.wait().code(), Some(128 + SIGTERM as i32));
    gone(master.family());
    assert_eq!(master.ended().out, "");
}

#[test]
fn a_time_beyond_all_clocks_is_for_ever() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    let ended = place.run(&["--seed", "1", "--timeout", "18446744073709549568", name]);
    ended.expect(0, &place.run(&["--seed", "1", name]).out, "");
    assert!(!ended.err.contains(SEED_LINE));
}
