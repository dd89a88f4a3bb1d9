//! Pipes, as worlds have them: between processes of one host, or with a network in the middle.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::rc::Rc;

use bank::draw::Draw;
use bank::id::Place;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::world::Complaint;

/// One direction of a pipe. On one host, what was written is there at once.
#[derive(Debug)]
pub struct Pipe<T> {
    /// Enqueued by the writer, not written.
    pub outbox: VecDeque<T>,
    /// There for the reader, not read.
    pub written: VecDeque<T>,
    /// Where the two are on different hosts.
    far: Option<Far<T>>,
}

/// What becomes bytes on its way.
#[derive(Debug)]
struct Far<T> {
    /// Until the writer dies.
    write: Option<WriteEnd>,
    /// Until the reader dies.
    read: Option<ReadEnd>,
    /// How many bytes of the first frame in the outbox are written.
    begun: usize,
    /// Written, and not there yet.
    way: VecDeque<T>,
    /// The reader has it, and no whole frame.
    part: Vec<u8>,
    is_ended: bool,
}

impl<T> Default for Pipe<T> {
    fn default() -> Self {
        Self {
            outbox: VecDeque::new(),
            written: VecDeque::new(),
            far: None,
        }
    }
}

impl<T> Pipe<T> {
    /// What is written into the one comes out of the other.
    pub fn far(write: WriteEnd, read: ReadEnd) -> Self {
        let far = Far {
            write: Some(write),
            read: Some(read),
            begun: 0,
            way: VecDeque::new(),
            part: Vec::new(),
            is_ended: false,
        };
        Self {
            far: Some(far),
            ..Self::default()
        }
    }

    pub fn push(&mut self, frame: T) {
        self.outbox.push_back(frame);
    }

    pub fn frames(&self) -> impl Iterator<Item = &T> {
        let way = self.far.iter().flat_map(|far| &far.way);
        self.written.iter().chain(way).chain(&self.outbox)
    }

    /// Whether the writer can write.
    pub fn is_writable(&self) -> bool {
        let room = |far: &Far<T>| far.write.as_ref().is_some_and(WriteEnd::has_room);
        !self.outbox.is_empty() && self.far.as_ref().is_none_or(room)
    }

    /// Whether the reader would learn something if it read.
    pub fn is_readable(&self) -> bool {
        self.far.as_ref().is_some_and(|far| {
            let has_news = |end: &ReadEnd| !end.is_empty() || !end.has_writer();
            !far.is_ended && far.read.as_ref().is_some_and(has_news)
        })
    }

    /// Whether nothing comes behind what is there. On one host, all that a dead writer has left is there.
    pub fn is_over(&self, is_writer_dead: bool) -> bool {
        self.far.as_ref().map_or(is_writer_dead, |far| far.is_ended)
    }
}

impl<T: Serialize + DeserializeOwned> Pipe<T> {
    /// Enqueues a frame, and writes as much as there is room for.
    pub fn push_through(&mut self, frame: T) {
        self.push(frame);
        self.write(self.outbox.len());
    }
}

/// A pipe between two processes, by what goes through it.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    Instructions(Place),
    Replies(Place),
    Orders(Place),
    Reports(Place),
    Channel(Place, Place),
    Answers,
}

/// A pipe, whatever its frames are.
pub trait AnyPipe {
    /// How many frames are in the outbox.
    fn waiting(&self) -> usize;
    /// So many of them, from the front, are written, if there is room.
    fn write(&mut self, frames: usize);
    /// The reader reads what is there.
    fn read(&mut self) -> Result<(), Complaint>;
    /// The writer dies; a part of its outbox, from the front, has got through before.
    fn cut_off(&mut self, draw: &mut Draw);
    /// The writer dies, and its outbox is lost.
    fn lose(&mut self);
    /// The reader dies.
    fn leave_unread(&mut self);
}

impl<T: Serialize + DeserializeOwned> AnyPipe for Pipe<T> {
    fn waiting(&self) -> usize {
        self.outbox.len()
    }

    fn write(&mut self, frames: usize) {
        let Some(far) = &mut self.far else {
            self.written.extend(self.outbox.drain(..frames));
            return;
        };
        for _ in 0..frames {
            let (Some(end), Some(frame)) = (&far.write, self.outbox.front()) else {
                return;
            };
            let mut bytes = Vec::new();
            pipes::encode(frame, &mut bytes).expect("a frame can be encoded");
            far.begun += end.write(&bytes[far.begun..]).unwrap_or(bytes.len());
            if far.begun < bytes.len() {
                return;
            }
            far.begun = 0;
            far.way.extend(self.outbox.pop_front());
        }
    }

    fn read(&mut self) -> Result<(), Complaint> {
        let Some((far, end)) = { self.far.as_mut() }.and_then(|far| {
            let end = far.read.take()?;
            Some((far, end))
        }) else {
            return Ok(());
        };
        far.part.extend(end.take(usize::MAX));
        far.is_ended = !end.has_writer();
        far.read = Some(end);
        let mut used = 0;
        while let Some((frame, length)) = { pipes::decode(&far.part[used..]) }
            .map_err(|error| format!("what arrives is no frame: {error}"))?
        {
            self.written.push_back(frame);
            far.way.pop_front();
            used += length;
        }
        far.part.drain(..used);
        match far.is_ended && !far.part.is_empty() {
            true => Err("a part of a frame has come".to_owned()),
            false => Ok(()),
        }
    }

    fn cut_off(&mut self, draw: &mut Draw) {
        self.write(draw.pick(self.outbox.len() + 1));
        self.lose();
    }

    fn lose(&mut self) {
        self.outbox.clear();
        if let Some(far) = &mut self.far {
            far.write = None;
        }
    }

    fn leave_unread(&mut self) {
        if let Some(far) = &mut self.far {
            far.read = None;
        }
    }
}

/// What the kernel keeps of a pipe.
#[derive(Debug)]
struct Kept {
    bytes: VecDeque<u8>,
    capacity: usize,
    has_writer: bool,
    has_reader: bool,
}

/// Where bytes go in; closed when it is dropped.
#[derive(Debug)]
pub struct WriteEnd(Rc<RefCell<Kept>>);

/// Where they come out.
#[derive(Debug)]
pub struct ReadEnd(Rc<RefCell<Kept>>);

/// A pipe that holds so many bytes.
pub fn ends(capacity: usize) -> (WriteEnd, ReadEnd) {
    let kept = Rc::new(RefCell::new(Kept {
        bytes: VecDeque::new(),
        capacity,
        has_writer: true,
        has_reader: true,
    }));
    (WriteEnd(kept.clone()), ReadEnd(kept))
}

impl WriteEnd {
    /// How many of these bytes it has taken; `None` where nobody will read them.
    pub fn write(&self, bytes: &[u8]) -> Option<usize> {
        let mut kept = self.0.borrow_mut();
        let count = bytes.len().min(kept.capacity - kept.bytes.len());
        kept.bytes.extend(&bytes[..count]);
        kept.has_reader.then_some(count)
    }

    /// Whether something would come of writing.
    pub fn has_room(&self) -> bool {
        let kept = self.0.borrow();
        kept.bytes.len() < kept.capacity || !kept.has_reader
    }

    pub fn has_reader(&self) -> bool {
        self.0.borrow().has_reader
    }
}

impl ReadEnd {
    /// At most so many bytes.
    pub fn take(&self, most: usize) -> Vec<u8> {
        let bytes = &mut self.0.borrow_mut().bytes;
        let count = most.min(bytes.len());
        bytes.drain(..count).collect()
    }

    pub fn length(&self) -> usize {
        self.0.borrow().bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.length() == 0
    }

    pub fn has_writer(&self) -> bool {
        self.0.borrow().has_writer
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.0.borrow_mut().has_writer = false;
    }
}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        self.0.borrow_mut().has_reader = false;
    }
}
