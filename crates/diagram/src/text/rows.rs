//! What stands in each row: one event, or several that say one thing together.

use history::{ProcessId, SnapshotId, Text, What};

use super::Ink;
use crate::recent::Recent;

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    /// The line of the script.
    pub(super) line: Option<u64>,
    pub(super) ink: Ink,
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// It happens outside of all processes.
    Outside,
    /// It happens at a process.
    At { process: ProcessId, symbol: Symbol },
    /// Messages or markers leave a process.
    Sent {
        from: ProcessId,
        to: Vec<ProcessId>,
        /// Where it is one message, the number of the event.
        message: Option<u64>,
        symbol: Symbol,
    },
    /// A message is sent and received at once.
    AtOnce { from: ProcessId, to: ProcessId },
    /// A message or marker arrives.
    Received {
        from: ProcessId,
        to: ProcessId,
        /// The number of the event that sent it.
        sent: Option<u64>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Event,
    Created,
    Refused,
    Recorded,
    Died,
    Restarted,
}

impl Row {
    /// The processes that it is about.
    pub(super) fn processes(&self) -> Vec<ProcessId> {
        match &self.kind {
            Kind::Outside => Vec::new(),
            Kind::At { process, .. } => vec![*process],
            Kind::Sent { from, to, .. } => [&[*from], &to[..]].concat(),
            Kind::AtOnce { from, to } | Kind::Received { from, to, .. } => vec![*from, *to],
        }
    }
}

/// All rows. A `record` and its markers are one; what only follows from another event has none.
pub(super) fn rows(recent: &Recent) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut events = (recent.forgotten()..).zip(&recent.events).peekable();
    while let Some((number, linked)) = events.next() {
        let (text, ink, kind) = match &linked.event.what {
            What::Start { .. } | What::Begin { .. } | What::ChannelClosed { .. } => continue,
            // Its `audit` follows.
            What::Collect { .. } => continue,
            What::Create {
                process, amount, ..
            } => at(*process, Symbol::Created, amount.to_string()),
            What::Connect { channel } => {
                let [from, to] = [channel.from, channel.to].map(|end| recent.replay.called(end));
                let text = format!("opens {from} → {to}");
                at(channel.from, Symbol::Event, text)
            }
            What::Local { process, text } => at(*process, Symbol::Event, text.to_string()),
            What::Refuse { channel, amount } => {
                let to = recent.replay.called(channel.to);
                let text = format!("refuses to send {amount} to {to}");
                at(channel.from, Symbol::Refused, text)
            }
            What::Death { process, reason } => died(*process, reason),
            What::Restarted {
                process,
                incarnation,
            } => restarted(*process, *incarnation),
            What::End => outside("the system ends".to_owned(), Ink::Faint),
            What::Audit { snapshot, verdict } => match verdict {
                Ok(total) => outside(
                    format!("S{snapshot} is collected: {total} in all"),
                    Ink::Snapshot(*snapshot),
                ),
                Err(reason) => outside(format!("S{snapshot} fails its audit: {reason}"), Ink::Bad),
            },
            What::Send {
                channel, amount, ..
            } => {
                let (from, to) = (channel.from, channel.to);
                let at_once = events.next_if(|(_, next)| next.sent == Some(number));
                let kind = match at_once {
                    Some(_) => Kind::AtOnce { from, to },
                    None => sent(from, vec![to], Some(number), Symbol::Event),
                };
                (amount.to_string(), Ink::Plain, kind)
            }
            What::Receive {
                channel, amount, ..
            } => {
                let (from, to, sent) = (channel.from, channel.to, linked.sent);
                let kind = Kind::Received { from, to, sent };
                (amount.to_string(), Ink::Plain, kind)
            }
            What::Record {
                process,
                snapshot,
                amount,
                ..
            } => {
                let kind = sent(*process, Vec::new(), None, Symbol::Recorded);
                (
                    format!("S{snapshot}={amount}"),
                    Ink::Snapshot(*snapshot),
                    kind,
                )
            }
            What::MarkerSent {
                channel, snapshot, ..
            } => {
                if joins(rows.last_mut(), channel.from, channel.to, *snapshot) {
                    continue;
                }
                let kind = sent(channel.from, vec![channel.to], None, Symbol::Event);
                (format!("S{snapshot}"), Ink::Snapshot(*snapshot), kind)
            }
            What::MarkerReceived { channel, snapshot } => {
                let (from, to, sent) = (channel.from, channel.to, linked.sent);
                let kind = Kind::Received { from, to, sent };
                (format!("S{snapshot}"), Ink::Snapshot(*snapshot), kind)
            }
        };
        let line = linked.event.line;
        rows.push(Row {
            line,
            ink,
            text,
            kind,
        });
    }
    rows
}

fn sent(from: ProcessId, to: Vec<ProcessId>, message: Option<u64>, symbol: Symbol) -> Kind {
    Kind::Sent {
        from,
        to,
        message,
        symbol,
    }
}

fn at(process: ProcessId, symbol: Symbol, text: String) -> (String, Ink, Kind) {
    let ink = match symbol {
        Symbol::Refused | Symbol::Died => Ink::Bad,
        _ => Ink::Plain,
    };
    (text, ink, Kind::At { process, symbol })
}

fn died(process: Option<ProcessId>, reason: &Text) -> (String, Ink, Kind) {
    match process {
        Some(process) => at(process, Symbol::Died, reason.to_string()),
        None => outside(format!("the observer died: {reason}"), Ink::Bad),
    }
}

fn restarted(process: Option<ProcessId>, incarnation: u64) -> (String, Ink, Kind) {
    let text = format!("restarted: incarnation {incarnation}");
    match process {
        Some(process) => at(process, Symbol::Restarted, text),
        None => outside(format!("the observer is {text}"), Ink::Plain),
    }
}

fn outside(text: String, ink: Ink) -> (String, Ink, Kind) {
    (text, ink, Kind::Outside)
}

/// Whether a marker belongs to the row before it, and was added to that.
fn joins(last: Option<&mut Row>, sender: ProcessId, to: ProcessId, of: SnapshotId) -> bool {
    let Some(row) = last else {
        return false;
    };
    match &mut row.kind {
        Kind::Sent { from, to: all, .. } if row.ink == Ink::Snapshot(of) && *from == sender => {
            all.push(to);
            true
        }
        _ => false,
    }
}
