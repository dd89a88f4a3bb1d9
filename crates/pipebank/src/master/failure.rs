//! Why a run ends before its script does.

use bank::master::Broken;
use pipes::Signals;

use super::run_dir::RunDirError;

/// Why a run ends before its script does.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// Asked to by a signal.
    #[error("ended by signal {0}")]
    Signal(i32),
    #[error("the time (--timeout) ran out while waiting for {waited_for}")]
    TimedOut { waited_for: String },
    /// A command failed, and `--strict` is on.
    #[error("stopped at the first failure (--strict)")]
    Strict,
    /// Nobody reads stdout any more: no failure of ours, and nobody to tell.
    #[error("standard output was closed")]
    StdoutClosed,
    #[error("cannot write results: {0}")]
    Stdout(std::io::Error),
    #[error("{0}")]
    Pipes(#[from] pipes::Error),
    #[error("{0}")]
    RunDir(#[from] RunDirError),
    /// An invariant of the system broke.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Internal(broken.to_string())
    }
}

impl Stop {
    /// Why waiting for `whom` was cut short: a signal came, else the time ran out.
    pub(super) fn interrupted(signals: Option<&Signals>, whom: &str) -> Result<Self, Self> {
        let caught = signals.map(Signals::next_caught).transpose()?.flatten();
        Ok(match caught {
            Some(caught) => Self::Signal(caught.0),
            None => Self::TimedOut {
                waited_for: whom.to_owned(),
            },
        })
    }
}
