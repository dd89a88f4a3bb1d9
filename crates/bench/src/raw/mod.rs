//! The baselines: what the kernel does when bare bytes go the way of our frames. The same
//! system calls, and nothing else: no types, no encoding, no account, no recorder, no audit.
//!
//! The children are this program itself, started with `child ROLE …`. Descriptors come to them as
//! to ours, through a socket; a process can own what came only by `unsafe` code, so they are
//! opened once more through `/proc/self/fd`, which is the same pipe.

pub(crate) mod load;
pub(crate) mod mesh;
pub(crate) mod pipe;
pub(crate) mod serve;

use std::io::{self, Read, Write};

use nix::sys::prctl;
use nix::sys::signal::Signal;

use crate::error::{Error, While};

/// As long as a transfer on a channel.
pub(crate) const FRAME: usize = 14;

/// Becomes the child that `arguments` (after `child`) say.
pub(crate) fn child(arguments: &[String]) -> Result<(), Error> {
    prctl::set_pdeathsig(Signal::SIGKILL).while_("ask for a parent-death signal")?;
    let number = |at: usize| -> Result<usize, Error> {
        let word = arguments.get(at).ok_or(Error::NotAChild)?;
        word.parse().map_err(|_| Error::NotAChild)
    };
    match arguments.first().map(String::as_str) {
        Some("count-bytes") => pipe::count_bytes(),
        Some("count-frames") => crate::frames::count_frames(),
        Some("echo") => serve::echo(),
        Some("idle") => mesh::take_ends(number(1)?, number(2)?).and_then(|_| wait_for_end()),
        Some("load") => load::child(&mesh::take_ends(number(1)?, number(2)?)?),
        Some("serve") => serve::child(&mesh::take_ends(number(1)?, number(2)?)?),
        _ => Err(Error::NotAChild),
    }
}

/// Waits until the parent closes its end or dies.
pub(crate) fn wait_for_end() -> Result<(), Error> {
    let read = io::stdin().read(&mut [0; 8]).while_("wait for the end")?;
    debug_assert_eq!(read, 0, "nothing is said any more");
    Ok(())
}

/// Answers the parent with a number.
pub(crate) fn answer(number: u64) -> Result<(), Error> {
    let mut stdout = io::stdout();
    let written = stdout.write_all(&number.to_le_bytes());
    written.and_then(|()| stdout.flush()).while_("answer")
}

/// Reads the number that a child answers.
pub(crate) fn answered(mut replies: impl Read) -> Result<u64, Error> {
    let mut number = [0; 8];
    match replies.read_exact(&mut number) {
        Ok(()) => Ok(u64::from_le_bytes(number)),
        Err(_) => Err(Error::RawChild),
    }
}
