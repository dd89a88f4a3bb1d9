//! The command language: text in, checked commands out. It never performs I/O of its own, starts
//! nothing and knows nothing of processes.
//!
//! A script file is read and checked whole before anything starts ([`read_script`]); standard input
//! is checked line by line as it comes ([`LineSplitter`], [`Checker::line`]). Both say the same
//! of the same line, with one difference: a session goes on from the last line that was accepted,
//! as if a refused one had never been typed; a file is read on as if the refused line had been
//! repaired, so that one mistake is not reported again by every line that depended on it.
//!
//! ```
//! use pipebank::script::{Checker, LineSplitter};
//!
//! let (mut splitter, mut checker) = (LineSplitter::new(), Checker::new());
//! let mut told = String::new();
//! for piece in ["StartMaster\nCreateNo", "de 1 500\nSend 1 3 20\nCollect"] {
//!     splitter.push(piece.as_bytes());
//!     while let Some(line) = splitter.next_line() {
//!         match checker.line(line.number, line.text) {
//!             Ok(Some(command)) => told += &format!("{command}\n"),
//!             Ok(None) => {}
//!             Err(refusals) => refusals
//!                 .iter()
//!                 .for_each(|refusal| told += &format!("{}\n", refusal.display("-"))),
//!         }
//!     }
//! }
//! assert_eq!(told, "\
//! StartMaster
//! CreateNode 1 500
//! -:3:8: node 3 is not created by any earlier line
//!     Send 1 3 20
//!            ^
//! ");
//! ```
//!
//! Input is bytes. Nothing in it is an error of encoding: a word is either one of the language or
//! refused, a comment may hold anything, and whatever is shown again goes through [`Printable`].

mod check;
mod command;
mod lines;
mod parse;
mod printable;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io::{self, BufRead};

pub use check::Checker;
pub use command::{COMMANDS, Command, CommandHelp, Quantity};
pub use lines::{LINE_LIMIT, Line, LineSplitter};
pub use printable::{Printable, Shown, printable};
pub use refusal::{MOST_TOLD, Problem, Refusal};

/// A command and the line it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Counted from 1.
    pub line: u64,
    /// What is to be done.
    pub command: Command,
}

/// Why a script is not run.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It could not be read to its end.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It was, and these places in it, from the first line to the last, are refused. Never empty;
    /// where there are more than [`MOST_TOLD`], the last says that the rest was not read.
    #[error("refused places in the script: {}", .0.len())]
    Refused(Vec<Refusal>),
}

/// Reads and checks a whole script: every statement or, where there is one, every refusal.
///
/// # Errors
///
/// [`ScriptError::Io`] where reading fails, whatever was wrong with the lines before.
pub fn read_script(input: &mut dyn BufRead) -> Result<Vec<Statement>, ScriptError> {
    let mut reading = Reading::default();
    let mut splitter = LineSplitter::new();
    loop {
        let piece = match input.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if piece.is_empty() {
            break;
        }
        let length = piece.len();
        splitter.push(piece);
        input.consume(length);
        while let Some(line) = splitter.next_line() {
            reading.line(line)?;
        }
    }
    if let Some(line) = splitter.finish() {
        reading.line(line)?;
    }
    if reading.refusals.is_empty() {
        Ok(reading.statements)
    } else {
        Err(ScriptError::Refused(reading.refusals))
    }
}

/// How many nodes live at once in a script, at most.
#[must_use]
pub fn most_nodes(statements: &[Statement]) -> u64 {
    let mut living = HashSet::new();
    let mut most = 0;
    for statement in statements {
        match statement.command {
            Command::CreateNode { id, .. } => {
                living.insert(id);
                most = most.max(living.len());
            }
            Command::KillNode { id } => {
                living.remove(&id);
            }
            Command::KillAll => living.clear(),
            _ => {}
        }
    }
    most as u64
}

/// What is known of a script that is read up to some line.
#[derive(Default)]
struct Reading {
    checker: Checker,
    statements: Vec<Statement>,
    refusals: Vec<Refusal>,
}

impl Reading {
    /// Takes a line. An error where there are more mistakes than are told: the reading ends.
    fn line(&mut self, Line { number, text }: Line<'_>) -> Result<(), ScriptError> {
        match self.checker.line(number, text) {
            Ok(None) => {}
            Ok(Some(command)) if self.refusals.is_empty() => {
                self.statements.push(Statement {
                    line: number,
                    command,
                });
            }
            Ok(Some(_)) => {}
            Err(refusals) => {
                self.statements = Vec::new();
                self.checker.assume_repaired(number, text);
                self.refusals.extend(refusals);
                if self.refusals.len() > MOST_TOLD {
                    self.refusals.truncate(MOST_TOLD + 1);
                    if let Some(last) = self.refusals.last_mut() {
                        last.problem = Problem::TooMany;
                    }
                    return Err(ScriptError::Refused(std::mem::take(&mut self.refusals)));
                }
            }
        }
        Ok(())
    }
}
