//! What a journal stands on: a directory of files that are mapped. On a disk it is
//! [`Directory`](crate::Directory); tests have others, which lose what a disk may lose.

use std::io;
use std::path::PathBuf;

/// A directory. Names have no directories in them.
pub trait Files {
    /// A file that is being written.
    type File: File;

    /// The names of all files.
    ///
    /// # Errors
    ///
    /// They cannot be listed.
    fn names(&self) -> io::Result<Vec<String>>;

    /// What is in a file: this many bytes at most, from its beginning.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>>;

    /// Makes a file.
    ///
    /// # Errors
    ///
    /// It is there, or cannot be made.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file that is there.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name, in one step.
    ///
    /// # Errors
    ///
    /// It cannot be renamed.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// It cannot be removed.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Waits until the names as they are would survive a failure of the machine.
    ///
    /// # Errors
    ///
    /// They could not be written.
    fn sync(&self) -> io::Result<()>;

    /// What this file, or with an empty name the directory, is called in messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// A file that is written within what was reached last.
pub trait File {
    /// Sees to it that there is room for the bytes from `from` to `to`, zeros where nothing was
    /// written yet, and that they can be written. Where it fails nothing has changed, except that
    /// the file may be longer.
    ///
    /// # Errors
    ///
    /// There is no room (`StorageFull`, `QuotaExceeded`, `FileTooLarge`), or it cannot be had.
    fn reach(&mut self, from: u64, to: u64) -> io::Result<()>;

    /// Cuts the file off at this length; nothing can be written until something is reached again.
    ///
    /// # Errors
    ///
    /// It cannot be cut.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Writes bytes: if the process is killed, any part of them may be there.
    fn write(&mut self, at: u64, bytes: &[u8]);

    /// Stores eight bytes, little-endian, at a multiple of eight: all or none of them are there, and
    /// only with everything that was written before.
    fn store(&mut self, at: u64, word: u64);

    /// Waits until everything written would survive a failure of the machine.
    ///
    /// # Errors
    ///
    /// It could not be written; what would survive is not known any more.
    fn sync(&mut self) -> io::Result<()>;
}
