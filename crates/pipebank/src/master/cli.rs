//! The command line of `master`, put together from those of its commands.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use super::commands::completions::CompletionsOptions;
use super::commands::determine::DetermineOptions;
use super::commands::diagram::DiagramOptions;
use super::commands::import::ImportOptions;
use super::commands::judge::JudgeOptions;
use super::commands::load::LoadOptions;
use super::commands::man::ManOptions;
use super::commands::outcomes::OutcomesOptions;
use super::commands::script::{self, ScriptOptions};
use super::commands::tour::TourOptions;
use super::commands::verify::VerifyOptions;
use super::shared::{Colour, columns, fit, name_of, nearest};
use crate::status;
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
    Tour(TourOptions),
    Load(LoadOptions),
    Verify(VerifyOptions),
    Diagram(DiagramOptions),
    Import(ImportOptions),
    Judge(JudgeOptions),
    Outcomes(OutcomesOptions),
    Determine(DetermineOptions),
    Completions(CompletionsOptions),
    Man(ManOptions),
}

impl Cli {
    /// The command line, or the exit of a process that was asked for help or misused: silent, where
    /// another one says so.
    pub(super) fn from_command_line(is_to_speak: bool) -> Self {
        let arguments: Vec<OsString> = env::args_os().collect();
        let cli = match Self::try_parse_from(&arguments) {
            Ok(cli) => cli,
            Err(error) if !is_to_speak => process::exit(error.exit_code()),
            Err(error) => refuse(&arguments, &error),
        };
        if let Some(script) = cli.script.script.as_ref().filter(|_| is_to_speak) {
            must_be_no_subcommand(script);
        }
        cli
    }

    /// Whether messages are coloured.
    pub(super) fn colour(&self) -> Colour {
        match &self.subcommand {
            None => self.script.system.color,
            Some(Sub::Tour(options)) => options.system.color,
            Some(Sub::Load(options)) => options.system.color,
            Some(Sub::Verify(options)) => options.color,
            Some(Sub::Diagram(options)) => options.color,
            Some(Sub::Import(options)) => options.color(),
            Some(Sub::Judge(options)) => options.color,
            Some(Sub::Outcomes(options)) => options.color,
            Some(Sub::Determine(options)) => options.color,
            Some(Sub::Completions(_) | Sub::Man(_)) => Colour::default(),
        }
    }
}

/// Ends where what stands for a script is a subcommand, or probably was to be one.
fn must_be_no_subcommand(script: &Path) {
    let word = script.to_string_lossy();
    let command = Cli::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    let names: Vec<&str> = names.chain(["help"]).collect();
    if names.contains(&&*word) {
        complain(&format!(
            "`{word}` is a subcommand, and options come after it; a script of that name is run as \
             `./{word}`"
        ));
    }
    if !script.exists()
        && let Some(meant) = nearest(&word, names)
    {
        let word = name_of(script);
        complain(&format!(
            "`{word}` is neither a subcommand nor a script; did you mean `master {meant}`?"
        ));
    }
}

/// Ends with what clap has to say: help, or what is wrong. clap quotes what was given as it is, also
/// what would act on the terminal, so it is asked again about the same in harmless characters.
fn refuse(arguments: &[OsString], error: &clap::Error) -> ! {
    refuse_surplus(arguments, error);
    let harmless = arguments.iter().map(OsString::as_os_str);
    let harmless = harmless.map(|word| printable(word.as_encoded_bytes()).to_string());
    match Cli::try_parse_from(harmless) {
        Err(error) => exit(&error),
        Ok(_) => exit(&Cli::command().error(error.kind(), "the command line is malformed")),
    }
}

/// Ends where a word comes after the script: clap takes it for a subcommand.
fn refuse_surplus(arguments: &[OsString], error: &clap::Error) {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return;
    };
    let at = arguments.iter().position(|argument| *argument == **word);
    let before = at.map(|at| Cli::try_parse_from(&arguments[..at]));
    if let Some(Ok(before)) = before
        && let Some(script) = before.script.script
    {
        must_be_no_subcommand(&script);
        complain(&format!(
            "surplus word `{}`: master runs one script, and that is `{}`",
            printable(word.as_bytes()),
            name_of(&script)
        ));
    }
}

/// Ends with this and how master is called.
fn complain(what: &str) -> ! {
    exit(&Cli::command().error(ErrorKind::ArgumentConflict, what))
}

/// Exits as clap does, which wraps its help to the terminal's width, but not its errors; and takes no
/// help for printed that is not.
fn exit(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        let printed = error.print().and_then(|()| io::stdout().flush());
        process::exit(i32::from(match printed {
            Ok(()) => status::DONE,
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => status::STDOUT_CLOSED,
            Err(why) => {
                let _ = writeln!(io::stderr(), "master: cannot write the help: {why}");
                status::FAILED
            }
        }));
    }
    let text = fit(&error.render().ansi().to_string(), columns(io::stderr()));
    // Where nobody can hear it, that is nobody's failure.
    let _ = anstream::stderr().write_all(text.as_bytes());
    process::exit(error.exit_code());
}
