//! Histories: read, replayed, judged.
//!
//! | to | is |
//! |---|---|
//! | read and write one | [`Reader`], [`write_header`], [`write_event`] |
//! | know how the system stands after each event | [`Replay`] |
//! | know which events belong together, and draw a cut straight | [`System`], [`Straightened`] |
//! | know whether its snapshots are right | [`Verifier`], which shares no bookkeeping with the others |
//!
#![doc = include_str!("../README.md")]

mod error;
mod event;
mod foreign;
mod read;
mod reorder;
mod replay;
mod system;
mod text;
mod verify;
mod wire;

pub use error::{Error, Mismatch};
pub use event::{
    Amount, Channel, ChannelState, Event, Extra, Header, ProcessId, ProcessState, SnapshotId,
    Tally, What,
};
pub use foreign::Foreign;
pub use read::{MAX_LINE, Reader};
pub use reorder::{GlobalState, Straightened};
pub use replay::{ChannelNow, InTransit, Passed, ProcessNow, Replay};
pub use system::{Collected, Content, Death, Message, Snapshot, System};
pub use text::{Cell, Text};
pub use verify::{
    Judged, Location, Moved, Overall, Report, Rule, Unjudged, Verdict, Verifier, Violation, Witness,
};
pub use wire::{Malformed, write_event, write_header};

/// The version of the schema; it changes when a reader of the old one would go wrong.
pub const VERSION: u32 = 2;
