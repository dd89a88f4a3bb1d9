//! `master determine`: a script in which nothing is drawn any more.

use std::path::PathBuf;

use clap::Args;
use reference::outcomes::{determined, drawn};

use crate::master::shared::{Colour, Error, Files, checked_script, status, write_out};

/// Write a script with every draw of a seed put in its place
///
/// Every `Receive TO` becomes the `Receive TO FROM` that the seed draws, and every `ReceiveAll` the
/// messages that it takes, one after the other. The snapshots are those of the script with that
/// seed; where there was a `ReceiveAll`, a line is printed for each message.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:

  $ master determine arg.txt --seed 7 > always.txt

Exit status:

  0        the script is written
  1        it cannot be written
  2        the script is malformed, or cannot be read
  141      standard output was closed by its reader")]
pub(crate) struct DetermineOptions {
    /// The script; `-` reads standard input
    script: PathBuf,
    /// The seed, as `master --seed` takes it
    #[arg(long, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    pub(crate) color: Colour,
}

/// Writes the script that a seed determines.
pub(crate) fn run(options: &DetermineOptions) -> Result<u8, Error> {
    let script = checked_script(&options.script, &mut Files::default())?;
    let order = drawn(&script, options.seed);
    write_out(determined(&script, &order).as_bytes())?;
    Ok(status::DONE)
}
