//! Events as lines of JSON.

mod dialect;
mod line;
mod what;

use std::io::Write as _;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) use self::dialect::Dialect;
use self::line::Line;
use self::what::read_what;

use crate::VERSION;
use crate::event::{Amount, Event, Extra, Header, ProcessId};
use crate::text::Text;

/// The oldest version that is read: what a history of it may say means the same today.
const OLDEST: u32 = 1;

/// Why a line is no header or event.
#[derive(Debug, Error)]
pub enum Malformed {
    /// It is not JSON, or not of the schema's keys and types.
    #[error("{}", in_line(.0))]
    Json(#[from] serde_json::Error),
    /// The same, of a line that was written anew, so that it has no place.
    #[error("{}", without_place(.0))]
    Anew(serde_json::Error),
    /// A process is called by a name that nobody has.
    #[error(
        "no process is called {0:?}: a `create` before this has to say its `name`, or all processes \
         have names and no numbers"
    )]
    NoName(String),
    /// A process is called by a number where all others have names.
    #[error("a process is called by a number, and those before it by names without numbers")]
    Mixed,
    /// The history is of another version.
    #[error("the history is of version {0}, and this program reads versions {OLDEST} to {VERSION}")]
    Version(u32),
    /// An event lacks something.
    #[error("the key `{0}` is missing")]
    Missing(&'static str),
    /// An event has a key that means nothing there.
    #[error("the event has a key that does not belong to it: {0}")]
    Surplus(String),
    /// An event happens at a process at which it cannot happen.
    #[error("`process` is {found}, and must be {expected}, as in `{key}`")]
    Process {
        /// What it says.
        found: ProcessId,
        /// What it must say.
        expected: ProcessId,
        /// The key that says so.
        key: &'static str,
    },
    /// A channel from a process to itself.
    #[error("there is no channel from process {0} to itself")]
    Loop(ProcessId),
    /// Numbers of messages are counted from 1.
    #[error("`number` is 0, but messages are counted from 1")]
    Number,
    /// An amount below 0.
    #[error("{0} is negative: that is for histories whose header has `\"negative\":true`")]
    Negative(Amount),
    /// An amount that is no amount of anybody.
    #[error("{0} is too large: amounts fit in 64 bits")]
    TooLarge(Amount),
}

/// What serde says of one line: it counts that line alone, so that only the column is a place.
fn in_line(error: &serde_json::Error) -> String {
    match (error.to_string(), without_place(error)) {
        (text, reason) if text == reason => text,
        (_, reason) => format!("{reason} (column {})", error.column()),
    }
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    history: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<States>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Amount>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    negative: bool,
}

/// What the states are, if not amounts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum States {
    Opaque,
}

/// Writes the first line of a history.
pub fn write_header(out: &mut Vec<u8>, header: &Header) {
    let Header {
        seed,
        script,
        sha256,
        is_opaque,
        total,
        is_signed,
        extra,
    } = header.clone();
    let first = First {
        history: VERSION,
        seed,
        script,
        sha256,
        states: is_opaque.then_some(States::Opaque),
        total,
        negative: is_signed,
    };
    write_line(out, &first, &extra);
}

/// Writes an event as one line.
pub fn write_event(out: &mut Vec<u8>, event: &Event) {
    let mut line = Line::from(&event.what);
    line.line = event.line;
    line.time = event.time;
    write_line(out, &line, &event.extra);
}

fn write_line(out: &mut Vec<u8>, line: &impl Serialize, extra: &Extra) {
    // Neither the vector nor these types can fail to be written to.
    let written = serde_json::to_writer(&mut *out, line);
    debug_assert!(written.is_ok(), "{written:?}");
    for (key, value) in extra {
        // The line is an object with one key at least.
        out.pop_if(|brace| *brace == b'}');
        let _ = write!(out, ",{}:{value}}}", serde_json::Value::from(&**key));
    }
    out.push(b'\n');
}

/// Reads the first line.
pub(crate) fn read_header(line: &[u8]) -> Result<Header, Malformed> {
    /// Looked at first, since another version may have other keys.
    #[derive(Deserialize)]
    struct Version {
        history: u32,
    }
    let Version { history } = serde_json::from_slice(line)?;
    if !(OLDEST..=VERSION).contains(&history) {
        return Err(Malformed::Version(history));
    }
    let (first, extra): (First, _) = match serde_json::from_slice(line) {
        Ok(first) => (first, Extra::new()),
        Err(failed) => Dialect::default().parse(line, Some(failed))?,
    };
    let First {
        seed,
        script,
        sha256,
        states,
        total,
        negative,
        ..
    } = first;
    if let Some(total) = total {
        fits(total, negative)?;
    }
    Ok(Header {
        seed,
        script,
        sha256,
        is_opaque: states.is_some(),
        total,
        is_signed: negative,
        extra,
    })
}

/// An amount is in its range.
fn fits(amount: Amount, is_signed: bool) -> Result<(), Malformed> {
    const MOST: Amount = u64::MAX as Amount;
    match amount {
        0..=MOST => Ok(()),
        _ if !(-MOST..=MOST).contains(&amount) => Err(Malformed::TooLarge(amount)),
        _ if is_signed => Ok(()),
        _ => Err(Malformed::Negative(amount)),
    }
}

/// Reads an event.
pub(crate) fn read_event(line: &[u8], dialect: &mut Dialect) -> Result<Event, Malformed> {
    match serde_json::from_slice(line) {
        Ok(mut line) if dialect.is_plain() => {
            let event = event_of(&mut line, Extra::new())?;
            dialect.check_amounts(&event.what)?;
            dialect.learn(&event.what, false)?;
            Ok(event)
        }
        read => {
            let (mut line, extra) = dialect.parse(line, read.err())?;
            let event = event_of(&mut line, extra)?;
            dialect.check_amounts(&event.what)?;
            dialect.learn(&event.what, true)?;
            Ok(event)
        }
    }
}

fn event_of(line: &mut Line, extra: Extra) -> Result<Event, Malformed> {
    let event = Event {
        line: line.line.take(),
        time: line.time.take(),
        what: read_what(line)?,
        extra,
    };
    line.finish()?;
    Ok(event)
}
