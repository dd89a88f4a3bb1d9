//! What can be wrong with a journal or its directory, in words for whoever has to do something.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use crate::Identity;
use crate::format::VERSION;

/// Why a journal cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else holds the directory.
    #[error("{} is in use{}", .path.display(), by_whom(.by))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The ids of the processes that hold it, as far as this one may know.
        by: Vec<u32>,
    },
    /// The directory belongs to another user.
    #[error("{} belongs to another user", .path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// A file with the name of a segment is something else.
    #[error("{} is not a journal", .path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// A segment is of a version of the format that this build does not read.
    #[error(
        "{} is of version {found}, and this program reads version {VERSION}: use the program that \
         wrote it",
        .path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A segment belongs to somebody else.
    #[error("{} is a journal of {found}, not of {expected}", .path.display())]
    OtherIdentity {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: Identity,
        /// Whose it should be.
        expected: Identity,
    },
    /// What should be there is not, and this is not the end that a death leaves.
    #[error(
        "{} is damaged at byte {at}{}; nothing was changed", .path.display(), what_follows(*.followed_at)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the first thing lies that is not whole, in bytes from the beginning of the file.
        at: u64,
        /// Where the next block lies that is.
        followed_at: Option<u64>,
    },
    /// A segment is not there, but later ones are.
    #[error("{} is missing, and later parts of the journal are there; nothing was changed", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full, or the file as large as it may be. Nothing is lost: the same can be done
    /// again when there is room.
    #[error(
        "there is no room for {}: {source}; what is in it is safe: make room and go on",
        .path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The disk did not take what was written. What would survive a failure of the machine is not
    /// known any more, so nothing is appended to this journal again by this process.
    #[error("cannot be sure that {} is on the disk: {source}", .path.display())]
    NotSynced {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Appending after [`Error::NotSynced`].
    #[error("nothing is appended to {} any more: it could not be written to the disk", .path.display())]
    GivenUp {
        /// The file.
        path: PathBuf,
    },
    /// More than a block holds (4 GiB).
    #[error("{length} bytes at once are too many for {}", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How many they are.
        length: usize,
    },
    /// A system call failed.
    #[error("cannot {doing} {}: {source}", .path.display())]
    System {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    /// A call that failed; that there is no room is something of its own.
    pub(crate) fn system(doing: &'static str, path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::Full { path, source }
            }
            _ => Self::System {
                doing,
                path,
                source,
            },
        }
    }
}

fn by_whom(processes: &[u32]) -> String {
    let all: Vec<String> = processes.iter().map(u32::to_string).collect();
    match all.len() {
        0 => " by somebody else".to_owned(),
        1 => format!(" by process {}", all[0]),
        _ => format!(" by processes {}", all.join(", ")),
    }
}

fn what_follows(at: Option<u64>) -> String {
    let follows = |at| format!(", and what follows at byte {at} is not");
    at.map(follows).unwrap_or_default()
}
