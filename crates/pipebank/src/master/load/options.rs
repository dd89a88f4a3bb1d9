//! The command line of `master load`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::master::cli::{Colour, seconds};

const EXAMPLE: &str = "\
Example: sixteen accounts for ten seconds, a snapshot every 100 ms.

  $ master load --nodes 16 --duration 10

Every node makes random transfers to all others as fast as it can and receives what comes,
while the observer takes one snapshot after the other and audits each. The traffic is never
stopped: whatever is caught in transit belongs to the picture, and balances and transit add
up to the same total in every snapshot. Ctrl-C ends it early, with the summary.

The seed fixes what each node chooses, one choice after the other; how the nodes interleave is
up to the system's scheduler, so two runs with one seed differ.

Exit status: 0 it ran as asked; 1 a process died; 2 the command line is malformed, or a limit
of the system is too low for so many nodes, nothing was started; 3 a snapshot failed its audit,
or money is missing; 124 the time ran out; 128 + n ended by signal n, with the summary where it
had begun.";

/// When a snapshot is taken under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::master) enum SnapshotEvery {
    Never,
    Millis(u64),
}

impl FromStr for SnapshotEvery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("none", _) => Ok(Self::Never),
            (_, Ok(millis)) => Ok(Self::Millis(millis)),
            _ => Err("neither a number of milliseconds nor `none`".to_owned()),
        }
    }
}

/// Run the bank by itself under full load, and photograph it meanwhile.
///
/// The summary goes to standard output; at a terminal, a line on standard error shows how it goes.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::master) struct LoadOptions {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(super) nodes: u32,
    /// End when so many transfers have been delivered, in all
    #[arg(long, value_name = "M", conflicts_with = "duration")]
    pub(super) transfers: Option<u64>,
    /// End after so many seconds [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) duration: Option<Duration>,
    /// What is in each account at first
    #[arg(long, value_name = "B", default_value_t = 1000)]
    pub(super) balance: u64,
    /// A snapshot every so many milliseconds; 0: as often as possible; `none`
    #[arg(long, value_name = "MS", default_value = "100")]
    pub(super) snapshot_every: SnapshotEvery,
    /// How many snapshots may be in progress at once
    #[arg(long, value_name = "K", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) concurrent: u32,
    /// Seed of all random choices; without it one is drawn
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Write the summary as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Keep each node on one CPU, the nodes in turn on those that master may use
    #[arg(long)]
    pub(super) pin: bool,
    /// Tell on standard error what each process does
    #[arg(long)]
    pub(super) verbose: bool,
    /// Keep a file `pids.json` with the pids of all processes in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) run_dir: Option<PathBuf>,
    /// End the run, with status 124, after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,
    /// When to colour messages
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Colour::Auto)]
    pub(super) color: Colour,
    /// Where the programs `node` and `observer` are [default: beside master]
    #[arg(long, value_name = "DIR")]
    pub(super) bin_dir: Option<PathBuf>,
}

/// How long the load lasts where nothing is said.
const DEFAULT_DURATION: Duration = Duration::from_secs(5);

/// When the load ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Transfers(u64),
    Duration(Duration),
}

impl LoadOptions {
    pub(super) fn extent(&self) -> Extent {
        match self.transfers {
            Some(transfers) => Extent::Transfers(transfers),
            None => Extent::Duration(self.duration.unwrap_or(DEFAULT_DURATION)),
        }
    }

    /// What one node generates of the transfers that were asked for; `None`: until told to rest.
    pub(super) fn quota(&self, place: usize) -> Option<u64> {
        let nodes = u64::from(self.nodes);
        self.transfers
            .map(|all| all / nodes + u64::from((place as u64) < all % nodes))
    }

    /// All the money there is; an error where it does not fit into one account.
    pub(super) fn deposits(&self) -> Result<u64, String> {
        let deposits = self.balance.checked_mul(u64::from(self.nodes));
        deposits.ok_or_else(|| {
            format!(
                "master: {} nodes with {} each have more than 2^64-1 in all, which one account \
                 could not hold",
                self.nodes, self.balance
            )
        })
    }
}
