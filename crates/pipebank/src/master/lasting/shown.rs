//! What standard output holds of a run that was interrupted: that is not shown twice.
//!
//! A regular file is its own record: whatever is in it behind where the run began was shown. Of a pipe or
//! a terminal it is written down, after each write, how much that was.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

/// Where standard output leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StandardOutput {
    /// A regular file: device, inode, and how long it was when the run began.
    File { dev: u64, ino: u64, length: u64 },
    /// Something else.
    Stream,
}

impl StandardOutput {
    /// That of this process.
    pub(crate) fn of_this_process() -> Self {
        match pipes::open_again_to_read(io::stdout()).and_then(|file| file.metadata()) {
            Ok(it) if it.is_file() => Self::File {
                dev: it.dev(),
                ino: it.ino(),
                length: it.len(),
            },
            _ => Self::Stream,
        }
    }

    /// Whether this is the same file, and nothing was written, or all of that was removed.
    pub(super) fn is_empty_still(&self, now: &Self) -> bool {
        match (self, now) {
            (
                Self::File { dev, ino, length },
                Self::File {
                    dev: same_dev,
                    ino: same_ino,
                    length: shorter,
                },
            ) => (dev, ino) == (same_dev, same_ino) && shorter <= length,
            _ => false,
        }
    }

    /// Whether how much was shown is to be written down.
    pub(crate) fn is_stream(&self) -> bool {
        *self == Self::Stream
    }
}

/// What was shown already.
#[derive(Debug, Default)]
pub(crate) enum Shown {
    /// Nothing, or it does not count.
    #[default]
    Nothing,
    /// These bytes, from this one on.
    Bytes(Vec<u8>, usize),
    /// So many bytes.
    Count(u64),
}

impl Shown {
    /// What was shown by a run that had this standard output, to whom reads what this process shows: behind
    /// the first bytes, which are not shown again, up to as many as were noted.
    pub(super) fn before(
        then: &StandardOutput,
        (first, noted): (u64, u64),
        now: &StandardOutput,
    ) -> Self {
        match (then, now) {
            (
                StandardOutput::File { dev, ino, length },
                StandardOutput::File {
                    dev: same_dev,
                    ino: same_ino,
                    length: longer,
                },
            ) if (dev, ino) == (same_dev, same_ino)
                && *longer > *length
                && *longer >= length + first =>
            {
                read_from(length + first).map_or(Self::Nothing, |bytes| Self::Bytes(bytes, 0))
            }
            (StandardOutput::Stream, StandardOutput::Stream) if noted > 0 => {
                Self::Count(noted.saturating_sub(first))
            }
            _ => Self::Nothing,
        }
    }

    /// How many of these bytes were shown before; an error, the first byte that is another, where something
    /// else was.
    pub(crate) fn of_these(&mut self, bytes: &[u8]) -> Result<usize, u64> {
        match self {
            Self::Nothing => Ok(0),
            Self::Bytes(shown, at) => {
                let rest = &shown[*at..];
                let count = rest.len().min(bytes.len());
                if let Some(other) = (0..count).find(|at| rest[*at] != bytes[*at]) {
                    return Err((*at + other) as u64);
                }
                *at += count;
                if *at == shown.len() {
                    *self = Self::Nothing;
                }
                Ok(count)
            }
            Self::Count(left) => {
                let count = (*left).min(bytes.len() as u64);
                *left -= count;
                if *left == 0 {
                    *self = Self::Nothing;
                }
                Ok(count as usize)
            }
        }
    }
}

/// Waits until a regular file that is standard output is on the disk.
pub(super) fn sync() -> io::Result<()> {
    match StandardOutput::of_this_process() {
        StandardOutput::Stream => Ok(()),
        StandardOutput::File { .. } => {
            File::from(io::stdout().as_fd().try_clone_to_owned()?).sync_data()
        }
    }
}

/// What standard output holds from here on.
fn read_from(start: u64) -> io::Result<Vec<u8>> {
    let mut file = pipes::open_again_to_read(io::stdout())?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
