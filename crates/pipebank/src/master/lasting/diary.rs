//! Master's journal: what does not follow from script and seed.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use bank::master::Kept;
use journal::{Directory, Identity, Journal, Settings, Survives};
use serde::{Deserialize, Serialize};

use super::DataError;
use super::shown::StandardOutput;

const NAME: &str = "master";

/// Of whom it is not yet known which bank it is.
const IDENTITY: Identity = Identity { run: 0, writer: 0 };

/// A script, as it is told from others.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) name: String,
    /// Of its text; none of one that is typed, or comes through a pipe.
    pub(crate) sha256: Option<String>,
    /// Where one was given.
    pub(crate) seed: Option<u64>,
    /// One for a script that has none.
    pub(crate) drawn_seed: u64,
}

/// With what it begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    run: u64,
    script: String,
    sha256: Option<String>,
    seed: u64,
    out: StandardOutput,
}

/// What follows, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A collection has ended.
    Kept(Kept),
    /// So many bytes were shown in all.
    Shown(u64),
    /// This system of the script was ended by `KillAll`.
    Over(u64),
    /// The script is over.
    Finished,
}

/// Master's journal.
#[derive(Debug)]
pub(super) struct Diary {
    path: PathBuf,
    about: About,
    journal: Journal<&'static Directory>,
}

impl Diary {
    /// Opens what is there; nothing where there is nothing.
    pub(super) fn open(
        directory: &'static Directory,
        survives: Survives,
        path: &Path,
    ) -> Result<Option<(Self, Vec<Entry>)>, DataError> {
        let settings = Settings::new(survives);
        let Some((journal, past)) = Journal::open(directory, NAME, IDENTITY, settings)? else {
            return Ok(None);
        };
        let unreadable = |source| DataError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut about = None;
        let mut entries = Vec::new();
        for record in past.records() {
            match record.is_image {
                true => about = Some(pipes::from_bytes(record.bytes).map_err(unreadable)?),
                false => entries.push(pipes::from_bytes(record.bytes).map_err(unreadable)?),
            }
        }
        let path = path.to_owned();
        Ok(about.map(|about| {
            let diary = Self {
                path,
                about,
                journal,
            };
            (diary, entries)
        }))
    }

    /// Begins one.
    pub(super) fn begin(
        directory: &'static Directory,
        survives: Survives,
        path: &Path,
        script: Script,
        out: &StandardOutput,
    ) -> Result<Self, DataError> {
        let about = About {
            run: RandomState::new().hash_one(std::process::id()),
            script: script.name,
            sha256: script.sha256,
            seed: script.seed.unwrap_or(script.drawn_seed),
            out: out.clone(),
        };
        let path = path.to_owned();
        let image = bytes(&about, &path)?;
        let settings = Settings::new(survives);
        let journal = Journal::create(directory, NAME, IDENTITY, settings, &image)?;
        Ok(Self {
            path,
            about,
            journal,
        })
    }

    /// An error where another script is under way than this one.
    pub(super) fn is_for(&self, script: &Script) -> Result<(), DataError> {
        let About { sha256, seed, .. } = &self.about;
        let is_same = sha256.is_some() && *sha256 == script.sha256;
        if is_same && script.seed.is_none_or(|given| given == *seed) {
            return Ok(());
        }
        Err(DataError::Interrupted {
            path: self.path.clone(),
            script: self.about.script.clone(),
            seed: match is_same {
                true => format!(" (with --seed {seed})"),
                false => String::new(),
            },
        })
    }

    pub(super) fn holds_a_bank(&self) -> DataError {
        DataError::HoldsABank {
            path: self.path.clone(),
            script: self.about.script.clone(),
        }
    }

    pub(super) fn run(&self) -> u64 {
        self.about.run
    }

    pub(super) fn seed(&self) -> u64 {
        self.about.seed
    }

    pub(super) fn out(&self) -> &StandardOutput {
        &self.about.out
    }

    /// Whether a journal of this name is master's.
    pub(super) fn is_called(name: &str) -> bool {
        name == NAME
    }

    /// Writes something down: from here on it is there.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<(), DataError> {
        let entry = bytes(entry, &self.path)?;
        self.journal.append(&entry);
        Ok(self.journal.commit()?)
    }

    /// Nothing is left of which it could tell.
    pub(super) fn remove(
        &mut self,
        directory: &'static Directory,
        survives: Survives,
    ) -> Result<(), DataError> {
        Ok(journal::remove(&directory, NAME, survives)?)
    }
}

fn bytes<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>, DataError> {
    let path = path.to_owned();
    pipes::to_bytes(value).map_err(|source| DataError::Unreadable { path, source })
}
