//! The journals of the nodes of a host, and what may be asked of whoever keeps them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use bank::account::Outgoing;
use bank::id::{NodeId, Place};
use bank::member::Frame;
use bank::node::Restoring;
use journal::{Directory, Identity, Journal, Settings, Survives};
use serde::{Deserialize, Serialize};

use super::DataError;
use super::diary::Diary;
use crate::node::{self, Keeping, KeptJournal, NodeError};

/// Whose journal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::master) struct Owner {
    /// Which bank it is.
    pub(super) run: u64,
    /// Which system of that.
    pub(super) round: u64,
    pub(super) place: Place,
}

impl Owner {
    /// Where it keeps its journal.
    pub(super) fn keeping(self, survives: Survives, answered: Option<u64>) -> Keeping {
        let place = self.place.index();
        Keeping {
            journal: format!("{}{place}", prefix_of(self.round)),
            identity: Identity {
                run: self.run,
                writer: place as u64,
            },
            survives,
            answered,
        }
    }
}

fn prefix_of(round: u64) -> String {
    format!("{round}-node-")
}

/// Which journals go.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::master) enum Which {
    /// Those of the nodes of this system.
    Round(u64),
    /// Those of all others.
    AllBut(u64),
    All,
}

/// What is asked of whoever keeps journals.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::master) enum Request {
    /// To remove some.
    Remove(Which),
    /// How many bytes they take.
    Bytes,
    /// The image of a node as it was when it died.
    Image(Owner, NodeId, u64),
    /// To keep what a node has done since.
    Append(Owner, Vec<u8>),
    /// What a node has sent, on channels behind so many frames.
    Sent(Owner, Vec<(Outgoing, u64)>),
}

/// Where a host keeps the journals of its nodes.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    pub(super) path: PathBuf,
    pub(super) directory: &'static Directory,
    pub(super) survives: Survives,
}

impl Keeper {
    /// Does what is asked, and returns the answer as bytes.
    pub(super) fn answer(&self, request: Request) -> Result<Vec<u8>, DataError> {
        let answer = match request {
            Request::Remove(which) => pipes::to_bytes(&self.remove(which)?),
            Request::Bytes => pipes::to_bytes(&self.bytes()),
            Request::Image(owner, id, deposit) => {
                pipes::to_bytes(&self.image(owner, (id, deposit))?)
            }
            Request::Append(owner, done) => pipes::to_bytes(&self.append(owner, &done)?),
            Request::Sent(owner, wanted) => pipes::to_bytes(&self.sent(owner, &wanted)?),
        };
        Ok(answer.map_err(hosts::Error::from)?)
    }

    /// Removes journals of nodes.
    pub(super) fn remove(&self, which: Which) -> Result<(), DataError> {
        let is_of = |name: &str, round| name.starts_with(&prefix_of(round));
        for name in journal::journals(self.directory)? {
            let goes = match which {
                Which::Round(round) => is_of(&name, round),
                Which::AllBut(round) => !is_of(&name, round),
                Which::All => true,
            };
            if goes && !Diary::is_called(&name) {
                journal::remove(&self.directory, &name, self.survives)?;
            }
        }
        Ok(())
    }

    /// How much the journals take on the disk, with the room that they have ahead, as far as can be seen.
    pub(super) fn bytes(&self) -> u64 {
        let path = self.directory.held().path();
        let entries = path.and_then(fs::read_dir).into_iter().flatten().flatten();
        let files = entries.flat_map(|entry| entry.metadata());
        files.map(|it| it.blocks() * 512).sum()
    }

    /// The image of a node as it was when it died. One that had not begun its journal begins it.
    pub(super) fn image(&self, owner: Owner, account: (NodeId, u64)) -> Result<Vec<u8>, DataError> {
        let keeping = owner.keeping(self.survives, Some(Restoring::ALL_HEARD));
        let folded = node::fold(self.directory, &keeping, account, false);
        let (restoring, journal) = folded.map_err(|error| self.wrong(error))?;
        let folded = restoring.as_it_is();
        if journal.is_none() {
            let begun = node::begin(self.directory, &keeping, &folded);
            begun.map_err(|error| self.wrong(error))?;
        }
        Ok(folded.image())
    }

    /// Keeps what a node has done since it died.
    pub(super) fn append(&self, owner: Owner, done: &[u8]) -> Result<(), DataError> {
        let mut journal = self.open(owner)?;
        journal.append(done);
        Ok(journal.commit()?)
    }

    /// What a node has sent, on channels behind so many frames.
    pub(super) fn sent(
        &self,
        owner: Owner,
        wanted: &[(Outgoing, u64)],
    ) -> Result<Vec<(Outgoing, Frame)>, DataError> {
        let mut sent = Vec::new();
        let journal = self.open(owner)?;
        let resent = node::resend(&journal, wanted, |to, frame| sent.push((to, frame)));
        resent.map_err(|error| self.wrong(error))?;
        Ok(sent)
    }

    fn open(&self, owner: Owner) -> Result<KeptJournal, DataError> {
        let keeping = owner.keeping(self.survives, None);
        let (name, identity) = (&keeping.journal, keeping.identity);
        let settings = Settings::new(self.survives);
        // What is read is of no interest here.
        let newest = |_: &[u8]| true;
        let opened = Journal::open_from(self.directory, name, identity, settings, newest)?;
        let (journal, _) = opened.ok_or_else(|| self.wrong(NodeError::NoRecord))?;
        Ok(journal)
    }

    pub(super) fn wrong(&self, source: NodeError) -> DataError {
        let path = self.path.clone();
        DataError::Node { path, source }
    }
}
