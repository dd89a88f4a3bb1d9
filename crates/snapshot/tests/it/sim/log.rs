//! The omniscient log: all that happened in the whole system, in one order, which no process of a
//! distributed system can see. From it a snapshot can be *defined* instead of recorded.
//!
//! A process's cut is the moment when it first hears of the snapshot. Its state is that of this
//! moment; a channel's is what was sent before the sender's cut and received after the receiver's.

use std::collections::{BTreeMap, BTreeSet};

use snapshot::SnapshotId;

use super::{Collected, Failure, Id, Message};

pub(crate) enum Event {
    Joined {
        process: Id,
        tokens: u64,
    },
    Sent {
        from: Id,
        to: Id,
        message: Message,
    },
    Taken {
        from: Id,
        to: Id,
        message: Message,
    },
    /// The process heard of the snapshot. The first time is its cut; the log keeps no other.
    Heard {
        process: Id,
        id: SnapshotId,
    },
}

#[derive(Default)]
pub(crate) struct Log {
    events: Vec<Event>,
    heard: BTreeSet<(Id, SnapshotId)>,
}

/// What the log says of one snapshot: the sequences themselves, where the audit has but tallies.
#[derive(Default)]
struct Replay {
    tokens: BTreeMap<Id, u64>,
    sent: BTreeMap<(Id, Id), Vec<Message>>,
    taken: BTreeMap<(Id, Id), usize>,
    cut: BTreeSet<Id>,
}

impl Log {
    pub(crate) fn add(&mut self, event: Event) {
        if let Event::Heard { process, id } = event
            && !self.heard.insert((process, id))
        {
            return;
        }
        self.events.push(event);
    }

    /// A message that was never sent before, sent now.
    pub(crate) fn send(&mut self, from: Id, to: Id, tokens: u64) -> Message {
        let message = Message {
            number: self.events.len() as u64,
            tokens,
        };
        self.events.push(Event::Sent { from, to, message });
        message
    }

    pub(crate) fn has_heard(&self, process: Id, id: SnapshotId) -> bool {
        self.heard.contains(&(process, id))
    }

    /// Compares a collected snapshot with what it should be.
    pub(crate) fn check<'a>(
        &self,
        id: SnapshotId,
        collected: &Collected,
        channels: impl Iterator<Item = &'a (Id, Id)>,
    ) -> Result<(), Failure> {
        let mut replay = Replay::default();
        self.events.iter().for_each(|event| replay.step(id, event));
        let mut defined: BTreeMap<Id, (u64, BTreeMap<Id, Vec<Message>>)> = replay
            .tokens
            .iter()
            .map(|(&process, &tokens)| (process, (tokens, BTreeMap::new())))
            .collect();
        for &(from, to) in channels {
            let sent = replay.sent.remove(&(from, to)).unwrap_or_default();
            let taken = replay.taken.get(&(from, to)).copied().unwrap_or(0);
            let Some(in_transit) = sent.get(taken..) else {
                let recorded = format!("{taken} messages of {from} taken before the cut");
                let defined = format!("{} sent before the cut", sent.len());
                return Err(Failure::Definition {
                    id,
                    process: to,
                    recorded,
                    defined,
                });
            };
            let (_, states) = defined.get_mut(&to).expect("a process that joined");
            states.insert(from, in_transit.to_vec());
        }
        for (&process, local) in collected {
            let recorded = (local.state.tokens, local.channels.clone());
            if recorded != defined[&process] {
                let (recorded, defined) =
                    (format!("{recorded:?}"), format!("{:?}", defined[&process]));
                return Err(Failure::Definition {
                    id,
                    process,
                    recorded,
                    defined,
                });
            }
        }
        self.conserved(id, collected)
    }

    fn conserved(&self, id: SnapshotId, collected: &Collected) -> Result<(), Failure> {
        let brought = |event: &Event| match event {
            Event::Joined { tokens, .. } => *tokens,
            _ => 0,
        };
        let brought = self.events.iter().map(brought).sum();
        let states: u64 = collected.values().map(|part| part.state.tokens).sum();
        let channels = collected
            .values()
            .flat_map(|part| part.channels.values())
            .flatten();
        let recorded = states + channels.map(|message| message.tokens).sum::<u64>();
        if recorded == brought {
            Ok(())
        } else {
            Err(Failure::Conservation {
                id,
                recorded,
                brought,
            })
        }
    }
}

impl Replay {
    /// An event counts at a process that has not reached its cut.
    fn step(&mut self, snapshot: SnapshotId, event: &Event) {
        match *event {
            Event::Joined { process, tokens } => {
                self.tokens.insert(process, tokens);
            }
            Event::Sent { from, to, message } => {
                if !self.cut.contains(&from) {
                    *self.tokens.entry(from).or_default() -= message.tokens;
                    self.sent.entry((from, to)).or_default().push(message);
                }
            }
            Event::Taken { from, to, message } => {
                if !self.cut.contains(&to) {
                    *self.tokens.entry(to).or_default() += message.tokens;
                    *self.taken.entry((from, to)).or_default() += 1;
                }
            }
            Event::Heard { process, id } => {
                if id == snapshot {
                    self.cut.insert(process);
                }
            }
        }
    }
}
