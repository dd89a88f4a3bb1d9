//! Commands from standard input: every result is there before master waits for more.

use std::fs::File;
use std::process::{Command, Stdio};

use testing::{Folder, Master, SEED_LINE, master, mesh};

fn two_nodes() -> Master {
    let mut master = Master::start(&[]);
    master.write("StartMaster\nCreateNode 1 1000\nCreateNode 2 500\n");
    master
}

#[test]
fn every_result_is_shown_before_the_next_line_is_waited_for() {
    let mut master = two_nodes();
    for amount in 1..=100 {
        master.write(format!("Send 1 2 {amount}\n"));
        master.write("Receive 2\n");
        assert_eq!(master.out(), format!("1 Transfer {amount}"));
        master.write(format!("Send 2 1 {amount}\nReceive 1 2\n"));
        assert_eq!(master.out(), format!("2 Transfer {amount}"));
    }
    master.write("Send 1 2 1001\n");
    assert_eq!(master.out(), "ERR_SEND");
    master.write("BeginSnapshot 2\n");
    assert_eq!(master.out(), "Started by Node 2");
    master.write("Receive 1\n");
    assert_eq!(master.out(), "2 SnapshotToken -1");
    master.write("CollectState\n");
    assert_eq!(
        master.err(),
        "-:407: `CollectState`: markers are still on their way: snapshot 1: node 2 waits for the \
         marker on 1 → 2; ReceiveAll would deliver them"
    );
    master.write("ReceiveAll\nCollectState\nPrintSnapshot\n");
    master.expect_out(&["---Node states", "node 1 = 1000", "node 2 = 500"]);
    master.end().expect_status(1);
}

#[test]
fn a_refused_line_is_told_at_once_and_the_session_goes_on() {
    let mut master = two_nodes();
    master.write("Send 1 3 5\n");
    master.expect_err(&[
        "-:4:8: node 3 is not created by any earlier line",
        "    Send 1 3 5",
        "           ^",
    ]);
    master.write("CreateNode 3 0\nSend 1 3 5\nReceive 3\n");
    master.expect_out(&["1 Transfer 5"]);
    master.write("# a remark\n\nsend 1 2 3\n");
    master.expect_err(&[
        "-:10:1: unknown command `send`; commands are case-sensitive: `Send`",
        "    send 1 2 3",
        "    ^^^^",
    ]);
    master.write("Send 1 2 -5\n");
    master.expect_err(&[
        "-:11:10: an amount cannot be negative",
        "    Send 1 2 -5",
        "             ^^",
    ]);
    master.write("Receive 2\n");
    master.expect_err(&["-:12: `Receive 2`: nothing to receive: nothing is on its way to node 2"]);
    let ended = master.end();
    assert!(ended.err.ends_with(&format!("{SEED_LINE}\n")));
    ended.expect_status(1);
}

#[test]
fn commands_before_start_master_are_refused_line_by_line() {
    let place = Folder::new();
    let ended = place.run_with(
        &["--seed", "1"],
        "CreateNode 1 5\nKillAll\nStartMaster\nStartMaster\n",
    );
    let told: Vec<&str> = ended.err.lines().collect();
    assert!(told[0].starts_with("-:1:1: "), "{ended:#?}");
    assert!(told[3].starts_with("-:4:1: "), "{ended:#?}");
    assert_eq!(told[6..], [SEED_LINE]);
    ended.expect_status(1);
}

#[test]
fn a_script_without_start_master_is_told_once_what_it_lacks() {
    let place = Folder::new();
    let ended = place.run_with(
        &["--seed", "1"],
        "CreateNode 1 5\nCreateNode 2 5\nSnd 1 2 3\nSend 1 2 3\nReceiveAll\n\
         StartMaster\nCreateNode 1 5\nKillAll\nnodes\nnodes\n",
    );
    let told: Vec<&str> = ended.err.lines().collect();
    let lacks = "StartMaster comes first";
    assert_eq!(
        told[0],
        format!("-:1:1: {lacks}: put it on a line of its own before this one")
    );
    // Another mistake is told all the same; and so is this one, once it is another.
    assert!(told[3].starts_with("-:3:1: unknown command"), "{ended:#?}");
    assert!(
        told[6].starts_with("-:9:1: StartMaster comes first: KillAll"),
        "{ended:#?}"
    );
    assert_eq!(told[9..], [SEED_LINE]);
    ended.expect_status(1);
}

#[test]
fn the_last_line_needs_no_end() {
    let place = Folder::new();
    let ended = place.run_with(&[], &(mesh(2, 9) + "Send 1 2 4\nReceive 2"));
    ended.expect(0, "1 Transfer 4\n", "");
    let ended = place.run_with(&["--seed", "1"], &(mesh(2, 9) + "Receive 2"));
    ended.expect(
        1,
        "",
        &format!(
            "-:4: `Receive 2`: nothing to receive: nothing is on its way to node 2\n{SEED_LINE}\n"
        ),
    );
}

#[test]
fn a_line_may_come_in_pieces() {
    let mut master = two_nodes();
    for piece in [
        "Se",
        "nd 1",
        " ",
        "2 4",
        "2",
        "\r",
        "\nRec",
        "eive 2 ",
        "# \u{2192}",
    ] {
        master.write(piece);
    }
    master.write("\n");
    assert_eq!(master.out(), "1 Transfer 42");
    // A character in two pieces.
    master.write(b"Send 1 2 7 # \xe2\x86".as_slice());
    master.write(b"\x92\nReceive 2\n".as_slice());
    assert_eq!(master.out(), "1 Transfer 7");
    master.end().expect_status(0);
}

#[test]
fn a_regular_file_can_be_standard_input() {
    let place = Folder::new();
    place.file(
        "in.txt",
        mesh(2, 9) + "Send 1 2 4\nReceive 2\nSend 2 1 3\nReceive 1",
    );
    for arguments in [&["-"] as &[&str], &[]] {
        let mut command = Command::new(master());
        command
            .args(arguments)
            .stdin(File::open(place.path("in.txt")).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let ended = Master::spawn_as_is(command).ended();
        ended.expect(0, "1 Transfer 4\n2 Transfer 3\n", "");
    }
}

#[test]
fn a_death_is_told_also_where_the_input_is_a_regular_file() {
    let place = Folder::new();
    place.file("in.txt", mesh(2, 9) + "KillNode 2\nSend 1 2 4\n");
    let mut command = Command::new(master());
    command
        .args(["--seed", "1"])
        .stdin(File::open(place.path("in.txt")).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ended = Master::spawn_as_is(command).ended();
    let death = "node 2 died (killed by signal 9)";
    let right = format!(
        "{death}\nlost with node 2: its balance of 9\n-:5: `Send 1 2 4`: {death}\n{SEED_LINE}\n"
    );
    ended.expect(1, "", &right);
}

#[test]
fn no_input_is_a_run_that_does_nothing() {
    let place = Folder::new();
    place.run(&[]).expect(0, "", "");
    place.run(&["-"]).expect(0, "", "");
    let mut command = Command::new(master());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Master::spawn_as_is(command).ended().expect(0, "", "");
}

#[test]
fn a_directory_as_standard_input_is_an_error() {
    let place = Folder::new();
    let mut command = Command::new(master());
    command
        .stdin(File::open(place.path(".")).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ended = Master::spawn_as_is(command).ended();
    assert!(
        ended.err.contains("cannot read standard input"),
        "{ended:#?}"
    );
    assert!(matches!(ended.status.code(), Some(1 | 2)), "{ended:#?}");
}

#[test]
fn many_lines_at_once_are_all_carried_out_in_order() {
    let mut master = two_nodes();
    let pairs = 25_000;
    let mut script = String::new();
    for amount in 1..=pairs {
        script += &format!("Send 1 2 {}\n", amount % 7);
    }
    script += &"Receive 2 1\n".repeat(pairs);
    master.write(script);
    let ended = master.end();
    let mut balance = 1000;
    let mut right = String::new();
    let mut taken = String::new();
    let mut sent = 0;
    for amount in (1..=pairs).map(|amount| amount % 7) {
        if amount <= balance {
            balance -= amount;
            sent += 1;
            taken += &format!("1 Transfer {amount}\n");
        } else {
            right += "ERR_SEND\n";
        }
    }
    right += &taken;
    assert!(ended.out == right, "the results differ");
    let nothing = ended.err.matches("nothing to receive").count();
    assert_eq!(nothing, pairs - sent);
    ended.expect_status(1);
}

#[test]
fn fifty_thousand_lines_through_the_pipe_of_standard_input() {
    let mut master = Master::start(&[]);
    let pairs: usize = 25_000;
    master.write("StartMaster\nCreateNode 1 25000\nCreateNode 2 0\n");
    master.write("Send 1 2 1\nReceive 2\n".repeat(pairs));
    let ended = master.end();
    assert_eq!(ended.err, "");
    assert!(ended.out == "1 Transfer 1\n".repeat(pairs));
    ended.expect_status(0);
}

#[test]
fn bytes_that_are_no_text_are_refused_and_the_session_goes_on() {
    let mut master = two_nodes();
    master.write(b"Send 1 2 \xff\xfe\x00\nSend 1 2 3\nReceive 2\n".as_slice());
    assert!(master.err().starts_with("-:4:"));
    assert_eq!(master.out(), "1 Transfer 3");
    let ended = master.end();
    ended.expect_status(1);
    assert!(!ended.err.contains('\0'), "{ended:#?}");
}

#[test]
fn a_very_long_line_is_refused_and_costs_nothing_else() {
    let mut master = two_nodes();
    master.write("x".repeat(3_000_000) + "\n");
    let told = master.err();
    assert!(told.starts_with("-:4:1: ") && told.len() < 500, "{told}");
    master.write("Send 1 2 3\nReceive 2\n");
    assert_eq!(master.out(), "1 Transfer 3");
    let ended = master.end();
    assert!(ended.err.len() < 2000);
    ended.expect_status(1);
}
