//! What can go wrong while measuring.

use std::io;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot {doing}: {source}")]
    System {
        doing: &'static str,
        source: io::Error,
    },
    #[error(transparent)]
    Pipes(#[from] pipes::Error),
    #[error(transparent)]
    Journal(#[from] journal::Error),
    #[error(transparent)]
    Rule(#[from] bank::Broken),
    #[error("`master {arguments}` ended with {status}")]
    Master { arguments: String, status: String },
    #[error("master ended before it had answered")]
    NoAnswer,
    #[error("not what `master load --json` promises: {0}")]
    Summary(#[from] serde_json::Error),
    #[error("a child of the raw baseline ended before it had answered")]
    RawChild,
    #[error("/proc does not tell {0}")]
    Proc(&'static str),
    #[error("started with arguments that no parent gives")]
    NotAChild,
}

/// Says what was being done when the kernel refused.
pub(crate) trait While<T> {
    fn while_(self, doing: &'static str) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> While<T> for Result<T, E> {
    fn while_(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::System {
            doing,
            source: source.into(),
        })
    }
}
