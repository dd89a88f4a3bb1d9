//! The command line of `master`, put together from those of its commands.

use std::env;
use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use super::commands::completions::CompletionsOptions;
use super::commands::determine::DetermineOptions;
use super::commands::diagram::DiagramOptions;
use super::commands::judge::JudgeOptions;
use super::commands::load::LoadOptions;
use super::commands::man::ManOptions;
use super::commands::outcomes::OutcomesOptions;
use super::commands::script::{self, ScriptOptions};
use super::commands::verify::VerifyOptions;
use super::shared::Colour;
use bank::script::printable;

/// A distributed bank of separate processes that takes consistent snapshots of itself
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
    after_long_help = script::HELP,
    args_conflicts_with_subcommands = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) subcommand: Option<Sub>,
    #[command(flatten)]
    pub(super) script: ScriptOptions,
}

#[derive(Debug, Subcommand)]
pub(super) enum Sub {
    Load(LoadOptions),
    Verify(VerifyOptions),
    Diagram(DiagramOptions),
    Judge(JudgeOptions),
    Outcomes(OutcomesOptions),
    Determine(DetermineOptions),
    Completions(CompletionsOptions),
    Man(ManOptions),
}

impl Cli {
    /// The command line, or the exit of a process that was asked for help or misused.
    pub(super) fn from_command_line() -> Self {
        let arguments: Vec<OsString> = env::args_os().collect();
        let cli = match Self::try_parse_from(&arguments) {
            Ok(cli) => cli,
            Err(error) => refuse(&arguments, &error),
        };
        let script = cli.script.script.as_ref().and_then(|path| path.to_str());
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

    /// Whether messages are coloured.
    pub(super) fn colour(&self) -> Colour {
        match &self.subcommand {
            None => self.script.system.color,
            Some(Sub::Load(options)) => options.system.color,
            Some(Sub::Verify(options)) => options.color,
            Some(Sub::Diagram(options)) => options.color,
            Some(Sub::Judge(options)) => options.color,
            Some(Sub::Outcomes(options)) => options.color,
            Some(Sub::Determine(options)) => options.color,
            Some(Sub::Completions(_) | Sub::Man(_)) => Colour::default(),
        }
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
