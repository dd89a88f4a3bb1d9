//! A directory of journals on a disk, which is held by one system of processes at a time.

use std::fs::TryLockError;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use pipes::MappedFile;

use crate::{Error, File, Files};

/// For us alone.
const MODE: u32 = 0o700;

/// A directory that is locked until this is dropped, and every descriptor that was handed over from
/// it: a process that still writes keeps the directory locked, whoever has died meanwhile.
#[derive(Debug)]
pub struct Directory {
    held: pipes::Directory,
    path: PathBuf,
}

impl Directory {
    /// Opens and locks the directory at `path`; makes it, with mode 0700, where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] where somebody holds it, [`Error::NotOurs`] where it belongs to another
    /// user; or it cannot be made or opened, which a link cannot.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = || path.to_owned();
        let failed = |doing| move |source| Error::system(doing, path.to_owned(), source);
        match pipes::Directory::make(path, MODE) {
            Ok(()) => sync_parent(path).map_err(failed("make"))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("make")(error)),
        }
        let held = pipes::Directory::open(path).map_err(failed("open"))?;
        if !held.is_ours().map_err(failed("open"))? {
            return Err(Error::NotOurs { path: name() });
        }
        Self::locked(held, name())
    }

    /// A directory that another process has opened and locked and handed over to this one.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] where it was not handed over from the one who holds it.
    pub fn inherited(held: pipes::Directory) -> Result<Self, Error> {
        let path = held.path().unwrap_or_default();
        Self::locked(held, path)
    }

    /// What is to be handed over to those who shall write in it.
    #[must_use]
    pub fn held(&self) -> &pipes::Directory {
        &self.held
    }

    fn locked(held: pipes::Directory, path: PathBuf) -> Result<Self, Error> {
        match held.try_lock() {
            Ok(()) => Ok(Self { held, path }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse {
                by: held.holders(),
                path,
            }),
            Err(TryLockError::Error(source)) => Err(Error::system("lock", path, source)),
        }
    }
}

/// So that a new directory would survive a failure of the machine.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    std::fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

impl Files for Directory {
    type File = MappedFile;

    fn names(&self) -> io::Result<Vec<String>> {
        self.held.names()
    }

    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        self.held.read(name, most)
    }

    fn create(&self, name: &str) -> io::Result<MappedFile> {
        self.held.create(name).map(MappedFile::new)
    }

    fn open(&self, name: &str) -> io::Result<MappedFile> {
        self.held.open_to_write(name).map(MappedFile::new)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.held.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.held.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.held.sync()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Several journals of one process can share a directory.
impl<F: Files> Files for &F {
    type File = F::File;

    fn names(&self) -> io::Result<Vec<String>> {
        (**self).names()
    }

    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        (**self).read(name, most)
    }

    fn create(&self, name: &str) -> io::Result<Self::File> {
        (**self).create(name)
    }

    fn open(&self, name: &str) -> io::Result<Self::File> {
        (**self).open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (**self).rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        (**self).remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        (**self).sync()
    }

    fn path(&self, name: &str) -> PathBuf {
        (**self).path(name)
    }
}

impl File for MappedFile {
    fn reach(&mut self, from: u64, to: u64) -> io::Result<()> {
        Self::reach(self, from, to)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        Self::cut(self, length)
    }

    #[inline]
    fn write(&mut self, at: u64, bytes: &[u8]) {
        Self::write(self, at, bytes);
    }

    #[inline]
    fn store(&mut self, at: u64, word: u64) {
        Self::store(self, at, word);
    }

    fn sync(&mut self) -> io::Result<()> {
        Self::sync(self)
    }
}
