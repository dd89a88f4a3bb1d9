//! The only `unsafe` code of the project.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigHandler, Signal, signal};

/// Takes over a descriptor that came as a bare number: one that `recvmsg` has just made, or one
/// that the parent left open for this process (standard input and output, the hatch).
pub(crate) fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: the callers are the one place where each of these numbers enters the process:
    // `Hatch::take` for what the kernel just installed, and `parent`, which runs once, at the
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
