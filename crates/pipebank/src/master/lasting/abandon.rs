//! A script that is given up: from what its nodes and master have kept follows the bank that it leaves.

use bank::Broken;
use bank::id::Place;
use bank::master::{Abandoned, Folds, Image, Kept};
use bank::node::{Node, Restoring};

use super::DataError;
use super::diary::{self, Bank, Diary, Entry};
use super::journals::Journals;
use super::keeper::{Owner, Which};

/// The script of this diary is given up. What it leaves is a bank between two scripts, or nothing. It may be
/// interrupted, and is done again then.
pub(super) fn leave_a_bank(
    journals: &Journals,
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
        diary::remove_all(journals)?;
        return Ok(None);
    };
    let image = image(bank, journals, |place| diary.owner(round, place))?;
    diary.write(&Entry::Finished(Bank {
        image: image.clone(),
        round,
    }))?;
    journals.remove(Which::AllBut(round))?;
    entries.push(Entry::Finished(Bank { image, round }));
    Ok(Some((diary, entries)))
}

/// What is to be kept of the bank, once its nodes have done, and kept, what was interrupted.
fn image(
    mut bank: Abandoned,
    journals: &Journals,
    owner: impl Fn(Place) -> Owner,
) -> Result<Image, DataError> {
    let wrong = |broken: Broken| journals.here.wrong(broken.into());
    let mut nodes = Folds::new();
    for (place, id, deposit) in bank.nodes() {
        let image = journals.image(owner(place), (id, deposit))?;
        nodes.insert(place, as_it_was(&image).map_err(wrong)?);
    }
    bank.settle(&mut nodes).map_err(wrong)?;
    for (place, node) in &mut nodes {
        let mut done = Vec::new();
        node.take_unkept(|bytes| done.extend_from_slice(bytes));
        if !done.is_empty() {
            journals.append(owner(*place), done)?;
        }
    }
    bank.image(&nodes, |place, wanted| journals.sent(owner(place), wanted))
}

fn as_it_was(image: &[u8]) -> Result<Node, Broken> {
    let restoring = Restoring::from_image(image, false, Restoring::ALL_HEARD)?;
    Ok(restoring.as_it_is())
}
