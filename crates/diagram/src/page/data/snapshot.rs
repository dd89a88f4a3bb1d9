//! What the page knows of a snapshot.

use std::collections::BTreeMap;

use history::{Amount, ProcessId, Snapshot, SnapshotId, Straightened, Text, What};
use serde::Serialize;

use super::{Shown, reason_of};
use crate::error::Error;

/// A snapshot.
#[derive(Serialize)]
pub(super) struct SnapshotView {
    id: String,
    colour: u64,
    /// The records shown, by lane.
    cut: Vec<usize>,
    /// Messages in the channels' states.
    crossing: Vec<usize>,
    /// Process and state: collected, or where nothing is, recorded.
    states: Vec<(String, String)>,
    /// From, to, amounts.
    channels: Vec<(String, String, Vec<String>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collect: Option<usize>,
    /// The sum that the audit found.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<String>,
    /// Why the audit failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    straight: Option<StraightOrder>,
    /// Why the cut cannot be straight.
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<String>,
}

/// The order of the events in which a cut is straight.
#[derive(Serialize)]
struct StraightOrder {
    /// As runs: the first event, then how many follow each other.
    order: Vec<usize>,
    /// From where to where in the order the line is.
    line: [usize; 2],
}

impl Shown<'_> {
    pub(super) fn snapshot(&self, id: SnapshotId) -> Result<SnapshotView, Error> {
        let unknown = Snapshot::default();
        let snapshot = self.system.snapshots.get(&id).unwrap_or(&unknown);
        let is_shown = |event: &usize| self.index(*event).is_some();
        let straight = match snapshot.cut.values().all(is_shown) {
            true => self
                .system
                .straighten(id)
                .map_err(|error| error.to_string()),
            false => Err("a part of it is outside of what is shown".to_owned()),
        };
        let (straight, obstacle) = match straight {
            Ok(straight) => (Some(self.checked(&straight)?), None),
            Err(obstacle) => (None, Some(obstacle)),
        };
        let audit = snapshot.audit.filter(|event| *event < self.events.end);
        let verdict = audit.map(|event| &self.system.events[event].what);
        let collected = snapshot.collected.as_ref();
        let collected = collected.filter(|collected| collected.event < self.events.end);
        let channels = collected.map(|it| it.channels.iter()).into_iter().flatten();
        let channels = channels.filter(|(_, amounts)| !amounts.is_empty());
        Ok(SnapshotView {
            id: id.to_string(),
            colour: id.0.wrapping_sub(1) % 6,
            cut: snapshot
                .cut
                .values()
                .filter_map(|it| self.index(*it))
                .collect(),
            crossing: self.crossing(snapshot),
            states: match collected {
                Some(collected) => texts(&collected.states),
                None => self.recorded(snapshot),
            },
            channels: channels
                .map(|(channel, amounts)| {
                    let amounts = amounts.iter().map(Amount::to_string).collect();
                    (channel.from.to_string(), channel.to.to_string(), amounts)
                })
                .collect(),
            collect: collected.and_then(|collected| self.index(collected.event)),
            total: match verdict {
                Some(What::Audit {
                    verdict: Ok(total), ..
                }) => Some(total.to_string()),
                _ => None,
            },
            reason: verdict.and_then(reason_of),
            straight,
            obstacle,
        })
    }

    /// The states recorded in what is shown, or before it.
    fn recorded(&self, snapshot: &Snapshot) -> Vec<(String, String)> {
        let cut = snapshot.cut.iter();
        let recorded = cut.filter(|(_, event)| **event < self.events.end);
        let states = recorded.filter_map(|(process, event)| {
            let amount = self.system.events[*event].what.recorded()?;
            Some((*process, amount))
        });
        texts(&states.collect())
    }

    /// The messages through which the cut goes.
    fn crossing(&self, snapshot: &Snapshot) -> Vec<usize> {
        let crosses = |message: usize| snapshot.crosses(&self.system.messages[message]);
        let messages = self.messages.iter();
        let messages = messages.filter(|(message, _)| crosses(**message));
        messages.map(|(_, index)| *index).collect()
    }

    /// An order in which a cut is straight, once it is checked.
    fn checked(&self, straight: &Straightened) -> Result<StraightOrder, Error> {
        straight
            .check(self.system)
            .map_err(|reason| Error::NotStraight {
                snapshot: straight.snapshot,
                reason,
            })?;
        let shown = |events: &[usize]| -> Vec<usize> {
            events
                .iter()
                .filter_map(|event| self.index(*event))
                .collect()
        };
        let before = shown(&straight.order[..straight.cut.start]).len();
        let line = shown(&straight.order[straight.cut.clone()]).len();
        Ok(StraightOrder {
            order: runs(&shown(&straight.order)),
            line: [before, before + line],
        })
    }
}

fn texts(states: &BTreeMap<ProcessId, Amount>) -> Vec<(String, String)> {
    let states = states.iter();
    states
        .map(|(process, state)| (process.to_string(), state.to_string()))
        .collect()
}

/// Numbers as runs of such that follow each other: the first, and how many.
fn runs(numbers: &[usize]) -> Vec<usize> {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    runs.flat_map(|run| [run[0], run.len()]).collect()
}
