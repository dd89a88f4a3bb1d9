//! Frames: a 2-byte little-endian length, then one value in bincode.
//!
//! The length counts the whole frame, itself included, and is at most [`MAX_FRAME`]: a write of
//! one frame is then atomic (`PIPE_BUF`), and no length that a stranger sends makes a reader
//! allocate. bincode is used in this module only, with every choice written out: little-endian,
//! fixed-width integers, a limit on what is decoded, and no bytes left over.

use bincode::config::{self, Configuration, Fixint, Limit, LittleEndian};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::{Serialize, de::DeserializeOwned};

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

/// The value of the first frame in `bytes` and the frame's length; `None` while it is not there
/// as a whole.
///
/// # Errors
///
/// [`Error::FrameTooLong`] or [`Error::Malformed`]: the stream cannot be read any further.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<(T, usize)>, Error> {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_le_bytes(*header));
    if length > MAX_FRAME {
        return Err(Error::FrameTooLong { length });
    }
    let malformed = |reason: String| Error::Malformed { length, reason };
    if length < HEADER {
        return Err(malformed("shorter than its own header".into()));
    }
    let Some(body) = bytes.get(HEADER..length) else {
        return Ok(None);
    };
    let (value, used) = bincode::serde::decode_from_slice(body, CONFIG)
        .map_err(|error| malformed(error.to_string()))?;
    if used != body.len() {
        return Err(malformed(format!("{} bytes left over", body.len() - used)));
    }
    Ok(Some((value, length)))
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
