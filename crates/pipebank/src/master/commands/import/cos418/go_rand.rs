//! The random numbers of Go's `math/rand`, which the assignment's published results depend on.
//!
//! An additive lagged Fibonacci generator of D. P. Mitchell and J. A. Reeds: each number is the sum of
//! those 607 and 273 before it. Go mixes a seed into a state that it has as a table: the one that the
//! generator reaches from the seed 1 after 7.8 × 10¹² numbers. Here it is computed, since the recurrence
//! is linear: number n is a sum of the first 607, and how often each is in it are the coefficients of xⁿ
//! modulo x⁶⁰⁷ − x³³⁴ − 1.

const LENGTH: usize = 607;
const LAG: usize = 273;
/// How many numbers lie between the seed 1 and the state that seeds are mixed into.
const AHEAD: u64 = 7_800_000_000_000;

/// Go's `rand.New(rand.NewSource(seed))`.
#[derive(Debug)]
pub(super) struct GoRand {
    /// The last 607 numbers, each where the one 607 later replaces it.
    state: Vec<u64>,
    /// Where the number 273 before the next one is, plus 1; and the one 607 before.
    tap: usize,
    feed: usize,
}

impl GoRand {
    pub(super) fn from_seed(seed: i64) -> Self {
        let mixed = spread(seed, 20).into_iter().zip(far_ahead());
        Self {
            state: mixed.map(|(seed, far)| seed ^ far).collect(),
            tap: LENGTH,
            feed: LENGTH - LAG,
        }
    }

    /// A number below `bound`, which is more than 0 and no power of two: Go's `Intn`.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        const RANGE: u32 = 1 << 31;
        let fair = RANGE - RANGE % bound;
        loop {
            // The upper 31 of the lower 63 bits.
            let number = (self.next() << 1 >> 33) as u32;
            if number < fair {
                return number % bound;
            }
        }
    }

    fn next(&mut self) -> u64 {
        let before = |at: usize| at.checked_sub(1).unwrap_or(LENGTH - 1);
        (self.tap, self.feed) = (before(self.tap), before(self.feed));
        let number = self.state[self.feed].wrapping_add(self.state[self.tap]);
        self.state[self.feed] = number;
        number
    }
}

/// A state made of a seed, by Lehmer's generator: of each three numbers, the first is shifted by
/// twice `shift` bits, the second by `shift`.
fn spread(seed: i64, shift: u32) -> Vec<u64> {
    const MODULUS: i64 = (1 << 31) - 1;
    let mut number = match seed.rem_euclid(MODULUS) {
        0 => 89_482_311,
        seed => seed,
    };
    let mut next = || {
        number = number * 48_271 % MODULUS;
        number as u64
    };
    for _ in 0..20 {
        next();
    }
    let mut word = || next() << (2 * shift) ^ next() << shift ^ next();
    (0..LENGTH).map(|_| word()).collect()
}

/// The state far ahead of the seed 1.
fn far_ahead() -> Vec<u64> {
    // Number k ≥ 1 goes where number k − 607 is, at (334 − k) mod 607.
    let place = |number: u64| {
        let back = number % LENGTH as u64;
        (2 * LENGTH - LAG - back as usize) % LENGTH
    };
    let first = spread(1, 10);
    let mut numbers: Vec<u64> = (1..=LENGTH as u64).map(|k| first[place(k)]).collect();
    for at in LENGTH..2 * LENGTH {
        numbers.push(numbers[at - LENGTH].wrapping_add(numbers[at - LAG]));
    }
    let weights = power(AHEAD);
    let mut state = vec![0; LENGTH];
    for (at, from) in numbers.windows(LENGTH).take(LENGTH).enumerate() {
        let products = weights.iter().zip(from);
        let number = products.fold(0, |sum: u64, (a, b)| sum.wrapping_add(a.wrapping_mul(*b)));
        state[place(AHEAD + at as u64 + 1)] = number;
    }
    state
}

/// xⁿ modulo x⁶⁰⁷ − x³³⁴ − 1; coefficients from that of x⁰ on, modulo 2⁶⁴.
fn power(n: u64) -> Vec<u64> {
    let mut power = vec![0_u64; LENGTH];
    power[0] = 1;
    for bit in (0..u64::BITS - n.leading_zeros()).rev() {
        let odd = (n >> bit & 1) as usize;
        let mut square = vec![0_u64; 2 * LENGTH];
        for (at, a) in power.iter().enumerate() {
            for (sum, b) in square[at + odd..].iter_mut().zip(&power) {
                *sum = sum.wrapping_add(a.wrapping_mul(*b));
            }
        }
        for at in (LENGTH..2 * LENGTH).rev() {
            let high = square[at];
            for lower in [at - LENGTH, at - LAG] {
                square[lower] = square[lower].wrapping_add(high);
            }
        }
        square.truncate(LENGTH);
        power = square;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::GoRand;

    #[test]
    fn the_numbers_are_those_of_go() {
        let drawn = |seed, bound, count| {
            let mut rand = GoRand::from_seed(seed);
            let numbers = std::iter::repeat_with(|| rand.below(bound));
            numbers.take(count).collect::<Vec<u32>>()
        };
        assert_eq!(drawn(1, 100, 10), [81, 87, 47, 59, 81, 18, 25, 40, 56, 0]);
        let delays = [3, 2, 3, 2, 0, 1, 2, 1, 0, 1, 4, 4, 2, 2, 0, 3];
        assert_eq!(drawn(8_053_172_852_482_175_524, 5, 16), delays);
        // More than once round the state, and seeds that are 0 or negative once they are reduced.
        for (seed, sum) in [
            (0, 176_432_918),
            (i64::from(i32::MAX), 176_432_918),
            (-5, 75_282_812),
            (i64::MIN, 959_919_991),
        ] {
            let numbers = drawn(seed, 1_000_003, 5000);
            let mixed = |sum: u64, number: &u32| (sum * 31 + u64::from(*number)) % 1_000_000_007;
            assert_eq!(numbers.iter().fold(0, mixed), sum, "{seed}");
        }
        // Where most numbers are drawn again.
        let large = drawn(8_053_172_852_482_175_524, 1_073_741_825, 4);
        assert_eq!(large, [111_137_927, 193_793_218, 672_624_337, 945_174_926]);
    }
}
