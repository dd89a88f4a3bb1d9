//! A script that is given up: from what its nodes and master have kept follows the bank that it leaves.

use std::path::Path;

use bank::Broken;
use bank::account::Outgoing;
use bank::id::Place;
use bank::master::{Abandoned, Folds, Image, Kept};
use bank::member::Frame;
use bank::node::Restoring;
use journal::{Directory, Survives};

use super::diary::{Bank, Diary, Entry};
use super::{DataError, keep_only};
use crate::node::{self, Keeping, NodeError};

/// Where the journals of a bank are.
struct Journals<'d> {
    directory: &'static Directory,
    survives: Survives,
    diary: &'d Diary,
    round: u64,
}

/// The script of this diary is given up. What it leaves is a bank between two scripts, or nothing. It may be
/// interrupted, and is done again then.
pub(super) fn leave_a_bank(
    directory: &'static Directory,
    survives: Survives,
    (mut diary, mut entries): (Diary, Vec<Entry>),
) -> Result<Option<(Diary, Vec<Entry>)>, DataError> {
    let kept = entries.drain(..).filter_map(|entry| match entry {
        Entry::Kept(kept) => Some(kept),
        _ => None,
    });
    let position = diary.position().cloned().unwrap_or_default();
    let kept: Vec<Kept> = position.ahead.into_iter().chain(kept).collect();
    let ended = kept.iter().filter(|it| **it == Kept::Ended).count() as u64;
    let round = diary.first_round() + ended;
    let opened = diary.bank().map(|bank| bank.image.clone());
    let Some(bank) = Abandoned::new(opened, kept) else {
        diary.write(&Entry::Gone)?;
        diary.remove_all(directory, survives)?;
        return Ok(None);
    };
    let journals = Journals {
        directory,
        survives,
        diary: &diary,
        round,
    };
    let image = journals.image(bank)?;
    diary.write(&Entry::Finished(Bank {
        image: image.clone(),
        round,
    }))?;
    keep_only(directory, round, survives)?;
    entries.push(Entry::Finished(Bank { image, round }));
    Ok(Some((diary, entries)))
}

impl Journals<'_> {
    fn image(&self, mut bank: Abandoned) -> Result<Image, DataError> {
        let mut nodes = Folds::new();
        for (place, id, deposit) in bank.nodes() {
            nodes.insert(place, self.fold(place, (id, deposit))?);
        }
        let settled = bank.settle(&mut nodes);
        settled.map_err(|broken: Broken| self.wrong(broken.into()))?;
        for (place, node) in &mut nodes {
            self.append(*place, node)?;
        }
        bank.image(&nodes, |place, wanted| self.sent(place, wanted))
    }

    /// A node as it was when it died. One that had not begun its journal begins it.
    fn fold(
        &self,
        place: Place,
        account: (bank::id::NodeId, u64),
    ) -> Result<bank::node::Node, DataError> {
        let keeping = self.keeping(place);
        let folded = node::fold(self.directory, &keeping, account, false);
        let (restoring, journal) = folded.map_err(|error| self.wrong(error))?;
        let folded = restoring.as_it_is();
        if journal.is_none() {
            let begun = node::begin(self.directory, &keeping, &folded);
            begun.map_err(|error| self.wrong(error))?;
        }
        Ok(folded)
    }

    /// Keeps what a node has done since it was folded.
    fn append(&self, place: Place, node: &mut bank::node::Node) -> Result<(), DataError> {
        let mut done = Vec::new();
        node.take_unkept(|bytes| done.extend_from_slice(bytes));
        if done.is_empty() {
            return Ok(());
        }
        let mut journal = self.open(place)?;
        journal.append(&done);
        Ok(journal.commit()?)
    }

    fn sent(
        &self,
        place: Place,
        wanted: &[(Outgoing, u64)],
    ) -> Result<Vec<(Outgoing, Frame)>, DataError> {
        let mut sent = Vec::new();
        let journal = self.open(place)?;
        let resent = node::resend(&journal, wanted, |to, frame| sent.push((to, frame)));
        resent.map_err(|error| self.wrong(error))?;
        Ok(sent)
    }

    fn open(&self, place: Place) -> Result<node::KeptJournal, DataError> {
        let Keeping {
            journal,
            identity,
            survives,
            ..
        } = self.keeping(place);
        let settings = journal::Settings::new(survives);
        // What is read is of no interest here.
        let newest = |_: &[u8]| true;
        let opened =
            journal::Journal::open_from(self.directory, &journal, identity, settings, newest)?;
        let (journal, _) = opened.ok_or_else(|| self.wrong(NodeError::NoRecord))?;
        Ok(journal)
    }

    fn keeping(&self, place: Place) -> Keeping {
        Keeping {
            answered: Some(Restoring::ALL_HEARD),
            ..self.diary.keeping(self.round, place, self.survives)
        }
    }

    fn wrong(&self, source: NodeError) -> DataError {
        let path: &Path = self.diary.path();
        let path = path.to_owned();
        DataError::Node { path, source }
    }
}
