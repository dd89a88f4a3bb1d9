//! Load without a bank: every child writes batches along its channels and reads what comes.

use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sched::sched_yield;
use nix::unistd;

use super::mesh::{self, Channels, Handed};
use super::{FRAME, pipe::read_whole};
use crate::error::{Error, While};
use crate::plan::Layout;

/// Records in a batch for one peer: as many as the bank's nodes make on average, of up to 128, and
/// of fewer where there are many peers (`node/load.rs`).
fn batch(peers: usize) -> usize {
    (8192 / peers.max(1)).clamp(32, 128) / 2
}

/// No batch is made for a peer to whom this many bytes wait, as with the bank's nodes.
const OUTBOX_LIMIT: usize = 16 * 1024;
const READ: usize = 64 * 1024;
/// Children begin one after the other; what is delivered until all run does not count.
const WARM_UP: Duration = Duration::from_millis(150);

/// Transfers a second, all children together.
pub(crate) fn measure(layout: Layout, duration: Duration) -> Result<f64, Error> {
    let mut children = mesh::build(layout, "load")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let begin = now.unwrap_or_default() + WARM_UP;
    let mut times = Vec::new();
    for time in [begin, begin + duration] {
        times.extend((time.as_nanos() as u64).to_le_bytes());
    }
    for child in &mut children {
        child.commands.write_all(&times).while_("start a load")?;
    }
    let mut bytes = 0;
    for child in &mut children {
        bytes += super::answered(&mut child.replies)?;
    }
    mesh::end(children)?;
    Ok((bytes / FRAME as u64) as f64 / duration.as_secs_f64())
}

/// What waits for one peer.
struct Outbox {
    channel: File,
    bytes: Vec<u8>,
    written: usize,
}

/// The child: works between the two times that it is told, then answers how many bytes it took.
pub(crate) fn child(handed: &Handed) -> Result<(), Error> {
    let Channels { write, read } = handed.open(true)?;
    let mut incoming: Vec<File> = read.into_iter().flatten().collect();
    let mut peers: Vec<Outbox> = write
        .into_iter()
        .flatten()
        .map(|channel| Outbox {
            channel,
            bytes: Vec::new(),
            written: 0,
        })
        .collect();
    let mut times = [[0; 8]; 2];
    for time in &mut times {
        read_whole(&mut std::io::stdin(), time)?;
    }
    let [begin, end] = times.map(u64::from_le_bytes);
    let batch = vec![7_u8; batch(peers.len()) * FRAME];
    let mut buffer = vec![0; READ];
    let mut taken = 0;
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_nanos() as u64;
        if now >= end {
            break;
        }
        let mut came = 0;
        for channel in &mut incoming {
            came += read_everything(channel, &mut buffer)?;
        }
        taken += if now >= begin { came } else { 0 };
        for peer in &mut peers {
            if peer.bytes.len() - peer.written < OUTBOX_LIMIT {
                peer.bytes.extend_from_slice(&batch);
            }
            peer.flush()?;
        }
        // It cannot fail.
        let _ = sched_yield();
    }
    super::answer(taken)?;
    super::wait_for_end()
}

/// Reads until there is less than was asked for.
fn read_everything(channel: &mut File, buffer: &mut [u8]) -> Result<u64, Error> {
    let mut came = 0;
    loop {
        match channel.read(buffer) {
            Ok(count) => {
                came += count as u64;
                if count < buffer.len() {
                    return Ok(came);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(came),
            Err(error) => return Err(error).while_("read from a channel"),
        }
    }
}

impl Outbox {
    fn flush(&mut self) -> Result<(), Error> {
        match unistd::write(&self.channel, &self.bytes[self.written..]) {
            Ok(count) => self.written += count,
            // Full; or the peer has come to its end, which is near for this one too.
            Err(Errno::EAGAIN | Errno::EPIPE) => {}
            Err(errno) => return Err(errno).while_("write to a channel"),
        }
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        } else if self.written > OUTBOX_LIMIT {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }
}
