//! The process as it should be: the state, the recorder, and the contract between them.

use snapshot::{Error, Frame, LocalSnapshot, Markers, Recorder, SnapshotId};

use super::{Frames, Id, Message, Process, State};

pub(crate) struct Honest {
    state: State,
    recorder: Recorder<Id, State, Message>,
}

impl Honest {
    pub(crate) fn new(tokens: u64) -> Self {
        let state = State {
            tokens,
            ..State::default()
        };
        Self {
            state,
            recorder: Recorder::new(),
        }
    }

    fn relay(&self, markers: Markers) -> Frames {
        self.recorder
            .outgoing()
            .map(|to| (to, Frame::Marker(markers.id())))
            .collect()
    }
}

impl Process for Honest {
    fn state(&self) -> &State {
        &self.state
    }

    fn open_in(&mut self, from: Id) {
        self.recorder.open_in(from);
    }

    fn open_out(&mut self, to: Id) -> Frames {
        self.recorder
            .open_out(to)
            .into_iter()
            .map(|id| (to, Frame::Marker(id)))
            .collect()
    }

    fn send(&mut self, to: Id, message: Message) -> Frames {
        self.state.send(to, message);
        vec![(to, Frame::Message(message))]
    }

    fn take(&mut self, from: Id, frame: Frame<Message>) -> Result<Frames, Error<Id>> {
        match frame {
            Frame::Message(message) => {
                self.recorder.on_message(from, &message);
                self.state.receive(from, message);
                Ok(Frames::new())
            }
            Frame::Marker(id) => {
                let markers = self.recorder.on_marker(from, id, &self.state)?;
                Ok(markers
                    .map(|markers| self.relay(markers))
                    .unwrap_or_default())
            }
        }
    }

    fn begin(&mut self, id: SnapshotId) -> Result<Frames, Error<Id>> {
        let markers = self.recorder.begin(id, &self.state)?;
        Ok(self.relay(markers))
    }

    fn is_complete(&self, id: SnapshotId) -> bool {
        self.recorder.is_complete(id)
    }

    fn hand_over(&mut self, id: SnapshotId) -> Option<LocalSnapshot<Id, State, Message>> {
        self.recorder.hand_over(id)
    }
}
