//! The algorithm, as it runs at one process: when to record, what to record, when to send markers.
//!
//! # The two rules
//!
//! Chandy and Lamport give each process two rules (ACM TOCS 3(1), 1985, §3.2).
//!
//! **Marker-sending rule.** A process that records its state sends a marker on every outgoing
//! channel, after recording and before it sends any further message. So a marker divides its
//! channel: ahead of it is what was sent before the sender's cut, behind it what was sent after.
//! That *before any further message* is the whole trick, and the only thing the recorder cannot
//! do for its caller; [`Markers`] is there so that it is not forgotten.
//!
//! **Marker-receiving rule.** A process takes a marker from a channel:
//!
//! - It has not recorded its state for this snapshot: it records it now, follows the sending rule,
//!   and records the *channel* as empty. All that was sent on it before the sender's cut was ahead
//!   of the marker, so it has been received, before this cut.
//! - It has recorded already: what it received on this channel since then was sent before the
//!   sender's cut and received after its own. That, in order, is the channel's state.
//!
//! # When it ends
//!
//! A process is done with a snapshot once every incoming channel has brought its marker (§3.3).
//! That comes to pass if every marker is received some day, and if each process can be reached
//! from an initiator along channels. It need not be a full mesh: a ring will do. Several processes
//! may initiate the same snapshot, unknown to each other; the rules allow it.
//!
//! # Several snapshots
//!
//! Nothing in the rules of one snapshot depends on another, so several may be in progress at once:
//! every book here is kept by [`SnapshotId`], and a message is recorded in each snapshot that
//! still records its channel.
//!
//! # Processes and channels that come later
//!
//! The paper's system never grows. This one may, while a snapshot is in progress, by one idea: *a
//! channel that opens now was always there and nobody has used it yet.* Then
//!
//! - a sender that has recorded would have sent its marker on it, before all else: so the markers
//!   of all that it has recorded are the first frames, in the order it recorded them
//!   ([`Recorder::open_out`]);
//! - a receiver that has recorded would be waiting for that marker: so it waits, and a part that
//!   was complete is so no longer ([`Recorder::open_in`]).
//!
//! A new process is one that was always there and has done nothing; the first marker it receives
//! makes it record, as it would anybody. The two ends of a channel need not open at once.
//!
//! This is right for as long as both ends know the snapshot. Hence the one thing that processes
//! must agree on: parts are handed over when *all* are complete, and while no channel is half
//! open. Otherwise a process that has handed over would owe a marker it no longer knows of.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::SnapshotId;
use crate::id_set::IdSet;

/// The bookkeeping of all snapshots at one process: `P` names processes, `S` is the state of this
/// one, `M` a message.
///
/// A plain value: it sends nothing and reads no clock. Given the same calls it gives the same
/// answers, and two that are equal behave the same for ever, which is what a model checker needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recorder<P, S, M> {
    incoming: BTreeSet<P>,
    outgoing: BTreeSet<P>,
    /// Recorded here and not handed over, in the order in which they were recorded.
    recordings: Vec<Recording<P, S, M>>,
    handed_over: IdSet,
}

/// An order to the caller: send [`Frame::Marker`](crate::Frame::Marker) with this
/// [`id`](Markers::id) on every [outgoing](Recorder::outgoing) channel before anything else.
#[must_use = "send this marker on every outgoing channel before anything else"]
#[derive(Debug, PartialEq, Eq)]
pub struct Markers(SnapshotId);

impl Markers {
    /// The snapshot whose marker is to be sent.
    pub fn id(&self) -> SnapshotId {
        self.0
    }
}

/// What one process contributes to a snapshot: its state at its cut, and the state of each of its
/// incoming channels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalSnapshot<P, S, M> {
    /// The process state.
    pub state: S,
    /// By source, what was in transit, in order; every incoming channel is there, also the empty.
    pub channels: BTreeMap<P, Vec<M>>,
}

/// What a recorder refuses, and leaves unchanged by refusing. Each is a fault of the caller or of
/// a channel: none can occur in a system that keeps to the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error<P> {
    /// The initiator has recorded this snapshot already.
    #[error(
        "cannot begin snapshot {id}: this process has recorded its state for it already \
         (number each snapshot anew)"
    )]
    AlreadyRecorded {
        /// The snapshot.
        id: SnapshotId,
    },
    /// A marker came from a process from which no channel is open.
    #[error(
        "marker of snapshot {id} from process {from}: no incoming channel from there is open \
         (open it before taking frames from it)"
    )]
    UnknownChannel {
        /// Where it came from.
        from: P,
        /// The snapshot.
        id: SnapshotId,
    },
    /// A channel brought two markers of one snapshot.
    #[error(
        "second marker of snapshot {id} from process {from}: its channel is recorded already \
         (a process sends one marker a snapshot and channel)"
    )]
    SecondMarker {
        /// Where it came from.
        from: P,
        /// The snapshot.
        id: SnapshotId,
    },
    /// A marker of a snapshot that is over here.
    #[error(
        "late marker of snapshot {id} from process {from}: this process has handed its part over \
         (hand over only when all parts are complete and no channel is half open)"
    )]
    HandedOver {
        /// Where it came from.
        from: P,
        /// The snapshot.
        id: SnapshotId,
    },
}

impl<P: Ord + Copy, S: Clone, M: Clone> Recorder<P, S, M> {
    /// A process with no channels and no snapshots.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An incoming channel opens; no frame has been taken from it.
    ///
    /// Every snapshot recorded here and not handed over now waits for its marker on this channel,
    /// also one that was complete. An end that is open already stays as it is.
    pub fn open_in(&mut self, from: P) {
        if self.incoming.insert(from) {
            for recording in &mut self.recordings {
                recording.waiting.insert(from, Vec::new());
            }
        }
    }

    /// An outgoing channel opens; no frame has been sent on it.
    ///
    /// Returns the snapshots recorded here and not handed over, in the order they were recorded:
    /// their markers must be the first frames on the channel. An end that is open already stays
    /// as it is and owes nothing.
    #[must_use = "send these markers, in this order, as the first frames on the channel"]
    pub fn open_out(&mut self, to: P) -> Vec<SnapshotId> {
        if self.outgoing.insert(to) {
            self.recorded().collect()
        } else {
            Vec::new()
        }
    }

    /// The processes to which an outgoing channel is open, ascending: where [`Markers`] go.
    pub fn outgoing(&self) -> impl Iterator<Item = P> {
        self.outgoing.iter().copied()
    }

    /// This process initiates a snapshot: it records `state`, and from now on its incoming
    /// channels.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyRecorded`], whether or not it was handed over since.
    pub fn begin(&mut self, id: SnapshotId, state: &S) -> Result<Markers, Error<P>> {
        if self.has_recorded(id) {
            return Err(Error::AlreadyRecorded { id });
        }
        Ok(self.record(id, state))
    }

    /// A marker was taken from the channel from `from`; `state` is this process's state now.
    ///
    /// `Some`: the first marker of its snapshot, `state` was recorded, and that channel as empty.
    /// `None`: this channel's recording is closed.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownChannel`], [`Error::SecondMarker`] or [`Error::HandedOver`].
    pub fn on_marker(
        &mut self,
        from: P,
        id: SnapshotId,
        state: &S,
    ) -> Result<Option<Markers>, Error<P>> {
        if !self.incoming.contains(&from) {
            return Err(Error::UnknownChannel { from, id });
        }
        if self.handed_over.contains(id) {
            return Err(Error::HandedOver { from, id });
        }
        let first = self.recording(id).is_none();
        let markers = first.then(|| self.record(id, state));
        let recording = self
            .recordings
            .iter_mut()
            .find(|recording| recording.id == id);
        match recording.and_then(|recording| recording.close(from)) {
            Some(()) => Ok(markers),
            None => Err(Error::SecondMarker { from, id }),
        }
    }

    /// A message is taken from the channel from `from`, and has not changed the state yet.
    ///
    /// It is recorded in every snapshot that still records that channel. While no snapshot is in
    /// progress this is one comparison; it is on the path of every message. For that reason a
    /// channel that was never opened is looked for in debug builds only; in a release build such
    /// a message is recorded nowhere, and the [audit](mod@crate::audit) tells once one crosses a
    /// cut.
    #[inline]
    pub fn on_message(&mut self, from: P, message: &M) {
        debug_assert!(
            self.incoming.contains(&from),
            "a message from a channel that is not open"
        );
        for recording in &mut self.recordings {
            if let Some(messages) = recording.waiting.get_mut(&from) {
                messages.push(message.clone());
            }
        }
    }

    /// The channels whose marker has not come yet, by source, ascending; `None` if the snapshot is
    /// not recorded here or was handed over.
    pub fn waiting_for(&self, id: SnapshotId) -> Option<impl Iterator<Item = P>> {
        self.recording(id)
            .map(|recording| recording.waiting.keys().copied())
    }

    /// Whether the state and every incoming channel are recorded and can be handed over.
    #[must_use]
    pub fn is_complete(&self, id: SnapshotId) -> bool {
        self.recording(id)
            .is_some_and(|recording| recording.waiting.is_empty())
    }

    /// Whether the state was recorded here, be the part handed over or not.
    #[must_use]
    pub fn has_recorded(&self, id: SnapshotId) -> bool {
        self.recording(id).is_some() || self.handed_over.contains(id)
    }

    /// A copy of a complete part; `None` while it is not recorded or still waits for a marker, and
    /// once it was handed over.
    #[must_use]
    pub fn part(&self, id: SnapshotId) -> Option<LocalSnapshot<P, S, M>> {
        let recording = self.recording(id).filter(|it| it.waiting.is_empty())?;
        Some(LocalSnapshot {
            state: recording.state.clone(),
            channels: recording.closed.clone(),
        })
    }

    /// Takes a complete part out; `None` while it is not recorded or still waits for a marker.
    ///
    /// Only when the parts of *all* processes are complete and no channel is half open: see the
    /// [module](self).
    #[must_use = "the part is no longer here: this is the only copy"]
    pub fn hand_over(&mut self, id: SnapshotId) -> Option<LocalSnapshot<P, S, M>> {
        let complete =
            |recording: &Recording<_, _, _>| recording.id == id && recording.waiting.is_empty();
        let place = self.recordings.iter().position(complete)?;
        let Recording { state, closed, .. } = self.recordings.remove(place);
        self.handed_over.insert(id);
        Some(LocalSnapshot {
            state,
            channels: closed,
        })
    }

    /// What is recorded here and not handed over, in the order in which it was recorded.
    #[must_use]
    pub fn recordings(&self) -> &[Recording<P, S, M>] {
        &self.recordings
    }

    /// The snapshots that were handed over.
    #[must_use]
    pub fn handed_over(&self) -> &IdSet {
        &self.handed_over
    }

    /// A recorder as it was, from all that there is to know of it.
    #[must_use]
    pub fn restored(
        incoming: impl IntoIterator<Item = P>,
        outgoing: impl IntoIterator<Item = P>,
        recordings: Vec<Recording<P, S, M>>,
        handed_over: IdSet,
    ) -> Self {
        Self {
            incoming: incoming.into_iter().collect(),
            outgoing: outgoing.into_iter().collect(),
            recordings,
            handed_over,
        }
    }

    /// The snapshots recorded here and not handed over, in the order in which they were recorded.
    pub fn recorded(&self) -> impl Iterator<Item = SnapshotId> {
        self.recordings.iter().map(|recording| recording.id)
    }

    fn recording(&self, id: SnapshotId) -> Option<&Recording<P, S, M>> {
        self.recordings.iter().find(|recording| recording.id == id)
    }

    /// Records the state; recorded *after* it and *before* anything else happens at this process,
    /// every incoming channel is waited for.
    fn record(&mut self, id: SnapshotId, state: &S) -> Markers {
        let waiting = self
            .incoming
            .iter()
            .map(|&from| (from, Vec::new()))
            .collect();
        let state = state.clone();
        self.recordings.push(Recording {
            id,
            state,
            waiting,
            closed: BTreeMap::new(),
        });
        Markers(id)
    }
}

impl<P, S, M> Default for Recorder<P, S, M> {
    fn default() -> Self {
        Self {
            incoming: BTreeSet::new(),
            outgoing: BTreeSet::new(),
            recordings: Vec::new(),
            handed_over: IdSet::default(),
        }
    }
}

/// One snapshot at one process, from its cut on. Each incoming channel is in one of the maps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recording<P, S, M> {
    /// The snapshot.
    pub id: SnapshotId,
    /// The process state.
    pub state: S,
    /// Channels whose marker has not come: what they brought since the cut.
    pub waiting: BTreeMap<P, Vec<M>>,
    /// Channels whose marker has come: their states.
    pub closed: BTreeMap<P, Vec<M>>,
}

impl<P: Ord, S, M> Recording<P, S, M> {
    /// The marker came from there; `None` if it was not waited for.
    fn close(&mut self, from: P) -> Option<()> {
        let (from, messages) = self.waiting.remove_entry(&from)?;
        self.closed.insert(from, messages);
        Some(())
    }
}

#[cfg(test)]
mod tests;
