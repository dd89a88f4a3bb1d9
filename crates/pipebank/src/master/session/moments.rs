//! Now and then, in a bank that lasts, it is noted how far the script is: from there on it goes on when
//! everybody has died, so that who is killed again and again gets on all the same; and what the journals
//! hold of what was before is removed.
//!
//! Not so of a script in a file whose history cannot go on there, since it is in no file. A script that is read
//! line by line is never taken up: its notes keep the journals short, and where it is given up the bank follows
//! from the last.

use bank::script::Statement;

use super::Session;
use crate::master::chronicle::Chronicle;
use crate::master::lasting::Position;
use crate::master::shared::Stop;

/// What a note takes is to be little beside what has led to it: a byte for so many steps.
const STEPS_OF_A_BYTE: u64 = 4;

/// The next note is due when a run has done as much again as it had at the last, so that half of what it did
/// stays done whenever it is killed; but after so many times the fewest steps at the latest, so that journals
/// stay short.
const MOST: u64 = 20;

/// When a note is made of how far a script is.
#[derive(Debug)]
pub(super) struct Moments {
    /// Never after fewer steps than these.
    every: u64,
    /// How many statements are done, and where the bank has to be opened before the next, what does that.
    pub(super) done: u64,
    opens: Option<Statement>,
    /// At how many steps of this run the next is due.
    due: u64,
}

impl Moments {
    /// After so many statements. There is a note after these many steps; none where that is `None`.
    pub(super) fn new((done, opens): (u64, Option<Statement>), every: Option<u64>) -> Self {
        Self {
            every: every.unwrap_or(u64::MAX),
            done,
            opens,
            due: every.unwrap_or(u64::MAX),
        }
    }

    /// Whether it is time, when so much was issued.
    #[inline]
    fn is_one_due(&self, issued: u64) -> bool {
        issued >= self.due
    }

    /// Whether it is high time, when so much was issued: what is in flight is waited for.
    fn is_one_overdue(&self, issued: u64) -> bool {
        issued >= self.due.saturating_add(self.every / 2)
    }

    /// One was made, when so much was issued, and took so many bytes.
    fn made(&mut self, issued: u64, bytes: u64) {
        let as_much_again = issued.min(self.every.saturating_mul(MOST));
        let enough = as_much_again
            .max(self.every)
            .max(bytes.saturating_mul(STEPS_OF_A_BYTE));
        self.due = issued.saturating_add(enough);
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
        let done = usize::try_from(done).unwrap_or(usize::MAX);
        for statement in statements.iter().skip(done) {
            self.execute_next(statement)?;
        }
        Ok(())
    }

    /// Executes the next statement, and notes before it how far the script is, if it is time.
    #[inline]
    pub(in crate::master) fn execute_next(&mut self, statement: &Statement) -> Result<(), Stop> {
        if self.moments.is_one_due(self.master.issued()) {
            self.note_moment()?;
        }
        self.moments.done += 1;
        self.execute(statement)
    }

    /// Notes how far the script is, once nothing is in flight.
    #[cold]
    fn note_moment(&mut self) -> Result<(), Stop> {
        while !self.master.is_ready() {
            self.advance()?;
        }
        // Before long everything is retired by itself, mostly: only where it never is, it is waited for.
        if !self.master.is_idle() && !self.moments.is_one_overdue(self.master.issued()) {
            return Ok(());
        }
        self.show_everything()?;
        let Some(moment) = self.master.moment() else {
            return Ok(());
        };
        let Some(data) = &mut self.cluster.data else {
            return Ok(());
        };
        let chronicle = self.chronicle.as_ref();
        let position = Position {
            statements: self.moments.done,
            draws: moment.draws,
            ahead: moment.ahead,
            shown: self.results.shown(),
            failed: self.failed,
            broken: self.broken,
            history: chronicle.and_then(Chronicle::reached).zip(moment.history),
            known: None,
        };
        let bytes = data.note(moment.image, position, chronicle)?;
        self.master.noted();
        self.carry_out(Ok(()))?;
        self.moments.made(self.master.issued(), bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_killed_keeps_half_of_what_was_done_and_notes_become_rare() {
        let mut moments = Moments::new((0, None), Some(100));
        let (mut notes, mut last) = (Vec::new(), 0);
        for issued in 0..100_000 {
            if moments.is_one_due(issued) {
                moments.made(issued, 10);
                notes.push(issued);
                last = issued;
            }
            assert!(
                issued < 100 || issued - last <= issued / 2,
                "at {issued}: {last}"
            );
            assert!(issued - last < 100 * MOST, "at {issued}: {last}");
        }
        assert_eq!(notes[..7], [100, 200, 400, 800, 1600, 3200, 5200]);
        assert!(notes.len() < 60, "{notes:?}");
    }

    #[test]
    fn a_note_of_many_bytes_is_seldom_made() {
        let mut moments = Moments::new((0, None), Some(100));
        moments.made(100, 1000);
        assert!(!moments.is_one_due(4099));
        assert!(moments.is_one_due(4100) && !moments.is_one_overdue(4149));
        assert!(moments.is_one_overdue(4150));
        assert!(!Moments::new((0, None), None).is_one_due(u64::MAX - 1));
    }
}
