//! The files that a command writes. Each is opened before anything starts, so that a place where
//! nothing can be written is known then, and emptied only when nothing can be refused any more. None is
//! a file that the command reads, or writes already, however it is called: links are seen through.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use pipes::Patience;

use super::error::{Error, Stop};
use super::streams::name_of;

/// What is written to a file, and the option that names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    what: &'static str,
    option: &'static str,
}

impl Purpose {
    pub(crate) const HISTORY: Self = Self {
        what: "the history",
        option: "--history",
    };
    pub(crate) const PICTURE: Self = Self {
        what: "the picture",
        option: "--diagram",
    };
    pub(crate) const VERDICTS: Self = Self {
        what: "the verdicts",
        option: "--junit",
    };
    pub(crate) const IMPORTED: Self = Self {
        what: "what is imported",
        option: "--output",
    };
    pub(crate) const OUTPUT: Self = Self {
        what: "the picture",
        option: "--output",
    };
}

/// The files that a command reads and writes, so far.
#[derive(Debug, Default)]
pub(crate) struct Files(Vec<(Identity, String)>);

/// Where a file is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// None where several may use it without harm: a terminal, `/dev/null`, a socket.
    fn of(stream: impl AsFd) -> Option<Self> {
        let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
        let found = file.metadata().ok()?;
        let is_shared = found.file_type().is_char_device() || found.file_type().is_socket();
        (!is_shared).then(|| Self {
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

impl Files {
    /// The command reads or writes this.
    pub(crate) fn add(&mut self, stream: impl AsFd, what: impl Into<String>) {
        if let Some(identity) = Identity::of(stream) {
            self.0.push((identity, what.into()));
        }
    }

    /// What the command uses it for already, if it does.
    pub(crate) fn find(&self, stream: impl AsFd) -> Option<&str> {
        let identity = Identity::of(stream)?;
        let mut files = self.0.iter();
        let found = files.find(|(known, _)| *known == identity)?;
        Some(&found.1)
    }

    /// The command writes results and messages: none of them into a file that it reads.
    pub(crate) fn add_streams(&mut self) -> Result<(), Error> {
        if self.find(io::stderr()).is_some() {
            return Err(Error::MessagesInto);
        }
        if let Some(read) = self.find(io::stdout()) {
            let read = read.to_owned();
            return Err(Error::ResultsInto { read });
        }
        self.add(io::stdout(), "the results (standard output)");
        self.add(io::stderr(), "the messages (standard error)");
        Ok(())
    }

    /// Opens a file to be written. What is in it stays until it is [emptied](OutputFile::empty); one
    /// that was not there goes again where nothing is ever written.
    pub(crate) fn open(
        &mut self,
        path: &Path,
        purpose: Purpose,
        patience: &Patience,
    ) -> Result<OutputFile, Error> {
        let name = name_of(path);
        let is_new = !path.exists();
        let mut options = File::options();
        let opened = pipes::open_to_write(path, options.create(true).truncate(false), patience);
        let file = match opened {
            Ok(Some(file)) => file,
            Ok(None) => {
                return Err(Stop::interrupted(patience, &format!("a reader of {name}")).into());
            }
            Err(source) => {
                return Err(Error::Unwritable {
                    file: name,
                    what: purpose.what,
                    source,
                });
            }
        };
        if let Some(other) = self.find(&file) {
            return Err(Error::Overwrites {
                file: name,
                what: purpose.what,
                other: other.to_owned(),
                option: purpose.option,
            });
        }
        self.add(&file, format!("{} {name}", purpose.what));
        // As it was made: where the path is a link that led nowhere, not the link.
        let made = is_new.then(|| fs::canonicalize(path).ok()).flatten();
        Ok(OutputFile {
            name,
            what: purpose.what,
            file,
            made,
        })
    }
}

/// A file that is open to be written.
#[derive(Debug)]
pub(crate) struct OutputFile {
    pub(crate) name: String,
    pub(crate) file: File,
    what: &'static str,
    made: Option<PathBuf>,
}

impl OutputFile {
    /// Empties it, if it is a file that keeps what is written to it.
    pub(crate) fn empty(&self) -> Result<(), Error> {
        self.cut(0)
    }

    /// Keeps only the first bytes, so many, of such a file; what is written then comes behind them.
    pub(crate) fn cut(&self, length: u64) -> Result<(), Error> {
        let found = self.file.metadata();
        let cut = found.and_then(|found| match found.is_file() {
            true => {
                self.file.set_len(length)?;
                (&self.file).seek(SeekFrom::Start(length)).map(drop)
            }
            false => Ok(()),
        });
        cut.map_err(|source| self.unwritable(source))
    }

    /// Writes this in place of what is there. Whoever reads it is waited for as long as `patience`
    /// lasts; a file takes as long as it takes. Half of it is of no use: where the whole cannot be
    /// written, the file is empty.
    pub(crate) fn replace(&self, text: &str, patience: &Patience) -> Result<(), Error> {
        self.empty()?;
        let is_file = self.file.metadata().is_ok_and(|found| found.is_file());
        let written = match is_file {
            true => (&self.file).write_all(text.as_bytes()).map(|()| text.len()),
            false => pipes::write_patiently(&self.file, text.as_bytes(), patience),
        };
        match written {
            Err(source) => {
                let _ = self.empty();
                Err(self.unwritable(source))
            }
            Ok(count) if count < text.len() => Err(Error::CutOff(self.name.clone())),
            Ok(_) => Ok(()),
        }
    }

    fn unwritable(&self, source: io::Error) -> Error {
        Error::Unwritable {
            file: self.name.clone(),
            what: self.what,
            source,
        }
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(path) = &self.made
            && self.file.metadata().is_ok_and(|found| found.len() == 0)
        {
            let _ = fs::remove_file(path);
        }
    }
}
