//! A directory that is held open is the same whatever becomes of its path.

use std::fs::{self, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};

use pipes::Directory;

#[test]
fn names_mean_what_is_in_it_also_where_its_path_means_another() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    Directory::make(&here, 0o700).unwrap();
    let held = Directory::open(&here).unwrap();
    assert!(held.is_at(&here));
    fs::rename(&here, &there).unwrap();
    Directory::make(&here, 0o700).unwrap();
    assert!(!held.is_at(&here) && held.is_at(&there));
    held.replace("name", "draft", b"text").unwrap();
    assert_eq!(fs::read(there.join("name")).unwrap(), b"text");
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0);
    held.remove("name").unwrap();
    assert_eq!(fs::read_dir(&there).unwrap().count(), 0);
}

#[test]
fn nothing_can_be_put_into_one_that_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    Directory::make(&path, 0o700).unwrap();
    let held = Directory::open(&path).unwrap();
    fs::remove_dir(&path).unwrap();
    Directory::make(&path, 0o700).unwrap();
    assert!(!held.is_at(&path));
    let error = held.replace("name", "draft", b"text").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn only_one_locks_it() {
    let folder = tempfile::tempdir().unwrap();
    let held = Directory::open(folder.path()).unwrap();
    held.try_lock().unwrap();
    let other = Directory::open(folder.path()).unwrap();
    assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    drop(held);
    other.try_lock().unwrap();
}

#[test]
fn it_is_made_with_its_mode_and_neither_a_link_nor_a_file_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    Directory::make(&path, 0o1700).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o1700);
    let held = Directory::open(&path).unwrap();
    held.set_mode(0o700).unwrap();
    assert_eq!(held.mode().unwrap(), 0o700);
    let again = Directory::make(&path, 0o700).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    Directory::open(&link).unwrap_err();
    assert!(!held.is_at(&link));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    Directory::open(&file).unwrap_err();
}

#[test]
fn who_was_handed_it_shares_its_lock_and_holds_it_on() {
    let folder = tempfile::tempdir().unwrap();
    let held = Directory::open(folder.path()).unwrap();
    assert_eq!(held.holders(), []);
    held.try_lock().unwrap();
    let handed_over = held.as_fd().try_clone_to_owned().unwrap();
    let other = Directory::open(folder.path()).unwrap();
    // Open, but not locked by it.
    assert_eq!(other.holders(), [std::process::id()]);
    drop(held);
    assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    let taken = Directory::from(handed_over);
    assert_eq!(taken.path().unwrap(), folder.path());
    taken.try_lock().unwrap();
    drop(taken);
    other.try_lock().unwrap();
}

#[test]
fn files_are_made_listed_read_and_renamed_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let held = Directory::open(folder.path()).unwrap();
    let mut file = held.create("one").unwrap();
    file.write_all(b"text").unwrap();
    let again = held.create("one").unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    held.rename("one", "two").unwrap();
    held.sync().unwrap();
    assert_eq!(held.names().unwrap(), ["two"]);
    assert_eq!(held.read("two", u64::MAX).unwrap(), b"text");
    assert_eq!(held.read("two", 3).unwrap(), b"tex");
    let mut text = String::new();
    let mut file = held.open_to_write("two").unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
    symlink("two", folder.path().join("link")).unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    for no_file in ["link", "folder", "none"] {
        held.read(no_file, u64::MAX).unwrap_err();
        held.open_to_write(no_file).unwrap_err();
    }
}
