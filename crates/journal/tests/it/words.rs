//! What people read when a journal cannot be used.

use journal::{Directory, Error, Identity, Journal, Survives};
use std::fs;
use std::path::Path;

use crate::model::{IDENTITY, settings};

/// A journal with two segments, altered; and what is said of it, without the name of the directory.
fn said(identity: Identity, alter: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let settings = settings(Survives::Death);
    let mut journal = Journal::create(&directory, "node-3", IDENTITY, settings, b"").unwrap();
    for _ in 0..3 {
        journal.append(b"record");
        journal.commit().unwrap();
    }
    journal.begin_segment(b"image").unwrap();
    journal.append(b"record");
    journal.commit().unwrap();
    alter(folder.path());
    let error = Journal::open(&directory, "node-3", identity, settings).unwrap_err();
    let folder = format!("{}/", folder.path().display());
    error.to_string().replace(&folder, "")
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 4;
    fs::write(file, bytes).unwrap();
}

#[test]
fn damage_is_told_with_its_place() {
    assert_eq!(
        said(IDENTITY, |folder| flip(&folder.join("node-3.1"), 75)),
        "node-3.1 is damaged at byte 64; nothing was changed"
    );
    assert_eq!(
        said(IDENTITY, |folder| flip(&folder.join("node-3.2"), 58)),
        "node-3.2 is damaged at byte 48, and what follows at byte 64 is not; nothing was changed"
    );
}

#[test]
fn what_is_missing_or_something_else_is_named() {
    assert_eq!(
        said(IDENTITY, |folder| {
            fs::rename(folder.join("node-3.2"), folder.join("node-3.3")).unwrap();
        }),
        "node-3.2 is missing, and later parts of the journal are there; nothing was changed"
    );
    assert_eq!(
        said(IDENTITY, |folder| fs::write(
            folder.join("node-3.1"),
            "dear diary"
        )
        .unwrap()),
        "node-3.1 is not a journal"
    );
}

#[test]
fn another_version_says_what_helps() {
    let other_version = |folder: &Path| {
        let file = folder.join("node-3.1");
        let mut bytes = fs::read(&file).unwrap();
        bytes[8] = 2;
        let covered = [&bytes[..12], &bytes[16..48]].concat();
        let checksum = crc32fast::hash(&covered);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        fs::write(file, bytes).unwrap();
    };
    assert_eq!(
        said(IDENTITY, other_version),
        "node-3.1 is of version 2, and this program reads version 1: use the program that wrote it"
    );
}

#[test]
fn whose_it_is_and_whose_it_should_be_are_told() {
    let other = Identity { run: 8, writer: 3 };
    assert_eq!(
        said(other, |_| {}),
        "node-3.2 is a journal of writer 3 of run 0000000000000007, not of writer 3 of run \
         0000000000000008"
    );
}

#[test]
fn a_full_disk_says_that_nothing_is_lost() {
    let error = Error::Full {
        path: "d/node-3.1".into(),
        source: std::io::Error::from_raw_os_error(28),
    };
    assert_eq!(
        error.to_string(),
        "there is no room for d/node-3.1: No space left on device (os error 28); what is in it is \
         safe: make room and go on"
    );
}
