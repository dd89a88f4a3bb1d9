//! A directory that others may want too: held open and locked, so that its names mean what is in it,
//! whatever has become of its path.

use std::fs::{self, DirBuilder, File, Metadata, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

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

    /// Locks it until this is dropped, and every descriptor that was duplicated from it, in whatever
    /// process: a child that was handed one keeps it locked. Locking it again, there too, is no error.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where somebody else has locked it; or the kernel refused.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        self.0.try_lock()
    }

    /// The processes that keep it locked, as far as this one may know (those of the same user).
    #[must_use]
    pub fn holders(&self) -> Vec<u32> {
        let Ok(own) = self.0.metadata() else {
            return Vec::new();
        };
        let holds = |process: &Path| {
            let open = fs::read_dir(process.join("fd")).into_iter().flatten();
            open.flatten().any(|entry| {
                let is_it = fs::metadata(entry.path()).is_ok_and(|it| same(&it, &own));
                let about = process.join("fdinfo").join(entry.file_name());
                is_it && fs::read_to_string(about).is_ok_and(|text| text.contains("lock:"))
            })
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
        let all = processes.filter_map(pid);
        let mut holders: Vec<u32> = all
            .filter(|pid| holds(&Path::new("/proc").join(pid.to_string())))
            .collect();
        holders.sort_unstable();
        holders
    }

    /// Where it is now.
    ///
    /// # Errors
    ///
    /// The kernel does not say.
    pub fn path(&self) -> io::Result<PathBuf> {
        fs::read_link(self.in_proc())
    }

    /// Whether this path leads to it (still).
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        match (fs::symlink_metadata(path), self.0.metadata()) {
            (Ok(found), Ok(own)) => same(&found, &own),
            _ => false,
        }
    }

    /// Its permissions, with the set-id and sticky bits.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn mode(&self) -> io::Result<u32> {
        Ok(self.0.metadata()?.mode() & 0o7777)
    }

    /// Whether it belongs to whom this process acts for.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn is_ours(&self) -> io::Result<bool> {
        Ok(is_ours(&self.0.metadata()?))
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
        self.create(draft)?.write_all(contents)?;
        self.rename(draft, name)
    }

    /// The names of what is in it, in no order; those that are no UTF-8 are left out.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.in_proc())?;
        let name =
            |entry: io::Result<fs::DirEntry>| entry.map(|it| it.file_name().into_string().ok());
        entries
            .filter_map(|entry| name(entry).transpose())
            .collect()
    }

    /// Makes a file in it, to be read and written, for us alone.
    ///
    /// # Errors
    ///
    /// The kernel refused; `AlreadyExists` where something has this name.
    pub fn create(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL)
    }

    /// Opens a file in it, to be read and written.
    ///
    /// # Errors
    ///
    /// The kernel refused; what is no file, or only a link to one, is an error too.
    pub fn open_to_write(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlag::O_RDWR)
    }

    /// What is in a file in it: this many bytes at most, from its beginning.
    ///
    /// # Errors
    ///
    /// The kernel refused; what is no file, or only a link to one, is an error too.
    pub fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let file = self.open_file(name, OFlag::O_RDONLY)?;
        // Room for all of it at once, and one byte to see the end.
        let room = file.metadata()?.len().min(most).saturating_add(1);
        let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Gives a file in it another name; one that had this name is gone.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// Waits until the names in it, as they are now, would survive a failure of the machine.
    ///
    /// # Errors
    ///
    /// The kernel could not write them.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    /// Removes a file in it.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }

    fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        // Nonblocking, so that a FIFO of this name keeps nobody waiting.
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let file = File::from(openat(&self.0, name, flags, mode)?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file")),
        }
    }

    fn in_proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One that was handed over, or inherited.
impl From<OwnedFd> for Directory {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }
}

fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether this belongs to whom this process acts for, as what it makes does.
#[must_use]
pub fn is_ours(found: &Metadata) -> bool {
    found.uid() == geteuid().as_raw()
}
