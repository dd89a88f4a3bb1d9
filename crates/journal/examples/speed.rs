//! Measures a journal beside a `write` for each commit and beside memory that is copied to, in one run:
//!
//!     cargo run --release -p pipebank-journal --example speed [DIRECTORY]
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use journal::{Directory, Identity, Journal, Settings, Survives};

const ROUNDS: usize = 7;
const IDENTITY: Identity = Identity { run: 1, writer: 1 };

/// So many commits of so many records of so many bytes.
#[derive(Clone, Copy)]
struct Work {
    commits: usize,
    records: usize,
    bytes: usize,
}

fn main() -> io::Result<()> {
    let place = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let place = tempfile::tempdir_in(place)?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "records x bytes a commit: ns a commit, M records/s; journal, write, memory"
    )?;
    for (commits, records, bytes) in [
        (400_000, 3, 64),
        (1_000_000, 1, 20),
        (20_000, 64, 20),
        (1_500, 1_024, 20),
    ] {
        let work = Work {
            commits,
            records,
            bytes,
        };
        let ways: [fn(&Path, Work) -> Duration; 3] = [into_journal, by_write, into_memory];
        let mut took = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for (way, took) in ways.iter().zip(&mut took) {
                took.push(way(place.path(), work));
            }
        }
        write!(out, "{records:5} x {bytes}:")?;
        for took in &mut took {
            let each = median(took).as_secs_f64() / commits as f64;
            write!(
                out,
                "  {:7.0} ns {:6.1} M/s",
                each * 1e9,
                records as f64 / each / 1e6
            )?;
        }
        writeln!(out)?;
    }
    let work = Work {
        commits: 300,
        records: 3,
        bytes: 64,
    };
    let mut rates = [(); ROUNDS].map(|()| durably(place.path(), work));
    writeln!(
        out,
        "durable commits: {:.0} us each",
        median(&mut rates).as_secs_f64() * 1e6 / 300.0
    )?;
    let mut open = [(); ROUNDS].map(|()| opening(place.path()));
    writeln!(
        out,
        "open and read 1,000,000 records of 20 bytes, 3 a commit: {:.1?}",
        median(&mut open)
    )
}

fn median(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

fn record(work: Work) -> Vec<u8> {
    vec![7; work.bytes]
}

fn begin(directory: &Directory, survives: Survives) -> Journal<&Directory> {
    journal::remove(directory, "journal", Survives::Death).unwrap();
    Journal::create(directory, "journal", IDENTITY, Settings::new(survives), b"").unwrap()
}

fn fill(journal: &mut Journal<&Directory>, work: Work) -> Duration {
    let record = record(work);
    let start = Instant::now();
    for _ in 0..work.commits {
        for _ in 0..work.records {
            journal.append(black_box(&record));
        }
        journal.commit().unwrap();
    }
    start.elapsed()
}

fn into_journal(place: &Path, work: Work) -> Duration {
    let directory = Directory::open(&place.join("d")).unwrap();
    fill(&mut begin(&directory, Survives::Death), work)
}

fn durably(place: &Path, work: Work) -> Duration {
    let directory = Directory::open(&place.join("d")).unwrap();
    fill(&mut begin(&directory, Survives::Failure), work)
}

fn by_write(place: &Path, work: Work) -> Duration {
    let mut file = File::create(place.join("written")).unwrap();
    let record = record(work);
    let mut block = Vec::new();
    let start = Instant::now();
    for _ in 0..work.commits {
        block.clear();
        for _ in 0..work.records {
            block.extend_from_slice(black_box(&record));
        }
        file.write_all(&block).unwrap();
    }
    start.elapsed()
}

fn into_memory(_: &Path, work: Work) -> Duration {
    let record = record(work);
    let mut memory = vec![0_u8; 1 << 20];
    let mut at = 0;
    let start = Instant::now();
    for _ in 0..work.commits {
        for _ in 0..work.records {
            if at + record.len() > memory.len() {
                at = 0;
            }
            memory[at..at + record.len()].copy_from_slice(black_box(&record));
            at += record.len();
        }
        black_box(&mut memory);
    }
    start.elapsed()
}

fn opening(place: &Path) -> Duration {
    let work = Work {
        commits: 333_333,
        records: 3,
        bytes: 20,
    };
    let directory = Directory::open(&place.join("d")).unwrap();
    fill(&mut begin(&directory, Survives::Death), work);
    let start = Instant::now();
    let opened = Journal::open(
        &directory,
        "journal",
        IDENTITY,
        Settings::new(Survives::Death),
    );
    let (_, past) = opened.unwrap().unwrap();
    let sum: usize = past.records().map(|record| record.bytes.len()).sum();
    assert_eq!(sum, 3 * 333_333 * 20);
    start.elapsed()
}
