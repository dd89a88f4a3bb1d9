//! `master import`: makes a script or a history of other programs' files.

mod cos418;
mod names;
mod shiviz;
mod source;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pipes::Patience;

use self::cos418::Cos418Options;
use self::shiviz::ShivizOptions;
use crate::master::shared::{Colour, Error, Files, Purpose, status, write_out};

/// Make a script or a history of other programs' files
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_long_help = "\
Examples:

  $ master import cos418 3nodes.top 3nodes-simple.events -o three.txt
  $ master three.txt
  $ master import shiviz run.log -o run.jsonl
  $ master diagram run.jsonl -o run.svg

Exit status:

  0        it is written
  1        it cannot be written
  2        a file is malformed, or cannot be read
  141      standard output was closed by its reader"
)]
pub(crate) struct ImportOptions {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    Cos418(Cos418Options),
    Shiviz(ShivizOptions),
}

/// Where what is imported goes to.
#[derive(Debug, Args)]
struct Target {
    /// Where to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    color: Colour,
}

impl ImportOptions {
    pub(crate) fn color(&self) -> Colour {
        match &self.from {
            From::Cos418(options) => options.target.color,
            From::Shiviz(options) => options.target.color,
        }
    }
}

/// Imports; nothing is written where a file is malformed.
pub(crate) fn run(options: &ImportOptions) -> Result<u8, Error> {
    let mut files = Files::default();
    let (text, target) = match &options.from {
        From::Cos418(options) => (cos418::script(options, &mut files)?, &options.target),
        From::Shiviz(options) => (shiviz::history(options, &mut files)?, &options.target),
    };
    let Some(path) = &target.output else {
        files.add_streams()?;
        write_out(text.as_bytes())?;
        return Ok(status::DONE);
    };
    let patience = Patience::default();
    let output = files.open(path, Purpose::IMPORTED, &patience);
    let output = output.map_err(Error::lost)?;
    output.replace(&text, &patience).map_err(Error::lost)?;
    Ok(status::DONE)
}
