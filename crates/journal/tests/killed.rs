//! Real processes that are killed while they append: whatever they had told is in the journal, and
//! nothing that is not whole. The program starts itself again as the one that is killed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use journal::{Directory, Identity, Journal, Past, Settings, Survives};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const IDENTITY: Identity = Identity { run: 1, writer: 1 };
const SETTINGS: Settings = Settings {
    survives: Survives::Death,
    step: 1 << 16,
};
/// Set where this program is the one that is to be killed.
const SEED: &str = "JOURNAL_SEED";

/// What is appended is decided by the seed and the number of the commit.
fn records(seed: u64, commit: u64) -> Vec<Vec<u8>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed << 32 | commit);
    let longest = [8, 100, 4_000, 60_000][(seed % 4) as usize];
    let count = random.random_range(1..4);
    let mut record = |_| {
        let mut record = vec![random.random(); random.random_range(0..longest)];
        if let Some(last) = record.last_mut() {
            *last = random.random();
        }
        record
    };
    (0..count).map(&mut record).collect()
}

/// An image says after how many commits it was made.
fn image(commit: u64) -> Vec<u8> {
    commit.to_le_bytes().repeat(300)
}

/// Goes on with the journal until it is killed, and tells now and then how many commits are made.
fn append_for_ever(seed: u64) -> ! {
    let descriptor = io::stdin().as_fd().try_clone_to_owned().unwrap();
    let directory = Directory::inherited(descriptor.into()).unwrap();
    let opened = Journal::open(&directory, "j", IDENTITY, SETTINGS).unwrap();
    let (mut journal, mut commit) = match opened {
        Some((journal, past)) => (journal, commits(&past, seed)),
        None => {
            let begun = Journal::create(&directory, "j", IDENTITY, SETTINGS, &image(0));
            (begun.unwrap(), 0)
        }
    };
    let mut random = ChaCha8Rng::seed_from_u64(seed.wrapping_add(commit));
    let mut out = io::stdout().lock();
    loop {
        for record in records(seed, commit) {
            journal.append(&record);
        }
        journal.commit().unwrap();
        commit += 1;
        if random.random_ratio(1, 20) {
            let segment = journal.begin_segment(&image(commit)).unwrap();
            journal
                .drop_before(segment - random.random_range(0..3).min(segment))
                .unwrap();
        }
        if random.random_ratio(1, 3) {
            writeln!(out, "committed {commit}").unwrap();
        }
    }
}

/// How many commits are in a journal, which holds exactly what they appended.
fn commits(past: &Past, seed: u64) -> u64 {
    let mut commit = 0;
    let mut expected = Vec::new().into_iter();
    for (record, is_first) in past
        .records()
        .zip([true].into_iter().chain([false].into_iter().cycle()))
    {
        if record.is_image {
            assert!(expected.next().is_none(), "a block is torn");
            let at = u64::from_le_bytes(*record.bytes.first_chunk().unwrap());
            assert!(is_first || at == commit, "{at} is not {commit}");
            assert!(record.bytes == image(at));
            commit = at;
            continue;
        }
        let next = expected.next().unwrap_or_else(|| {
            expected = records(seed, commit).into_iter();
            commit += 1;
            expected.next().unwrap()
        });
        assert!(record.bytes == next, "record of commit {commit}");
    }
    assert!(expected.next().is_none(), "a block is torn");
    commit
}

#[test]
fn what_a_process_has_told_is_there_after_it_was_killed() {
    if let Ok(seed) = env::var(SEED) {
        append_for_ever(seed.parse().unwrap());
    }
    let only = env::var("PIPEBANK_SEED")
        .ok()
        .map(|seed| seed.parse::<u64>().unwrap());
    for seed in only.map_or(0..8, |seed| seed..seed + 1) {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut before = 0;
        for life in 0..4 {
            let told = live_and_die(&directory, seed, random.random_range(1..60));
            let opened = Journal::open(&directory, "j", IDENTITY, SETTINGS).unwrap();
            let (_, past) = opened.expect("a journal");
            let found = commits(&past, seed);
            let context = format!("PIPEBANK_SEED={seed}, life {life}");
            assert!(
                told > before && found >= told,
                "{context}: {found} of {told}"
            );
            before = found;
        }
    }
}

/// A process that is killed when it has told something so many times. The last that it has told.
fn live_and_die(directory: &Directory, seed: u64, lines: usize) -> u64 {
    let handed_over = directory.held().as_fd().try_clone_to_owned().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "what_a_process_has_told_is_there_after_it_was_killed",
            "--nocapture",
        ])
        .env(SEED, seed.to_string())
        .stdin(Stdio::from(handed_over))
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let told = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = told.filter_map(|line| line.unwrap().strip_prefix("committed ")?.parse().ok());
    let mut last = told.by_ref().take(lines).last().expect("it appends");
    child.kill().unwrap();
    // What it told before it died.
    last = told.last().unwrap_or(last);
    child.wait().unwrap();
    last
}
