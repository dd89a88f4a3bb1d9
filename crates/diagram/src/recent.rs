//! The last events of a system that runs, in bounded memory, and how it is after them.

use std::collections::VecDeque;

use history::{Event, Replay, What};

/// More events are forgotten, the oldest first.
const MAX_EVENTS: usize = 4000;

/// The system that started last: its last events, its processes, and what is in transit. Beside the
/// events it grows only with these.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    pub(crate) events: VecDeque<LinkedEvent>,
    pub(crate) replay: Replay,
}

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct LinkedEvent {
    pub(crate) event: Event,
    /// Where something is received: the number of the event that sent it.
    pub(crate) sent: Option<u64>,
}

impl Recent {
    /// Adds the event that comes next.
    pub fn push(&mut self, mut event: Event) {
        let received = self.replay.apply(&event.what);
        match &mut event.what {
            What::Start { .. } => self.events.clear(),
            // Their lists may be long, and are not drawn.
            What::Record { sent, received, .. } => (*sent, *received) = (Vec::new(), Vec::new()),
            What::Collect {
                states, channels, ..
            } => (*states, *channels) = (Vec::new(), Vec::new()),
            _ => {}
        }
        let sent = received.map(|received| received.sent);
        self.events.push_back(LinkedEvent { event, sent });
        if self.events.len() > MAX_EVENTS {
            self.events.pop_front();
        }
    }

    /// Whether nothing has happened yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replay.processes().is_empty()
    }

    /// How many events came before those in `events`.
    pub(crate) fn forgotten(&self) -> u64 {
        self.replay.events() - self.events.len() as u64
    }
}
