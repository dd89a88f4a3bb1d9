//! Replays what was in flight when processes died, and finds out what the dead have carried out.
//!
//! First as if the dead had carried out everything they were told, each until it waits for what will
//! never come. There is nothing to choose: what a node does follows from its account and from what it
//! receives, and one that finds the end of a channel, or the observer gone, does nothing more until
//! master has heard of that ([`Instruction::Resume`](crate::messages::Instruction::Resume)). So where
//! something was seen that comes behind a receive, the receive has found what was sent, unless it is
//! known that nothing more came. Were that not so, nobody could find out in
//! reasonable time which of the frames among the dead were taken: that is the subset sum problem.
//!
//! Then backwards: needed are the commands whose effects were seen, all before them at the same node,
//! and those whose effects these have taken. What is not needed was not carried out, and once more
//! everything is replayed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::channels::{Channels, Taken};
use super::super::retire::taken;
use super::super::{Bank, Broken, Entry, Process, Said, Step};
use super::losses::Loss;
use super::reply_of;
use crate::id::Place;
use crate::member::Frame;
use crate::messages::{Opening, Peer, Reply};

/// What has happened.
pub(super) struct Explanation {
    /// What was enqueued and not taken, also what was never written.
    pub(super) channels: Channels,
    /// For every step in flight, what would have been replied to it, where that is not known but
    /// follows.
    pub(super) replies: Vec<Option<Reply>>,
    /// What is lost with each of the dead.
    pub(super) losses: Vec<Loss>,
}

/// What was in flight, and what is known of it.
pub(super) struct Known<'k> {
    pub(super) bank: &'k Bank,
    entries: &'k [Entry],
    said: &'k [Said],
    pub(super) found: &'k BTreeMap<(Place, Place), Vec<Frame>>,
    dead: &'k [Place],
    /// What living readers have seen of a dead node's channel, in order, by (from, to).
    seen: BTreeMap<(Place, Place), Vec<Frame>>,
}

/// What a replay contradicts.
struct Contradiction;

/// Finds out what has happened, given what was certain before the first step in flight.
pub(super) fn explain(
    bank: &Bank,
    entries: &[Entry],
    said: &[Said],
    found: &BTreeMap<(Place, Place), Vec<Frame>>,
    dead: &[Place],
) -> Result<Explanation, Broken> {
    let known = Known::new(bank, entries, said, found, dead);
    let whole = known.replay(None);
    let exact = whole.and_then(|whole| known.replay(Some(&known.prefixes(&whole))));
    match exact {
        Ok(replay) => Ok(known.explanation(replay)),
        Err(Contradiction) => Err(known.unexplained()),
    }
}

/// A replay on its way.
pub(super) struct Reconstruction {
    pub(super) channels: Channels,
    /// What is in the accounts of the dead.
    pub(super) balances: BTreeMap<Place, u64>,
    replies: Vec<Option<Reply>>,
    /// Dead nodes that go no further: what they wait for will never come.
    stuck: BTreeSet<Place>,
    /// Which step has enqueued what is in a channel from a dead node, by (from, to).
    producers: BTreeMap<(Place, Place), VecDeque<Option<usize>>>,
    /// How much of what living readers have seen of a channel has been enqueued.
    enqueued: BTreeMap<(Place, Place), usize>,
    /// Which step has enqueued what this step has taken.
    taken: Vec<Option<usize>>,
    /// Steps whose effects were seen.
    needed: BTreeSet<usize>,
}

impl<'k> Known<'k> {
    fn new(
        bank: &'k Bank,
        entries: &'k [Entry],
        said: &'k [Said],
        found: &'k BTreeMap<(Place, Place), Vec<Frame>>,
        dead: &'k [Place],
    ) -> Self {
        let mut seen: BTreeMap<(Place, Place), Vec<Frame>> = BTreeMap::new();
        for (entry, said) in entries.iter().zip(said) {
            if let (Step::Receive { node, from, .. }, Said::Reply(reply)) = (&entry.step, said)
                && dead.contains(from)
            {
                let seen = seen.entry((*from, *node)).or_default();
                seen.extend(taken(reply).map(frame));
            }
        }
        for (channel, frames) in found {
            // Whoever has died since he read saw nothing that matters.
            if !dead.contains(&channel.1) {
                seen.entry(*channel).or_default().extend(frames);
            }
        }
        Self {
            bank,
            entries,
            said,
            found,
            dead,
            seen,
        }
    }

    /// Whether the one has said that nothing more comes from the other.
    pub(super) fn has_ended(&self, from: Place, to: Place) -> bool {
        self.bank.ended.contains(&(Process::Node(from), to))
    }

    pub(super) fn is_dead(&self, node: Place) -> bool {
        self.dead.contains(&node)
    }

    /// Replays everything in flight; where the prefixes are given, up to these (the index of the
    /// last step that was carried out).
    fn replay(
        &self,
        prefixes: Option<&BTreeMap<Place, usize>>,
    ) -> Result<Reconstruction, Contradiction> {
        let balances = self.dead.iter();
        let balances = balances.map(|node| (*node, self.bank.nodes[*node].balance.known));
        let mut replay = Reconstruction {
            channels: self.bank.channels.clone(),
            balances: balances.collect(),
            replies: Vec::with_capacity(self.entries.len()),
            stuck: BTreeSet::new(),
            producers: BTreeMap::new(),
            enqueued: BTreeMap::new(),
            taken: vec![None; self.entries.len()],
            needed: BTreeSet::new(),
        };
        for from in self.dead {
            for to in replay.channels.outgoing(*from).to_vec() {
                self.was_enqueued(&mut replay, None, *from, to)?;
            }
        }
        for (index, (entry, said)) in self.entries.iter().zip(self.said).enumerate() {
            let reply = match said {
                Said::Reply(reply) => {
                    self.apply(&mut replay, index, &entry.step, reply)?;
                    None
                }
                Said::Outcome(_) => None,
                Said::Nothing => {
                    let node = match entry.step.process() {
                        Some(Process::Node(node)) => node,
                        _ => {
                            replay.replies.push(None);
                            continue;
                        }
                    };
                    let is_over = prefixes.is_some_and(|prefixes| {
                        prefixes.get(&node).is_none_or(|last| *last < index)
                    });
                    match is_over || replay.stuck.contains(&node) {
                        true => None,
                        false => self.carry_out(&mut replay, index, &entry.step)?,
                    }
                }
            };
            replay.replies.push(reply);
        }
        // All that was found must be there, and what is there first.
        for (channel, seen) in &self.seen {
            if replay.enqueued.get(channel).copied().unwrap_or(0) < seen.len() {
                return Err(Contradiction);
            }
        }
        for ((from, to), frames) in self.found {
            if !self.is_dead(*to) {
                let producers = replay.producers.entry((*from, *to)).or_default();
                let seen: Vec<usize> = producers
                    .iter()
                    .take(frames.len())
                    .copied()
                    .flatten()
                    .collect();
                replay.needed.extend(seen);
            }
        }
        Ok(replay)
    }

    /// A step was replied to.
    fn apply(
        &self,
        replay: &mut Reconstruction,
        index: usize,
        step: &Step,
        reply: &Reply,
    ) -> Result<(), Contradiction> {
        if let Some(Process::Node(node)) = step.process()
            && let Some(known) = replay.balances.get_mut(&node)
        {
            match reply {
                Reply::Sent { balance }
                | Reply::Refused { balance }
                | Reply::Transfer { balance, .. }
                | Reply::Balance { balance } => *known = *balance,
                _ => {}
            }
        }
        match (step, reply) {
            (Step::Opened { node, opening }, _) => {
                self.open(replay, index, *node, opening)?;
            }
            (
                Step::Send {
                    node, to, amount, ..
                },
                Reply::Sent { .. },
            ) => {
                replay.channels.send(*node, *to, *amount, true);
                self.was_enqueued(replay, Some(index), *node, *to)?;
            }
            (Step::Receive { .. }, Reply::Ended) => {}
            (Step::Receive { node, from, .. }, reply) => {
                let it = self.take(replay, index, *from, *node)?;
                if it.is_none() || it != taken(reply) {
                    return Err(Contradiction);
                }
                replay.needed.extend(replay.taken[index]);
            }
            (Step::Begin { node, snapshot }, Reply::Began) => {
                replay.channels.record(*node, *snapshot, 0);
                self.has_recorded(replay, index, *node)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A dead node carries out a step that it did not reply to; what it would have replied.
    fn carry_out(
        &self,
        replay: &mut Reconstruction,
        index: usize,
        step: &Step,
    ) -> Result<Option<Reply>, Contradiction> {
        let reply = match step {
            Step::Opened { node, opening } => {
                self.open(replay, index, *node, opening)?;
                Reply::Opened
            }
            Step::Send {
                node, to, amount, ..
            } => {
                let balance = replay.balances.entry(*node).or_default();
                match balance.checked_sub(*amount) {
                    None => Reply::Refused { balance: *balance },
                    Some(left) => {
                        *balance = left;
                        replay.channels.send(*node, *to, *amount, true);
                        self.was_enqueued(replay, Some(index), *node, *to)?;
                        Reply::Sent { balance: left }
                    }
                }
            }
            Step::Receive { node, from, .. } if self.has_ended(*from, *node) => Reply::Ended,
            Step::Receive { node, from, .. } => {
                let Some(taken) = self.take(replay, index, *from, *node)? else {
                    replay.stuck.insert(*node);
                    return Ok(None);
                };
                let balance = replay.balances.entry(*node).or_default();
                if let Taken::Transfer(amount) = taken {
                    *balance = balance.checked_add(amount).ok_or(Contradiction)?;
                }
                reply_of(taken, *balance)
            }
            Step::Begin { node, .. } if self.bank.ended.contains(&(Process::Observer, *node)) => {
                Reply::ObserverGone
            }
            Step::Begin { node, snapshot } => {
                replay.channels.record(*node, *snapshot, 0);
                self.has_recorded(replay, index, *node)?;
                Reply::Began
            }
            _ => return Ok(None),
        };
        Ok(Some(reply))
    }

    fn open(
        &self,
        replay: &mut Reconstruction,
        index: usize,
        node: Place,
        opening: &Opening,
    ) -> Result<(), Contradiction> {
        for Peer { place: to, .. } in &opening.outgoing {
            let owing = self.bank.snapshots.owing;
            replay.channels.open(node, *to, owing, 0);
            self.was_enqueued(replay, Some(index), node, *to)?;
        }
        Ok(())
    }

    fn take(
        &self,
        replay: &mut Reconstruction,
        index: usize,
        from: Place,
        to: Place,
    ) -> Result<Option<Taken>, Contradiction> {
        let it = replay.channels.take(from, to, 0);
        if let Some(producers) = replay.producers.get_mut(&(from, to)) {
            replay.taken[index] = producers.pop_front().flatten();
        }
        if let Some(Taken::FirstMarker(_)) = it {
            self.has_recorded(replay, index, to)?;
        }
        Ok(it)
    }

    /// A node has recorded its state, and its markers are in its channels.
    fn has_recorded(
        &self,
        replay: &mut Reconstruction,
        index: usize,
        node: Place,
    ) -> Result<(), Contradiction> {
        if !self.is_dead(node) {
            return Ok(());
        }
        for to in replay.channels.outgoing(node).to_vec() {
            self.was_enqueued(replay, Some(index), node, to)?;
        }
        Ok(())
    }

    /// Something may have been enqueued on a channel, by this step: if it is a dead node's, what
    /// living readers have seen of it must agree.
    fn was_enqueued(
        &self,
        replay: &mut Reconstruction,
        step: Option<usize>,
        from: Place,
        to: Place,
    ) -> Result<(), Contradiction> {
        if !self.is_dead(from) {
            return Ok(());
        }
        let producers = replay.producers.entry((from, to)).or_default();
        let new = replay
            .channels
            .len(from, to)
            .saturating_sub(producers.len());
        let seen = self.seen.get(&(from, to));
        for frame in replay.channels.frames_behind(from, to, producers.len()) {
            let enqueued = replay.enqueued.entry((from, to)).or_default();
            if let Some(seen) = seen.and_then(|seen| seen.get(*enqueued))
                && *seen != frame
            {
                return Err(Contradiction);
            }
            *enqueued += 1;
        }
        producers.extend(std::iter::repeat_n(step, new));
        Ok(())
    }

    /// The last step that each of the dead must have carried out.
    fn prefixes(&self, whole: &Reconstruction) -> BTreeMap<Place, usize> {
        let mut needed = whole.needed.clone();
        let mut prefixes = BTreeMap::new();
        for (index, (entry, said)) in self.entries.iter().zip(self.said).enumerate().rev() {
            let (Some(Process::Node(node)), Said::Nothing) = (entry.step.process(), said) else {
                continue;
            };
            if needed.contains(&index) {
                prefixes.entry(node).or_insert(index);
            }
            if prefixes.contains_key(&node) {
                needed.extend(whole.taken[index]);
            }
        }
        prefixes
    }

    fn explanation(&self, replay: Reconstruction) -> Explanation {
        let losses = self.dead.iter().map(|node| Loss::of(*node, self, &replay));
        Explanation {
            losses: losses.collect(),
            replies: replay.replies,
            channels: replay.channels,
        }
    }

    fn unexplained(&self) -> Broken {
        let ids = self.dead.iter().map(|node| self.bank.nodes[*node].id);
        Broken::Unexplained(ids.collect())
    }
}

fn frame(taken: Taken) -> Frame {
    match taken {
        Taken::Transfer(amount) => Frame::Message(crate::account::Transfer(amount)),
        Taken::FirstMarker(snapshot) | Taken::Marker(snapshot) => Frame::Marker(snapshot),
    }
}
