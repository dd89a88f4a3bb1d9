//! Disks that are really full: a limit on the size of files, and a file system of a mebibyte. The
//! program starts itself again under either.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::env;
use std::path::Path;
use std::process::Command;

use journal::{Directory, Error, Identity, Journal, Past, Settings, Survives};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const IDENTITY: Identity = Identity { run: 1, writer: 1 };
const SETTINGS: Settings = Settings {
    survives: Survives::Death,
    step: 1 << 16,
};
/// Set where this program is the one that fills the disk: the directory.
const PLACE: &str = "JOURNAL_PLACE";

/// Appends until the disk is full, has room made, goes on, and finds all of it.
fn fill(place: &Path, make_room: impl FnOnce()) {
    let directory = Directory::open(&place.join("d")).unwrap();
    let begun = Journal::create(&directory, "j", IDENTITY, SETTINGS, b"image");
    let mut journal = begun.unwrap();
    let mut count = 0_u32;
    let error = loop {
        journal.append(&record(count));
        count += 1;
        if let Err(error) = journal.commit() {
            break error;
        }
    };
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert!(count > 10, "it was full from the beginning");
    let past = journal.past().unwrap();
    assert_eq!(appended(&past), count - 1);
    journal.begin_segment(&vec![0; 2_000_000]).unwrap_err();
    make_room();
    journal.commit().unwrap();
    assert_eq!(appended(&journal.past().unwrap()), count);
    drop(journal);
    let (_, past) = Journal::open(&directory, "j", IDENTITY, SETTINGS)
        .unwrap()
        .unwrap();
    assert_eq!(appended(&past), count);
}

fn record(count: u32) -> Vec<u8> {
    count.to_le_bytes().repeat(2_000)
}

fn appended(past: &Past) -> u32 {
    let records = past.records().filter(|record| !record.is_image);
    records
        .zip(0..)
        .map(|(found, count)| assert_eq!(found.bytes, record(count)))
        .count() as u32
}

/// Runs one test of this program again with a place to fill, under another program.
fn again(test: &str, under: &[&str], place: &Path) -> Command {
    let own = env::current_exe().unwrap();
    let all = under.iter().map(Into::into).chain([own.into_os_string()]);
    let all: Vec<std::ffi::OsString> = all.collect();
    let mut command = Command::new(&all[0]);
    command
        .args(&all[1..])
        .args(["--exact", test, "--nocapture"])
        .env(PLACE, place);
    command
}

#[test]
fn a_file_that_is_as_large_as_it_may_be_is_a_full_disk() {
    if let Some(place) = env::var_os(PLACE) {
        pipes::outlive_the_file_size_limit().unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, hard).unwrap();
        fill(Path::new(&place), || {
            setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap()
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "a_file_that_is_as_large_as_it_may_be_is_a_full_disk";
    assert!(
        again(test, &["env"], folder.path())
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_file_system_that_is_full_is_an_error_and_no_sigbus() {
    if let Some(place) = env::var_os(PLACE) {
        let ballast = Path::new(&place).join("ballast");
        std::fs::write(&ballast, vec![1; 200_000]).unwrap();
        fill(Path::new(&place), || std::fs::remove_file(ballast).unwrap());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // A namespace of one's own needs no privileges, where users may have one.
    let mount = "mount -t tmpfs -o size=1m none \"$JOURNAL_PLACE\"";
    let shell = |then: &str| format!("{mount} && exec {then}");
    let unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c"];
    let test = "a_file_system_that_is_full_is_an_error_and_no_sigbus";
    let under = |script: &str| {
        let under: Vec<&str> = unshare.into_iter().chain([script]).collect();
        again(test, &under, folder.path()).status()
    };
    if !under(&shell("true")).is_ok_and(|status| status.success()) {
        println!("skipped: this user may not mount a file system of its own");
        return;
    }
    assert!(under(&shell("\"$0\" \"$@\"")).unwrap().success());
}
