//! The language, serially: [`interpret`] a script, and see what it must print.
//!
#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod draw;
mod expected;
pub mod judge;
mod model;
pub mod outcomes;
mod statement;

use model::Bank;

pub use draw::Draw;
pub use expected::{Collected, Expected, Failure, Why};
use statement::{Statement, statements};

pub use statement::words;

/// A mistake that can be planted, to see that the laws in the tests notice it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    /// Who records because a marker came sends none itself.
    OnlyInitiatorSendsMarkers,
    /// A marker is put before what waits on its channel.
    MarkerOvertakes,
    /// What crosses the cut is not recorded.
    TransitForgotten,
    /// A channel is recorded although its marker has come.
    RecordingNeverClosed,
    /// Of several snapshots in progress, only the last records channels.
    OnlyNewestRecords,
    /// A node that joins gets no markers of the snapshots in progress.
    JoinOwesNothing,
    /// The channel from a node that joins is not recorded.
    JoinNotAwaited,
    /// What a node has when the snapshot is collected is taken for what it had when it recorded.
    StateAtCollection,
    /// The state of a channel is taken for that of the opposite one.
    ChannelsSwapped,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::OnlyInitiatorSendsMarkers,
        Self::MarkerOvertakes,
        Self::TransitForgotten,
        Self::RecordingNeverClosed,
        Self::OnlyNewestRecords,
        Self::JoinOwesNothing,
        Self::JoinNotAwaited,
        Self::StateAtCollection,
        Self::ChannelsSwapped,
    ];
}

/// What `script` must do with `--seed seed`.
///
/// # Panics
///
/// If the static check would refuse the script.
#[must_use]
pub fn interpret(script: &str, seed: u64) -> Expected {
    run(script, seed, &mut Bank::new(None, false))
}

/// The same in a bank that lasts: with `--data`.
///
/// # Panics
///
/// If the static check would refuse the script.
#[must_use]
pub fn interpret_lasting(script: &str, seed: u64) -> Expected {
    run(script, seed, &mut Bank::new(None, true))
}

/// The same of several scripts, one after the other, with the same `--data`: a bank that is not ended by
/// `KillAll` is opened by the next `StartMaster`, as if it had not been said. Each begins to draw anew.
///
/// # Panics
///
/// If the static check would refuse one of them.
#[must_use]
pub fn interpret_in_turn(scripts: &[impl AsRef<str>], seed: u64) -> Vec<Expected> {
    let mut bank = Bank::new(None, true);
    let scripts = scripts.iter().map(AsRef::as_ref);
    scripts.map(|it| run(it, seed, &mut bank)).collect()
}

/// The same with a mistake, in a bank that lasts: without `RestartNode` it prints what any does.
///
/// # Panics
///
/// If the static check would refuse the script.
#[must_use]
pub fn interpret_with(script: &str, seed: u64, bug: Option<Bug>) -> Expected {
    run(script, seed, &mut Bank::new(bug, true))
}

fn run(script: &str, seed: u64, bank: &mut Bank) -> Expected {
    let mut draw = Draw::from_seed(seed);
    let mut expected = Expected {
        lasts: bank.lasts,
        ..Expected::default()
    };
    for (line, statement) in statements(script) {
        let collecting = bank.uncollected.clone();
        match bank.execute(statement, &mut |choices| draw.pick(choices)) {
            Ok(said) => {
                expected.stdout += &said;
                match statement {
                    Statement::Kill { .. } => expected.deaths.push(line),
                    Statement::Restart { .. } => expected.restarts.push(line),
                    Statement::Collect => {
                        let collected = collecting
                            .iter()
                            .map(|one| Collected::clone(&bank.collected[one]));
                        expected.collected.extend(collected);
                    }
                    _ => {}
                }
            }
            Err(why) => expected.failures.push(Failure { line, why }),
        }
    }
    expected
}
