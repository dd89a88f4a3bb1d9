//! A bank that lasts: the directory where it lives.
//!
//! Every node has a journal there, and so has master: of which script this is, how its collections ended,
//! and how much was shown. Script and seed are all else that it takes to run an interrupted script again,
//! so that it goes on where it stopped.
//!
//! * `lasting/diary.rs`: master's journal;
//! * `lasting/abandon.rs`: a script that is given up;
//! * `lasting/journals.rs`, `lasting/keeper.rs`: the journals of the nodes of all hosts, and of one;
//! * `lasting/shown.rs`: what standard output holds of a run that was interrupted;
//! * `lasting/processes.rs`: processes that are started again.

mod abandon;
mod diary;
mod journals;
mod keeper;
mod processes;
mod shown;

use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bank::id::Place;
use bank::master::{Image, Kept};
use bank::script::Known;
use hosts::Errand;
use journal::{Directory, Survives};

use self::diary::{Bank, Diary, Entry};
use self::journals::Journals;
use self::keeper::{Keeper, Which};
use crate::master::chronicle::{Chronicle, Reached};
use crate::node::NodeError;

pub(super) use self::diary::{Position, Script};
pub(super) use self::journals::Part;
pub(super) use self::keeper::Request;
pub(super) use self::shown::{Shown, StandardOutput};

/// How long it may take until the processes of a master that was killed have followed it.
const FOLLOWING: Duration = Duration::from_secs(1);

/// For us alone.
const PRIVATE: u32 = 0o700;

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
        "{} holds no bank, and other things ({}): give a directory that is empty, or not there",
        .path.display(),
        .name.display()
    )]
    NotEmpty { path: PathBuf, name: OsString },
    #[error("{} cannot be used: {source}", .path.display())]
    Unusable { path: PathBuf, source: io::Error },
    #[error("cannot be sure that {what} is on the disk: {source}")]
    NotSynced {
        what: &'static str,
        source: io::Error,
    },
    #[error("{}: {source}", .path.display())]
    Node { path: PathBuf, source: NodeError },
    #[error(
        "{} holds a load, which cannot be given up like a script: run it again, or remove the directory",
        .path.display()
    )]
    OfLoad { path: PathBuf },
    #[error("{} holds a bank on {was} host(s), and these are {are}", .path.display())]
    OtherHosts {
        path: PathBuf,
        was: usize,
        are: usize,
    },
    #[error("{0}")]
    Hosts(#[from] hosts::Error),
    #[error("{} holds the bank of a script, which a load would not leave as it is", .path.display())]
    OfScripts { path: PathBuf },
    #[error("{}: {script} was interrupted{seed}: {again}", .path.display())]
    Interrupted {
        path: PathBuf,
        script: String,
        seed: String,
        again: &'static str,
    },
}

/// Where a bank that lasts lives.
#[derive(Debug)]
pub(super) struct DataDir {
    journals: Journals,
    diary: Diary,
    past: Past,
    /// Which system of the script this is.
    round: u64,
}

/// What is known of what was before this run.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The bank that the script opens.
    pub(super) bank: Option<Image>,
    /// Where the script goes on, if not from its beginning.
    pub(super) position: Option<Position>,
    /// Where the script was interrupted, how its collections ended, in order.
    pub(super) outcomes: Option<Vec<Kept>>,
    /// What it had shown.
    pub(super) shown: Shown,
    /// From which line on results are shown, where some may have been shown before.
    pub(super) from_line: Option<u64>,
}

/// A directory that is locked and was read, before it is known for which script.
#[derive(Debug)]
pub(super) struct Opened {
    journals: Journals,
    there: Option<(Diary, Vec<Entry>)>,
}

impl Opened {
    /// Locks the directory, or makes it.
    pub(super) fn at(
        path: &Path,
        survives: Survives,
        elsewhere: Errand,
    ) -> Result<Self, DataError> {
        let directory: &'static Directory = Box::leak(Box::new(lock(path, FOLLOWING)?));
        let here = Keeper {
            path: path.to_owned(),
            directory,
            survives,
        };
        let mut there = Diary::open(&here)?;
        let journals = Journals { here, elsewhere };
        // Everything was being removed when it was left.
        let is_gone =
            |(_, entries): &mut (Diary, Vec<Entry>)| matches!(entries.last(), Some(Entry::Gone));
        if there.take_if(is_gone).is_some() {
            diary::remove_all(&journals)?;
        }
        let path = path.to_owned();
        if let Some((diary, _)) = &there {
            let (was, are) = (diary.hosts(), journals.elsewhere.hosts());
            if was != are {
                return Err(DataError::OtherHosts { path, was, are });
            }
        }
        let is_given_up = |entries: &[Entry]| matches!(entries.last(), Some(Entry::GivenUp));
        if let Some((diary, entries)) = there.take_if(|(_, entries)| is_given_up(entries)) {
            there = abandon::leave_a_bank(&journals, (diary, entries))?;
        }
        if there.is_none() {
            let names = journal::journals(directory)?;
            if !names.iter().all(|name| Diary::is_called(name)) {
                return Err(DataError::Headless { path });
            }
            // Of a master that was killed before it had begun.
            journal::remove(&directory, Diary::NAME, survives)?;
            let is_other = |entry: &io::Result<DirEntry>| {
                let is_of_a_host = |entry: &DirEntry| journals.is_of_a_host(&entry.file_name());
                !entry.as_ref().is_ok_and(is_of_a_host)
            };
            let found =
                fs::read_dir(&path).and_then(|mut entries| entries.find(is_other).transpose());
            let found = found.and_then(|found| match found {
                // Whoever made it may have left it open to others.
                None => directory.held().set_mode(PRIVATE).map(|()| None),
                found => Ok(found),
            });
            match found {
                Ok(None) => {}
                Ok(Some(entry)) => {
                    let name = entry.file_name();
                    return Err(DataError::NotEmpty { path, name });
                }
                Err(source) => return Err(DataError::Unusable { path, source }),
            }
        }
        Ok(Self { journals, there })
    }

    /// Gives the script up that was interrupted, and keeps the bank as it is: how the script is called, and
    /// whether there is a bank. `None` where none was interrupted.
    pub(super) fn abandon(&mut self) -> Result<Option<(String, bool)>, DataError> {
        if { self.there.as_ref() }.is_some_and(|(diary, _)| diary.is_load()) {
            let path = self.journals.here.path.clone();
            return Err(DataError::OfLoad { path });
        }
        let Some((mut diary, entries)) = self.there.take_if(|(_, it)| is_interrupted(it)) else {
            return Ok(None);
        };
        diary.write(&Entry::GivenUp)?;
        let script = diary.script();
        self.there = abandon::leave_a_bank(&self.journals, (diary, entries))?;
        Ok(Some((script, self.there.is_some())))
    }

    /// An error where a script was interrupted, and this cannot be it.
    pub(super) fn is_free(&self) -> Result<(), DataError> {
        match &self.there {
            Some((diary, entries)) if is_interrupted(entries) => Err(diary.interrupted(false)),
            _ => Ok(()),
        }
    }

    /// What the check of the script must know.
    pub(super) fn known(&self) -> Option<Known> {
        let (diary, entries) = self.there.as_ref()?;
        match entries.last() {
            Some(Entry::Finished(bank)) => Some(bank.image.known()),
            _ => diary.known(),
        }
    }

    /// Goes on with the script, where it was interrupted, or begins it; an error where another one was
    /// interrupted.
    pub(super) fn take_up(
        self,
        script: Script,
        out: &StandardOutput,
    ) -> Result<DataDir, DataError> {
        let Self { journals, there } = self;
        let mut past = Past::default();
        let diary = match there {
            None => {
                let hosts = journals.elsewhere.hosts();
                Diary::begin(&journals.here, (script, hosts), out)?
            }
            Some((mut diary, mut entries)) => {
                if let Some(Entry::Finished(bank)) =
                    entries.pop_if(|it| matches!(it, Entry::Finished(_)))
                {
                    journals.remove(Which::AllBut(bank.round))?;
                    diary.go_on(script, out, bank)?;
                } else {
                    diary.is_for(&script)?;
                    let position = diary.position().cloned().unwrap_or_default();
                    let (mut outcomes, mut noted) = (Vec::new(), position.shown);
                    let ahead = position.ahead.into_iter().map(Entry::Kept);
                    let mut round = diary.first_round();
                    for entry in ahead.chain(entries) {
                        match entry {
                            Entry::Kept(kept) => {
                                if kept == Kept::Ended {
                                    if !diary.opens(round) {
                                        journals.remove(Which::Round(round))?;
                                    }
                                    round += 1;
                                }
                                outcomes.push(kept);
                            }
                            Entry::Shown { bytes, lines } => noted = (bytes, lines),
                            Entry::GivenUp | Entry::Finished(_) | Entry::Gone => {}
                        }
                    }
                    past.outcomes = Some(outcomes);
                    let (bytes, lines) = position.shown;
                    past.shown = Shown::before(diary.out(), (bytes, noted.0), out);
                    past.from_line = match past.shown {
                        Shown::Bytes(..) => None,
                        Shown::Count(_) => Some(noted.1 + 1),
                        Shown::Nothing if bytes == 0 && diary.out().is_empty_still(out) => None,
                        Shown::Nothing => Some(lines + 1),
                    };
                }
                diary
            }
        };
        past.bank = diary.bank().map(|bank| bank.image.clone());
        past.position = diary.position().cloned();
        // The first system of the script is the one that is opened.
        let round = diary.first_round() - 1;
        Ok(DataDir {
            journals,
            diary,
            past,
            round,
        })
    }
}

impl DataDir {
    /// What is known of what was before this run.
    pub(super) fn take_past(&mut self) -> Past {
        std::mem::take(&mut self.past)
    }

    /// How far the history had come from where the script goes on, if it goes on.
    pub(super) fn history_reached(&self) -> Option<Reached> {
        let (reached, _) = self.past.position.as_ref()?.history.as_ref()?;
        Some(*reached)
    }

    /// What is known of the bank that the script opens.
    pub(super) fn known(&self) -> Option<Known> {
        self.diary.known()
    }

    /// The seed of the script.
    pub(super) fn seed(&self) -> u64 {
        self.diary.seed()
    }

    pub(super) fn held(&self) -> &pipes::Directory {
        self.journals.here.directory.held()
    }

    /// Another system begins.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// What a node is told of where it keeps its journal.
    pub(super) fn arguments(&self, place: Place, answered: Option<u64>) -> Vec<String> {
        let survives = self.journals.here.survives;
        let owner = self.diary.owner(self.round, place);
        let keeping = owner.keeping(survives, answered);
        let mut arguments = vec![
            format!("--journal={}", keeping.journal),
            format!("--run={}", keeping.identity.run),
            format!("--writer={}", keeping.identity.writer),
        ];
        if survives == Survives::Failure {
            arguments.push("--sync".to_owned());
        }
        arguments.extend(answered.map(|answered| format!("--answered={answered}")));
        arguments
    }

    /// How much the journals take on the disk, with the room that they have ahead, as far as can be seen.
    pub(super) fn bytes(&self) -> Result<u64, DataError> {
        self.journals.bytes()
    }

    /// Nothing is in flight: from here on the script goes on, whatever happens. Returns how many bytes that
    /// takes.
    pub(super) fn note(
        &mut self,
        image: Image,
        position: Position,
        chronicle: Option<&Chronicle>,
    ) -> Result<u64, DataError> {
        if self.journals.here.survives == Survives::Failure {
            // What is before is never shown again.
            let what = "standard output";
            shown::sync().map_err(|source| DataError::NotSynced { what, source })?;
            let what = "the history";
            let synced = chronicle.map_or(Ok(()), Chronicle::sync_file);
            synced.map_err(|source| DataError::NotSynced { what, source })?;
        }
        let round = self.round;
        let bytes = self.diary.note(Bank { image, round }, position)?;
        self.journals.remove(Which::AllBut(round))?;
        Ok(bytes)
    }

    /// Keeps how a collection ended.
    pub(super) fn keep(&mut self, kept: Kept) -> Result<(), DataError> {
        self.diary.write(&Entry::Kept(kept))
    }

    /// Keeps how much was shown in all, where that cannot be seen.
    pub(super) fn note_shown(&mut self, bytes: u64, lines: u64) -> Result<(), DataError> {
        match self.diary.out().is_stream() {
            true => self.diary.write(&Entry::Shown { bytes, lines }),
            false => Ok(()),
        }
    }

    /// The system is no more, nor is what was kept of it. One that the script has opened stays until the
    /// script is over: if that is interrupted, it will be opened again.
    pub(super) fn remove(&mut self) -> Result<(), DataError> {
        // Perhaps it was never opened.
        self.round = self.round.max(self.opened());
        match self.diary.opens(self.round) {
            true => Ok(()),
            false => self.journals.remove(Which::Round(self.round)),
        }
    }

    /// Which system it is that the script opens, if any.
    fn opened(&self) -> u64 {
        self.diary.bank().map_or(0, |bank| bank.round)
    }

    /// The script is over, and has left this; where that is nothing, nothing is kept.
    pub(super) fn finish(&mut self, image: Option<Image>) -> Result<(), DataError> {
        match image {
            Some(image) => {
                // Perhaps this script has not even opened it.
                let round = self.round.max(self.opened());
                self.diary.write(&Entry::Finished(Bank { image, round }))?;
                self.journals.remove(Which::AllBut(round))
            }
            None => {
                self.diary.write(&Entry::Gone)?;
                diary::remove_all(&self.journals)
            }
        }
    }
}

/// Whether the script is not over, and so is to go on.
fn is_interrupted(entries: &[Entry]) -> bool {
    !matches!(entries.last(), Some(Entry::Finished(_)))
}

/// Locks the directory. The processes of a master that was killed hold it for a moment longer.
fn lock(path: &Path, following: Duration) -> Result<Directory, journal::Error> {
    let give_up = Instant::now() + following;
    loop {
        match Directory::open(path) {
            Err(journal::Error::InUse { .. }) if Instant::now() < give_up => {
                thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}
