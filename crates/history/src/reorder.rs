//! A snapshot's cut, drawn straight: the same run, as it could have gone just as well.
//!
//! Chandy and Lamport ("Distributed Snapshots", ACM TOCS 3(1), 1985, section 4, Theorem 1 and its
//! proof) swap neighbouring events of different processes until every event from before its
//! process recorded its state (*prerecording*) comes before every event from after
//! (*postrecording*). No process can tell the difference, and between the two the system is in the
//! very state that was recorded. A stable partition is what these swaps come to.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use crate::error::{Error, Mismatch};
use crate::event::{Amount, Channel, Event, ProcessId, SnapshotId, What};
use crate::replay::Replay;
use crate::system::{Collected, System};

/// The events of a system, reordered so that the cut of a snapshot is one instant.
///
/// ```text
///   order:  prerecording events │ on the line │ postrecording events
///                                └──── cut ────┘
/// ```
///
/// On the line are the records, and the snapshot's own events around them: the `begin` or the
/// marker that led to a record, and the markers that the process sent at once. They change no
/// process's and no channel's state. What happens outside of all processes (`start`, `collect`,
/// `audit`, `end`) stays before the line only where nothing of the line came before it. Events on
/// the same side keep their order.
///
/// Markers are the algorithm's, not messages of the run that is reordered. Who joins is owed the
/// markers of all who have recorded, which are sent when the line is long past, and lead to records
/// on the line or (of snapshots that were recorded earlier) before it: in this order such a marker
/// is received before it is sent. All others, as all messages, are received after they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Straightened {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// All events of the system, as indices in its `events`.
    pub order: Vec<usize>,
    /// Which part of `order` is on the line; at its start and at its end the state is the same.
    pub cut: Range<usize>,
}

/// A state of the whole system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalState {
    /// The processes' states.
    pub processes: BTreeMap<ProcessId, Amount>,
    /// What is in transit, in order, on channels that are not empty; no markers.
    pub channels: BTreeMap<Channel, Vec<Amount>>,
}

/// Where an event is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Before,
    OnTheLine,
    After,
}

impl System {
    /// Reorders the events so that the cut of a snapshot is one instant.
    ///
    /// Members of the snapshot are all processes created before it was collected, or all where it
    /// never was; whatever a later one does is after the line.
    ///
    /// # Errors
    ///
    /// Where a member never recorded its state, or the cut is not consistent.
    pub fn straighten(&self, id: SnapshotId) -> Result<Straightened, Error> {
        let snapshot = self.snapshots.get(&id).ok_or(Error::NoSnapshot(id))?;
        let collected = snapshot.collected.as_ref().map(|collected| collected.event);
        for (&process, &created) in &self.processes {
            let is_member = collected.is_none_or(|collected| created < collected);
            if is_member && !snapshot.cut.contains_key(&process) {
                return Err(Error::NeverRecorded {
                    snapshot: id,
                    process,
                    died: self.stays_dead(Some(process)),
                });
            }
        }
        let sides = self.sides(id, &snapshot.cut);
        for message in &self.messages {
            if let Some(received) = message.received
                && message.content.amount().is_some()
                && sides[received] < sides[message.sent]
            {
                return Err(Error::Inconsistent {
                    snapshot: id,
                    channel: message.channel,
                    sent: message.sent,
                    received,
                });
            }
        }
        let mut order: Vec<usize> = (0..self.events.len()).collect();
        order.sort_by_key(|event| sides[*event]);
        let start = order.partition_point(|event| sides[*event] == Side::Before);
        let end = order.partition_point(|event| sides[*event] != Side::After);
        Ok(Straightened {
            snapshot: id,
            order,
            cut: start..end,
        })
    }

    /// On which side of the line each event is.
    fn sides(&self, id: SnapshotId, cut: &BTreeMap<ProcessId, usize>) -> Vec<Side> {
        let mut sides = vec![Side::After; self.events.len()];
        let mut by_process: BTreeMap<ProcessId, Vec<usize>> = BTreeMap::new();
        for (index, event) in self.events.iter().enumerate() {
            if let Some(process) = event.what.process() {
                by_process.entry(process).or_default().push(index);
            }
        }
        for (process, &record) in cut {
            let events = by_process.remove(process).unwrap_or_default();
            let recorded = events.partition_point(|event| *event < record);
            let is_ours = |event: &&usize| self.events[**event].what.snapshot() == Some(id);
            let led_to_it = events[..recorded].iter().rev().take_while(is_ours).count();
            let sent_at_once = |event: &&usize| {
                is_ours(event) && matches!(self.events[**event].what, What::MarkerSent { .. })
            };
            let after = events[recorded..].iter().skip(1);
            let markers = after.take_while(sent_at_once).count();
            for &event in &events[..recorded - led_to_it] {
                sides[event] = Side::Before;
            }
            for &event in &events[recorded - led_to_it..=recorded + markers] {
                sides[event] = Side::OnTheLine;
            }
        }
        let on_the_line = sides.iter().position(|side| *side == Side::OnTheLine);
        let events = self.events.iter().zip(&mut sides);
        for (event, side) in events.take(on_the_line.unwrap_or_default()) {
            if event.what.process().is_none() {
                *side = Side::Before;
            }
        }
        sides
    }
}

impl Straightened {
    /// Replays the order from nothing: it has every event once and every process's own events in
    /// its own order; every message is received after it was sent, and in the order of its channel;
    /// every process does what its state allows; at the line the system is in the state that was
    /// recorded and collected; and it ends in the state in which it really ended.
    ///
    /// Returns the state at the line. It is written from the definition, and shares nothing with
    /// [`System::straighten`].
    ///
    /// # Errors
    ///
    /// The first thing that does not fit.
    pub fn check(&self, system: &System) -> Result<GlobalState, Error> {
        let Some(snapshot) = system.snapshots.get(&self.snapshot) else {
            return Err(Error::NoSnapshot(self.snapshot));
        };
        let records: HashSet<usize> = snapshot.cut.values().copied().collect();
        let mut seen = HashSet::new();
        let mut last: BTreeMap<ProcessId, usize> = BTreeMap::new();
        let is_signed = system.is_signed;
        let checked = || Checked {
            is_signed,
            ..Checked::default()
        };
        let mut replay = checked();
        let mut at_the_line = GlobalState::default();
        for (at, &index) in self.order.iter().enumerate() {
            let Some(event) = system.events.get(index).filter(|_| seen.insert(index)) else {
                return Err(not(at, Mismatch::NoEvent(index)));
            };
            if at == self.cut.start {
                at_the_line = replay.state();
            }
            let process = event.what.process();
            let is_ours = process.is_some() && event.what.snapshot() == Some(self.snapshot);
            match self.cut.contains(&at) {
                true if !is_ours => return Err(not(at, Mismatch::OnTheLine)),
                false if records.contains(&index) => {
                    return Err(not(at, Mismatch::OffTheLine));
                }
                _ => {}
            }
            if let Some(process) = process
                && last.insert(process, index).is_some_and(|last| last > index)
            {
                return Err(not(at, Mismatch::OwnOrder(process)));
            }
            replay.event(event).map_err(|reason| not(at, reason))?;
        }
        if seen.len() != system.events.len() {
            return Err(not(self.order.len(), Mismatch::Missing));
        }
        self.agree(system, &at_the_line)
            .map_err(|reason| not(self.cut.start, reason))?;
        let mut real = checked();
        for (at, event) in system.events.iter().enumerate() {
            real.event(event).map_err(|reason| not(at, reason))?;
        }
        match real.state() == replay.state() {
            true => Ok(at_the_line),
            false => Err(not(self.order.len(), Mismatch::End)),
        }
    }

    /// Whether a state is the recorded one, and the collected one where there is one.
    fn agree(&self, system: &System, state: &GlobalState) -> Result<(), Mismatch> {
        let snapshot = &system.snapshots[&self.snapshot];
        let recorded = snapshot.cut.iter().filter_map(|(process, record)| {
            let amount = system.events[*record].what.recorded()?;
            Some((*process, amount))
        });
        let recorded: BTreeMap<ProcessId, Amount> = recorded.collect();
        if recorded != state.processes {
            return Err(Mismatch::RecordedStates(state.processes.clone(), recorded));
        }
        let Some(Collected {
            states, channels, ..
        }) = &snapshot.collected
        else {
            return Ok(());
        };
        if *states != state.processes {
            let found = state.processes.clone();
            return Err(Mismatch::CollectedStates(found, states.clone()));
        }
        let mut channels = channels.clone();
        channels.retain(|_, amounts| !amounts.is_empty());
        if channels != state.channels {
            return Err(Mismatch::CollectedChannels(
                state.channels.clone(),
                channels,
            ));
        }
        Ok(())
    }
}

fn not(at: usize, reason: Mismatch) -> Error {
    let reason = Box::new(reason);
    Error::NotEquivalent { at, reason }
}

/// A system that does what its events say, from nothing; markers are left out.
#[derive(Default)]
struct Checked {
    is_signed: bool,
    replay: Replay,
    /// Those that died before they confirmed what they did: what they had is not known.
    unknown: BTreeSet<ProcessId>,
}

impl Checked {
    fn state(&self) -> GlobalState {
        let processes = self.replay.processes().iter();
        let channels = self.replay.channels();
        GlobalState {
            processes: processes
                .map(|(process, now)| (*process, now.balance))
                .collect(),
            channels: channels
                .map(|(channel, now)| {
                    let amounts = now.in_transit.iter();
                    (
                        channel,
                        amounts.filter_map(|it| it.content.amount()).collect(),
                    )
                })
                .filter(|(_, amounts): &(_, Vec<Amount>)| !amounts.is_empty())
                .collect(),
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), Mismatch> {
        if let Some(process) = event.what.process()
            && !matches!(event.what, What::Create { .. })
            && !self.replay.processes().contains_key(&process)
        {
            return Err(Mismatch::NotYetCreated(process));
        }
        match event.what {
            What::MarkerSent { .. } | What::MarkerReceived { .. } => return Ok(()),
            What::Send {
                channel,
                amount,
                inferred,
                ..
            } => {
                if inferred {
                    self.unknown.insert(channel.from);
                }
                if let Some(state) = self.known(channel.from)
                    && state < amount
                    && !self.is_signed
                {
                    return Err(Mismatch::Overdrawn(amount, state));
                }
                if !self.replay.processes().contains_key(&channel.to) {
                    return Err(Mismatch::NotYetCreated(channel.to));
                }
            }
            What::Receive {
                channel, amount, ..
            } => {
                let head = self.replay.channel(channel).in_transit.front();
                match head.and_then(|head| head.content.amount()) {
                    Some(head) if head == amount => {}
                    Some(head) => {
                        return Err(Mismatch::Overtaken(amount, head));
                    }
                    None => return Err(Mismatch::NotYetSent(amount)),
                }
                let state = self.known(channel.to);
                if state.is_some_and(|state| state + amount > Amount::from(u64::MAX)) {
                    return Err(Mismatch::Overflow);
                }
            }
            What::Refuse { channel, amount } => {
                if let Some(state) = self.known(channel.from)
                    && state >= amount
                    && !self.is_signed
                {
                    return Err(Mismatch::Refused(amount, state));
                }
            }
            What::Restarted {
                process: Some(process),
                ..
            } => {
                // It goes on with what it has, so that everything it did is there.
                self.unknown.remove(&process);
                if let Some(state) = self.known(process)
                    && state < 0
                    && !self.is_signed
                {
                    return Err(Mismatch::Restarted(process, state));
                }
            }
            What::Record {
                process, amount, ..
            } => {
                if let Some(state) = self.known(process)
                    && state != amount
                {
                    return Err(Mismatch::Recorded(process, state, amount));
                }
            }
            _ => {}
        }
        self.replay.apply(&event.what);
        Ok(())
    }

    /// What a process has, where that is known.
    fn known(&self, process: ProcessId) -> Option<i128> {
        let is_known = !self.unknown.contains(&process);
        let process = self.replay.processes().get(&process);
        process.filter(|_| is_known).map(|process| process.balance)
    }
}
