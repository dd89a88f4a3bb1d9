//! What is not accepted in a file that another program has written.

use bank::script::{Excerpt, Printable};

/// A place in a file that is not accepted.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{}: {mistake}\n{excerpt}", excerpt.column)]
pub(crate) struct Misread {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) excerpt: Excerpt,
    pub(crate) mistake: Mistake,
}

/// What is wrong there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("it is not UTF-8")]
    Bytes,

    // Topologies and events of COS 418.
    #[error("missing {0}")]
    Missing(&'static str),
    #[error("surplus word `{0}`")]
    Surplus(Printable),
    #[error("`{word}` is not {what}: decimal digits only, up to {most}")]
    Number {
        word: Printable,
        what: &'static str,
        most: u64,
    },
    #[error("the servers have more than {} tokens in all", u64::MAX)]
    TooManyTokens,
    #[error("server {name} was already listed on line {line}")]
    Twice { name: Printable, line: usize },
    #[error("no server is called {0}")]
    NoServer(Printable),
    #[error("there is no link from {from} to {to}: the topology has no line `{from} {to}`")]
    NoLink { from: Printable, to: Printable },
    #[error("{name} has {has} tokens here, and cannot send {tokens}")]
    TooFewTokens {
        name: Printable,
        has: u64,
        tokens: u64,
    },
    #[error(
        "unknown event `{0}`; there are `send FROM TO TOKENS`, `snapshot SERVER` and `tick [N]`"
    )]
    UnknownEvent(Printable),

    // Logs of ShiViz.
    #[error(
        "logs of this form are not read: an event is a line with its text and a line with its host and \
         its clock, in either order, as in {0}"
    )]
    Expression(&'static str),
    #[error(
        "this divides the log into several executions; each is imported by itself, without this line"
    )]
    Divided,
    #[error(
        "no event begins here: the line of its host and its clock is like `HOST {{\"HOST\": 1}}`"
    )]
    NoEvent,
    #[error("the clock is not JSON that has a number for each host: {}", without_place(.0))]
    Clock(serde_json::Error),
    #[error("the clock of {0} does not count the events of {0} itself")]
    NotInOwnClock(Printable),
    #[error("the clock of {host} says that this is its event {found}, and it must be {expected}")]
    NotNext {
        host: Printable,
        found: u64,
        expected: u64,
    },
    #[error("the clock knows of event {event} of {host}, and the log has {count} of them")]
    NoSuchEvent {
        host: Printable,
        event: u64,
        count: usize,
    },
    #[error(
        "the clock knows of {found} events of {host}, and what comes before this event knows of {known}"
    )]
    Forgotten {
        host: Printable,
        found: u64,
        known: u64,
    },
    #[error("this event and another one each know of the other, so neither can be the first")]
    Circle,
}

/// serde counts lines and columns of the clock alone.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}
