//! A terminal with a master at it: a keyboard, and a screen that is looked at.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, tcgetattr};
use testing::{Folder, Master, PATIENCE, Pids, Process, gone, master};

pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_D: &str = "\x04";
pub(crate) const TAB: &str = "\t";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const ENTER: &str = "\r";
pub(crate) const PROMPT: &str = "pipebank> ";
/// What the line editor writes when it begins to read a line (bracketed paste on), and only then:
/// the prompt itself is drawn again at many keys.
pub(crate) const BEGINS_TO_READ: &str = "\x1b[?2004h";

/// The height of the terminal, where it says how large it is.
pub(crate) const ROWS: u16 = 24;

/// A master whose three standard streams are one terminal.
pub(crate) struct Session {
    pub(crate) master: Master,
    pub(crate) keyboard: PtyMaster,
    pub(crate) screen: mpsc::Receiver<Vec<u8>>,
    /// All that was written to the terminal, and how much of it has been waited for.
    pub(crate) shown: String,
    seen: usize,
    /// Keeps the terminal, whose settings are looked at.
    pub(crate) terminal: File,
}

impl Session {
    /// `master --seed 1 --run-dir run ARGUMENTS`, at a terminal that does not say how large it is.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    pub(crate) fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let usual = ["--seed", "1", "--run-dir", "run"];
        Self::start_at(None, &[&usual, arguments].concat(), variables)
    }

    /// `master ARGUMENTS`, at a terminal of 24 rows and this many columns.
    pub(crate) fn start_wide(columns: u16, arguments: &[&str]) -> Self {
        Self::start_at(Some(columns), arguments, &[])
    }

    fn start_at(columns: Option<u16>, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let keyboard = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let terminal = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(ptsname_r(&keyboard).unwrap())
            .unwrap();
        if let Some(columns) = columns {
            // Nothing but a program that is there everywhere sets this without unsafe code.
            let mut resize = Command::new("stty");
            resize.args(["rows", &ROWS.to_string(), "cols", &columns.to_string()]);
            let status = resize.stdin(terminal.try_clone().unwrap()).status();
            assert!(status.unwrap().success());
        }
        let stream = || Stdio::from(terminal.try_clone().unwrap());
        // A session of its own, so that the terminal's keys reach it.
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", master()])
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

    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn type_bytes(&mut self, bytes: &[u8]) {
        self.keyboard.write_all(bytes).unwrap();
    }

    /// Types a line once there is a prompt.
    #[track_caller]
    pub(crate) fn command(&mut self, line: &str) {
        self.prompt();
        self.type_keys(line);
        self.type_keys(ENTER);
    }

    /// Waits for the next prompt.
    #[track_caller]
    pub(crate) fn prompt(&mut self) {
        self.expect(BEGINS_TO_READ);
        self.expect(PROMPT);
    }

    /// Waits until this is on the screen, after what was waited for before.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
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

    pub(crate) fn pids(&mut self) -> Pids {
        let pids = self.master.pids();
        self.master.remember(&pids);
        pids
    }

    /// Whether the terminal edits lines itself and echoes: its state before the prompt.
    pub(crate) fn is_cooked(&self) -> bool {
        let flags = tcgetattr(&self.terminal).unwrap().local_flags;
        flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    /// What stands on the screen, a row a line, after all that was written so far.
    pub(crate) fn looked_at(&self, columns: u16) -> vt100::Screen {
        let size = |count| NonZeroU16::new(count).unwrap();
        let mut parser = vt100::Parser::new(size(ROWS), size(columns), 0);
        parser.process(self.shown.as_bytes());
        parser.screen().clone()
    }

    /// The rows of the screen. The terminal had to break no line, which it does in the middle of words.
    #[track_caller]
    pub(crate) fn rows(&self, columns: u16) -> Vec<String> {
        let screen = self.looked_at(columns);
        let broken = (0..ROWS).find(|row| screen.row_wrapped(*row));
        assert_eq!(broken, None, "{columns}:\n{}", screen.contents());
        screen.rows(0, columns).collect()
    }

    /// Waits until everything that was written is on the screen: the run has ended.
    #[track_caller]
    pub(crate) fn end(&mut self) -> i32 {
        /// A title of the window: it stands nowhere on the screen.
        const MARK: &str = "\x1b]2;the end\x07";
        let ended = self.master.wait();
        self.terminal.write_all(MARK.as_bytes()).unwrap();
        self.expect(MARK);
        ended.code().expect("it exits")
    }

    #[track_caller]
    pub(crate) fn expect_end(mut self, status: i32) {
        let ended = self.master.wait();
        assert_eq!(ended.signal(), None);
        let family: Vec<Process> = self.master.family().to_vec();
        gone(&family);
        assert!(self.is_cooked(), "the terminal is left as it was found");
        assert_eq!(ended.code(), Some(status), "{:?}", self.shown);
    }
}
