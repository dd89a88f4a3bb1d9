//! Everybody has died, master too: the same script is run again, by another master, from its first line.

use bank::master::{Image, Master, Setup};
use bank::script::{Refusal, ScriptReader};
use serde::{Serialize, de::DeserializeOwned};

use super::super::checks::the_history_is_right;
use super::super::network::Network;
use super::super::world::Complaint;
use super::{Disorder, Noted, World};

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

    /// The next script begins.
    pub(super) fn begin(&mut self) -> Result<(), Complaint> {
        let text = self.next.pop_front().ok_or("no script")?;
        let reader = ScriptReader::default().lasting(true);
        let reader = match &self.image {
            Some(image) => reader.opening(image.known()),
            None => reader,
        };
        let refused = |refusals: Vec<Refusal>| format!("it is refused: {refusals:?}\n{text}");
        self.script = reader.read(text.as_bytes()).map_err(refused)?;
        self.run_script(false);
        Ok(())
    }

    fn run_script(&mut self, again: bool) {
        if again {
            self.machine_may_fail();
        }
        self.nodes.clear();
        self.ends.clear();
        self.pipes.clear();
        self.lines.clear();
        self.observer = None;
        self.network = Network::new(self.disorder.network);
        (self.finished, self.is_master_dead) = (false, false);
        (self.is_open, self.round) = (false, self.first_round() - 1);
        self.executed = 0;
        let mut master = master(self.seed, self.disorder);
        match &mut self.noted {
            None => {
                self.history.clear();
                self.stdout.clear();
                self.failures.clear();
                self.statements = self.script.clone().into();
                if let Some(image) = &self.image {
                    master.reopen(image.clone());
                }
            }
            Some(noted) => {
                self.stdout.clone_from(&noted.stdout);
                self.failures.clone_from(&noted.failures);
                self.statements.clone_from(&noted.statements);
                if self.draw.pick(4) == 0 {
                    // Somebody has removed its file.
                    noted.history = None;
                    noted.events = 0;
                }
                self.history.truncate(noted.events);
                let history = noted.history.clone();
                let opens = master.go_on_from(noted.image.clone(), noted.draws, history);
                self.statements.push_front(opens);
            }
        }
        if again {
            master.recall(self.outcomes.iter().cloned());
        }
        self.master = master;
    }

    /// Nothing is in flight: makes a note of that.
    pub(super) fn note(&mut self) -> Result<(), Complaint> {
        let Some(moment) = self.master.moment() else {
            // Once more after the next statement.
            self.executed -= 1;
            return Ok(());
        };
        self.master_may_die(true);
        if self.is_master_dead {
            return Ok(());
        }
        self.executed = 0;
        self.outcomes = moment.ahead;
        self.kept.retain(|round, _| *round == self.round);
        self.noted = Some(Noted {
            image: written_and_read(moment.image)?,
            draws: moment.draws,
            history: written_and_read(moment.history)?,
            events: self.history.len(),
            round: self.round,
            statements: self.statements.clone(),
            stdout: self.stdout.clone(),
            failures: self.failures.clone(),
        });
        self.notes += 1;
        self.master_may_die(true);
        if self.is_master_dead {
            return Ok(());
        }
        self.master.noted();
        self.after(Ok(()))
    }

    /// The bank that is opened where the script is run again.
    pub(super) fn opened(&self) -> Option<&Image> {
        let noted = self.noted.as_ref().map(|noted| &noted.image);
        noted.or(self.image.as_ref())
    }

    /// The number of that bank, or of the first.
    pub(super) fn first_round(&self) -> u64 {
        let noted = self.noted.as_ref().map(|noted| noted.round);
        noted.unwrap_or(self.ended + 1)
    }

    /// The script is over: everybody ends, and what is left of the bank is kept for the next one.
    pub(super) fn close(&mut self) -> Result<(), Complaint> {
        self.master_may_die(true);
        if self.is_master_dead {
            return Ok(());
        }
        shows_what_was_shown(&self.stdout, &self.shown)?;
        the_history_is_right(&self.history)?;
        let failed = self.failures.iter().map(|(line, _)| *line).collect();
        let shown = std::mem::take(&mut self.stdout);
        self.earlier.push((shown, failed));
        self.shown.clear();
        self.image_is_what_is_left()?;
        self.outcomes.clear();
        self.noted = None;
        self.image = self.master.image().map(written_and_read).transpose()?;
        self.ended = self.round - u64::from(self.is_open);
        self.kept.retain(|round, _| *round > self.ended);
        self.begin()
    }

    /// Those that are left die too, and everything begins again.
    pub(super) fn begin_again(&mut self) -> Result<(), Complaint> {
        for place in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.kill(place);
        }
        let shown = std::mem::take(&mut self.stdout);
        if !self.shown.starts_with(&shown) {
            shows_what_was_shown(&shown, &self.shown)?;
            self.shown = shown;
        }
        if self.disorder.is_fickle && self.draw.pick(2) == 0 {
            return self.give_up();
        }
        // Another master may be in more of a hurry.
        self.disorder.window = [1, 4, 64, 1024][self.draw.pick(4)];
        self.run_script(true);
        self.runs += 1;
        Ok(())
    }

    /// A bank is begun or, where there is one, opened.
    pub(super) fn open(&mut self) {
        self.round += 1;
        self.is_open = true;
    }

    /// A bank is over. What this script has not begun is kept until it is over, as it may be run again.
    pub(super) fn end_bank(&mut self) {
        let (opened, first) = (self.opened().is_some(), self.first_round());
        if !self.is_open && opened {
            self.round = first;
        }
        if !opened || self.round > first {
            self.kept.remove(&self.round);
        }
        self.is_open = false;
    }
}

/// What comes out of a file.
pub(super) fn written_and_read<T: Serialize + DeserializeOwned>(value: T) -> Result<T, Complaint> {
    let bytes = pipes::to_bytes(&value).map_err(|error| error.to_string())?;
    pipes::from_bytes(&bytes).map_err(|error| error.to_string())
}

/// What earlier runs have shown, this one has shown too.
pub fn shows_what_was_shown(now: &str, before: &str) -> Result<(), Complaint> {
    match now.starts_with(before) {
        true => Ok(()),
        false => Err(format!("run again, it shows\n{now}and had shown\n{before}")),
    }
}
