//! Why a history cannot be drawn.

use history::SnapshotId;
use thiserror::Error;

use crate::format::MAX_SMALL;

/// Why a history, or a part of it, cannot be drawn.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no such line.
    #[error("nothing in the history is of {lines}; it is of the script's lines {known}")]
    NoSuchLines {
        /// What was asked for.
        lines: String,
        /// What there is.
        known: String,
    },
    /// There is no such snapshot.
    #[error("there is no snapshot {snapshot} in this system; {known}")]
    NoSuchSnapshot {
        /// What was asked for.
        snapshot: SnapshotId,
        /// What there is.
        known: String,
    },
    /// It is too much for this format.
    #[error(
        "{events} events are too many for a {ending} file: at most {MAX_SMALL}; .svg, .shiviz and \
         .trace.json take more"
    )]
    TooMany {
        /// How many there are.
        events: usize,
        /// The format's ending.
        ending: &'static str,
    },
    /// A part was selected, for a format that has none.
    #[error("a {0} file has the whole system: --from, --to and --snapshot are for .svg and .html")]
    WholeOnly(&'static str),
    /// The clock's time is wanted, and is not known.
    #[error("not every event in the history has a time: without --clock, each step is a second")]
    NoTimes,
    /// An order that the proof promises is none: a bug, or a history of something impossible.
    #[error("the cut of snapshot {snapshot} was not drawn straight: {reason}")]
    NotStraight {
        /// The snapshot.
        snapshot: SnapshotId,
        /// What is wrong.
        reason: history::Error,
    },
    /// The page's data cannot be written as JSON.
    #[error("the page's data cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}
