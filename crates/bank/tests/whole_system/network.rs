//! Several hosts, joined by a network: what goes from one to another passes through two pipes, the
//! [`Carrier`]s of both hosts, and between them the network. It does what the pump of a host does.
//!
//! Each pair of hosts has two lanes. Each is first in, first out; nothing else is promised, and a seed
//! decides which message arrives when.

use std::collections::{BTreeMap, VecDeque};

use bank::draw::Draw;
use bank::id::Place;
use bank::member::Frame;
use hosts::{Carrier, Control, EndOf, Host, Lane, Piece, Pieces, Side, Stream};

use crate::pipe::{Pipe, ReadEnd, WriteEnd, ends};
use crate::world::Complaint;

/// What hosts there are, and how much is kept between them.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub hosts: usize,
    /// Credit, in bytes.
    pub window: usize,
    /// What a pipe holds, in bytes.
    pub pipe: usize,
    /// On this lane, messages arrive only when nothing else can move.
    pub slow: Option<Lane>,
}

/// Everybody is on one host.
pub const ONE_HOST: Setup = Setup {
    hosts: 1,
    window: 0,
    pipe: 0,
    slow: None,
};

impl Default for Setup {
    fn default() -> Self {
        ONE_HOST
    }
}

impl Setup {
    /// Two to four hosts. The window must be at least twice the longest frame that comes.
    pub fn draw(seed: u64, window: usize) -> Self {
        let mut draw = Draw::from_seed(seed ^ 0x4057_4057);
        Self {
            hosts: 2 + draw.pick(3),
            window,
            pipe: [20, 64, 300][draw.pick(3)],
            slow: [None, None, Some(Lane::Frames), Some(Lane::Control)][draw.pick(4)],
        }
    }
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A carrier reads what was written into a pipe.
    Read(Stream),
    /// A carrier writes where a stream goes on.
    Write(Stream),
    /// What a host has to say leaves it.
    Send(Host),
    /// The next message from one to another arrives: on the frames lane, under this tag.
    Frames(Host, Host, usize),
    /// The same, on the control lane.
    Control(Host, Host),
}

/// Under which tag a frame is sent, where there is more than one.
pub type Tag = fn(&Frame, &mut Draw) -> usize;

/// Carriers, and what is between them.
#[derive(Debug)]
pub struct Network {
    setup: Setup,
    carriers: Vec<Carrier>,
    /// Hosts that may have something to say.
    stirred: Vec<bool>,
    frames: BTreeMap<(Host, Host, usize), VecDeque<Vec<u8>>>,
    control: BTreeMap<(Host, Host), VecDeque<Control>>,
    /// Ends of which a host has not heard yet.
    unheard: Vec<(EndOf, CarriersEnd)>,
    sources: BTreeMap<Stream, (Host, ReadEnd)>,
    sinks: BTreeMap<Stream, (Host, WriteEnd)>,
    next: u64,
    tag: Option<Tag>,
}

/// The end of a pipe that is the carrier's.
#[derive(Debug)]
enum CarriersEnd {
    Source(ReadEnd),
    Sink(WriteEnd),
}

impl Network {
    pub fn new(setup: Setup) -> Self {
        let carrier = |_| Carrier::new(setup.hosts, setup.window);
        Self {
            setup,
            carriers: (0..setup.hosts).map(carrier).collect(),
            stirred: vec![false; setup.hosts],
            frames: BTreeMap::new(),
            control: BTreeMap::new(),
            unheard: Vec::new(),
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            next: 1,
            tag: None,
        }
    }

    /// One that is wrong: frames have different tags, and one tag overtakes another. All frames must be
    /// those of channels.
    pub fn with_tags(setup: Setup, tag: Tag) -> Self {
        Self {
            tag: Some(tag),
            ..Self::new(setup)
        }
    }

    /// Where a node is: they are dealt out in the order of their creation.
    pub fn host_of(&self, place: Place) -> Host {
        place.index() % self.setup.hosts
    }

    /// A pipe whose ends are where they belong at once.
    pub fn pipe<T>(&mut self, from: Host, to: Host) -> Pipe<T> {
        self.lay(from, to, true)
    }

    /// A pipe of which the first host tells the others.
    pub fn pipe_announced<T>(&mut self, from: Host, to: Host) -> Pipe<T> {
        self.lay(from, to, false)
    }

    fn lay<T>(&mut self, from: Host, to: Host, at_once: bool) -> Pipe<T> {
        if from == to {
            return Pipe::default();
        }
        let stream = Stream(self.next);
        self.next += 1;
        let (write, source) = ends(self.setup.pipe);
        let (sink, read) = ends(self.setup.pipe);
        let both = [
            (from, to, Side::Write, CarriersEnd::Source(source)),
            (to, from, Side::Read, CarriersEnd::Sink(sink)),
        ];
        for (host, other, side, carriers) in both {
            let end = EndOf {
                stream,
                side,
                other,
            };
            if at_once || host == 0 {
                self.add(host, end, carriers);
                continue;
            }
            let hand_over = Control::HandOver {
                to: None,
                what: Vec::new(),
                ends: vec![end],
            };
            self.unheard.push((end, carriers));
            self.carriers[0].say(host, hand_over);
            self.stirred[0] = true;
        }
        Pipe::far(write, read)
    }

    fn add(&mut self, host: Host, end: EndOf, carriers: CarriersEnd) {
        let stream = end.stream;
        match carriers {
            CarriersEnd::Source(source) => {
                self.carriers[host].begin(stream, end.other);
                self.sources.insert(stream, (host, source));
            }
            CarriersEnd::Sink(sink) => {
                let is_known = self.carriers[host].await_from(stream, end.other);
                self.sinks.insert(stream, (host, sink));
                if is_known {
                    self.write(stream);
                }
            }
        }
    }

    pub fn steps(&self) -> impl Iterator<Item = Step> {
        let readable = self.sources.iter().filter(|(stream, (host, end))| {
            let has_news = !end.is_empty() || !end.has_writer();
            has_news && self.carriers[*host].credit(**stream) > 0
        });
        let writable = self.sinks.iter().filter(|(stream, (host, end))| {
            end.has_room() && !self.carriers[*host].to_write(**stream).is_empty()
        });
        let stirred = (0..self.setup.hosts).filter(|host| self.stirred[*host]);
        let frames = self.frames.iter().filter(|(_, it)| !it.is_empty());
        let control = self.control.iter().filter(|(_, it)| !it.is_empty());
        { readable.map(|(stream, _)| Step::Read(*stream)) }
            .chain(writable.map(|(stream, _)| Step::Write(*stream)))
            .chain(stirred.map(Step::Send))
            .chain(frames.map(|((from, to, tag), _)| Step::Frames(*from, *to, *tag)))
            .chain(control.map(|((from, to), _)| Step::Control(*from, *to)))
    }

    pub fn is_slow(&self, step: Step) -> bool {
        match step {
            Step::Frames(..) => self.setup.slow == Some(Lane::Frames),
            Step::Control(..) => self.setup.slow == Some(Lane::Control),
            _ => false,
        }
    }

    pub fn make(&mut self, step: Step, draw: &mut Draw) -> Result<(), Complaint> {
        match step {
            Step::Read(stream) => self.read(stream, draw),
            Step::Write(stream) => self.write(stream),
            Step::Send(host) => self.send(host, draw),
            Step::Frames(from, to, tag) => {
                let message = self
                    .frames
                    .get_mut(&(from, to, tag))
                    .and_then(VecDeque::pop_front);
                let heard = self.carriers[to].hear_frames(from, &message.ok_or("no message")?);
                let touched = heard.map_err(|error| format!("host {to}: {error}"))?;
                for stream in touched {
                    self.write(stream);
                }
                self.stirred[to] = true;
            }
            Step::Control(from, to) => {
                let said = self
                    .control
                    .get_mut(&(from, to))
                    .and_then(VecDeque::pop_front);
                self.hear(to, said.ok_or("no message")?)?;
            }
        }
        Ok(())
    }

    /// Some of what is there is read, as far as there is credit.
    fn read(&mut self, stream: Stream, draw: &mut Draw) {
        let (host, end) = &self.sources[&stream];
        let carrier = &mut self.carriers[*host];
        self.stirred[*host] = true;
        let there = end.length().min(carrier.credit(stream));
        if there == 0 {
            carrier.end(stream);
            self.sources.remove(&stream);
            return;
        }
        let count = match draw.pick(2) {
            0 => there,
            _ => 1 + draw.pick(there),
        };
        carrier.send(stream, &end.take(count));
    }

    /// What has come of a stream is written, as far as its pipe has room.
    fn write(&mut self, stream: Stream) {
        let Some((host, end)) = self.sinks.get(&stream) else {
            return;
        };
        let carrier = &mut self.carriers[*host];
        self.stirred[*host] = true;
        while !carrier.to_write(stream).is_empty() {
            match end.write(carrier.to_write(stream)) {
                Some(0) => break,
                Some(count) => carrier.wrote(stream, count),
                None => {
                    carrier.drop_incoming(stream);
                    self.sinks.remove(&stream);
                    return;
                }
            }
        }
        if carrier.is_over(stream) {
            self.sinks.remove(&stream);
        }
    }

    fn send(&mut self, from: Host, draw: &mut Draw) {
        self.stirred[from] = false;
        for to in 0..self.setup.hosts {
            let Some(outbox) = self.carriers[from].take_outbox(to) else {
                continue;
            };
            let control = self.control.entry((from, to)).or_default();
            control.extend(outbox.control);
            let mut tagged = BTreeMap::from([(0, outbox.frames)]);
            if let Some(tag) = self.tag {
                tagged = by_tag(tagged.remove(&0).unwrap_or_default(), tag, draw);
            }
            for (tag, pieces) in tagged.into_iter().filter(|(_, it)| it.length() > 0) {
                let frames = self.frames.entry((from, to, tag)).or_default();
                frames.push_back(pieces.into_bytes());
            }
        }
    }

    fn hear(&mut self, host: Host, said: Control) -> Result<(), Complaint> {
        match said {
            Control::Credit(stream, bytes) => {
                self.carriers[host].hear_credit(stream, bytes);
            }
            Control::NobodyReads(stream) => {
                self.sources.remove(&stream);
                self.carriers[host].end(stream);
                self.stirred[host] = true;
            }
            Control::HandOver { ends, .. } => {
                for end in ends {
                    let unheard = self.unheard.iter().position(|(it, _)| *it == end);
                    let (end, carriers) = self.unheard.remove(unheard.ok_or("no end")?);
                    self.add(host, end, carriers);
                }
            }
            other => return Err(format!("{other:?} is said")),
        }
        Ok(())
    }

    /// Once nothing moves any more: no host keeps anything of a stream that nobody holds an end of.
    pub fn check(&self) -> Result<(), Complaint> {
        for stream in (1..self.next).map(Stream) {
            let source = self.sources.get(&stream);
            let sink = self.sinks.get(&stream);
            let is_held = source.is_some_and(|(_, end)| end.has_writer())
                || sink.is_some_and(|(_, end)| end.has_reader());
            if !is_held && (source.is_some() || sink.is_some()) {
                return Err(format!("{stream:?} stays for ever"));
            }
        }
        Ok(())
    }
}

/// The frames of a message, each under its tag.
fn by_tag(pieces: Pieces, tag: Tag, draw: &mut Draw) -> BTreeMap<usize, Pieces> {
    let mut tagged: BTreeMap<usize, Pieces> = BTreeMap::new();
    for piece in Pieces::read(&pieces.into_bytes()) {
        let (stream, Piece::Frames(mut frames)) = piece.expect("it was made just now") else {
            continue;
        };
        while let Some((frame, length)) = pipes::decode(frames).expect("it is a frame") {
            let (first, others) = frames.split_at(length);
            let pieces = tagged.entry(tag(&frame, draw)).or_default();
            pieces.push(stream, Piece::Frames(first));
            frames = others;
        }
    }
    tagged
}
