//! Master's journal: what does not follow from script and seed.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use bank::master::{Image, Kept};
use journal::{Directory, Identity, Journal, Settings, Survives};
use serde::{Deserialize, Serialize};

use super::DataError;
use super::shown::StandardOutput;

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

/// With what a script begins: the image at the beginning of a segment.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    run: u64,
    script: String,
    sha256: Option<String>,
    seed: u64,
    out: StandardOutput,
    /// The bank that it opens.
    bank: Option<Bank>,
}

/// A bank that a script has left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bank {
    pub(super) image: Image,
    /// Which system of those scripts it is.
    pub(super) round: u64,
}

/// What follows, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A collection has ended.
    Kept(Kept),
    /// So much was shown in all.
    Shown { bytes: u64, lines: u64 },
    /// This system of the script was ended by `KillAll`.
    Over(u64),
    /// The script is over, and has left this.
    Finished(Bank),
    /// The script is over, and has left nothing: all of this goes.
    Gone,
}

impl About {
    fn of(run: u64, script: Script, out: &StandardOutput, bank: Option<Bank>) -> Self {
        Self {
            run,
            script: script.name,
            sha256: script.sha256,
            seed: script.seed.unwrap_or(script.drawn_seed),
            out: out.clone(),
            bank,
        }
    }
}

/// Master's journal.
#[derive(Debug)]
pub(super) struct Diary {
    path: PathBuf,
    about: About,
    journal: Journal<&'static Directory>,
}

impl Diary {
    /// What the journal is called.
    pub(super) const NAME: &str = "master";

    /// Opens what is there; nothing where there is nothing.
    pub(super) fn open(
        directory: &'static Directory,
        survives: Survives,
        path: &Path,
    ) -> Result<Option<(Self, Vec<Entry>)>, DataError> {
        let settings = Settings::new(survives);
        let Some((journal, past)) = Journal::open(directory, Self::NAME, IDENTITY, settings)?
        else {
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
                true => {
                    // What is before it is of a script that was over, and was not removed.
                    entries.clear();
                    about = Some(pipes::from_bytes(record.bytes).map_err(unreadable)?);
                }
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

    /// Begins one, with the first script of a bank.
    pub(super) fn begin(
        directory: &'static Directory,
        survives: Survives,
        path: &Path,
        script: Script,
        out: &StandardOutput,
    ) -> Result<Self, DataError> {
        let run = RandomState::new().hash_one(std::process::id());
        let about = About::of(run, script, out, None);
        let path = path.to_owned();
        let image = bytes(&about, &path)?;
        let settings = Settings::new(survives);
        let journal = Journal::create(directory, Self::NAME, IDENTITY, settings, &image)?;
        Ok(Self {
            path,
            about,
            journal,
        })
    }

    /// The next script begins, with the bank that the one before has left.
    pub(super) fn go_on(
        &mut self,
        script: Script,
        out: &StandardOutput,
        bank: Bank,
    ) -> Result<(), DataError> {
        let about = About::of(self.about.run, script, out, Some(bank));
        let image = bytes(&about, &self.path)?;
        let segment = self.journal.begin_segment(&image)?;
        self.journal.drop_before(segment)?;
        self.about = about;
        Ok(())
    }

    /// Whether the script opens this system.
    pub(super) fn opens(&self, round: u64) -> bool {
        self.bank().is_some_and(|bank| bank.round == round)
    }

    /// The bank that the script opens.
    pub(super) fn bank(&self) -> Option<&Bank> {
        self.about.bank.as_ref()
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
            script: match sha256 {
                Some(_) => self.about.script.clone(),
                None => "what was read from standard input".to_owned(),
            },
            seed: match is_same {
                true => format!(" (with --seed {seed})"),
                false => String::new(),
            },
            again: match sha256 {
                Some(_) => "run it again to go on where it stopped, or",
                None => "it cannot be read again;",
            },
        })
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

    /// Writes something down: from here on it is there.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<(), DataError> {
        let entry = bytes(entry, &self.path)?;
        self.journal.append(&entry);
        Ok(self.journal.commit()?)
    }

    /// Whether a journal of this name is master's.
    pub(super) fn is_called(name: &str) -> bool {
        name == Self::NAME
    }

    /// Removes every journal, and this last.
    pub(super) fn remove_all(
        &mut self,
        directory: &'static Directory,
        survives: Survives,
    ) -> Result<(), DataError> {
        for name in journal::journals(directory)? {
            if name != Self::NAME {
                journal::remove(&directory, &name, survives)?;
            }
        }
        Ok(journal::remove(&directory, Self::NAME, survives)?)
    }
}

fn bytes<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>, DataError> {
    let path = path.to_owned();
    pipes::to_bytes(value).map_err(|source| DataError::Unreadable { path, source })
}
