//! Global snapshots of a distributed system, after Chandy and Lamport, as pure values.
//!
//! Processes that share no memory and no clock exchange messages over channels. What is the state
//! of the whole at one moment? Nobody can stop the world to look, and looking at one process after
//! the other counts a message twice or not at all. The answer is a *snapshot*: a state of every
//! process and of every channel that, taken together, the system could have been in.
//!
//! ```text
//! ┌─ The contract ─────────────────────────────────────────────────────────────────────────────┐
//! │ You own the processes and the channels; this crate owns the bookkeeping of ONE process.    │
//! │ Channels are FIFO, lose nothing and are directed. For every event of your process:         │
//! │                                                                                            │
//! │   a channel opens     open_in / open_out; the markers owed are the FIRST frames on it      │
//! │   message taken       on_message FIRST, then let it change your state                      │
//! │   marker taken        on_marker, with the state as it is now                               │
//! │   snapshot starts     begin, with the state as it is now                                   │
//! │                                                                                            │
//! │ Where Markers come back, send one on EVERY outgoing channel BEFORE ANYTHING ELSE.          │
//! │ When every process's part is complete and no channel is half open, hand_over, everywhere.  │
//! └────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! # The loop of a process
//!
//! Effects are returned, never performed: the recorder says that a marker is due, the caller puts
//! it on the channels.
//!
//! ```
//! use snapshot::{Error, Frame, Markers, Recorder};
//!
//! /// Takes one frame from the channel that comes from process `from`.
//! fn take(
//!     recorder: &mut Recorder<u32, u64, u64>,
//!     tokens: &mut u64,
//!     from: u32,
//!     frame: Frame<u64>,
//!     mut send: impl FnMut(u32, Frame<u64>),
//! ) -> Result<(), Error<u32>> {
//!     match frame {
//!         Frame::Message(amount) => {
//!             recorder.on_message(from, &amount); // before the state changes
//!             *tokens += amount;
//!         }
//!         Frame::Marker(id) => {
//!             if let Some(markers) = recorder.on_marker(from, id, tokens)? {
//!                 for to in recorder.outgoing() {
//!                     send(to, Frame::Marker(markers.id())); // before anything else
//!                 }
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Two processes by hand
//!
//! Process 1 holds 10 tokens, process 2 holds 5. Process 2 sends one token; while it travels,
//! process 1 begins a snapshot.
//!
//! ```text
//!                sends 1 token:       takes the marker: records 4,
//!                keeps 4              relays the marker
//!   process 2 ───────●──────────────────────╳────────────────────────▶ time
//!                     \                  .   \
//!                      \             .        \
//!                       \        .             \
//!                        \   .  the cut         \  marker
//!                        .\                      \
//!                    .     \                      \
//!   process 1 ───╳──────────●──────────────────────◆─────────────────▶ time
//!          records 10,      takes the token:       takes the marker:
//!          sends a marker   recorded in transit    channel 2 → 1 was [1]
//! ```
//!
//! The cut runs along the dots, which is the way of the first marker: before it at process 1 is
//! what precedes `begin`, before it at process 2 what precedes the marker. One message crosses it,
//! from before to after: it is in transit, and belongs to the channel's state. A message that
//! crossed in the other direction would be an effect without its cause; the marker, which is ahead
//! of it on the same FIFO channel, prevents that.
//!
//! ```
//! use snapshot::{Recorder, SnapshotId};
//!
//! # fn main() -> Result<(), snapshot::Error<u32>> {
//! let (mut one, mut two) = (Recorder::<_, _, u64>::new(), Recorder::<_, _, u64>::new());
//! let (mut tokens_one, mut tokens_two) = (10, 5);
//! assert!(one.open_out(2).is_empty()); // no snapshot yet, so no marker is owed
//! two.open_in(1);
//! assert!(two.open_out(1).is_empty());
//! one.open_in(2);
//!
//! tokens_two -= 1; // process 2 sends a token to process 1
//!
//! let id = SnapshotId(1);
//! let markers = one.begin(id, &tokens_one)?; // records 10; a marker is now due on 1 → 2
//! assert_eq!(markers.id(), id);
//! assert_eq!(one.outgoing().collect::<Vec<_>>(), [2]);
//!
//! one.on_message(2, &1); // the token arrives: sent before the cut, received after it
//! tokens_one += 1;
//!
//! let relay = two.on_marker(1, id, &tokens_two)?; // its first marker: records 4 and relays
//! assert!(relay.is_some());
//! assert!(two.is_complete(id)); // its one incoming channel was empty at the cut
//!
//! assert!(!one.is_complete(id)); // it still waits for process 2's marker
//! let relay = one.on_marker(2, id, &tokens_one)?;
//! assert!(relay.is_none()); // not its first: this one closes channel 2 → 1
//!
//! let (Some(one), Some(two)) = (one.hand_over(id), two.hand_over(id)) else { panic!() };
//! assert_eq!((one.state, two.state), (10, 4));
//! assert_eq!((&one.channels[&2], &two.channels[&1]), (&vec![1], &vec![]));
//! assert_eq!(one.state + two.state + one.channels[&2][0], 15); // as at the start: 10 + 5
//! # Ok(())
//! # }
//! ```
//!
//! The state recorded here did occur: just before the token was taken. In general it need not
//! have: with more messages, the system may pass by the recorded state without ever being in it.
//! Then why is it worth anything?
//!
//! # What a snapshot is worth
//!
//! > K. M. Chandy and L. Lamport, *Distributed Snapshots: Determining Global States of Distributed
//! > Systems*, ACM Transactions on Computer Systems 3(1), 1985, pages 63–75.
//!
//! *The model* (§2). A process is a sequence of events; an event changes its state and the state
//! of at most one channel, by putting a message at its end or taking the one at its head. A global
//! state is the state of every process together with the sequence of messages in every channel.
//!
//! *The rules* (§3: marker-sending and marker-receiving rule, and why they terminate) are explained
//! where they are implemented, in [`Recorder`].
//!
//! *The property* (§4). Let the computation lead from global state S₀, where the snapshot begins,
//! to S₁, where it ends, and let S\* be the recorded one. Then S\* can be reached from S₀, and S₁
//! from S\*, by the very same events in another order. Call an event *prerecording* if its process
//! had not recorded yet, *postrecording* otherwise. Wherever, in the order in which things
//! happened, a postrecording event stands directly before a prerecording one, the two are at
//! different processes (at one process, what comes before recording comes before what comes
//! after). Nor is the second the receipt of what the first sent: the sender had recorded, so a
//! marker went ahead of that message, and who takes it has taken the marker and recorded. So
//! neither event depends on the other, and they can be exchanged without any process noticing.
//! Exchange until all prerecording events come first: it is still a computation of the system,
//! with the same end, and between its two halves the system is in state S\*, since
//!
//! - each process is in the state it recorded, as it has done exactly its prerecording events;
//! - each channel holds what was sent on it by prerecording events and not received by them, which
//!   is what arrived after the receiver recorded and ahead of the sender's marker.
//!
//! So a quantity that no event changes (tokens, say) has its value in S\*, and a *stable* property
//! (once true, always true: deadlock, termination) that holds in S\* holds now (§5).
//!
//! # The modules
//!
//! | module | what it is | what it never does |
//! |---|---|---|
//! | [`recorder`] | the algorithm, at one process | no I/O, clock or randomness; it does not send |
//! | [`tally`] | a running account of one channel end | it never keeps a message |
//! | [`audit`](mod@audit) | the definition, checked on a collected snapshot | it never asks how the snapshot was made |
//!
//! The audit shares no code with the recorder, on purpose: a definition and an algorithm that are
//! written apart and agree are worth more than either.
//!
//! The crate is `no_std`: it needs an allocator and nothing else.

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
pub use recorder::{Error, LocalSnapshot, Markers, Recorder};
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
