//! Events as lines of JSON.

use std::fmt;
use std::io::Write as _;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::VERSION;
use crate::event::{
    Channel, ChannelState, Event, Extra, Header, ProcessId, ProcessState, SnapshotId, Tally, What,
};
use crate::text::Text;

/// The oldest version that is read: what a history of it may say means the same today.
const OLDEST: u32 = 1;

/// Why a line is no header or event.
#[derive(Debug, Error)]
pub enum Malformed {
    /// It is not JSON, or not of the schema's keys and types.
    #[error("{}", in_line(.0))]
    Json(#[from] serde_json::Error),
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
}

/// What serde says of one line: it counts that line alone, so that only the column is a place.
fn in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(reason) => format!("{reason} (column {})", error.column()),
        None => text,
    }
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
}

/// The names of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    #[default]
    Start,
    Create,
    Connect,
    Send,
    Receive,
    Refuse,
    Local,
    Begin,
    Record,
    MarkerSent,
    MarkerReceived,
    ChannelClosed,
    Collect,
    Audit,
    Death,
    End,
}

/// Any line but the first: all keys there are, in the order in which they are written.
///
/// One flat struct for all events, because an enum with a tag would have serde hold every line as a
/// tree first: slower, and it loses integers above 64 bits.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    event: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    sparse: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<ProcessId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<ProcessId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<ProcessId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<SnapshotId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<ProcessId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inferred: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Vec<Tally>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<Vec<Tally>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<Vec<ProcessState>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<ChannelState>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
}

impl Line {
    fn new(event: Name) -> Self {
        Self {
            event,
            ..Self::default()
        }
    }

    fn at(mut self, process: ProcessId) -> Self {
        self.process = Some(process);
        self
    }

    fn on(mut self, channel: Channel) -> Self {
        self.from = Some(channel.from);
        self.to = Some(channel.to);
        self
    }

    fn of(mut self, snapshot: SnapshotId) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    fn with(mut self, amount: u64) -> Self {
        self.amount = Some(amount);
        self
    }

    fn numbered(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    fn inferred(mut self, inferred: bool) -> Self {
        self.inferred = inferred.then_some(true);
        self
    }

    /// The channel; `process` must be its end of that key.
    fn channel(&mut self, key: &'static str) -> Result<Channel, Malformed> {
        let channel = Channel {
            from: take(&mut self.from, "from")?,
            to: take(&mut self.to, "to")?,
        };
        let expected = match key {
            "from" => channel.from,
            _ => channel.to,
        };
        let found = take(&mut self.process, "process")?;
        if channel.from == channel.to {
            return Err(Malformed::Loop(found));
        }
        if found != expected {
            return Err(Malformed::Process {
                found,
                expected,
                key,
            });
        }
        Ok(channel)
    }

    fn process(&mut self) -> Result<ProcessId, Malformed> {
        take(&mut self.process, "process")
    }

    fn snapshot(&mut self) -> Result<SnapshotId, Malformed> {
        take(&mut self.snapshot, "snapshot")
    }

    fn amount(&mut self) -> Result<u64, Malformed> {
        take(&mut self.amount, "amount")
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        match take(&mut self.number, "number")? {
            0 => Err(Malformed::Number),
            number => Ok(number),
        }
    }

    /// Refuses keys that nobody has taken.
    fn finish(self) -> Result<(), Malformed> {
        let keys = [
            ("sparse", self.sparse.is_some()),
            ("process", self.process.is_some()),
            ("name", self.name.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("snapshot", self.snapshot.is_some()),
            ("members", self.members.is_some()),
            ("amount", self.amount.is_some()),
            ("number", self.number.is_some()),
            ("inferred", self.inferred.is_some()),
            ("sent", self.sent.is_some()),
            ("received", self.received.is_some()),
            ("states", self.states.is_some()),
            ("channels", self.channels.is_some()),
            ("passed", self.passed.is_some()),
            ("reason", self.reason.is_some()),
            ("text", self.text.is_some()),
            ("line", self.line.is_some()),
            ("time", self.time.is_some()),
        ];
        match keys.iter().find(|(_, is_left)| *is_left) {
            Some((key, _)) => Err(Malformed::Surplus((*key).to_owned())),
            None => Ok(()),
        }
    }
}

fn take<T>(key: &mut Option<T>, name: &'static str) -> Result<T, Malformed> {
    key.take().ok_or(Malformed::Missing(name))
}

/// Writes the first line of a history.
pub fn write_header(out: &mut Vec<u8>, header: &Header) {
    let Header {
        seed,
        script,
        sha256,
        extra,
    } = header.clone();
    let first = First {
        history: VERSION,
        seed,
        script,
        sha256,
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
    let (first, extra): (First, _) = parse(line)?;
    let First {
        seed,
        script,
        sha256,
        ..
    } = first;
    Ok(Header {
        seed,
        script,
        sha256,
        extra,
    })
}

/// Reads a line, and the keys of it that begin with `x-`. It is read as if there were none: only where
/// that fails are they looked for.
fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<(T, Extra), serde_json::Error> {
    let failed = match serde_json::from_slice(line) {
        Ok(parsed) => return Ok((parsed, Extra::new())),
        Err(failed) => failed,
    };
    if !line.windows(3).any(|window| window == b"\"x-") {
        return Err(failed);
    }
    let Keys { rest, extra } = serde_json::from_slice(line)?;
    if extra.is_empty() {
        return Err(failed);
    }
    Ok((serde_json::from_str(&rest)?, extra))
}

/// The keys of an object, as JSON: those that begin with `x-`, and the object without them.
struct Keys {
    rest: String,
    extra: Extra,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Keys;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let (mut rest, mut extra) = (Vec::new(), Extra::new());
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    match key.starts_with("x-") {
                        true => extra.push((key, value.get().to_owned())),
                        false => rest.push(format!("{}:{value}", serde_json::Value::from(key))),
                    }
                }
                let rest = format!("{{{}}}", rest.join(","));
                Ok(Keys { rest, extra })
            }
        }
        from.deserialize_map(Pairs)
    }
}

/// Reads an event.
pub(crate) fn read_event(line: &[u8]) -> Result<Event, Malformed> {
    let (mut line, extra): (Line, _) = parse(line)?;
    let event = Event {
        line: line.line.take(),
        time: line.time.take(),
        what: read_what(&mut line)?,
        extra,
    };
    line.finish()?;
    Ok(event)
}

fn read_what(line: &mut Line) -> Result<What, Malformed> {
    Ok(match line.event {
        Name::Start => What::Start {
            sparse: line.sparse.take().unwrap_or(false),
        },
        Name::End => What::End,
        Name::Create => What::Create {
            process: line.process()?,
            name: line.name.take(),
            amount: line.amount()?,
        },
        Name::Connect => What::Connect {
            channel: line.channel("from")?,
        },
        Name::Local => What::Local {
            process: line.process()?,
            text: take(&mut line.text, "text")?,
        },
        Name::Send => What::Send {
            channel: line.channel("from")?,
            amount: line.amount()?,
            number: line.number()?,
            inferred: line.inferred.take().unwrap_or(false),
        },
        Name::Receive => What::Receive {
            channel: line.channel("to")?,
            amount: line.amount()?,
            number: line.number()?,
        },
        Name::Refuse => What::Refuse {
            channel: line.channel("from")?,
            amount: line.amount()?,
        },
        Name::Begin => What::Begin {
            process: line.process()?,
            snapshot: line.snapshot()?,
            members: line.members.take().unwrap_or_default(),
        },
        Name::Record => What::Record {
            process: line.process()?,
            snapshot: line.snapshot()?,
            amount: line.amount()?,
            sent: line.sent.take().unwrap_or_default(),
            received: line.received.take().unwrap_or_default(),
        },
        Name::MarkerSent => What::MarkerSent {
            channel: line.channel("from")?,
            snapshot: line.snapshot()?,
            inferred: line.inferred.take().unwrap_or(false),
        },
        Name::MarkerReceived => What::MarkerReceived {
            channel: line.channel("to")?,
            snapshot: line.snapshot()?,
        },
        Name::ChannelClosed => What::ChannelClosed {
            channel: line.channel("to")?,
            snapshot: line.snapshot()?,
        },
        Name::Collect => What::Collect {
            snapshot: line.snapshot()?,
            states: line.states.take().unwrap_or_default(),
            channels: line.channels.take().unwrap_or_default(),
        },
        Name::Audit => What::Audit {
            snapshot: line.snapshot()?,
            verdict: match take(&mut line.passed, "passed")? {
                true => Ok(line.amount()?),
                false => Err(take(&mut line.reason, "reason")?),
            },
        },
        Name::Death => What::Death {
            process: line.process.take(),
            reason: take(&mut line.reason, "reason")?,
        },
    })
}

impl From<&What> for Line {
    fn from(what: &What) -> Self {
        match *what {
            What::Start { sparse } => Self {
                sparse: sparse.then_some(true),
                ..Self::new(Name::Start)
            },
            What::End => Self::new(Name::End),
            What::Create {
                process,
                ref name,
                amount,
            } => Self {
                name: name.clone(),
                ..Self::new(Name::Create).at(process).with(amount)
            },
            What::Connect { channel } => Self::new(Name::Connect).at(channel.from).on(channel),
            What::Local { process, ref text } => Self {
                text: Some(text.clone()),
                ..Self::new(Name::Local).at(process)
            },
            What::Send {
                channel,
                amount,
                number,
                inferred,
            } => Self::new(Name::Send)
                .at(channel.from)
                .on(channel)
                .with(amount)
                .numbered(number)
                .inferred(inferred),
            What::Receive {
                channel,
                amount,
                number,
            } => Self::new(Name::Receive)
                .at(channel.to)
                .on(channel)
                .with(amount)
                .numbered(number),
            What::Refuse { channel, amount } => Self::new(Name::Refuse)
                .at(channel.from)
                .on(channel)
                .with(amount),
            What::Begin {
                process,
                snapshot,
                ref members,
            } => Self {
                members: Some(members.clone()).filter(|members| !members.is_empty()),
                ..Self::new(Name::Begin).at(process).of(snapshot)
            },
            What::Record {
                process,
                snapshot,
                amount,
                ref sent,
                ref received,
            } => Self {
                sent: Some(sent.clone()).filter(|sent| !sent.is_empty()),
                received: Some(received.clone()).filter(|received| !received.is_empty()),
                ..Self::new(Name::Record)
                    .at(process)
                    .of(snapshot)
                    .with(amount)
            },
            What::MarkerSent {
                channel,
                snapshot,
                inferred,
            } => Self::new(Name::MarkerSent)
                .at(channel.from)
                .on(channel)
                .of(snapshot)
                .inferred(inferred),
            What::MarkerReceived { channel, snapshot } => Self::new(Name::MarkerReceived)
                .at(channel.to)
                .on(channel)
                .of(snapshot),
            What::ChannelClosed { channel, snapshot } => Self::new(Name::ChannelClosed)
                .at(channel.to)
                .on(channel)
                .of(snapshot),
            What::Collect {
                snapshot,
                ref states,
                ref channels,
            } => Self {
                states: Some(states.clone()).filter(|states| !states.is_empty()),
                channels: Some(channels.clone()).filter(|channels| !channels.is_empty()),
                ..Self::new(Name::Collect).of(snapshot)
            },
            What::Audit {
                snapshot,
                ref verdict,
            } => Self {
                passed: Some(verdict.is_ok()),
                amount: verdict.as_ref().ok().copied(),
                reason: verdict.as_ref().err().cloned(),
                ..Self::new(Name::Audit).of(snapshot)
            },
            What::Death {
                process,
                ref reason,
            } => Self {
                process,
                reason: Some(reason.clone()),
                ..Self::new(Name::Death)
            },
        }
    }
}
