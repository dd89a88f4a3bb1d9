//! A running master: what it is given, what it says, and how it ended.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::stream::Stream;
use crate::{Folder, PATIENCE, Process, gone, master, signal};

/// How many writes to a master's input may wait until it takes them.
const WRITES_AHEAD: usize = 1000;

/// How a run ended and everything it wrote.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status, or the signal that ended it.
    pub status: ExitStatus,
    /// All of its standard output.
    pub out: String,
    /// All of its standard error.
    pub err: String,
}

impl Ended {
    /// Checks all three.
    #[track_caller]
    pub fn expect(&self, status: i32, out: &str, err: &str) {
        assert_eq!(self.err, err, "stderr of {self:#?}");
        assert_eq!(self.out, out, "stdout of {self:#?}");
        assert_eq!(self.status.code(), Some(status), "status of {self:#?}");
    }

    /// Checks that it exited with this status.
    #[track_caller]
    pub fn expect_status(&self, status: i32) {
        assert_eq!(self.status.code(), Some(status), "{self:#?}");
        assert_eq!(
            self.status.signal(),
            None,
            "master exits, whatever ended it"
        );
    }
}

/// What `pids.json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Pids {
    /// The pid of master.
    pub master: u32,
    /// That of the observer, once there is one.
    pub observer: Option<u32>,
    /// Those of the nodes, by id.
    pub nodes: BTreeMap<u64, u32>,
}

/// A running master. Dropped, it is killed, and what it had started with it.
pub struct Master {
    pid: u32,
    input: Option<mpsc::SyncSender<Vec<u8>>>,
    out: Stream,
    err: Stream,
    exit: mpsc::Receiver<ExitStatus>,
    status: Option<ExitStatus>,
    deadline: Instant,
    place: Folder,
    family: Vec<Process>,
}

impl Master {
    /// `master --seed 1 --run-dir run ARGUMENTS` in a directory of its own, reading what
    /// [`Master::write`] writes.
    pub fn start(arguments: &[&str]) -> Self {
        let place = Folder::new();
        let mut command = Command::new(master());
        command
            .args(["--seed", "1", "--run-dir", "run"])
            .args(arguments);
        Self::start_in(place, command)
    }

    /// A command in this directory, reading what [`Master::write`] writes.
    pub fn start_in(place: Folder, mut command: Command) -> Self {
        command.current_dir(place.path("."));
        let mut master = Self::spawn(command);
        master.place = place;
        master
    }

    /// The same with standard streams that have been chosen.
    pub fn start_as_is_in(place: Folder, mut command: Command) -> Self {
        command.current_dir(place.path("."));
        let mut master = Self::spawn_as_is(command);
        master.place = place;
        master
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    /// Starts a command with pipes at its standard streams.
    pub fn spawn(mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self::spawn_as_is(command)
    }

    /// Starts a command whose standard streams have been chosen.
    pub fn spawn_as_is(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let pid = child.id();
        let input = child.stdin.take().map(|mut stdin| {
            let (sender, texts) = mpsc::sync_channel::<Vec<u8>>(WRITES_AHEAD);
            thread::spawn(move || {
                for text in texts {
                    if stdin.write_all(&text).is_err() {
                        return;
                    }
                }
            });
            sender
        });
        let out = child.stdout.take().map_or_else(Stream::none, Stream::read);
        let err = child.stderr.take().map_or_else(Stream::none, Stream::read);
        let (sender, exit) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait().unwrap()));
        Self {
            pid,
            input,
            out,
            err,
            exit,
            status: None,
            deadline: Instant::now() + PATIENCE,
            place: Folder::new(),
            family: Vec::new(),
        }
    }

    /// Waits no longer than this, from now on, for anything.
    pub fn lose_patience_after(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The directory in which it runs.
    pub fn place(&self) -> &Folder {
        &self.place
    }

    /// Writes to its standard input, in one piece where a pipe allows it.
    pub fn write(&mut self, text: impl AsRef<[u8]>) {
        let input = self.input.as_ref().expect("the input is open");
        // Where master has gone, what is waited for says so.
        let _ = input.send(text.as_ref().to_vec());
    }

    /// Writes `text` again and again until nobody reads it any more.
    pub fn write_for_ever(&mut self, text: &str) {
        let input = self.input.take().expect("the input is open");
        let text = text.as_bytes().to_vec();
        thread::spawn(move || while input.send(text.clone()).is_ok() {});
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// The next line on its standard output.
    #[track_caller]
    pub fn out(&mut self) -> String {
        match self.out.next(self.deadline) {
            Ok(line) => line,
            Err(error) => self.give_up("a line on stdout", error),
        }
    }

    /// The next line on its standard error.
    #[track_caller]
    pub fn err(&mut self) -> String {
        match self.err.next(self.deadline) {
            Ok(line) => line,
            Err(error) => self.give_up("a line on stderr", error),
        }
    }

    /// Checks the next lines on its standard output.
    #[track_caller]
    pub fn expect_out(&mut self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.out(), *line);
        }
    }

    /// Checks the next lines on its standard error.
    #[track_caller]
    pub fn expect_err(&mut self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.err(), *line);
        }
    }

    /// Reads stderr up to the line that is this one; returns those before it.
    #[track_caller]
    pub fn err_until(&mut self, last: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let line = self.err();
            if line == last {
                return before;
            }
            before.push(line);
        }
    }

    /// What the `nodes` command says of a number of nodes; everything before it is done then.
    #[track_caller]
    pub fn table(&mut self, nodes: usize) -> Vec<String> {
        self.write("nodes\n");
        (0..nodes).map(|_| self.err()).collect()
    }

    /// Waits until everything written so far is done, where there are this many nodes; returns the
    /// pids, and remembers the processes: [`Master::end`] checks that they are gone.
    ///
    /// Under `--verbose` the table has company; it is passed over.
    #[track_caller]
    pub fn settle(&mut self, nodes: usize) -> Pids {
        self.write("nodes\n");
        let mut seen = 0;
        while seen < nodes {
            seen += usize::from(self.err().contains("  pid "));
        }
        let pids = self.pids();
        self.remember(&pids);
        pids
    }

    /// What `pids.json` says now.
    pub fn pids(&self) -> Pids {
        let text = fs::read(self.place.path("run/pids.json")).expect("there is a pids.json");
        serde_json::from_slice(&text).expect("pids.json parses")
    }

    /// Has [`Master::end`] check that these are gone.
    pub fn remember(&mut self, pids: &Pids) {
        let all = pids.nodes.values().copied().chain(pids.observer);
        self.family = all.filter_map(Process::find).collect();
    }

    /// Every process of the system that was remembered.
    pub fn family(&self) -> &[Process] {
        &self.family
    }

    /// Waits until it has exited, without ending its input.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.exit.recv_timeout(left) {
            Ok(status) => {
                self.status = Some(status);
                status
            }
            Err(error) => self.give_up("the exit of master", error),
        }
    }

    /// Ends its input and waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        self.close_input();
        self.ended()
    }

    /// Waits for its end, and that of every process that holds its streams or was remembered.
    #[track_caller]
    pub fn ended(mut self) -> Ended {
        let status = self.wait();
        self.out.finish("stdout", self.deadline);
        self.err.finish("stderr", self.deadline);
        gone(&self.family);
        Ended {
            status,
            out: String::from_utf8_lossy(&self.out.seen).into_owned(),
            err: String::from_utf8_lossy(&self.err.seen).into_owned(),
        }
    }

    #[track_caller]
    fn give_up(&mut self, what: &str, error: RecvTimeoutError) -> ! {
        let why = match error {
            RecvTimeoutError::Timeout => "it did not come in time",
            RecvTimeoutError::Disconnected => "the stream ended",
        };
        self.kill();
        panic!(
            "waited for {what}: {why}\n--- stdout\n{}--- stderr\n{}---",
            String::from_utf8_lossy(&self.out.seen),
            String::from_utf8_lossy(&self.err.seen),
        );
    }

    fn kill(&mut self) {
        if self.status.is_none() {
            signal(self.pid, Signal::SIGKILL);
            self.status = self.exit.recv_timeout(PATIENCE).ok();
        }
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.kill();
        for process in &self.family {
            process.kill();
        }
    }
}
