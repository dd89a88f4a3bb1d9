//! `master` at a terminal: the prompt, its keys, and the terminal's state afterwards.

use nix::sys::signal::Signal::{SIGHUP, SIGKILL, SIGTERM};
use testing::{Folder, gone, signal};

use crate::tty::{CTRL_C, CTRL_D, ENTER, PROMPT, Session, TAB, UP};

#[test]
fn a_command_that_is_typed_at_the_prompt_is_carried_out() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.command("CreateNode 2 100");
    session.command("Send 1 2 42");
    session.command("Receive 2");
    session.expect("1 Transfer 42");
    session.command("Send 1 2 1000");
    session.expect("ERR_SEND");
    session.prompt();
    session.pids();
    assert!(!session.is_cooked(), "the line editor reads keys");
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn lines_that_were_typed_ahead_are_all_carried_out() {
    let mut session = Session::start(&[]);
    session.type_keys("StartMaster\rCreateNode 1 9\rCreateNode 2 0\rSend 1 2 7\rReceive 2\r");
    session.expect("1 Transfer 7");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn lines_that_are_pasted_are_all_carried_out() {
    let mut session = Session::start(&[]);
    session.prompt();
    session
        .type_keys("\x1b[200~StartMaster\rCreateNode 1 9\rCreateNode 2 0\rSend 1 2 7\x1b[201~\r");
    session.command("Receive 2");
    session.expect("1 Transfer 7");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn what_is_refused_or_fails_at_the_prompt_is_told_and_the_session_goes_on() {
    let mut session = Session::start(&[]);
    session.command("Sned 1 2 3");
    session.expect("did you mean `Send`?");
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.command("Receive 1");
    session.expect("nothing is on its way to node 1");
    session.command("BeginSnapshot 1");
    session.expect("Started by Node 1");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect("the seed was 1");
    session.expect_end(1);
}

#[test]
fn messages_at_the_prompt_have_no_place_before_them() {
    let mut session = Session::start_with(&[], &[("NO_COLOR", "1")]);
    session.command("Sned 1 2 3");
    session.expect("\nunknown command `Sned`; did you mean `Send`?\r\n    Sned 1 2 3\r\n    ^^^^");
    session.command("StartMaster");
    session.command("CollectState");
    session.expect("\n`CollectState`: ");
    session.prompt();
    assert!(!session.shown.contains("-:"), "{:?}", session.shown);
    session.type_keys(CTRL_D);
    session.expect_end(1);
}

#[test]
fn help_lists_the_commands() {
    let mut session = Session::start(&[]);
    session.command("help");
    for command in [
        "StartMaster",
        "CreateNode ID AMOUNT",
        "PrintSnapshot",
        "show [N]",
        "quit",
    ] {
        session.expect(command);
    }
    session.command("quit");
    session.expect_end(0);
}

#[test]
fn a_session_begins_with_where_help_is() {
    let mut session = Session::start(&[]);
    session.expect("`help` lists the commands");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn a_byte_that_is_not_utf_8_does_not_end_the_session() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.prompt();
    // What follows in the same breath must not be taken for a line.
    session.type_bytes(b"CreateNode 1 5\xff\rquit\r");
    session.expect("not UTF-8");
    session.expect(PROMPT);
    session.expect("CreateNode 1 5\u{fffd}");
    // The line is as it was, and can be mended.
    session.type_keys(&format!("\x7f0{ENTER}"));
    session.command("BeginSnapshot 1");
    session.expect("Started by Node 1");
    session.command("CollectState");
    session.command("PrintSnapshot");
    session.expect("node 1 = 50");
    // The same where the rest of a sequence never comes, and inside of what is pasted.
    for bytes in [&b"\xc3\r"[..], b"\x1b[200~Kill\xe9All\rquit\r\x1b[201~"] {
        session.prompt();
        session.type_bytes(bytes);
        session.expect("not UTF-8");
        session.expect(PROMPT);
        session.expect("\u{fffd}");
        session.type_keys(CTRL_C);
    }
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn a_first_interrupt_clears_the_line_and_says_how_to_leave() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.prompt();
    session.type_keys(&format!("CreateNode 1 100{CTRL_C}"));
    session.expect("Ctrl-C once more ends the session");
    // Not in a row: something was typed in between, entered or not.
    session.command("CreateNode 1 7");
    session.prompt();
    for _ in 0..2 {
        session.type_keys(&format!("Crea{CTRL_C}"));
        session.expect("Ctrl-C once more ends the session");
        session.prompt();
    }
    session.type_keys(&format!("BeginSnapshot 1{ENTER}"));
    session.expect("Started by Node 1");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn tab_completes_commands_and_node_ids() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.prompt();
    session.type_keys(&format!("Crea{TAB}"));
    session.expect("CreateNode ");
    session.type_keys(&format!("4711 100{ENTER}"));
    session.prompt();
    session.type_keys(&format!("CreateNode 5 5{ENTER}"));
    session.prompt();
    session.type_keys(&format!("Send 5 47{TAB}3{ENTER}"));
    session.prompt();
    session.type_keys(&format!("rec{TAB} 4711{ENTER}"));
    session.prompt();
    session.type_keys(CTRL_D);
    assert!(
        session.shown.contains("5 Transfer 3"),
        "{:?}",
        session.shown
    );
    session.expect_end(0);
}

#[test]
fn a_second_tab_takes_nothing_back() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    for node in ["40", "41", "7"] {
        session.command(&format!("CreateNode {node} 100"));
    }
    session.prompt();
    session.type_keys(&format!("Beg{TAB}{TAB}4{TAB}"));
    // What is possible is listed; `BeginSnapshot ` stays, and so does the 4.
    session.expect("40");
    session.expect("41");
    session.type_keys(&format!("{TAB}1{ENTER}"));
    session.expect("Started by Node 41");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn tab_offers_only_what_can_stand_there() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.command("CreateNode 2 100");
    session.prompt();
    // Not to itself: the only other node is certain. And no node where an amount is wanted.
    session.type_keys(&format!("Send 1 {TAB}{TAB}42{ENTER}"));
    session.prompt();
    session.type_keys(&format!("Receive 2 {TAB}{ENTER}"));
    session.expect("1 Transfer 42");
    session.prompt();
    // A new node has a new id.
    session.type_keys(&format!("CreateNode {TAB}3 5{ENTER}"));
    session.prompt();
    session.type_keys(&format!("show {TAB}2{ENTER}"));
    session.expect("earlier steps");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn tab_offers_the_only_word_that_can_stand_there() {
    let mut session = Session::start(&[]);
    session.prompt();
    session.type_keys(&format!("StartMaster {TAB}{ENTER}"));
    for command in [
        "CreateNode 1 9",
        "CreateNode 2 9",
        "Connect 1 2",
        "Send 1 2 3",
    ] {
        session.command(command);
    }
    session.command("Receive 2");
    session.expect("1 Transfer 3");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn the_last_command_comes_back() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.command("BeginSnapshot 1");
    session.expect("Started by Node 1");
    session.prompt();
    session.type_keys(&format!("{UP}{ENTER}"));
    session.expect("Started by Node 1");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(0);
}

#[test]
fn a_second_interrupt_in_a_row_ends_with_130() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.prompt();
    session.pids();
    session.type_keys(&format!("Send 1{CTRL_C}"));
    session.prompt();
    session.type_keys(CTRL_C);
    session.expect_end(130);
}

#[test]
fn an_interrupt_while_a_command_is_carried_out_ends_with_130() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.command("CreateNode 2 100");
    session.prompt();
    let pids = session.pids();
    testing::stop(pids.nodes[&2]);
    session.type_keys(&format!("Send 2 1 5{ENTER}"));
    // The line editor gives the terminal back while the command is carried out.
    assert!(testing::until(|| session.is_cooked()));
    session.type_keys(CTRL_C);
    session.expect_end(130);
}

#[test]
fn a_signal_at_the_prompt_restores_the_terminal() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.prompt();
    session.pids();
    let pid = session.master.pid();
    session.type_keys("Sen");
    signal(pid, SIGTERM);
    session.expect_end(143);
}

#[test]
fn a_death_is_told_while_the_prompt_waits_and_what_was_typed_stays() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.command("CreateNode 2 100");
    session.prompt();
    let pids = session.pids();
    session.type_keys("BeginSna");
    session.expect("BeginSna");
    signal(pids.nodes[&2], SIGKILL);
    session.expect("node 2 died (killed by signal 9)");
    session.expect("lost with node 2");
    session.expect("BeginSna");
    session.type_keys(&format!("{TAB}1{ENTER}"));
    session.expect("a snapshot needs every node");
    session.prompt();
    session.type_keys(CTRL_D);
    session.expect_end(1);
}

#[test]
fn the_time_runs_out_at_the_prompt_too() {
    let mut session = Session::start(&["--timeout", "0.5"]);
    session.prompt();
    session.expect("the time (--timeout) ran out while waiting for input");
    session.expect_end(124);
}

#[test]
fn a_terminal_that_goes_away_ends_the_run() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.prompt();
    session.pids();
    let Session {
        mut master,
        keyboard,
        screen,
        terminal,
        ..
    } = session;
    // A terminal window is closed: its last descriptor goes, and with it the line.
    drop((keyboard, screen, terminal));
    signal(master.pid(), SIGHUP);
    let ended = master.wait();
    assert_eq!(ended.code(), Some(129), "{ended:?}");
    gone(master.family());
}

#[test]
fn colour_is_for_terminals_and_no_color_is_honoured() {
    let mut session = Session::start(&[]);
    session.command("nonsense");
    session.expect("\u{1b}[1m\u{1b}[31m    ^^^^^^^^\u{1b}[0m");
    session.command("quit");
    session.expect_end(1);

    let mut session = Session::start_with(&[], &[("NO_COLOR", "1")]);
    session.command("nonsense");
    session.expect("\n    ^^^^^^^^\r\n");
    session.command("quit");
    session.expect_end(1);
}

#[test]
fn show_draws_the_last_steps_in_colour_only_where_that_is_allowed() {
    let mut session = Session::start(&[]);
    session.command("show");
    session.expect("nothing has happened yet");
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.command("CreateNode 2 100");
    session.command("Send 1 2 42");
    session.command("BeginSnapshot 2");
    session.command("show 2");
    session.expect("2 earlier steps");
    session.expect("●────a:42────▷│");
    session.expect("\u{1b}[38;5;32m◁┄┄┄S1=100┄┄┄◆");
    session.expect("1 → 2: a:42");
    session.command("quit");
    session.expect_end(0);

    let mut session = Session::start_with(&["--ascii"], &[("NO_COLOR", "1")]);
    // What was typed ahead is drawn as far as it goes.
    session.type_keys("StartMaster\rCreateNode 1 9\rCreateNode 2 0\rSend 1 2 7\r");
    session.type_keys("BeginSnapshot 2\rshow\r");
    session.expect("2    * 9");
    session.expect("5    |(~~~S1=0~~~#");
    session.expect("1 -> 2: a:7");
    session.command("show none");
    session.expect("\n`show none`: `show N` draws the last N steps");
    session.prompt();
    assert!(!session.shown.contains("\u{1b}[38"), "{:?}", session.shown);
    session.type_keys(CTRL_D);
    session.expect_end(1);
}

#[test]
fn a_script_at_a_terminal_needs_no_prompt() {
    let place = Folder::new();
    place.file("s.txt", "StartMaster\nCreateNode 1 5\nBeginSnapshot 1\n");
    let path = place.path("s.txt");
    let mut session = Session::start(&[path.to_str().unwrap()]);
    session.expect("Started by Node 1");
    session.master.wait();
    assert!(!session.shown.contains(PROMPT), "{:?}", session.shown);
    session.expect_end(0);
}
