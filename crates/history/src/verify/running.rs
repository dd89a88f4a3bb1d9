//! A system on its way: its log, and its snapshots in progress.

mod close;
mod excused;
mod possible;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Verdict;
use super::judge::{Collecting, judge};
use super::log::{Due, Facts, Log};
use super::rule::{Location, Rule, Violation};
use crate::event::{
    Amount, Channel, ChannelState, Event, ProcessId, ProcessState, SnapshotId, What,
};
use crate::text::Text;

/// A system between its start and its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    log: Log,
    /// The snapshots that were not collected so far.
    open: BTreeMap<SnapshotId, InProgress>,
    judged: BTreeMap<SnapshotId, Verdict>,
    /// Whether the audits in the history passed.
    audits: BTreeMap<SnapshotId, bool>,
    collecting: Option<(SnapshotId, Collecting)>,
    /// What is wrong with the log itself.
    broken: Option<Violation>,
    started: Option<Location>,
    ended: Option<Location>,
    /// What is not held against snapshots unless everybody who is dead comes back.
    excused: BTreeMap<SnapshotId, Violation>,
    /// Snapshots that were in progress then are over: the audit of one failed.
    given_up: GivenUp,
    /// Up to which place of the second one's records the first one has recorded everything that is
    /// in progress.
    followed: HashMap<(ProcessId, ProcessId), u64>,
    /// Snapshots that not everybody recorded: they have no reordered run.
    partial: BTreeSet<SnapshotId>,
    /// How many events were replayed.
    turn: usize,
    /// All events so far, where the reordered run is wanted.
    events: Option<Vec<Event>>,
}

/// A snapshot in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct InProgress {
    pub(super) records: BTreeMap<ProcessId, Record>,
    pub(super) markers: HashMap<Channel, Markers>,
    pub(super) begun: Option<Location>,
    initiators: Vec<Initiator>,
    /// Who takes part, where not everybody does.
    pub(super) members: Option<BTreeSet<ProcessId>>,
    violation: Option<Violation>,
    /// What is wrong with how it was taken: counts only where markers took it.
    of_markers: Option<Violation>,
}

/// What a process recorded.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) amount: Amount,
    pub(super) at: Location,
    /// Its place among all records of the process.
    pub(super) place: u64,
}

/// The marker of a snapshot on a channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Markers {
    pub(super) sent: Option<Location>,
    pub(super) received: Option<Location>,
    closed: Option<Location>,
}

/// Who began a snapshot: it is after all that were recorded there before that place.
#[derive(Clone, Debug)]
struct Initiator {
    process: ProcessId,
    after: u64,
}

/// When snapshots in progress were given up last.
#[derive(Clone, Copy, Debug, Default)]
struct GivenUp(Option<Location>);

impl GivenUp {
    /// Whether what was recorded then is among them.
    fn covers(self, recorded: Location) -> bool {
        self.0.is_some_and(|at| recorded.turn <= at.turn)
    }
}

impl InProgress {
    /// Remembers what is wrong with it; of several things, the one whose rule comes first.
    pub(super) fn blame(&mut self, violation: Violation) {
        let known = match violation.rule {
            Rule::Moment | Rule::Markers | Rule::CutOrder => &mut self.of_markers,
            _ => &mut self.violation,
        };
        match known {
            Some(known) if known.rule <= violation.rule => {}
            _ => *known = Some(violation),
        }
    }

    /// Whether a process takes part in it.
    pub(super) fn has(&self, process: ProcessId) -> bool {
        let members = self.members.as_ref();
        members.is_none_or(|members| members.contains(&process))
    }

    /// Whether no step of it is known.
    pub(super) fn is_bare(&self) -> bool {
        self.records.is_empty() && self.markers.is_empty() && self.begun.is_none()
    }

    /// Whether markers took it; where there is no channel to send one on, as far as that can be seen.
    pub(super) fn has_markers(&self, log: &Log) -> bool {
        let mut channels = log.channels_between(|process| self.has(process));
        !self.markers.is_empty() || channels.next().is_none()
    }

    /// The first rule that it breaks.
    pub(super) fn violation(&self, log: &Log) -> Option<&Violation> {
        let of_markers = self.of_markers.as_ref();
        let of_markers = of_markers.filter(|_| self.has_markers(log));
        let all = self.violation.iter().chain(of_markers);
        all.min_by_key(|violation| violation.rule)
    }
}

impl Running {
    pub(super) fn new(facts: Facts, keeps_events: bool) -> Self {
        Self {
            log: Log::new(facts),
            events: keeps_events.then(Vec::new),
            ..Self::default()
        }
    }

    /// The next event, which is on this line.
    pub(super) fn on_event(&mut self, event: &Event, line: u64) {
        let at = self.location(event, line);
        self.turn += 1;
        match (&self.collecting, &event.what) {
            (Some((collecting, _)), What::Collect { snapshot, .. }) if snapshot == collecting => {}
            (Some(_), _) => self.judge(false),
            (None, _) => {}
        }
        if self.broken.is_none() {
            match self.step(event, at) {
                Ok(()) => {
                    if let Some(events) = &mut self.events {
                        events.push(event.clone());
                    }
                }
                Err(violation) => self.broken = Some(violation),
            }
        }
        if let Some(violation) = &self.broken {
            // Nothing can be said of what comes after; but what is collected is reported.
            match event.what {
                What::Begin { snapshot, .. } | What::Record { snapshot, .. } => {
                    self.open.entry(snapshot).or_default();
                }
                What::Collect { snapshot, .. } => {
                    let invalid = || Verdict::Invalid(Box::new(violation.clone()));
                    self.judged.entry(snapshot).or_insert_with(invalid);
                }
                What::Audit {
                    snapshot,
                    ref verdict,
                } => drop(self.audits.insert(snapshot, verdict.is_ok())),
                _ => {}
            }
        }
    }

    fn location(&self, event: &Event, line: u64) -> Location {
        Location {
            history: line,
            script: event.line,
            turn: self.turn as u64,
        }
    }

    /// How many events were replayed.
    pub(super) fn events(&self) -> usize {
        self.turn
    }

    /// Another system starts.
    pub(super) fn on_next_start(&mut self, event: &Event, line: u64) {
        let at = self.location(event, line);
        if let (Some(started), None, None) = (self.started, self.ended, &self.broken) {
            let violation =
                Violation::new(Rule::Order, "a system starts before the last one has ended");
            let violation = violation.seen("started", started).seen("starts", at);
            self.broken = Some(violation);
        }
    }

    /// That an event is between the start of a system and its end.
    fn is_within(&self, what: &What, at: Location) -> Result<(), Violation> {
        let wrong = |reason: &str| Violation::new(Rule::Order, reason).seen("happened", at);
        match (self.started, self.ended) {
            (_, Some(ended)) => Err(wrong("this is after the system ended").seen("ended", ended)),
            (None, _) if !matches!(what, What::Start { .. }) => {
                Err(wrong("this is before any system starts"))
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, event: &Event, at: Location) -> Result<(), Violation> {
        self.is_within(&event.what, at)?;
        let due = self.at_its_process(&event.what, at)?;
        match event.what {
            What::Start { sparse } => {
                self.started = Some(at);
                if sparse {
                    self.log.be_sparse();
                }
            }
            What::End => {
                self.nothing_is_inferred_of_the_living()?;
                self.ended = Some(at);
            }
            What::Create {
                process,
                ref name,
                amount,
            } => {
                self.log.create(process, name.as_ref(), amount, at)?;
            }
            What::Send {
                channel,
                amount,
                number,
                inferred,
            } => {
                self.log.send(channel, amount, number, at)?;
                self.nothing_is_owed(channel, number, inferred, at);
            }
            What::Receive {
                channel,
                amount,
                number,
            } => {
                self.log.receive(channel, amount, number, at)?;
                self.keep_if_late(channel, amount, at);
            }
            What::Connect { channel } => self.log.connect(channel, at)?,
            What::Local { .. } => {}
            What::Refuse { channel, amount } => self.log.refuse(channel, amount, at)?,
            What::Begin {
                process,
                snapshot,
                ref members,
            } => self.begin(process, snapshot, members, at),
            What::Record {
                process,
                snapshot,
                amount,
                ref sent,
                ref received,
            } => {
                if self.may_record(process, snapshot, due, at) {
                    self.is_as_replayed(process, snapshot, amount, [sent, received], at);
                    self.record(process, snapshot, amount, at);
                }
            }
            What::MarkerSent {
                channel,
                snapshot,
                inferred,
            } => {
                self.log.send_marker(channel, snapshot, at)?;
                self.marker_sent(channel, snapshot, inferred, at);
            }
            What::MarkerReceived { channel, snapshot } => {
                self.log.receive_marker(channel, snapshot, at)?;
                self.marker_received(channel, snapshot, at);
            }
            What::ChannelClosed { channel, snapshot } => {
                self.log.must_be_open(channel, "closed", at)?;
                self.channel_closed(channel, snapshot, at);
            }
            What::Collect {
                snapshot,
                ref states,
                ref channels,
            } => self.collect(snapshot, states, channels, at),
            What::Audit {
                snapshot,
                ref verdict,
            } => self.audit(snapshot, verdict, at),
            What::Death { process, .. } => self.log.die(process, at)?,
            What::Restarted {
                process,
                incarnation,
            } => {
                self.log.restart(process, incarnation, at)?;
                self.excuse_no_longer();
            }
        }
        Ok(())
    }

    /// Whether the process at which something happens may do that. What it was to record, if it was.
    fn at_its_process(&mut self, what: &What, at: Location) -> Result<Option<Due>, Violation> {
        let process = match *what {
            What::Create { .. }
            | What::Connect { .. }
            | What::Death { .. }
            | What::Restarted { .. } => None,
            _ => what.process(),
        };
        let Some(process) = process else {
            return Ok(None);
        };
        let is_inferred = matches!(
            what,
            What::Send { inferred: true, .. } | What::MarkerSent { inferred: true, .. }
        );
        let account = self.log.at(process, is_inferred, at)?;
        let Some(due) = account.due.take() else {
            return Ok(None);
        };
        if !is_inferred
            && !matches!(what, What::Record { snapshot, .. } if *snapshot == due.snapshot)
        {
            let process = self.log.called(process);
            let reason = format!(
                "process {process} does something else before it records its state: the record must \
                 follow at once"
            );
            let violation = Violation::new(Rule::Moment, reason).seen(due.why(&self.log), due.at);
            self.blame(due.snapshot, violation.seen("did something else", at));
        }
        Ok(Some(due))
    }

    fn nothing_is_inferred_of_the_living(&self) -> Result<(), Violation> {
        for (process, account) in &self.log.processes {
            if let Some(inferred) = account.inferred {
                let process = self.log.called(*process);
                let reason = format!(
                    "process {process} is said not to have confirmed this because it died, and \
                     has not died since"
                );
                let violation = Violation::new(Rule::Inferred, reason);
                return Err(violation.seen("inferred", inferred));
            }
        }
        Ok(())
    }

    /// Remembers what is wrong with a snapshot.
    fn blame(&mut self, snapshot: SnapshotId, violation: Violation) {
        match self.judged.get_mut(&snapshot) {
            Some(verdict @ (Verdict::Valid { .. } | Verdict::Unknown(_))) => {
                *verdict = Verdict::Invalid(Box::new(violation));
            }
            Some(_) => {}
            None => self.open.entry(snapshot).or_default().blame(violation),
        }
    }

    fn collect(
        &mut self,
        snapshot: SnapshotId,
        states: &[ProcessState],
        channels: &[ChannelState],
        at: Location,
    ) {
        if self.judged.contains_key(&snapshot) {
            let again = Violation::new(Rule::States, "it is collected a second time");
            return self.blame(snapshot, again.seen("collected again", at));
        }
        let new = || (snapshot, Collecting::new(at));
        let (_, collecting) = self.collecting.get_or_insert_with(new);
        collecting.extend(states, channels);
    }

    fn audit(&mut self, snapshot: SnapshotId, audit: &Result<Amount, Text>, at: Location) {
        self.audits.insert(snapshot, audit.is_ok());
        if audit.is_err() && !self.judged.contains_key(&snapshot) {
            self.given_up = GivenUp(Some(at));
        }
        // What is not judged may be what the audit saw.
        let Some(Verdict::Valid {
            total: Some(total), ..
        }) = self.judged.get(&snapshot)
        else {
            return;
        };
        let reason = match audit {
            Ok(amount) if *amount == *total => return,
            Ok(amount) => format!("the audit counted {amount}, and there are {total}"),
            // It is somebody else's text: quoted, so that it cannot pass for ours.
            Err(reason) => format!("the audit failed ({reason:?}), and nothing wrong can be found"),
        };
        let violation = Violation::new(Rule::Audit, reason);
        self.blame(snapshot, violation.seen("audited", at));
    }

    /// There are no more events.
    pub(super) fn settle(&mut self) {
        self.judge(self.ended.is_none());
    }

    /// Judges what has been collected.
    fn judge(&mut self, is_cut_off: bool) {
        let Some((snapshot, collecting)) = self.collecting.take() else {
            return;
        };
        let mut open = self.open.remove(&snapshot).unwrap_or_default();
        if open.members.is_some() || open.is_bare() {
            self.partial.insert(snapshot);
        }
        let verdict = judge(&self.log, &mut open, &collecting, is_cut_off);
        self.judged.insert(snapshot, verdict);
        self.excuse_missing_markers(snapshot, &open, &collecting);
    }
}
