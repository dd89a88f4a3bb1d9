//! Master's side of a load, from the first transfer to the last balance: who is told what, and what follows
//! from what they say.
//!
//! Everybody makes transfers until all have made theirs, or are to rest. Then each is asked what it
//! has sent to whom, so that it is known what each has to receive, and says its balance once it has.
//!
//! Processes are started, connected and started again as for a script. Who was started again in a bank that
//! lasts is [told again](Load::restarted) what it has not answered; what has been done already is not done twice there
//! (`node/load.rs`, `observer/watch.rs`). So here nothing is numbered, and an answer that comes twice is one.

use snapshot::IdSet;

use super::{Broken, Effect, Process};
use crate::id::Place;
use crate::messages::{Answer, CHUNK, Instruction, Reply, Request};

/// What a load is to be.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What every node draws from. In a bank that lasts, another load has another seed, or it is the same
    /// load, with which everybody goes on.
    pub seed: u64,
    /// By place.
    pub nodes: Vec<Part>,
    /// Whether snapshots are taken: how often, and how many at once, as in [`Request::Watch`].
    pub watch: Option<(u64, u32)>,
}

/// What one node has to do with it.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// To whom it has channels.
    pub peers: Vec<Place>,
    /// As in [`Instruction::Load`].
    pub quota: Option<u64>,
    /// As in [`Instruction::Load`].
    pub pin: Option<u32>,
}

/// How far everybody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Transfers are made.
    Running,
    /// Nobody makes transfers any more, and each is asked what it has sent.
    Telling,
    /// It is known what everybody has to receive.
    Settling,
    /// Everything has come.
    Settled,
}

/// What is known of a node.
#[derive(Clone, Debug, Default)]
struct Node {
    part: Part,
    has_generated: bool,
    /// It was asked how much it has received, and has not said.
    is_counting: bool,
    is_lost: bool,
    received: u64,
    /// Of how many of its peers it has said how much it has sent to them.
    told: usize,
    /// How much was sent to it, as far as is known.
    owed: u64,
    balance: Option<u64>,
}

/// A load.
#[derive(Debug)]
pub struct Load {
    seed: u64,
    watch: Option<(u64, u32)>,
    nodes: Vec<Node>,
    phase: Phase,
    is_resting: bool,
    /// The snapshots of which was heard.
    watched: IdSet,
    /// The observer takes no more.
    has_rested: bool,
}

impl Load {
    /// A load that has not begun.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let node = |part| Node {
            part,
            ..Node::default()
        };
        Self {
            seed: plan.seed,
            watch: plan.watch,
            nodes: plan.nodes.into_iter().map(node).collect(),
            phase: Phase::Running,
            is_resting: false,
            watched: IdSet::default(),
            has_rested: plan.watch.is_none(),
        }
    }

    /// Has everybody begin.
    pub fn begin(&self, effects: &mut Vec<Effect>) {
        self.watch(effects);
        for place in self.places() {
            effects.push(Effect::Instruct(place, self.load(place)));
        }
    }

    /// Nobody is to make any more transfers.
    pub fn rest(&mut self, effects: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.is_resting, true) {
            let rest = |place| Effect::Instruct(place, Instruction::Rest);
            effects.extend(self.places().map(rest));
        }
    }

    /// Asks how much everybody has received, unless somebody has not answered that yet.
    pub fn count(&mut self, effects: &mut Vec<Effect>) {
        if !self.is_counted() {
            return;
        }
        for (place, node) in (0..).map(Place).zip(&mut self.nodes) {
            node.is_counting = true;
            effects.push(Effect::Instruct(place, Instruction::Count));
        }
    }

    /// A node replies.
    ///
    /// # Errors
    ///
    /// Nobody has asked for that.
    pub fn hear(
        &mut self,
        place: Place,
        reply: Reply,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let phase = self.phase;
        let node = &mut self.nodes[place.index()];
        match reply {
            Reply::Generated => node.has_generated = true,
            Reply::Counted { received } => {
                node.is_counting = false;
                node.received = received;
            }
            Reply::SentTo { transfers }
                if phase == Phase::Telling
                    && transfers.len() <= node.part.peers.len() - node.told =>
            {
                let told = node.told;
                node.told += transfers.len();
                let peers = node.part.peers[told..].to_vec();
                for (peer, sent) in peers.into_iter().zip(transfers) {
                    let owed = &mut self.nodes[peer.index()].owed;
                    *owed = owed.saturating_add(sent);
                }
            }
            Reply::Settled { received, balance } if phase >= Phase::Settling => {
                node.received = received;
                node.balance = Some(balance);
            }
            reply => return Err(Broken::NotAskedFor(format!("{reply:?}"))),
        }
        self.go_on(effects);
        Ok(())
    }

    /// The observer answers; whether this is news: who has come back may say again what it has said.
    ///
    /// # Errors
    ///
    /// Nobody has asked for that.
    pub fn hear_observer(&mut self, answer: &Answer) -> Result<bool, Broken> {
        match answer {
            Answer::Rested => Ok(!std::mem::replace(&mut self.has_rested, true)),
            Answer::Watched { snapshot, .. } => Ok(self.watched.insert(*snapshot)),
            Answer::Unsound { .. } | Answer::NodeGone { .. } => Ok(true),
            answer => Err(Broken::NotAskedFor(format!("{answer:?}"))),
        }
    }

    /// A process was started again, everything that it had said before was handed in, and its pipes are
    /// announced: it is told what it has not answered.
    pub fn restarted(&self, process: Process, effects: &mut Vec<Effect>) {
        let Process::Node(place) = process else {
            if !self.has_rested {
                self.watch(effects);
            }
            return;
        };
        let node = &self.nodes[place.index()];
        let mut instruct = |instruction| effects.push(Effect::Instruct(place, instruction));
        instruct(self.load(place));
        if self.is_resting && !node.has_generated {
            instruct(Instruction::Rest);
        }
        if node.is_counting {
            instruct(Instruction::Count);
        }
        if self.phase == Phase::Telling {
            node.ask_what_was_sent(instruct);
        } else if self.phase == Phase::Settling && node.balance.is_none() {
            instruct(node.settle());
        }
    }

    /// A process will not come back: it is not waited for to count any more.
    pub fn lost(&mut self, process: Process) {
        if let Process::Node(place) = process {
            self.nodes[place.index()].is_lost = true;
        }
    }

    /// Whether nobody makes transfers any more.
    #[must_use]
    pub fn has_generated(&self) -> bool {
        self.nodes.iter().all(|node| node.has_generated)
    }

    /// Whether everybody has said how much it has received since [`Load::count`].
    #[must_use]
    pub fn is_counted(&self) -> bool {
        { self.nodes.iter() }.all(|node| node.is_lost || !node.is_counting)
    }

    /// How many transfers have been received, as far as is known.
    #[must_use]
    pub fn received(&self) -> u64 {
        // Saturating: a process may say anything.
        { self.nodes.iter() }.fold(0, |sum, node| sum.saturating_add(node.received))
    }

    /// How many transfers were sent, as far as is known.
    #[must_use]
    pub fn sent(&self) -> u64 {
        { self.nodes.iter() }.fold(0, |sum, node| sum.saturating_add(node.owed))
    }

    /// What is in all accounts, once everything has come.
    #[must_use]
    pub fn balances(&self) -> Option<u128> {
        { self.nodes.iter() }
            .map(|node| node.balance.map(u128::from))
            .sum()
    }

    /// Whether the observer takes no more snapshots.
    #[must_use]
    pub fn has_rested(&self) -> bool {
        self.has_rested
    }

    /// What is known is enough for the next question.
    fn go_on(&mut self, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Running && self.has_generated() {
            self.phase = Phase::Telling;
            if !self.has_rested {
                effects.push(Effect::Request(Request::Rest));
            }
            for (place, node) in self.places().zip(&self.nodes) {
                node.ask_what_was_sent(|asked| effects.push(Effect::Instruct(place, asked)));
            }
        }
        let has_told = |node: &Node| node.told == node.part.peers.len();
        if self.phase == Phase::Telling && self.nodes.iter().all(has_told) {
            self.phase = Phase::Settling;
            let settle = |(place, node): (Place, &Node)| Effect::Instruct(place, node.settle());
            effects.extend(self.places().zip(&self.nodes).map(settle));
        }
        if self.phase == Phase::Settling && self.balances().is_some() {
            self.phase = Phase::Settled;
        }
    }

    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.nodes.len()).map(Place::at)
    }

    /// Has the observer take snapshots, until it is to rest.
    fn watch(&self, effects: &mut Vec<Effect>) {
        let Some((every_ms, concurrent)) = self.watch else {
            return;
        };
        effects.push(Effect::Request(Request::Watch {
            nodes: self.nodes.len() as u32,
            every_ms,
            concurrent,
        }));
        if self.phase > Phase::Running {
            effects.push(Effect::Request(Request::Rest));
        }
    }

    fn load(&self, place: Place) -> Instruction {
        let part = &self.nodes[place.index()].part;
        Instruction::Load {
            seed: self.seed,
            quota: part.quota,
            others: self.nodes.len().saturating_sub(1) as u32,
            pin: part.pin,
        }
    }
}

impl Node {
    fn ask_what_was_sent(&self, mut instruct: impl FnMut(Instruction)) {
        for peers in self.part.peers[self.told..].chunks(CHUNK) {
            let peers = peers.to_vec();
            instruct(Instruction::SentTo { peers });
        }
    }

    fn settle(&self) -> Instruction {
        let transfers = self.owed;
        Instruction::Settle { transfers }
    }
}
