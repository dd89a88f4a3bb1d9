//! A master under test, what /proc says of processes, random scripts, random histories, and what a
//! history must agree with.
//!
//! Nothing here sleeps to let something happen: lines, end of file and exit are waited for. Only
//! what /proc says has no event; it is looked at again and again, until a deadline. Whatever is not
//! as it must be is a panic, by which a test fails.
//!
#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod chronicle;
mod folder;
pub mod generate;
pub mod histories;
mod loss;
mod master;
mod process;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

pub use folder::Folder;
pub use loss::{Loss, Transfers};
pub use master::{Ended, Master, Pids};
pub use process::{
    Descriptor, Process, Way, blocked_signals, descriptors, gone, idle, own_descriptors, signal,
    signal_group, stop, until,
};

/// How long a test waits for anything before it says that it never came.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What every run that fails says last, with the seed that [`Master::start`] gives.
pub const SEED_LINE: &str = "master: the seed was 1 (--seed 1 draws the same again)";

/// A small script with one result of each kind.
pub const EXAMPLE: &str = "\
StartMaster
CreateNode 1 1000
CreateNode 2 500
Send 1 2 300
BeginSnapshot 1
Send 2 1 9000
Receive 2
Receive 2
ReceiveAll
CollectState
PrintSnapshot
";

/// Where the program `master` is, with `node` and `observer` beside it: one folder up from the test
/// that runs, where cargo puts the programs of the package `pipebank` for that package's tests; or
/// whatever `PIPEBANK_MASTER` says, so that the same tests run over several hosts
/// (`scripts/hosts-check`).
///
/// # Panics
///
/// If there is no such program: another package's tests have to see to it that it is built.
pub fn master() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        let path = std::env::var_os("PIPEBANK_MASTER");
        let path = path.map_or_else(|| programs().join("master"), PathBuf::from);
        assert!(path.exists(), "{} is not built", path.display());
        path.into_os_string().into_string().expect("UTF-8")
    });
    &PATH
}

/// The folder into which cargo puts the programs, whether they are there or not.
pub fn programs() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let folder = own.parent().and_then(Path::parent);
    folder.expect("a folder above `deps`").to_owned()
}

/// How many of these are tried: as many as this variable says, where it says something.
///
/// # Panics
///
/// If that is no number.
pub fn fewer(variable: &str, usual: u64) -> u64 {
    let wanted = std::env::var(variable).ok();
    wanted.map_or(usual, |wanted| wanted.parse().expect("a number"))
}

/// A file or folder of the repository, by its path from the root.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Commands that fail without any process being asked: more messages than a pipe holds.
pub fn more_messages_than_a_pipe_holds() -> String {
    "PrintSnapshot\n".repeat(4_000)
}

/// A mesh of nodes `1..=nodes` with `amount` each, as a script.
pub fn mesh(nodes: usize, amount: u64) -> String {
    let mut script = "StartMaster\n".to_owned();
    for id in 1..=nodes {
        script += &format!("CreateNode {id} {amount}\n");
    }
    script
}
