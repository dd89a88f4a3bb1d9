//! The algorithm and the definition of a Chandy-Lamport snapshot.
//!
//! | module | what it is | what it never does |
//! |---|---|---|
//! | [`recorder`] | the algorithm, at one process | no I/O, clock or randomness; it does not send |
//! | [`tally`] | a running account of one channel end | it never keeps a message |
//! | [`audit`](mod@audit) | the definition, checked on a collected snapshot | it never asks how the snapshot was made |
//!
#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

pub mod audit;
mod id_set;
pub mod recorder;
pub mod tally;

use core::fmt;
use core::marker::PhantomData;

use serde::de::{EnumAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

pub use audit::{Part, Reason, Violation, audit};
pub use id_set::IdSet;
pub use recorder::{Error, LocalSnapshot, Markers, Recorder, Recording};
pub use tally::Tally;

/// The number of a snapshot: what tells several that are in progress at once apart.
///
/// Whoever numbers them must never use a number twice. Numbers that are handed out without gaps
/// let the recorder remember those of the past in constant space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SnapshotId(pub u64);

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What travels on a channel, in FIFO order: the system's own messages, and between them markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Frame<M> {
    /// A message of the system under observation.
    Message(M),
    /// Everything ahead of it on this channel was sent before the sender recorded its state for
    /// this snapshot, everything behind it after.
    Marker(SnapshotId),
}

/// As derived, but inlined: a frame is read for every message, and the derived code hands it over
/// through memory, which takes longer than all the rest of the reading.
impl<'de, M: Deserialize<'de>> Deserialize<'de> for Frame<M> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const KINDS: &[&str] = &["Message", "Marker"];
        deserializer.deserialize_enum("Frame", KINDS, FrameVisitor(PhantomData))
    }
}

#[derive(Deserialize)]
#[serde(variant_identifier)]
enum FrameKind {
    Message,
    Marker,
}

struct FrameVisitor<M>(PhantomData<M>);

impl<'de, M: Deserialize<'de>> Visitor<'de> for FrameVisitor<M> {
    type Value = Frame<M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message or a marker")
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, frame: A) -> Result<Frame<M>, A::Error> {
        match frame.variant()? {
            (FrameKind::Message, content) => content.newtype_variant().map(Frame::Message),
            (FrameKind::Marker, content) => content.newtype_variant().map(Frame::Marker),
        }
    }
}
