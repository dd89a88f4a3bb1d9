//! A running account of a channel end: how many messages, their sum, and a digest of their order.
//!
//! To compare what was sent on a channel with what arrived, one would have to keep every message
//! for ever. A tally is what is kept instead: 32 bytes an end, a few nanoseconds a message. Two
//! ends with the same tally saw the same messages in the same order, but for a digest that
//! coincides by accident, once in 2⁶⁴. (By accident, not by malice: it is no cryptographic hash.)
//!
//! A tally knows a message only as one `u64`, its *value*; which that is, is the caller's choice.
//! It counts messages, never markers.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The account of one channel end, of everything that passed it so far, in order.
///
/// ```
/// use snapshot::Tally;
///
/// let mut sent = Tally::default();
/// sent.extend(300);
/// sent.extend(400);
/// assert_eq!((sent.count, sent.sum), (2, 700));
///
/// assert_eq!(Tally::default().extended_by([300, 400]), sent);
/// assert_ne!(Tally::default().extended_by([400, 300]), sent); // the digest depends on the order
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally {
    /// How many messages. A billion a second fill it in 584 years.
    pub count: u64,
    /// The sum of their values. It cannot overflow: at most 2⁶⁴−1 messages of at most 2⁶⁴−1 each
    /// stay below 2¹²⁸.
    pub sum: u128,
    /// Depends on every value and on their order; the same on every platform and in every release.
    pub digest: u64,
}

impl Tally {
    /// One more message, of this value, has passed.
    #[inline]
    pub fn extend(&mut self, value: u64) {
        self.count += 1;
        self.sum += u128::from(value);
        let mixed = mix(value.wrapping_add(GAMMA));
        self.digest = self.digest.wrapping_mul(STEP).wrapping_add(mixed);
    }

    /// This tally after the messages of these values have passed too, in this order.
    #[must_use]
    pub fn extended_by(mut self, values: impl IntoIterator<Item = u64>) -> Tally {
        for value in values {
            self.extend(value);
        }
        self
    }
}

/// As a phrase: `3 messages (700 in all)`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = if self.count == 1 {
            "message"
        } else {
            "messages"
        };
        write!(f, "{} {messages} ({} in all)", self.count, self.sum)
    }
}

/// What the digest is multiplied by before the next mixed value is added: the digest is a polynomial
/// in it (Horner's rule), so order counts. Odd, so that nothing is ever lost, and a good multiplier
/// of a linear generator (G. L. Steele Jr. and S. Vigna, "Computationally Easy, Spectrally Good
/// Multipliers for Congruential Pseudorandom Number Generators", 2022).
///
/// One multiplication and one addition are all that has to wait for the message before: mixing,
/// which costs more, does not. Under full load that chain is what costs.
const STEP: u64 = 0xd134_2543_de82_ef95;

/// The odd integer next to 2⁶⁴ divided by the golden ratio: the step of SplitMix64 (G. L. Steele
/// Jr., D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). It
/// keeps a zero from being mixed to zero, and so from not counting.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The first multiplier of David Stafford's variant 13 of the MurmurHash3 finaliser ("Better Bit
/// Mixing", 2011).
const SPREAD: u64 = 0xbf58_476d_1ce4_e5b9;

/// Spreads a value over all bits, in such a way that sums of values do not add up to the same: the
/// beginning of a MurmurHash3 finaliser. A bijection: after the same messages, different values
/// lead to different digests, always.
#[inline]
const fn mix(bits: u64) -> u64 {
    let spread = bits.wrapping_mul(SPREAD);
    spread ^ (spread >> 32)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn tally(values: &[u64]) -> Tally {
        Tally::default().extended_by(values.iter().copied())
    }

    #[test]
    fn the_digest_is_pinned_for_all_time() {
        assert_eq!(tally(&[0]).digest, 0xd674_11c4_baf2_65e9);
        assert_eq!(tally(&[300]).digest, 0x11e7_c5a2_5924_6d5b);
        assert_eq!(tally(&[300, 400]).digest, 0xdd5d_e61d_98d0_6473);
        assert_eq!(tally(&[0, 1, u64::MAX]).digest, 0x9750_05a7_844e_8ba7);
        assert_eq!(tally(&[]).digest, 0);
    }

    #[test]
    fn the_digest_depends_on_order_number_and_value() {
        let different = [
            tally(&[]),
            tally(&[0]),
            tally(&[0, 0]),
            tally(&[1, 2]),
            tally(&[2, 1]),
            tally(&[3, 0]),
            tally(&[0, 3]),
        ];
        for (place, one) in different.iter().enumerate() {
            for other in &different[place + 1..] {
                assert_ne!(one.digest, other.digest, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn the_sum_is_exact_beyond_64_bits() {
        assert_eq!(tally(&[u64::MAX; 3]).sum, 3 * u128::from(u64::MAX));
    }

    #[test]
    fn extending_in_two_steps_is_extending_in_one() {
        assert_eq!(tally(&[1, 2]).extended_by([3]), tally(&[1, 2, 3]));
    }

    #[test]
    fn a_tally_reads_as_a_phrase() {
        assert_eq!(tally(&[700]).to_string(), "1 message (700 in all)");
        assert_eq!(tally(&[]).to_string(), "0 messages (0 in all)");
    }
}
