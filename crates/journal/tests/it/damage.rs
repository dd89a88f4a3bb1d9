//! Journals that somebody has tampered with: as whole as they were, but for what may be torn, or
//! refused with the place. Never silently other, and never without what whole blocks follow.

use std::collections::BTreeMap;

use journal::{Error, Journal, Survives};

use crate::disk::Disk;
use crate::model::{Held, IDENTITY, NAME, held, open, settings};

/// Three segments, the last with several blocks; and what is in them.
fn journal() -> (BTreeMap<String, Vec<u8>>, Held) {
    let disk = Disk::default();
    let settings = settings(Survives::Death);
    let begun = Journal::create(disk.clone(), NAME, IDENTITY, settings, b"first image");
    let mut journal = begun.unwrap();
    for segment in 0..3_u8 {
        for block in 0..3 {
            for record in 0..2 {
                journal.append(&vec![segment * 16 + block; 9 + record]);
            }
            journal.commit().unwrap();
        }
        if segment < 2 {
            journal.begin_segment(b"an image").unwrap();
        }
    }
    (disk.everything(), held(&journal.past().unwrap()))
}

/// The same without its last block.
fn without_last_block(all: &Held) -> Held {
    let mut held = all.clone().unwrap();
    held.truncate(held.len() - 2);
    Some(held)
}

/// Where the file ends whose tail may be torn, and where its last block begins.
const LAST: &str = "journal.3";

fn last_block() -> (usize, usize) {
    let block = |records: usize| (8_usize + records).next_multiple_of(8);
    let start = 48 + block(9) + 2 * block(10 + 11);
    (start, start + 8 + 21)
}

/// Opens a journal that was altered; where it is refused nothing is changed. What is appended to one
/// that is not is there afterwards, and nothing else.
fn outcome(files: &BTreeMap<String, Vec<u8>>) -> Result<Held, Error> {
    let disk = Disk::with(files);
    let opened = open(disk.clone(), Survives::Death);
    if opened.is_err() {
        assert_eq!(&disk.everything(), files, "refused, and changed");
    }
    let Some((mut journal, past)) = opened? else {
        return Ok(None);
    };
    let found = held(&past);
    journal.append(b"+");
    journal.commit().unwrap();
    let segment = journal.segment();
    drop(journal);
    let (_, past) = open(disk, Survives::Death).unwrap().unwrap();
    let expected = { found.clone().into_iter().flatten() }.chain([(segment, b"+".to_vec())]);
    assert_eq!(held(&past), Some(expected.collect()));
    Ok(found)
}

#[test]
fn one_bit_flipped_anywhere_costs_the_last_block_at_most_or_is_refused_with_the_place() {
    let (files, all) = journal();
    let (last_start, last_end) = last_block();
    let (mut whole, mut torn, mut refused) = (0, 0, 0);
    for (name, bytes) in &files {
        for bit in 0..bytes.len() * 8 {
            let mut files = files.clone();
            files.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let context = format!("{name}, byte {}, bit {}", bit / 8, bit % 8);
            match outcome(&files) {
                Ok(found) if found == all => whole += 1,
                Ok(found) => {
                    let is_in_last = (last_start..last_end).contains(&(bit / 8));
                    assert!(name == LAST && is_in_last, "{context}: {found:?}");
                    assert_eq!(found, without_last_block(&all), "{context}");
                    torn += 1;
                }
                Err(Error::Damaged { path, at, .. }) => {
                    assert!(path.ends_with(name), "{context}: {path:?}");
                    // The header, or the block with that bit.
                    let near = (bit / 8).checked_sub(at as usize);
                    assert!(near.is_some_and(|it| it < 48), "{context}: {at}");
                    refused += 1;
                }
                Err(Error::NotAJournal { path }) => {
                    assert!(path.ends_with(name) && bit < 64, "{context}");
                    refused += 1;
                }
                Err(error) => panic!("{context}: {error}"),
            }
        }
    }
    assert_eq!(torn, (last_end - last_start) * 8);
    assert!(
        whole > 0 && refused > 3 * 48 * 8,
        "{whole} {torn} {refused}"
    );
}

#[test]
fn cut_in_its_last_block_a_journal_has_lost_that_block() {
    let (files, all) = journal();
    let (start, end) = last_block();
    for length in start..=files[LAST].len() {
        let mut files = files.clone();
        files.get_mut(LAST).unwrap().truncate(length);
        let expected = match length < end {
            true => without_last_block(&all),
            false => all.clone(),
        };
        assert_eq!(outcome(&files).unwrap(), expected, "cut at {length}");
    }
}

#[test]
fn cut_before_its_last_block_it_is_whole_up_to_there_or_refused() {
    let (files, all) = journal();
    for (name, bytes) in &files {
        for length in 0..bytes.len() {
            let mut files = files.clone();
            files.get_mut(name).unwrap().truncate(length);
            let found = outcome(&files);
            match &found {
                Ok(Some(found)) if name == LAST => {
                    assert!(all.as_ref().unwrap().starts_with(found))
                }
                Ok(_) => assert_eq!(found.unwrap(), all, "{name} cut at {length}"),
                Err(Error::Damaged { path, .. } | Error::NotAJournal { path }) => {
                    assert!(path.ends_with(name), "{name} cut at {length}: {path:?}");
                }
                Err(error) => panic!("{name} cut at {length}: {error}"),
            }
        }
    }
}

#[test]
fn zeros_over_anything_that_whole_blocks_follow_are_refused() {
    let (files, all) = journal();
    let (start, _) = last_block();
    for (name, bytes) in &files {
        for from in (0..bytes.len()).step_by(8) {
            for length in [8, 16, 48] {
                let to = (from + length).min(bytes.len());
                let mut files = files.clone();
                files.get_mut(name).unwrap()[from..to].fill(0);
                let nothing_follows = name == LAST && to > start;
                match outcome(&files) {
                    Ok(found) if found == all => {}
                    found => assert!(found.is_err() || nothing_follows, "{name}, {from}..{to}"),
                }
            }
        }
    }
}

#[test]
fn a_segment_that_is_missing_in_the_middle_is_named() {
    let (mut files, _) = journal();
    files.remove("journal.2");
    let error = outcome(&files).unwrap_err();
    assert!(
        matches!(&error, Error::Missing { path } if path.ends_with("journal.2")),
        "{error}"
    );
}

#[test]
fn segments_that_change_places_or_names_are_refused() {
    let (files, _) = journal();
    let mut swapped = files.clone();
    swapped.insert("journal.1".into(), files["journal.2"].clone());
    swapped.insert("journal.2".into(), files["journal.1"].clone());
    assert!(matches!(outcome(&swapped), Err(Error::Damaged { .. })));
    let renamed = BTreeMap::from([("journal.4".into(), files[LAST].clone())]);
    assert!(matches!(
        outcome(&renamed),
        Err(Error::Damaged { at: 0, .. })
    ));
}

#[test]
fn blocks_of_another_segment_or_another_place_are_none() {
    let (files, _) = journal();
    let block = 48 + 24..48 + 24 + 32;
    let mut moved = files.clone();
    let foreign = moved["journal.1"][block.clone()].to_vec();
    moved.get_mut("journal.2").unwrap()[block.clone()].copy_from_slice(&foreign);
    assert!(matches!(outcome(&moved), Err(Error::Damaged { .. })));
    let mut moved = files.clone();
    let other = moved["journal.1"][block.end..block.end + 32].to_vec();
    moved.get_mut("journal.1").unwrap()[block].copy_from_slice(&other);
    assert!(matches!(outcome(&moved), Err(Error::Damaged { .. })));
}

#[test]
fn a_draft_that_a_death_left_is_no_segment_and_goes() {
    let (mut files, all) = journal();
    files.insert("journal.4.new".into(), b"half a seg".to_vec());
    let disk = Disk::with(&files);
    let (mut journal, past) = open(disk.clone(), Survives::Death).unwrap().unwrap();
    assert_eq!(held(&past), all);
    assert!(!disk.everything().contains_key("journal.4.new"));
    assert_eq!(journal.begin_segment(b"image").unwrap(), 4);
}

#[test]
fn a_journal_that_is_tampered_with_while_it_is_written_is_refused_when_it_is_read() {
    let (files, all) = journal();
    let (start, end) = last_block();
    let disk = Disk::with(&files);
    let (journal, _) = open(disk.clone(), Survives::Death).unwrap().unwrap();
    assert_eq!(held(&journal.past().unwrap()), all);
    for at in start..end {
        let mut bytes = files[LAST].clone();
        bytes[at] ^= 1;
        disk.set_contents(LAST, bytes);
        let error = journal.past().unwrap_err();
        assert!(
            matches!(error, Error::Damaged { at, .. } if at == start as u64),
            "{error}"
        );
    }
}
