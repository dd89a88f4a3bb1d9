//! What reads frames.

use bank::member::Frame;
use bank::messages::{Answer, Instruction, Order, Reply, Report, Request};
use pipes::MAX_FRAME;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::allocations;

/// As much as reading a frame may take, in bytes: what is in it, and the same written again.
pub(super) const BOUND: usize = 2 * MAX_FRAME;

/// Frames, and what is one behind a length.
pub(super) fn read(bytes: &[u8]) {
    of_every_type(bytes);
    of_every_type(&framed(bytes));
}

fn of_every_type(bytes: &[u8]) {
    stream_of::<Frame>(bytes);
    stream_of::<Instruction>(bytes);
    stream_of::<Reply>(bytes);
    stream_of::<Request>(bytes);
    stream_of::<Answer>(bytes);
    stream_of::<Order>(bytes);
    stream_of::<Report>(bytes);
}

/// Reads frames until there is none. What was read is written again in the very same bytes.
pub(super) fn stream_of<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) {
    let mut written = Vec::new();
    while let Ok(Some((value, length))) = pipes::decode::<T>(bytes) {
        written.clear();
        pipes::encode(&value, &mut written).expect("a value that came in a frame fits into one");
        assert_eq!(written, bytes[..length]);
        bytes = &bytes[length..];
    }
}

/// Behind a length that fits, as far as one can.
pub(super) fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().saturating_add(2).min(MAX_FRAME);
    let header = u16::try_from(length).expect("no frame is so long");
    [&header.to_le_bytes(), bytes].concat()
}

/// Wherever a list may stand, behind fields that are all zero: it claims to be long, and nothing is
/// there. serde alone would set a megabyte aside for it.
#[test]
fn a_list_that_is_not_there_takes_nothing() {
    for claimed in [400, 1 << 17, u64::MAX] {
        for kind in 0..32_u32 {
            for fields in 0..64 {
                let frame = [
                    &kind.to_le_bytes()[..],
                    &vec![0; fields],
                    &claimed.to_le_bytes(),
                ];
                let frame = framed(&frame.concat());
                let most = allocations::most_held(|| of_every_type(&frame));
                assert!(most <= BOUND, "{most} bytes for {frame:?}");
            }
        }
    }
}
