//! What the process tests share: a master under test, and what /proc says of processes.
//!
//! Nothing here sleeps to let something happen: lines, end of file and exit are waited for. Only
//! what /proc says has no event; it is looked at again and again, until a deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    unused_imports,
    dead_code
)]

mod loss;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::Deserialize;
use tempfile::TempDir;

pub use loss::{Loss, Transfers};
pub use process::{
    Descriptor, Process, Way, descriptors, gone, idle, own_descriptors, shields_itself_from,
    signal, stop, until,
};

/// How long a test waits for anything before it says that it never came.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// How many writes to a master's input may wait until it takes them.
const WRITES_AHEAD: usize = 1000;

/// What every run that fails says last, with the seed that [`Master::start`] gives.
pub const SEED_LINE: &str = "master: the seed was 1 (--seed 1 draws the same again)";

/// A small script with one result of each kind.
pub const EXAMPLE: &str = "\
StartMaster
CreateNode 1 1000
CreateNode 2 500
Send 1 2 300
BeginSnapshot 1
Send 2 1 9000
Receive 2
Receive 2
ReceiveAll
CollectState
PrintSnapshot
";

pub fn master() -> &'static str {
    env!("CARGO_BIN_EXE_master")
}

/// A directory of the test's own.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and returns its name, which messages then carry.
    pub fn file<'n>(&self, name: &'n str, text: impl AsRef<[u8]>) -> &'n str {
        fs::write(self.path(name), text).unwrap();
        name
    }

    /// `master ARGUMENTS` in this directory, with an empty standard input.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "")
    }

    /// The same with something on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = Command::new(master());
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("CLICOLOR_FORCE");
        let mut master = Master::spawn(command);
        master.write(input);
        master.end()
    }

    /// `master` under a shell that runs `before`, then becomes it.
    pub fn under_shell(&self, before: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{before}; exec \"$0\" \"$@\""), master()])
            .args(arguments)
            .current_dir(self.0.path());
        command
    }
}

/// Lines of one stream, as they come.
struct Stream {
    lines: mpsc::Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Stream {
    fn read(source: impl Read + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            loop {
                let mut line = Vec::new();
                match source.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) if sender.send(line).is_err() => return,
                    Ok(_) => {}
                }
            }
        });
        Self {
            lines,
            seen: Vec::new(),
        }
    }

    /// A stream that ended before it began.
    fn none() -> Self {
        Self::read(std::io::empty())
    }

    fn next(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left)?;
        self.seen.extend(&line);
        Ok(String::from_utf8_lossy(&line)
            .trim_end_matches('\n')
            .to_owned())
    }
}

impl Stream {
    /// Reads to the end of file, which comes when nobody holds the stream open any more.
    #[track_caller]
    fn finish(&mut self, name: &str, deadline: Instant) {
        loop {
            match self.next(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{name} never ended: somebody holds it open")
                }
            }
        }
    }
}

/// How a run ended and everything it wrote.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ended {
    #[track_caller]
    pub fn expect(&self, status: i32, out: &str, err: &str) {
        assert_eq!(self.err, err, "stderr of {self:#?}");
        assert_eq!(self.out, out, "stdout of {self:#?}");
        assert_eq!(self.status.code(), Some(status), "status of {self:#?}");
    }

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
    pub master: u32,
    pub observer: Option<u32>,
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
    place: Place,
    family: Vec<Process>,
}

impl Master {
    /// `master --seed 1 --run-dir run ARGUMENTS` in a directory of its own, reading what
    /// [`Master::write`] writes.
    pub fn start(arguments: &[&str]) -> Self {
        let place = Place::new();
        let mut command = Command::new(master());
        command
            .args(["--seed", "1", "--run-dir", "run"])
            .args(arguments);
        Self::start_in(place, command)
    }

    pub fn start_in(place: Place, mut command: Command) -> Self {
        command.current_dir(place.0.path());
        let mut master = Self::spawn(command);
        master.place = place;
        master
    }

    /// The same with standard streams that have been chosen.
    pub fn start_as_is_in(place: Place, mut command: Command) -> Self {
        command.current_dir(place.0.path());
        let mut master = Self::spawn_as_is(command);
        master.place = place;
        master
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
            place: Place::new(),
            family: Vec::new(),
        }
    }

    /// Waits no longer than this, from now on, for anything.
    pub fn lose_patience_after(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn place(&self) -> &Place {
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

    #[track_caller]
    pub fn expect_out(&mut self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.out(), *line);
        }
    }

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

    /// What the `nodes` command says of so many nodes; everything before it is done then.
    #[track_caller]
    pub fn table(&mut self, nodes: usize) -> Vec<String> {
        self.write("nodes\n");
        (0..nodes).map(|_| self.err()).collect()
    }

    /// Waits until everything written so far is done, where there are so many nodes; returns the
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

    pub fn pids(&self) -> Pids {
        let text = fs::read(self.place.path("run/pids.json")).expect("there is a pids.json");
        serde_json::from_slice(&text).expect("pids.json parses")
    }

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

/// Commands that fail without any process being asked: more messages than a pipe holds.
pub fn more_messages_than_a_pipe_holds() -> String {
    "PrintSnapshot\n".repeat(4_000)
}

/// A mesh of nodes `1..=nodes` with `amount` each, as a script.
pub fn mesh(nodes: usize, amount: u64) -> String {
    let mut script = "StartMaster\n".to_owned();
    for id in 1..=nodes {
        script += &format!("CreateNode {id} {amount}\n");
    }
    script
}
