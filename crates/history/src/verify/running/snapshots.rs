//! Snapshots in progress: who has recorded, which markers are due, and where the cut crosses the
//! channels.

use std::collections::hash_map::Entry;

use super::Running;
use crate::event::{Channel, ProcessId, SnapshotId, Tally};
use crate::verify::log::{ChannelCut, Due, ProcessLog};
use crate::verify::rule::{Location, Rule, Violation};

impl Running {
    /// What is known of a snapshot's cut on a channel.
    fn cut(&mut self, channel: Channel, snapshot: SnapshotId) -> &mut ChannelCut {
        let open = self.open.entry(snapshot).or_default();
        match open.settled.entry(channel) {
            Entry::Occupied(settled) => settled.into_mut(),
            Entry::Vacant(_) => self.log.channels.entry(channel).or_default().cut(snapshot),
        }
    }

    /// Puts a cut aside where everything is known of it.
    fn settle(&mut self, channel: Channel, snapshot: SnapshotId) {
        let ends = self.log.channels.entry(channel).or_default();
        if let Some(cut) = ends.settled(snapshot) {
            let open = self.open.entry(snapshot).or_default();
            open.settled.insert(channel, cut);
        }
    }

    fn recorded(&self, process: ProcessId, snapshot: SnapshotId) -> Option<Location> {
        let record = self.open.get(&snapshot)?.records.get(&process)?;
        Some(record.1)
    }

    /// A process joins: who has recorded owes it markers, and everything on the new channels is
    /// after their cuts. Not once a process has died: what is in progress can never be collected,
    /// and need not be kept right for those who come.
    pub(super) fn join(&mut self, process: ProcessId, at: Location) {
        for (&peer, account) in &self.log.processes {
            if peer == process || account.died.is_some() || self.has_death {
                continue;
            }
            for &snapshot in &account.recorded {
                let channels = [(peer, process), (process, peer)];
                let [out, back] = channels.map(|(from, to)| Channel { from, to });
                let ends = self.log.channels.entry(out).or_default();
                ends.cut(snapshot).sent = Some(0);
                ends.owed.push_back((snapshot, at));
                let ends = self.log.channels.entry(back).or_default();
                ends.cut(snapshot).received = Some(0);
            }
        }
    }

    /// A message is sent: the markers owed on that channel had to come first.
    pub(super) fn nothing_is_owed(&mut self, channel: Channel, number: u64, at: Location) {
        let Some(ends) = self.log.channels.get_mut(&channel) else {
            return;
        };
        for (snapshot, since) in std::mem::take(&mut ends.owed) {
            let reason = format!(
                "message {number} is sent before the marker: whoever receives it cannot know that \
                 it belongs after the cut"
            );
            let violation = Violation::new(Rule::Markers, reason).on(channel);
            let violation = violation.seen("the marker is due since", since);
            self.blame(snapshot, violation.seen("sent", at));
        }
    }

    pub(super) fn begin(&mut self, process: ProcessId, snapshot: SnapshotId, at: Location) {
        if self.judged.contains_key(&snapshot) {
            let reason = format!("process {process} begins it after it was collected");
            let violation = Violation::new(Rule::Moment, reason).seen("begun", at);
            return self.blame(snapshot, violation);
        }
        if let Some(record) = self.recorded(process, snapshot) {
            let reason = format!("process {process} begins it, and has recorded its state already");
            let violation = Violation::new(Rule::Moment, reason);
            let violation = violation.seen("recorded", record).seen("begun", at);
            return self.blame(snapshot, violation);
        }
        let mine = match self.log.processes.get_mut(&process) {
            Some(account) => {
                let from = None;
                account.due = Some(Due { snapshot, at, from });
                account.recorded.as_slice()
            }
            None => &[],
        };
        let open = self.open.entry(snapshot).or_default();
        open.begun.get_or_insert(at);
        match &mut open.after {
            Some(after) => after.retain(|other| mine.contains(other)),
            none => *none = Some(mine.to_vec()),
        }
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
            let reason = format!("process {process} records its state after it was collected");
            self.blame(snapshot, again(reason).seen("recorded", at));
            return false;
        }
        if let Some(first) = self.recorded(process, snapshot) {
            let reason = format!("process {process} records its state a second time");
            let violation = again(reason).seen("recorded", first);
            self.blame(snapshot, violation.seen("recorded again", at));
            return false;
        }
        if due.is_none_or(|due| due.snapshot != snapshot) {
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
        amount: u64,
        tallies: [&[Tally]; 2],
        at: Location,
    ) {
        let state = self.log.processes.get(&process).and_then(|it| it.state);
        if let Some(state) = state.filter(|state| *state != amount) {
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
        amount: u64,
        at: Location,
    ) {
        self.is_after_what_it_depends_on(process, snapshot, at);
        let open = self.open.entry(snapshot).or_default();
        open.records.insert(process, (amount, at));
        let Some(account) = self.log.processes.get_mut(&process) else {
            return;
        };
        account.recorded.push(snapshot);
        let created = account.created;
        let is_connected =
            |peer: &ProcessLog| peer.died.is_none_or(|it| it.history > created.history);
        let peers = self.log.processes.iter().filter(|(_, it)| is_connected(it));
        let peers = peers.map(|(peer, it)| (*peer, it.died.is_none()));
        let peers: Vec<(ProcessId, bool)> = peers.filter(|(peer, _)| *peer != process).collect();
        for (peer, is_alive) in peers {
            let channels = [(process, peer), (peer, process)];
            let [out, back] = channels.map(|(from, to)| Channel { from, to });
            let ends = self.log.channels.entry(out).or_default();
            let sent = ends.sent.messages;
            ends.cut(snapshot).sent = Some(sent);
            if is_alive && !self.has_death {
                ends.owed.push_back((snapshot, at));
            }
            let ends = self.log.channels.entry(back).or_default();
            let received = ends.received.messages;
            let cut = ends.cut(snapshot);
            cut.received = Some(received);
            if let Some((number, sent, received)) = cut.early {
                let reason = format!(
                    "message {number} is received before process {process} records its state, and \
                     sent after process {peer} recorded its own: in the snapshot it has arrived \
                     without ever having been sent"
                );
                let violation = Violation::new(Rule::Consistent, reason).on(back);
                let violation = violation.seen("sent, after the cut", sent);
                self.blame(
                    snapshot,
                    violation.seen("received, before the cut", received),
                );
            }
            self.settle(out, snapshot);
            self.settle(back, snapshot);
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
        let (Some(begun), Some(after)) = (open.begun, open.after.clone()) else {
            return;
        };
        for earlier in after {
            let is_missing =
                self.open.contains_key(&earlier) && self.recorded(process, earlier).is_none();
            if is_missing && !self.has_death {
                let reason = format!(
                    "process {process} records snapshot {snapshot} and has not recorded snapshot \
                     {earlier}, which all who began snapshot {snapshot} had recorded before: its \
                     markers were overtaken"
                );
                let violation = Violation::new(Rule::CutOrder, reason);
                let violation = violation.seen("begun", begun);
                self.blame(snapshot, violation.seen("recorded", at));
            }
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
        let ends = self.log.channels.entry(channel).or_default();
        ends.owed.retain(|(owed, _)| *owed != snapshot);
        let first = self.cut(channel, snapshot).marker_sent.replace(at);
        if let Some(first) = first {
            let violation = wrong("a second marker is sent".to_owned()).seen("sent", first);
            self.blame(snapshot, violation.seen("sent again", at));
        }
        if !has_recorded && !inferred {
            let reason = format!(
                "a marker is sent before process {} records its state",
                channel.from
            );
            self.blame(snapshot, wrong(reason).seen("sent", at));
        }
    }

    pub(super) fn marker_received(&mut self, channel: Channel, snapshot: SnapshotId, at: Location) {
        if self.judged.contains_key(&snapshot) {
            return;
        }
        self.cut(channel, snapshot)
            .marker_received
            .get_or_insert(at);
        if self.recorded(channel.to, snapshot).is_none()
            && let Some(account) = self.log.processes.get_mut(&channel.to)
        {
            let from = Some(channel);
            account.due = Some(Due { snapshot, at, from });
        }
        self.settle(channel, snapshot);
    }

    pub(super) fn channel_closed(&mut self, channel: Channel, snapshot: SnapshotId, at: Location) {
        let wrong = |reason: &str| Violation::new(Rule::Markers, reason).on(channel);
        if self.judged.contains_key(&snapshot) {
            let violation = wrong("its state is said to be complete after it was collected");
            return self.blame(snapshot, violation.seen("closed", at));
        }
        let cut = self.cut(channel, snapshot);
        let violation = match (cut.marker_received, cut.closed.replace(at)) {
            (None, _) => wrong("its state is said to be complete before the marker is received"),
            (_, Some(first)) => wrong("its state is complete twice").seen("closed", first),
            _ => return,
        };
        self.blame(snapshot, violation.seen("closed", at));
    }
}
