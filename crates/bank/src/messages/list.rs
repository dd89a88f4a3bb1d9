//! Lists in frames: none claims more than a frame can hold.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

/// The longest frame, in bytes.
const LONGEST_FRAME: usize = 4096;

/// Reads a list of a frame's value: for `#[serde(deserialize_with = "list")]`. One that claims
/// more elements than a frame has bytes is refused, and never is more room set aside for the elements
/// than a frame has (serde believes what a list says of its own length, up to a megabyte).
///
/// # Errors
///
/// Those of the elements, and that the list claims too many.
pub(super) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    frame: D,
) -> Result<Vec<T>, D::Error> {
    frame.deserialize_seq(List(PhantomData))
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list that fits into a frame")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let claimed = elements.size_hint().unwrap_or(0);
        if claimed > LONGEST_FRAME {
            return Err(A::Error::invalid_length(claimed, &self));
        }
        let mut list = Vec::with_capacity(claimed.min(LONGEST_FRAME / size_of::<T>().max(1)));
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use pipes::{Error, MAX_FRAME, decode, encode};

    use super::*;

    #[test]
    fn a_list_claims_no_more_than_its_frame_can_hold() {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Listed(#[serde(deserialize_with = "list")] Vec<u64>);

        let listed = Listed((0..510).collect());
        let mut bytes = Vec::new();
        encode(&listed, &mut bytes).unwrap();
        let (read, length) = decode::<Listed>(&bytes).unwrap().unwrap();
        assert_eq!((read, length), (listed, bytes.len()));

        let mut liar = vec![10, 0];
        liar.extend((MAX_FRAME as u64 + 1).to_le_bytes());
        let Err(Error::Malformed { reason, .. }) = decode::<Listed>(&liar) else {
            panic!("a list that is not there was read");
        };
        assert!(reason.contains("a list that fits into a frame"), "{reason}");
    }
}
