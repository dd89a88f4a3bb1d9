//! The run directory: where other programs find the pids of the system's processes.
//!
//! Holds `pids.json` and nothing else, is ours alone (mode 0700), and is left as it was found.

use std::collections::BTreeMap;
use std::fs::{self, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pipes::Directory;
use serde::Serialize;

use super::streams::name_of;
use bank::id::NodeId;
use bank::script;

const FILE: &str = "pids.json";
const DRAFT: &str = "pids.json.new";

/// What `pids.json` says: who lives.
#[derive(Debug, Serialize)]
pub(crate) struct Pids {
    pub(crate) master: u32,
    pub(crate) observer: Option<u32>,
    pub(crate) nodes: BTreeMap<NodeId, u32>,
    /// On which host each is, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hosts: Option<BTreeMap<NodeId, String>>,
    /// Which process each has, from 1, in a bank that lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) incarnations: Option<BTreeMap<NodeId, u64>>,
}

/// Why a directory cannot be the run directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunDirError {
    /// The file system refused.
    #[error("run directory {dir}: cannot {doing}: {source}", dir = name_of(.dir))]
    Io {
        dir: PathBuf,
        doing: &'static str,
        source: io::Error,
    },
    /// Another master has it.
    #[error("run directory {dir}: it is in use by another master", dir = name_of(.dir))]
    InUse { dir: PathBuf },
    /// It is something else.
    #[error("run directory {dir}: it is {what}", dir = name_of(.dir))]
    NotOurs { dir: PathBuf, what: String },
}

/// A run directory in use.
#[derive(Debug)]
pub(crate) struct RunDir {
    dir: PathBuf,
    /// Locked as long as this master lives.
    held: Directory,
    /// A master made it, so a master removes it.
    is_made: bool,
}

/// For us alone.
const PRIVATE: u32 = 0o700;

/// The sticky bit, which means nothing else on such a directory: a master made it and has not locked
/// it yet. Whoever locks it first, which may be another, removes it in the end.
const UNCLAIMED: u32 = 0o1000;

/// How long a child of a master that was killed may hold the directory: until it is the program that it
/// was to be, or is dead too.
const FOLLOWING: Duration = Duration::from_millis(500);

/// How often it may be removed by another master between two steps of this one.
const TRIES: usize = 1000;

impl RunDir {
    /// Makes the directory, or takes one that is there, if it is ours and holds at most what a
    /// killed master left.
    pub(crate) fn open(dir: &Path) -> Result<Self, RunDirError> {
        // Without what is at its end in `link/` and `link/.`, where a link would not be seen.
        let dir: &Path = &dir.components().collect::<PathBuf>();
        let mut tries = 0;
        let give_up = Instant::now() + FOLLOWING;
        loop {
            let is_new = match Directory::make(dir, PRIVATE | UNCLAIMED) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
                Err(source) => return Err(io(dir, "create it", source)),
            };
            tries += 1;
            match Self::take(dir, is_new) {
                Err(RunDirError::InUse { .. }) if Instant::now() < give_up => {
                    thread::sleep(Duration::from_millis(5));
                }
                // A master that had it has removed it meanwhile.
                Err(RunDirError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
                taken => return taken,
            }
        }
    }

    /// Takes the directory; an error of the kind `NotFound` where it is not there, or not any more.
    fn take(dir: &Path, is_new: bool) -> Result<Self, RunDirError> {
        check(dir)?;
        let held = Directory::open(dir).map_err(|source| io(dir, "open it", source))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let dir = dir.to_owned();
                return Err(RunDirError::InUse { dir });
            }
            Err(TryLockError::Error(source)) => return Err(io(dir, "lock it", source)),
        }
        // What was opened may have been removed before it was locked, and be another one by now.
        if !held.is_at(dir) {
            return Err(io(dir, "lock it", io::ErrorKind::NotFound.into()));
        }
        check(dir)?;
        let set_mode = || {
            let is_unclaimed = held.mode()? & UNCLAIMED != 0;
            if is_unclaimed {
                held.set_mode(PRIVATE)?;
            }
            Ok(is_unclaimed)
        };
        let is_unclaimed = set_mode().map_err(|source| io(dir, "set its mode", source))?;
        Ok(Self {
            dir: dir.to_owned(),
            held,
            is_made: is_new || is_unclaimed,
        })
    }

    /// Replaces the file in one step: a reader sees the old one or the new one.
    pub(crate) fn publish(&self, pids: &Pids) -> Result<(), RunDirError> {
        let write = || {
            let text = serde_json::to_string(pids)? + "\n";
            self.held.replace(FILE, DRAFT, text.as_bytes())
        };
        write().map_err(|source| io(&self.dir, "write pids.json", source))
    }
}

impl Drop for RunDir {
    /// Still locked: nobody takes it before it is as it was.
    fn drop(&mut self) {
        // Whoever took them away already has done the work.
        let _ = self.held.remove(FILE);
        let _ = self.held.remove(DRAFT);
        if self.is_made && self.held.is_at(&self.dir) {
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

fn io(dir: &Path, doing: &'static str, source: io::Error) -> RunDirError {
    RunDirError::Io {
        dir: dir.to_owned(),
        doing,
        source,
    }
}

fn check(dir: &Path) -> Result<(), RunDirError> {
    let not_ours = |what: String| {
        Err(RunDirError::NotOurs {
            dir: dir.to_owned(),
            what,
        })
    };
    let io = |doing, source| io(dir, doing, source);
    let found = fs::symlink_metadata(dir).map_err(|source| io("look at it", source))?;
    if found.is_symlink() {
        return not_ours("a symbolic link".to_owned());
    }
    if !found.is_dir() {
        return not_ours("not a directory".to_owned());
    }
    if !pipes::is_ours(&found) {
        return not_ours("another user's".to_owned());
    }
    if found.mode() & 0o777 != PRIVATE {
        return not_ours(format!(
            "open to others (mode {:04o}); `chmod 700` would close it",
            found.mode() & 0o7777
        ));
    }
    for entry in fs::read_dir(dir).map_err(|source| io("list it", source))? {
        let name = entry.map_err(|source| io("list it", source))?.file_name();
        if name != FILE && name != DRAFT {
            let name = script::printable(name.as_encoded_bytes());
            return not_ours(format!("in use for something else: it holds `{name}`"));
        }
    }
    Ok(())
}
