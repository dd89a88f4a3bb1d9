//! Faults in whole processes: real runs, random from a seed, into which faults are injected.
//!
//! ```text
//!  driver ──▶ process 1 of a PID namespace ──▶ master ──▶ observer, nodes
//!  (drive)    (subject: injects, and checks)
//! ```
//!
//! Every run has a process of its own, which is process 1 of a PID namespace where that is allowed,
//! and in any case the one that inherits orphans: when master has gone, it sees whether anybody is
//! left. It is not master: the kernel would end the orphans of a process 1 by itself.
//!
//! After every run: nothing hung (each wait has a deadline, and says what was waited for), nobody
//! was left behind, no descriptor leaked, no snapshot was reported that is not consistent, and all
//! money is with the living or was told as lost. Where a fault may change nothing (processes that
//! are stopped for a while, pipes of one page), the output is that of the model, byte for byte.
//!
//! Banks that last are a work of their own (`lasting`): there, nothing may be seen of any death.
//!
//! `scripts/torture SEED COUNT` runs as many as you like, with `--data` of banks that last; `cargo test`
//! a handful of both.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod drive;
mod faults;
mod lasting;
mod plan;
mod rogue;
mod subject;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use self::drive::{FAULTS, LASTING, LASTING_ON_SEVERAL_HOSTS, all};

/// What `cargo test` runs: enough to see that it works at all, and seeds that once found something.
const HANDFUL: u64 = 24;
const ONCE_FAILED: [u64; 6] = [8, 269, 273, 561, 1563, 11_537];

/// The same for banks that last.
const HANDFUL_LASTING: u64 = 12;
const LASTING_ONCE_FAILED: [u64; 4] = [31, 33, 64, 3879];

/// What it runs with `--ignored`.
const MANY: u64 = 300;

/// ```text
/// torture SEED COUNT           the runs of COUNT seeds
/// torture --data SEED COUNT    the same of banks that last
/// torture                      a handful, as `cargo test` calls it; --ignored: many
/// torture --run SEED           one run, in this process; --run-data: of a bank that lasts
/// ```
/// Called `node` or `observer`, it is the rogue that a master of such a run has started.
fn main() -> ExitCode {
    let mut words = std::env::args();
    let called = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let name = Path::new(&called).file_name().unwrap_or_default();
    if name == "node" || name == "observer" {
        return rogue::run(name.to_str().unwrap(), &words);
    }
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let has = |option: &str| words.iter().any(|word| word == option);
    match (&words[..], &numbers[..]) {
        ([run, _], [seed]) if run == "--run" => {
            println!("{}", subject::run(*seed));
            ExitCode::SUCCESS
        }
        ([run, _], [seed]) if run == "--run-data" => {
            println!("{}", lasting::run(*seed));
            ExitCode::SUCCESS
        }
        ([probe], _) if probe == "--probe" => {
            println!("{}", std::process::id());
            ExitCode::SUCCESS
        }
        ([_, _], [seed, count]) => all(&FAULTS, *seed..seed.saturating_add(*count), true),
        ([data, _, _], [seed, count]) if data == "--data" => {
            let kind = match lasting::is_launched() {
                true => &LASTING_ON_SEVERAL_HOSTS,
                false => &LASTING,
            };
            all(kind, *seed..seed.saturating_add(*count), true)
        }
        _ if has("--list") => {
            println!("torture: test");
            ExitCode::SUCCESS
        }
        // A filter that means other tests.
        _ if words
            .iter()
            .any(|word| !word.starts_with('-') && !"torture".contains(word)) =>
        {
            ExitCode::SUCCESS
        }
        _ if has("--ignored") || has("--include-ignored") => both(
            all(&FAULTS, 1..=MANY, false),
            all(&LASTING, 1..=MANY, false),
        ),
        _ => both(
            all(&FAULTS, (1..=HANDFUL).chain(ONCE_FAILED), false),
            all(
                &LASTING,
                (1..=HANDFUL_LASTING).chain(LASTING_ONCE_FAILED),
                false,
            ),
        ),
    }
}

fn both(one: ExitCode, other: ExitCode) -> ExitCode {
    match one == ExitCode::SUCCESS {
        true => other,
        false => one,
    }
}
