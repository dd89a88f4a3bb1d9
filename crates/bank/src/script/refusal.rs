//! What is wrong with a line, where, and how it is reported.

use std::fmt;

use history::Foreign;

use super::command::{CommandHelp, Quantity};
use super::excerpt::Excerpt;
use super::lines::LINE_LIMIT;
use super::parse::Word;
use super::printable::{Printable, printable};
use crate::id::NodeId;

/// As many mistakes in a script as are reported: any file may be called a script, and what is said of it
/// must fit into memory.
pub const MOST_REPORTED: usize = 1000;

/// A place in the script that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Counted from 1.
    pub line: u64,
    /// What is wrong there.
    pub problem: Problem,
    /// Where it is, or where a missing word would be; nothing is shown of a text that is no script.
    excerpt: Excerpt,
}

impl Refusal {
    /// Three lines, the last one without its end; where the whole text is no script, only `PATH: what`.
    ///
    /// ```text
    /// PATH:LINE:COLUMN: what is wrong
    ///     the line
    ///         ^^^^
    /// ```
    pub fn display<'a>(&'a self, path: &'a str) -> impl fmt::Display + 'a {
        InFile {
            refusal: self,
            path: Some(path),
        }
    }

    /// The same without the place, for whoever has just typed the line.
    pub fn without_place(&self) -> impl fmt::Display + '_ {
        InFile {
            refusal: self,
            path: None,
        }
    }
}

/// What is wrong, without the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No line is that long for a good reason.
    #[error("line is longer than {LINE_LIMIT} bytes")]
    LineTooLong,
    /// A file with more mistakes than that is no script.
    #[error("more than {MOST_REPORTED} mistakes: what follows was not checked")]
    TooMany,
    /// It is text as another system writes it.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// It is what a run has written.
    #[error(
        "it is a history, and no script: `master verify FILE` judges it, `master diagram FILE` draws it"
    )]
    History,
    /// The first word is no command, nor like one.
    #[error("unknown command `{word}`")]
    UnknownCommand {
        /// The word.
        word: Printable,
    },
    /// The first word is a command but for capitals.
    #[error("unknown command `{word}`; commands are case-sensitive: `{name}`")]
    WrongCase {
        /// The word.
        word: Printable,
        /// As it is written.
        name: &'static str,
    },
    /// The first word is nearly a command, or a part of one.
    #[error("unknown command `{word}`; did you mean {}?", one_of(names))]
    Misspelt {
        /// The word.
        word: Printable,
        /// What it is like; never empty.
        names: Vec<&'static str>,
    },
    /// The line ends too early.
    #[error("missing {}: `{command}`", missing(command, *given))]
    MissingWords {
        /// Whose words.
        command: &'static CommandHelp,
        /// How many arguments are there.
        given: usize,
    },
    /// The line goes on too long.
    #[error("surplus word `{word}`: `{}` takes {}", command.name, takes(command))]
    SurplusWord {
        /// The first that is too many.
        word: Printable,
        /// What it is too many for.
        command: &'static CommandHelp,
    },
    /// A number below 0.
    #[error("{quantity} cannot be negative")]
    Negative {
        /// What it would count.
        quantity: Quantity,
    },
    /// No number, or not one written as the language wants it.
    #[error("`{word}` is not {quantity}: decimal digits only")]
    Malformed {
        /// The word.
        word: Printable,
        /// What it would count.
        quantity: Quantity,
    },
    /// A number that does not fit in 64 bits.
    #[error("{quantity} cannot be larger than {}", u64::MAX)]
    TooLarge {
        /// What it would count.
        quantity: Quantity,
    },
    /// `StartMaster` with another word than the one that it takes.
    #[error(
        "`{word}` is not `sparse`: `StartMaster` starts a full mesh, `StartMaster sparse` a system without \
         channels"
    )]
    NotSparse {
        /// The word.
        word: Printable,
    },
    /// `PrintSnapshot 0`.
    #[error("snapshots are numbered from 1")]
    SnapshotZero,
    /// A command that needs a master where none was ever started.
    #[error("StartMaster comes first: put it on a line of its own before this one")]
    NotStarted,
    /// A command that needs a master after it was ended.
    #[error("StartMaster comes first: KillAll ended the one before (line {line})")]
    Ended {
        /// Of the `KillAll`.
        line: u64,
    },
    /// `StartMaster` while one is running.
    #[error("master is already started (line {line}); KillAll would end it")]
    AlreadyStarted {
        /// Of the `StartMaster` that counts.
        line: u64,
    },
    /// An id that is nobody's.
    #[error("node {id} is not created by any earlier line")]
    UnknownNode {
        /// The id.
        id: NodeId,
    },
    /// An id that is nobody's since all were forgotten.
    #[error("node {id} is not created by any line since KillAll (line {killed})")]
    ForgottenNode {
        /// The id.
        id: NodeId,
        /// The line of the last `KillAll`.
        killed: u64,
    },
    /// An id that is taken.
    #[error("node {id} was already created on line {line}")]
    CreatedTwice {
        /// The id.
        id: NodeId,
        /// Where it was taken.
        line: u64,
    },
    /// An id that is taken in a bank that was kept.
    #[error("node {id} is in the bank already that StartMaster opens (line {line})")]
    InTheBank {
        /// The id.
        id: NodeId,
        /// Of the `StartMaster`.
        line: u64,
    },
    /// `Send` from a node to the same node.
    #[error("node {id} cannot send to itself")]
    SendToItself {
        /// The node.
        id: NodeId,
    },
    /// `Receive` by a node from the same node.
    #[error("node {id} cannot receive from itself")]
    ReceiveFromItself {
        /// The node.
        id: NodeId,
    },
    /// `Connect` with the same node twice.
    #[error("node {id} cannot be connected with itself")]
    ConnectedToItself {
        /// The node.
        id: NodeId,
    },
    /// `Connect` where all channels are there.
    #[error(
        "there is a channel for every ordered pair of nodes already: Connect is for a system that \
         `StartMaster sparse` starts (line {line} says `StartMaster`)"
    )]
    NotASparseSystem {
        /// Of the `StartMaster`.
        line: u64,
    },
    /// `StartMaster sparse` where there is a full mesh.
    #[error("the bank that StartMaster opens is a full mesh; KillAll would end it")]
    NotASparseBank,
    /// `Connect` for a channel that is there in a bank that was kept.
    #[error(
        "the channel {from} → {to} is in the bank already that StartMaster opens (line {line})"
    )]
    ConnectedInTheBank {
        /// Its sender.
        from: NodeId,
        /// Its receiver.
        to: NodeId,
        /// Of the `StartMaster`.
        line: u64,
    },
    /// `RestartNode` where a node that dies is lost.
    #[error("RestartNode needs a bank that lasts: give --data DIR")]
    NotLasting,
    /// `Connect` for a channel that is there.
    #[error("the channel {from} → {to} was already opened on line {line}")]
    ConnectedTwice {
        /// Its sender.
        from: NodeId,
        /// Its receiver.
        to: NodeId,
        /// Where it was opened.
        line: u64,
    },
    /// `Send` or `Receive` along a channel that is not there.
    #[error("there is no channel {from} → {to}: no earlier line says `Connect {from} {to}`{}", but_back(*.back))]
    NoChannel {
        /// Who would send on it.
        from: NodeId,
        /// Who would receive from it.
        to: NodeId,
        /// The line that opens the opposite one.
        back: Option<u64>,
    },
    /// More money than can be counted.
    #[error("deposits since StartMaster would exceed {}", u64::MAX)]
    TooMuchMoney,
}

impl Problem {
    /// Whether it is of the whole text, which is no script: no line of it is worth reading.
    #[must_use]
    pub fn is_of_the_whole(&self) -> bool {
        matches!(self, Self::Foreign(_) | Self::History)
    }

    /// Whether every further line that needs a master has it too, until one starts.
    #[must_use]
    pub fn stays(&self) -> bool {
        matches!(self, Self::NotStarted | Self::Ended { .. })
    }
}

/// What is wrong with one line, as it is found.
#[derive(Default)]
pub(super) struct Problems(Vec<(Word, Problem)>);

impl Problems {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cold]
    pub(super) fn push(&mut self, word: Word, problem: Problem) {
        self.0.push((word, problem));
    }

    /// One refusal for each, from left to right; `text` is the line they were found in.
    #[cold]
    pub(super) fn into_refusals(mut self, line: u64, text: &[u8]) -> Vec<Refusal> {
        self.0.sort_by_key(|(word, _)| word.start);
        self.0
            .into_iter()
            .map(|(word, problem)| Refusal::new(line, text, word, problem))
            .collect()
    }
}

impl Refusal {
    /// Of the whole text: there is no line that could be shown.
    pub(super) fn of_the_whole(line: u64, problem: Problem) -> Self {
        Self {
            line,
            problem,
            excerpt: Excerpt::default(),
        }
    }

    fn new(line: u64, text: &[u8], word: Word, problem: Problem) -> Self {
        Self {
            line,
            problem,
            excerpt: Excerpt::new(text, word.start..word.end),
        }
    }
}

struct InFile<'a> {
    refusal: &'a Refusal,
    path: Option<&'a str>,
}

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal {
            line,
            problem,
            excerpt,
        } = self.refusal;
        let path = self.path.map(|path| printable(path.as_bytes()));
        if problem.is_of_the_whole() {
            return match path {
                Some(path) => write!(f, "{path}: {problem}"),
                None => write!(f, "{problem}"),
            };
        }
        if let Some(path) = path {
            write!(f, "{path}:{line}:{}: ", excerpt.column)?;
        }
        write!(f, "{problem}\n{excerpt}")
    }
}

fn missing(command: &CommandHelp, given: usize) -> String {
    let missing = command
        .arguments
        .split(' ')
        .take(command.required)
        .skip(given);
    missing.collect::<Vec<_>>().join(" ")
}

/// Channels are directed: most often the other one was meant.
fn but_back(line: Option<u64>) -> String {
    line.map_or(String::new(), |line| {
        format!(" (line {line} opens the opposite one)")
    })
}

fn one_of(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &names[..] {
        [most @ .., before, last] => {
            let most: String = most.iter().map(|name| format!("{name}, ")).collect();
            format!("{most}{before} or {last}")
        }
        names => names.concat(),
    }
}

fn takes(command: &CommandHelp) -> &'static str {
    if command.arguments.is_empty() {
        "none"
    } else {
        command.arguments
    }
}
