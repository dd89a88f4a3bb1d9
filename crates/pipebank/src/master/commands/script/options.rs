//! The command line of `master SCRIPT`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::master::shared::{ImageOptions, Output, SystemOptions};

pub(crate) const HELP: &str = "\
Example:

Two accounts, a transfer in transit, and a snapshot of both.

  $ cat two.txt
  StartMaster
  CreateNode 1 1000
  CreateNode 2 500
  Send 1 2 300     # on its way: node 2 receives it at a Receive
  BeginSnapshot 2  # prints: Started by Node 2
  ReceiveAll       # delivers the transfer, and the markers
  CollectState
  PrintSnapshot    # node 1 = 700, node 2 = 500, channel (1 → 2) = 300

  $ master two.txt

Commands:

  StartMaster [sparse]  start the master's side and the observer
  KillAll               end every process; another StartMaster may follow
  CreateNode ID AMOUNT  start a node with this balance
  Connect FROM TO       open one channel, where StartMaster says sparse;
                        otherwise there is one for every ordered pair
  Send FROM TO AMOUNT   enqueue a transfer
  Receive TO [FROM]     receive one message
  ReceiveAll            receive until every channel is empty
  BeginSnapshot ID      have node ID begin a snapshot
  CollectState          collect the snapshots that have begun
  PrintSnapshot [N]     print the newest snapshot collected, or number N
  KillNode ID           kill the process of node ID
  RestartNode ID        start it again as it was, in a bank that lasts
  nodes                 list nodes and what waits for them, on standard error

Without a script, at a terminal, a prompt reads them: try `help`.
`master tour` explains them on a small bank, a screen at a time.

With `--features mpi` in the build, `mpirun -n HOSTS master SCRIPT` runs it
on several hosts (crates/hosts/README.md).

Exit status:

  0        every command did what it says, ERR_SEND included
  1        a command failed while running, a line of standard input was
           refused, a process died, or a file could not be written
  2        the command line or the script is malformed, something it names
           is missing or cannot be used, or a limit of the system is too low
           for it; nothing was started
  3        a snapshot failed its audit, or another internal invariant broke
  4        `master verify` found nothing to judge
  124      the time (--timeout) ran out
  128 + n  ended by signal n (SIGHUP, SIGINT, SIGTERM)
  141      standard output was closed by its reader";

#[derive(Debug, Args)]
pub(crate) struct ScriptOptions {
    /// The script; `-` or none reads standard input (with a prompt, at a terminal)
    pub(crate) script: Option<PathBuf>,
    /// Stop at the first command that fails
    #[arg(long)]
    pub(super) strict: bool,
    /// Write every result as one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    /// Only check the script; start nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Write the history of the run, one JSON object an event, to this file
    ///
    /// A history that cannot be written any more ends with its last whole line: that is reported, the
    /// run goes on, and the exit status is 1.
    #[arg(long, value_name = "FILE")]
    pub(super) history: Option<PathBuf>,
    /// Draw the run when it has ended, as `master diagram` does: the ending of FILE says in which
    /// format; may be given several times
    ///
    /// A picture that cannot be drawn is reported, and the exit status is 1 where it would be 0. Of a
    /// run with more than 32 MiB of history there is none: draw a part of a --history.
    #[arg(long, value_name = "FILE", value_parser = Output::parse)]
    pub(super) diagram: Vec<Output>,
    #[command(flatten)]
    pub(super) image: ImageOptions,
    /// Write the arrow as `->` instead of `→`, and what `show` draws in ASCII
    #[arg(long)]
    pub(super) ascii: bool,
    /// How many commands may be under way at once; 1 is strictly one after the other
    #[arg(long, value_name = "N", default_value_t = 4096,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) window: u32,
    /// Where processes run: all on one CPU, which is faster for a script, or wherever they like
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = Placement::One)]
    pub(super) cpus: Placement,
    /// A bank that lasts: it lives in this directory, and who dies is started again
    ///
    /// Nodes and the observer that die are started again by master and go on where they were: nothing is
    /// lost, nothing doubled, and the results are as if nobody had died. Each death and each restart is
    /// told on standard error, and changes no exit status. KillNode leaves a node dead until RestartNode.
    /// The directory is created with mode 0700 and locked while it is used.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// With --data: what was answered survives the failure of the machine too (fdatasync)
    #[arg(long, requires = "data")]
    pub(crate) sync: bool,
    /// With --data: give up the script that was interrupted, and keep the bank as it is
    ///
    /// What the script has carried out stays, and the rest of it never is. SCRIPT, where there is one, is
    /// the next script of the bank; `-` is standard input.
    #[arg(long, requires = "data", conflicts_with = "check")]
    pub(super) abandon: bool,
    /// With --data: after how many steps at least it is noted how far a script is
    #[arg(long, value_name = "STEPS", hide = true, default_value_t = 50_000)]
    pub(super) notes_every: u64,
    #[command(flatten)]
    pub(crate) system: SystemOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Placement {
    /// On the CPU where master was started
    One,
    /// Wherever the system puts them
    Any,
}
