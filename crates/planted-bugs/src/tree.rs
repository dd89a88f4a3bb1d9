//! The copy of the sources in which bugs are planted, and what is built of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bugs::Bug;

/// What is copied of the workspace.
const COPIED: [&str; 4] = ["Cargo.toml", "Cargo.lock", "crates", "testdata"];

/// In which packages bugs are planted.
const PACKAGES: [&str; 6] = [
    "pipebank-snapshot",
    "pipebank-pipes",
    "pipebank-journal",
    "pipebank-hosts",
    "pipebank-bank",
    "pipebank",
];

/// Which of their targets are built, beside their unit tests and programs.
const TESTS: [&str; 4] = ["it", "between", "every_interleaving", "whole_system"];

/// A copy of the workspace.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    target: PathBuf,
    /// The file that is changed, as it was.
    changed: Option<(PathBuf, String)>,
    /// What was built last; `None` where the sources have changed since.
    built: Option<BTreeMap<String, Vec<PathBuf>>>,
}

impl Tree {
    /// Copies the workspace into its target folder. Files that are the same stay untouched, so
    /// that nothing is built twice.
    pub(crate) fn copy() -> io::Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()?;
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => std::path::absolute(target)?,
            None => workspace.join("target"),
        };
        let home = target.join("planted-bugs");
        let root = home.join("tree");
        for name in COPIED {
            copy(&workspace.join(name), &root.join(name))?;
        }
        Ok(Self {
            root,
            target: home.join("target"),
            changed: None,
            built: None,
        })
    }

    /// Changes one place.
    pub(crate) fn plant(&mut self, bug: &Bug) -> io::Result<()> {
        let file = self.root.join(bug.file);
        let text = fs::read_to_string(&file)?;
        let places = text.matches(bug.before).count();
        if places != 1 {
            return Err(io::Error::other(format!(
                "bug {}: what it changes stands {places} times in {}, not once; the source has \
                 moved on, so must the bug",
                bug.name, bug.file
            )));
        }
        fs::write(&file, text.replace(bug.before, bug.after))?;
        self.changed = Some((file, text));
        self.built = None;
        Ok(())
    }

    /// Makes everything as it was.
    pub(crate) fn heal(&mut self) -> io::Result<()> {
        if let Some((file, text)) = self.changed.take() {
            fs::write(file, text)?;
            self.built = None;
        }
        Ok(())
    }

    /// The executables of a target, built: a test by its package's folder and its name, such as
    /// `pipes/it`, all unit tests as `lib`, a program by its name.
    pub(crate) fn executables(&mut self, name: &str) -> io::Result<Vec<PathBuf>> {
        let built = match self.built.take() {
            Some(built) => built,
            None => self.build()?,
        };
        let found = built.get(name).cloned();
        self.built = Some(built);
        found.ok_or_else(|| io::Error::other(format!("cargo built no `{name}`")))
    }

    /// Where the workspace's copy is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the three programs are.
    pub(crate) fn programs(&mut self) -> io::Result<PathBuf> {
        let master = self.executables("master")?.swap_remove(0);
        Ok(master.parent().unwrap_or(&self.target).to_owned())
    }

    fn build(&self) -> io::Result<BTreeMap<String, Vec<PathBuf>>> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo
            .current_dir(&self.root)
            .args([
                "test",
                "--no-run",
                "--message-format=json",
                "--quiet",
                "--locked",
            ])
            .args(["--lib", "--bins"]);
        for package in PACKAGES {
            cargo.args(["--package", package]);
        }
        for test in TESTS {
            cargo.args(["--test", test]);
        }
        let output = cargo
            .env("CARGO_TARGET_DIR", &self.target)
            // A bug may leave something unused.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("RUSTFLAGS")
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(io::Error::other(format!(
                "the tree cannot be built:\n{reason}"
            )));
        }
        let mut built: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for line in output.stdout.split(|byte| *byte == b'\n') {
            let Ok(message) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            let Some(executable) = message["executable"].as_str() else {
                continue;
            };
            let kind = message["target"]["kind"][0].as_str().unwrap_or_default();
            let is_test = message["profile"]["test"] == true;
            let name = message["target"]["name"].as_str().unwrap_or_default();
            let name = match (kind, is_test) {
                ("lib", true) => "lib".to_owned(),
                ("test", true) => {
                    let manifest = Path::new(message["manifest_path"].as_str().unwrap_or_default());
                    let folder = manifest.parent().and_then(Path::file_name);
                    format!("{}/{name}", folder.unwrap_or_default().display())
                }
                ("bin", false) => name.to_owned(),
                _ => continue,
            };
            built.entry(name).or_default().push(executable.into());
        }
        Ok(built)
    }
}

/// Copies a file or folder, and removes from the copy what is no longer there.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        let bytes = fs::read(from)?;
        if fs::read(to).ok().as_ref() != Some(&bytes) {
            fs::create_dir_all(to.parent().unwrap_or(to))?;
            fs::write(to, bytes)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
