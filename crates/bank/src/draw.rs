//! All of the system's randomness, from one seed.
//!
//! In a script only master draws. The generator is named and portable (ChaCha with 8 rounds), so
//! that a script and a seed give the same run on every machine. Under load each node draws for
//! itself, from the stream of that generator which has the node's number; the stream only seeds a
//! faster one (SplitMix64), as there is a draw for every transfer.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_xoshiro::SplitMix64;

use crate::id::NodeId;

/// How many of the generator's words a draw takes.
const WORDS: u128 = 2;

/// The generator of one run.
#[derive(Clone, Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The generator that `seed` determines.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The same once so much was drawn.
    #[must_use]
    pub fn after(seed: u64, draws: u64) -> Self {
        let Self(mut generator) = Self::from_seed(seed);
        generator.set_word_pos(u128::from(draws) * WORDS);
        Self(generator)
    }

    /// How often was drawn so far.
    #[must_use]
    pub fn draws(&self) -> u64 {
        (self.0.get_word_pos() / WORDS) as u64
    }

    /// One of `0..choices`, uniformly, from exactly one 64-bit draw (also where there is but one
    /// choice). The bias of the multiplication is at most `choices` in 2⁶⁴.
    ///
    /// `choices` must not be 0: there is nothing to pick from nothing.
    pub fn pick(&mut self, choices: usize) -> usize {
        debug_assert!(choices > 0, "nothing to pick from");
        let wide = u128::from(self.0.next_u64()) * choices as u128;
        (wide >> 64) as usize
    }
}

/// The choices of one node under load.
#[derive(Clone, Debug)]
pub struct NodeDraw(SplitMix64);

/// What transfers are to be worth on average: twice that, as a fixed-point number.
#[derive(Clone, Copy, Debug)]
pub struct Average(u64);

impl Average {
    /// Digits behind the binary point.
    const FRACTION: u32 = 16;

    /// The money divided among the transfers (at least one), but no more than 2⁴⁶ each.
    #[must_use]
    pub fn of(money: u64, transfers: u64) -> Self {
        let twice = (u128::from(money) << (Self::FRACTION + 1)) / u128::from(transfers.max(1));
        Self(u64::try_from(twice).unwrap_or(u64::MAX).min(u64::MAX >> 1))
    }
}

impl NodeDraw {
    /// The generator that `seed` determines for this node.
    #[must_use]
    pub fn from_seed(seed: u64, node: NodeId) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(node.0);
        Self(SplitMix64::from_rng(&mut stream))
    }

    /// The generator whose [state](Self::state) was that.
    #[must_use]
    pub fn from_state(state: u64) -> Self {
        Self(SplitMix64::seed_from_u64(state))
    }

    /// All that there is to know of what it will draw.
    #[must_use]
    pub fn state(&self) -> u64 {
        u64::from_le_bytes(self.0.state())
    }

    /// One of `1..=largest`.
    pub fn size(&mut self, largest: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(largest);
        (wide >> 64) as u64 + 1
    }

    /// An amount between 0 and twice the average, which need not be whole: a half is now 0, now 1.
    #[inline]
    pub fn amount(&mut self, average: Average) -> u64 {
        let bits = self.0.next_u64();
        let scaled = ((u128::from(bits) * u128::from(average.0)) >> 64) as u64;
        // The low bits decide how the fraction is rounded.
        let rounding = bits & ((1 << Average::FRACTION) - 1);
        (scaled + rounding) >> Average::FRACTION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_worth_what_they_should_be_on_average() {
        let mut draw = NodeDraw::from_seed(1, NodeId(1));
        for (money, transfers) in [(1000, 4), (1000, 3000), (7, 7), (0, 5)] {
            let average = Average::of(money, transfers);
            let draws = 200_000;
            let sum: u64 = (0..draws).map(|_| draw.amount(average)).sum();
            let found = sum as f64 / f64::from(draws);
            let wanted = money as f64 / transfers as f64;
            assert!(
                (found - wanted).abs() <= wanted * 0.02,
                "{found} for {wanted}"
            );
        }
    }

    #[test]
    fn an_average_of_everything_there_is_fits() {
        let mut draw = NodeDraw::from_seed(1, NodeId(1));
        for _ in 0..1000 {
            let _ = draw.amount(Average::of(u64::MAX, 1));
        }
    }

    #[test]
    fn every_node_and_every_seed_draws_for_itself_and_always_the_same() {
        let first = |seed, node| NodeDraw::from_seed(seed, NodeId(node)).0.next_u64();
        assert_eq!(first(1, 1), first(1, 1));
        assert_ne!(first(1, 1), first(1, 2));
        assert_ne!(first(1, 1), first(2, 1));
    }

    #[test]
    fn what_a_node_draws_is_pinned_for_journals_and_goes_on_from_its_state() {
        let mut draw = NodeDraw::from_seed(7, NodeId(3));
        assert_eq!(draw.0.next_u64(), 0x2bd5_3089_8197_8fc1);
        let mut other = NodeDraw::from_state(draw.state());
        assert_eq!(draw.0.next_u64(), 0xf182_e5f5_650c_4d0f);
        assert_eq!(other.0.next_u64(), 0xf182_e5f5_650c_4d0f);
    }
}
