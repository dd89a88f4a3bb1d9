//! What the observer answers: that a node has joined, what was collected, or why nothing was.

use std::collections::BTreeMap;
use std::rc::Rc;

use snapshot::SnapshotId;

use super::failure::{Failure, Stop, Waiting, WaitingNode};
use super::session::{Bank, Session, Step};
use bank::audit::GlobalSnapshot;
use bank::messages::Answer;
use bank::script::{Command, Statement};

impl Session {
    /// Takes in what the observer says until the step at the front is done, or more must come.
    pub(super) fn hear_observer(&mut self) -> Result<bool, Stop> {
        loop {
            let Some(answer) = self.cluster.answer()? else {
                let Some(fate) = self.cluster.observer_fate().cloned() else {
                    return Ok(false);
                };
                self.take_news()?;
                return self.end_collection(Err(Failure::ObserverDied(fate)));
            };
            let bank = self.bank()?;
            match answer {
                Answer::Joined => return Ok(true),
                Answer::Account {
                    snapshot,
                    node,
                    balance,
                } => {
                    let arriving = bank.arriving.entry(snapshot);
                    let global = arriving.or_insert_with(|| GlobalSnapshot::new(snapshot));
                    global.accounts.insert(node, balance);
                }
                Answer::Transit {
                    snapshot,
                    from,
                    to,
                    amounts,
                } => {
                    let arriving = bank.arriving.entry(snapshot);
                    let global = arriving.or_insert_with(|| GlobalSnapshot::new(snapshot));
                    let transit = global.transit.entry((from, to)).or_default();
                    transit.extend(amounts);
                }
                Answer::Waiting {
                    snapshot,
                    node,
                    recorded,
                    peers,
                } => bank.waiting.parts.push(WaitingNode {
                    snapshot,
                    node,
                    recorded,
                    peers,
                }),
                Answer::Collected => return self.end_collection(Ok(())),
                Answer::Incomplete => {
                    let waiting = std::mem::take(&mut bank.waiting);
                    return self.end_collection(Err(Failure::Incomplete(waiting)));
                }
                Answer::Unsound { snapshot, reason } => {
                    let failure = Failure::Unsound { snapshot, reason };
                    return self.end_collection(Err(failure));
                }
                Answer::NodeGone { node } => {
                    let Some(place) = bank.places.get(&node).copied() else {
                        return Err(Stop::Internal(format!("node {node} was never heard of")));
                    };
                    let fate = self.fate_of(place)?;
                    return self.end_collection(Err(Failure::MemberDied { node, fate }));
                }
                Answer::Watched { .. } | Answer::Rested => {
                    let what = "the observer says that it has watched, which nobody asked for";
                    return Err(Stop::Internal(what.to_owned()));
                }
            }
        }
    }

    /// A collection ends: all of its snapshots count as collected, or none.
    fn end_collection(&mut self, outcome: Result<(), Failure>) -> Result<bool, Stop> {
        let front = self.in_flight.front();
        let statement = front.map(|entry| entry.statement);
        let first = front.and_then(|entry| match entry.step {
            Step::Collect { first } => Some(first),
            _ => None,
        });
        let bank = self.bank()?;
        let arrived = std::mem::take(&mut bank.arriving);
        bank.waiting = Waiting::default();
        self.chronicle_collection(&outcome, statement, &arrived);
        let bank = self.bank()?;
        match (outcome, statement) {
            (Ok(()), _) => {
                is_what_was_asked_for(bank, first, &arrived)?;
                for (id, snapshot) in arrived {
                    bank.collected.insert(id.0, Rc::new(snapshot));
                }
                bank.uncollected = bank.begun + 1;
                bank.channels.collected();
            }
            (Err(failure), Some(statement)) if statement.command == Command::CollectState => {
                let is_handed_over = matches!(failure, Failure::Unsound { .. });
                bank.torn |= !is_handed_over && !matches!(failure, Failure::Incomplete(_));
                self.fail(&statement, &failure)?;
                if is_handed_over {
                    self.bank()?.channels.collected();
                    self.lose_snapshots()?;
                }
            }
            (Err(_), _) => {}
        }
        Ok(true)
    }

    /// For the history: what was collected, or why it is unsound.
    fn chronicle_collection(
        &mut self,
        outcome: &Result<(), Failure>,
        statement: Option<Statement>,
        arrived: &BTreeMap<SnapshotId, GlobalSnapshot>,
    ) {
        let Some(chronicle) = &mut self.chronicle else {
            return;
        };
        let line = statement.map(|statement| statement.line);
        match outcome {
            Ok(()) => chronicle.collected(line, arrived.values()),
            Err(Failure::Unsound { snapshot, reason }) => {
                chronicle.unsound(line, *snapshot, reason.to_string());
            }
            Err(_) => {}
        }
    }
}

/// Every snapshot has passed the observer's audit. But the observer may itself be broken, and what it
/// hands over is what people see: so it is every snapshot, of every node, with all the money.
fn is_what_was_asked_for(
    bank: &Bank,
    first: Option<SnapshotId>,
    arrived: &BTreeMap<SnapshotId, GlobalSnapshot>,
) -> Result<(), Stop> {
    let asked = first.map_or(1, |first| first.0)..=bank.begun;
    if first.is_none() || !arrived.keys().map(|id| id.0).eq(asked) {
        let what = "the observer handed over other snapshots than were asked for";
        return Err(Stop::Internal(what.to_owned()));
    }
    let mut members = bank.ids.clone();
    members.sort();
    let deposited: u128 = bank.deposits.iter().copied().map(u128::from).sum();
    for (id, snapshot) in arrived {
        let found = snapshot.total();
        let of_members = |(from, to)| from != to && [from, to].iter().all(|n| members.contains(n));
        if !snapshot.accounts.keys().eq(&members)
            || !snapshot.transit.keys().copied().all(of_members)
            || found != deposited
        {
            return Err(Stop::Internal(format!(
                "the observer handed over snapshot {id} with {} of {} nodes and {found} of \
                 {deposited}",
                snapshot.accounts.len(),
                members.len()
            )));
        }
    }
    Ok(())
}
