//! Why an output is impossible, in a student's words, and the mistake that it looks like.

use super::bank::{Bank, Collected, Frame};

const NO_MARKER: &str = "a node sends markers on all its outgoing channels when it takes the first \
    marker, before anything else; here it looks as if one was never sent, or was overtaken";
const STRAY_MARKER: &str = "a marker stands in line behind the transfers that were sent before it; \
    here it looks as if it overtook them";
const NO_TRANSIT: &str = "what was received on a channel after recording and before its marker was in \
    transit and belongs to the channel's state; here it looks as if it was forgotten";
const NEVER_CLOSED: &str = "a channel's state ends at its marker; here it looks as if recording went on \
    after it";

/// A hint at what is wrong with the result of a `Receive`.
pub(super) fn receive(
    bank: &Bank,
    to: u64,
    from: Option<u64>,
    found: &str,
) -> Option<&'static str> {
    let channel = bank.channel(from?, to)?;
    let waiting = &bank.channels[channel].waiting;
    let found = found.split_once(' ')?.1;
    match waiting.front()? {
        Frame::Marker(_) | Frame::Nth { .. } => {
            let next = waiting.iter().find_map(|frame| match frame {
                Frame::Transfer(amount) => Some(*amount),
                Frame::Marker(_) | Frame::Nth { .. } => None,
            });
            (found == format!("Transfer {}", next?)).then_some(NO_MARKER)
        }
        Frame::Transfer(_) => {
            let marked = waiting
                .iter()
                .any(|frame| !matches!(frame, Frame::Transfer(_)));
            (marked && found == "SnapshotToken -1").then_some(STRAY_MARKER)
        }
    }
}

/// Which rule a snapshot breaks whose line `at` is impossible, and a hint. `amounts` has what is
/// printed, by line: a heading, nodes, a heading, channels.
pub(super) fn snapshot(
    bank: &Bank,
    collected: &Collected,
    amounts: &[Option<u128>],
    at: usize,
) -> (String, Option<&'static str>) {
    let nodes = collected.nodes.len();
    let Some(found) = amounts[at] else {
        return (String::new(), None);
    };
    let balance = |node: usize| amounts[1 + collected.nodes.iter().position(|&one| one == node)?];
    let channel = |one: usize| {
        let place = collected
            .channels
            .iter()
            .position(|&channel| channel == one)?;
        amounts[nodes + 2 + place]
    };
    let total: u128 = amounts.iter().flatten().sum();
    let deposits = collected.deposits;
    let whole = amounts.iter().flatten().count() == nodes + collected.channels.len();
    let off = (whole && total != deposits).then(|| {
        let (difference, how) = (
            total.abs_diff(deposits),
            if total > deposits {
                "too much"
            } else {
                "missing"
            },
        );
        format!(
            "states and channels add up to {total}, {deposits} was deposited: {difference} {how}"
        )
    });

    if let Some(place) = at.checked_sub(nodes + 2) {
        let one = collected.channels[place];
        let ends = &bank.channels[one];
        let (from, to) = (bank.nodes[ends.from].id, bank.nodes[ends.to].id);
        let part = &collected.parts[&ends.to];
        let state = part.incoming.get(&one);
        let mut why = format!(
            "the state of a channel is what node {to} received from node {from} after it recorded \
             and before the marker"
        );
        let queue = part
            .drain
            .and_then(|drain| bank.drains[drain].queues.get(&one));
        let least_and_most = match (state, queue) {
            (Some(state), Some(queue)) => {
                let left = state
                    .before_marker
                    .map(|before| queue.left(before))
                    .unwrap_or_default();
                let least = left.first().copied().unwrap_or(0);
                let most = left.last().copied().unwrap_or(0);
                let alone = left.contains(&found.saturating_sub(state.known));
                if alone
                    && let Some(disagrees) =
                        disagreement(bank, collected, ends.to, balance, channel)
                {
                    why = disagrees;
                }
                (state.known + least, state.known + most)
            }
            (Some(state), None) => (state.known, state.known),
            (None, _) => (0, 0),
        };
        let after = state.map_or(0, |state| state.after);
        let hint = if after > 0
            && found
                .checked_sub(after)
                .is_some_and(|rest| (least_and_most.0..=least_and_most.1).contains(&rest))
        {
            Some(NEVER_CLOSED)
        } else if found == 0 && least_and_most.1 > 0 {
            Some(NO_TRANSIT)
        } else {
            None
        };
        if let Some(off) = off {
            why = format!("{why}; {off}");
        }
        return (why, hint);
    }
    let node = collected.nodes[at - 1];
    let disagrees = disagreement(bank, collected, node, balance, channel);
    let id = bank.nodes[node].id;
    let why = disagrees.unwrap_or_else(|| match collected.parts[&node].drain {
        None => format!("that is what node {id} had when it recorded"),
        Some(_) => format!(
            "node {id} records when it takes the first marker, so one of its channels is empty up to \
             the marker, and no order of delivery makes it so"
        ),
    });
    (off.map_or(why.clone(), |off| format!("{why}; {off}")), None)
}

/// How a printed balance disagrees with the printed channels of a node that recorded during a
/// `ReceiveAll`.
fn disagreement(
    bank: &Bank,
    collected: &Collected,
    node: usize,
    balance: impl Fn(usize) -> Option<u128>,
    channel: impl Fn(usize) -> Option<u128>,
) -> Option<String> {
    let part = &collected.parts[&node];
    let drain = &bank.drains[part.drain?];
    let before = u128::from(drain.balances[&node]);
    let (mut waited, mut left) = (0, 0);
    for (one, state) in &part.incoming {
        if let Some(before_marker) = state.before_marker {
            waited += drain.queues[one].left(before_marker).last()?;
            left += channel(*one)?.checked_sub(state.known)?;
        }
    }
    let should = (before + waited).checked_sub(left)?;
    let printed = balance(node)?;
    let id = bank.nodes[node].id;
    (should != printed).then(|| {
        format!(
            "node {id} had {before}, and {waited} more stood before the markers in its channels; with \
             {left} of it in transit its state is {should}, not {printed}"
        )
    })
}
