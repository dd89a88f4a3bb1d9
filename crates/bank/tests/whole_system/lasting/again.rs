//! Everybody has died, master too: the same script is run again, by another master, from its first line.

use bank::master::{Master, Setup};

use super::super::world::Complaint;
use super::{Disorder, World};

pub fn master(seed: u64, disorder: Disorder) -> Master {
    Master::new(Setup {
        seed,
        window: disorder.window,
        tile: disorder.tile,
        history: true,
        lasting: true,
    })
}

impl World {
    /// Whether master dies now, more likely where it is doing something delicate. The others notice that
    /// some time later.
    pub(super) fn master_may_die(&mut self, is_delicate: bool) {
        if self.disorder.ends == 0 {
            return;
        }
        self.left -= 1;
        if self.left == 0 || is_delicate && self.draw.pick(20) == 0 {
            self.disorder.ends -= 1;
            self.left = 1 + self.draw.pick(self.disorder.life);
            self.is_master_dead = true;
            self.is_tenacious = self.draw.pick(2) == 0;
        }
    }

    /// Those that are left die too, and everything begins again.
    pub(super) fn begin_again(&mut self) -> Result<(), Complaint> {
        for place in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.kill(place);
        }
        self.nodes.clear();
        self.ends.clear();
        self.observer = None;
        let shown = std::mem::take(&mut self.stdout);
        if !self.shown.starts_with(&shown) {
            shows_what_was_shown(&shown, &self.shown)?;
            self.shown = shown;
        }
        self.failures.clear();
        self.history.clear();
        // Another master may be in more of a hurry.
        self.disorder.window = [1, 4, 64, 1024][self.draw.pick(4)];
        let master = master(self.seed, self.disorder);
        self.master = master.recalling(self.outcomes.iter().cloned());
        self.is_master_dead = false;
        self.statements = self.script.clone().into();
        (self.finished, self.round) = (false, 0);
        self.runs += 1;
        Ok(())
    }
}

/// What earlier runs have shown, this one has shown too.
pub fn shows_what_was_shown(now: &str, before: &str) -> Result<(), Complaint> {
    match now.starts_with(before) {
        true => Ok(()),
        false => Err(format!("run again, it shows\n{now}and had shown\n{before}")),
    }
}
