//! The end of a system: what is said of each of its snapshots.

use super::Running;
use crate::error::Error;
use crate::event::Event;
use crate::system::System;
use crate::verify::rule::{Rule, Violation};
use crate::verify::{Judged, Report, Unjudged, Verdict};

impl Running {
    /// The system is over, or the history is.
    pub(in crate::verify) fn close(mut self, report: &mut Report) {
        self.settle();
        if let Some(events) = self.events.take() {
            self.reorder(events);
        }
        for (snapshot, open) in std::mem::take(&mut self.open) {
            let verdict = match open.violation(&self.log) {
                Some(violation) => Verdict::Invalid(Box::new(violation.clone())),
                None => Verdict::Unknown("it was not collected".to_owned()),
            };
            self.judged.entry(snapshot).or_insert(verdict);
        }
        for (snapshot, has_passed) in &self.audits {
            let unknown = Verdict::Unknown("it was not collected".to_owned());
            let verdict = self.judged.entry(*snapshot).or_insert(unknown);
            if let (Verdict::Unknown(reason), false) = (verdict, has_passed) {
                *reason = "its audit failed, and it was not collected".to_owned();
            }
        }
        let system = report.systems;
        let log = &self.log;
        let name = |violation: &mut Violation| {
            let channel = violation.channel;
            violation.ends =
                channel.map(|it| Box::new([it.from, it.to].map(|end| log.called(end))));
        };
        self.broken.iter_mut().for_each(name);
        for verdict in self.judged.values_mut() {
            if let Verdict::Invalid(violation) = verdict {
                name(violation);
            }
        }
        if let Some(violation) = self.broken {
            report.violations.insert(system, violation);
        }
        for (snapshot, verdict) in self.judged {
            let audit = self.audits.get(&snapshot).copied();
            report.snapshots.push(Judged {
                system,
                snapshot,
                verdict,
                audit,
            });
        }
    }

    /// Constructs and replays the reordered run of every valid snapshot.
    fn reorder(&mut self, events: Vec<Event>) {
        let mut systems = System::link(events).map_err(|error| match error {
            // Its line would be counted from this system's first.
            Error::Unlinked { reason, .. } => reason.to_string(),
            error => error.to_string(),
        });
        for system in systems.iter_mut().flatten() {
            system.is_signed = self.log.facts.is_signed;
        }
        for (&snapshot, verdict) in &mut self.judged {
            let Verdict::Valid { unjudged, .. } = verdict else {
                continue;
            };
            if self.partial.contains(&snapshot) {
                unjudged.push(Unjudged::Reordered);
                continue;
            }
            let replayed = match &systems {
                Ok(systems) => systems.first().map_or(Ok(()), |system| {
                    let straight = system.straighten(snapshot);
                    let straight = straight.map_err(|error| error.to_string())?;
                    let state = straight.check(system);
                    state.map(drop).map_err(|error| error.to_string())
                }),
                Err(reason) => Err(reason.clone()),
            };
            if let Err(reason) = replayed {
                let violation = Violation::new(Rule::Reordered, reason);
                *verdict = Verdict::Invalid(Box::new(violation));
            }
        }
    }
}
