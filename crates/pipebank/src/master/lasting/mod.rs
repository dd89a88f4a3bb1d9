//! A bank that lasts: the directory where it lives.
//!
//! Every node has a journal there, and so has master: of which script this is, how its collections ended,
//! and how much was shown. Script and seed are all else that it takes to run an interrupted script again,
//! so that it goes on where it stopped.
//!
//! * `lasting/diary.rs`: master's journal;
//! * `lasting/shown.rs`: what standard output holds of a run that was interrupted;
//! * `lasting/processes.rs`: processes that are started again.

mod diary;
mod processes;
mod shown;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bank::id::Place;
use bank::master::Kept;
use journal::{Directory, Survives};

use self::diary::{Diary, Entry};

pub(super) use self::diary::Script;
pub(super) use self::shown::{Shown, StandardOutput};

/// How long it may take until the processes of a master that was killed have followed it.
const FOLLOWING: Duration = Duration::from_secs(1);

/// With how many others a new node is connected at once. It never changes: nodes remember it.
pub(super) const TILE: usize = 4;

/// Why a directory cannot be that of a bank.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error(transparent)]
    Journal(#[from] journal::Error),
    #[error("{}: what it holds of the bank cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: pipes::Error },
    #[error("{} holds journals of nodes, and not what belongs to them", .path.display())]
    Headless { path: PathBuf },
    #[error(
        "{}: {script} was interrupted{seed}: run it again to go on where it stopped",
        .path.display()
    )]
    Interrupted {
        path: PathBuf,
        script: String,
        seed: String,
    },
    #[error("{} holds the bank that {script} has left", .path.display())]
    HoldsABank { path: PathBuf, script: String },
}

/// Where a bank that lasts lives.
#[derive(Debug)]
pub(super) struct DataDir {
    directory: &'static Directory,
    survives: Survives,
    diary: Diary,
    past: Option<Past>,
    /// Which system of the script this is.
    round: u64,
}

/// What is known of the run that was interrupted.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// How its collections ended, in order.
    pub(super) outcomes: Vec<Kept>,
    /// What it had shown.
    pub(super) shown: Shown,
}

impl DataDir {
    /// Opens and locks the directory, or makes it; goes on with the bank in it where that belongs to this
    /// script, which was interrupted.
    pub(super) fn open(
        path: &Path,
        survives: Survives,
        script: Script,
        out: &StandardOutput,
    ) -> Result<Self, DataError> {
        let directory: &'static Directory = Box::leak(Box::new(lock(path)?));
        let opened = Diary::open(directory, survives, path)?;
        let journals = journal::journals(directory)?;
        let (diary, past) = match opened {
            None if journals.is_empty() => {
                let diary = Diary::begin(directory, survives, path, script, out)?;
                (diary, None)
            }
            None => {
                let path = path.to_owned();
                return Err(DataError::Headless { path });
            }
            Some((diary, entries)) => {
                diary.is_for(&script)?;
                let mut past = Past::default();
                let mut shown = None;
                for entry in entries {
                    match entry {
                        Entry::Kept(kept) => past.outcomes.push(kept),
                        Entry::Shown(bytes) => shown = Some(bytes),
                        Entry::Over(round) => remove_round(directory, round, survives)?,
                        Entry::Finished => return Err(diary.holds_a_bank()),
                    }
                }
                past.shown = Shown::before(diary.out(), shown.unwrap_or(0), out);
                (diary, Some(past))
            }
        };
        Ok(Self {
            directory,
            survives,
            diary,
            past,
            round: 0,
        })
    }

    /// What is known of the run that was interrupted, if there was one.
    pub(super) fn take_past(&mut self) -> Option<Past> {
        self.past.take()
    }

    /// The seed of the script.
    pub(super) fn seed(&self) -> u64 {
        self.diary.seed()
    }

    pub(super) fn held(&self) -> &pipes::Directory {
        self.directory.held()
    }

    /// Another system begins.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// What a node is told of where it keeps its journal.
    pub(super) fn arguments(&self, place: Place, answered: Option<u64>) -> Vec<String> {
        let mut arguments = vec![
            format!("--journal={}-node-{}", self.round, place.index()),
            format!("--run={}", self.diary.run()),
            format!("--writer={}", place.index()),
        ];
        if self.survives == Survives::Failure {
            arguments.push("--sync".to_owned());
        }
        arguments.extend(answered.map(|answered| format!("--answered={answered}")));
        arguments
    }

    /// Keeps how a collection ended.
    pub(super) fn keep(&mut self, kept: Kept) -> Result<(), DataError> {
        self.diary.write(&Entry::Kept(kept))
    }

    /// Keeps how much was shown in all, where that cannot be seen.
    pub(super) fn note_shown(&mut self, bytes: u64) -> Result<(), DataError> {
        match self.diary.out().is_stream() {
            true => self.diary.write(&Entry::Shown(bytes)),
            false => Ok(()),
        }
    }

    /// The system is no more, nor is what was kept of it.
    pub(super) fn remove(&mut self) -> Result<(), DataError> {
        self.diary.write(&Entry::Over(self.round))?;
        remove_round(self.directory, self.round, self.survives)
    }

    /// The script is over. Where nothing is left of its bank, nothing is kept.
    pub(super) fn finish(&mut self) -> Result<(), DataError> {
        let journals = journal::journals(self.directory)?;
        if journals.iter().all(|name| Diary::is_called(name)) {
            self.diary.remove(self.directory, self.survives)
        } else {
            self.diary.write(&Entry::Finished)
        }
    }
}

fn remove_round(directory: &Directory, round: u64, survives: Survives) -> Result<(), DataError> {
    let prefix = format!("{round}-node-");
    for name in journal::journals(directory)? {
        if name.starts_with(&prefix) {
            journal::remove(&directory, &name, survives)?;
        }
    }
    Ok(())
}

/// Locks the directory. The processes of a master that was killed hold it for a moment longer.
fn lock(path: &Path) -> Result<Directory, journal::Error> {
    let give_up = Instant::now() + FOLLOWING;
    loop {
        match Directory::open(path) {
            Err(journal::Error::InUse { .. }) if Instant::now() < give_up => {
                thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}
