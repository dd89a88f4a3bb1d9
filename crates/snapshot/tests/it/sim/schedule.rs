//! What happens when: one seed determines all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use snapshot::SnapshotId;

use super::log::Log;
use super::{Failure, Id, Outcome, Process, System};

const MOST_PROCESSES: usize = 6;
const MOST_AT_ONCE: usize = 4;
const MOST_TOKENS: u64 = 500;
/// Few, so that sums coincide often and the digest has to tell messages apart.
const MOST_TOKENS_SENT: u64 = 20;

/// The seeds to run: that many, or the one in `PIPEBANK_SEED`, to run a failure again.
pub(crate) fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let only = env::var("PIPEBANK_SEED").ok();
    let only = only.map(|seed| seed.parse::<u64>().expect("PIPEBANK_SEED is a number"));
    only.map_or(0..count, |seed| seed..seed + 1)
}

/// Runs the schedule of one seed to its end. `make` makes a process from its tokens.
pub(crate) fn run<Pr: Process>(seed: u64, make: impl Fn(u64) -> Pr) -> Result<Outcome, Failure> {
    let system = System {
        make,
        processes: BTreeMap::new(),
        channels: BTreeMap::new(),
        in_progress: BTreeSet::new(),
        log: Log::default(),
        outcome: Outcome::default(),
    };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let full_mesh = random.random_bool(0.5);
    let mut schedule = Schedule {
        random,
        full_mesh,
        next_snapshot: 1,
        system,
    };
    for _ in 0..schedule.random.random_range(2..=4) {
        schedule.join();
    }
    while !schedule.half_open().is_empty() {
        schedule.open_end();
    }
    for _ in 0..schedule.random.random_range(50..250) {
        schedule.step()?;
    }
    schedule.settle()?;
    schedule.system.completed()?;
    Ok(schedule.system.outcome)
}

struct Schedule<Pr, Make> {
    random: ChaCha8Rng,
    full_mesh: bool,
    next_snapshot: u64,
    system: System<Pr, Make>,
}

impl<Pr: Process, Make: Fn(u64) -> Pr> Schedule<Pr, Make> {
    /// One thing happens, or nothing if what was drawn cannot happen now.
    fn step(&mut self) -> Result<(), Failure> {
        match self.random.random_range(0..100) {
            0..30 => self.send(),
            30..70 => self.take()?,
            70..85 => self.open_end(),
            85..90 => self.begin()?,
            90..98 => self.collect_one()?,
            98 => self.join(),
            _ => self.connect(),
        }
        Ok(())
    }

    /// Opens and takes, in any order, until there is nothing left to open or to take; collects.
    fn settle(&mut self) -> Result<(), Failure> {
        self.system.outcome.collected_early = self.system.outcome.snapshots.len();
        while !(self.half_open().is_empty() && self.full().is_empty()) {
            if self.random.random_bool(0.2) {
                self.open_end();
            } else {
                self.take()?;
            }
        }
        for id in self.system.in_progress.clone() {
            self.system.collect(id)?;
        }
        Ok(())
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        if choices.is_empty() {
            return None;
        }
        Some(choices[self.random.random_range(0..choices.len())])
    }

    fn send(&mut self) {
        let channels = self.system.channels.iter();
        let open: Vec<_> = channels
            .filter(|(_, channel)| channel.open_out)
            .map(|(&ends, _)| ends)
            .collect();
        if let Some((from, to)) = self.pick(&open) {
            let tokens = self.system.processes[&from]
                .state()
                .tokens
                .min(MOST_TOKENS_SENT);
            let tokens = self.random.random_range(0..=tokens);
            self.system.send(from, to, tokens);
        }
    }

    /// Channels with a frame to take.
    fn full(&self) -> Vec<(Id, Id)> {
        let channels = self.system.channels.iter();
        let full = channels.filter(|(_, channel)| channel.open_in && !channel.frames.is_empty());
        full.map(|(&ends, _)| ends).collect()
    }

    fn take(&mut self) -> Result<(), Failure> {
        let full = self.full();
        self.pick(&full)
            .map_or(Ok(()), |(from, to)| self.system.take(from, to))
    }

    fn half_open(&self) -> Vec<(Id, Id)> {
        let channels = self.system.channels.iter();
        let half = channels.filter(|(_, channel)| !(channel.open_in && channel.open_out));
        half.map(|(&ends, _)| ends).collect()
    }

    /// Opens one end of a channel of which an end is not open.
    fn open_end(&mut self) {
        let half_open = self.half_open();
        let Some((from, to)) = self.pick(&half_open) else {
            return;
        };
        let first = self.random.random_bool(0.5);
        let channel = self.system.channel(from, to);
        if channel.open_out || (first && !channel.open_in) {
            self.system.open_in(from, to);
        } else {
            self.system.open_out(from, to);
        }
    }

    /// A new snapshot begins, or one in progress at a process that has not heard of it.
    fn begin(&mut self) -> Result<(), Failure> {
        let in_progress: Vec<_> = self.system.in_progress.iter().copied().collect();
        let again = self.random.random_bool(0.3);
        let processes: Vec<_> = self.system.processes.keys().copied().collect();
        let Some(process) = self.pick(&processes) else {
            return Ok(());
        };
        if again && let Some(id) = self.pick(&in_progress) {
            let heard = self.system.log.has_heard(process, id);
            return if heard {
                Ok(())
            } else {
                self.system.begin(process, id)
            };
        }
        if in_progress.len() == MOST_AT_ONCE {
            return Ok(());
        }
        let id = SnapshotId(self.next_snapshot);
        self.next_snapshot += self.random.random_range(1..=2); // with gaps
        self.system.begin(process, id)
    }

    fn collect_one(&mut self) -> Result<(), Failure> {
        let in_progress: Vec<_> = self.system.in_progress.iter().copied().collect();
        self.pick(&in_progress)
            .map_or(Ok(()), |id| self.system.collect(id))
    }

    /// A process joins, with at least one channel each way, so that every process can be reached
    /// from every other.
    fn join(&mut self) {
        if self.system.processes.len() == MOST_PROCESSES {
            return;
        }
        let others: Vec<_> = self.system.processes.keys().copied().collect();
        let tokens = self.random.random_range(0..=MOST_TOKENS);
        let new = self.system.join(tokens);
        let (into, out) = (self.pick(&others), self.pick(&others));
        for other in others {
            if self.full_mesh || into == Some(other) || self.random.random_bool(0.3) {
                self.system.connect(other, new);
            }
            if self.full_mesh || out == Some(other) || self.random.random_bool(0.3) {
                self.system.connect(new, other);
            }
        }
    }

    /// A channel more between processes that have been there before.
    fn connect(&mut self) {
        let processes: Vec<_> = self.system.processes.keys().copied().collect();
        if let (Some(from), Some(to)) = (self.pick(&processes), self.pick(&processes))
            && from != to
        {
            self.system.connect(from, to);
        }
    }
}
