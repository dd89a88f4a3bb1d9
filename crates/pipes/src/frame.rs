//! Frames: a 2-byte little-endian length, then one value in bincode.
//!
//! The length counts the whole frame, itself included, and is at most [`MAX_FRAME`]: a write of
//! one frame is then atomic (`PIPE_BUF`), and no length that a stranger sends makes a reader
//! allocate. bincode is used in this module only, with every choice written out: little-endian,
//! fixed-width integers, a limit on what is decoded, and no bytes left over. serde believes what a
//! list says of its own length, up to a megabyte: whoever has lists in frames bounds them.

use std::fmt::Display;

use bincode::config::{self, Configuration, Fixint, Limit, LittleEndian};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// The longest frame, header included, in bytes: Linux's `PIPE_BUF`.
pub const MAX_FRAME: usize = 4096;

const HEADER: usize = 2;

const CONFIG: Configuration<LittleEndian, Fixint, Limit<MAX_FRAME>> = config::standard()
    .with_little_endian()
    .with_fixed_int_encoding()
    .with_limit::<MAX_FRAME>();

struct Append<'a>(&'a mut Vec<u8>);

impl Writer for Append<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends `value` as one frame to `out`.
///
/// # Errors
///
/// [`Error::FrameTooLong`] (bincode's own limit does not bound what it encodes) or
/// [`Error::Unwritable`]; `out` is then as it was.
pub fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    let encoded = bincode::serde::encode_into_writer(value, Append(out), CONFIG);
    let length = out.len() - start;
    let outcome = match encoded {
        Err(error) => Err(Error::Unwritable(error.to_string())),
        Ok(()) if length > MAX_FRAME => Err(Error::FrameTooLong { length }),
        Ok(()) => Ok(()),
    };
    match outcome {
        Ok(()) => out[start..start + HEADER].copy_from_slice(&(length as u16).to_le_bytes()),
        Err(_) => out.truncate(start),
    }
    outcome
}

/// Writes as much as there is room for.
struct Slice<'a> {
    room: &'a mut [u8],
    used: &'a mut usize,
}

impl Writer for Slice<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let end = *self.used + bytes.len();
        let room = self.room.get_mut(*self.used..end);
        room.ok_or(EncodeError::UnexpectedEnd)?
            .copy_from_slice(bytes);
        *self.used = end;
        Ok(())
    }
}

/// Writes `value` as one frame at the beginning of `room`; returns the frame's length. Faster than
/// [`encode`], which has to make room for every number by itself.
///
/// # Errors
///
/// As for [`encode`].
#[inline]
pub(crate) fn encode_at<T: Serialize>(
    value: &T,
    room: &mut [u8; MAX_FRAME],
) -> Result<usize, Error> {
    let mut used = 0;
    let writer = Slice {
        room: &mut room[HEADER..],
        used: &mut used,
    };
    let encoded = bincode::serde::encode_into_writer(value, writer, CONFIG);
    let length = HEADER + used;
    if encoded.is_err() {
        return Err(why_not(value));
    }
    room[..HEADER].copy_from_slice(&(length as u16).to_le_bytes());
    Ok(length)
}

/// Why a value does not fit into a frame.
#[cold]
fn why_not<T: Serialize>(value: &T) -> Error {
    match encode(value, &mut Vec::new()) {
        Err(error) => error,
        Ok(()) => Error::Unwritable("it is written in two ways".to_owned()),
    }
}

/// The value of the first frame in `bytes` and the frame's length; `None` while it is not there
/// as a whole.
///
/// # Errors
///
/// [`Error::FrameTooLong`] or [`Error::Malformed`]: the stream cannot be read any further.
#[inline(always)]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<(T, usize)>, Error> {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_le_bytes(*header));
    if length > MAX_FRAME {
        return Err(Error::FrameTooLong { length });
    }
    if length < HEADER {
        return Err(malformed(length, &"shorter than its own header"));
    }
    let Some(body) = bytes.get(HEADER..length) else {
        return Ok(None);
    };
    let (value, used) = bincode::serde::decode_from_slice(body, CONFIG)
        .map_err(|error| malformed(length, &error))?;
    if used != body.len() {
        let left = body.len() - used;
        return Err(malformed(length, &format_args!("{left} bytes left over")));
    }
    // The same as `length`, but known from the value's type and not from the bytes: where the next
    // frame begins does not have to wait until this one's header has come from memory.
    Ok(Some((value, HEADER + used)))
}

/// How many of these bytes are whole frames, from the first on. What cannot be a frame counts as one, to
/// its end: whoever reads it will say so.
#[must_use]
pub fn whole_frames(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some((header, _)) = bytes[whole..].split_first_chunk::<HEADER>() {
        let length = usize::from(u16::from_le_bytes(*header));
        if !(HEADER..=MAX_FRAME).contains(&length) {
            return bytes.len();
        }
        if length > bytes.len() - whole {
            break;
        }
        whole += length;
    }
    whole
}

/// A value by itself, of any length, for a place that says how long it is.
///
/// # Errors
///
/// [`Error::Unwritable`].
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    let encoded = bincode::serde::encode_to_vec(value, CONFIG.with_no_limit());
    encoded.map_err(|error| Error::Unwritable(error.to_string()))
}

/// The value that [`to_bytes`] has made bytes of.
///
/// # Errors
///
/// [`Error::Malformed`].
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let decoded = bincode::serde::decode_from_slice(bytes, CONFIG.with_no_limit());
    match decoded.map_err(|error| malformed(bytes.len(), &error))? {
        (value, used) if used == bytes.len() => Ok(value),
        _ => Err(malformed(bytes.len(), &"bytes left over")),
    }
}

/// The value of what must be one frame and nothing else.
///
/// # Errors
///
/// As for [`decode`]; a part of a frame is malformed too.
pub(crate) fn decode_only<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let length = bytes.len();
    match decode(bytes)? {
        Some((value, used)) if used == length => Ok(value),
        Some(_) => Err(malformed(length, &"something behind its end")),
        None => Err(malformed(length, &"a part of it only")),
    }
}

#[cold]
fn malformed(length: usize, reason: &dyn Display) -> Error {
    let reason = reason.to_string();
    Error::Malformed { length, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was() {
        let mut bytes = Vec::new();
        encode(&(7u64, Some(3u32)), &mut bytes).unwrap();
        encode(&(8u64, None::<u32>), &mut bytes).unwrap();
        let (first, length) = decode::<(u64, Option<u32>)>(&bytes).unwrap().unwrap();
        let (second, rest) = decode::<(u64, Option<u32>)>(&bytes[length..])
            .unwrap()
            .unwrap();
        assert_eq!((first, second), ((7, Some(3)), (8, None)));
        assert_eq!(length + rest, bytes.len());
    }

    #[test]
    fn the_layout_on_the_wire_is_pinned() {
        let mut bytes = Vec::new();
        encode(&Some(0x0102_u16), &mut bytes).unwrap();
        assert_eq!(bytes, [5, 0, 1, 2, 1]);
    }

    #[test]
    fn a_partial_frame_is_no_frame_yet() {
        let mut bytes = Vec::new();
        encode(&7u64, &mut bytes).unwrap();
        for part in 0..bytes.len() {
            assert!(decode::<u64>(&bytes[..part]).unwrap().is_none());
        }
    }

    #[test]
    fn whole_frames_end_where_a_part_of_one_begins() {
        let mut bytes = Vec::new();
        encode(&7u64, &mut bytes).unwrap();
        let one = bytes.len();
        encode(&8u64, &mut bytes).unwrap();
        for part in 0..=bytes.len() {
            let whole = whole_frames(&bytes[..part]);
            assert_eq!(whole, part / one * one, "of {part} bytes");
        }
        for no_frame in [[0xff, 0xff, 1], [1, 0, 1], [0, 0, 1]] {
            let bytes = [&bytes[..one], &no_frame].concat();
            assert_eq!(whole_frames(&bytes), bytes.len());
        }
    }

    #[test]
    fn a_frame_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
        let mut out = vec![1, 2, 3];
        let fits = vec![0u8; MAX_FRAME - HEADER - 8];
        encode(&fits, &mut out).unwrap();
        assert_eq!(out.len(), 3 + MAX_FRAME);
        assert!(decode::<Vec<u8>>(&out[3..]).unwrap().is_some());
        let long = vec![0u8; MAX_FRAME - HEADER - 8 + 1];
        assert!(matches!(
            encode(&long, &mut out),
            Err(Error::FrameTooLong { length }) if length == MAX_FRAME + 1
        ));
        assert_eq!(out.len(), 3 + MAX_FRAME, "what was refused leaves no trace");
    }

    #[test]
    fn both_ways_of_writing_write_the_same() {
        let mut room = [0xaa; MAX_FRAME];
        for size in [
            0,
            1,
            480,
            MAX_FRAME - HEADER - 8,
            MAX_FRAME - HEADER - 7,
            9000,
        ] {
            let value = vec![7u8; size];
            let mut appended = Vec::new();
            match (encode(&value, &mut appended), encode_at(&value, &mut room)) {
                (Ok(()), Ok(length)) => assert_eq!(appended, room[..length]),
                (
                    Err(Error::FrameTooLong { length: one }),
                    Err(Error::FrameTooLong { length: other }),
                ) => assert_eq!(one, other),
                outcomes => panic!("{outcomes:?}"),
            }
        }
    }

    #[test]
    fn garbage_is_an_error_and_never_a_huge_allocation() {
        // A length over the limit, one under the header, a vector that claims 2⁶⁴−1 elements.
        assert!(matches!(
            decode::<u64>(&[0xff, 0xff]),
            Err(Error::FrameTooLong { .. })
        ));
        assert!(matches!(
            decode::<u64>(&[1, 0]),
            Err(Error::Malformed { .. })
        ));
        let mut liar = vec![10, 0];
        liar.extend([0xff; 8]);
        assert!(matches!(
            decode::<Vec<u8>>(&liar),
            Err(Error::Malformed { .. })
        ));
    }

    #[test]
    fn bytes_left_over_are_refused() {
        let mut bytes = Vec::new();
        encode(&(1u64, 2u64), &mut bytes).unwrap();
        assert!(matches!(
            decode::<u64>(&bytes),
            Err(Error::Malformed { .. })
        ));
    }
}
