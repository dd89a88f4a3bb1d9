//! `master completions`: completion scripts for shells.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::master::shared::{Error, status, write_out};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:

  $ master completions bash > ~/.local/share/bash-completion/completions/master

Exit status:

  0        the script is printed
  1        it cannot be written
  2        the shell is unknown
  141      standard output was closed by its reader")]
pub(crate) struct CompletionsOptions {
    /// The shell
    shell: Shell,
}

/// Prints completions for `master`, whose whole command line this is.
pub(crate) fn run(options: &CompletionsOptions, mut master: Command) -> Result<u8, Error> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut master, "master", &mut text);
    write_out(&text)?;
    Ok(status::DONE)
}
