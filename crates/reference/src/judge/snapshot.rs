//! Whether what a `PrintSnapshot` prints can be: line by line, then all lines together.

use std::collections::BTreeSet;

use super::Walk;
use super::bank::{Bank, Collected, Index, Part};
use super::drain::{self, Cuts, Drain, Event};
use super::explain;
use super::verdict::Mismatch;

/// More possibilities than these are not looked for.
const MOST_TRIED: usize = 256;

/// A line that a snapshot prints.
struct Expected {
    /// What stands before the number, or the whole of a heading.
    text: String,
    amount: Option<Amount>,
}

/// What its number says.
#[derive(Clone, Copy)]
enum Amount {
    Certain(u128),
    /// The balance of a node that recorded during a `ReceiveAll`.
    Balance(Hidden),
    /// A channel into such a node. So much is certainly in it, and on top what was left of so many
    /// transfers.
    Channel(Hidden, Index, u128, usize),
}

#[derive(Clone, Copy)]
struct Hidden {
    drain: usize,
    event: Event,
}

/// What a printed line says of a cut.
enum Claim {
    Received(u128),
    Taken(Index, (usize, usize)),
}

impl Walk<'_> {
    pub(super) fn print(&mut self, line: usize, number: Option<u64>) -> Result<(), Box<Mismatch>> {
        let collected = &self.bank.collected;
        let found = match number {
            Some(number) => collected.get_key_value(&number),
            None => collected.last_key_value(),
        };
        let Some((&number, collected)) = found else {
            return Ok(());
        };
        let expected = expected(&self.bank, number, collected);
        let start = self.at;
        let printed = |at: usize| self.lines.get(start + at).map_or("", |line| &line.text);
        let mut claims: Vec<(usize, Hidden, Claim)> = Vec::new();
        let mut wrong = None;
        for (at, one) in expected.iter().enumerate() {
            match one.read(&self.bank, printed(at)) {
                Some(None) => {}
                Some(Some((hidden, claim))) => claims.push((at, hidden, claim)),
                None => {
                    wrong = Some(at);
                    break;
                }
            }
        }
        match self.explained(&claims) {
            Ok(cuts) => {
                if let Some(cuts) = cuts {
                    for (drain, printed) in cuts {
                        self.bank.drains[drain].printed = printed;
                    }
                } else {
                    let why = format!(
                        "whether some order explains snapshot {number}, \
                        printed by line {line} of the script, was not found out within the limits"
                    );
                    self.unknown.get_or_insert(why);
                }
            }
            Err(()) => {
                let explained = |&upto: &usize| self.explained(&claims[..upto]).is_ok();
                let counts: Vec<usize> = (0..=claims.len()).collect();
                let most = counts.partition_point(explained) - 1;
                wrong = Some(claims[most].0);
            }
        }
        let Some(at) = wrong else {
            self.at += expected.len();
            return Ok(());
        };
        let one = &expected[at];
        claims.retain(|claim| claim.0 < at);
        let possible: Vec<String> = match one.amount {
            None => vec![one.text.clone()],
            Some(amount) => {
                let amounts = self.possible(amount, &claims);
                amounts
                    .iter()
                    .map(|amount| format!("{} {amount}", one.text))
                    .collect()
            }
        };
        let amounts: Vec<Option<u128>> = expected
            .iter()
            .enumerate()
            .map(|(at, one)| {
                printed(at)
                    .strip_prefix(&one.text)?
                    .trim_start()
                    .parse()
                    .ok()
            })
            .collect();
        let mut mismatch = self.mismatch(start + at, line, possible, String::new());
        (mismatch.why, mismatch.hint) = explain::snapshot(&self.bank, collected, &amounts, at);
        Err(mismatch)
    }

    /// All that is printed of the cuts, if there is an order that explains it; `None` if that was
    /// not found out.
    fn explained(&self, claims: &[(usize, Hidden, Claim)]) -> Result<Option<Cuts>, ()> {
        let mut cuts = Cuts::new();
        for (_, Hidden { drain, event }, claim) in claims {
            let before = || self.bank.drains[*drain].printed.clone();
            let printed = cuts.entry(*drain).or_insert_with(before);
            let printed = printed.entry(*event).or_default();
            match *claim {
                Claim::Received(amount) => {
                    if *printed.received.get_or_insert(amount) != amount {
                        return Err(());
                    }
                }
                Claim::Taken(channel, range) => {
                    if *printed.taken.entry(channel).or_insert(range) != range {
                        return Err(());
                    }
                }
            }
        }
        match drain::explained(&self.bank.drains, &cuts) {
            Some(true) => Ok(Some(cuts)),
            Some(false) => Err(()),
            None => Ok(None),
        }
    }

    /// What the number could be, given the lines before it.
    fn possible(&self, amount: Amount, claims: &[(usize, Hidden, Claim)]) -> Vec<u128> {
        let amounts = match amount {
            Amount::Certain(amount) => return vec![amount],
            Amount::Balance(hidden) => {
                let drain = &self.bank.drains[hidden.drain];
                let before = u128::from(drain.balances[&hidden.event.1]);
                let received = received(drain, hidden.event);
                received.into_iter().map(|amount| before + amount).collect()
            }
            Amount::Channel(hidden, channel, known, before_marker) => {
                let queue = &self.bank.drains[hidden.drain].queues[&channel];
                let left = queue.left(before_marker);
                left.into_iter()
                    .map(|amount| known + amount)
                    .collect::<Vec<_>>()
            }
        };
        if amounts.len() > MOST_TRIED {
            return Vec::new();
        }
        let explained = |&candidate: &u128| {
            let Some((hidden, claim)) = amount.claim(&self.bank, candidate).flatten() else {
                return false;
            };
            let one = (usize::MAX, hidden, claim);
            let claims = claims.iter().chain([&one]).map(|(at, hidden, claim)| {
                let claim = match claim {
                    Claim::Received(amount) => Claim::Received(*amount),
                    Claim::Taken(channel, range) => Claim::Taken(*channel, *range),
                };
                (*at, *hidden, claim)
            });
            self.explained(&claims.collect::<Vec<_>>()).is_ok()
        };
        amounts.into_iter().filter(explained).collect()
    }
}

impl Expected {
    /// What the line says of a cut, if anything; `None`: it cannot stand here.
    fn read(&self, bank: &Bank, line: &str) -> Option<Option<(Hidden, Claim)>> {
        let Some(amount) = self.amount else {
            return (line == self.text).then_some(None);
        };
        let number = line.strip_prefix(&self.text)?.strip_prefix(' ')?;
        amount.claim(bank, number.parse().ok()?)
    }
}

impl Amount {
    fn claim(self, bank: &Bank, printed: u128) -> Option<Option<(Hidden, Claim)>> {
        match self {
            Self::Certain(amount) => (amount == printed).then_some(None),
            Self::Balance(hidden) => {
                let before = bank.drains[hidden.drain].balances[&hidden.event.1];
                let received = printed.checked_sub(before.into())?;
                Some(Some((hidden, Claim::Received(received))))
            }
            Self::Channel(hidden, channel, known, before_marker) => {
                let left = printed.checked_sub(known)?;
                let queue = &bank.drains[hidden.drain].queues[&channel];
                let taken = queue.taken(before_marker, left)?;
                Some(Some((hidden, Claim::Taken(channel, taken))))
            }
        }
    }
}

fn expected(bank: &Bank, number: u64, collected: &Collected) -> Vec<Expected> {
    let heading = |text: &str| Expected {
        text: text.to_owned(),
        amount: None,
    };
    let hidden = |node: Index, part: &Part| {
        part.drain.map(|drain| Hidden {
            drain,
            event: (number, node),
        })
    };
    let id = |node: Index| bank.nodes[node].id;
    let mut lines = vec![heading("---Node states")];
    for &node in &collected.nodes {
        let part = &collected.parts[&node];
        let certain = || Amount::Certain(part.balance.unwrap_or(0).into());
        lines.push(Expected {
            text: format!("node {} =", id(node)),
            amount: Some(hidden(node, part).map_or_else(certain, Amount::Balance)),
        });
    }
    lines.push(heading("---Channel states"));
    for &channel in &collected.channels {
        let ends = &bank.channels[channel];
        let part = &collected.parts[&ends.to];
        let state = part.incoming.get(&channel);
        let known = state.map_or(0, |state| state.known);
        let before = state.and_then(|state| state.before_marker);
        let amount = match (hidden(ends.to, part), before) {
            (Some(hidden), Some(before)) => Amount::Channel(hidden, channel, known, before),
            _ => Amount::Certain(known),
        };
        lines.push(Expected {
            text: format!("channel ({} → {}) =", id(ends.from), id(ends.to)),
            amount: Some(amount),
        });
    }
    lines
}

/// All sums that the node can have received before it recorded, whatever the order; more than were
/// asked for if there are too many.
fn received(drain: &Drain, event: Event) -> BTreeSet<u128> {
    let mut sums = BTreeSet::from([0]);
    for channel in &drain.incoming[&event.1] {
        let taken = drain.queues[channel].sums_before(event.0);
        sums = sums
            .iter()
            .flat_map(|sum| taken.iter().map(move |more| sum + more))
            .collect();
        if sums.len() > MOST_TRIED {
            break;
        }
    }
    sums
}
