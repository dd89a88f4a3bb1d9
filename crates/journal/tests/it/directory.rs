//! A directory of journals is made for us alone, and held by one.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};

use journal::{Directory, Error, Files, Journal, Survives, journals, remove};

use crate::model::{IDENTITY, held, settings};

#[test]
fn a_directory_is_made_for_us_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made");
    let directory = Directory::open(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o700
    );
    Journal::create(&directory, "j", IDENTITY, settings(Survives::Death), b"").unwrap();
    let mode = fs::metadata(path.join("j.1")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn who_holds_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let error = Directory::open(folder.path()).unwrap_err();
    let expected = format!(
        "{} is in use by process {}",
        folder.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    drop(directory);
    Directory::open(folder.path()).unwrap();
}

#[test]
fn only_what_was_handed_over_by_its_holder_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let handed_over = directory.held().as_fd().try_clone_to_owned().unwrap();
    let taken = Directory::inherited(handed_over.into()).unwrap();
    assert_eq!(taken.path("j.1"), folder.path().join("j.1"));
    let other = pipes::Directory::open(folder.path()).unwrap();
    let error = Directory::inherited(other).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
}

#[test]
fn a_link_is_no_directory_and_a_link_is_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    let directory = Directory::open(&real).unwrap();
    symlink(&real, &link).unwrap();
    Directory::open(&link).unwrap_err();
    fs::write(folder.path().join("elsewhere"), "").unwrap();
    symlink("../elsewhere", real.join("j.1")).unwrap();
    let error = Journal::open(&directory, "j", IDENTITY, settings(Survives::Death)).unwrap_err();
    assert!(error.to_string().starts_with("cannot read "), "{error}");
}

#[test]
fn journals_live_side_by_side_and_are_removed_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let settings = settings(Survives::Failure);
    for name in ["a", "a.1", "b"] {
        let mut journal = Journal::create(&directory, name, IDENTITY, settings, b"").unwrap();
        journal.append(name.as_bytes());
        journal.begin_segment(b"image").unwrap();
        let again = Journal::create(&directory, name, IDENTITY, settings, b"").unwrap_err();
        assert!(again.to_string().starts_with("cannot begin "), "{again}");
    }
    fs::write(folder.path().join("a.notes"), "").unwrap();
    fs::write(folder.path().join("a.01"), "").unwrap();
    assert_eq!(journals(&directory).unwrap(), ["a", "a.1", "b"]);
    let (_, past) = Journal::open(&directory, "a.1", IDENTITY, settings)
        .unwrap()
        .unwrap();
    let records = held(&past).unwrap();
    assert_eq!(
        records,
        [
            (1, b"".to_vec()),
            (1, b"a.1".to_vec()),
            (2, b"image".to_vec())
        ]
    );
    remove(&directory, "a", Survives::Failure).unwrap();
    assert_eq!(journals(&directory).unwrap(), ["a.1", "b"]);
    assert!(
        Journal::open(&directory, "a", IDENTITY, settings)
            .unwrap()
            .is_none()
    );
}

#[test]
fn what_was_never_begun_to_the_end_is_removed_with_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    fs::write(folder.path().join("a.1.new"), "half").unwrap();
    fs::write(folder.path().join("a.1.1.new"), "half").unwrap();
    assert_eq!(journals(&directory).unwrap(), ["a", "a.1"]);
    remove(&directory, "a", Survives::Death).unwrap();
    assert_eq!(directory.names().unwrap(), ["a.1.1.new"]);
}
