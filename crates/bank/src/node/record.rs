//! What a node keeps of what it has done, as bytes: the only place that knows them.
//!
//! Under load most of it are *runs* (frames of one channel that were received one after the other: a byte
//! or two each) and *batches* (of which it is enough to know that they were made: what is in them
//! follows from the balance and what was drawn so far). Neither is ever one value for each transfer.
//!
//! Every entry begins with a number, the two low bits of which say what it is.
//!
//! | low bits | the others | then |
//! |---|---|---|
//! | 0: a run | from which channel | how many transfers, their amounts |
//! | 1: a run, then a marker | the same | the same, the snapshot |
//! | 2: a batch | to which channel | how many transfers |
//! | 3: a [`Record`] | which | what is in it |

use snapshot::SnapshotId;

use super::bytes::{Bytes, put, put_all, put_each};
use super::{Broken, Incoming, Outgoing};
use crate::account::Transfer;
use crate::id::{NodeId, Place};
use crate::member::Frame;
use crate::messages::{Opening, Peer};

const RUN: u64 = 0;
const RUN_AND_MARKER: u64 = 1;
const BATCH: u64 = 2;
const RECORD: u64 = 3;
const KIND_BITS: u32 = 2;

/// No bank has more nodes, as no system has more processes.
const PLACES: u32 = 1 << 22;

/// Something that a node has done, but for runs and batches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // As the instructions have it.
pub enum Record {
    /// An instruction to send was carried out: accepted or refused.
    Send { to: Place, amount: u64 },
    /// An instruction to receive, and what was received.
    Receive { from: Place, frame: Frame },
    /// An instruction to begin a snapshot, which the observer had ordered.
    Begin { snapshot: SnapshotId },
    /// An instruction to open channels.
    Open(Box<Opening>),
    /// An instruction to remove what was recorded.
    Forget { first: SnapshotId, last: SnapshotId },
    /// An instruction to say the balance.
    Report,
    /// An instruction to read ahead. Who comes back reads ahead again what he has not received since.
    Ahead { from: Place, frames: u64 },
    /// The load began.
    Load { seed: u64, quota: Option<u64> },
    /// No more transfers are made.
    Rest,
    /// A round of transfers began.
    Round,
    /// A snapshot was begun by the observer's order alone.
    Take { snapshot: SnapshotId },
    /// What was recorded up to this snapshot was removed, by the observer's order.
    Over { last: SnapshotId },
}

impl Record {
    /// All that is in a part of the journal, for whoever looks into one.
    ///
    /// # Errors
    ///
    /// It is no journal, or there is something in it that was done under load.
    pub fn all_in(kept: &[u8]) -> Result<Vec<Self>, Broken> {
        let mut bytes = Bytes(kept);
        let mut records = Vec::new();
        while !bytes.0.is_empty() {
            match Entry::read(&mut bytes)? {
                Entry::Record(record) => records.push(record),
                _ => return Err(Broken::Unreadable("a record")),
            }
        }
        Ok(records)
    }

    /// What a journal holds of it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        bytes
    }

    /// Whether master is given a reply for it, which it counts.
    pub(super) fn has_a_reply(&self) -> bool {
        match self {
            Self::Send { .. }
            | Self::Receive { .. }
            | Self::Begin { .. }
            | Self::Open(_)
            | Self::Forget { .. }
            | Self::Report
            | Self::Ahead { .. } => true,
            Self::Load { .. }
            | Self::Rest
            | Self::Round
            | Self::Take { .. }
            | Self::Over { .. } => false,
        }
    }

    // Always: where it is known which record it is, as it mostly is, hardly anything of this is left.
    #[inline(always)]
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        const fn head(which: u64) -> u64 {
            which << KIND_BITS | RECORD
        }
        match self {
            Self::Round => put_each(out, [head(0)]),
            Self::Send { to, amount } => put_each(out, [head(1), to.0.into(), *amount]),
            Self::Receive {
                from,
                frame: Frame::Message(Transfer(amount)),
            } => put_each(out, [head(2), from.0.into(), *amount]),
            Self::Receive {
                from,
                frame: Frame::Marker(snapshot),
            } => put_each(out, [head(3), from.0.into(), snapshot.0]),
            Self::Begin { snapshot } => put_each(out, [head(4), snapshot.0]),
            Self::Open(opening) => {
                let Opening {
                    outgoing,
                    incoming,
                    owing,
                } = &**opening;
                put_each(out, [head(5), (*owing).into()]);
                for peers in [outgoing, incoming] {
                    put_all(out, peers.iter(), |out, peer| put_peer(out, *peer));
                }
            }
            Self::Forget { first, last } => put_each(out, [head(6), first.0, last.0]),
            Self::Report => put_each(out, [head(7)]),
            Self::Ahead { from, frames } => put_each(out, [head(8), from.0.into(), *frames]),
            Self::Load { seed, quota: None } => put_each(out, [head(9), *seed, 0]),
            Self::Load {
                seed,
                quota: Some(quota),
            } => put_each(out, [head(9), *seed, 1, *quota]),
            Self::Rest => put_each(out, [head(10)]),
            Self::Take { snapshot } => put_each(out, [head(11), snapshot.0]),
            Self::Over { last } => put_each(out, [head(12), last.0]),
        }
    }

    fn read(which: u64, bytes: &mut Bytes<'_>) -> Result<Self, Broken> {
        Ok(match which {
            0 => Self::Round,
            1 => Self::Send {
                to: place(bytes)?,
                amount: bytes.number()?,
            },
            2 => Self::Receive {
                from: place(bytes)?,
                frame: Frame::Message(Transfer(bytes.number()?)),
            },
            3 => Self::Receive {
                from: place(bytes)?,
                frame: Frame::Marker(snapshot(bytes)?),
            },
            4 => Self::Begin {
                snapshot: snapshot(bytes)?,
            },
            5 => {
                let owing = bytes.flag()?;
                let (outgoing, incoming) = (bytes.all(peer)?, bytes.all(peer)?);
                Self::Open(Box::new(Opening {
                    outgoing,
                    incoming,
                    owing,
                }))
            }
            6 => Self::Forget {
                first: snapshot(bytes)?,
                last: snapshot(bytes)?,
            },
            7 => Self::Report,
            8 => Self::Ahead {
                from: place(bytes)?,
                frames: bytes.number()?,
            },
            9 => Self::Load {
                seed: bytes.number()?,
                quota: match bytes.flag()? {
                    true => Some(bytes.number()?),
                    false => None,
                },
            },
            10 => Self::Rest,
            11 => Self::Take {
                snapshot: snapshot(bytes)?,
            },
            12 => Self::Over {
                last: snapshot(bytes)?,
            },
            _ => return Err(Broken::Unreadable("something that no node does")),
        })
    }
}

pub(super) fn place(bytes: &mut Bytes<'_>) -> Result<Place, Broken> {
    let place = bytes.small()?;
    match place < PLACES {
        true => Ok(Place(place)),
        false => Err(Broken::Unreadable("a place that no node has")),
    }
}

pub(super) fn snapshot(bytes: &mut Bytes<'_>) -> Result<SnapshotId, Broken> {
    bytes.number().map(SnapshotId)
}

pub(super) fn put_peer(out: &mut Vec<u8>, peer: Peer) {
    put(out, peer.place.0.into());
    put(out, peer.id.0);
}

pub(super) fn peer(bytes: &mut Bytes<'_>) -> Result<Peer, Broken> {
    let (place, id) = (place(bytes)?, NodeId(bytes.number()?));
    Ok(Peer { place, id })
}

/// Has frames of a channel received, and appends what was received of them.
#[inline]
pub(super) fn put_run<I: Iterator<Item = Frame>, R>(
    out: &mut Vec<u8>,
    from: Incoming,
    frames: I,
    receive: impl FnOnce(&mut Seen<'_, I>) -> R,
) -> R {
    let beginning = out.len();
    put(out, (from.0 as u64) << KIND_BITS | RUN);
    let place_of_count = out.len();
    out.push(0);
    let (transfers, marker) = (0, None);
    let mut seen = Seen {
        frames,
        out,
        transfers,
        marker,
    };
    let received = receive(&mut seen);
    let Seen {
        transfers, marker, ..
    } = seen;
    if transfers < 0x80 {
        out[place_of_count] = transfers as u8;
    } else {
        let mut count = Vec::new();
        put(&mut count, transfers);
        out.splice(place_of_count..=place_of_count, count);
    }
    match marker {
        Some(snapshot) => {
            out[beginning] |= RUN_AND_MARKER as u8;
            put(out, snapshot.0);
        }
        None if transfers == 0 => out.truncate(beginning),
        None => {}
    }
    received
}

/// Frames, of which the amounts are appended as they are taken.
#[derive(Debug)]
pub(super) struct Seen<'o, I> {
    frames: I,
    out: &'o mut Vec<u8>,
    transfers: u64,
    marker: Option<SnapshotId>,
}

impl<I: Iterator<Item = Frame>> Iterator for Seen<'_, I> {
    type Item = Frame;

    #[inline]
    fn next(&mut self) -> Option<Frame> {
        let frame = self.frames.next()?;
        match frame {
            Frame::Message(Transfer(amount)) => {
                self.transfers += 1;
                put(self.out, amount);
            }
            Frame::Marker(snapshot) => self.marker = Some(snapshot),
        }
        Some(frame)
    }
}

/// Appends that a batch of this many transfers is made.
#[inline]
pub(super) fn put_batch(out: &mut Vec<u8>, to: Outgoing, transfers: u64) {
    put(out, (to.0 as u64) << KIND_BITS | BATCH);
    put(out, transfers);
}

/// A transfer that was sent (or refused) or received by itself: of these most journals consist.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passed {
    Sent { to: Place, amount: u64 },
    Received { from: Place, transfer: Transfer },
}

impl Passed {
    const SENT: u8 = 1 << KIND_BITS | RECORD as u8;
    const RECEIVED: u8 = 2 << KIND_BITS | RECORD as u8;

    /// What comes next, if it is one: the same as [`Entry::read`] makes of it, sooner.
    #[inline]
    pub(super) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let (head @ (&Self::SENT | &Self::RECEIVED), rest) = bytes.0.split_first()? else {
            return None;
        };
        let mut rest = Bytes(rest);
        let (peer, amount) = (place(&mut rest).ok()?, rest.number().ok()?);
        *bytes = rest;
        Some(match *head == Self::SENT {
            true => Self::Sent { to: peer, amount },
            false => Self::Received {
                from: peer,
                transfer: Transfer(amount),
            },
        })
    }
}

/// What comes next in a journal.
#[derive(Debug)]
pub(super) enum Entry<'r, 'b> {
    Run(Incoming, Run<'r, 'b>),
    Batch { to: Outgoing, transfers: u64 },
    Record(Record),
}

/// The frames of a run, each read as it is taken; all have to be taken.
#[derive(Debug)]
pub(super) struct Run<'r, 'b> {
    bytes: &'r mut Bytes<'b>,
    left: u64,
    has_marker: bool,
    failed: Option<Broken>,
}

impl Run<'_, '_> {
    /// Whether all that was taken was there.
    pub(super) fn end(self) -> Result<(), Broken> {
        self.failed.map_or(Ok(()), Err)
    }

    fn fail(&mut self, why: Broken) -> Option<Frame> {
        (self.left, self.has_marker) = (0, false);
        self.failed = Some(why);
        None
    }
}

impl Iterator for Run<'_, '_> {
    type Item = Frame;

    #[inline]
    fn next(&mut self) -> Option<Frame> {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            match self.bytes.number() {
                Ok(amount) => Some(Frame::Message(Transfer(amount))),
                Err(why) => self.fail(why),
            }
        } else if std::mem::take(&mut self.has_marker) {
            match snapshot(self.bytes) {
                Ok(snapshot) => Some(Frame::Marker(snapshot)),
                Err(why) => self.fail(why),
            }
        } else {
            None
        }
    }
}

impl<'r, 'b> Entry<'r, 'b> {
    #[inline]
    pub(super) fn read(bytes: &'r mut Bytes<'b>) -> Result<Self, Broken> {
        let head = bytes.number()?;
        let rest = head >> KIND_BITS;
        let slot = || usize::try_from(rest).map_err(|_| Broken::Unreadable("a channel"));
        Ok(match head & ((1 << KIND_BITS) - 1) {
            BATCH => Self::Batch {
                to: Outgoing(slot()?),
                transfers: bytes.number()?,
            },
            RECORD => Self::Record(Record::read(rest, bytes)?),
            kind => {
                let (left, failed) = (bytes.number()?, None);
                let run = Run {
                    bytes,
                    left,
                    has_marker: kind == RUN_AND_MARKER,
                    failed,
                };
                Self::Run(Incoming(slot()?), run)
            }
        })
    }
}

#[cfg(test)]
mod tests;
