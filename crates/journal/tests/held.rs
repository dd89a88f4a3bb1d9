//! Whoever was handed a directory keeps it locked. A process that has just been started has, for a
//! moment, everything open that whoever started it has: so this test is a program by itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use journal::{Directory, Error};

/// A process that holds the directory, as its standard error, until it is killed.
struct Holder(Child);

impl Holder {
    fn of(directory: &Directory) -> Self {
        let handed_over = directory.held().as_fd().try_clone_to_owned().unwrap();
        let mut command = Command::new("cat");
        command.stderr(Stdio::from(handed_over));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // What comes back comes from `cat`: nothing else holds the directory any more.
        let (into, from) = (
            child.stdin.as_mut().unwrap(),
            child.stdout.as_mut().unwrap(),
        );
        let mut byte = [0];
        into.write_all(b"x").unwrap();
        from.read_exact(&mut byte).unwrap();
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn it_stays_locked_while_anybody_lives_whom_it_was_handed_over_to() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let (first, second) = (Holder::of(&directory), Holder::of(&directory));
    drop(directory);
    let error = Directory::open(folder.path()).unwrap_err();
    let mut expected = [first.0.id(), second.0.id()];
    expected.sort_unstable();
    assert!(
        matches!(&error, Error::InUse { by, .. } if *by == expected),
        "{error}"
    );
    drop(first);
    let error = Directory::open(folder.path()).unwrap_err();
    assert!(
        matches!(&error, Error::InUse { by, .. } if *by == [second.0.id()]),
        "{error}"
    );
    drop(second);
    Directory::open(folder.path()).unwrap();
}
