//! Who is dead, and who came back.

use super::Log;
use crate::event::{Amount, Channel, ProcessId};
use crate::verify::rule::{Location, Rule, Violation};

/// The life of a process, or of the observer.
#[derive(Clone, Debug, Default)]
pub(in crate::verify) struct Life {
    /// When it died; `None` while it lives.
    pub(in crate::verify) died: Option<Location>,
    restarts: u64,
}

/// How many are dead, and since when somebody is, without a break.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::verify) struct Dead {
    count: u64,
    pub(in crate::verify) since: Option<Location>,
}

impl Life {
    fn die(&mut self, who: &str, at: Location) -> Result<(), Violation> {
        match self.died.replace(at) {
            None => Ok(()),
            Some(died) => {
                let reason = format!("{who} dies a second time");
                let violation = Violation::new(Rule::Order, reason).seen("died", died);
                Err(violation.seen("died again", at))
            }
        }
    }

    fn restart(&mut self, who: &str, incarnation: u64, at: Location) -> Result<(), Violation> {
        let wrong = |reason: String| Violation::new(Rule::Restart, reason).seen("restarted", at);
        let Some(died) = self.died.take() else {
            return Err(wrong(format!("{who} is restarted, and had not died")));
        };
        self.restarts += 1;
        let next = self.restarts + 1;
        match incarnation == next {
            true => Ok(()),
            false => {
                let reason =
                    format!("{who} is restarted as incarnation {incarnation}, and {next} is next");
                Err(wrong(reason).seen("died", died))
            }
        }
    }
}

impl Log {
    /// A process dies, or the observer.
    pub(in crate::verify) fn die(
        &mut self,
        process: Option<ProcessId>,
        at: Location,
    ) -> Result<(), Violation> {
        let (life, who) = self.life(process, "died", at)?;
        life.die(&who, at)?;
        if let Some(account) = process.and_then(|process| self.processes.get_mut(&process)) {
            // Its death is why it did not confirm that.
            account.inferred = None;
        }
        self.dead.count += 1;
        self.dead.since.get_or_insert(at);
        Ok(())
    }

    /// A process is restarted, or the observer: it goes on where it was.
    pub(in crate::verify) fn restart(
        &mut self,
        process: Option<ProcessId>,
        incarnation: u64,
        at: Location,
    ) -> Result<(), Violation> {
        let (life, who) = self.life(process, "restarted", at)?;
        life.restart(&who, incarnation, at)?;
        self.dead.count -= 1;
        if self.dead.count == 0 {
            self.dead.since = None;
        }
        let is_unknown =
            |id: &ProcessId| self.processes.get(id).is_some_and(|it| it.state.is_none());
        let Some(process) = process.filter(is_unknown).filter(|_| !self.facts.is_opaque) else {
            return Ok(());
        };
        // Of a dead process not everything may be known; whoever goes on can be asked.
        let state = self.as_replayed(process);
        if state < 0 && !self.facts.is_signed {
            let reason = format!(
                "{who} is restarted with {state}: before its death it sent what it did not have"
            );
            return Err(Violation::new(Rule::Account, reason).seen("restarted", at));
        }
        if let Some(account) = self.processes.get_mut(&process) {
            account.state = Some(state);
        }
        Ok(())
    }

    fn life(
        &mut self,
        process: Option<ProcessId>,
        what: &str,
        at: Location,
    ) -> Result<(&mut Life, String), Violation> {
        let Some(process) = process else {
            return Ok((&mut self.observer, "the observer".to_owned()));
        };
        let Some(account) = self.processes.get_mut(&process) else {
            let reason = format!("this is of process {process}, which was never created");
            return Err(Violation::new(Rule::Order, reason).seen(what, at));
        };
        let who = format!("process {}", account.called(process));
        Ok((&mut account.life, who))
    }

    /// What a process has, if it did nothing but what is in the history.
    fn as_replayed(&self, process: ProcessId) -> Amount {
        let Some(account) = self.processes.get(&process) else {
            return 0;
        };
        let ends = |from, to| self.channels.get(&Channel { from, to });
        let sent = account.outgoing.iter().filter_map(|to| ends(process, *to));
        let received = account.incoming.iter().filter_map(|it| ends(*it, process));
        let received: Amount = received.map(|ends| ends.received.sum).sum();
        account.deposit + received - sent.map(|ends| ends.sent.sum).sum::<Amount>()
    }
}
