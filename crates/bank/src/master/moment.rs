//! A moment in the middle of a script at which nothing is in flight, in a bank that lasts.
//!
//! A script that was interrupted is run again from its last moment on, and not from its first line: else who
//! is killed sooner than he catches up would never get on. What master is then is the bank, how often it has
//! drawn, and what it was still to recall. Everything else that a run has at such a moment belongs to whoever
//! drives it: which statements are left, and what was shown.

use serde::{Deserialize, Serialize};

use super::comebacks::Earlier;
use super::events::Events;
use super::{Draw, Effect, Image, Kept, Master};
use crate::id::Place;
use crate::messages::{FRAMES, Instruction};
use crate::script::{Command, Statement};

/// What master is when nothing is in flight.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The bank.
    pub image: Image,
    /// How often was drawn.
    pub draws: u64,
    /// What an earlier run of the script has kept, and this one has not come to.
    pub ahead: Vec<Kept>,
    /// The history until then, where one is wanted.
    pub history: Option<HistorySoFar>,
}

/// What of a history it takes to go on with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistorySoFar {
    events: Box<Events>,
    earlier: Earlier,
}

impl Master {
    /// How much it has issued since it is there: what was issued since a moment is issued again.
    #[must_use]
    #[inline]
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// What it is now, once it is [idle](Self::is_idle). `None` where there is no bank, or one to which the
    /// next statement may add what belongs together with the last.
    #[must_use]
    pub fn moment(&self) -> Option<Moment> {
        debug_assert!(self.is_idle(), "nothing is in flight");
        if !self.bank.is_begun || !self.bank.unconnected.is_empty() {
            return None;
        }
        Some(Moment {
            image: self.image()?,
            draws: self.draw.draws(),
            ahead: self.recalled.outcomes.iter().cloned().collect(),
            history: self.events.clone().map(|events| HistorySoFar {
                events,
                earlier: self.earlier(),
            }),
        })
    }

    /// The [moment](Self::moment) that it is now was noted, and the note survives what the bank is to survive:
    /// nodes may remove what nobody will ask for.
    pub fn noted(&mut self) {
        debug_assert!(self.is_idle(), "nothing is in flight");
        let channels = &self.bank.channels;
        let nodes = self.bank.nodes.created();
        for (place, _) in nodes.filter(|(_, node)| node.is_running()) {
            let peers = self.bank.topology.outgoing(place).iter();
            let waiting = peers.filter(|to| channels.len(place, **to) > 0);
            let waiting: Vec<(Place, u64)> = waiting
                .map(|to| (*to, channels.taken(place, *to)))
                .collect();
            // One to which more wait for than can be said keeps what it has.
            if waiting.len() <= FRAMES {
                let truncate = Instruction::Truncate { waiting };
                self.effects.push(Effect::Instruct(place, truncate));
            }
        }
    }

    /// The script goes on at a moment: with this bank, and after so many draws. Whatever was kept since is to
    /// be [recalled](Self::recall), with what was ahead. Returns what is to be executed first.
    ///
    /// Where a history is wanted, it goes on behind this one; without it, one begins with the bank as for
    /// [`reopen`](Self::reopen).
    #[must_use = "the bank is to be opened"]
    pub fn go_on_from(
        &mut self,
        image: Image,
        draws: u64,
        history: Option<HistorySoFar>,
    ) -> Statement {
        match history.filter(|_| self.setup.history) {
            None => self.reopen(image),
            Some(history) => {
                self.events = Some(history.events);
                self.comebacks.count_from(history.earlier);
                self.image = Some(Box::new(image));
            }
        }
        self.draw = Draw::after(self.setup.seed, draws);
        Statement {
            line: 0,
            command: Command::StartMaster { sparse: false },
        }
    }
}
