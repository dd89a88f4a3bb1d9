//! The command line of `master load`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::master::shared::{Error, SystemOptions, seconds};
use bank::topology::{Shape, Size};

/// When a snapshot is taken under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotEvery {
    Never,
    Millis(u64),
}

impl FromStr for SnapshotEvery {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "none" => Ok(Self::Never),
            _ => text.parse().map(Self::Millis).map_err(|_| Error::Interval),
        }
    }
}

/// Reads which channels there are.
fn topology(text: &str) -> Result<Shape, Error> {
    if let Some(degree) = text.strip_prefix("random:") {
        let degree = degree.parse().ok().filter(|degree| *degree > 0);
        return degree.map(Shape::Random).ok_or(Error::Degree);
    }
    let named = [Shape::Mesh, Shape::Ring, Shape::Star, Shape::Tree];
    let meant = named.into_iter().find(|shape| shape.to_string() == text);
    meant.ok_or(Error::Topology)
}

/// Run the bank by itself under full load, and take snapshots meanwhile
///
/// Every node makes random transfers along its channels, which lead to all others unless --topology
/// says otherwise, as fast as it can and receives what comes, while the observer takes one snapshot after the other and audits each. A transfer is of 1 at least, or of
/// nothing while the account is empty. The traffic is never stopped:
/// whatever is in transit belongs to the snapshot, and balances and transit add up to the same total
/// in every snapshot.
///
/// At the end everything in transit is delivered, and the balances must add up. Ctrl-C ends it early,
/// with the summary; a second one without. The summary goes to standard output; at a terminal, a line
/// on standard error shows the progress.
///
/// The seed fixes what each node chooses, one choice after the other; how the nodes interleave is up
/// to the system's scheduler, so two runs with one seed differ.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:

Sixteen accounts for ten seconds, a snapshot every 100 ms.

  $ master load --nodes 16 --duration 10

A thousand accounts, each of which sends to the next only.

  $ master load --nodes 1000 --topology ring

Exit status:

  0        it ran as asked
  1        a process died: the summary is of what was measured until then;
           or the summary cannot be written
  2        the command line is malformed, something it names is missing or
           cannot be used, or a limit of the system is too low for this
           number of nodes; nothing was started
  3        a snapshot failed its audit, or money is missing
  124      the time (--timeout) ran out
  128 + n  ended by signal n, with the summary where the load had begun
  141      standard output was closed by its reader")]
pub(crate) struct LoadOptions {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(super) nodes: u32,
    /// Which channels there are: mesh, ring, star, tree or random:DEGREE
    ///
    /// With n nodes, in the order of their ids:
    ///
    /// - mesh: one from every node to every other, n(n-1) channels;
    ///
    /// - ring: from each to the next, from the last to the first, n channels;
    ///
    /// - star: between the first and each of the others, both ways;
    ///
    /// - tree: between each and at most two children, both ways;
    ///
    /// - random:DEGREE: a ring, so that everybody can be reached, and from each to DEGREE others that are
    ///   drawn from the seed.
    #[arg(long, value_name = "SHAPE", default_value = "mesh", value_parser = topology)]
    pub(super) topology: Shape,
    /// End when M transfers have been delivered, in all
    #[arg(long, value_name = "M", conflicts_with = "duration")]
    pub(super) transfers: Option<u64>,
    /// End after this many seconds; fractions are allowed [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) duration: Option<Duration>,
    /// What is in each account at first
    #[arg(long, value_name = "B", default_value_t = 1000)]
    pub(super) balance: u64,
    /// Take a snapshot every MS milliseconds; 0: as often as possible; `none`: never
    #[arg(long, value_name = "MS", default_value = "100")]
    pub(super) snapshot_every: SnapshotEvery,
    /// How many snapshots may be in progress at once
    #[arg(long, value_name = "K", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) concurrent: u32,
    /// Write the summary as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Keep each node on one CPU, the nodes in turn on those that master may use
    #[arg(long)]
    pub(super) pin: bool,
    /// A bank that lasts: it lives in this directory, and who dies is started again
    ///
    /// Whoever is killed goes on where he was. Where everybody is, master too, the same command goes on with
    /// all the money in the bank. Snapshots that have passed their audit keep the journals short. A load
    /// that came to its end leaves nothing.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// With --data: what was kept survives the failure of the machine too (fdatasync)
    #[arg(long, requires = "data")]
    pub(crate) sync: bool,
    #[command(flatten)]
    pub(crate) system: SystemOptions,
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

    /// What one node generates of the transfers that were asked for; `None`: until it is to rest.
    pub(super) fn quota(&self, place: usize) -> Option<u64> {
        let nodes = u64::from(self.nodes);
        self.transfers
            .map(|all| all / nodes + u64::from((place as u64) < all % nodes))
    }

    /// How large the system becomes; an error where its shape takes more nodes.
    pub(super) fn size(&self) -> Result<Size, Error> {
        let (shape, nodes) = (self.topology, self.nodes);
        match u64::from(nodes) < shape.fewest_nodes() {
            true => Err(Error::TooFewNodes { shape, nodes }),
            false => Ok(shape.size(nodes.into())),
        }
    }

    /// What tells one load from another that is to go on.
    pub(super) fn identity(&self) -> String {
        let (nodes, topology, balance) = (self.nodes, self.topology, self.balance);
        format!("{nodes} nodes, {topology}, {balance}, {:?}", self.transfers)
    }

    /// All the money there is; an error where it does not fit into one account.
    pub(super) fn deposits(&self) -> Result<u64, Error> {
        let (nodes, balance) = (self.nodes, self.balance);
        let deposits = balance.checked_mul(u64::from(nodes));
        deposits.ok_or(Error::TooMuchMoney { nodes, balance })
    }
}
