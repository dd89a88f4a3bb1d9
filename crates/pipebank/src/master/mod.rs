//! The program `master`: reads a script, starts the other processes, has them carry it out.
//!
//! ```text
//!  script ──▶ Session ──▶ results (stdout), messages (stderr)
//!               │ ▲
//!     commands  ▼ │ replies
//!             Cluster ⇄ the processes
//! ```
//!
//! [`cli`] parses the command line, [`commands`] holds what it can ask for, each by itself, and
//! [`shared`] what they have in common. [`session`] executes statements, [`cluster`] holds the
//! processes and the pipes to them, [`channels`] is what master knows of what is on its way,
//! [`results`] is standard output. Never here: what an account or a recorder decides.

mod channels;
mod chronicle;
mod cli;
mod cluster;
mod collect;
mod commands;
mod deaths;
mod failure;
mod issue;
mod mesh;
mod process;
mod ready;
mod results;
mod retire;
mod session;
mod shared;
mod table;

use clap::CommandFactory;

use self::cli::{Cli, Sub};
use self::commands::{completions, diagram, load, man, script, verify};
use self::shared::Painter;

pub use self::results::JSON_SCHEMA;

/// Runs `master` and returns its exit status.
#[must_use]
pub fn run() -> u8 {
    let cli = Cli::from_command_line();
    let painter = Painter::new(cli.colour());
    let done = match cli.subcommand {
        None => script::run(cli.script),
        Some(Sub::Load(options)) => load::run(options),
        Some(Sub::Verify(options)) => verify::run(&options),
        Some(Sub::Diagram(options)) => diagram::run(&options),
        Some(Sub::Completions(options)) => completions::run(&options, Cli::command()),
        Some(Sub::Man(options)) => man::run(&options, Cli::command()),
    };
    done.unwrap_or_else(|error| error.tell(painter))
}
