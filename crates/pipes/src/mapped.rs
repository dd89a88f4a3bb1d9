//! A file that this process alone writes, through memory: a small write is no system call, and survives
//! the process once it is made. Read it as a file.
//!
//! A write to a page for which the disk has no room would end the process (SIGBUS), so room is had
//! first, where its lack is an error like any other.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::posix_fallocate;

use crate::sys::Window;

/// A multiple of every size that pages have.
const PAGE: u64 = 1 << 16;

/// How many bytes a word is.
const WORD: u64 = 8;

/// From here on the kernel fills fresh pages sooner by itself than when it is asked for each: 1.8
/// times as fast at 21 KiB.
const MANY: usize = 8 << 10;

/// How much of a file that was never written is filled with the zeros that are there anyway, by a system
/// call, before it is written through memory: the kernel has the memory for as much at once, and
/// otherwise for one page after the other, each when it is touched first. That takes a quarter of the
/// time (ext4, Linux 6.18), and to remove the file half.
const PIECE: u64 = 1 << 16;

/// A file with a window of it in memory.
#[derive(Debug)]
pub struct MappedFile {
    file: File,
    window: Option<Window>,
    /// Where in the file the window begins and ends.
    from: u64,
    to: u64,
    /// From here on nothing was ever written.
    fresh: u64,
    /// Whether it was synced. Then only what was touched is to be written to the disk, not whole pieces.
    is_synced: bool,
}

impl MappedFile {
    /// A file that is open to be read and written; nothing of it is mapped yet.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self {
            file,
            window: None,
            from: 0,
            to: 0,
            fresh: 0,
            is_synced: false,
        }
    }

    /// Sees to it that the disk has room for the bytes from `from` to `to`, zeros where nothing was
    /// written yet, and that they can be written. Where it fails, what could be written before still
    /// can.
    ///
    /// # Errors
    ///
    /// There is no room (`StorageFull`, `QuotaExceeded`, `FileTooLarge`), or the kernel refused.
    pub fn reach(&mut self, from: u64, to: u64) -> io::Result<()> {
        let from = from / PAGE * PAGE;
        let length = to.checked_sub(from).and_then(|it| usize::try_from(it).ok());
        let length = length.and_then(NonZeroUsize::new).ok_or(Errno::EINVAL)?;
        let written = self.fresh.max(self.file.metadata()?.len());
        let (offset, room) = (i64::try_from(from), i64::try_from(length.get()));
        let (Ok(offset), Ok(room)) = (offset, room) else {
            return Err(Errno::EFBIG.into());
        };
        loop {
            match posix_fallocate(&self.file, offset, room) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        }
        self.window = Some(Window::map(&self.file, from, length)?);
        (self.from, self.to) = (from, to);
        // Whatever is in the file already, who wrote it, and who writes it again, is left alone.
        self.fresh = written.max(from);
        Ok(())
    }

    /// Writes bytes within what was reached last: where they are many with a system call, which a
    /// reader cannot tell.
    ///
    /// # Panics
    ///
    /// If they are not.
    #[inline]
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        let (window, offset) = self.within(at);
        let is_sooner_by_call = bytes.len() >= MANY && window.holds(offset, bytes.len());
        let end = at.saturating_add(bytes.len() as u64);
        if is_sooner_by_call && self.file.write_all_at(bytes, at).is_ok() {
            self.fresh = self.fresh.max(end);
            return;
        }
        if end > self.fresh {
            self.fill(end);
        }
        let (window, offset) = self.within(at);
        window.write(offset, bytes);
    }

    /// Fills what was never written, to the end of the piece that ends here or later.
    #[cold]
    fn fill(&mut self, end: u64) {
        static ZEROS: [u8; PIECE as usize] = [0; PIECE as usize];
        let to = end.next_multiple_of(PIECE).min(self.to);
        while !self.is_synced && self.fresh < to {
            let piece = PIECE.min(to - self.fresh);
            // Where it fails, everything works as well.
            let _ = self.file.write_all_at(&ZEROS[..piece as usize], self.fresh);
            self.fresh += piece;
        }
        self.fresh = self.fresh.max(end);
    }

    /// Stores a word, little-endian, within what was reached last, at a multiple of eight: all of it
    /// at once, and after everything that was written before. So a process that is killed at any
    /// moment leaves no word without what was written before it.
    ///
    /// # Panics
    ///
    /// If it is not within, or at no such place.
    #[inline]
    pub fn store(&mut self, at: u64, word: u64) {
        let end = at.saturating_add(WORD);
        if end > self.fresh {
            self.fill(end);
        }
        let (window, at) = self.within(at);
        window.store(at, word);
    }

    /// Cuts the file off at this length. Nothing can be written until something is reached again.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn cut(&mut self, length: u64) -> io::Result<()> {
        (self.window, self.to) = (None, 0);
        self.file.set_len(length)?;
        self.fresh = self.fresh.min(length);
        Ok(())
    }

    /// Waits until everything that was written, and the length of the file, would survive a failure
    /// of the machine. After an error nobody knows what would: trying again proves nothing, since
    /// the kernel may have forgotten what it could not write.
    ///
    /// # Errors
    ///
    /// The kernel could not write it.
    pub fn sync(&mut self) -> io::Result<()> {
        self.is_synced = true;
        // It covers what was written through the window: these are the same pages.
        self.file.sync_data()
    }

    #[inline]
    fn within(&mut self, at: u64) -> (&mut Window, usize) {
        let offset = at
            .checked_sub(self.from)
            .and_then(|it| usize::try_from(it).ok());
        match (&mut self.window, offset) {
            (Some(window), Some(offset)) => (window, offset),
            _ => panic!("a write to byte {at}, which was not reached"),
        }
    }
}
