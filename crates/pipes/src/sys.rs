//! The only `unsafe` code of the project.

use std::ffi::c_void;
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};
use nix::sys::signal::{SigHandler, Signal, signal};

/// Takes over a descriptor that came as a bare number: one that `recvmsg` has just made, or one
/// that the parent left open for this process (standard input and output, the hatch, a
/// directory).
pub(crate) fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: the callers are the one place where each of these numbers enters the process:
    // `Hatch::next` for what the kernel just installed, and `parent`, which runs once, at the
    // start of `main`, after it has checked that the descriptor is open. Nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Marks a descriptor close-on-exec, or not. One that is not open is left alone.
pub(crate) fn set_close_on_exec(fd: RawFd, wanted: bool) -> nix::Result<()> {
    // SAFETY: the borrow ends with this call, which only changes a flag; a number that is not
    // open makes fcntl fail with EBADF, nothing else.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let flags = if wanted {
        FdFlag::FD_CLOEXEC
    } else {
        FdFlag::empty()
    };
    fcntl(fd, FcntlArg::F_SETFD(flags)).map(|_| ())
}

/// The kind of file behind a descriptor number that may not be open.
pub(crate) fn file_kind(fd: RawFd) -> Option<nix::sys::stat::SFlag> {
    // SAFETY: as above: only fstat is called, and a number that is not open makes it fail.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let mode = nix::sys::stat::fstat(fd).ok()?.st_mode;
    Some(nix::sys::stat::SFlag::from_bits_truncate(mode) & nix::sys::stat::SFlag::S_IFMT)
}

/// Ignores a signal for the rest of the process's life.
pub(crate) fn ignore(which: Signal) -> nix::Result<()> {
    // SAFETY: no handler runs; SIG_IGN has no code that could break async-signal-safety.
    unsafe { signal(which, SigHandler::SigIgn) }.map(|_| ())
}

/// Gives a signal its default action back, where it was inherited ignored.
pub(crate) fn by_default(which: Signal) -> nix::Result<()> {
    // SAFETY: no handler runs, as above.
    unsafe { signal(which, SigHandler::SigDfl) }.map(|_| ())
}

/// Lowers this process's priority by a number of steps (raises its nice value).
pub(crate) fn lower_priority(steps: u8) {
    // SAFETY: nice takes a number and touches no memory of this process. Going down is always
    // allowed, so there is no failure to look at.
    let _ = unsafe { nix::libc::nice(steps.into()) };
}

/// A piece of a file as memory that is written and never read. Others may change or shorten the
/// file: no reference into it is ever made, so what they do can change no value of this process;
/// a write to what is no longer in the file ends the process (SIGBUS).
#[derive(Debug)]
pub(crate) struct Window {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

impl Window {
    /// Maps `length` bytes of a file that is open to be read and written, from `from`, a multiple
    /// of the size of a page.
    pub(crate) fn map(file: &File, from: u64, length: NonZeroUsize) -> nix::Result<Self> {
        let from = i64::try_from(from).map_err(|_| Errno::EFBIG)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the kernel chooses the place, so no memory that is in use is replaced.
        let start = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, file, from) }?;
        // The first write would have the kernel read all that it reads ahead of files. Without this advice
        // everything works as well, so there is no failure to look at.
        // SAFETY: exactly what was mapped; the advice changes no memory.
        let _ = unsafe { madvise(start, length.get(), MmapAdvise::MADV_RANDOM) };
        Ok(Self { start, length })
    }

    /// Whether so many bytes at this place are in it.
    #[inline]
    pub(crate) fn holds(&self, at: usize, bytes: usize) -> bool {
        let room = self.length.get().checked_sub(at);
        room.is_some_and(|room| bytes <= room)
    }

    /// Copies bytes to this place of the window.
    ///
    /// # Panics
    ///
    /// If they do not fit in.
    #[inline]
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(self.holds(at, bytes.len()), "a write beyond the window");
        // SAFETY: the place is within the mapping, which lives as long as this value; `bytes` is
        // memory of Rust's, so it does not overlap with what only this value points to.
        unsafe {
            let to = self.start.cast::<u8>().add(at);
            ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len());
        }
    }

    /// Stores eight bytes, little-endian, at a multiple of eight: all at once, and not before any
    /// byte that was written earlier. Whoever kills this process in between finds these without the
    /// word, never the word without them.
    ///
    /// # Panics
    ///
    /// If they do not fit in, or `at` is no multiple of eight.
    #[inline]
    pub(crate) fn store(&mut self, at: usize, word: u64) {
        let fits = self.holds(at, size_of::<u64>()) && at.is_multiple_of(8);
        assert!(fits, "a word beyond the window");
        // SAFETY: as above; a mapping starts at a page, so the place is aligned as its offset is.
        // Release: the compiler and the processor keep the order of what was written before.
        unsafe {
            let to = self.start.cast::<u64>().byte_add(at);
            AtomicU64::from_ptr(to.as_ptr()).store(word.to_le(), Ordering::Release);
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and nothing points into it any more.
        let _ = unsafe { munmap(self.start, self.length.get()) };
    }
}
