//! The bank, measured from outside: master with a script, at its standard input, and under load.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::error::{Error, While};
use crate::plan::Layout;

/// More than anybody has.
const REFUSED: &str = "Send 1 2 18446744073709551615\n";

/// Whether, and what, a bank outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// Nothing.
    Not,
    /// Any deaths (`--data`).
    Deaths,
    /// A failure of the machine too (`--sync`).
    Failures,
}

/// The programs, and a place for files that goes when it is dropped.
pub(crate) struct Ours {
    master: PathBuf,
    scratch: TempDir,
}

impl Ours {
    pub(crate) fn new(bin_dir: &Path) -> Result<Self, Error> {
        Ok(Self {
            master: bin_dir.join("master"),
            scratch: TempDir::new().while_("make a temporary directory")?,
        })
    }

    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Where a bank that lasts lives.
    pub(crate) fn data(&self) -> PathBuf {
        self.scratch("bank")
    }

    /// The options for a bank that lasts, in a directory that is empty.
    fn keep(&self, command: &mut Command, lasts: Lasts) -> Result<(), Error> {
        if lasts != Lasts::Not {
            let data = self.data();
            if data.exists() {
                fs::remove_dir_all(&data).while_("remove what a bank has left")?;
            }
            command.arg("--data").arg(data);
        }
        if lasts == Lasts::Failures {
            command.arg("--sync");
        }
        Ok(())
    }

    /// Seconds for a script in a file, the whole process, results to a file.
    pub(crate) fn script(
        &self,
        script: &Path,
        window: Option<u32>,
        lasts: Lasts,
    ) -> Result<f64, Error> {
        let results = File::create(self.scratch("results")).while_("make a file for results")?;
        let mut command = Command::new(&self.master);
        command
            .args(["--seed", "1"])
            .stdin(Stdio::null())
            .stdout(results);
        if let Some(window) = window {
            command.args(["--window", &window.to_string()]);
        }
        self.keep(&mut command, lasts)?;
        command.arg(script);
        let began = Instant::now();
        let status = command.status().while_("start master")?;
        let seconds = began.elapsed().as_secs_f64();
        success(status, "SCRIPT")?;
        Ok(seconds)
    }

    /// A master that is told what to do line by line.
    pub(crate) fn session(&self, lasts: Lasts) -> Result<Session, Error> {
        let mut command = Command::new(&self.master);
        command
            .args(["--seed", "1", "--run-dir"])
            .arg(self.scratch("run"));
        self.keep(&mut command, lasts)?;
        if lasts != Lasts::Not {
            // Deaths are reported.
            command.stderr(Stdio::null());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .while_("start master")?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(results)) = (stdin, stdout) else {
            return Err(Error::NoAnswer);
        };
        Ok(Session {
            child,
            input,
            results: BufReader::new(results),
            pids: self.scratch("run/pids.json"),
        })
    }

    /// Whether master has the subcommand `load`.
    pub(crate) fn can_load(&self) -> bool {
        let mut help = Command::new(&self.master);
        help.args(["load", "--help"]).stdin(Stdio::null());
        let said = help.output().map(|output| output.stdout);
        let said = String::from_utf8(said.unwrap_or_default()).unwrap_or_default();
        said.contains("--snapshot-every")
    }

    /// A bank by itself; `snapshot_every` as the option wants it.
    pub(crate) fn load(
        &self,
        layout: Layout,
        duration: Duration,
        snapshot_every: &str,
        lasts: Lasts,
    ) -> Result<Summary, Error> {
        self.load_beside(layout, duration, snapshot_every, lasts, || {})
    }

    /// The same, and once it has been started something else is done.
    pub(crate) fn load_beside(
        &self,
        layout: Layout,
        duration: Duration,
        snapshot_every: &str,
        lasts: Lasts,
        beside: impl FnOnce(),
    ) -> Result<Summary, Error> {
        let (nodes, seconds) = (layout.nodes.to_string(), duration.as_secs_f64().to_string());
        let topology = layout.shape.to_string();
        let mut arguments = vec!["load", "--json", "--seed", "1"];
        arguments.extend(["--nodes", &nodes, "--duration", &seconds]);
        arguments.extend(["--topology", &topology]);
        arguments.extend(["--snapshot-every", snapshot_every]);
        let mut command = Command::new(&self.master);
        // What it has to say goes to the reader; its progress line is not for this.
        command.args(&arguments).stdin(Stdio::null());
        self.keep(&mut command, lasts)?;
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .while_("start master")?;
        beside();
        let output = child.wait_with_output().while_("wait for master")?;
        success(output.status, &arguments.join(" ")).inspect_err(|_| {
            let _ = std::io::stderr().write_all(&output.stderr);
        })?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn success(status: ExitStatus, arguments: &str) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    Err(Error::Master {
        arguments: arguments.to_owned(),
        status: status.to_string(),
    })
}

/// What is needed of a load's summary.
#[derive(Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) rate: f64,
    pub(crate) transfers: u64,
    pub(crate) snapshots: u64,
    pub(crate) audited: u64,
    pub(crate) latency_ms: Latency,
    pub(crate) journal_bytes: Option<JournalBytes>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct JournalBytes {
    pub(crate) most: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: Option<f64>,
}

/// A master with its standard input open.
pub(crate) struct Session {
    child: Child,
    input: ChildStdin,
    results: BufReader<ChildStdout>,
    pids: PathBuf,
}

/// `pids.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Pids {
    pub(crate) master: u32,
    pub(crate) observer: Option<u32>,
    pub(crate) nodes: std::collections::BTreeMap<String, u32>,
}

impl Session {
    /// Gives master lines, and waits until all of them are done: until a `Send` behind them that
    /// is refused has said so.
    pub(crate) fn run(&mut self, lines: &str) -> Result<(), Error> {
        let input = &mut self.input;
        let told = input.write_all(lines.as_bytes());
        told.and_then(|()| input.write_all(REFUSED.as_bytes()))
            .while_("tell master")?;
        self.hear_refusals(1)
    }

    /// Has each of the first so many nodes say something.
    pub(crate) fn hear_from_each(&mut self, nodes: usize) -> Result<(), Error> {
        let to = |node| if node == 1 { 2 } else { 1 };
        let lines: Vec<String> = { 1..=nodes }
            .map(|node| format!("Send {node} {} {}\n", to(node), u64::MAX))
            .collect();
        let told = self.input.write_all(lines.concat().as_bytes());
        told.while_("tell master")?;
        self.hear_refusals(nodes)
    }

    fn hear_refusals(&mut self, count: usize) -> Result<(), Error> {
        let mut line = String::new();
        for _ in 0..count {
            line.clear();
            while line.trim_end() != "ERR_SEND" {
                line.clear();
                if self.results.read_line(&mut line).while_("hear master")? == 0 {
                    return Err(Error::NoAnswer);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn pids(&self) -> Result<Pids, Error> {
        let text = fs::read_to_string(&self.pids).while_("read pids.json")?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The end of the input, and of master.
    pub(crate) fn end(mut self) -> Result<(), Error> {
        drop(self.input);
        let status = self.child.wait().while_("wait for master")?;
        success(status, "")
    }
}

/// The most memory that a process ever had, in MB.
pub(crate) fn peak_memory(pid: u32) -> Result<f64, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).while_("look into /proc")?;
    let kibibytes = status.lines().find_map(|line| {
        let value = line.strip_prefix("VmHWM:")?.trim();
        value.strip_suffix(" kB")?.trim().parse::<f64>().ok()
    });
    let kibibytes = kibibytes.ok_or(Error::Proc("how much memory a process has used"))?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// For how many nanoseconds a process has run.
pub(crate) fn time_on_cpu(pid: u32) -> Result<u64, Error> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).while_("look into /proc")?;
    let first = text
        .split_whitespace()
        .next()
        .and_then(|it| it.parse().ok());
    first.ok_or(Error::Proc("for how long a process has run"))
}
