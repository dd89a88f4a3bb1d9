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
//! [`shared`] what they have in common. [`session`] stands between [`bank::master::Master`], who
//! decides, and everybody else; [`cluster`] holds the processes and the pipes to them, [`mesh`] lays
//! channels, [`several`] meets other hosts, [`placing`] says which process is where, [`ending`] ends
//! everything, [`finish`] says how that went, [`results`] is standard output, [`show`] and [`pictures`]
//! draw the run. Never here: what is to be
//! done for a command.

mod chronicle;
mod cli;
mod cluster;
mod commands;
mod ending;
mod finish;
mod lasting;
mod mesh;
mod pictures;
mod placing;
mod process;
mod results;
mod session;
mod several;
mod shared;
mod show;
mod table;

use clap::CommandFactory;
use pipes::Patience;

use self::cli::{Cli, Sub};
use self::commands::{
    completions, determine, diagram, import, judge, load, man, outcomes, script, tour, verify,
};
use self::several::Rank;
use self::shared::{Error, Painter};

pub use self::results::JSON_SCHEMA;

/// Runs `master` and returns its exit status.
#[must_use]
pub fn run() -> u8 {
    let limited = pipes::outlive_the_file_size_limit();
    let rank = Rank::of_this_process();
    let cli = Cli::from_command_line(rank.is_none_or(|rank| rank.number == 0));
    if let Some(rank) = rank.filter(|rank| rank.number > 0) {
        return several::take_part(rank, &cli);
    }
    let painter = Painter::new(cli.colour());
    let done = limited
        .map_err(Error::not_started)
        .and_then(|()| match cli.subcommand {
            None => script::run(cli.script),
            Some(Sub::Tour(options)) => tour::run(options),
            Some(Sub::Load(options)) => load::run(options),
            Some(Sub::Verify(options)) => verify::run(&options),
            Some(Sub::Diagram(options)) => diagram::run(&options),
            Some(Sub::Import(options)) => import::run(&options),
            Some(Sub::Judge(options)) => judge::run(&options),
            Some(Sub::Outcomes(options)) => outcomes::run(&options),
            Some(Sub::Determine(options)) => determine::run(&options),
            Some(Sub::Completions(options)) => completions::run(&options, Cli::command()),
            Some(Sub::Man(options)) => man::run(&options, Cli::command()),
        });
    done.unwrap_or_else(|error| error.tell(painter, &Patience::default()))
}
