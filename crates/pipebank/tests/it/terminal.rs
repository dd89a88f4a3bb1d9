//! `master` at a terminal: the prompt, its keys, and the terminal's state afterwards.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal::{SIGKILL, SIGTERM};
use nix::sys::termios::{LocalFlags, tcgetattr};
use testing::{Folder, Master, PATIENCE, Pids, Process, gone, master, signal};

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const TAB: &str = "\t";
const UP: &str = "\x1b[A";
const ENTER: &str = "\r";
const PROMPT: &str = "pipebank> ";
/// What the line editor writes when it begins to read a line (bracketed paste on), and only then:
/// the prompt itself is drawn again at many keys.
const BEGINS_TO_READ: &str = "\x1b[?2004h";

/// A master whose three standard streams are one terminal.
struct Session {
    master: Master,
    keyboard: PtyMaster,
    screen: mpsc::Receiver<Vec<u8>>,
    /// All that was written to the terminal, and how much of it has been waited for.
    shown: String,
    seen: usize,
    /// Keeps the terminal, whose settings are looked at.
    terminal: File,
}

impl Session {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let keyboard = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let terminal = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(ptsname_r(&keyboard).unwrap())
            .unwrap();
        let stream = || Stdio::from(terminal.try_clone().unwrap());
        // A session of its own, so that the terminal's keys reach it.
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", master(), "--seed", "1", "--run-dir", "run"])
            .args(arguments)
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(variables.iter().copied())
            .stdin(stream())
            .stdout(stream())
            .stderr(stream());
        let (sender, screen) = mpsc::channel();
        let mut reader = File::from(
            std::os::fd::AsFd::as_fd(&keyboard)
                .try_clone_to_owned()
                .unwrap(),
        );
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            master: Master::start_as_is_in(Folder::new(), command),
            keyboard,
            screen,
            shown: String::new(),
            seen: 0,
            terminal,
        }
    }

    fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line once there is a prompt.
    #[track_caller]
    fn command(&mut self, line: &str) {
        self.prompt();
        self.type_keys(line);
        self.type_keys(ENTER);
    }

    /// Waits for the next prompt.
    #[track_caller]
    fn prompt(&mut self) {
        self.expect(BEGINS_TO_READ);
        self.expect(PROMPT);
    }

    /// Waits until this is on the screen, after what was waited for before.
    #[track_caller]
    fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let new = &self.shown[self.seen..];
            if let Some(at) = new.find(text) {
                let before = new[..at].to_owned();
                self.seen += at + text.len();
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown += &String::from_utf8_lossy(&bytes),
                Err(error) => panic!(
                    "waited for {text:?} ({error}); the screen: {:?}",
                    self.shown
                ),
            }
        }
    }

    fn pids(&mut self) -> Pids {
        let pids = self.master.pids();
        self.master.remember(&pids);
        pids
    }

    /// Whether the terminal edits lines itself and echoes: its state before the prompt.
    fn is_cooked(&self) -> bool {
        let flags = tcgetattr(&self.terminal).unwrap().local_flags;
        flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    #[track_caller]
    fn expect_end(mut self, status: i32) {
        let ended = self.master.wait();
        assert_eq!(ended.signal(), None);
        let family: Vec<Process> = self.master.family().to_vec();
        gone(&family);
        assert!(self.is_cooked(), "the terminal is left as it was found");
        assert_eq!(ended.code(), Some(status), "{:?}", self.shown);
    }
}

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
    session.type_keys(&format!("rec{TAB}"));
    session.type_keys(&format!("4711{ENTER}"));
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
fn an_interrupt_at_the_prompt_ends_with_130() {
    let mut session = Session::start(&[]);
    session.command("StartMaster");
    session.command("CreateNode 1 100");
    session.prompt();
    session.pids();
    session.type_keys(&format!("Send 1{CTRL_C}"));
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
    signal(master.pid(), nix::sys::signal::Signal::SIGHUP);
    let ended = master.wait();
    assert_eq!(ended.code(), Some(129), "{ended:?}");
    gone(master.family());
}

#[test]
fn colour_is_for_terminals_and_no_color_is_honoured() {
    let mut session = Session::start(&[]);
    session.command("nonsense");
    let place = "-:1:1:";
    session.expect(&format!("\u{1b}[1m{place}\u{1b}[0m unknown command"));
    session.command("quit");
    session.expect_end(1);

    let mut session = Session::start_with(&[], &[("NO_COLOR", "1")]);
    session.command("nonsense");
    session.expect(&format!("{place} unknown command"));
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
    session.expect("-:7: `show none`: `show N` draws the last N steps");
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
