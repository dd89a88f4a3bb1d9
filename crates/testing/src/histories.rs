//! Random histories that are valid: a small system of processes, channels and Chandy–Lamport
//! snapshots, played from a seed.
//!
//! It shares nothing with what reads and judges histories but the events themselves.

mod run;
mod tally;

use history::{Amount, Event, System};

pub use run::run;

/// What a run is like.
#[derive(Clone, Debug)]
pub struct Params {
    /// Processes at its beginning.
    pub processes: u64,
    /// How many things happen, more or less.
    pub steps: u64,
    /// How many snapshots may be in progress at once.
    pub snapshots: usize,
    /// Processes that join while it goes on, at most.
    pub joins: u64,
    /// Processes that die, at most.
    pub deaths: u64,
    /// Whether they are restarted, and go on where they were.
    pub restarts: bool,
    /// Whether processes also try to send more than they have.
    pub refusals: bool,
    /// How many messages wait on a channel at most.
    pub capacity: usize,
    /// Whether there are only the channels that are opened, most of them at the beginning.
    pub sparse: bool,
}

impl Params {
    /// Some, as the seed has it; one run in four has deaths, and one in three others has deaths and restarts.
    pub fn any(seed: u64) -> Self {
        let mut draw = Draw::new(!seed);
        let mut params = Self {
            processes: 1 + draw.below(6),
            steps: 10 + draw.below(150),
            snapshots: 1 + draw.below(3) as usize,
            joins: draw.below(3),
            deaths: if draw.one_in(4) { 1 + draw.below(2) } else { 0 },
            restarts: false,
            refusals: draw.one_in(2),
            capacity: if draw.one_in(3) { 3 } else { usize::MAX },
            sparse: draw.one_in(3),
        };
        if params.deaths == 0 && draw.one_in(3) {
            (params.deaths, params.restarts) = (1 + draw.below(6), true);
        }
        params
    }
}

/// The seeds of a number of runs; only that of the environment variable PIPEBANK_SEED where it is set.
pub fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("PIPEBANK_SEED") {
        Ok(seed) => vec![seed.parse().expect("PIPEBANK_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}

/// A history of one or two systems.
pub fn history(seed: u64) -> Vec<Event> {
    let mut events = run(seed, &Params::any(seed));
    if seed.is_multiple_of(10) {
        events.extend(run(seed + 1, &Params::any(seed + 1)));
    }
    events
}

/// The same, linked.
pub fn systems(seed: u64) -> Vec<System> {
    let linked = System::link(history(seed));
    linked.unwrap_or_else(|error| panic!("{error}\nPIPEBANK_SEED={seed}"))
}

/// Random numbers (splitmix64).
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end.max(1)
    }

    /// An amount that is no more than this.
    fn up_to(&mut self, most: Amount) -> Amount {
        let most = u64::try_from(most).unwrap_or(0);
        self.below(most.saturating_add(1)).into()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let index = self.below(from.len() as u64) as usize;
        from.get(index).copied()
    }
}
