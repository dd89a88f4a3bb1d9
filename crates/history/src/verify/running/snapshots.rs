//! Snapshots in progress: who has recorded, which markers are due, and what may be in transit.

use super::{InProgress, Initiator, Markers, Record, Running};
use crate::event::{Amount, Channel, ProcessId, SnapshotId, Tally};
use crate::verify::log::Due;
use crate::verify::rule::{Location, Rule, Violation};

impl Running {
    fn markers(&mut self, channel: Channel, snapshot: SnapshotId) -> &mut Markers {
        let open = self.open.entry(snapshot).or_default();
        open.markers.entry(channel).or_default()
    }

    fn recorded(&self, process: ProcessId, snapshot: SnapshotId) -> Option<Location> {
        let record = self.open.get(&snapshot)?.records.get(&process)?;
        Some(record.at)
    }

    /// A message is sent: the markers owed on that channel had to come first, those of all that its
    /// sender has recorded. None is owed of what was given up: that can never be collected.
    pub(super) fn nothing_is_owed(
        &mut self,
        channel: Channel,
        number: u64,
        inferred: bool,
        at: Location,
    ) {
        let (Some(sender), Some(ends)) = (
            self.log.processes.get(&channel.from),
            self.log.channels.get_mut(&channel),
        ) else {
            return;
        };
        let places = ends.quiet.max(sender.records.begin())..sender.records.end();
        ends.quiet = places.end;
        let owed: Vec<SnapshotId> = places
            .filter_map(|place| sender.records.get(place))
            .collect();
        for snapshot in owed {
            let Some(open) = self.open.get(&snapshot) else {
                continue;
            };
            let record = open.records.get(&channel.from);
            let (Some(record), true, Some(opened)) = (
                record.filter(|record| !self.given_up.covers(record.at)),
                open.has(channel.to),
                self.log.opened(channel),
            ) else {
                continue;
            };
            if open
                .markers
                .get(&channel)
                .is_some_and(|it| it.sent.is_some())
            {
                continue;
            }
            let since = match record.at.turn > opened.turn {
                true => record.at,
                false => opened,
            };
            let reason = format!(
                "message {number} is sent before the marker: whoever receives it cannot know that \
                 it belongs after the cut"
            );
            let violation = Violation::new(Rule::Markers, reason).on(channel);
            let violation = violation.seen("the marker is due since", since);
            let violation = violation.seen("sent", at);
            match inferred {
                true => self.excuse(snapshot, violation),
                false => self.blame_unless_excused(snapshot, violation),
            }
        }
    }

    /// A message was received. Its amount is kept where it may have been in transit at a cut: that of
    /// a snapshot in progress which its receiver had recorded before it took it, and its sender not
    /// before it sent it.
    pub(super) fn keep_if_late(&mut self, channel: Channel, amount: Amount, at: Location) {
        let open = &self.open;
        let (Some(ends), Some(receiver)) = (
            self.log.channels.get_mut(&channel),
            self.log.processes.get_mut(&channel.to),
        ) else {
            return;
        };
        let records = &mut receiver.records;
        records.forget(|snapshot| !open.contains_key(&snapshot));
        let number = ends.received.messages;
        let known = ends.out.on_received(number, at);
        ends.recording = ends.recording.max(records.begin());
        let is_known = |snapshot| {
            let open: Option<&InProgress> = open.get(&snapshot);
            open.is_none_or(|open| {
                let sender = open.records.get(&channel.from);
                sender.is_some_and(|record| record.place < known)
            })
        };
        while records.get(ends.recording).is_some_and(is_known) {
            ends.recording += 1;
        }
        let first = match records.begin() == records.end() {
            true => number,
            false => ends.received_before(records.begin()),
        };
        while ends.late.front().is_some_and(|(late, _)| *late <= first) {
            ends.late.pop_front();
        }
        if ends.recording < records.end() {
            ends.late.push_back((number, amount));
        }
    }

    pub(super) fn begin(
        &mut self,
        process: ProcessId,
        snapshot: SnapshotId,
        members: &[ProcessId],
        at: Location,
    ) {
        if self.judged.contains_key(&snapshot) {
            let process = self.log.called(process);
            let reason = format!("process {process} begins it after it was collected");
            let violation = Violation::new(Rule::Moment, reason).seen("begun", at);
            return self.blame(snapshot, violation);
        }
        if let Some(record) = self.recorded(process, snapshot) {
            let process = self.log.called(process);
            let reason = format!("process {process} begins it, and has recorded its state already");
            let violation = Violation::new(Rule::Moment, reason);
            let violation = violation.seen("recorded", record).seen("begun", at);
            return self.blame(snapshot, violation);
        }
        let Some(account) = self.log.processes.get_mut(&process) else {
            return;
        };
        let from = None;
        account.due = Some(Due { snapshot, at, from });
        let after = account.records.end();
        let open = self.open.entry(snapshot).or_default();
        if !members.is_empty() {
            open.members.get_or_insert_default().extend(members);
        }
        open.begun.get_or_insert(at);
        open.initiators.push(Initiator { process, after });
    }

    pub(super) fn may_record(
        &mut self,
        process: ProcessId,
        snapshot: SnapshotId,
        due: Option<Due>,
        at: Location,
    ) -> bool {
        let again = |reason: String| Violation::new(Rule::OneRecord, reason);
        if self.judged.contains_key(&snapshot) {
            let process = self.log.called(process);
            let reason = format!("process {process} records its state after it was collected");
            self.blame(snapshot, again(reason).seen("recorded", at));
            return false;
        }
        if let Some(first) = self.recorded(process, snapshot) {
            let process = self.log.called(process);
            let reason = format!("process {process} records its state a second time");
            let violation = again(reason).seen("recorded", first);
            self.blame(snapshot, violation.seen("recorded again", at));
            return false;
        }
        if due.is_none_or(|due| due.snapshot != snapshot) {
            let process = self.log.called(process);
            let reason = format!(
                "process {process} records its state without having begun the snapshot or received \
                 a marker of it just before"
            );
            let violation = Violation::new(Rule::Moment, reason);
            self.blame(snapshot, violation.seen("recorded", at));
        }
        true
    }

    /// Whether what a process records is what it has.
    pub(super) fn is_as_replayed(
        &mut self,
        process: ProcessId,
        snapshot: SnapshotId,
        amount: Amount,
        tallies: [&[Tally]; 2],
        at: Location,
    ) {
        let state = self.log.processes.get(&process).and_then(|it| it.state);
        if let Some(state) = state.filter(|state| *state != amount) {
            let process = self.log.called(process);
            let reason =
                format!("process {process} records {amount}, and has {state} at that moment");
            let violation = Violation::new(Rule::Recorded, reason);
            return self.blame(snapshot, violation.seen("recorded", at));
        }
        if tallies.iter().all(|tallies| tallies.is_empty()) {
            // It keeps none, or there is nothing in them.
            return;
        }
        for (tallies, is_out) in tallies.into_iter().zip([true, false]) {
            if let Some(violation) = self.log.wrong_tally(process, tallies, is_out, at) {
                return self.blame(snapshot, violation);
            }
        }
    }

    pub(super) fn record(
        &mut self,
        process: ProcessId,
        snapshot: SnapshotId,
        amount: Amount,
        at: Location,
    ) {
        self.is_after_what_it_depends_on(process, snapshot, at);
        let Some(account) = self.log.processes.get_mut(&process) else {
            return;
        };
        account.records.forget(|it| !self.open.contains_key(&it));
        let place = account.records.push(snapshot);
        let open = self.open.entry(snapshot).or_default();
        open.records.insert(process, Record { amount, at, place });
        let log = &self.log;
        let account = log.processes.get(&process);
        let incoming = account.into_iter().flat_map(|account| &account.incoming);
        let early = incoming.into_iter().filter_map(|&peer| {
            let (from, to) = (peer, process);
            let channel = Channel { from, to };
            let sender = open.records.get(&peer)?;
            let opened = log.opened(channel)?.turn;
            // On a channel that opens while somebody is dead perhaps no markers are sent of what was
            // recorded before.
            let is_late = log.dead.since.is_some_and(|it| it.turn < opened);
            let is_excused = is_late && sender.at.turn < opened;
            let first = log.channels.get(&channel)?.out.after(sender.place)?;
            Some((is_excused, channel, first, first.received?))
        });
        // One that is not excused, if there is one.
        let Some((is_excused, channel, first, received)) = early.min_by_key(|it| it.0) else {
            return;
        };
        let number = first.messages + 1;
        let [process, peer] = [process, channel.from].map(|it| log.called(it));
        let reason = format!(
            "message {number} is received before process {process} records its state, and sent after \
             process {peer} recorded its own: in the snapshot it has arrived without ever having been \
             sent"
        );
        let violation = Violation::new(Rule::Consistent, reason).on(channel);
        let violation = violation.seen("sent, after the cut", first.passed);
        let violation = violation.seen("received, before the cut", received);
        match is_excused {
            true => self.excuse(snapshot, violation),
            false => self.blame(snapshot, violation),
        }
    }

    /// Whether a process has recorded the snapshots that all initiators of this one had recorded.
    fn is_after_what_it_depends_on(
        &mut self,
        process: ProcessId,
        snapshot: SnapshotId,
        at: Location,
    ) {
        let Some(open) = self.open.get(&snapshot) else {
            return;
        };
        let (Some(begun), None, [first, others @ ..]) =
            (open.begun, &open.members, &open.initiators[..])
        else {
            return;
        };
        let is_initiator = open.initiators.iter().any(|it| it.process == process);
        let Some(initiator) = self.log.processes.get(&first.process) else {
            return;
        };
        if is_initiator {
            return;
        }
        let records = &initiator.records;
        let followed = self.followed.entry((process, first.process)).or_default();
        *followed = records.begin().max(*followed);
        let mut overtaken = None;
        for place in *followed..first.after {
            let Some(earlier) = records.get(place) else {
                break;
            };
            let open = self.open.get(&earlier).filter(|open| {
                let record = open.records.get(&first.process);
                record.is_some_and(|record| !self.given_up.covers(record.at))
            });
            let is_missing =
                |open: &&InProgress| open.members.is_none() && !open.records.contains_key(&process);
            let Some(open) = open.filter(is_missing) else {
                // That is so for good, and need not be looked at again.
                *followed += u64::from(*followed == place);
                continue;
            };
            let has_recorded = |it: &Initiator| {
                let record = open.records.get(&it.process);
                record.is_some_and(|record| record.place < it.after)
            };
            if others.iter().all(has_recorded) {
                overtaken = Some(earlier);
                break;
            }
        }
        if let Some(earlier) = overtaken {
            let process = self.log.called(process);
            let reason = format!(
                "process {process} records snapshot {snapshot} and has not recorded snapshot \
                 {earlier}, which all who began snapshot {snapshot} had recorded before: its \
                 markers were overtaken"
            );
            let violation = Violation::new(Rule::CutOrder, reason);
            let violation = violation.seen("begun", begun);
            self.blame_unless_excused(snapshot, violation.seen("recorded", at));
        }
    }

    pub(super) fn marker_sent(
        &mut self,
        channel: Channel,
        snapshot: SnapshotId,
        inferred: bool,
        at: Location,
    ) {
        let wrong = |reason: String| Violation::new(Rule::Markers, reason).on(channel);
        if self.judged.contains_key(&snapshot) {
            let violation = wrong("a marker is sent after the snapshot was collected".to_owned());
            return self.blame(snapshot, violation.seen("sent", at));
        }
        let has_recorded = self.recorded(channel.from, snapshot).is_some();
        let first = self.markers(channel, snapshot).sent.replace(at);
        if let Some(first) = first {
            let violation = wrong("a second marker is sent".to_owned()).seen("sent", first);
            self.blame(snapshot, violation.seen("sent again", at));
        }
        if !has_recorded {
            let reason = format!(
                "a marker is sent before process {} records its state",
                self.log.called(channel.from)
            );
            let violation = wrong(reason).seen("sent", at);
            match inferred {
                true => self.excuse(snapshot, violation),
                false => self.blame(snapshot, violation),
            }
        }
    }

    pub(super) fn marker_received(&mut self, channel: Channel, snapshot: SnapshotId, at: Location) {
        if self.judged.contains_key(&snapshot) {
            return;
        }
        self.markers(channel, snapshot).received.get_or_insert(at);
        let is_member = self.open.get(&snapshot);
        let is_member = is_member.is_some_and(|open| open.has(channel.to));
        if self.recorded(channel.to, snapshot).is_none()
            && is_member
            && let Some(account) = self.log.processes.get_mut(&channel.to)
        {
            let from = Some(channel);
            account.due = Some(Due { snapshot, at, from });
        }
    }

    pub(super) fn channel_closed(&mut self, channel: Channel, snapshot: SnapshotId, at: Location) {
        let wrong = |reason: &str| Violation::new(Rule::Markers, reason).on(channel);
        if self.judged.contains_key(&snapshot) {
            let violation = wrong("its state is said to be complete after it was collected");
            return self.blame(snapshot, violation.seen("closed", at));
        }
        let markers = self.markers(channel, snapshot);
        let violation = match (markers.received, markers.closed.replace(at)) {
            (None, _) => wrong("its state is said to be complete before the marker is received"),
            (_, Some(first)) => wrong("its state is complete twice").seen("closed", first),
            _ => return,
        };
        self.blame(snapshot, violation.seen("closed", at));
    }
}
