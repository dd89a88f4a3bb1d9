//! What can go wrong, and the exit status of each error: no other place maps errors to statuses.
//!
//! [`Stop`] ends a run early; [`Error`] is whatever keeps a command from doing what it was asked to.
//! Why a single command of a script fails is a [`bank::master::Failure`]: the script goes on then.

use std::io;

use bank::Broken;
use bank::audit::Unsound;
use bank::master::Fate;
use bank::script::{Refusal, printable};
use bank::topology::Shape;
use pipes::{Patience, Shortage};
use rustyline::error::ReadlineError;
use snapshot::SnapshotId;

use super::misread::Misread;
use super::paint::Painter;
use super::run_dir::RunDirError;
use crate::master::lasting::DataError;
use crate::status;

/// Why a run ends before its script does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Asked to by a signal.
    #[error("ended by signal {0}")]
    Signal(i32),
    #[error("the time (--timeout) ran out while waiting for {waited_for}")]
    TimedOut { waited_for: String },
    /// A command failed, and `--strict` is on.
    #[error("stopped at the first failure (--strict)")]
    Strict,
    /// Nobody reads stdout any more: no failure of ours, and nobody to report it to.
    #[error("standard output was closed")]
    StdoutClosed,
    #[error("cannot write results: {0}")]
    Stdout(io::Error),
    #[error("{0}")]
    Pipes(#[from] pipes::Error),
    /// Another host is lost, or cannot go on.
    #[error("{0}")]
    Hosts(hosts::Error),
    #[error("{0}")]
    RunDir(#[from] RunDirError),
    /// A process of a bank that lasts cannot be kept alive.
    #[error("{who} is given up ({fate}); what was carried out is kept")]
    GivenUp { who: String, fate: Fate },
    #[error("{0}")]
    Data(Box<DataError>),
    /// It is appended to what an interrupted run has shown.
    #[error(
        "standard output does not hold what this script has shown before it was interrupted (byte {at} \
         is another): append to the same file (`>> FILE`), or write to a new one"
    )]
    ShownOtherwise { at: u64 },
    /// An invariant of the system broke.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<DataError> for Stop {
    fn from(error: DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

impl From<hosts::Error> for Stop {
    fn from(error: hosts::Error) -> Self {
        match error {
            hosts::Error::Pipes(error) => Self::Pipes(error),
            error => Self::Hosts(error),
        }
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Internal(broken.to_string())
    }
}

impl Stop {
    /// Why waiting for `whom` was cut short: a signal came, else the time ran out.
    pub(crate) fn interrupted(patience: &Patience, whom: &str) -> Self {
        match patience.next_caught() {
            Ok(Some(caught)) => Self::Signal(caught.0),
            Ok(None) => Self::TimedOut {
                waited_for: whom.to_owned(),
            },
            Err(error) => error.into(),
        }
    }

    /// An error where a signal has come or the time is over: for whatever could go on for ever
    /// without having to wait.
    pub(crate) fn heed(patience: &Patience, whom: &str) -> Result<(), Self> {
        match (patience.next_caught()?, patience.is_late()) {
            (Some(caught), _) => Err(Self::Signal(caught.0)),
            (None, true) => Err(Self::interrupted(patience, whom)),
            (None, false) => Ok(()),
        }
    }

    /// Why standard output cannot be written.
    pub(crate) fn stdout(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::StdoutClosed,
            _ => Self::Stdout(error),
        }
    }

    /// Whoever sent the signal, or closed standard output, knows already.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Signal(_) | Self::StdoutClosed)
    }

    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Signal(number) => status::signalled(*number),
            Self::StdoutClosed => status::STDOUT_CLOSED,
            Self::TimedOut { .. } => status::TIMED_OUT,
            Self::Internal(_) => status::BROKEN,
            // It has said itself what is wrong.
            Self::GivenUp { fate, .. } if *fate == Fate::Exit(status::FAILED.into()) => {
                status::FAILED
            }
            Self::GivenUp { fate, .. } => status_of(fate),
            Self::Strict
            | Self::Stdout(_)
            | Self::Pipes(_)
            | Self::Hosts(_)
            | Self::RunDir(_)
            | Self::Data(_)
            | Self::ShownOtherwise { .. } => status::FAILED,
        }
    }
}

/// Why a command does not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    // The command line.
    #[error("not a number of seconds")]
    Seconds,
    #[error("the time must be more than 0 seconds, and not for ever")]
    Endless,
    #[error("neither a number of milliseconds nor `none`")]
    Interval,
    #[error("neither `mesh`, `ring`, `star`, `tree` nor `random:DEGREE`")]
    Topology,
    #[error("DEGREE is not a number from 1 on, as in `random:4`")]
    Degree,
    #[error(
        "the ending says which format is meant, and must be one of {}",
        diagram::Format::endings()
    )]
    Ending,
    #[error("master: --clock is for a trace, and none is written: `-o FILE.trace.json` writes one")]
    ClockOfNoTrace,
    #[error("master: --no-markers and --compact are for images, and no .svg is to be written")]
    SettingOfNoImage,
    #[error("master: there is no page on `{name}`{}", asked_back(meant.as_deref()))]
    NoPage { name: String, meant: Option<String> },

    // Before anything is started.
    #[error("{}", shown(path, refusals))]
    Refused {
        path: String,
        refusals: Vec<Refusal>,
    },
    #[error("{who} need {shortage}")]
    TooManyNodes { who: String, shortage: Shortage },
    #[error(
        "master: {nodes} nodes with {balance} each have more than 2^64-1 in all, which one account \
         could not hold"
    )]
    TooMuchMoney { nodes: u32, balance: u64 },
    #[error(
        "master: `--topology {shape}` takes at least {} nodes, and not {nodes}: each has itself, the \
         next in the ring, and others to be drawn from",
        shape.fewest_nodes()
    )]
    TooFewNodes { shape: Shape, nodes: u32 },
    #[error(
        "master: there is no program `{name}` in {dir}; `cargo build --release` builds all \
         three programs side by side, `--bin-dir DIR` says where they are"
    )]
    NoProgram { name: &'static str, dir: String },
    #[error(
        "master: where this program itself is cannot be found out ({0}), and beside it would be \
         `node` and `observer`; `--bin-dir DIR` says where they are"
    )]
    NoPlace(io::Error),
    #[error(
        "master: --history needs a file, and not `-`: standard output is for results (a file that \
         is called so is `./-`)"
    )]
    HistoryToStdout,
    #[error("{file}: {what} would overwrite {other}; {option} needs another file")]
    Overwrites {
        file: String,
        what: &'static str,
        other: String,
        option: &'static str,
    },
    #[error(
        "master: standard output is {read}: results would be written into what is read; \
         `> FILE` sends them to another file"
    )]
    ResultsInto { read: String },
    /// Where this would be written, it would be in what is read.
    #[error("standard error is a file that is read")]
    MessagesInto,
    #[error("{file}: {what} cannot be written: {source}")]
    Unwritable {
        file: String,
        what: &'static str,
        source: io::Error,
    },
    #[error("master: the prompt cannot be shown: {0}")]
    Prompt(#[from] ReadlineError),
    #[error("{0}")]
    RunDir(#[from] RunDirError),
    #[error(
        "master: --data with --snapshot-every none: snapshots are what keeps the journals short, and without \
         them these grow without end"
    )]
    JournalsWithoutEnd,
    #[error("--data: {0}")]
    Data(#[from] DataError),
    #[error("master: {0}")]
    NotStarted(Stop),

    // A script or a history that is read.
    #[error(
        "it looks like a script, and not like a history: `master --history RUN.jsonl FILE` runs a \
         script and leaves one"
    )]
    IsScript,
    #[error("{file}: {}", printable(source.to_string().as_bytes()))]
    In { file: String, source: Box<Self> },
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Read(#[from] history::Error),
    #[error(transparent)]
    Foreign(#[from] history::Foreign),
    #[error(transparent)]
    Misread(#[from] Box<Misread>),
    #[error(transparent)]
    Draw(#[from] diagram::Error),
    #[error("no system is started in it: there is nothing to draw")]
    NoSystem,
    #[error("{script}: there is no outcome {number}: it has {count}")]
    NoSuchOutcome {
        script: String,
        number: usize,
        count: usize,
    },
    #[error("there is no system {number}: it has {count}")]
    NoSuchSystem { number: u64, count: usize },
    #[error("the history of this run is longer than {0} MiB, and no more is kept")]
    NotKept(usize),

    // While running.
    #[error("master: {0}")]
    Stop(#[from] Stop),
    #[error(
        "{history}: the history cannot be written any more: {source}; it ends with its last whole \
         line, and the run goes on without it"
    )]
    HistoryLost { history: String, source: io::Error },
    #[error("master: {who} died ({fate})")]
    Died { who: String, fate: Fate },
    #[error("master: snapshot {snapshot} failed its audit: {reason}")]
    Unsound {
        snapshot: SnapshotId,
        reason: Unsound,
    },
    #[error("master: the balances add up to {found} in the end, but {deposits} was deposited")]
    Money { deposits: u64, found: u128 },
    #[error("master: {sent} transfers were sent, but {received} received")]
    Transfers { sent: u64, received: u64 },

    // When everything is done.
    #[error("master: cannot write the summary: {0}")]
    Summary(io::Error),
    #[error("master: internal error: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}: the picture is cut off: nobody read the rest of it")]
    CutOff(String),
    #[error(transparent)]
    Lost(Box<Self>),
}

impl From<pipes::Error> for Error {
    fn from(error: pipes::Error) -> Self {
        Stop::Pipes(error).into()
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        Stop::from(broken).into()
    }
}

impl Error {
    /// The system refuses something that is needed before anything is started.
    pub(crate) fn not_started(error: pipes::Error) -> Self {
        Self::NotStarted(error.into())
    }

    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Stop(stop) => stop.status(),
            Self::Died { fate, .. } => status_of(fate),
            Self::Unsound { .. } | Self::Money { .. } | Self::Transfers { .. } | Self::Json(_) => {
                status::BROKEN
            }
            Self::HistoryLost { .. } | Self::Summary(_) | Self::CutOff(_) | Self::Lost(_) => {
                status::FAILED
            }
            // Everything else is noticed before anything starts.
            _ => status::MALFORMED,
        }
    }

    /// Reports it on standard error, and returns its status; or that of what has cut that short.
    pub(crate) fn tell(&self, painter: Painter, patience: &Patience) -> u8 {
        let told = match self {
            Self::Stop(stop) if stop.is_silent() => Ok(()),
            Self::MessagesInto => Ok(()),
            _ => painter.tell_within(&self.to_string(), patience),
        };
        told.map_or_else(|stop| stop.status(), |()| self.status())
    }

    /// What is done cannot be written.
    pub(crate) fn lost(self) -> Self {
        match self {
            Self::Unwritable { .. } => Self::Lost(Box::new(self)),
            error => error,
        }
    }

    /// The same, about this file.
    pub(crate) fn in_file(self, file: &str) -> Self {
        Self::In {
            file: file.to_owned(),
            source: Box::new(self),
        }
    }
}

/// The status of a run in which a process ended in this way, though it should not have.
pub(crate) fn status_of(fate: &Fate) -> u8 {
    match fate.is_internal() {
        true => status::BROKEN,
        false => status::FAILED,
    }
}

fn asked_back(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn shown(path: &str, refusals: &[Refusal]) -> String {
    let shown = refusals
        .iter()
        .map(|refusal| refusal.display(path).to_string());
    shown.collect::<Vec<_>>().join("\n")
}
