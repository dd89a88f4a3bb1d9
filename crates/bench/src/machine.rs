//! Where and when it was measured.

use std::fmt;
use std::fs;
use std::process::Command;

use serde::Serialize;

/// What the figures depend on.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    date: String,
    commit: String,
}

impl Machine {
    /// This one; `cores` are those that may be used.
    pub(crate) fn here(cores: usize) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == "model name").then(|| value.trim().to_owned())
        });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let commit = said_by("git", &["rev-parse", "--short", "HEAD"]);
        let changed = said_by("git", &["status", "--porcelain"]).is_some_and(|it| !it.is_empty());
        let plus = if changed { " with changes" } else { "" };
        let unknown = || "unknown".to_owned();
        Self {
            cpu: model.unwrap_or_else(unknown),
            cores,
            kernel: kernel.trim().to_owned(),
            date: said_by("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(unknown),
            commit: commit.map_or_else(unknown, |commit| commit + plus),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cores,
            kernel,
            date,
            commit,
        } = self;
        write!(
            f,
            "{cpu}, {cores} cores, Linux {kernel}; {date}, commit {commit}"
        )
    }
}

/// What a program says on its standard output; nothing where there is no such program.
fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().ok().filter(|it| it.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned())
}
