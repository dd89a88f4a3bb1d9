//! One command, given again until it ends by itself.

use std::fs::{self, DirEntry, File};
use std::io::{PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::slice;
use std::thread;
use std::time::{Duration, Instant};

use testing::{Folder, master};

use super::blows::{self, Struck};
use super::job;
use super::plan::{Blow, Plan};
use crate::subject::nobody_is_left;

/// How long nothing may be seen of a process of master, once nobody is killed any more. How long all of it
/// takes is a matter of the machine: a script may start hundreds of processes again.
const PATIENCE: Duration = Duration::from_secs(40);

const SIGKILL: i32 = 9;

/// All that is done in a run.
pub struct Runner<'p> {
    pub plan: &'p Plan,
    pub folder: Folder,
    blows: slice::Iter<'p, Blow>,
    /// How many processes of master there were.
    pub masters: usize,
    /// Whether some that had followed a master may not be waited for yet.
    is_unsettled: bool,
}

/// How one process of master ended.
pub struct Run {
    pub status: ExitStatus,
    /// What it has shown, where that goes through a pipe.
    pub out: String,
    pub err: String,
    /// Somebody without whom all is over was killed, if it was not over before.
    is_struck: bool,
}

impl Run {
    /// Somebody without whom all is over was killed, and perhaps had no time to say so.
    fn is_killed(&self) -> bool {
        // What master says last is there or not.
        let has_ended = || self.status.success() || self.err.contains("master: the seed was ");
        self.status.signal() == Some(SIGKILL) || self.may_have_any_status() && !has_ended()
    }

    /// The status of a job may be that of a daemon that was killed when master was done.
    pub fn may_have_any_status(&self) -> bool {
        self.is_struck && job::is_launched()
    }

    /// The bank is there, and the same command goes on.
    pub fn is_interrupted(&self) -> bool {
        self.is_killed()
            || self.status.code() == Some(1) && self.err.contains("is given up (killed")
    }
}

impl<'p> Runner<'p> {
    pub fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            folder: Folder::new(),
            blows: plan.blows.iter(),
            masters: 0,
            is_unsettled: false,
        }
    }

    /// `master ARGUMENTS` with this bank, and blows meanwhile. Results go to the file `out`, appended, or
    /// through a pipe.
    pub fn run(&mut self, arguments: &[&str], pipe: bool) -> Run {
        let (mut master, reader) = self.start(arguments, pipe);
        let out = thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut reader) = reader {
                reader.read_to_end(&mut bytes).expect("a pipe is read");
            }
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let mut struck = Struck::Others;
        while struck == Struck::Others
            && let Some(blow) = self.blows.next()
        {
            struck = blows::deal(&mut master, &self.folder, blow, self.masters);
        }
        let status = self.wait(&mut master);
        let run = Run {
            status,
            out: out.join().expect("the reader of a pipe"),
            err: self.err(),
            is_struck: struck == Struck::Master,
        };
        self.everybody_ends(&run);
        run
    }

    fn start(&mut self, arguments: &[&str], pipe: bool) -> (Child, Option<PipeReader>) {
        let windows = &self.plan.windows;
        let window = windows[self.masters % windows.len()].to_string();
        self.masters += 1;
        let mut command = Command::new(master());
        command
            .args(arguments)
            .args(["--data", "bank", "--run-dir", "run", "--seed"])
            .arg(self.plan.seed.to_string())
            .current_dir(self.folder.path("."))
            .stdin(Stdio::null())
            .stderr(File::create(self.folder.path("err")).expect("a file for stderr"));
        if arguments[0] != "load" {
            command.args(["--window", &window, "--history", "history.jsonl"]);
            if let Some(steps) = self.plan.notes_every {
                command.args(["--notes-every", &steps.to_string()]);
            }
            if self.plan.any_cpu {
                command.args(["--cpus", "any"]);
            }
        }
        if self.plan.sync {
            command.arg("--sync");
        }
        let mut reader = None;
        if pipe {
            let (read, write) = std::io::pipe().expect("a pipe");
            reader = Some(read);
            command.stdout(write);
        } else {
            let mut options = File::options();
            let file = options
                .append(true)
                .create(true)
                .open(self.folder.path("out"));
            command.stdout(file.expect("a file for stdout"));
        }
        (command.spawn().expect("master starts"), reader)
    }

    fn wait(&self, master: &mut Child) -> ExitStatus {
        let mut seen = 0;
        let mut give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = master.try_wait().expect("master is ours") {
                return status;
            }
            if Instant::now() > give_up {
                let now = self.progress();
                assert!(
                    now != seen,
                    "waited for the end of master: it did not come in time; stderr:\n{}",
                    self.err()
                );
                (seen, give_up) = (now, Instant::now() + PATIENCE);
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// How much this process of master has written.
    fn progress(&self) -> u64 {
        let files = ["err", "out", "history.jsonl"].map(|name| self.folder.path(name));
        let lengths = files.iter().filter_map(|file| fs::metadata(file).ok());
        lengths.map(|it| it.len()).sum()
    }

    /// What the last process of master has said.
    fn err(&self) -> String {
        let bytes = fs::read(self.folder.path("err")).expect("there is stderr");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Nobody outlives a master that ends; those of one that was killed may take a moment.
    fn everybody_ends(&mut self, run: &Run) {
        assert!(!run.err.contains("panicked"), "stderr:\n{}", run.err);
        let is_killed = run.is_killed();
        // MPI's daemons on other hosts end when they see that they are alone.
        self.is_unsettled |= is_killed || job::is_launched();
        if self.plan.waits || !is_killed {
            nobody_is_left(!self.is_unsettled);
            self.is_unsettled = false;
        }
        // One that is refused leaves what one that was killed has left.
        if !is_killed && run.status.code() != Some(2) {
            let file = self.folder.path("run/pids.json");
            assert!(!file.exists(), "pids.json is still there");
        }
    }

    /// The files of master's journal: others, once another script has begun.
    pub fn diary(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path("bank")).into_iter().flatten();
        let files = entries.map(|entry| entry.expect("an entry").path());
        let is_masters = |file: &PathBuf| file.file_stem().is_some_and(|name| name == "master");
        files.filter(is_masters).collect()
    }

    /// The names of the journals in the directory of the bank, without the numbers of their segments; those
    /// included whose process was killed while it began one, and has not been needed since.
    pub fn journals(&self) -> Vec<String> {
        let entries =
            fs::read_dir(self.folder.path("bank")).expect("there is the bank's directory");
        let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry")).collect();
        if job::is_launched() {
            let is_of_a_host = |entry: &DirEntry| entry.path().is_dir();
            let hosts = entries.extract_if(.., |entry| is_of_a_host(entry));
            let hosts: Vec<_> = hosts.collect();
            let others = hosts
                .iter()
                .flat_map(|host| fs::read_dir(host.path()).expect("a directory"));
            entries.extend(others.map(|entry| entry.expect("an entry")));
        }
        let names = entries.into_iter().map(|entry| entry.file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        let mut names: Vec<String> = names
            .map(
                |name| match name.trim_end_matches(".new").rsplit_once('.') {
                    Some((name, segment)) if segment.parse::<u64>().is_ok() => name.to_owned(),
                    _ => format!("{name}, which is no segment"),
                },
            )
            .collect();
        names.sort();
        names.dedup();
        names
    }
}
