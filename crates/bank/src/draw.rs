//! All of the system's randomness: one generator, seeded once, drawn from by master alone.
//!
//! The generator is named and portable (ChaCha with 8 rounds), so that a script and a seed give
//! the same run on every machine.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator of one run.
#[derive(Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The generator that `seed` determines.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
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
