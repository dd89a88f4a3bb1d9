//! Now and then, in a bank that lasts, it is noted how far the script is: from there on it goes on when
//! everybody has died, so that who is killed again and again gets on all the same.
//!
//! Not so where a history is wanted, which would begin there too; nor of a script that is read line by line,
//! which cannot be read again.

use bank::script::Statement;

use super::Session;
use crate::master::lasting::Position;
use crate::master::shared::Stop;

/// What a note takes is to be little beside what has led to it: a byte for so many steps.
const STEPS_OF_A_BYTE: u64 = 4;

/// When a note is made of how far a script is.
#[derive(Debug)]
pub(super) struct Moments {
    /// Whether any is.
    are_wanted: bool,
    /// How many statements are done, and where the bank has to be opened before the next, what does that.
    pub(super) done: u64,
    opens: Option<Statement>,
    /// At how many steps the next is due.
    due: u64,
}

impl Moments {
    /// After so many statements.
    pub(super) fn new((done, opens): (u64, Option<Statement>), are_wanted: bool) -> Self {
        Self {
            are_wanted,
            done,
            opens,
            due: u64::MAX,
        }
    }

    /// Whether it is time, when so much was issued.
    #[inline]
    fn is_one_due(&self, issued: u64) -> bool {
        issued >= self.due
    }
}

impl Session<'_> {
    /// Executes a script that can be read again, or what is left of it.
    pub(in crate::master) fn execute_script(
        &mut self,
        statements: Vec<Statement>,
    ) -> Result<(), Stop> {
        let done = self.moments.done;
        if let Some(opens) = self.moments.opens.take() {
            self.execute(&opens)?;
        }
        if self.moments.are_wanted {
            self.moments.due = self.settings.notes_every;
        }
        let done = usize::try_from(done).unwrap_or(usize::MAX);
        for statement in statements.iter().skip(done) {
            if self.moments.is_one_due(self.master.issued()) {
                self.note_moment()?;
            }
            self.moments.done += 1;
            self.execute(statement)?;
        }
        Ok(())
    }

    /// Notes how far the script is, once nothing is in flight.
    #[cold]
    fn note_moment(&mut self) -> Result<(), Stop> {
        while !self.master.is_ready() {
            self.advance()?;
        }
        // Before long everything is retired by itself, mostly: only where it never is, it is waited for.
        let at_the_latest = self
            .moments
            .due
            .saturating_add(self.settings.notes_every / 2);
        if !self.master.is_idle() && self.master.issued() < at_the_latest {
            return Ok(());
        }
        self.show_everything()?;
        let Some(moment) = self.master.moment() else {
            return Ok(());
        };
        let Some(data) = &mut self.cluster.data else {
            return Ok(());
        };
        let position = Position {
            statements: self.moments.done,
            draws: moment.draws,
            ahead: moment.ahead,
            shown: self.results.shown(),
            failed: self.failed,
            broken: self.broken,
            ..Position::default()
        };
        let bytes = data.note(moment.image, position)?;
        self.master.noted();
        self.carry_out(Ok(()))?;
        let enough = self.settings.notes_every.max(bytes * STEPS_OF_A_BYTE);
        self.moments.due = self.master.issued() + enough;
        Ok(())
    }
}
