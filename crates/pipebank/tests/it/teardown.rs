//! However master ends, no process of the system is left behind.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal::{self, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM};
use testing::{
    Folder, Master, Process, gone, master, mesh, more_messages_than_a_pipe_holds, signal,
    signal_group, stop, until,
};

const WORK: &str = "Send 1 2 1\nReceive 2\nSend 2 1 1\nReceive 1\n";

fn waiting_master() -> Master {
    let mut master = Master::start(&[]);
    master.write(mesh(4, 100));
    let pids = master.settle(4);
    assert_eq!(master.family().len(), 5, "{pids:?}");
    master
}

#[test]
fn nobody_outlives_a_master_that_is_killed_while_it_waits() {
    let mut master = waiting_master();
    signal(master.pid(), SIGKILL);
    assert_eq!(signal_of(&mut master), SIGKILL);
    gone(master.family());
}

#[test]
fn a_stopped_node_does_not_outlive_a_killed_master() {
    let mut master = waiting_master();
    let pids = master.pids();
    stop(pids.nodes[&2]);
    stop(pids.observer.unwrap());
    signal(master.pid(), SIGKILL);
    assert_eq!(signal_of(&mut master), SIGKILL);
    gone(master.family());
}

#[test]
fn nobody_outlives_a_master_that_is_killed_at_work() {
    let mut master = waiting_master();
    master.write_for_ever(WORK);
    for _ in 0..20 {
        master.out();
    }
    signal(master.pid(), SIGKILL);
    assert_eq!(signal_of(&mut master), SIGKILL);
    gone(master.family());
}

#[test]
fn nobody_outlives_a_master_that_is_killed_while_it_creates_nodes() {
    for killed_after in [1, 2, 5, 9] {
        let mut master = Master::start(&["--verbose"]);
        master.write(mesh(40, 1));
        while !master.err().starts_with(&format!("node {killed_after}: ")) {}
        let pids = master.pids();
        master.remember(&pids);
        signal(master.pid(), SIGKILL);
        // The nodes of which pids.json does not say hold stderr open, if they live.
        let family = master.family().to_vec();
        let ended = master.ended();
        assert_eq!(ended.status.code(), None);
        gone(&family);
    }
}

#[test]
fn signals_end_a_waiting_master_with_128_and_their_number() {
    for which in [SIGINT, SIGTERM, SIGHUP] {
        let mut master = waiting_master();
        let table = 4;
        signal(master.pid(), which);
        assert_eq!(master.wait().code(), Some(128 + which as i32));
        gone(master.family());
        let run_dir = master.place().path("run");
        assert!(!run_dir.exists(), "the run directory is removed");
        let ended = master.ended();
        ended.expect_status(128 + which as i32);
        assert_eq!(ended.err.lines().count(), table, "{ended:#?}");
        assert_eq!(ended.out, "");
    }
}

#[test]
fn signals_end_a_master_at_work_with_128_and_their_number() {
    for which in [SIGINT, SIGTERM, SIGHUP] {
        let mut master = waiting_master();
        master.write_for_ever(WORK);
        for _ in 0..20 {
            assert!(master.out().contains(" Transfer 1"));
        }
        signal(master.pid(), which);
        let ended = master.ended();
        ended.expect_status(128 + which as i32);
        assert_eq!(ended.err.lines().count(), 4, "the table: {}", ended.err);
    }
}

#[test]
fn a_signal_ends_a_master_whose_results_nobody_reads() {
    let place = Folder::new();
    let mut script = mesh(2, 100);
    script += &WORK.repeat(10_000);
    let name = place.file("long.txt", script);
    let mut command = Command::new(master());
    command.args(["--seed", "1", "--run-dir", "run", name]);
    command.current_dir(place.path("."));
    let (reader, writer) = std::io::pipe().unwrap();
    let (err_reader, err_writer) = std::io::pipe().unwrap();
    command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(err_writer);
    let mut master = Master::start_as_is_in(place, command);
    // The pipe is full once its first byte has waited long enough; what matters is that master
    // writes at all, which the first line shows.
    let mut reader = BufReader::with_capacity(16, reader);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "1 Transfer 1\n");
    let pids = master.pids();
    master.remember(&pids);
    signal(master.pid(), SIGTERM);
    assert_eq!(master.wait().code(), Some(128 + SIGTERM as i32));
    gone(master.family());
    let mut err = String::new();
    BufReader::new(err_reader).read_to_string(&mut err).unwrap();
    assert_eq!(err, "");
}

#[test]
fn a_second_interrupt_kills_at_once_what_does_not_end() {
    let master = waiting_master();
    let pids = master.pids();
    stop(pids.nodes[&3]);
    let stopped = Process::find(pids.nodes[&3]).unwrap();
    let others: Vec<Process> = master
        .family()
        .iter()
        .copied()
        .filter(|process| *process != stopped)
        .collect();
    signal(master.pid(), SIGINT);
    // The first was heard once the others are gone.
    gone(&others);
    signal(master.pid(), SIGINT);
    let ended = master.ended();
    ended.expect_status(130);
}

#[test]
fn one_interrupt_is_enough_even_where_a_node_is_stopped() {
    let mut master = waiting_master();
    let pids = master.pids();
    stop(pids.nodes[&3]);
    master.write("Send 1 3 5\nReceive 3 1\n");
    signal(master.pid(), SIGINT);
    let ended = master.ended();
    ended.expect_status(130);
}

#[test]
fn a_stopped_node_does_not_keep_master_from_ending_at_the_end_of_input() {
    let master = waiting_master();
    let pids = master.pids();
    stop(pids.nodes[&3]);
    let table = 4;
    let ended = master.end();
    let told: Vec<&str> = ended.err.lines().skip(table).collect();
    assert!(told.is_empty() || told[0].contains("node 3"), "{ended:#?}");
    assert!(
        [Some(0), Some(1)].contains(&ended.status.code()),
        "{ended:#?}"
    );
}

#[test]
fn signals_that_ask_everybody_to_end_are_left_to_master() {
    let mut master = waiting_master();
    let pids = master.pids();
    for pid in pids.nodes.values().copied().chain(pids.observer) {
        for which in [SIGINT, SIGHUP, SIGTERM, SIGQUIT] {
            signal(pid, which);
        }
    }
    master.write("Send 1 2 5\nReceive 2 1\nBeginSnapshot 1\nReceiveAll\nCollectState\n");
    master.expect_out(&["1 Transfer 5", "Started by Node 1"]);
    master.end().expect_status(0);
}

/// A master that leads a process group of its own, as a shell or `timeout` starts it.
fn master_in_a_group(arguments: &[&str]) -> Master {
    let mut command = Command::new(master());
    command.args(["--seed", "1", "--run-dir", "run"]);
    command.args(arguments).process_group(0);
    Master::start_in(Folder::new(), command)
}

#[test]
fn a_signal_to_the_whole_group_ends_a_script_as_one_to_master_does() {
    for which in [SIGINT, SIGTERM, SIGHUP] {
        for at_work in [false, true] {
            let mut master = master_in_a_group(&[]);
            master.write(mesh(4, 100));
            master.settle(4);
            if at_work {
                master.write_for_ever(WORK);
                master.out();
            }
            signal_group(master.pid(), which);
            let ended = master.ended();
            assert_eq!(ended.err.lines().count(), 4, "the table: {}", ended.err);
            ended.expect_status(128 + which as i32);
        }
    }
}

#[test]
fn a_signal_to_the_whole_group_while_nodes_start_is_no_death_of_theirs() {
    for started in [1, 7, 20] {
        let mut master = master_in_a_group(&["--verbose"]);
        master.write(mesh(40, 1));
        while !master.err().starts_with(&format!("node {started}: ")) {}
        signal_group(master.pid(), SIGTERM);
        let ended = master.ended();
        assert!(!ended.err.contains("died"), "{ended:#?}");
        assert!(!ended.err.contains("did not end"), "{ended:#?}");
        ended.expect_status(128 + SIGTERM as i32);
    }
}

#[test]
fn a_core_is_asked_of_master_alone_and_nobody_outlives_it() {
    if is_ignored_here(SIGQUIT) {
        eprintln!(
            "skipped: these tests run in the background of a shell, where SIGQUIT is ignored"
        );
        return;
    }
    let mut master = master_in_a_group(&[]);
    master.write(mesh(3, 100));
    master.settle(3);
    signal_group(master.pid(), SIGQUIT);
    assert_eq!(signal_of(&mut master), SIGQUIT);
    gone(master.family());
}

/// Whether whoever runs these tests ignores a signal, so that what they start ignores it too.
fn is_ignored_here(which: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    ignored >> (which as i32 - 1) & 1 == 1
}

#[test]
fn signals_that_were_ignored_by_who_started_master_are_obeyed() {
    let place = Folder::new();
    let arguments = ["--seed", "1", "--run-dir", "run"];
    let command = place.under_shell("trap '' INT HUP TERM", &arguments);
    let mut master = Master::start_in(place, command);
    master.write(mesh(2, 100));
    master.settle(2);
    signal(master.pid(), SIGINT);
    master.ended().expect_status(130);
}

#[test]
fn a_reader_that_leaves_ends_the_run_silently() {
    let place = Folder::new();
    let mut script = mesh(2, 100);
    script += &WORK.repeat(20_000);
    let name = place.file("long.txt", script);
    let mut command = Command::new(master());
    command.args(["--run-dir", "run", name]);
    let (reader, writer) = std::io::pipe().unwrap();
    command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped());
    let mut master = Master::start_as_is_in(place, command);
    let mut reader = BufReader::with_capacity(16, reader);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "1 Transfer 1\n");
    let pids = master.pids();
    master.remember(&pids);
    drop(reader);
    let ended = master.ended();
    ended.expect_status(141);
    assert_eq!(ended.err, "");
}

#[test]
fn a_reader_that_leaves_before_the_first_result_is_noticed_at_the_first() {
    let place = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(master());
    command
        .stdin(Stdio::piped())
        .stdout(writer)
        .stderr(Stdio::piped());
    command.args(["--seed", "1", "--run-dir", "run"]);
    let mut master = Master::start_as_is_in(place, command);
    master.write(mesh(2, 100));
    master.settle(2);
    master.write("Send 1 2 5\nReceive 2\n");
    let ended = master.ended();
    ended.expect_status(141);
    assert_eq!(ended.err.lines().count(), 2, "the table: {}", ended.err);
}

#[test]
fn a_full_device_is_told_and_ends_the_run() {
    let place = Folder::new();
    let script = mesh(2, 100) + "Send 1 2 5\nReceive 2\nSend 2 1 7\nReceive 1\n";
    let name = place.file("short.txt", script);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(master());
    command.args(["--seed", "1", name]);
    command
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped());
    let ended = Master::start_as_is_in(place, command).ended();
    assert!(
        ended
            .err
            .starts_with("master: cannot write results: No space left on device"),
        "{ended:#?}"
    );
    ended.expect_status(1);
}

#[test]
fn without_stderr_a_run_goes_on() {
    let place = Folder::new();
    let script = mesh(2, 100) + "Receive 2\nKillNode 2\nSend 1 2 5\nnodes\n";
    let name = place.file("failing.txt", script);
    let closed = Master::spawn(place.under_shell("exec 2>&-", &["--verbose", name])).end();
    closed.expect(1, "", "");
    let read_only = "exec 2</dev/null";
    Master::spawn(place.under_shell(read_only, &["--verbose", name]))
        .end()
        .expect(1, "", "");
    let full = "exec 2>/dev/full";
    Master::spawn(place.under_shell(full, &["--verbose", name]))
        .end()
        .expect(1, "", "");
}

#[test]
fn help_that_cannot_be_written_is_no_success() {
    let no_room = "master: cannot write the help: No space left on device (os error 28)\n";
    for help in ["--help", "--version"] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (_, unread) = std::io::pipe().unwrap();
        for (stdout, status, told) in [(Stdio::from(full), 1, no_room), (unread.into(), 141, "")] {
            let run = Command::new(master()).arg(help).stdout(stdout).output();
            let run = run.expect("master starts");
            assert_eq!(run.status.code(), Some(status), "{run:?}");
            assert_eq!(String::from_utf8_lossy(&run.stderr), told);
        }
    }
}

#[test]
fn without_a_reader_of_stderr_a_run_goes_on() {
    let place = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(master());
    command.arg("--verbose");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(writer);
    let mut master = Master::start_as_is_in(place, command);
    master.write(mesh(2, 100) + "Receive 2\nSend 1 2 5\nReceive 2\n");
    master.expect_out(&["1 Transfer 5"]);
    master.end().expect_status(1);
}

#[test]
fn without_any_standard_stream_master_ends() {
    let place = Folder::new();
    let before = "exec 0<&- 1>&- 2>&-";
    let ended = Master::spawn(place.under_shell(before, &["--run-dir", "run"])).end();
    ended.expect(0, "", "");
}

#[test]
fn the_children_of_a_strict_run_that_stops_are_gone() {
    let mut master = Master::start(&["--strict"]);
    master.write(mesh(3, 1));
    master.settle(3);
    master.write("Receive 1\nSend 1 2 1\nReceive 2\n");
    let ended = master.ended();
    ended.expect_status(1);
    assert_eq!(ended.out, "");
}

#[test]
fn somebody_else_who_holds_the_input_open_does_not_keep_anybody_alive() {
    // A second writer of the same pipe, as a shell's coprocess leaves behind.
    let place = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut keeper = writer.try_clone().unwrap();
    let mut command = Command::new(master());
    command.args(["--seed", "1", "--run-dir", "run"]);
    command
        .stdin(reader)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut master = Master::start_as_is_in(place, command);
    keeper
        .write_all(b"StartMaster\nCreateNode 1 1\nnodes\n")
        .unwrap();
    assert!(master.err().starts_with("node 1  pid"));
    let pids = master.pids();
    master.remember(&pids);
    signal(master.pid(), SIGTERM);
    assert_eq!(master.wait().code(), Some(143));
    gone(master.family());
    drop((keeper, writer));
}

#[test]
fn no_zombie_waits_in_a_living_master() {
    let mut master = waiting_master();
    let pids = master.pids();
    signal(pids.nodes[&1], SIGKILL);
    assert_eq!(master.err(), "node 1 died (killed by signal 9)");
    let path = format!("/proc/{}", pids.nodes[&1]);
    assert!(
        until(|| !File::open(&path).is_ok_and(|_| true)),
        "it is reaped"
    );
    master.end().expect_status(1);
}

fn signal_of(master: &mut Master) -> Signal {
    use std::os::unix::process::ExitStatusExt;
    Signal::try_from(master.wait().signal().expect("it did not exit")).unwrap()
}

#[test]
fn a_signal_ends_a_master_whose_messages_nobody_reads() {
    let place = Folder::new();
    let script = mesh(3, 100) + &more_messages_than_a_pipe_holds();
    let name = place.file("s.txt", script);
    let mut command = Command::new(master());
    command.args(["--seed", "1", "--run-dir", "run", name]);
    let (messages, writer) = std::io::pipe().unwrap();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(writer);
    let mut master = Master::start_as_is_in(place, command);
    master.lose_patience_after(Duration::from_secs(10));
    let mut messages = BufReader::with_capacity(16, messages);
    let mut told = String::new();
    messages.read_line(&mut told).unwrap();
    let pids = master.pids();
    master.remember(&pids);
    signal(master.pid(), SIGTERM);
    assert_eq!(master.wait().code(), Some(128 + SIGTERM as i32));
    gone(master.family());
}
