//! `master import shiviz`: a log with vector clocks, as a history.
//!
//! A clock says what an event knows. Where it knows of an event of another process of which the event before
//! it at its own process did not, a message has come: sent at that event, or at one that knows of it.

mod read;
mod write;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::path::PathBuf;

use bank::script::Printable;
use clap::Args;

use self::read::{Log, Logged};
use self::write::written;
use super::Target;
use super::source::Source;
use crate::master::shared::{Error, Files, Mistake};

/// Make a history of a ShiViz log
///
/// An event is a line with its host and its vector clock, and a line with its text, in either order:
/// the first line may say which, as ShiViz's own expressions do. Messages follow from the clocks. One
/// that tells its receiver nothing new leaves no trace in them, and is left out; amounts and snapshots
/// are not in such a log.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:

  $ cat ping.log
  alice {\"alice\": 1}
  sends a ping
  bob {\"alice\": 1, \"bob\": 1}
  is pinged
  $ master import shiviz ping.log -o ping.jsonl
  $ master diagram ping.jsonl -o ping.svg

Exit status:

  0        the history is written
  1        it cannot be written
  2        the log is malformed, or cannot be read
  141      standard output was closed by its reader")]
pub(super) struct ShivizOptions {
    /// The log; `-` reads standard input
    log: PathBuf,
    #[command(flatten)]
    pub(super) target: Target,
}

/// The history.
pub(super) fn history(options: &ShivizOptions, files: &mut Files) -> Result<String, Error> {
    let source = Source::read(&options.log, "the log", files)?;
    let log = Log::read(&source)?;
    let senders: Vec<BTreeSet<usize>> = (0..log.events.len())
        .map(|event| senders(&log, event))
        .collect::<Result<_, _>>()?;
    let order = in_order(&log)?;
    Ok(written(&source.name, &log, &senders, &order))
}

/// Where the messages were sent that an event receives: of the events that it hears of, those that no
/// other one of them knows of.
fn senders(log: &Log, event: usize) -> Result<BTreeSet<usize>, Error> {
    let Logged {
        host, line, clock, ..
    } = &log.events[event];
    let nothing = BTreeMap::new();
    let before = log.before(event);
    let known = before.map_or(&nothing, |before| &log.events[before].clock);
    let news = log.heard_of(event);
    let merged = |other: &usize| {
        let clocks = news.iter().map(|sent| &log.events[*sent].clock);
        let counts = clocks.chain([known]).map(|clock| clock.get(other));
        counts.flatten().max().copied().unwrap_or(0)
    };
    // A clock forgets nothing, and knows what those know that it knows of.
    for (other, host_name) in log
        .hosts
        .iter()
        .enumerate()
        .filter(|(other, _)| other != host)
    {
        let found = clock.get(&other).copied().unwrap_or(0);
        let merged = merged(&other);
        if found < merged {
            return Err(line.all_wrong(Mistake::Forgotten {
                host: Printable::new(host_name.as_bytes()),
                found,
                known: merged,
            }));
        }
    }
    let is_known = |sent: &usize| {
        let Logged { host, own, .. } = &log.events[*sent];
        news.iter().any(|other| {
            other != sent
                && log.events[*other]
                    .clock
                    .get(host)
                    .is_some_and(|it| it >= own)
        })
    };
    Ok(news
        .iter()
        .copied()
        .filter(|sent| !is_known(sent))
        .collect())
}

/// The events, each after those that it knows of; else as they stand in the log.
fn in_order(log: &Log) -> Result<Vec<usize>, Error> {
    let mut waits_for = vec![0; log.events.len()];
    let mut followers = vec![Vec::new(); log.events.len()];
    for (event, waits_for) in waits_for.iter_mut().enumerate() {
        for earlier in log.heard_of(event).into_iter().chain(log.before(event)) {
            followers[earlier].push(event);
            *waits_for += 1;
        }
    }
    let is_ready = |event: &usize| waits_for[*event] == 0;
    let ready = (0..log.events.len()).filter(is_ready).map(Reverse);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
    let mut order = Vec::new();
    while let Some(Reverse(event)) = ready.pop() {
        order.push(event);
        for &follower in &followers[event] {
            waits_for[follower] -= 1;
            if waits_for[follower] == 0 {
                ready.push(Reverse(follower));
            }
        }
    }
    let left = waits_for.iter().position(|count| *count > 0);
    match left.map(|event| &log.events[event].line) {
        Some(line) => Err(line.all_wrong(Mistake::Circle)),
        None => Ok(order),
    }
}
