//! What reaches master while the system ends counts: a signal and the deadline, like at any time.

use nix::sys::signal::Signal::SIGTERM;
use testing::{Master, Process, gone, mesh, signal, stop};

/// Two nodes, of which the first is stopped: it will not end when it is told to.
fn with_a_stopped_node(arguments: &[&str]) -> (Master, Process) {
    let mut master = Master::start(arguments);
    master.write(mesh(2, 100));
    let pids = master.settle(2);
    stop(pids.nodes[&1]);
    (master, Process::find(pids.nodes[&2]).unwrap())
}

#[test]
fn a_signal_at_the_end_of_input_is_not_swallowed() {
    let (mut master, second) = with_a_stopped_node(&[]);
    master.close_input();
    // Once the other node has ended, master is waiting for the stopped one.
    gone(&[second]);
    signal(master.pid(), SIGTERM);
    master.ended().expect_status(128 + SIGTERM as i32);
}

#[test]
fn a_signal_during_kill_all_ends_the_script() {
    let (mut master, second) = with_a_stopped_node(&[]);
    master.write("KillAll\nStartMaster\nCreateNode 7 7\nCreateNode 8 8\nSend 7 8 1\nReceive 8\n");
    gone(&[second]);
    signal(master.pid(), SIGTERM);
    let ended = master.ended();
    assert_eq!(ended.out, "", "the script does not go on");
    ended.expect_status(128 + SIGTERM as i32);
}

#[test]
fn the_time_runs_out_while_the_system_ends_too() {
    let (mut master, _) = with_a_stopped_node(&["--timeout", "1"]);
    master.close_input();
    let ended = master.ended();
    assert!(
        ended.err.contains("the time (--timeout) ran out"),
        "{ended:#?}"
    );
    ended.expect_status(124);
}
