//! The observer, as a value: has nodes begin snapshots, collects their parts, and audits the whole.
//!
//! It never touches the bank's traffic, and keeps no snapshots: what has passed the audit goes to
//! master.
//!
//! In a bank that lasts, who is dead comes back and joins again, and is then asked again for what it has
//! not said. The observer itself may be started again: it keeps nothing that it could not ask for.
//! Under load, where nobody but the observer knows which snapshots there are, it asks for that first.
//!
//! `observer/watch.rs` is what it does under load.

mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use snapshot::SnapshotId;

use self::watch::Watch;
use crate::Broken;
use crate::audit::{GlobalSnapshot, Handed, audit};
use crate::id::{NodeId, Place};
use crate::messages::{Answer, CHUNK, Order, Peer, Report, Request};

/// What happens to the observer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Master asks something.
    Request(Request),
    /// A node reports.
    Report(Place, Report),
    /// A node is dead, and all that it had reported has been handed in.
    NodeGone(Place),
    /// It is so late now, in nanoseconds since some beginning: see [`Observer::wakes_at`].
    Now(u64),
}

/// What is to be done for the observer, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Take the ends of the pipes to and from this node from the hatch: for orders, for reports.
    Join(Place),
    /// Order this of a node.
    Order(Place, Order),
    /// Say this to master.
    Answer(Answer),
    /// For people (`--verbose`).
    Say(String),
}

/// A node, as the observer knows it.
#[derive(Debug)]
struct Joined {
    id: NodeId,
    is_gone: bool,
    /// The part that it is handing over just now.
    part: Handed,
}

/// What a report has added to a part.
enum Added {
    /// It is the beginning of a part of this snapshot.
    Begins(SnapshotId),
    /// There is more to come.
    More,
    /// It is the end, of a part or of nothing.
    Ends(Option<Handed>),
}

/// A collection in progress.
#[derive(Debug)]
struct Collection {
    ids: RangeInclusive<u64>,
    /// For every node, how many of its answers are still to come in this round.
    owed: BTreeMap<Place, u64>,
    round: Round,
}

/// First everybody is asked, and only when everything is complete parts are taken.
#[derive(Debug)]
enum Round {
    /// What is waited for, by snapshot and node.
    Asking(BTreeMap<(SnapshotId, NodeId), Vec<Answer>>),
    /// The parts that have come. A node that does not give one is left out: the audit will say so.
    Gathering(BTreeMap<SnapshotId, BTreeMap<NodeId, Handed>>),
}

/// The observer.
#[derive(Debug, Default)]
pub struct Observer {
    nodes: BTreeMap<Place, Joined>,
    deposits: BTreeMap<NodeId, u64>,
    collection: Option<Collection>,
    /// Requests that wait for the collection in progress.
    requests: VecDeque<Request>,
    /// The snapshots that it takes under load.
    watch: Option<Watch>,
    now: u64,
    lasting: bool,
    verbose: bool,
}

impl Observer {
    /// An observer that nobody has joined, of a bank that lasts or of another. Where it is verbose, it
    /// says what it does.
    #[must_use]
    pub fn new(lasting: bool, verbose: bool) -> Self {
        Self {
            lasting,
            verbose,
            ..Self::default()
        }
    }

    /// Something happens; what is to be done is appended to `effects`.
    ///
    /// # Errors
    ///
    /// A rule was broken: the observer must not go on.
    pub fn step(&mut self, input: Input, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        match input {
            Input::Request(Request::Join {
                node, again: true, ..
            }) if self.nodes.contains_key(&node.place) => self.join_again(node.place, effects)?,
            Input::Request(request) if self.collection.is_some() => {
                self.requests.push_back(request);
            }
            Input::Request(request) => self.carry_out(request, effects)?,
            Input::Report(node, report) => self.hear(node, report, effects)?,
            Input::NodeGone(node) => self.lose(node, effects)?,
            Input::Now(now) => self.now = now,
        }
        while self.collection.is_none()
            && let Some(request) = self.requests.pop_front()
        {
            self.carry_out(request, effects)?;
        }
        self.go_on_watching(effects);
        Ok(())
    }

    fn carry_out(&mut self, request: Request, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        match request {
            Request::Join {
                node: Peer { place, id },
                deposit,
                again,
            } => {
                let (is_gone, part) = (false, Handed::default());
                self.nodes.insert(place, Joined { id, is_gone, part });
                self.deposits.insert(id, deposit);
                effects.push(Effect::Join(place));
                if !again {
                    effects.push(Effect::Answer(Answer::Joined));
                }
                self.watch_again(place, effects)?;
            }
            Request::Begin { snapshot, node } => {
                let id = self.node(node)?.id;
                self.say(effects, || {
                    format!("orders node {id} to begin snapshot {snapshot}")
                });
                effects.push(Effect::Order(node, Order::Take { snapshot }));
            }
            Request::Watch {
                nodes,
                every_ms,
                concurrent,
            } => {
                let recalls = self.lasting;
                let watch = Watch::new(nodes, every_ms, concurrent, self.now, recalls);
                self.watch = Some(watch);
                for place in self.nodes.keys().copied().collect::<Vec<_>>() {
                    self.watch_again(place, effects)?;
                }
            }
            Request::Rest => {
                if let Some(watch) = &mut self.watch {
                    watch.rest();
                }
            }
            Request::Collect { first, last } => {
                let asking = Round::Asking(BTreeMap::new());
                self.begin_round(first.0..=last.0, asking, effects)?;
            }
        }
        Ok(())
    }

    /// A node has come back: what it was saying is void, and what it owes is ordered again.
    fn join_again(&mut self, place: Place, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        effects.push(Effect::Join(place));
        let joined = self.nodes.get_mut(&place);
        let joined = joined.ok_or(Broken::NotConnected(place))?;
        joined.part = Handed::default();
        let id = joined.id;
        self.interrupt(place);
        self.watch_again(place, effects)?;
        let Some(Collection { ids, owed, round }) = &mut self.collection else {
            return Ok(());
        };
        let owes = owed.get(&place).copied().unwrap_or(0);
        for snapshot in (ids.end() + 1 - owes..=*ids.end()).map(SnapshotId) {
            let order = match round {
                Round::Asking(waiting) => {
                    waiting.remove(&(snapshot, id));
                    Order::Ask { snapshot }
                }
                Round::Gathering(_) => Order::Give { snapshot },
            };
            effects.push(Effect::Order(place, order));
        }
        Ok(())
    }

    /// Has every node say something of every snapshot.
    fn begin_round(
        &mut self,
        ids: RangeInclusive<u64>,
        round: Round,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        if let Some((node, _)) = self.nodes.iter().find(|(_, node)| node.is_gone) {
            effects.push(Effect::Answer(Answer::NodeGone { node: *node }));
            self.collection = None;
            return Ok(());
        }
        for snapshot in ids.clone().map(SnapshotId) {
            let order = match round {
                Round::Asking(_) => Order::Ask { snapshot },
                Round::Gathering(_) => Order::Give { snapshot },
            };
            effects.extend(self.nodes.keys().map(|node| Effect::Order(*node, order)));
        }
        let each = ids.end() + 1 - ids.start();
        let owed = self.nodes.keys().map(|node| (*node, each)).collect();
        self.collection = Some(Collection { ids, owed, round });
        self.go_on_collecting(effects)
    }

    fn hear(
        &mut self,
        place: Place,
        report: Report,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        if self.watch.is_some() {
            return self.hear_watched(place, report, effects);
        }
        // What comes after a collection was given up is of no interest.
        let Some(Collection {
            ids,
            mut owed,
            mut round,
        }) = self.collection.take()
        else {
            return Ok(());
        };
        let node = self.node(place)?.id;
        let Some(left) = owed.get_mut(&place).filter(|left| **left > 0) else {
            return Err(Broken::unexpected(node, report));
        };
        let snapshot = SnapshotId(ids.end() + 1 - *left);
        match (&mut round, report) {
            (Round::Asking(waiting), Report::Waiting { recorded, peers }) => {
                let ids = peers
                    .iter()
                    .map(|peer| self.node(*peer).map(|peer| peer.id));
                let answer = Answer::Waiting {
                    snapshot,
                    node,
                    recorded,
                    peers: ids.collect::<Result<_, _>>()?,
                };
                waiting.entry((snapshot, node)).or_default().push(answer);
            }
            (Round::Asking(_), Report::Asked) => *left -= 1,
            (Round::Asking(_), report) => return Err(Broken::unexpected(node, report)),
            (Round::Gathering(parts), report) => match self.add(place, report)? {
                Added::More => {}
                Added::Begins(id) if id == snapshot => {}
                Added::Begins(snapshot) => {
                    let balance = self.node(place)?.part.balance;
                    let report = Report::Account { snapshot, balance };
                    return Err(Broken::unexpected(node, report));
                }
                Added::Ends(part) => {
                    *left -= 1;
                    let parts = parts.entry(snapshot).or_default();
                    parts.extend(part.map(|part| (node, part)));
                }
            },
        }
        self.collection = Some(Collection { ids, owed, round });
        self.go_on_collecting(effects)
    }

    /// Adds what a report says to the part that the node is handing over.
    fn add(&mut self, place: Place, report: Report) -> Result<Added, Broken> {
        let peer = match &report {
            Report::Sent { to: peer, .. }
            | Report::Received { from: peer, .. }
            | Report::Transit { from: peer, .. } => *peer,
            _ => place,
        };
        let peer = self.node(peer)?.id;
        let joined = self.nodes.get_mut(&place);
        let joined = joined.ok_or(Broken::NotConnected(place))?;
        let Handed { balance, part } = &mut joined.part;
        Ok(match report {
            Report::Account {
                snapshot,
                balance: recorded,
            } => {
                *balance = recorded;
                Added::Begins(snapshot)
            }
            Report::Sent { tally, .. } => {
                part.sent.insert(peer, tally);
                Added::More
            }
            Report::Received { tally, .. } => {
                part.received.insert(peer, tally);
                Added::More
            }
            Report::Transit { amounts, .. } => {
                part.channels.entry(peer).or_default().extend(amounts);
                Added::More
            }
            Report::Given { complete } => {
                let part = std::mem::take(&mut joined.part);
                Added::Ends(complete.then_some(part))
            }
            Report::Waiting { .. } | Report::Asked | Report::Known { .. } => {
                let node = joined.id;
                return Err(Broken::unexpected(node, report));
            }
        })
    }

    /// Where everybody has said everything: concludes, all of the snapshots or none.
    fn go_on_collecting(&mut self, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        let is_over = |collection: &mut Collection| collection.owed.values().all(|left| *left == 0);
        let Some(Collection { ids, round, .. }) = self.collection.take_if(is_over) else {
            return Ok(());
        };
        match round {
            Round::Asking(waiting) if waiting.is_empty() => {
                return self.begin_round(ids, Round::Gathering(BTreeMap::new()), effects);
            }
            Round::Asking(waiting) => {
                effects.extend(waiting.into_values().flatten().map(Effect::Answer));
                effects.push(Effect::Answer(Answer::Incomplete));
            }
            Round::Gathering(mut parts) => {
                let mut collected = Vec::new();
                for snapshot in ids.map(SnapshotId) {
                    let parts = parts.remove(&snapshot).unwrap_or_default();
                    match audit(snapshot, parts, &self.deposits) {
                        Ok(global) => collected.push(global),
                        Err(reason) => {
                            let unsound = Answer::Unsound { snapshot, reason };
                            effects.push(Effect::Answer(unsound));
                            return Ok(());
                        }
                    }
                }
                for global in collected {
                    let snapshot = global.id;
                    self.say(effects, || {
                        format!("snapshot {snapshot} is collected and has passed its audit")
                    });
                    give(global, effects);
                }
                effects.push(Effect::Answer(Answer::Collected));
            }
        }
        Ok(())
    }

    fn lose(&mut self, place: Place, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        if self.lasting {
            return Ok(());
        }
        let node = self.nodes.get_mut(&place);
        node.ok_or(Broken::NotConnected(place))?.is_gone = true;
        let owes = |collection: &mut Collection| collection.owed.get(&place) != Some(&0);
        if self.collection.take_if(owes).is_some() || self.watch.is_some() {
            effects.push(Effect::Answer(Answer::NodeGone { node: place }));
        }
        Ok(())
    }

    fn node(&self, place: Place) -> Result<&Joined, Broken> {
        let node = self.nodes.get(&place);
        node.ok_or(Broken::NotConnected(place))
    }

    fn say(&self, effects: &mut Vec<Effect>, what: impl FnOnce() -> String) {
        if self.verbose {
            effects.push(Effect::Say(format!("observer: {}", what())));
        }
    }
}

/// Hands a snapshot to master.
fn give(global: GlobalSnapshot, effects: &mut Vec<Effect>) {
    let snapshot = global.id;
    for (node, balance) in global.accounts {
        effects.push(Effect::Answer(Answer::Account {
            snapshot,
            node,
            balance,
        }));
    }
    for ((from, to), amounts) in global.transit {
        for amounts in amounts.chunks(CHUNK) {
            let amounts = amounts.to_vec();
            effects.push(Effect::Answer(Answer::Transit {
                snapshot,
                from,
                to,
                amounts,
            }));
        }
    }
}

#[cfg(test)]
mod tests;
