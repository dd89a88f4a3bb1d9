//! Results on standard output, in the course's format or as JSON.
//!
//! They are buffered, and written in pieces that never block for longer than a signal or the
//! deadline allows.

use std::io;

use pipes::Patience;
use serde::Serialize;

use super::lasting::Shown;
use super::shared::Stop;
use bank::id::NodeId;
use bank::master::Shown as OneResult;

/// The version of the JSON lines' schema; it changes when a reader of the old one would go wrong.
pub const JSON_SCHEMA: u32 = 1;

/// The buffer is written once it holds this many bytes.
const BUFFER: usize = 64 * 1024;

/// How results are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    Text { arrow: &'static str },
    Json,
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Results {
    format: Format,
    buffer: Vec<u8>,
    /// What was shown by a run that was interrupted, and is not shown again.
    before: Shown,
    /// How many bytes were shown, with those, and how many lines.
    shown: (u64, u64),
}

impl Results {
    /// The results behind those that were shown already, of which this many bytes and lines are not come to
    /// again, and these are not shown again.
    pub(super) fn new(format: Format, shown: (u64, u64), before: Shown) -> Self {
        Self {
            format,
            before,
            shown,
            buffer: Vec::with_capacity(BUFFER + 1024),
        }
    }

    /// Shows a result of the command on `line`: whether there is so much now that it is to be
    /// [written](Self::flush).
    pub(super) fn show(&mut self, line: u64, shown: &OneResult) -> Result<bool, Stop> {
        match self.format {
            Format::Text { arrow } => Text(&mut self.buffer).result(shown, arrow),
            Format::Json => write_json(&mut self.buffer, line, shown).map_err(Stop::Stdout)?,
        }
        Ok(self.buffer.len() >= BUFFER)
    }

    /// How many bytes were shown, and how many lines.
    pub(super) fn shown(&self) -> (u64, u64) {
        self.shown
    }

    /// Forgets what is buffered: nobody takes it.
    pub(super) fn give_up(&mut self) {
        self.buffer.clear();
    }

    /// So many bytes were shown.
    fn take_off(&mut self, count: usize) {
        let lines = self.buffer[..count].iter().filter(|byte| **byte == b'\n');
        let lines = lines.count() as u64;
        self.buffer.drain(..count);
        self.shown = (self.shown.0 + count as u64, self.shown.1 + lines);
    }

    /// Writes what is buffered, as long as `patience` lasts.
    pub(super) fn flush(&mut self, patience: &Patience) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let before = self.before.of_these(&self.buffer);
        let before = before.map_err(|at| Stop::ShownOtherwise { at })?;
        self.take_off(before);
        if self.buffer.is_empty() {
            return Ok(());
        }
        match pipes::write_patiently(io::stdout(), &self.buffer, patience) {
            Ok(count) => {
                self.take_off(count);
            }
            Err(error) => {
                self.buffer.clear();
                return Err(Stop::stdout(error));
            }
        }
        match self.buffer.is_empty() {
            true => Ok(()),
            false => Err(Stop::interrupted(patience, "the reader of standard output")),
        }
    }
}

/// Results as the course has them.
struct Text<'b>(&'b mut Vec<u8>);

impl Text<'_> {
    fn result(&mut self, shown: &OneResult, arrow: &str) {
        match *shown {
            OneResult::Transfer { from, amount, .. } => {
                self.number(from.0).text(" Transfer ").number(amount);
            }
            OneResult::Marker { from, .. } => {
                self.number(from.0).text(" SnapshotToken -1");
            }
            OneResult::Refused { .. } => {
                self.text("ERR_SEND");
            }
            OneResult::Started { node, .. } => {
                self.text("Started by Node ").number(node.0);
            }
            OneResult::Snapshot(ref snapshot) => {
                self.text("---Node states\n");
                for (node, balance) in &snapshot.accounts {
                    self.text("node ").number(node.0).text(" = ");
                    self.number(*balance).text("\n");
                }
                self.text("---Channel states");
                for (from, to, amounts) in snapshot.channels() {
                    self.text("\nchannel (").number(from.0).text(" ");
                    self.text(arrow).text(" ").number(to.0).text(") = ");
                    self.number(sum(amounts));
                }
            }
        }
        self.text("\n");
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.text(itoa::Buffer::new().format(number))
    }
}

/// One JSON line. The keys are documented in the README of this crate.
#[derive(Serialize)]
struct JsonLine<'a> {
    schema: u32,
    line: u64,
    #[serde(flatten)]
    result: JsonResult<'a>,
}

#[derive(Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
enum JsonResult<'a> {
    Transfer {
        node: NodeId,
        from: NodeId,
        amount: u64,
    },
    Marker {
        node: NodeId,
        from: NodeId,
        snapshot: u64,
    },
    Refused {
        from: NodeId,
        to: NodeId,
        amount: u64,
        balance: u64,
    },
    Started {
        node: NodeId,
        snapshot: u64,
    },
    Snapshot {
        snapshot: u64,
        nodes: Vec<JsonNode>,
        channels: Vec<JsonChannel<'a>>,
        total: u64,
    },
}

#[derive(Serialize)]
struct JsonNode {
    node: NodeId,
    balance: u64,
}

#[derive(Serialize)]
struct JsonChannel<'a> {
    from: NodeId,
    to: NodeId,
    sum: u64,
    transfers: &'a [u64],
}

fn write_json(out: &mut Vec<u8>, line: u64, shown: &OneResult) -> io::Result<()> {
    let result = match *shown {
        OneResult::Transfer { node, from, amount } => JsonResult::Transfer { node, from, amount },
        OneResult::Marker {
            node,
            from,
            snapshot,
        } => JsonResult::Marker {
            node,
            from,
            snapshot,
        },
        OneResult::Refused {
            from,
            to,
            amount,
            balance,
        } => JsonResult::Refused {
            from,
            to,
            amount,
            balance,
        },
        OneResult::Started { node, snapshot } => JsonResult::Started { node, snapshot },
        OneResult::Snapshot(ref snapshot) => JsonResult::Snapshot {
            snapshot: snapshot.id.0,
            nodes: snapshot
                .accounts
                .iter()
                .map(|(node, balance)| JsonNode {
                    node: *node,
                    balance: *balance,
                })
                .collect(),
            channels: snapshot
                .channels()
                .map(|(from, to, transfers)| JsonChannel {
                    from,
                    to,
                    sum: sum(transfers),
                    transfers,
                })
                .collect(),
            total: u64::try_from(snapshot.total()).unwrap_or(u64::MAX),
        },
    };
    let schema = JSON_SCHEMA;
    serde_json::to_writer(
        &mut *out,
        &JsonLine {
            schema,
            line,
            result,
        },
    )?;
    out.push(b'\n');
    Ok(())
}

/// The sum of what was in transit on a channel. It passed the audit, so it is at most the sum of
/// the deposits, which fits.
fn sum(amounts: &[u64]) -> u64 {
    amounts.iter().sum()
}
