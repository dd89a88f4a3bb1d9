//! What is there to catch a bug.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use history::{Reader, Verifier};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use testing::generate::{Size, script};

use crate::tree::Tree;

/// Whoever takes longer hangs, and has been caught.
const PATIENCE: Duration = Duration::from_secs(120);
/// A process that has ended is noticed so soon.
const TICK: Duration = Duration::from_millis(2);
/// How many generated scripts are run beside those in testdata.
const SCRIPTS: u64 = 40;
/// The exit status of master when an audit failed, or another invariant broke.
const BROKEN: i32 = 3;
/// That of a run whose time ran out.
const TIMED_OUT: i32 = 124;

/// What a defence says.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It complains, with its reason.
    Caught(String),
    Silent,
}

/// Something that may catch a bug.
pub(crate) struct Defence {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Tree) -> io::Result<Verdict>,
}

/// Tests of one program: the target, and what their names begin with.
type Tests = (&'static str, &'static str);

const PROPERTY_TESTS: [Tests; 10] = [
    ("snapshot/it", "schedules::"),
    ("pipes/it", "ends::"),
    ("pipes/it", "interleavings::"),
    ("journal/it", "damage::"),
    ("journal/it", "death::"),
    ("journal/it", "failure::"),
    ("pipebank/it", "against_model::"),
    ("pipebank/it", "segments::"),
    ("pipebank/it", "lasting_history::"),
    ("hosts/between", ""),
];

pub(crate) const DEFENCES: &[Defence] = &[
    Defence {
        name: "unit tests",
        run: |tree| run_tests(tree, &[("lib", "")]),
    },
    Defence {
        name: "whole system",
        run: |tree| run_tests(tree, &[("bank/whole_system", "")]),
    },
    Defence {
        name: "property tests",
        run: |tree| run_tests(tree, &PROPERTY_TESTS),
    },
    Defence {
        name: "model checker",
        run: |tree| run_tests(tree, &[("bank/every_interleaving", "")]),
    },
    Defence {
        name: "golden files",
        run: |tree| run_tests(tree, &[("pipebank/it", "golden::")]),
    },
    Defence {
        name: "audit",
        run: |tree| run_scripts(tree, |ended, _| Ok(ended.complaint(AUDIT))),
    },
    Defence {
        name: "`verify`",
        run: |tree| run_scripts(tree, |_, history| verify(history)),
    },
    Defence {
        name: "other invariants",
        run: |tree| run_scripts(tree, |ended, _| Ok(ended.broken_invariant())),
    },
];

/// What a run says whose audit failed.
const AUDIT: &str = "failed its audit";

/// How a process ended, and what it wrote.
struct Ended {
    status: Option<i32>,
    output: String,
}

impl Ended {
    /// The first line that contains this.
    fn complaint(&self, sign: &str) -> Option<String> {
        self.output
            .lines()
            .find(|line| line.contains(sign))
            .map(|line| line.trim().to_owned())
    }

    fn hangs(&self) -> bool {
        self.status.is_none_or(|status| status == TIMED_OUT)
    }

    /// What broke, if it was not an audit.
    fn broken_invariant(&self) -> Option<String> {
        if self.hangs() {
            return Some("does not end".to_owned());
        }
        let is_broken = self.status == Some(BROKEN) && !self.output.contains(AUDIT);
        is_broken.then(|| self.complaint("master: ").unwrap_or_default())
    }
}

/// Runs tests until one fails.
fn run_tests(tree: &mut Tree, tests: &[Tests]) -> io::Result<Verdict> {
    for (target, names) in tests {
        for executable in tree.executables(target)? {
            let ended = run(Command::new(&executable)
                .args(["--quiet", names])
                .current_dir(tree.root()))?;
            if ended.status != Some(0) {
                let reason = match ended.status {
                    None => Some("does not end".to_owned()),
                    Some(_) => ended.complaint("panicked at"),
                };
                let who = match *names {
                    "" => program(&executable),
                    names => names.trim_end_matches("::").to_owned(),
                };
                let reason = reason.unwrap_or_default();
                return Ok(Verdict::Caught(format!("{who}: {reason}")));
            }
            // A name that nobody has any more would defend nothing.
            if !names.is_empty() && ended.complaint("running 0 tests").is_some() {
                return Err(io::Error::other(format!("{target} has no `{names}`")));
            }
        }
    }
    Ok(Verdict::Silent)
}

/// The name of a test's program, without what cargo puts behind it.
fn program(executable: &Path) -> String {
    let name = executable.file_stem().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-')
        .map_or(&*name, |(name, _)| name)
        .to_owned()
}

/// Runs the scripts of testdata, generated ones, and the bank under load, until `is_caught` by how
/// one ended, or by the history it wrote.
fn run_scripts(
    tree: &mut Tree,
    is_caught: impl Fn(&Ended, Option<&Path>) -> io::Result<Option<String>>,
) -> io::Result<Verdict> {
    let master = tree.programs()?.join("master");
    let mut scripts: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(tree.root().join("testdata"))? {
        scripts.push(entry?.path());
    }
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    scripts.sort();
    let generated = tempfile::tempdir()?;
    for seed in 0..SCRIPTS {
        let path = generated.path().join(format!("seed-{seed}.txt"));
        fs::write(&path, script(seed, Size::of(seed)))?;
        scripts.push(path);
    }
    let history = generated.path().join("history.jsonl");
    for path in scripts {
        let mut command = Command::new(&master);
        command.args(["--seed", "1", "--timeout", "5"]);
        command.arg("--history").arg(&history).arg(&path);
        // A script that is refused writes none.
        let _ = fs::remove_file(&history);
        let ended = run(&mut command)?;
        let written = history.exists().then_some(history.as_path());
        if let Some(reason) = is_caught(&ended, written)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            return Ok(Verdict::Caught(format!("{name}: {reason}")));
        }
        if ended.hangs() {
            // The others would too, one after the other.
            return Ok(Verdict::Silent);
        }
    }
    let mut load = Command::new(&master);
    load.args([
        "load",
        "--nodes",
        "4",
        "--transfers",
        "200000",
        "--snapshot-every",
        "0",
    ]);
    Ok(match is_caught(&run(&mut load)?, None)? {
        Some(reason) => Verdict::Caught(format!("load: {reason}")),
        None => Verdict::Silent,
    })
}

/// Judges a history, as `master verify` does; not with the copy that has the bug.
fn verify(history: Option<&Path>) -> io::Result<Option<String>> {
    let Some(path) = history else {
        return Ok(None);
    };
    let mut reader = match Reader::new(BufReader::new(File::open(path)?)) {
        Ok(reader) => reader,
        Err(history::Error::Empty) => return Ok(None),
        Err(error) => return Ok(Some(error.to_string())),
    };
    let mut verifier = Verifier::new();
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => verifier.on_event(&event, reader.line()),
            Err(error) => return Ok(Some(error.to_string())),
        }
    }
    let report = verifier.finish();
    let of_snapshots = report
        .snapshots
        .iter()
        .filter_map(|judged| match &judged.verdict {
            history::Verdict::Invalid(violation) => Some(&**violation),
            _ => None,
        });
    let first = report.violations.values().chain(of_snapshots).next();
    let reason = first.map(ToString::to_string);
    Ok(reason.and_then(|reason| reason.lines().next().map(str::to_owned)))
}

/// Runs a command to its end, or to the end of patience.
fn run(command: &mut Command) -> io::Result<Ended> {
    let mut output = tempfile::tempfile()?;
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()?;
    let group = Pid::from_raw(child.id().cast_signed());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status.code().unwrap_or(-1));
        }
        if start.elapsed() > PATIENCE {
            break None;
        }
        thread::sleep(TICK);
    };
    // What a bug may have left behind ends with its group.
    let _ = killpg(group, Signal::SIGKILL);
    if status.is_none() {
        child.wait()?;
    }
    output.rewind()?;
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes)?;
    let output = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended { status, output })
}
