//! The two ends of a pipe that carries frames of one type.
//!
//! Neither end ever blocks. A [`Sender`] keeps what does not fit into the pipe in its outbox; a
//! [`Receiver`] keeps bytes it has read ahead, and a partial frame until the rest comes. A partial
//! frame at end of file was never sent.

use std::marker::PhantomData;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::unistd;
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;
use crate::frame::{self, MAX_FRAME};
use crate::poller::{Direction, Poller, Token};

/// How many bytes one read asks for at most: what a full default pipe holds.
const LARGEST_READ: usize = 64 * 1024;
/// How many bytes the first read of an end asks for: an idle end costs little memory.
const SMALLEST_READ: usize = 4 * 1024;
/// An outbox or buffer that is empty and larger than this gives its memory back.
const KEPT_CAPACITY: usize = 256 * 1024;

/// Storage that many ends use in turn, each while it is at work: so that what is written and read
/// most of the time is the same few pages, which stay in the cache.
#[derive(Debug, Default)]
pub struct Scratch(Vec<u8>);

/// The writing end of a pipe, with an unbounded, ordered outbox.
#[derive(Debug)]
pub struct Sender<T> {
    /// `None` once the reader is gone.
    pipe: Option<OwnedFd>,
    /// Storage; `outbox[written..end]` waits to be written.
    outbox: Vec<u8>,
    written: usize,
    end: usize,
    watched: bool,
    frames: PhantomData<fn(T)>,
}

/// What became of an outbox when it was flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It is empty.
    Done,
    /// The pipe is full; the rest waits.
    Full,
    /// Nobody will read it any more: the outbox was dropped.
    Closed,
}

impl<T> Sender<T> {
    pub(crate) fn pipe(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref()
    }
}

impl<T> Receiver<T> {
    pub(crate) fn pipe(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref()
    }
}

impl<T: Serialize> Sender<T> {
    /// Takes over a nonblocking write end.
    #[must_use]
    pub fn new(pipe: OwnedFd) -> Self {
        Self {
            pipe: Some(pipe),
            outbox: Vec::new(),
            written: 0,
            end: 0,
            watched: false,
            frames: PhantomData,
        }
    }

    /// An end that is closed from the beginning: whatever is pushed is dropped.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            pipe: None,
            outbox: Vec::new(),
            written: 0,
            end: 0,
            watched: false,
            frames: PhantomData,
        }
    }

    /// Appends a frame to the outbox; nothing is written yet. Where the reader is known to be gone
    /// the frame is dropped.
    ///
    /// # Errors
    ///
    /// The frame is too long or cannot be written; the outbox is as it was.
    #[inline]
    pub fn push(&mut self, value: &T) -> Result<(), Error> {
        if self.pipe.is_none() {
            return Ok(());
        }
        loop {
            if let Some(room) = self.outbox[self.end..].first_chunk_mut() {
                self.end += frame::encode_at(value, room)?;
                return Ok(());
            }
            self.make_room();
        }
    }

    /// Appends frames to the outbox as [`Sender::push`] does, one after the other and faster.
    ///
    /// # Errors
    ///
    /// A frame is too long or cannot be written; those before it are in the outbox, and no more
    /// values are asked for.
    #[inline]
    pub fn push_all(&mut self, values: impl Iterator<Item = T>) -> Result<(), Error> {
        if self.pipe.is_none() {
            values.for_each(drop);
            return Ok(());
        }
        // In a local variable, and so in a register, from frame to frame.
        let mut end = self.end;
        let mut outcome = Ok(());
        for value in values {
            if self.outbox.len() - end < MAX_FRAME {
                self.end = end;
                self.make_room();
            }
            let Some(room) = self.outbox[end..].first_chunk_mut() else {
                unreachable!("room for a frame was made");
            };
            match frame::encode_at(&value, room) {
                Ok(length) => end += length,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        self.end = end;
        outcome
    }

    #[cold]
    fn make_room(&mut self) {
        let wanted = (self.end + MAX_FRAME).max(self.outbox.len() * 2);
        self.outbox.resize(wanted, 0);
    }

    /// Writes as much of the outbox as the pipe takes.
    ///
    /// # Errors
    ///
    /// The write failed for another reason than a full pipe or a reader that is gone.
    pub fn flush(&mut self) -> Result<Flush, Error> {
        let Some(pipe) = &self.pipe else {
            return Ok(Flush::Closed);
        };
        while self.written < self.end {
            match unistd::write(pipe, &self.outbox[self.written..self.end]) {
                Ok(count) => self.written += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    self.compact();
                    return Ok(Flush::Full);
                }
                Err(Errno::EPIPE) => {
                    self.close();
                    return Ok(Flush::Closed);
                }
                Err(errno) => return Err(Error::system("write to a pipe", errno)),
            }
        }
        (self.written, self.end) = (0, 0);
        if self.outbox.len() > KEPT_CAPACITY {
            self.outbox = Vec::new();
        }
        Ok(Flush::Done)
    }

    /// Takes the scratch storage into use or gives it back, where nothing waits in the outbox.
    pub fn swap_storage(&mut self, scratch: &mut Scratch) {
        if self.pending() == 0 {
            (self.written, self.end) = (0, 0);
            std::mem::swap(&mut self.outbox, &mut scratch.0);
        }
    }

    /// How many bytes wait in the outbox.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.end - self.written
    }

    /// Whether the reader is known to be gone, or the end was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.pipe.is_none()
    }

    /// Closes the end; what waits in the outbox is dropped.
    pub fn close(&mut self) {
        self.pipe = None;
        self.outbox = Vec::new();
        (self.written, self.end) = (0, 0);
        self.watched = false;
    }

    /// Watches for room in the pipe exactly while something waits in the outbox.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn watch_if_pending(&mut self, poller: &Poller, token: Token) -> Result<(), Error> {
        let wanted = self.pending() > 0;
        if let Some(pipe) = &self.pipe
            && wanted != self.watched
        {
            poller.set(pipe.as_fd(), token, wanted.then_some(Direction::Write))?;
            self.watched = wanted;
        }
        Ok(())
    }

    /// Drops the written front once it is the larger part, so that moving the rest stays linear
    /// in what passes through.
    fn compact(&mut self) {
        if self.written > self.end / 2 {
            self.outbox.copy_within(self.written..self.end, 0);
            (self.written, self.end) = (0, self.end - self.written);
        }
    }
}

/// The reading end of a pipe.
#[derive(Debug)]
pub struct Receiver<T> {
    /// `None` once end of file was seen, or the end was closed.
    pipe: Option<OwnedFd>,
    /// Storage; `buffer[start..end]` has been read and not yet taken.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    next_read: usize,
    /// The last read brought less than it asked for.
    was_short: bool,
    watched: bool,
    frames: PhantomData<fn() -> T>,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Some bytes; perhaps a whole frame, perhaps not.
    More,
    /// Nothing is there now.
    Empty,
    /// Nothing will ever come again.
    Ended,
}

impl<T: DeserializeOwned> Receiver<T> {
    /// Takes over a nonblocking read end.
    #[must_use]
    pub fn new(pipe: OwnedFd) -> Self {
        Self {
            pipe: Some(pipe),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            next_read: SMALLEST_READ,
            was_short: true,
            watched: false,
            frames: PhantomData,
        }
    }

    /// An end that is closed from the beginning: nothing ever comes.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            pipe: None,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            next_read: SMALLEST_READ,
            was_short: true,
            watched: false,
            frames: PhantomData,
        }
    }

    /// The next frame, from what has been read already; no system call is made.
    ///
    /// # Errors
    ///
    /// What came is no frame of this type: the pipe cannot be read any further.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<T>, Error> {
        match frame::decode(&self.buffer[self.start..self.end])? {
            Some((value, length)) => {
                self.start += length;
                Ok(Some(value))
            }
            None => Ok(None),
        }
    }

    /// Takes the whole frames that have been read, one after the other. Where these end, or what
    /// came is no frame, the iterator ends: [`Receiver::check_rest`] tells one from the other.
    #[inline]
    pub fn frames(&mut self) -> Frames<'_, T> {
        Frames {
            rest: &self.buffer[self.start..self.end],
            end: self.end,
            start: &mut self.start,
            frames: PhantomData,
        }
    }

    /// Whether there may still be a frame in what has been read and not yet taken.
    ///
    /// # Errors
    ///
    /// As for [`Receiver::next_frame`].
    pub fn check_rest(&self) -> Result<(), Error> {
        frame::decode::<T>(&self.buffer[self.start..self.end]).map(|_| ())
    }

    /// Decodes every whole frame that has been read, without taking any.
    ///
    /// # Errors
    ///
    /// As for [`Receiver::next_frame`].
    pub fn frames_ahead(&self) -> Result<Vec<T>, Error> {
        let mut rest = &self.buffer[self.start..self.end];
        let mut frames = Vec::new();
        while let Some((value, length)) = frame::decode(rest)? {
            frames.push(value);
            rest = &rest[length..];
        }
        Ok(frames)
    }

    /// How many bytes have been read and not yet taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.end - self.start
    }

    /// Reads once, ahead of what has been taken.
    ///
    /// # Errors
    ///
    /// The read failed for another reason than an empty pipe.
    pub fn fill(&mut self) -> Result<Fill, Error> {
        let Some(pipe) = &self.pipe else {
            return Ok(Fill::Ended);
        };
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > KEPT_CAPACITY {
                self.buffer = Vec::new();
            }
        }
        if self.buffer.len() - self.end < self.next_read {
            if self.start > self.end / 2 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            let wanted = self.end + self.next_read;
            if self.buffer.len() < wanted {
                self.buffer.reserve(wanted - self.buffer.len());
                self.buffer.resize(wanted, 0);
            }
        }
        let room = self.end..self.end + self.next_read;
        loop {
            match unistd::read(pipe, &mut self.buffer[room.clone()]) {
                Ok(0) => {
                    self.pipe = None;
                    self.watched = false;
                    return Ok(Fill::Ended);
                }
                Ok(count) => {
                    self.end += count;
                    self.was_short = count < self.next_read;
                    if count == self.next_read && count < LARGEST_READ {
                        self.next_read *= 2;
                    }
                    return Ok(Fill::More);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(Fill::Empty),
                Err(errno) => return Err(Error::system("read from a pipe", errno)),
            }
        }
    }

    /// Takes the scratch storage into use or gives it back, where nothing is buffered.
    pub fn swap_storage(&mut self, scratch: &mut Scratch) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            std::mem::swap(&mut self.buffer, &mut scratch.0);
        }
    }

    /// Whether the last read brought less than it asked for: the pipe was empty then.
    #[must_use]
    pub fn was_short(&self) -> bool {
        self.was_short
    }

    /// Whether end of file was seen, or the end was closed: what has been read already can still be
    /// taken.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.pipe.is_none()
    }

    /// Closes the end: nothing is read any more. What has been read already can still be taken.
    pub fn close(&mut self) {
        self.pipe = None;
        self.watched = false;
    }

    /// Watches for more to read, or stops watching. An end that is watched and not read makes the
    /// poller spin, so watch only while waiting; end of file ends the watch by itself.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn watch(&mut self, poller: &Poller, token: Token, wanted: bool) -> Result<(), Error> {
        if let Some(pipe) = &self.pipe
            && wanted != self.watched
        {
            poller.set(pipe.as_fd(), token, wanted.then_some(Direction::Read))?;
            self.watched = wanted;
        }
        Ok(())
    }
}

/// The frames that a [`Receiver`] has read ([`Receiver::frames`]).
#[derive(Debug)]
pub struct Frames<'a, T> {
    rest: &'a [u8],
    /// Where the receiver's frames end, and where those begin that have not been taken: brought up
    /// to date once, when this is dropped.
    end: usize,
    start: &'a mut usize,
    frames: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Iterator for Frames<'_, T> {
    type Item = T;

    #[inline(always)]
    fn next(&mut self) -> Option<T> {
        let (value, length) = frame::decode(self.rest).ok().flatten()?;
        self.rest = &self.rest[length..];
        Some(value)
    }
}

impl<T> Drop for Frames<'_, T> {
    #[inline]
    fn drop(&mut self) {
        *self.start = self.end - self.rest.len();
    }
}

#[cfg(test)]
mod tests;
