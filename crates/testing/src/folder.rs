//! A directory of a test's own, in which master runs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::{Ended, Master, master};

/// A directory of the test's own.
pub struct Folder(TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// An empty one, which goes when this is dropped.
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A path in it.
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
