//! Which channels have something to receive: the choices of a draw.
//!
//! Ordered by id, as the language has it, and never scanned: picking one costs a look at one word
//! for every 64 nodes (and for `ReceiveAll` one at a count for every node), however many channels
//! and messages there are.

use super::channels::Head;
use crate::id::{NodeId, Place};

/// A set of small numbers that finds its n-th member quickly.
#[derive(Clone, Debug, Default)]
struct Bits {
    words: Vec<u64>,
    count: usize,
}

impl Bits {
    fn set(&mut self, place: usize, wanted: bool) {
        let (word, bit) = (place / 64, 1 << (place % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        if (self.words[word] & bit != 0) != wanted {
            self.words[word] ^= bit;
            self.count = if wanted {
                self.count + 1
            } else {
                self.count - 1
            };
        }
    }

    fn nth(&self, mut n: usize) -> Option<usize> {
        for (index, word) in self.words.iter().enumerate() {
            let ones = word.count_ones() as usize;
            if n < ones {
                let mut rest = *word;
                for _ in 0..n {
                    rest &= rest - 1;
                }
                return Some(index * 64 + rest.trailing_zeros() as usize);
            }
            n -= ones;
        }
        None
    }
}

/// Whether a channel has something to receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Nothing,
    Something,
    Undetermined,
}

/// The choices of every draw.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    ids: Vec<NodeId>,
    /// By sender's place, then receiver's.
    states: Vec<Vec<State>>,
    /// Undetermined channels into each node, and in all.
    undetermined_into: Vec<usize>,
    undetermined: usize,
    /// A node joined since `order` was made.
    stale: bool,
    order: Order,
}

/// The sets, by rank: the place of a node's id among all ids.
#[derive(Clone, Debug, Default)]
struct Order {
    /// Rank to place.
    places: Vec<Place>,
    /// Place to rank.
    ranks: Vec<usize>,
    /// By receiver's rank: the senders' ranks.
    into: Vec<Bits>,
    /// By sender's rank: the receivers' ranks.
    out_of: Vec<Bits>,
    total: usize,
}

impl Order {
    fn new(ids: &[NodeId], states: &[Vec<State>]) -> Self {
        let mut places: Vec<Place> = (0..ids.len()).map(Place::at).collect();
        places.sort_by_key(|place| ids[place.index()]);
        let mut ranks = vec![0; ids.len()];
        for (rank, place) in places.iter().enumerate() {
            ranks[place.index()] = rank;
        }
        let mut order = Self {
            places,
            ranks,
            into: vec![Bits::default(); ids.len()],
            out_of: vec![Bits::default(); ids.len()],
            total: 0,
        };
        for (from, row) in states.iter().enumerate() {
            for (to, state) in row.iter().enumerate() {
                if *state == State::Something {
                    order.set(Place::at(from), Place::at(to), true);
                }
            }
        }
        order
    }

    fn set(&mut self, from: Place, to: Place, wanted: bool) {
        let (from, to) = (self.ranks[from.index()], self.ranks[to.index()]);
        let before = self.out_of[from].count;
        self.out_of[from].set(to, wanted);
        self.into[to].set(from, wanted);
        self.total = self.total + self.out_of[from].count - before;
    }
}

impl Ready {
    /// A node joins, with nothing in its channels yet.
    pub(super) fn join(&mut self, id: NodeId) {
        self.ids.push(id);
        for row in &mut self.states {
            row.push(State::Nothing);
        }
        self.states.push(vec![State::Nothing; self.ids.len()]);
        self.undetermined_into.push(0);
        self.stale = true;
    }

    /// The head of a channel is this now.
    pub(super) fn set(&mut self, from: Place, to: Place, head: Head) {
        let state = match head {
            Head::Nothing => State::Nothing,
            Head::Undetermined => State::Undetermined,
            Head::Transfer(_) | Head::Marker(..) => State::Something,
        };
        let before = std::mem::replace(&mut self.states[from.index()][to.index()], state);
        if before == state {
            return;
        }
        if before == State::Undetermined {
            self.undetermined_into[to.index()] -= 1;
            self.undetermined -= 1;
        }
        if state == State::Undetermined {
            self.undetermined_into[to.index()] += 1;
            self.undetermined += 1;
        }
        if !self.stale {
            self.order.set(from, to, state == State::Something);
        }
    }

    /// Whether it is known of every channel into `to` that it has something, or that it has not.
    pub(super) fn is_determined_into(&self, to: Place) -> bool {
        self.undetermined_into[to.index()] == 0
    }

    /// The same of all channels.
    pub(super) fn is_determined(&self) -> bool {
        self.undetermined == 0
    }

    /// How many channels into `to` have something.
    pub(super) fn count_into(&mut self, to: Place) -> usize {
        let order = self.order();
        order.into[order.ranks[to.index()]].count
    }

    /// The sender of the n-th channel into `to` that has something, by id.
    pub(super) fn nth_into(&mut self, to: Place, n: usize) -> Option<Place> {
        let order = self.order();
        let rank = order.into[order.ranks[to.index()]].nth(n)?;
        Some(order.places[rank])
    }

    /// How many channels have something.
    pub(super) fn count(&mut self) -> usize {
        self.order().total
    }

    /// The n-th channel that has something, by (from, to).
    pub(super) fn nth(&mut self, mut n: usize) -> Option<(Place, Place)> {
        let order = self.order();
        for (from, to) in order.out_of.iter().enumerate() {
            if n < to.count {
                return Some((order.places[from], order.places[to.nth(n)?]));
            }
            n -= to.count;
        }
        None
    }

    fn order(&mut self) -> &Order {
        if self.stale {
            self.order = Order::new(&self.ids, &self.states);
            self.stale = false;
        }
        &self.order
    }
}
