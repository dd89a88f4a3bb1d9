//! The user's own streams: plain bytes. What is shared with others is never made nonblocking.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};
use nix::sys::termios::{self, FlushArg, LocalFlags, SetArg, Termios};
use nix::unistd;

use crate::{Error, Patience};

/// A pipe that is ready takes this much without blocking (`PIPE_BUF`).
const ATOMIC: usize = 4096;

/// What a read of an [`Input`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes.
    Bytes(usize),
    /// The end of the input.
    End,
}

/// Standard input as bytes, read only when something is there.
#[derive(Debug)]
pub struct Input(io::Stdin);

impl Input {
    /// Standard input. Nothing else of the process may read from it.
    #[must_use]
    pub fn standard() -> Self {
        Self(io::stdin())
    }

    /// Whether a read would bring something, or the end, at once.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn is_ready(&self) -> Result<bool, Error> {
        let mut waits = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waits, PollTimeout::ZERO) {
            Ok(count) => Ok(count > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(Error::system("look at standard input", errno)),
        }
    }

    /// Reads what is there; blocks where nothing is.
    ///
    /// # Errors
    ///
    /// The read failed.
    pub fn read(&self, buffer: &mut [u8]) -> Result<Read, Error> {
        loop {
            match unistd::read(&self.0, buffer) {
                Ok(0) => return Ok(Read::End),
                Ok(count) => return Ok(Read::Bytes(count)),
                Err(Errno::EINTR) => {}
                // Somebody else made the terminal nonblocking: the poller says when to come back.
                Err(Errno::EAGAIN) => return Ok(Read::Bytes(0)),
                Err(errno) => return Err(Error::system("read standard input", errno)),
            }
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The settings of the terminal at standard input, put back when this is dropped: a line editor
/// that is cut short leaves it raw.
#[derive(Debug)]
pub struct Terminal(Option<Termios>);

impl Terminal {
    /// The settings as they are now; nothing where standard input is no terminal.
    #[must_use]
    pub fn remember() -> Self {
        Self(termios::tcgetattr(io::stdin()).ok())
    }

    /// The same, and until then each key is handed over as it is pressed, and not shown; those that
    /// send signals still do.
    #[must_use]
    pub fn key_by_key() -> Self {
        let terminal = Self::remember();
        if let Some(settings) = &terminal.0 {
            let mut settings = settings.clone();
            settings.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO);
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &settings);
        }
        terminal
    }

    /// Forgets what has been typed and not been read yet.
    pub fn forget_typed() {
        // Where there is no terminal, nothing has been typed.
        let _ = termios::tcflush(io::stdin(), FlushArg::TCIFLUSH);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            // A terminal that is gone needs no settings; one that is stopped would never be drained.
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, settings);
        }
    }
}

/// Writes `bytes`, waiting while the reader is slow, as long as `patience` lasts. Returns how many
/// were written: all of them, or fewer where it ran out.
///
/// # Errors
///
/// The write failed; `BrokenPipe` where the reader is gone.
pub fn write_patiently(stream: impl AsFd, bytes: &[u8], patience: &Patience) -> io::Result<usize> {
    let own = opened_anew(stream.as_fd());
    let (stream, piece) = match &own {
        Some(own) => (own.as_fd(), bytes.len()),
        None => (stream.as_fd(), ATOMIC),
    };
    let mut written = 0;
    while written < bytes.len() {
        if !patience.wait_for(stream, PollFlags::POLLOUT)? {
            break;
        }
        let piece = &bytes[written..bytes.len().min(written + piece)];
        match unistd::write(stream, piece) {
            Ok(count) => written += count,
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
        if patience.is_late() {
            break;
        }
    }
    Ok(written)
}

/// A pipe or a terminal, opened once more and nonblocking: what somebody else writes to it in between,
/// or a terminal that is stopped in the middle of a line, makes a write block also where there was
/// room. `None` where that cannot be done, or is no use.
fn opened_anew(stream: BorrowedFd<'_>) -> Option<File> {
    let kind = SFlag::from_bits_truncate(fstat(stream).ok()?.st_mode) & SFlag::S_IFMT;
    let flags = OFlag::from_bits_retain(fcntl(stream, FcntlArg::F_GETFL).ok()?);
    if ![SFlag::S_IFIFO, SFlag::S_IFCHR].contains(&kind) || flags.contains(OFlag::O_NONBLOCK) {
        return None;
    }
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
    let mut options = File::options();
    options.write(true).custom_flags(flags.bits());
    options.open(path).ok()
}

/// Whether a stream takes something now; also where it is gone, so that writing would not wait.
#[must_use]
pub fn has_room(stream: impl AsFd) -> bool {
    let now = Patience::brief(Duration::ZERO);
    now.wait_for(stream.as_fd(), PollFlags::POLLOUT)
        .unwrap_or(true)
}

/// Reads what is there, waiting while nothing is, as long as `patience` lasts: `None` where it ran
/// out, also where there is always something.
///
/// # Errors
///
/// The read failed.
pub fn read_patiently(
    stream: impl AsFd,
    buffer: &mut [u8],
    patience: &Patience,
) -> io::Result<Option<Read>> {
    loop {
        if !patience.wait_for(stream.as_fd(), PollFlags::POLLIN)? || patience.is_late() {
            return Ok(None);
        }
        match unistd::read(stream.as_fd(), buffer) {
            Ok(0) => return Ok(Some(Read::End)),
            Ok(count) => return Ok(Some(Read::Bytes(count))),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Opens a file to be read patiently: a FIFO that nobody writes to yet can be waited for.
///
/// # Errors
///
/// It cannot be opened.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK.bits();
    File::options().read(true).custom_flags(flags).open(path)
}

/// Opens an open file once more, to be read from its beginning, however it was opened.
///
/// # Errors
///
/// It cannot be opened.
pub fn open_again_to_read(file: impl AsFd) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()))
}

/// Opens a file to be written to, as `options` say. A FIFO that nobody reads is waited for, as long
/// as `patience` lasts: `None` where it ran out.
///
/// # Errors
///
/// It cannot be opened.
pub fn open_to_write(
    path: &Path,
    options: &OpenOptions,
    patience: &Patience,
) -> io::Result<Option<File>> {
    /// Nothing tells when somebody opens a FIFO.
    const LOOK_AGAIN: Duration = Duration::from_millis(5);
    let mut options = options.clone();
    options.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let nobody_reads = |error: &io::Error| {
        error.raw_os_error() == Some(Errno::ENXIO as i32)
            && fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
    };
    loop {
        match options.open(path) {
            Err(error) if nobody_reads(&error) => {
                if !patience.pause(LOOK_AGAIN)? {
                    return Ok(None);
                }
            }
            opened => return opened.map(Some),
        }
    }
}
