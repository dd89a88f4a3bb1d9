//! What master knows of every node, by place.

use super::failure::{Failure, Fate};
use crate::id::{NodeId, Place};
use crate::messages::Peer;

/// A balance as far as it is known: what the last retired reply said, and what was issued since.
///
/// Receives in flight do not count: what they are to bring may be lost with its sender. The node
/// alone accepts or refuses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Balance {
    pub(super) known: u64,
    /// The sum of the sends in flight.
    pub(super) going: u128,
}

impl Balance {
    /// Whether a send of `amount`, which is about to be issued, will certainly be accepted.
    pub(super) fn reserve(&mut self, amount: u64) -> bool {
        self.going += u128::from(amount);
        self.going <= u128::from(self.known)
    }
}

/// What a node is for the script. The node, its account and what it has been commanded outlive its
/// process.
#[derive(Clone, Debug)]
enum State {
    /// It is being started.
    Starting,
    Alive,
    /// It could not be started, on that line.
    NeverCreated(u64),
    Dead(Fate),
}

/// A node: what it is called, and what outlives its process.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) deposit: u64,
    pub(super) balance: Balance,
    /// How many instructions it was given.
    pub(super) instructions: u64,
    state: State,
    process: Process,
}

/// The process of a node, of which it has one at most.
#[derive(Clone, Debug)]
struct Process {
    /// It is dead, or not started yet.
    is_down: bool,
    /// It was ordered to be started.
    is_coming: bool,
    /// How many there were before it, of which people were told.
    earlier: u64,
    /// How the last one died that was not started again.
    fate: Option<Fate>,
    /// How often in a row it has died without having said anything.
    tries: u32,
}

/// All nodes since `StartMaster`.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    all: Vec<Node>,
    /// Those that are dead, in the order in which they died.
    dead: Vec<Place>,
}

impl std::ops::Index<Place> for Nodes {
    type Output = Node;

    fn index(&self, place: Place) -> &Node {
        &self.all[place.index()]
    }
}

impl std::ops::IndexMut<Place> for Nodes {
    fn index_mut(&mut self, place: Place) -> &mut Node {
        &mut self.all[place.index()]
    }
}

impl Nodes {
    /// A node is to be started.
    pub(super) fn start(&mut self, id: NodeId, deposit: u64) -> Place {
        self.all.push(Node {
            id,
            deposit,
            balance: Balance {
                known: deposit,
                going: 0,
            },
            instructions: 0,
            state: State::Starting,
            process: Process {
                is_down: true,
                is_coming: false,
                earlier: 0,
                fate: None,
                tries: 0,
            },
        });
        Place::at(self.all.len() - 1)
    }

    /// It was started or, on this line, could not be.
    pub(super) fn started(&mut self, place: Place, failed: Option<u64>) {
        self[place].process.is_down = failed.is_some();
        self[place].state = failed.map_or(State::Alive, State::NeverCreated);
    }

    /// It was there when its bank was closed or, on this line, could not be started. It has no process yet.
    pub(super) fn reopen(&mut self, place: Place, failed: Option<u64>) {
        self[place].state = failed.map_or(State::Alive, State::NeverCreated);
    }

    /// It has died.
    pub(super) fn die(&mut self, place: Place, fate: Fate) {
        self[place].state = State::Dead(fate);
        self.dead.push(place);
    }

    /// It is dead no more.
    pub(super) fn live(&mut self, place: Place) {
        self[place].state = State::Alive;
        self.dead.retain(|dead| *dead != place);
    }

    /// Every node, in the order of their places, also those that could not be started.
    pub(super) fn all(&self) -> impl Iterator<Item = (Place, &Node)> {
        let all = self.all.iter().enumerate();
        all.map(|(index, node)| (Place::at(index), node))
    }

    pub(super) fn get(&self, place: Place) -> Option<&Node> {
        self.all.get(place.index())
    }

    /// Every node that was started, dead or alive.
    pub(super) fn created(&self) -> impl Iterator<Item = (Place, &Node)> {
        let is_created = |node: &Node| matches!(node.state, State::Alive | State::Dead(_));
        self.all().filter(move |(_, node)| is_created(node))
    }

    /// What others are told of these.
    pub(super) fn peers(&self, places: &[Place]) -> Vec<Peer> {
        let peer = |place: &Place| Peer {
            place: *place,
            id: self[*place].id,
        };
        places.iter().map(peer).collect()
    }

    /// Those that live.
    pub(super) fn living(&self) -> impl Iterator<Item = Place> {
        let alive = self.created().filter(|(_, node)| node.fate().is_none());
        alive.map(|(place, _)| place)
    }

    /// How it died, if it did.
    pub(super) fn fate(&self, place: Place) -> Option<&Fate> {
        self[place].fate()
    }

    /// Those that are dead, in the order in which they died, and how.
    pub(super) fn dead(&self) -> impl Iterator<Item = (Place, &Fate)> {
        let fate = |place: &Place| Some((*place, self.fate(*place)?));
        self.dead.iter().filter_map(fate)
    }

    /// The first node that died, and how.
    pub(super) fn first_dead(&self) -> Option<(NodeId, &Fate)> {
        let (place, fate) = self.dead().next()?;
        Some((self[place].id, fate))
    }

    /// The node is, or was, there.
    pub(super) fn exists(&self, place: Place) -> Result<(), Failure> {
        let node = &self[place];
        match node.state {
            State::NeverCreated(line) => Err(Failure::NeverCreated {
                node: node.id,
                line,
            }),
            _ => Ok(()),
        }
    }

    /// The node lives.
    pub(super) fn lives(&self, place: Place) -> Result<(), Failure> {
        let node = &self[place];
        match &node.state {
            State::Alive => Ok(()),
            State::Dead(fate) => Err(Failure::NodeDied {
                node: node.id,
                fate: fate.clone(),
            }),
            State::Starting | State::NeverCreated(_) => self.exists(place),
        }
    }
}

impl Node {
    /// The line that was to create it, where it could not be started.
    pub(super) fn never_created(&self) -> Option<u64> {
        match self.state {
            State::NeverCreated(line) => Some(line),
            _ => None,
        }
    }

    pub(super) fn fate(&self) -> Option<&Fate> {
        match &self.state {
            State::Dead(fate) => Some(fate),
            _ => None,
        }
    }

    /// Whether it has a process, as far as is known.
    #[inline]
    pub(super) fn is_running(&self) -> bool {
        !self.process.is_down
    }

    /// Whether it has none, and none is being started.
    pub(super) fn is_at_rest(&self) -> bool {
        self.process.is_down && !self.process.is_coming
    }

    /// Its next process is being started.
    pub(super) fn be_started(&mut self) {
        self.process.is_coming = true;
    }

    /// Which process it has, or had last, from 1.
    pub(super) fn incarnation(&self) -> u64 {
        self.process.earlier + 1
    }

    /// It has had so many processes before this one.
    pub(super) fn count_from(&mut self, earlier: u64) {
        self.process.earlier = earlier;
    }

    /// Its process has died: how often in a row it has done that before it had said anything, with the
    /// last time that it had.
    pub(super) fn fall(&mut self, fate: Fate, has_spoken: bool) -> u32 {
        let process = &mut self.process;
        (process.is_down, process.is_coming) = (true, false);
        process.fate = Some(fate);
        process.tries = 1 + if has_spoken { 0 } else { process.tries };
        process.tries
    }

    /// It has another process: how the one before died.
    pub(super) fn rise(&mut self) -> Option<Fate> {
        (self.process.is_down, self.process.is_coming) = (false, false);
        self.process.fate.take()
    }

    /// What it has is its next process, for whoever is told of that: its number.
    pub(super) fn next_incarnation(&mut self) -> u64 {
        self.process.earlier += 1;
        self.incarnation()
    }
}
