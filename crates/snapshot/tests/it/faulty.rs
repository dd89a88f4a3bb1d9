//! A process with a recorder of its own, written anew and plainly, in which each step can be
//! broken. Without a bug it does what the recorder does.

use std::collections::{BTreeMap, BTreeSet};

use snapshot::{Error, Frame, LocalSnapshot, SnapshotId};

use crate::sim::{Frames, Id, Message, Process, State};

/// One way to get Chandy and Lamport's algorithm wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    MarkerAfterTheNextMessage,
    NoRelay,
    OneChannelGetsNoMarker,
    NeverStopsRecording,
    EveryChannelClosedByOneMarker,
    EverySnapshotClosedByOneMarker,
    MarkersOfTwoSnapshotsConfused,
    StateRecordedAfterTheNextMessageReceived,
    StateRecordedAfterTheNextMessageSent,
    StateRecordedBeforeThePreviousMessage,
    NothingRecorded,
    OnlyTheFirstMessageRecorded,
    OnlyTheNewestSnapshotRecords,
    RecordedTwice,
    RecordedInAnotherOrder,
    RecordedOnAnotherChannel,
    RecordedWithAnotherAmount,
    FirstMarkersChannelStaysOpen,
    FirstMarkersChannelNotEmpty,
    NewChannelGetsNoMarker,
    NewChannelGetsItsMarkerLate,
    NewChannelNotRecorded,
    CompletePartDoesNotReopen,
    HandedOverIncomplete,
}

pub(crate) struct Faulty {
    bug: Option<Bug>,
    state: State,
    /// The state before the last message, for those who look back.
    previous: State,
    incoming: BTreeSet<Id>,
    outgoing: BTreeSet<Id>,
    recordings: Vec<Recording>,
    /// Markers that should have been sent long ago.
    late: Frames,
    last_received: BTreeMap<Id, Message>,
}

struct Recording {
    id: SnapshotId,
    state: State,
    /// Nothing has been sent or received since.
    fresh: bool,
    channels: BTreeMap<Id, Recorded>,
}

#[derive(Clone, Default)]
struct Recorded {
    closed: bool,
    /// It takes messages for recorded although it is closed.
    leaks: bool,
    messages: Vec<Message>,
}

impl Recording {
    fn is_complete(&self) -> bool {
        self.channels.values().all(|channel| channel.closed)
    }

    fn waits_for(&self, from: Id) -> bool {
        self.channels
            .get(&from)
            .is_some_and(|channel| !channel.closed)
    }
}

impl Faulty {
    pub(crate) fn new(tokens: u64, bug: Option<Bug>) -> Self {
        let state = State {
            tokens,
            ..State::default()
        };
        Self {
            bug,
            previous: state.clone(),
            state,
            incoming: BTreeSet::new(),
            outgoing: BTreeSet::new(),
            recordings: Vec::new(),
            late: Frames::new(),
            last_received: BTreeMap::new(),
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// The marker-sending rule.
    fn record(&mut self, id: SnapshotId, first_from: Option<Id>) -> Frames {
        let back = self.has(Bug::StateRecordedBeforeThePreviousMessage);
        let state = if back {
            self.previous.clone()
        } else {
            self.state.clone()
        };
        let channels = self
            .incoming
            .iter()
            .map(|&from| (from, Recorded::default()))
            .collect();
        self.recordings.push(Recording {
            id,
            state,
            fresh: true,
            channels,
        });

        let mut to = self.outgoing.clone();
        if self.has(Bug::NoRelay) && first_from.is_some() {
            to.clear();
        }
        if self.has(Bug::OneChannelGetsNoMarker) {
            to.pop_last();
        }
        let markers: Frames = to.into_iter().map(|to| (to, Frame::Marker(id))).collect();
        if self.has(Bug::MarkerAfterTheNextMessage) {
            self.late.extend(markers);
            return Frames::new();
        }
        markers
    }

    /// The marker-receiving rule.
    fn on_marker(&mut self, from: Id, id: SnapshotId) -> Frames {
        let first = !self.recordings.iter().any(|recording| recording.id == id);
        let markers = if first {
            self.record(id, Some(from))
        } else {
            Frames::new()
        };
        let bug = self.bug;
        let confused = bug == Some(Bug::MarkersOfTwoSnapshotsConfused);
        let last_received = self.last_received.get(&from).copied();
        let waits = |recording: &&mut Recording| match confused {
            true => recording.waits_for(from),
            false => recording.id == id,
        };
        let Some(recording) = self.recordings.iter_mut().find(waits) else {
            return markers;
        };
        if let Some(channel) = recording.channels.get_mut(&from) {
            channel.closed = true;
            channel.leaks = bug == Some(Bug::NeverStopsRecording)
                || (first && bug == Some(Bug::FirstMarkersChannelStaysOpen));
            if first && bug == Some(Bug::FirstMarkersChannelNotEmpty) {
                channel.messages.extend(last_received);
            }
        }
        if bug == Some(Bug::EveryChannelClosedByOneMarker) && !first {
            recording
                .channels
                .values_mut()
                .for_each(|channel| channel.closed = true);
        }
        if bug == Some(Bug::EverySnapshotClosedByOneMarker) {
            for recording in &mut self.recordings {
                recording.channels.entry(from).or_default().closed = true;
            }
        }
        markers
    }

    fn on_message(&mut self, from: Id, mut message: Message) {
        let bug = self.bug;
        let newest = self.recordings.len().saturating_sub(1);
        for (age, recording) in self.recordings.iter_mut().enumerate() {
            let records = recording.channels.get(&from);
            if !records.is_some_and(|channel| !channel.closed || channel.leaks)
                || (bug == Some(Bug::OnlyTheNewestSnapshotRecords) && age != newest)
            {
                continue;
            }
            let mut channel = from;
            if bug == Some(Bug::RecordedOnAnotherChannel) {
                let other = recording.channels.keys().find(|&&other| other != from);
                channel = other.copied().unwrap_or(from);
            }
            if bug == Some(Bug::RecordedWithAnotherAmount) {
                message.tokens += 1;
            }
            let messages = &mut recording.channels.entry(channel).or_default().messages;
            match bug {
                Some(Bug::NothingRecorded) => {}
                Some(Bug::OnlyTheFirstMessageRecorded) if !messages.is_empty() => {}
                Some(Bug::RecordedTwice) => messages.extend([message, message]),
                Some(Bug::RecordedInAnotherOrder) => messages.insert(0, message),
                _ => messages.push(message),
            }
        }
    }

    /// The state has changed by a message: what those record who are late.
    fn changed(&mut self, before: State, late: Bug) {
        self.previous = before;
        let late = self.has(late);
        for recording in &mut self.recordings {
            if late && recording.fresh {
                recording.state = self.state.clone();
            }
            recording.fresh = false;
        }
    }
}

impl Process for Faulty {
    fn state(&self) -> &State {
        &self.state
    }

    fn open_in(&mut self, from: Id) {
        self.incoming.insert(from);
        let closed = self.has(Bug::NewChannelNotRecorded);
        let does_not_reopen = self.has(Bug::CompletePartDoesNotReopen);
        for recording in &mut self.recordings {
            let closed = closed || (does_not_reopen && recording.is_complete());
            recording.channels.insert(
                from,
                Recorded {
                    closed,
                    ..Recorded::default()
                },
            );
        }
    }

    fn open_out(&mut self, to: Id) -> Frames {
        self.outgoing.insert(to);
        let ids = self.recordings.iter().map(|recording| recording.id);
        let markers = ids.map(|id| (to, Frame::Marker(id)));
        match self.bug {
            Some(Bug::NewChannelGetsNoMarker) => Frames::new(),
            Some(Bug::NewChannelGetsItsMarkerLate) => {
                self.late.extend(markers);
                Frames::new()
            }
            _ => markers.collect(),
        }
    }

    fn send(&mut self, to: Id, message: Message) -> Frames {
        let before = self.state.clone();
        self.state.send(to, message);
        self.changed(before, Bug::StateRecordedAfterTheNextMessageSent);
        let mut frames = vec![(to, Frame::Message(message))];
        frames.append(&mut self.late);
        frames
    }

    fn take(&mut self, from: Id, frame: Frame<Message>) -> Result<Frames, Error<Id>> {
        match frame {
            Frame::Message(message) => {
                self.on_message(from, message);
                let before = self.state.clone();
                self.state.receive(from, message);
                self.changed(before, Bug::StateRecordedAfterTheNextMessageReceived);
                self.last_received.insert(from, message);
                Ok(Frames::new())
            }
            Frame::Marker(id) => Ok(self.on_marker(from, id)),
        }
    }

    fn begin(&mut self, id: SnapshotId) -> Result<Frames, Error<Id>> {
        Ok(self.record(id, None))
    }

    fn is_complete(&self, id: SnapshotId) -> bool {
        let recording = self.recordings.iter().find(|recording| recording.id == id);
        let at_once = self.has(Bug::HandedOverIncomplete);
        recording.is_some_and(|recording| at_once || recording.is_complete())
    }

    fn hand_over(&mut self, id: SnapshotId) -> Option<LocalSnapshot<Id, State, Message>> {
        let place = self
            .recordings
            .iter()
            .position(|recording| recording.id == id)?;
        let Recording {
            state, channels, ..
        } = self.recordings.remove(place);
        let messages = |(from, channel): (Id, Recorded)| (from, channel.messages);
        Some(LocalSnapshot {
            state,
            channels: channels.into_iter().map(messages).collect(),
        })
    }
}
