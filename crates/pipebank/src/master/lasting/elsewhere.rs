//! What other hosts keep of a bank: the journals of their nodes. Each host has a directory of its own
//! within the bank's, so that several may share a file system, and removes from it what master says.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use hosts::Errand;
use journal::{Directory, Survives};
use serde::{Deserialize, Serialize};

use super::{DataError, keep_only, lock, remove_round};

/// How the directory of a host is called, with its number behind.
const PREFIX: &str = "host-";

/// How long it may take until the processes of a job that was killed are gone from all hosts.
const FOLLOWING: Duration = Duration::from_secs(5);

/// Which journals go.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Which {
    /// Those of the nodes of this system.
    Round(u64),
    /// Those of all others.
    AllBut(u64),
    All,
}

/// The other hosts.
#[derive(Debug)]
pub(super) struct Elsewhere(pub(super) Errand);

impl Elsewhere {
    /// Has them remove journals.
    pub(super) fn remove(&self, which: &Which) -> Result<(), DataError> {
        let which = pipes::to_bytes(which).map_err(hosts::Error::from)?;
        Ok(self.0.run(&which)?)
    }

    /// Whether this may be the directory of another host.
    pub(super) fn is_of_a_host(&self, name: &OsStr) -> bool {
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let number = number.and_then(|number| number.parse().ok());
        number.is_some_and(|number| (1..self.0.hosts()).contains(&number))
    }
}

/// What this host keeps of a bank, where master is on another one.
#[derive(Debug)]
pub(in crate::master) struct Part {
    directory: Directory,
    survives: Survives,
}

impl Part {
    /// Locks the directory of this host within the bank's, or makes it.
    pub(in crate::master) fn at(
        path: &Path,
        host: usize,
        survives: Survives,
    ) -> Result<Self, DataError> {
        match pipes::Directory::make(path, super::PRIVATE) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(source) => {
                let path = path.to_owned();
                return Err(DataError::Unusable { path, source });
            }
        }
        let directory = lock(&path.join(format!("{PREFIX}{host}")), FOLLOWING)?;
        Ok(Self {
            directory,
            survives,
        })
    }

    pub(in crate::master) fn held(&self) -> &pipes::Directory {
        self.directory.held()
    }

    /// Removes what master says.
    pub(in crate::master) fn remove(&self, which: &[u8]) -> Result<(), DataError> {
        match pipes::from_bytes(which).map_err(hosts::Error::from)? {
            Which::Round(round) => remove_round(&self.directory, round, self.survives),
            Which::AllBut(round) => keep_only(&self.directory, round, self.survives),
            Which::All => super::remove_those(&self.directory, |_| true, self.survives),
        }
    }

    /// The directory goes, if nothing is in it.
    pub(in crate::master) fn leave(self) {
        if let Ok(path) = self.directory.held().path() {
            let _ = std::fs::remove_dir(path);
        }
    }
}
