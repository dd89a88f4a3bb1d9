//! What a host has on its way to others and from them: a value, without pipes and without a network.
//!
//! A stream has *credit*: how many bytes its sender may still send before the receiving host has
//! written some of them into the pipe where the stream goes on. So a receiver that takes nothing holds
//! up its own stream and no other, and what a host keeps for it is bounded by a window.
//!
//! Whole frames only are sent: of a process that dies in the middle of one, nothing comes but what it
//! had said.

use rustc_hash::FxHashMap;

use pipes::whole_frames;

use crate::Error;
use crate::wire::{Control, Host, Piece, Pieces, Stream};

/// How many bytes of one stream are on their way at most, those included that the receiving host keeps:
/// twice what a pipe holds. Hosts must agree on it.
pub const WINDOW: usize = 128 * 1024;

/// Streams from here and to here, and what is to be said of them.
#[derive(Debug)]
pub struct Carrier {
    window: usize,
    outgoing: FxHashMap<Stream, Outgoing>,
    incoming: FxHashMap<Stream, Incoming>,
    /// By host.
    outboxes: Vec<Outbox>,
}

/// What is to be sent to a host.
#[derive(Debug, Default)]
pub struct Outbox {
    /// On the frames lane.
    pub frames: Pieces,
    /// On the control lane, in order.
    pub control: Vec<Control>,
}

#[derive(Debug)]
struct Outgoing {
    to: Host,
    credit: usize,
    /// The beginning of a frame whose end has not come.
    part: Vec<u8>,
}

#[derive(Debug)]
struct Incoming {
    from: Host,
    /// Storage; from `written` on it waits to be written.
    waiting: Vec<u8>,
    written: usize,
    /// Written, and not told yet.
    untold: usize,
    is_ended: bool,
    /// Nobody will read it: what comes is dropped.
    is_dropped: bool,
}

/// Who may not have said what it said.
const STRANGER: Error = Error::Garbled;

impl Carrier {
    /// Nothing is on its way. The window, mostly [`WINDOW`], is the credit with which a stream begins: at
    /// least twice the longest frame, since credit comes back only for whole ones.
    #[must_use]
    pub fn new(hosts: usize, window: usize) -> Self {
        Self {
            window,
            outgoing: FxHashMap::default(),
            incoming: FxHashMap::default(),
            outboxes: (0..hosts).map(|_| Outbox::default()).collect(),
        }
    }

    /// What is to be sent to a host, from now on in other hands.
    pub fn take_outbox(&mut self, to: Host) -> Option<Outbox> {
        let outbox = self.outboxes.get_mut(to)?;
        let is_empty = outbox.control.is_empty() && outbox.frames.length() == 0;
        (!is_empty).then(|| std::mem::take(outbox))
    }

    /// How many bytes of frames wait to be sent to a host.
    #[must_use]
    pub fn waiting_for(&self, to: Host) -> usize {
        self.outboxes[to].frames.length()
    }

    /// Says something to a host.
    pub fn say(&mut self, to: Host, what: Control) {
        self.outboxes[to].control.push(what);
    }

    /// A stream begins here.
    pub fn begin(&mut self, stream: Stream, to: Host) {
        let part = Vec::new();
        let credit = self.window;
        self.outgoing.insert(stream, Outgoing { to, credit, part });
    }

    /// How many bytes of a stream may be read now.
    #[must_use]
    pub fn credit(&self, stream: Stream) -> usize {
        let outgoing = self.outgoing.get(&stream);
        outgoing.map_or(0, |outgoing| outgoing.credit)
    }

    /// Sends what was read of a stream: at most as much as its credit.
    pub fn send(&mut self, stream: Stream, bytes: &[u8]) {
        let Some(outgoing) = self.outgoing.get_mut(&stream) else {
            return;
        };
        outgoing.credit = outgoing.credit.saturating_sub(bytes.len());
        let outbox = &mut self.outboxes[outgoing.to].frames;
        if !outgoing.part.is_empty() {
            outgoing.part.extend_from_slice(bytes);
            let whole = whole_frames(&outgoing.part);
            if whole > 0 {
                outbox.push(stream, Piece::Frames(&outgoing.part[..whole]));
                outgoing.part.drain(..whole);
            }
            return;
        }
        let (whole, part) = bytes.split_at(whole_frames(bytes));
        if !whole.is_empty() {
            outbox.push(stream, Piece::Frames(whole));
        }
        outgoing.part.extend_from_slice(part);
    }

    /// Nothing more comes of a stream that begins here.
    pub fn end(&mut self, stream: Stream) {
        if let Some(outgoing) = self.outgoing.remove(&stream) {
            self.outboxes[outgoing.to].frames.push(stream, Piece::End);
        }
    }

    /// A stream ends here: whether it was known already, by what came of it.
    pub fn await_from(&mut self, stream: Stream, from: Host) -> bool {
        let is_known = self.incoming.contains_key(&stream);
        self.incoming(stream, from);
        is_known
    }

    fn incoming(&mut self, stream: Stream, from: Host) -> &mut Incoming {
        self.incoming.entry(stream).or_insert_with(|| Incoming {
            from,
            waiting: Vec::new(),
            written: 0,
            untold: 0,
            is_ended: false,
            is_dropped: false,
        })
    }

    /// A message of the frames lane: to which streams it has brought something.
    ///
    /// # Errors
    ///
    /// It is none, or brings more than there was credit for.
    pub fn hear_frames(&mut self, from: Host, message: &[u8]) -> Result<Vec<Stream>, Error> {
        let window = self.window;
        let mut touched = Vec::new();
        for piece in Pieces::read(message) {
            let (stream, piece) = piece?;
            let incoming = self.incoming(stream, from);
            if incoming.from != from || incoming.is_ended {
                return Err(STRANGER);
            }
            match piece {
                Piece::End if incoming.is_dropped => {
                    self.incoming.remove(&stream);
                    continue;
                }
                Piece::End => incoming.is_ended = true,
                Piece::Frames(_) if incoming.is_dropped => continue,
                Piece::Frames(bytes) => {
                    if incoming.waiting.len() - incoming.written + bytes.len() > window {
                        return Err(Error::Flooded);
                    }
                    incoming.waiting.extend_from_slice(bytes);
                }
            }
            touched.push(stream);
        }
        Ok(touched)
    }

    /// More of a stream may be sent: whether it could not be before.
    pub fn hear_credit(&mut self, stream: Stream, bytes: u64) -> bool {
        let window = self.window;
        match self.outgoing.get_mut(&stream) {
            Some(outgoing) => {
                let was_none = outgoing.credit == 0;
                outgoing.credit = (outgoing.credit + bytes as usize).min(window);
                was_none
            }
            None => false,
        }
    }

    /// What came of a stream and is to be written where it goes on.
    #[must_use]
    pub fn to_write(&self, stream: Stream) -> &[u8] {
        let incoming = self.incoming.get(&stream);
        incoming.map_or(&[], |incoming| &incoming.waiting[incoming.written..])
    }

    /// So much of it was written.
    pub fn wrote(&mut self, stream: Stream, bytes: usize) {
        let Some(incoming) = self.incoming.get_mut(&stream) else {
            return;
        };
        incoming.written += bytes;
        incoming.untold += bytes;
        if incoming.written == incoming.waiting.len() {
            incoming.waiting.clear();
            incoming.written = 0;
        } else if incoming.written > self.window {
            incoming.waiting.drain(..incoming.written);
            incoming.written = 0;
        }
        // Told seldom, but long before the sender has to wait.
        if incoming.untold >= self.window / 4 {
            let credit = std::mem::take(&mut incoming.untold) as u64;
            let control = Control::Credit(stream, credit);
            self.outboxes[incoming.from].control.push(control);
        }
    }

    /// Whether everything of a stream has come and was written; it is forgotten then.
    pub fn is_over(&mut self, stream: Stream) -> bool {
        let is_over = self.incoming.get(&stream).is_some_and(|incoming| {
            incoming.is_ended && incoming.written == incoming.waiting.len()
        });
        if is_over {
            self.incoming.remove(&stream);
        }
        is_over
    }

    /// Nobody will read a stream that ends here.
    pub fn drop_incoming(&mut self, stream: Stream) {
        let Some(incoming) = self.incoming.get_mut(&stream) else {
            return;
        };
        let from = incoming.from;
        match incoming.is_ended {
            true => drop(self.incoming.remove(&stream)),
            false => {
                (incoming.is_dropped, incoming.waiting) = (true, Vec::new());
                incoming.written = 0;
                self.say(from, Control::NobodyReads(stream));
            }
        }
    }

    /// The streams from a host that ended here when it was lost: they end now, with what has come.
    pub fn lose(&mut self, host: Host) -> (Vec<Stream>, Vec<Stream>) {
        let outgoing: Vec<Stream> = { self.outgoing.iter() }
            .filter(|(_, it)| it.to == host)
            .map(|(stream, _)| *stream)
            .collect();
        for stream in &outgoing {
            self.outgoing.remove(stream);
        }
        self.incoming
            .retain(|_, it| it.from != host || !it.is_dropped);
        let lost = self.incoming.iter_mut().filter(|(_, it)| it.from == host);
        let incoming = lost.map(|(stream, it)| {
            it.is_ended = true;
            *stream
        });
        (outgoing, incoming.collect())
    }
}

#[cfg(test)]
mod tests;
