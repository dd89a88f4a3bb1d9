//! The machine fails: everybody dies at once, and what was never synced may be lost.
//!
//! With `--sync` nothing is answered that is not on the disk, so that only standard output, which nobody
//! syncs, is shorter than it was. Without, each journal has lost its end, whatever the others have lost.

use super::World;
use crate::world::Complaint;

/// What a machine that fails takes with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failing {
    /// It does not fail.
    #[default]
    Never,
    /// What a file that is not synced has been shown.
    Shown,
    /// That, and the ends of all journals.
    Journals,
}

impl World {
    /// Everybody is dead: perhaps because the machine has failed.
    pub(super) fn machine_may_fail(&mut self) {
        if self.failing == Failing::Never || self.draw.pick(4) == 0 {
            return;
        }
        self.machine_failures += 1;
        let ends: Vec<usize> = self.shown.char_indices().map(|(at, _)| at).collect();
        if !ends.is_empty() && self.draw.pick(2) == 0 {
            self.shown.truncate(ends[self.draw.pick(ends.len())]);
        }
        if self.failing == Failing::Shown {
            return;
        }
        let draw = &mut self.draw;
        let journals = self.kept.values_mut().flatten();
        for (place, kept) in journals {
            // What nobody has written to for long is on the disk.
            if self.nodes.contains_key(place) && draw.pick(2) == 0 {
                let left = draw.pick(kept.journal.len() + 1);
                kept.journal.truncate(left);
            }
        }
        if draw.pick(2) == 0 {
            let left = draw.pick(self.outcomes.len() + 1);
            self.outcomes.truncate(left);
        }
    }
}

/// How a bank says that it has lost what it had promised to nobody: a node, that it has done less than
/// others know of, or more than master; and master, that what it shows is not what was shown.
const REFUSALS: [&str; 4] = [
    "its end is lost",
    "the end of its journal is lost",
    ", and master says ",
    "run again, it shows",
];

mod tests {
    use std::cell::Cell;

    use bank::draw::Draw;
    use bank::script::read_lasting_script;
    use testing::generate::pieces_of;

    use super::super::{Disorder, check};
    use super::*;
    use crate::{ENOUGH, deposits, each_seed, lasting_system, shrunken, traffic};

    /// A bank in which everybody dies again and again, mostly since the machine fails.
    fn world(text: &str, seed: u64, schedule: u64, failing: Failing) -> (World, Vec<String>) {
        let mut draw = Draw::from_seed(seed ^ 0x0fa1_1fa1);
        let scripts = pieces_of(text, 1 + draw.pick(2), seed);
        let disorder = Disorder {
            deaths: draw.pick(6) as u32,
            one_in: [10, 30, 100][draw.pick(3)],
            window: [1, 4, 16, 64, 1024, 1024][draw.pick(6)],
            tile: 1 + draw.pick(4),
            withholding: draw.pick(2) == 0,
            ends: 1 + draw.pick(5) as u32,
            life: [30, 300, 1000][draw.pick(3)],
            notes_every: [None, Some(1), Some(5)][draw.pick(3)],
            segment: [None, Some(1), Some(50)][draw.pick(3)],
            ..Disorder::default()
        };
        let schedule = seed.wrapping_mul(31).wrapping_add(schedule);
        let mut world = World::new(&scripts, seed, schedule, disorder);
        world.failing = failing;
        (world, scripts)
    }

    fn text(seed: u64) -> String {
        match seed % 2 {
            0 => traffic(seed),
            _ => lasting_system(seed),
        }
    }

    fn is_right(world: &World, scripts: &[String], text: &str, seed: u64) -> Result<(), Complaint> {
        let statements = read_lasting_script(text.as_bytes()).unwrap();
        check(world, scripts, seed, &deposits(&statements))
    }

    #[test]
    fn with_sync_a_machine_that_fails_takes_nothing_that_was_answered() {
        let failures = Cell::new(0);
        let run = |text: &str, seed, schedule| {
            let (mut world, scripts) = world(text, seed, schedule, Failing::Shown);
            world.run()?;
            failures.set(failures.get() + world.machine_failures);
            is_right(&world, &scripts, text, seed)
        };
        let runs = each_seed(1_000, |seed| shrunken(&text(seed), seed, run));
        assert!(
            failures.get() > 0 || runs < ENOUGH,
            "the machine has never failed"
        );
    }

    #[test]
    fn without_sync_what_a_machine_that_fails_has_left_is_gone_on_with_or_refused() {
        let (went_on, refused) = (Cell::new(0), Cell::new(0));
        let run = |text: &str, seed, schedule| {
            let (mut world, scripts) = world(text, seed, schedule, Failing::Journals);
            let run = world.run();
            // Of who is dead in the end it is seen only then.
            match run.and_then(|()| is_right(&world, &scripts, text, seed)) {
                Ok(()) if world.machine_failures > 0 => went_on.set(went_on.get() + 1),
                Ok(()) => {}
                Err(why) if REFUSALS.iter().any(|refusal| why.contains(refusal)) => {
                    refused.set(refused.get() + 1);
                }
                Err(why) => return Err(why),
            }
            Ok(())
        };
        let runs = each_seed(1_000, |seed| shrunken(&text(seed), seed, run));
        assert!(
            runs < ENOUGH || went_on.get() > 0 || refused.get() > 0,
            "the machine has never failed"
        );
    }
}
