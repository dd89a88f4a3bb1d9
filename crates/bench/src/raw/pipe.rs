//! Frames through one pipe: this process writes, a child reads and counts bytes.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::unistd;

use super::FRAME;
use crate::cpus::{Affinity, Cpus};
use crate::error::{Error, While};

/// What is read at once: as much as a pipe holds.
const READ: usize = 64 * 1024;

/// Frames a second where each write carries a number of them.
pub(crate) fn measure(
    cpus: &Cpus,
    affinity: Affinity,
    frames: u64,
    in_a_write: usize,
) -> Result<f64, Error> {
    let read_at_once = if in_a_write == 1 { FRAME } else { READ };
    let mut child = cpus.apart(affinity, || {
        Command::new(crate::own_path()?)
            .args(["child", "count-bytes", &read_at_once.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .while_("start a raw child")
    })?;
    let (stdin, mut stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(stdin), Some(stdout)) = (stdin, stdout.as_mut()) else {
        return Err(Error::RawChild);
    };
    // Its first answer says that it is there.
    super::answered(&mut *stdout)?;
    let batch = vec![7_u8; in_a_write * FRAME];
    let writes = frames.div_ceil(in_a_write as u64);
    let began = Instant::now();
    for _ in 0..writes {
        let mut rest = &batch[..];
        while !rest.is_empty() {
            let count = unistd::write(&stdin, rest).while_("write to a pipe")?;
            rest = &rest[count..];
        }
    }
    drop(stdin);
    let bytes = super::answered(&mut *stdout)?;
    let seconds = began.elapsed().as_secs_f64();
    child.wait().while_("wait for a raw child")?;
    cpus.anywhere()?;
    if bytes != writes * batch.len() as u64 {
        return Err(Error::RawChild);
    }
    Ok((bytes / FRAME as u64) as f64 / seconds)
}

/// The child: reads to the end.
pub(crate) fn count_bytes() -> Result<(), Error> {
    let size = std::env::args()
        .next_back()
        .and_then(|last| last.parse().ok());
    let mut buffer = vec![0; size.unwrap_or(READ)];
    super::answer(0)?;
    let mut bytes = 0;
    let stdin = std::io::stdin();
    loop {
        match unistd::read(&stdin, &mut buffer).while_("read from a pipe")? {
            0 => break,
            count => bytes += count as u64,
        }
    }
    super::answer(bytes)
}

/// Reads exactly as much as `buffer` holds; whether there was more than the end.
pub(crate) fn read_whole(from: &mut impl Read, buffer: &mut [u8]) -> Result<(), Error> {
    from.read_exact(buffer).map_err(|_| Error::RawChild)
}
