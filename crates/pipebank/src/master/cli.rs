//! The command line of `master`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::diagram::{DiagramOptions, Output};
use super::load::LoadOptions;
use super::verify::VerifyOptions;
use bank::script::printable;

const EXAMPLE: &str = "\
Example: two accounts, a transfer in transit, and a picture of both.

  $ cat two.txt
  StartMaster
  CreateNode 1 1000
  CreateNode 2 500
  Send 1 2 300            # on its way: node 2 takes it only when told to
  BeginSnapshot 2         # prints: Started by Node 2
  ReceiveAll              # delivers the transfer, and the markers
  CollectState
  PrintSnapshot           # node 1 = 700, node 2 = 500, channel (1 → 2) = 300

  $ master two.txt

Commands: StartMaster, KillAll, CreateNode ID AMOUNT, Send FROM TO AMOUNT,
  Receive TO [FROM], ReceiveAll, BeginSnapshot ID, CollectState, PrintSnapshot [N],
  KillNode ID, nodes. Without a script on a terminal, a prompt reads them: try `help`.

Exit status: 0 every command did what it says; 1 one failed while running, or a process
  died; 2 the command line or the script is malformed, or a limit of the system is too low
  for it, nothing was started; 3 a snapshot failed its audit; 4 `verify` found nothing to
  judge; 124 the time ran out; 128 + n ended by signal n.";

/// A distributed bank of separate processes that photographs itself consistently.
///
/// Reads a script of commands, starts one process for each account, connects every ordered pair of
/// them with a pipe, moves money as the script says, and takes Chandy–Lamport snapshots of all
/// accounts and of everything in transit. Results go to standard output, everything else to
/// standard error.
#[derive(Debug, Parser)]
#[command(
    name = "master",
    version,
    after_help = "`master --help` shows an example, the commands and the exit statuses.",
    after_long_help = EXAMPLE,
    args_conflicts_with_subcommands = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) subcommand: Option<Sub>,
    #[command(flatten)]
    pub(super) run: RunOptions,
}

#[derive(Debug, Subcommand)]
pub(super) enum Sub {
    /// Run the bank by itself under full load, and photograph it meanwhile
    Load(LoadOptions),
    /// Judge the snapshots of a history, whoever wrote it
    Verify(VerifyOptions),
    /// Draw a history: every process, message, marker and cut
    Diagram(DiagramOptions),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff): `master man | man -l -`
    Man,
}

#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The script; `-` or none reads standard input (with a prompt, at a terminal)
    pub(super) script: Option<PathBuf>,
    /// Seed of all random choices; without it one is drawn [it is told when the run fails]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Stop at the first command that fails
    #[arg(long)]
    pub(super) strict: bool,
    /// Tell on standard error what each process does
    #[arg(long)]
    pub(super) verbose: bool,
    /// Write every result as one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    /// Only check the script; start nothing
    #[arg(long)]
    pub(super) check: bool,
    /// Keep a file `pids.json` with the pids of all processes in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) run_dir: Option<PathBuf>,
    /// Write the history of the run, one JSON object an event, to this file
    #[arg(long, value_name = "FILE")]
    pub(super) history: Option<PathBuf>,
    /// Draw the run when it has ended, as `master diagram` does: the ending of FILE says in which
    /// format; may be given several times
    #[arg(long, value_name = "FILE", value_parser = Output::parse)]
    pub(super) diagram: Vec<Output>,
    /// End the run, with status 124, after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,
    /// Write the arrow as `->` instead of `→`, and what `show` draws in ASCII
    #[arg(long)]
    pub(super) ascii: bool,
    /// When to colour messages
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Colour::Auto)]
    pub(super) color: Colour,
    /// How many commands may be under way at once; 1 is strictly one after the other
    #[arg(long, value_name = "N", default_value_t = DEFAULT_WINDOW,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) window: u32,
    /// Where processes run: all on one CPU, which is faster for a script, or wherever they like
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = Placement::One)]
    pub(super) cpus: Placement,
    /// Where the programs `node` and `observer` are [default: beside master]
    #[arg(long, value_name = "DIR")]
    pub(super) bin_dir: Option<PathBuf>,
}

const DEFAULT_WINDOW: u32 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// At a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Placement {
    /// On the CPU where master was started
    One,
    /// Wherever the system puts them
    Any,
}

impl Cli {
    /// The command line, or the exit of a process that was asked for help or misused.
    pub(super) fn from_command_line() -> Self {
        let arguments: Vec<OsString> = env::args_os().collect();
        let cli = match Self::try_parse_from(&arguments) {
            Ok(cli) => cli,
            Err(error) => refuse(&arguments, &error),
        };
        let script = cli.run.script.as_ref().and_then(|path| path.to_str());
        if let Some(name) = script
            && Self::command()
                .get_subcommands()
                .map(clap::Command::get_name)
                .chain(["help"])
                .any(|subcommand| subcommand == name)
        {
            Self::command()
                .error(
                    clap::error::ErrorKind::ArgumentConflict,
                    format!(
                        "`{name}` is a subcommand, and options come after it; \
                         a script of that name is run as `./{name}`"
                    ),
                )
                .exit();
        }
        cli
    }
}

/// Ends with what clap has to say: help, or what is wrong. clap quotes what was given as it is, also
/// what would act on the terminal, so it is asked again about the same in harmless characters.
fn refuse(arguments: &[OsString], error: &clap::Error) -> ! {
    let harmless = arguments.iter().map(OsString::as_os_str);
    let harmless = harmless.map(|word| printable(word.as_encoded_bytes()).to_string());
    match Cli::try_parse_from(harmless) {
        Err(error) => error.exit(),
        Ok(_) => Cli::command()
            .error(error.kind(), "the command line is malformed")
            .exit(),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout),
        _ => Err("the time must be more than 0 seconds, and not for ever".to_owned()),
    }
}
