//! What the process tests share: a master under test, and what /proc says of processes.
//!
//! Nothing here sleeps to let something happen: lines, end of file and exit are waited for. Only
//! what /proc says has no event; it is looked at again and again, until a deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    dead_code
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use tempfile::TempDir;

/// How long a test waits for anything before it says that it never came.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What every run that fails says last, with the seed that [`Master::start`] gives.
pub const SEED_LINE: &str = "master: the seed was 1; --seed 1 repeats this run";

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
        command.args(arguments).current_dir(self.0.path());
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
    input: Option<mpsc::Sender<Vec<u8>>>,
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
            let (sender, texts) = mpsc::channel::<Vec<u8>>();
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
        let at_once = 8;
        thread::spawn(move || {
            // The channel has no bound, so let the writer catch up: it takes one at a time.
            let (echo, done) = mpsc::sync_channel::<()>(at_once);
            drop(done);
            drop(echo);
            while input.send(text.clone()).is_ok() {
                thread::yield_now();
            }
        });
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

    /// What the `nodes` command says of so many nodes; everything before it is done then.
    #[track_caller]
    pub fn table(&mut self, nodes: usize) -> Vec<String> {
        self.write("nodes\n");
        (0..nodes).map(|_| self.err()).collect()
    }

    /// Waits until everything written so far is done, where there are so many nodes; returns the
    /// pids, and remembers the processes: [`Master::end`] checks that they are gone.
    #[track_caller]
    pub fn settle(&mut self, nodes: usize) -> Pids {
        let table = self.table(nodes);
        for line in &table {
            assert!(line.contains("  pid "), "not the table of nodes: {line}");
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
        while let Ok(_line) | Err(RecvTimeoutError::Timeout) =
            self.out.next(self.deadline).inspect_err(|error| {
                if *error == RecvTimeoutError::Timeout {
                    panic!("stdout never ended");
                }
            })
        {}
        while let Ok(_line) | Err(RecvTimeoutError::Timeout) =
            self.err.next(self.deadline).inspect_err(|error| {
                if *error == RecvTimeoutError::Timeout {
                    panic!("stderr never ended: somebody holds it open");
                }
            })
        {}
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

/// A process, told apart from a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    started: u64,
}

impl Process {
    pub fn find(pid: u32) -> Option<Self> {
        let (_, started) = stat(pid)?;
        Some(Self { pid, started })
    }

    /// Whether it runs (a zombie does not: it only waits to be reaped).
    pub fn runs(&self) -> bool {
        stat(self.pid)
            .is_some_and(|(state, started)| started == self.started && !"ZX".contains(state))
    }

    pub fn kill(&self) {
        if self.runs() {
            signal(self.pid, Signal::SIGKILL);
        }
    }
}

/// State and start time of a process.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some((fields.first()?.chars().next()?, fields.get(19)?.parse().ok()?))
}

/// Waits until none of these runs any more; kills those that do, and fails.
#[track_caller]
pub fn gone(processes: &[Process]) {
    let left = || -> Vec<_> { processes.iter().filter(|process| process.runs()).collect() };
    if !until(|| left().is_empty()) {
        let stubborn = left();
        stubborn.iter().for_each(|process| process.kill());
        panic!("processes were left behind: {stubborn:?}");
    }
}

/// Looks again and again until something is so; whether it ever was. Only for what has no event.
pub fn until(mut so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE / 4;
    while !so() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    // Who is gone needs no signal.
    let _ = kill(pid, signal);
}

/// Stops a process, and waits until it has stopped.
#[track_caller]
pub fn stop(pid: u32) {
    signal(pid, Signal::SIGSTOP);
    let stopped = until(|| stat(pid).is_some_and(|(state, _)| state == 'T'));
    assert!(stopped, "process {pid} never stopped");
}

/// One open descriptor of a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Descriptor {
    pub number: u32,
    /// What it is: `pipe:[123]`, `socket:[123]`, `anon_inode:[eventpoll]`, or a path.
    pub target: String,
    pub way: Way,
    pub close_on_exec: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Reads,
    Writes,
    Both,
}

impl Descriptor {
    /// Its target without what differs from run to run.
    pub fn kind(&self) -> &str {
        self.target.split(":[").next().unwrap_or_default()
    }
}

/// The open descriptors of a process, by number.
pub fn descriptors(pid: u32) -> Vec<Descriptor> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives") {
        let path = entry.unwrap().path();
        let number = file_name(&path).parse().unwrap();
        let Ok(target) = fs::read_link(&path) else {
            continue;
        };
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap();
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .expect("fdinfo has flags");
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        found.push(Descriptor {
            number,
            target: target.to_string_lossy().into_owned(),
            way: match flags & 0o3 {
                0 => Way::Reads,
                1 => Way::Writes,
                _ => Way::Both,
            },
            close_on_exec: flags & 0o2_000_000 != 0,
        });
    }
    found.sort();
    found
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// A mesh of nodes `1..=nodes` with `amount` each, as a script.
pub fn mesh(nodes: usize, amount: u64) -> String {
    let mut script = "StartMaster\n".to_owned();
    for id in 1..=nodes {
        script += &format!("CreateNode {id} {amount}\n");
    }
    script
}
