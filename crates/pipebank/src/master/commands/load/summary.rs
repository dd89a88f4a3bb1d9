//! What a load run comes to: figures, and how they are shown.

use std::fmt::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::master::shared::Error;
use bank::topology::Shape;

/// The version of the JSON summary's schema; it changes when a reader of the old one would go
/// wrong.
const JSON_SCHEMA: u32 = 1;

/// The snapshots of a run.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    /// Each one's latency in nanoseconds, from its beginning until it had passed the audit.
    latencies: Vec<u64>,
    /// The money in transit in each.
    in_transit: Vec<u64>,
    /// The transfers in transit in each.
    transfers: Vec<u64>,
}

impl Snapshots {
    pub(super) fn add(&mut self, nanoseconds: u64, in_transit: u64, transfers: u64) {
        self.latencies.push(nanoseconds);
        self.transfers.push(transfers);
        self.in_transit.push(in_transit);
    }

    pub(super) fn count(&self) -> usize {
        self.latencies.len()
    }

    pub(super) fn last_in_transit(&self) -> Option<u64> {
        self.in_transit.last().copied()
    }
}

/// What the journals of a bank that lasts take on the disk, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Journals {
    most: u64,
    end: u64,
}

impl Journals {
    /// So much it is now.
    pub(super) fn take(&mut self, bytes: u64) {
        self.most = self.most.max(bytes);
        self.end = bytes;
    }
}

/// A load run that went well, or up to the death of a process.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    schema: u32,
    nodes: u32,
    topology: String,
    channels: u64,
    balance: u64,
    transfers: u64,
    seconds: f64,
    /// Transfers delivered a second.
    rate: f64,
    snapshots: usize,
    audited: usize,
    latency_ms: Latency,
    in_transit: InTransit,
    total: u64,
    /// Unless a host was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<String>,
    seed: u64,
    /// Where the bank lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_bytes: Option<Journals>,
    /// Who died and how, where that ended the run: what the dead had received is not known, and the
    /// last balances are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    died: Option<String>,
}

/// Milliseconds; nothing where there was no snapshot.
#[derive(Debug, Serialize)]
struct Latency {
    p50: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

#[derive(Debug, Serialize)]
struct InTransit {
    /// Money.
    median: Option<u64>,
    max: Option<u64>,
    transfers: TransfersInTransit,
}

#[derive(Debug, Serialize)]
struct TransfersInTransit {
    median: Option<u64>,
    max: Option<u64>,
}

/// What a run is known by, and what it brought beside its snapshots.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) nodes: u32,
    pub(super) topology: Shape,
    pub(super) balance: u64,
    pub(super) seed: u64,
    pub(super) transfers: u64,
    pub(super) elapsed: Duration,
    pub(super) total: u64,
    pub(super) cpu: Option<Duration>,
    /// How the hosts are called, where there are several.
    pub(super) hosts: Vec<String>,
    pub(super) journals: Option<Journals>,
    /// The death that ended it.
    pub(super) died: Option<Error>,
}

impl Summary {
    pub(super) fn new(outcome: Outcome, mut snapshots: Snapshots) -> Self {
        snapshots.latencies.sort_unstable();
        snapshots.in_transit.sort_unstable();
        snapshots.transfers.sort_unstable();
        let millis =
            |percent| quantile(&snapshots.latencies, percent).map(|nanos| nanos as f64 / 1e6);
        let money = |percent| quantile(&snapshots.in_transit, percent);
        let seconds = outcome.elapsed.as_secs_f64();
        Self {
            schema: JSON_SCHEMA,
            nodes: outcome.nodes,
            topology: outcome.topology.to_string(),
            channels: outcome.topology.size(outcome.nodes.into()).channels,
            balance: outcome.balance,
            transfers: outcome.transfers,
            seconds,
            rate: (outcome.transfers as f64 / seconds.max(1e-9)).round(),
            snapshots: snapshots.count(),
            // One that fails its audit ends the run: there is no summary then.
            audited: snapshots.count(),
            latency_ms: Latency {
                p50: millis(50),
                p99: millis(99),
                max: millis(100),
            },
            in_transit: InTransit {
                median: money(50),
                max: money(100),
                transfers: TransfersInTransit {
                    median: quantile(&snapshots.transfers, 50),
                    max: quantile(&snapshots.transfers, 100),
                },
            },
            total: outcome.total,
            cpu_seconds: outcome.cpu.map(|it| it.as_secs_f64()),
            hosts: outcome.hosts,
            seed: outcome.seed,
            journal_bytes: outcome.journals,
            died: match outcome.died {
                Some(Error::Died { who, fate }) => Some(format!("{who} died ({fate})")),
                _ => None,
            },
        }
    }

    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|line| line + "\n")
    }

    pub(super) fn text(&self) -> String {
        let died = self.died.iter();
        let mut rows: Vec<_> = died.map(|died| ("cut short", died.clone())).collect();
        let (at_least, is_whole) = match self.died {
            Some(_) => ("at least ", false),
            None => ("", true),
        };
        rows.extend([
            (
                "nodes",
                format!(
                    "{}, with {} each at first",
                    HumanCount(self.nodes.into()),
                    HumanCount(self.balance)
                ),
            ),
            (
                "topology",
                format!("{}, {} channels", self.topology, HumanCount(self.channels)),
            ),
            (
                "transfers",
                format!(
                    "{at_least}{} in {:.2} s",
                    HumanCount(self.transfers),
                    self.seconds
                ),
            ),
            ("rate", format!("{at_least}{} a second", short(self.rate))),
            (
                "snapshots",
                format!(
                    "{}, all audited and sound",
                    HumanCount(self.snapshots as u64)
                ),
            ),
        ]);
        if let (Some(p50), Some(p99), Some(max)) = (
            self.latency_ms.p50,
            self.latency_ms.p99,
            self.latency_ms.max,
        ) {
            let latency = format!("median {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms");
            rows.push(("latency", latency));
        }
        if let (Some(median), Some(max)) = (self.in_transit.median, self.in_transit.max) {
            let mut money = format!("median {}, max {}", HumanCount(median), HumanCount(max));
            if let Some(transfers) = self.in_transit.transfers.median {
                let plural = if transfers == 1 { "" } else { "s" };
                let transfers = HumanCount(transfers);
                let _ = write!(money, " (median {transfers} transfer{plural})");
            }
            rows.push(("in transit", money));
        }
        let seen = match (self.snapshots, is_whole) {
            (0, true) => "as at first",
            (0, false) => "at first",
            (_, true) => "in every snapshot and at the end",
            (_, false) => "in every snapshot",
        };
        let total = format!("{}, {seen}", HumanCount(self.total));
        rows.push(("total", total));
        if let Some(Journals { most, end }) = self.journal_bytes {
            let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            let (most, end) = (mebibytes(most), mebibytes(end));
            let bytes = format!("at most {most:.1} MiB on the disk, {end:.1} MiB at the end");
            rows.push(("journals", bytes));
        }
        let on_all = if self.hosts.is_empty() {
            ""
        } else {
            " on all hosts"
        };
        let cpu = self.cpu_seconds.map(|it| format!("{it:.2} s{on_all}"));
        rows.extend(cpu.map(|cpu| ("CPU", cpu)));
        if !self.hosts.is_empty() {
            rows.push(("hosts", self.hosts.join(", ")));
        }
        rows.push(("seed", self.seed.to_string()));
        let mut text = String::new();
        for (name, value) in rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<12}{value}");
        }
        text
    }
}

/// The smallest of these sorted values that at least `percent` of them do not exceed (nearest rank).
fn quantile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// A number with a comma before every three digits: `1,234,567`.
struct HumanCount(u64);

impl fmt::Display for HumanCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.char_indices() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A rate with three digits.
pub(super) fn short(rate: f64) -> String {
    match rate {
        rate if rate >= 9_995_000.0 => format!("{:.1} million", rate / 1e6),
        rate if rate >= 999_500.0 => format!("{:.2} million", rate / 1e6),
        rate => HumanCount(rate.round() as u64).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<u64> = (1..=100).collect();
        let found = [50, 99, 100].map(|percent| quantile(&values, percent));
        assert_eq!(found, [Some(50), Some(99), Some(100)]);
        assert_eq!(quantile(&[7], 50), Some(7));
        assert_eq!(quantile(&[], 50), None);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let shown = [0, 999, 1000, 1_234_567].map(|number| HumanCount(number).to_string());
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn rates_are_short() {
        let shown = [12.0, 999_499.0, 1_234_567.0, 45_678_901.0].map(short);
        assert_eq!(shown, ["12", "999,499", "1.23 million", "45.7 million"]);
    }
}
