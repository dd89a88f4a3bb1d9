//! The run directory: where other programs find the pids of the system's processes.
//!
//! Holds `pids.json` and nothing else, is ours alone (mode 0700), and is left as it was found.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
    /// It is something else.
    #[error("run directory {dir}: it is {what}", dir = name_of(.dir))]
    NotOurs { dir: PathBuf, what: String },
}

/// A run directory in use.
#[derive(Debug)]
pub(crate) struct RunDir {
    dir: PathBuf,
    /// Locked as long as this master lives.
    _lock: File,
    /// Master made it, so master removes it.
    created: bool,
}

impl RunDir {
    /// Makes the directory, or takes one that is there, if it is ours and holds at most what a
    /// killed master left.
    pub(crate) fn open(dir: &Path) -> Result<Self, RunDirError> {
        // Without what is at its end in `link/` and `link/.`, where a link would not be seen.
        let dir: &Path = &dir.components().collect::<PathBuf>();
        let io = |doing, source| RunDirError::Io {
            dir: dir.to_owned(),
            doing,
            source,
        };
        let created = match fs::DirBuilder::new().mode(0o700).create(dir) {
            // The umask may have taken away more than nothing.
            Ok(()) => fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
                .map(|()| true)
                .map_err(|source| io("set its mode", source))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                check(dir)?;
                false
            }
            Err(error) => return Err(io("create it", error)),
        };
        let lock = File::open(dir).map_err(|source| io("open it", source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                dir: dir.to_owned(),
                _lock: lock,
                created,
            }),
            Err(TryLockError::WouldBlock) => Err(RunDirError::NotOurs {
                dir: dir.to_owned(),
                what: "in use by another master".to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(io("lock it", source)),
        }
    }

    /// Replaces the file in one step: a reader sees the old one or the new one.
    pub(crate) fn publish(&self, pids: &Pids) -> Result<(), RunDirError> {
        let draft = self.dir.join(DRAFT);
        let write = || -> io::Result<()> {
            let _ = fs::remove_file(&draft);
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            let mut text = serde_json::to_string(pids)?;
            text.push('\n');
            file.write_all(text.as_bytes())?;
            fs::rename(&draft, self.dir.join(FILE))
        };
        write().map_err(|source| RunDirError::Io {
            dir: self.dir.clone(),
            doing: "write pids.json",
            source,
        })
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // Whoever took them away already has done the work.
        let _ = fs::remove_file(self.dir.join(FILE));
        let _ = fs::remove_file(self.dir.join(DRAFT));
        if self.created {
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

fn check(dir: &Path) -> Result<(), RunDirError> {
    let not_ours = |what: String| {
        Err(RunDirError::NotOurs {
            dir: dir.to_owned(),
            what,
        })
    };
    let io = |doing, source| RunDirError::Io {
        dir: dir.to_owned(),
        doing,
        source,
    };
    let found = fs::symlink_metadata(dir).map_err(|source| io("look at it", source))?;
    if found.is_symlink() {
        return not_ours("a symbolic link".to_owned());
    }
    if !found.is_dir() {
        return not_ours("not a directory".to_owned());
    }
    // What this process creates belongs to its effective user, and so does its /proc entry.
    let ours = fs::metadata("/proc/self").map_err(|source| io("find out who we are", source))?;
    if found.uid() != ours.uid() {
        return not_ours("another user's".to_owned());
    }
    if found.mode() & 0o777 != 0o700 {
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
