//! The command language: text in, checked commands out. It never performs I/O of its own, starts
//! nothing and knows nothing of processes.
//!
//! A script file is read and checked whole before anything starts ([`ScriptReader`]); standard input
//! is checked line by line as it comes ([`LineSplitter`], [`Checker::line`]). Both say the same
//! of the same line, with one difference: a session goes on from the last line that was accepted,
//! as if a refused one had never been typed; a file is read on as if the refused line had been
//! repaired, so that one mistake is not reported again by every line that depended on it.
//!
//! ```
//! use bank::script::{Checker, LineSplitter, Names};
//!
//! let (mut splitter, mut checker) = (LineSplitter::new(), Checker::new());
//! let mut names = Names::default();
//! let mut reported = String::new();
//! for piece in ["StartMaster\nCreateNo", "de 1 500\nSend 1 3 20\nCollect"] {
//!     splitter.push(piece.as_bytes());
//!     while let Some(line) = splitter.next_line() {
//!         match checker.line(line.number, line.text) {
//!             Ok(Some(command)) => reported += &format!("{}\n", names.follow(command)),
//!             Ok(None) => {}
//!             Err(refusals) => refusals
//!                 .iter()
//!                 .for_each(|refusal| reported += &format!("{}\n", refusal.display("-"))),
//!         }
//!     }
//! }
//! assert_eq!(reported, "\
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
mod excerpt;
mod lines;
mod parse;
mod printable;
mod refusal;
mod sizes;
#[cfg(test)]
mod tests;

use crate::id::{NodeId, Place};

pub use check::{Checker, Known};
pub use command::{COMMANDS, Command, CommandHelp, Quantity};
pub use excerpt::Excerpt;
pub use lines::{LINE_LIMIT, Line, LineSplitter};
pub use printable::{Printable, Shown, printable};
pub use refusal::{MOST_REPORTED, Problem, Refusal};
pub use sizes::largest;

/// A command and the line it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Counted from 1.
    pub line: u64,
    /// What is to be done.
    pub command: Command<Place>,
}

/// Reads and checks a whole script that is in memory, of a bank that does not last: every statement or,
/// where there is one, every refusal.
///
/// # Errors
///
/// The places in it that are refused: see [`ScriptReader::finish`].
pub fn read_script(text: &[u8]) -> Result<Vec<Statement>, Vec<Refusal>> {
    ScriptReader::default().read(text)
}

/// The same of a script for a bank that lasts: [`Checker::lasting`].
///
/// # Errors
///
/// The places in it that are refused: see [`ScriptReader::finish`].
pub fn read_lasting_script(text: &[u8]) -> Result<Vec<Statement>, Vec<Refusal>> {
    ScriptReader::default().lasting(true).read(text)
}

/// Whether the beginning of a text is probably that of a script: its first line that is neither blank
/// nor a comment says a command.
#[must_use]
pub fn looks_like_script(beginning: &[u8]) -> bool {
    let mut lines = beginning.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.find_map(parse::says_a_command).unwrap_or(false)
}

/// The ids of the nodes, by place, as a script creates them.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<NodeId>);

impl Names {
    /// The command as people write it, given every command before it.
    pub fn follow(&mut self, command: Command<Place>) -> Command {
        match command {
            Command::StartMaster { .. } | Command::KillAll => self.0.clear(),
            Command::CreateNode { id, .. } => self.0.push(id),
            _ => {}
        }
        command.rename(|place| self.of(place))
    }

    /// The id of the node at this place, which a checked script has created.
    #[must_use]
    pub fn of(&self, place: Place) -> NodeId {
        self.0[place.index()]
    }
}

/// Reads and checks a whole script, in the pieces in which it comes.
#[derive(Debug, Default)]
pub struct ScriptReader {
    splitter: LineSplitter,
    checker: Checker,
    statements: Vec<Statement>,
    refusals: Vec<Refusal>,
}

impl ScriptReader {
    /// The same for a bank that lasts, or for one that does not: see [`Checker::lasting`].
    #[must_use]
    pub fn lasting(self, lasts: bool) -> Self {
        let checker = self.checker.lasting(lasts);
        Self { checker, ..self }
    }

    /// The same where there is a bank already: see [`Checker::opening`].
    #[must_use]
    pub fn opening(self, known: Known) -> Self {
        let checker = self.checker.opening(known);
        Self { checker, ..self }
    }

    /// Takes a piece of the script.
    ///
    /// # Errors
    ///
    /// More places than are reported ([`MOST_REPORTED`]) are refused already: the reading ends here, and the
    /// last refusal says that the rest was not read.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Vec<Refusal>> {
        self.splitter.push(piece);
        while let Some(line) = self.splitter.next_line() {
            read_line(
                &mut self.checker,
                &mut self.statements,
                &mut self.refusals,
                &line,
            )?;
        }
        Ok(())
    }

    /// Takes a whole script: every statement of it.
    ///
    /// # Errors
    ///
    /// The places in it that are refused: see [`ScriptReader::finish`].
    pub fn read(mut self, text: &[u8]) -> Result<Vec<Statement>, Vec<Refusal>> {
        self.push(text)?;
        self.finish()
    }

    /// The script has ended: every statement of it.
    ///
    /// # Errors
    ///
    /// The places in it that are refused, from the first line to the last; never empty.
    pub fn finish(mut self) -> Result<Vec<Statement>, Vec<Refusal>> {
        if let Some(line) = self.splitter.finish() {
            read_line(
                &mut self.checker,
                &mut self.statements,
                &mut self.refusals,
                &line,
            )?;
        }
        match self.refusals.is_empty() {
            true => Ok(self.statements),
            false => Err(self.refusals),
        }
    }
}

fn read_line(
    checker: &mut Checker,
    statements: &mut Vec<Statement>,
    refusals: &mut Vec<Refusal>,
    line: &Line<'_>,
) -> Result<(), Vec<Refusal>> {
    let &Line { number, text } = line;
    let is_right = refusals.is_empty();
    let statement = |command| Statement {
        line: number,
        command,
    };
    let push = |command| statements.push(statement(command));
    if is_right && checker.plain(text, push).is_some() {
        return Ok(());
    }
    match checker.any_line(number, text) {
        Ok(Some(command)) if is_right => statements.push(statement(command)),
        Ok(_) => {}
        Err(refused) if refused.iter().any(|it| it.problem.is_of_the_whole()) => {
            refusals.extend(refused);
            return Err(std::mem::take(refusals));
        }
        Err(refused) => {
            *statements = Vec::new();
            checker.assume_repaired(number, text);
            refusals.extend(refused);
            if refusals.len() > MOST_REPORTED {
                refusals.truncate(MOST_REPORTED + 1);
                if let Some(last) = refusals.last_mut() {
                    last.problem = Problem::TooMany;
                }
                return Err(std::mem::take(refusals));
            }
        }
    }
    Ok(())
}
