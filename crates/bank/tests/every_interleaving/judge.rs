//! What a collected snapshot is compared with: the definition and Chandy and Lamport's Theorem 1,
//! decided from the logs of what has really happened. It knows nothing of recorder, markers and
//! tallies. Beside it the bank's own audit, which must come to the same result.

use std::collections::{BTreeMap, VecDeque};

use bank::audit::{Handed, audit};
use bank::id::{NodeId, Place};
use bank::member::{Frame, Part};
use snapshot::SnapshotId;

/// What has really happened to a bank.
#[derive(Debug)]
pub(crate) struct Past {
    /// By process, in order.
    pub(crate) logs: Vec<Vec<Event>>,
    /// What is in their accounts now; what dies with a process for good is no event of anybody, and is
    /// left out.
    pub(crate) balances: Vec<Option<u64>>,
    /// What is on its way now, on every channel that there is.
    pub(crate) channels: BTreeMap<(usize, usize), Vec<u64>>,
}

/// What a process has lived through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    Sent { to: usize, amount: u64 },
    Received { from: usize, amount: u64 },
    Recorded(SnapshotId),
}

/// What is true of a collected snapshot. Everything but the last should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Verdict {
    /// It has a part of every process, each cut by an event of that process, and each part has
    /// every channel to it.
    pub(crate) whole: bool,
    /// On each channel, what was received before the cut, followed by the recorded channel state,
    /// is what was sent before the cut; each balance is what the events before the cut lead to.
    pub(crate) as_defined: bool,
    /// The events before the cut, by themselves, lead from the beginning to the recorded state, and
    /// those after it from there to the state in which the system really is.
    pub(crate) reachable: bool,
    /// It holds as much money as was deposited.
    pub(crate) conserves: bool,
    /// The bank's audit lets it pass.
    pub(crate) audited: bool,
    /// Some message crosses the cut.
    pub(crate) in_transit: bool,
}

impl Verdict {
    /// Whether everything is true that should be.
    pub(crate) fn is_right(&self) -> bool {
        self.whole && self.as_defined && self.reachable && self.conserves && self.audited
    }
}

/// Judges the parts of one snapshot, by process.
pub(crate) fn judge(id: SnapshotId, parts: &[Part], past: &Past) -> Verdict {
    let logs: Vec<&[Event]> = past.logs.iter().map(|log| &log[..]).collect();
    let cuts = logs
        .iter()
        .map(|log| cut(log, id))
        .collect::<Option<Vec<_>>>();
    let sum: u128 = parts.iter().map(total).sum();
    let deposits = (0..logs.len()).map(|at| u128::from(deposit(at)));
    Verdict {
        whole: cuts.is_some() && is_whole(parts, past),
        as_defined: cuts
            .as_ref()
            .is_some_and(|cuts| is_as_defined(parts, &logs, cuts)),
        reachable: cuts.is_some_and(|cuts| is_reachable(parts, &logs, &cuts, past)),
        conserves: sum == deposits.sum(),
        audited: passes_the_audit(id, parts),
        in_transit: parts
            .iter()
            .any(|part| part.channels.values().any(|it| !it.is_empty())),
    }
}

/// How many events of a process come before it recorded its state.
fn cut(log: &[Event], id: SnapshotId) -> Option<usize> {
    log.iter().position(|&event| event == Event::Recorded(id))
}

fn total(part: &Part) -> u128 {
    let transit = part.channels.values().flatten();
    u128::from(part.state.balance()) + transit.map(|it| u128::from(it.0)).sum::<u128>()
}

fn is_whole(parts: &[Part], past: &Past) -> bool {
    let processes = past.logs.len();
    parts.len() == processes
        && parts.iter().enumerate().all(|(at, part)| {
            let sources = (0..processes).filter(|&from| past.channels.contains_key(&(from, at)));
            part.channels.keys().copied().eq(sources.map(Place::at))
        })
}

fn recorded(part: &Part, from: usize) -> Vec<u64> {
    let transfers = part.channels.get(&Place::at(from)).into_iter().flatten();
    transfers.map(|transfer| transfer.0).collect()
}

fn is_as_defined(parts: &[Part], logs: &[&[Event]], cuts: &[usize]) -> bool {
    let before = |at: usize| &logs[at][..cuts[at]];
    let channel_is = |from: usize, to: usize| {
        let sent: Vec<u64> = before(from)
            .iter()
            .filter_map(|event| event.sent(to))
            .collect();
        let received = before(to).iter().filter_map(|event| event.received(from));
        sent == received
            .chain(recorded(&parts[to], from))
            .collect::<Vec<_>>()
    };
    let state_is = |at: usize| {
        let change: i128 = before(at).iter().map(|event| event.change()).sum();
        i128::from(parts[at].state.balance()) == i128::from(deposit(at)) + change
    };
    let everybody = 0..parts.len();
    everybody
        .clone()
        .all(|to| state_is(to) && everybody.clone().all(|from| channel_is(from, to)))
}

impl Event {
    fn sent(&self, peer: usize) -> Option<u64> {
        match *self {
            Event::Sent { to, amount } if to == peer => Some(amount),
            _ => None,
        }
    }

    fn received(&self, peer: usize) -> Option<u64> {
        match *self {
            Event::Received { from, amount } if from == peer => Some(amount),
            _ => None,
        }
    }

    fn change(&self) -> i128 {
        match *self {
            Event::Sent { amount, .. } => -i128::from(amount),
            Event::Received { amount, .. } => i128::from(amount),
            Event::Recorded(_) => 0,
        }
    }
}

/// Theorem 1 (§4): the events of the computation, reordered so that all before the cut come first,
/// are still a computation; it passes through the recorded state and ends where it really ended.
///
/// Here that order is made and played: first every process up to its cut, then every process to
/// the end, each event only when it can happen. To find such an order no search is needed: an event
/// that can happen stays possible whatever the other processes do, for only its own process can
/// take from its account or from its channels. So whoever can go on goes on, and if in the end
/// somebody is stuck, there is no such order.
fn is_reachable(parts: &[Part], logs: &[&[Event]], cuts: &[usize], past: &Past) -> bool {
    let everybody = 0..logs.len();
    let mut replay = Replay::new(logs);
    let at_the_cut = replay.go_on_to(cuts);
    let is_recorded = everybody.clone().all(|to| {
        let state = u128::from(parts[to].state.balance());
        let mut sources = everybody.clone();
        replay.balances[to] == state
            && sources.all(|from| replay.in_transit(from, to) == recorded(&parts[to], from))
    });

    let ends: Vec<usize> = logs.iter().map(|log| log.len()).collect();
    let at_the_end = replay.go_on_to(&ends);
    let lives = |at: &usize| past.balances[*at].is_some();
    let is_real = everybody.clone().filter(lives).all(|to| {
        let mut sources = everybody.clone().filter(lives);
        past.balances[to].map(u128::from) == Some(replay.balances[to])
            && sources.all(|from| {
                let real = past.channels.get(&(from, to));
                replay.in_transit(from, to) == real.map_or(&[][..], |it| it)
            })
    });
    at_the_cut && is_recorded && at_the_end && is_real
}

pub(crate) fn messages(frames: &[Frame]) -> Vec<u64> {
    let amounts = frames.iter().filter_map(|frame| match frame {
        Frame::Message(transfer) => Some(transfer.0),
        Frame::Marker(_) => None,
    });
    amounts.collect()
}

/// The logs, played by themselves from the beginning.
struct Replay<'a> {
    logs: &'a [&'a [Event]],
    played: Vec<usize>,
    balances: Vec<u128>,
    channels: BTreeMap<(usize, usize), VecDeque<u64>>,
}

impl<'a> Replay<'a> {
    fn new(logs: &'a [&'a [Event]]) -> Self {
        Self {
            logs,
            played: vec![0; logs.len()],
            balances: (0..logs.len()).map(|at| u128::from(deposit(at))).collect(),
            channels: BTreeMap::new(),
        }
    }

    /// Plays every log up to there; whether that is possible.
    fn go_on_to(&mut self, ends: &[usize]) -> bool {
        let mut stuck = false;
        while !stuck {
            stuck = true;
            for (at, &end) in ends.iter().enumerate() {
                while self.played[at] < end && self.play(at, self.logs[at][self.played[at]]) {
                    self.played[at] += 1;
                    stuck = false;
                }
            }
        }
        self.played == ends
    }

    /// One event, if it can happen now.
    fn play(&mut self, at: usize, event: Event) -> bool {
        let balance = &mut self.balances[at];
        match event {
            Event::Sent { to, amount } => {
                let Some(left) = balance.checked_sub(u128::from(amount)) else {
                    return false;
                };
                *balance = left;
                self.channels.entry((at, to)).or_default().push_back(amount);
            }
            Event::Received { from, amount } => {
                let channel = self.channels.entry((from, at)).or_default();
                if channel.front() != Some(&amount) {
                    return false;
                }
                channel.pop_front();
                *balance += u128::from(amount);
            }
            Event::Recorded(_) => {}
        }
        true
    }

    fn in_transit(&self, from: usize, to: usize) -> Vec<u64> {
        let amounts = self.channels.get(&(from, to)).into_iter().flatten();
        amounts.copied().collect()
    }
}

/// What the observer does with the parts.
fn passes_the_audit(id: SnapshotId, parts: &[Part]) -> bool {
    let mut handed = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        let mut one = Handed {
            balance: part.state.balance(),
            ..Handed::default()
        };
        for end in part.state.outgoing() {
            one.part.sent.insert(node(end.peer), end.tally);
        }
        for end in part.state.incoming() {
            one.part.received.insert(node(end.peer), end.tally);
        }
        for (from, transfers) in &part.channels {
            let amounts = transfers.iter().map(|transfer| transfer.0).collect();
            one.part.channels.insert(node(*from), amounts);
        }
        handed.insert(node(Place::at(at)), one);
    }
    let deposits = (0..parts.len()).map(|at| (node(Place::at(at)), deposit(at)));
    audit(id, handed, &deposits.collect()).is_ok()
}

fn node(place: Place) -> NodeId {
    NodeId(u64::from(place.0) + 1)
}

/// Enough for all transfers, except that the second process must receive before it can send: which
/// of the two came first at a process matters, and the judge must find out.
pub(crate) fn deposit(at: usize) -> u64 {
    if at == 1 { 1 } else { 100 }
}
