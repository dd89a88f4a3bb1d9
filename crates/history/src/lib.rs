//! The history of a run: what happened in a system of processes, channels and snapshots, as lines
//! of JSON that any program can write and read.
//!
//! The first line is the [`Header`]; every other line is an [`Event`]. An event has its name in
//! `event`, and these keys where they apply; a key that does not apply, or that is unknown, is an
//! error.
//!
//! | `event` | keys | meaning |
//! |---|---|---|
//! | `start` | | a system begins: no process, no message, no snapshot of before belongs to it |
//! | `create` | `process`, `amount` | a process with this state; channels to and from all others |
//! | `send` | `process` = `from`, `to`, `amount`, `number` | a message enters its channel |
//! | `receive` | `process` = `to`, `from`, `amount`, `number` | a message leaves its channel |
//! | `refuse` | `process` = `from`, `to`, `amount` | nothing was sent: the state is too small |
//! | `begin` | `process`, `snapshot` | the initiator takes a snapshot; its `record` follows |
//! | `record` | `process`, `snapshot`, `amount`, `sent`, `received` | the cut: the state recorded, and the tallies of its channels then |
//! | `marker_sent` | `process` = `from`, `to`, `snapshot` | a marker enters its channel |
//! | `marker_received` | `process` = `to`, `from`, `snapshot` | a marker leaves its channel; the `record` follows where it is the first |
//! | `channel_closed` | `process` = `to`, `from`, `snapshot` | the state of the channel is complete |
//! | `collect` | `snapshot`, `states`, `channels` | what was recorded, as it was collected; lines that follow each other are one |
//! | `audit` | `snapshot`, `passed`, `amount` or `reason` | the verdict on what was collected: its total, or what is wrong |
//! | `death` | `process` or none (the observer), `reason` | a process ended on its own, or was killed |
//! | `end` | | the system ends |
//!
//! `process`, `from`, `to`: a process's id. `amount`: an integer up to 2⁶⁴−1. `number`: the
//! message's number on its channel, counted from 1 (markers have none). `snapshot`: a snapshot's
//! number, counted from 1 in each system. `line`: the line of the script, where there is one.
//! `time`: microseconds since the run began. `sent` and `received`: lists of `{"process": peer,
//! "messages": how many, "sum": of their amounts}`; `states`: of `{"process", "amount"}`;
//! `channels`: of `{"from", "to", "amounts": in order}`. In all of them what is empty may be left
//! out; a `record` without `sent` and `received` has no tallies, and is as good without.
//!
//! A `send` or `marker_sent` with `inferred: true` was not confirmed by its process, which died; it
//! is known by what its channel held, and may come after the `death`. Whatever else that process
//! must have done before has no such mark.
//!
//! Lines are in an order in which the events can have happened: each process's own events in its
//! own order, and every message before its receipt. An `audit` that fails in place of a `collect`
//! ends all snapshots in progress.
//!
//! | to | is |
//! |---|---|
//! | read and write it | [`Reader`], [`write_header`], [`write_event`] |
//! | know how the system stands after each event | [`Replay`] |
//! | know which events belong together, and draw a cut straight | [`System`], [`Straightened`] |
//! | know whether its snapshots are right | [`Verifier`], which shares no bookkeeping with the others |
//!
//! Never here: files, processes, how a snapshot is taken.

mod error;
mod event;
mod read;
mod reorder;
mod replay;
mod system;
mod verify;
mod wire;

pub use error::{Error, Mismatch};
pub use event::{
    Channel, ChannelState, Event, Header, ProcessId, ProcessState, SnapshotId, Tally, What,
};
pub use read::{MAX_LINE, Reader};
pub use reorder::{GlobalState, Straightened};
pub use replay::{ChannelNow, InTransit, Passed, ProcessNow, Replay};
pub use system::{Collected, Content, Message, Snapshot, System};
pub use verify::{Judged, Location, Overall, Report, Rule, Verdict, Verifier, Violation, Witness};
pub use wire::{Malformed, write_event, write_header};

/// The version of the schema; it changes when a reader of the old one would go wrong.
pub const VERSION: u32 = 1;
