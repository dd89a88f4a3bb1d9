//! Our frames through one pipe: this process encodes and writes, a child reads and decodes. And
//! the codec by itself.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use bank::account::Transfer;
use bank::member::Frame;
use pipes::{Fill, Flush, WaitSet};

use crate::cpus::{Affinity, Cpus};
use crate::error::Error;
use crate::raw::FRAME;

/// Frames a second where each write carries a number of them.
pub(crate) fn measure(
    cpus: &Cpus,
    affinity: Affinity,
    frames: u64,
    in_a_write: usize,
) -> Result<f64, Error> {
    let path = crate::own_path()?;
    let mut child: pipes::Child<Frame, u64> = cpus.apart(affinity, || {
        Ok(pipes::spawn(
            Path::new(&path),
            ["child", "count-frames"],
            None,
        )?)
    })?;
    let mut next = || -> Result<Option<u64>, Error> {
        loop {
            if let Some(number) = child.receiver.next_frame()? {
                return Ok(Some(number));
            }
            if child.receiver.is_ended() {
                return Ok(None);
            }
            let mut set = WaitSet::new();
            set.read(&child.receiver);
            set.wait()?;
            child.receiver.fill()?;
        }
    };
    next()?;
    let began = Instant::now();
    let mut left = frames;
    while left > 0 {
        let batch = left.min(in_a_write as u64);
        for _ in 0..batch {
            child.sender.push(&Frame::Message(Transfer(left)))?;
        }
        left -= batch;
        while child.sender.flush()? == Flush::Full {
            let mut set = WaitSet::new();
            set.write(&child.sender);
            set.wait()?;
        }
    }
    child.sender.close();
    let counted = next()?;
    let seconds = began.elapsed().as_secs_f64();
    child.process.wait()?;
    cpus.anywhere()?;
    match counted {
        Some(counted) if counted == frames => Ok(frames as f64 / seconds),
        _ => Err(Error::NoAnswer),
    }
}

/// The child: reads to the end.
pub(crate) fn count_frames() -> Result<(), Error> {
    let mut parent: pipes::Parent<u64, Frame> = pipes::parent()?;
    let mut frames = 0;
    parent.sender.push(&frames)?;
    parent.sender.flush()?;
    while !parent.receiver.is_ended() {
        while let Some(frame) = parent.receiver.next_frame()? {
            black_box(frame);
            frames += 1;
        }
        if parent.receiver.fill()? == Fill::Empty {
            let mut set = WaitSet::new();
            set.read(&parent.receiver);
            set.wait()?;
        }
    }
    parent.sender.push(&frames)?;
    parent.sender.flush()?;
    Ok(())
}

/// What is encoded before anything is decoded: what a node does in one go.
const MANY: u64 = 1024;

/// Nanoseconds to encode a frame, and to decode it.
pub(crate) fn codec(rounds: u64) -> Result<(f64, f64), Error> {
    let mut out = Vec::new();
    let (mut encoding, mut decoding) = (0.0, 0.0);
    for _ in 0..rounds {
        out.clear();
        let began = Instant::now();
        encode_many(&mut out)?;
        let encoded = Instant::now();
        decode_all(black_box(&out))?;
        encoding += (encoded - began).as_secs_f64();
        decoding += encoded.elapsed().as_secs_f64();
    }
    let each = 1e9 / (rounds * MANY) as f64;
    Ok((encoding * each, decoding * each))
}

#[inline(never)]
fn encode_many(out: &mut Vec<u8>) -> Result<(), pipes::Error> {
    for amount in 0..MANY {
        pipes::encode(&Frame::Message(Transfer(black_box(amount))), out)?;
    }
    Ok(())
}

#[inline(never)]
fn decode_all(mut rest: &[u8]) -> Result<(), pipes::Error> {
    while let Some((frame, length)) = pipes::decode::<Frame>(rest)? {
        black_box(frame);
        rest = &rest[length..];
    }
    Ok(())
}

/// Nanoseconds to write the same 14 bytes by hand, and to read them.
pub(crate) fn bare_codec(rounds: u64) -> (f64, f64) {
    let mut out: Vec<u8> = Vec::new();
    let (mut encoding, mut decoding) = (0.0, 0.0);
    for _ in 0..rounds {
        out.clear();
        let began = Instant::now();
        for amount in 0..MANY {
            let mut frame = [0; FRAME];
            frame[0] = FRAME as u8;
            frame[6..].copy_from_slice(&black_box(amount).to_le_bytes());
            out.extend_from_slice(&frame);
        }
        let encoded = Instant::now();
        for frame in black_box(&out[..]).chunks_exact(FRAME) {
            let amount = frame.last_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            black_box((frame[0], frame[2], amount));
        }
        encoding += (encoded - began).as_secs_f64();
        decoding += encoded.elapsed().as_secs_f64();
    }
    let each = 1e9 / (rounds * MANY) as f64;
    (encoding * each, decoding * each)
}
