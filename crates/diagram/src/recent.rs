//! The last events of a system that runs, in bounded memory, and what is so after them.

use std::collections::{BTreeMap, VecDeque};

use history::{Channel, Content, Event, ProcessId, What};

/// More events are forgotten, the oldest first.
const MAX_EVENTS: usize = 4000;

/// The system that started last: its last events, its processes, and what is in transit. Beside the
/// events it grows only with these.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    pub(crate) steps: VecDeque<Step>,
    /// How many events came before those in `steps`.
    pub(crate) forgotten: u64,
    pub(crate) processes: BTreeMap<ProcessId, Now>,
    /// By sender, then by receiver; in the order in which it was sent. None of them is empty.
    pub(crate) in_transit: BTreeMap<(ProcessId, ProcessId), VecDeque<InTransit>>,
    pub(crate) is_ended: bool,
}

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) event: Event,
    /// Where something is received: the number of the event that sent it.
    pub(crate) sent: Option<u64>,
}

/// A process as it is now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) amount: u64,
    pub(crate) is_dead: bool,
}

/// A message or marker in transit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InTransit {
    pub(crate) content: Content,
    /// The number of the event that sent it, counted from 0.
    pub(crate) sent: u64,
}

impl Recent {
    /// Hears the event that comes next.
    pub fn push(&mut self, mut event: Event) {
        if event.what == What::Start {
            *self = Self::default();
        }
        let number = self.forgotten + self.steps.len() as u64;
        let mut sent = None;
        match &mut event.what {
            What::Create { process, amount } => {
                let (amount, is_dead) = (*amount, false);
                self.processes.insert(*process, Now { amount, is_dead });
            }
            What::Send {
                channel, amount, ..
            } => {
                if let Some(sender) = self.processes.get_mut(&channel.from) {
                    sender.amount = sender.amount.saturating_sub(*amount);
                }
                self.send(*channel, Content::Amount(*amount), number);
            }
            What::MarkerSent {
                channel, snapshot, ..
            } => self.send(*channel, Content::Marker(*snapshot), number),
            What::Receive {
                channel, amount, ..
            } => {
                if let Some(receiver) = self.processes.get_mut(&channel.to) {
                    receiver.amount = receiver.amount.saturating_add(*amount);
                }
                sent = self.receive(*channel);
            }
            What::MarkerReceived { channel, .. } => sent = self.receive(*channel),
            What::Death {
                process: Some(process),
                ..
            } => {
                if let Some(dead) = self.processes.get_mut(process) {
                    dead.is_dead = true;
                }
            }
            // Their lists may be long, and are not drawn.
            What::Record { sent, received, .. } => (*sent, *received) = (Vec::new(), Vec::new()),
            What::Collect {
                states, channels, ..
            } => (*states, *channels) = (Vec::new(), Vec::new()),
            What::End => self.is_ended = true,
            _ => {}
        }
        self.steps.push_back(Step { event, sent });
        if self.steps.len() > MAX_EVENTS {
            self.steps.pop_front();
            self.forgotten += 1;
        }
    }

    /// Whether nothing has happened yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    fn send(&mut self, channel: Channel, content: Content, sent: u64) {
        let queue = self.in_transit.entry((channel.from, channel.to));
        queue.or_default().push_back(InTransit { content, sent });
    }

    fn receive(&mut self, channel: Channel) -> Option<u64> {
        let key = (channel.from, channel.to);
        let queue = self.in_transit.get_mut(&key)?;
        let received = queue.pop_front();
        if queue.is_empty() {
            self.in_transit.remove(&key);
        }
        received.map(|message| message.sent)
    }
}
