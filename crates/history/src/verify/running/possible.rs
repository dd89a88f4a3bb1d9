//! What can happen next: whether an event has to wait for one on a later line.

use super::Running;
use crate::event::{ProcessId, ProcessState, What};
use crate::verify::Verdict;

impl Running {
    /// Whether an event can only have happened after one that is still to come: what it receives was not
    /// sent, a process not created, what it collects not recorded.
    pub(in crate::verify) fn must_wait(&self, what: &What) -> bool {
        if self.broken.is_some() || self.started.is_none() || self.ended.is_some() {
            return false;
        }
        match *what {
            What::Receive { channel, .. } | What::MarkerReceived { channel, .. } => {
                let ends = self.log.channels.get(&channel);
                !self.has(channel.to) || ends.is_none_or(|ends| ends.queue.is_empty())
            }
            What::Send { channel, .. }
            | What::MarkerSent { channel, .. }
            | What::Refuse { channel, .. }
            | What::Connect { channel } => !self.has(channel.from) || !self.has(channel.to),
            What::Collect {
                snapshot,
                ref states,
                ..
            } => {
                let records = self.open.get(&snapshot).map(|open| &open.records);
                let has_recorded = |state: &ProcessState| {
                    records.is_some_and(|records| records.contains_key(&state.process))
                };
                !self.judged.contains_key(&snapshot) && !states.iter().all(has_recorded)
            }
            What::Create { .. } => false,
            _ => what.process().is_some_and(|process| !self.has(process)),
        }
    }

    fn has(&self, process: ProcessId) -> bool {
        self.log.processes.contains_key(&process)
    }

    /// Whether all of these processes have been created.
    pub(in crate::verify) fn have_begun(&self, states: &[ProcessState]) -> bool {
        states.iter().all(|state| self.has(state.process))
    }

    /// Whether the log breaks a rule by itself.
    pub(in crate::verify) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Whether anything is known to break a rule, in the log or of a snapshot.
    pub(in crate::verify) fn is_wrong(&self) -> bool {
        let mut judged = self.judged.values();
        let mut open = self.open.values();
        self.is_broken()
            || judged.any(|verdict| matches!(verdict, Verdict::Invalid(_)))
            || open.any(|open| open.violation(&self.log).is_some())
    }
}
