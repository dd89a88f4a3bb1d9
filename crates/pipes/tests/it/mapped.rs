//! What is written through memory is in the file, and only within what was reached.

use std::fs::{self, File};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use pipes::MappedFile;

fn mapped(path: &Path) -> MappedFile {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    MappedFile::new(options.open(path).unwrap())
}

#[test]
fn what_is_written_is_in_the_file_also_when_the_mapping_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut file = mapped(&path);
    file.reach(0, 100).unwrap();
    file.write(3, b"text");
    file.store(16, 0x0102);
    let mut expected = vec![0; 100];
    expected[3..7].copy_from_slice(b"text");
    expected[16..18].copy_from_slice(&[2, 1]);
    assert_eq!(fs::read(&path).unwrap(), expected);
    // A window that does not begin where the file does.
    file.reach(199_990, 200_000).unwrap();
    file.write(199_996, b"end");
    let many: Vec<u8> = (0..20_000_u32).map(|byte| byte as u8 | 1).collect();
    file.reach(300_000, 340_000).unwrap();
    file.write(310_000, &many);
    file.write(329_998, b"over");
    file.sync().unwrap();
    drop(file);
    expected.resize(200_000, 0);
    expected[199_996..199_999].copy_from_slice(b"end");
    expected.resize(340_000, 0);
    expected[310_000..330_000].copy_from_slice(&many);
    expected[329_998..330_002].copy_from_slice(b"over");
    assert_eq!(fs::read(&path).unwrap(), expected);
}

#[test]
fn what_was_written_stays_however_more_is_written_behind_it() {
    const STEP: usize = 200_000;
    for is_synced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let (mut file, mut expected) = (mapped(&path), Vec::new());
        let (mut end, mut length) = (0_usize, 1_usize);
        while end < 1_000_000 {
            length = length * 7 % 20_011;
            let next = (end + 8 + length).next_multiple_of(8);
            if next > expected.len() {
                let to = next + STEP;
                file.reach(end as u64, to as u64).unwrap();
                expected.resize(to, 0);
            }
            // As a journal does it, the contents, then the word before them; and now and then a word far ahead.
            let contents = vec![length as u8 | 1; length];
            file.write(end as u64 + 8, &contents);
            file.store(end as u64, length as u64);
            expected[end + 8..][..length].copy_from_slice(&contents);
            expected[end..][..8].copy_from_slice(&(length as u64).to_le_bytes());
            let ahead = next + 40_000;
            if length % 3 == 0 && ahead + 8 <= expected.len() {
                file.store(ahead as u64, 5);
                expected[ahead..ahead + 8].copy_from_slice(&[5, 0, 0, 0, 0, 0, 0, 0]);
            }
            if is_synced && length % 10 == 0 {
                file.sync().unwrap();
            }
            assert!(fs::read(&path).unwrap() == expected, "up to byte {next}");
            end = next;
        }
        // Opened again, what is there is left alone.
        let mut file = mapped(&path);
        file.reach(0, expected.len() as u64).unwrap();
        file.write(1, b"again");
        expected[1..6].copy_from_slice(b"again");
        assert!(fs::read(&path).unwrap() == expected);
    }
}

#[test]
fn what_is_cut_off_comes_back_as_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut file = mapped(&path);
    file.reach(0, 10).unwrap();
    file.write(0, b"0123456789");
    file.cut(4).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"0123");
    file.reach(0, 8).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"0123\0\0\0\0");
}

#[test]
fn a_write_to_what_was_not_reached_is_a_panic_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut file = mapped(&path);
    let mut panics = |work: &dyn Fn(&mut MappedFile)| {
        panic::catch_unwind(AssertUnwindSafe(|| work(&mut file))).is_err()
    };
    assert!(panics(&|file| file.write(0, b"x")));
    assert!(!panics(&|file| file.reach(70_000, 140_000).unwrap()));
    for (at, bytes) in [
        (0, &b"x"[..]),
        (65_535, b"xy"),
        (139_999, b"xy"),
        (140_001, b""),
        (u64::MAX, b"x"),
    ] {
        assert!(panics(&|file| file.write(at, bytes)), "{at}");
    }
    for at in [65_528, 139_993, 139_996, 140_000, 70_001] {
        assert!(panics(&|file| file.store(at, 1)), "{at}");
    }
    assert!(panics(&|file| file.write(100_000, &[1; 40_001])));
    assert!(!panics(&|file| file.write(139_999, b"")));
    assert!(!panics(&|file| file.cut(70_000).unwrap()));
    assert!(panics(&|file| file.write(69_999, b"x")));
    assert!(panics(&|file| file.store(80_000, 1)));
    assert_eq!(fs::read(&path).unwrap(), vec![0; 70_000]);
    file.reach(0, 0).unwrap_err();
}
