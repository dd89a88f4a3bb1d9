//! A directory that others may want too: held open and locked, so that its names mean what is in it,
//! whatever has become of its path.

use std::fs::{self, DirBuilder, File, Metadata, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

/// A directory that is held open.
#[derive(Debug)]
pub struct Directory(File);

impl Directory {
    /// Makes a directory with exactly this mode, whatever the umask. No other thread may make files
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// The kernel refused; `AlreadyExists` where something has this name.
    pub fn make(path: &Path, mode: u32) -> io::Result<()> {
        let before = umask(Mode::empty());
        let made = DirBuilder::new().mode(mode).create(path);
        umask(before);
        made
    }

    /// Opens a directory; what is none, or only a link to one, is an error.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let opened = File::options()
            .read(true)
            .custom_flags(flags.bits())
            .open(path);
        opened.map(Self)
    }

    /// Locks it until this is dropped; children do not inherit that.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where somebody else has locked it; or the kernel refused.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        self.0.try_lock()
    }

    /// Whether this path leads to it (still).
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        let identity = |found: Metadata| (found.dev(), found.ino());
        let found = fs::symlink_metadata(path).map(identity).ok();
        found.is_some() && self.0.metadata().map(identity).ok() == found
    }

    /// Its permissions, with the set-id and sticky bits.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn mode(&self) -> io::Result<u32> {
        Ok(self.0.metadata()?.mode() & 0o7777)
    }

    /// Changes them.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.0.set_permissions(Permissions::from_mode(mode))
    }

    /// Replaces a file in it in one step: a reader sees the old one or the new one. Until then the
    /// new one is called `draft`. Neither is followed where it is a link; both are for us alone.
    ///
    /// # Errors
    ///
    /// It cannot be written; `NotFound` also where the directory was removed.
    pub fn replace(&self, name: &str, draft: &str, contents: &[u8]) -> io::Result<()> {
        let _ = self.remove(draft);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let mut file = File::from(openat(&self.0, draft, flags, mode)?);
        file.write_all(contents)?;
        Ok(renameat(&self.0, draft, &self.0, name)?)
    }

    /// Removes a file in it.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

/// Whether this belongs to whom this process acts for, as what it makes does.
#[must_use]
pub fn is_ours(found: &Metadata) -> bool {
    found.uid() == geteuid().as_raw()
}
