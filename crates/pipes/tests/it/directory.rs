//! A directory that is held open is the same whatever becomes of its path.

use std::fs::{self, TryLockError};
use std::io::ErrorKind;
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
