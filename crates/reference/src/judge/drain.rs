//! What one `ReceiveAll` hides, and whether some order of it explains what was printed.
//!
//! While a `ReceiveAll` goes on, nobody sends but markers. So the only thing that its order decides
//! is a *cut*: how much of each of its channels a node had received when a first marker made it
//! record. A printed channel state is the sum of what was left in the channel before its marker, a
//! printed balance the sum of what was taken. An order exists if the nodes can be made to record one
//! after the other such that
//!
//! - a first marker has arrived: one channel of the node is empty up to that snapshot's marker, and
//!   whoever sends it has recorded before;
//! - channels are FIFO: who has taken what is behind a marker has recorded that marker's snapshot;
//! - of several snapshots a node's cuts are ordered alike on all its channels.
//!
//! A snapshot of which nothing is printed constrains nothing: its markers can be taken as they come.
//!
//! The search makes nodes record whenever that cannot be a mistake, so that with one snapshot it never
//! goes back. It branches where two snapshots were recorded by one node at cuts that do not order them,
//! or where only a part of what a snapshot must print is known.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use super::bank::{Frame, Index};

/// How many steps one search may take before it is given up.
const MOST_STEPS: usize = 1_000_000;

/// A snapshot by its number, and a node that records it.
pub(super) type Event = (u64, Index);

#[derive(Debug, Clone, Default)]
pub(super) struct Drain {
    /// Its number and those of the others whose orders depend on each other, in order.
    pub(super) with: BTreeSet<usize>,
    /// What a node must have recorded first, second … because a later command showed it.
    pub(super) shown: BTreeMap<Index, Vec<u64>>,
    /// Who records what during it.
    pub(super) recording: BTreeSet<Event>,
    /// What these nodes have before it.
    pub(super) balances: BTreeMap<Index, u64>,
    /// The channels into these nodes.
    pub(super) incoming: BTreeMap<Index, Vec<Index>>,
    pub(super) queues: BTreeMap<Index, Queue>,
    pub(super) printed: BTreeMap<Event, Printed>,
}

/// What waits in a channel before the `ReceiveAll`.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    from: Index,
    /// The sum of the first 0, 1, 2 … transfers.
    sums: Vec<u128>,
    /// The markers, and how many transfers stand before them, in order.
    markers: Vec<Markers>,
}

/// A marker, or several of which it is hidden in what order they stand.
#[derive(Debug, Clone)]
struct Markers {
    /// Of which snapshots.
    of: Vec<u64>,
    /// They stand in the order in which a node had recorded them during an earlier `ReceiveAll`.
    order: Option<(usize, Index)>,
    /// So many transfers stand before them.
    behind: usize,
}

/// What is known of a cut, because it was printed.
#[derive(Debug, Clone, Default)]
pub(super) struct Printed {
    /// What was received in this `ReceiveAll` before the node recorded.
    pub(super) received: Option<u128>,
    /// Between how many and how many transfers were taken, by channel. More than one number is
    /// possible where transfers of 0 stand side by side.
    pub(super) taken: BTreeMap<Index, (usize, usize)>,
}

impl Queue {
    pub(super) fn new(from: Index, waiting: &VecDeque<Frame>, drains: &[Drain]) -> Self {
        let (mut sums, mut sum) = (vec![0], 0);
        let mut markers: Vec<Markers> = Vec::new();
        for frame in waiting {
            match *frame {
                Frame::Transfer(amount) => {
                    sum += u128::from(amount);
                    sums.push(sum);
                }
                Frame::Marker(number) => markers.push(Markers {
                    of: vec![number],
                    order: None,
                    behind: sums.len() - 1,
                }),
                Frame::Nth { drain, node, .. } => {
                    let order = Some((drain, node));
                    if markers.last().is_none_or(|last| last.order != order) {
                        markers.push(Markers {
                            of: drains[drain].recorded_by(node),
                            order,
                            behind: sums.len() - 1,
                        });
                    }
                }
            }
        }
        Self {
            from,
            sums,
            markers,
        }
    }

    /// Between how many and how many transfers were taken if this sum was left of the first so many.
    pub(super) fn taken(&self, before_marker: usize, left: u128) -> Option<(usize, usize)> {
        let taken = self.sums[before_marker].checked_sub(left)?;
        let sums = &self.sums[..=before_marker];
        let low = sums.partition_point(|&sum| sum < taken);
        let high = sums.partition_point(|&sum| sum <= taken);
        (low < high).then(|| (low, high - 1))
    }

    /// What can be left of the first so many, least first, each once.
    pub(super) fn left(&self, before_marker: usize) -> Vec<u128> {
        let all = self.sums[before_marker];
        let mut left: Vec<u128> = self.sums[..=before_marker]
            .iter()
            .map(|sum| all - sum)
            .collect();
        left.reverse();
        left.dedup();
        left
    }

    /// The sums of what can be taken before the snapshot's marker.
    pub(super) fn sums_before(&self, number: u64) -> &[u128] {
        &self.sums[..=self.before_marker(number)]
    }

    fn before_marker(&self, number: u64) -> usize {
        let markers = self.markers.iter().find(|one| one.of.contains(&number));
        markers.map_or(self.sums.len() - 1, |one| one.behind)
    }
}

impl Drain {
    /// What a node records during it.
    pub(super) fn recorded_by(&self, node: Index) -> Vec<u64> {
        let events = self.recording.iter().filter(|event| event.1 == node);
        events.map(|event| event.0).collect()
    }

    pub(super) fn records(&self, node: Index, number: u64) -> bool {
        self.recording.contains(&(number, node))
    }

    /// What a node can have recorded as the nth, from 0: one, if it was shown.
    pub(super) fn nth(&self, node: Index, nth: usize) -> Vec<u64> {
        let shown = self.shown.get(&node).map_or(&[][..], Vec::as_slice);
        if let Some(&number) = shown.get(nth) {
            return vec![number];
        }
        let mut numbers = self.recorded_by(node);
        numbers.retain(|number| !shown.contains(number));
        numbers
    }

    /// The earlier ones whose hidden orders decide how markers stand in its queues.
    pub(super) fn earlier(&self) -> impl Iterator<Item = usize> + '_ {
        let markers = self.queues.values().flat_map(|queue| &queue.markers);
        markers.filter_map(|one| Some(one.order?.0))
    }
}

/// What is printed of the cuts, by the number of the `ReceiveAll`.
pub(super) type Cuts = BTreeMap<usize, BTreeMap<Event, Printed>>;

/// Whether some order explains `cuts`, and what was printed in other `ReceiveAll`s on which they
/// depend; `None` if the search was given up.
pub(super) fn explained(drains: &[Drain], cuts: &Cuts) -> Option<bool> {
    let groups: BTreeSet<&BTreeSet<usize>> = cuts.keys().map(|&one| &drains[one].with).collect();
    let mut known = true;
    for group in groups {
        let printed = |&one: &usize| cuts.get(&one).unwrap_or(&drains[one].printed);
        let printed: Vec<_> = group.iter().map(printed).collect();
        let numbers = printed
            .iter()
            .flat_map(|one| one.keys())
            .map(|event| event.0)
            .collect();
        let drains: Vec<(usize, &Drain)> = group.iter().map(|&one| (one, &drains[one])).collect();
        let mut search = Search {
            drains: &drains,
            printed: &printed,
            numbers: &numbers,
            steps: MOST_STEPS,
            failed: HashSet::new(),
        };
        let start = State {
            at: 0,
            left: search.events(0),
            recorded: BTreeMap::new(),
            taken: BTreeMap::new(),
        };
        match search.run(start) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => known = false,
        }
    }
    known.then_some(true)
}

/// A search on its way.
struct Search<'d> {
    /// With their numbers.
    drains: &'d [(usize, &'d Drain)],
    /// By drain.
    printed: &'d [&'d BTreeMap<Event, Printed>],
    /// Snapshots of which something is printed.
    numbers: &'d BTreeSet<u64>,
    steps: usize,
    failed: HashSet<State>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    /// How many drains are over.
    at: usize,
    /// What is still to happen in this one.
    left: BTreeSet<Event>,
    /// What a node has recorded during a drain, in order.
    recorded: BTreeMap<(usize, Index), Vec<u64>>,
    /// How many transfers were taken by a node's last cut, by channel.
    taken: BTreeMap<Index, usize>,
}

/// How many transfers were taken of each channel into a node, in the order of its channels.
type Cut = Vec<usize>;

impl Search<'_> {
    fn drain(&self, state: &State) -> &Drain {
        self.drains[state.at].1
    }

    fn events(&self, at: usize) -> BTreeSet<Event> {
        let Some((_, drain)) = self.drains.get(at) else {
            return BTreeSet::new();
        };
        let events = drain
            .recording
            .iter()
            .filter(|event| self.numbers.contains(&event.0));
        events.copied().collect()
    }

    fn run(&mut self, mut state: State) -> Option<bool> {
        // What cannot be a mistake is done at once.
        let choices = loop {
            if state.left.is_empty() {
                state.at += 1;
                if state.at >= self.drains.len() {
                    return Some(true);
                }
                state.left = self.events(state.at);
                state.taken.clear();
                continue;
            }
            match self.choices(&state)? {
                Choices::Certain(event, cut) => self.record(&mut state, event, &cut),
                Choices::Any(choices) => break choices,
            }
        };
        if self.failed.contains(&state) {
            return Some(false);
        }
        for (event, cut) in choices {
            let mut next = state.clone();
            self.record(&mut next, event, &cut);
            if self.run(next)? {
                return Some(true);
            }
        }
        self.failed.insert(state);
        Some(false)
    }

    fn record(&self, state: &mut State, (number, node): Event, cut: &Cut) {
        state.left.remove(&(number, node));
        let (drain, values) = self.drains[state.at];
        state
            .recorded
            .entry((drain, node))
            .or_default()
            .push(number);
        for (&channel, &taken) in values.incoming[&node].iter().zip(cut) {
            state.taken.insert(channel, taken);
        }
    }

    /// What can happen next.
    fn choices(&mut self, state: &State) -> Option<Choices> {
        let mut choices = Vec::new();
        for &event in &state.left {
            let cuts = self.cuts(state, event)?;
            let mut others = state
                .left
                .iter()
                .filter(|one| one.1 == event.1 && **one != event);
            let may = |other: &Event| cuts.iter().any(|cut| self.may_follow(state, *other, cut));
            if cuts.is_empty() || !others.clone().all(may) {
                continue;
            }
            // With nothing else to record, it does not matter at which cut.
            let alone = others.next().is_none();
            if alone || self.is_first(state, event, &cuts[0]) {
                let cut = cuts.into_iter().next()?;
                return Some(Choices::Certain(event, cut));
            }
            choices.extend(cuts.into_iter().map(|cut| (event, cut)));
        }
        Some(Choices::Any(choices))
    }

    /// Whether the cut of `event` can come after `cut` at the same node.
    fn may_follow(&self, state: &State, event: Event, cut: &Cut) -> bool {
        let mut channels = self.drain(state).incoming[&event.1].iter().zip(cut);
        channels.all(|(&channel, &taken)| self.range(state, event, channel).1 >= taken)
    }

    /// Whether the event can happen at no other cut, and everything else that the node still has to
    /// record must come after it.
    fn is_first(&self, state: &State, event: Event, cut: &Cut) -> bool {
        let channels = &self.drain(state).incoming[&event.1];
        let mut ranges = channels
            .iter()
            .map(|&channel| self.range(state, event, channel));
        if !ranges.all(|(low, high)| low == high) {
            return false;
        }
        let mut others = state
            .left
            .iter()
            .filter(|one| one.1 == event.1 && **one != event);
        others.all(|&other| {
            let mut channels = channels.iter().zip(cut);
            channels.any(|(&channel, &taken)| self.range(state, other, channel).0 > taken)
        })
    }

    /// Between how many and how many transfers of a channel are taken when `event` happens.
    fn range(&self, state: &State, event: Event, channel: Index) -> (usize, usize) {
        let printed = self.printed[state.at].get(&event);
        let taken = printed.and_then(|printed| printed.taken.get(&channel));
        let most = self.drain(state).queues[&channel].before_marker(event.0);
        taken.map_or((0, most), |&(low, high)| (low, high.min(most)))
    }

    /// Whether a node has recorded a snapshot; one of which nothing is printed does not matter.
    fn has(&self, state: &State, node: Index, number: u64) -> bool {
        !state.left.contains(&(number, node))
    }

    /// The cuts at which the node can record now, without those that take more than others for
    /// nothing. `None`: too many.
    fn cuts(&mut self, state: &State, event: Event) -> Option<Vec<Cut>> {
        self.steps = self.steps.checked_sub(1)?;
        let (number, node) = event;
        let drain = self.drains[state.at].1;
        let shown = drain.shown.get(&node).map_or(&[][..], Vec::as_slice);
        let mut before = shown.iter().take_while(|&&of| of != number);
        if !before.all(|&of| self.has(state, node, of)) {
            return Some(Vec::new());
        }
        let channels = &drain.incoming[&node];
        let mut ranges = Vec::with_capacity(channels.len());
        for &channel in channels {
            let (low, high) = self.range(state, event, channel);
            // What stands behind another snapshot's marker is taken only once that is recorded, since
            // its cut takes no more than what stands before.
            let low = low.max(state.taken.get(&channel).copied().unwrap_or(0));
            if low > high {
                return Some(Vec::new());
            }
            ranges.push((low, high));
        }
        let received = self.printed[state.at]
            .get(&event)
            .and_then(|printed| printed.received);
        let mut cuts = BTreeSet::new();
        for (at, &channel) in channels.iter().enumerate() {
            let all = drain.queues[&channel].before_marker(number);
            if ranges[at].1 < all || !self.marker_arrives(state, event, channel) {
                continue;
            }
            let mut ranges = ranges.clone();
            ranges[at] = (all, all);
            match received {
                None => {
                    cuts.insert(ranges.iter().map(|range| range.0).collect());
                }
                Some(received) => {
                    let queues: Vec<&Queue> =
                        channels.iter().map(|one| &drain.queues[one]).collect();
                    self.that_sum_to(received, &queues, &ranges, &mut Vec::new(), &mut cuts)?;
                }
            }
        }
        Some(cuts.into_iter().collect())
    }

    /// Whether the marker that makes the node record is next on the channel, once the transfers
    /// before it are taken.
    fn marker_arrives(&self, state: &State, (number, node): Event, channel: Index) -> bool {
        let (drain, values) = self.drains[state.at];
        let queue = &values.queues[&channel];
        let known = |of: &u64| self.has(state, node, *of);
        let up_to = |numbers: &[u64]| numbers.iter().take_while(|&&of| of != number).all(known);
        for markers in &queue.markers {
            let here = markers.of.contains(&number);
            if let Some(order) = markers.order.filter(|_| here) {
                return state.recorded.get(&order).is_some_and(|order| up_to(order));
            }
            if here {
                return true;
            }
            if !markers.of.iter().all(known) {
                return false;
            }
        }
        let relayed = state.recorded.get(&(drain, queue.from));
        relayed.is_some_and(|relayed| relayed.contains(&number) && up_to(relayed))
    }

    /// All ways to take so much, of each channel as little as there can be for its sum.
    fn that_sum_to(
        &mut self,
        wanted: u128,
        queues: &[&Queue],
        ranges: &[(usize, usize)],
        cut: &mut Cut,
        cuts: &mut BTreeSet<Cut>,
    ) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        let at = cut.len();
        let Some((queue, &(low, high))) = queues.get(at).zip(ranges.get(at)) else {
            if wanted == 0 {
                cuts.insert(cut.clone());
            }
            return Some(());
        };
        let rest = || queues[at + 1..].iter().zip(&ranges[at + 1..]);
        let least: u128 = rest().map(|(queue, range)| queue.sums[range.0]).sum();
        let most: u128 = rest().map(|(queue, range)| queue.sums[range.1]).sum();
        let mut before = None;
        for taken in low..=high {
            let sum = queue.sums[taken];
            if before == Some(sum) || sum + most < wanted {
                continue;
            }
            if sum + least > wanted {
                break;
            }
            before = Some(sum);
            cut.push(taken);
            self.that_sum_to(wanted - sum, queues, ranges, cut, cuts)?;
            cut.pop();
        }
        Some(())
    }
}

/// What can happen next.
enum Choices {
    /// This, and it cannot be a mistake.
    Certain(Event, Cut),
    /// One of these.
    Any(Vec<(Event, Cut)>),
}
