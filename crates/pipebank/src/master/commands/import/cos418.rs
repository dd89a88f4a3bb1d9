//! `master import cos418`: the test cases of the snapshots in Princeton's COS 418, as scripts.
//!
//! A case is a topology (`.top`) and events (`.events`); a simulator with random delays says when what
//! is delivered. Its order of deliveries is part of what the published results depend on.

mod go_rand;
mod read;
mod simulator;

use std::path::PathBuf;

use bank::script::printable;
use clap::Args;

use self::read::Topology;
use self::simulator::Simulator;
use super::Target;
use super::source::Source;
use crate::master::shared::{Error, Files};

/// The seed of the assignment's tests: its published results are those of this one.
const SEED: i64 = 8_053_172_852_482_175_524;

/// Make a script of a test case of Princeton's COS 418, assignment 2
///
/// The script delivers what the assignment's simulator delivers, in the same order: every delay is the
/// one that Go's math/rand draws. So its snapshots are those of the .snap files. It goes on until
/// everything is delivered, and collects and prints all snapshots at the end.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:

  $ master import cos418 3nodes.top 3nodes-simple.events | master

Server N7 becomes node 7, and snapshot 0 is printed as number 1. Where servers are not called so,
they are numbered in the order of the topology.

Exit status:

  0        the script is written
  1        it cannot be written
  2        a file is malformed, or cannot be read
  141      standard output was closed by its reader")]
pub(super) struct Cos418Options {
    /// The topology: how many servers, a line for each server and its tokens, a line for each link
    top: PathBuf,
    /// The events: `send FROM TO TOKENS`, `snapshot SERVER`, `tick [N]`; `-` reads standard input
    events: PathBuf,
    /// The seed of the delays [default: that of the assignment's tests]
    #[arg(long, value_name = "N", default_value_t = SEED, hide_default_value = true, allow_negative_numbers = true)]
    seed: i64,
    #[command(flatten)]
    pub(super) target: Target,
}

/// The script.
pub(super) fn script(options: &Cos418Options, files: &mut Files) -> Result<String, Error> {
    let top = Source::read(&options.top, "the topology", files)?;
    let events = Source::read(&options.events, "the events", files)?;
    let topology = Topology::read(&top)?;
    let mut simulator = Simulator::new(&topology, options.seed);
    for line in events.lines() {
        if let Some(event) = topology.event(line)? {
            simulator.inject(event).map_err(|wrong| {
                let name = |server: usize| topology.servers[server].printable();
                line.all_wrong(wrong.mistake(name))
            })?;
        }
    }
    let told = format!(
        "# {} and {}, with the delays of the seed {}\n",
        top.name, events.name, options.seed
    );
    Ok(told + &simulator.finish())
}

/// A name in a comment.
fn shown(name: &str) -> String {
    printable(name.as_bytes()).to_string()
}
