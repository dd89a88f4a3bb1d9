//! Master's journal: what does not follow from script and seed.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use bank::id::Place;
use bank::master::{HistorySoFar, Image, Kept};
use bank::script::Known;
use journal::{Directory, Identity, Journal, Settings};
use serde::{Deserialize, Serialize};

use super::DataError;
use super::journals::Journals;
use super::keeper::{Keeper, Owner, Which};
use super::shown::StandardOutput;
use crate::master::chronicle::Reached;

/// Of whom it is not yet known which bank it is.
const IDENTITY: Identity = Identity { run: 0, writer: 0 };

/// A script, as it is told from others.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) name: String,
    /// What is the same whenever it is run again; none of one that is typed, or comes through a pipe.
    pub(crate) known_by: Option<String>,
    /// Where one was given.
    pub(crate) seed: Option<u64>,
    /// One for a script that has none.
    pub(crate) drawn_seed: u64,
    /// It is a load.
    pub(crate) is_load: bool,
}

/// With what a script begins: the image at the beginning of a segment.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    run: u64,
    script: String,
    known_by: Option<String>,
    seed: u64,
    is_load: bool,
    /// On how many hosts the bank is.
    hosts: usize,
    out: StandardOutput,
    /// The bank that it opens, or goes on with.
    bank: Option<Bank>,
    /// Where it goes on, if not from its beginning.
    position: Option<Position>,
}

/// How far a script is at a moment at which nothing is in flight.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    /// So many statements are done…
    pub(crate) statements: u64,
    /// … for which so often was drawn.
    pub(crate) draws: u64,
    /// What was kept of what comes next.
    pub(crate) ahead: Vec<Kept>,
    /// How much they have shown: bytes, and lines.
    pub(crate) shown: (u64, u64),
    /// What the status of the script is so far.
    pub(crate) failed: bool,
    pub(crate) broken: bool,
    /// How far its history was, if it had one that can go on.
    pub(crate) history: Option<(Reached, HistorySoFar)>,
    /// What the check of the script must know of the bank that it opened at first, which only the diary knows.
    pub(crate) known: Option<Known>,
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
    /// The script is given up.
    GivenUp,
    /// The script is over, and has left this.
    Finished(Bank),
    /// The script is over, and has left nothing: all of this goes.
    Gone,
}

impl About {
    fn of(
        (run, hosts): (u64, usize),
        script: Script,
        out: &StandardOutput,
        bank: Option<Bank>,
    ) -> Self {
        Self {
            run,
            hosts,
            script: script.name,
            known_by: script.known_by,
            seed: script.seed.unwrap_or(script.drawn_seed),
            is_load: script.is_load,
            out: out.clone(),
            bank,
            position: None,
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
    pub(super) fn open(here: &Keeper) -> Result<Option<(Self, Vec<Entry>)>, DataError> {
        let (settings, path) = (Settings::new(here.survives), &here.path);
        let opened = Journal::open(here.directory, Self::NAME, IDENTITY, settings)?;
        let Some((journal, past)) = opened else {
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
        Ok(about.map(|about| {
            let diary = Self {
                path: path.clone(),
                about,
                journal,
            };
            (diary, entries)
        }))
    }

    /// Begins one, with the first script of a bank.
    pub(super) fn begin(
        here: &Keeper,
        (script, hosts): (Script, usize),
        out: &StandardOutput,
    ) -> Result<Self, DataError> {
        let run = RandomState::new().hash_one(std::process::id());
        let about = About::of((run, hosts), script, out, None);
        let path = here.path.clone();
        let image = bytes(&about, &path)?;
        let settings = Settings::new(here.survives);
        let journal = Journal::create(here.directory, Self::NAME, IDENTITY, settings, &image)?;
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
        self.begin_again(About::of(
            (self.about.run, self.about.hosts),
            script,
            out,
            Some(bank),
        ))?;
        Ok(())
    }

    /// The script goes on from here, whatever happens. Returns how many bytes that takes.
    pub(super) fn note(&mut self, bank: Bank, position: Position) -> Result<u64, DataError> {
        let known = self.known();
        self.begin_again(About {
            bank: Some(bank),
            position: Some(Position { known, ..position }),
            ..self.about.clone()
        })
    }

    fn begin_again(&mut self, about: About) -> Result<u64, DataError> {
        let image = bytes(&about, &self.path)?;
        let segment = self.journal.begin_segment(&image)?;
        self.journal.drop_before(segment)?;
        self.about = about;
        Ok(image.len() as u64)
    }

    /// Whether the script opens this system.
    pub(super) fn opens(&self, round: u64) -> bool {
        self.bank().is_some_and(|bank| bank.round == round)
    }

    /// The bank that the script opens, or goes on with.
    pub(super) fn bank(&self) -> Option<&Bank> {
        self.about.bank.as_ref()
    }

    /// Where the script goes on, if not from its beginning.
    pub(super) fn position(&self) -> Option<&Position> {
        self.about.position.as_ref()
    }

    /// What the check of the script must know.
    pub(super) fn known(&self) -> Option<Known> {
        match &self.about.position {
            Some(position) => position.known.clone(),
            None => self.bank().map(|bank| bank.image.known()),
        }
    }

    /// An error where another script is under way than this one.
    pub(super) fn is_for(&self, script: &Script) -> Result<(), DataError> {
        let About { known_by, seed, .. } = &self.about;
        let is_same = known_by.is_some() && *known_by == script.known_by;
        if is_same && script.seed.is_none_or(|given| given == *seed) {
            return Ok(());
        }
        Err(self.interrupted(is_same))
    }

    /// Another script is under way, or the same with another seed.
    pub(super) fn interrupted(&self, is_same: bool) -> DataError {
        let About { known_by, seed, .. } = &self.about;
        DataError::Interrupted {
            path: self.path.clone(),
            script: self.script(),
            seed: match is_same {
                true => format!(" (with --seed {seed})"),
                false => String::new(),
            },
            again: match (known_by, self.is_load()) {
                (_, true) => "run it again to go on where it stopped, or remove the directory",
                (Some(_), _) => {
                    "run it again to go on where it stopped, or give it up with --abandon"
                }
                (None, _) => "it cannot be read again; give it up with --abandon",
            },
        }
    }

    /// What people call the script.
    pub(super) fn script(&self) -> String {
        match self.about.known_by {
            Some(_) => self.about.script.clone(),
            None => "what was read from standard input".to_owned(),
        }
    }

    pub(super) fn is_load(&self) -> bool {
        self.about.is_load
    }

    /// Which system the first of the script is.
    pub(super) fn first_round(&self) -> u64 {
        self.bank().map_or(1, |bank| bank.round)
    }

    /// Whose the journal of a node of a system is.
    pub(super) fn owner(&self, round: u64, place: Place) -> Owner {
        let run = self.about.run;
        Owner { run, round, place }
    }

    /// On how many hosts the bank is.
    pub(super) fn hosts(&self) -> usize {
        self.about.hosts
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
}

/// Removes every journal, and master's last.
pub(super) fn remove_all(journals: &Journals) -> Result<(), DataError> {
    journals.remove(Which::All)?;
    let here = &journals.here;
    Ok(journal::remove(
        &here.directory,
        Diary::NAME,
        here.survives,
    )?)
}

fn bytes<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>, DataError> {
    let path = path.to_owned();
    pipes::to_bytes(value).map_err(|source| DataError::Unreadable { path, source })
}
