//! The random numbers that a script and a seed promise: ChaCha with 8 rounds, one 64-bit draw a choice.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The choices of one run.
#[derive(Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// Those that `seed` determines.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// One of `0..choices`: as many 2⁶⁴ths of them as the draw has, rounded down. Also a single
    /// choice takes a draw.
    ///
    /// # Panics
    ///
    /// If there is nothing to choose from.
    pub fn pick(&mut self, choices: usize) -> usize {
        assert!(choices > 0, "nothing to pick from");
        let wide = u128::from(self.0.next_u64()) * choices as u128;
        (wide >> 64) as usize
    }
}
