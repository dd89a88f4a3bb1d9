//! Moves bytes between the pipes of a host, its [`Carrier`] and the network.
//!
//! A network has no descriptor to wait on, so it is asked again and again: at once as long as something
//! comes, then after pauses that grow to [`LONGEST_PAUSE`], and in the end to [`PAUSE_OF_THE_IDLE`]. What
//! comes through a pipe ends a pause. Where much comes, there is a short pause before every turn
//! ([`GATHER`]), so that each carries more.

use std::thread;
use std::time::{Duration, Instant};

use pipes::{Moved, Poller, RawEnd, Token};
use rustc_hash::FxHashMap;

use crate::Error;
use crate::carrier::{Carrier, WINDOW};
use crate::link::Link;
use crate::traffic::Traffic;
use crate::wire::{Control, Host, Lane, Stream};

/// How long a message may wait until it is seen, where nothing has come for a while; and where nothing has
/// come for a second or so.
const LONGEST_PAUSE: Duration = Duration::from_millis(1);
const PAUSE_OF_THE_IDLE: Duration = Duration::from_millis(4);
/// So many pauses make that second.
const IDLE: u32 = 1000;
const FIRST_PAUSE: Duration = Duration::from_micros(5);
/// How often others are let run first, before there are pauses.
const YIELDS: u32 = 20;

/// Under heavy traffic, how long is waited before a turn. To look for more costs a carrier the same whether there
/// is little or much, and takes a CPU from those who would have it: on two CPUs a load between two hosts
/// made 2 to 4 times as many transfers with this pause, of which those who exchange few words notice nothing.
const GATHER: Duration = Duration::from_micros(50);

/// How much is read at once.
const BATCH: usize = 30 * 1024;

/// How long a message of frames becomes before it is sent. It must stay below what MPI sends without asking
/// whether the other side is ready, which is 64 KiB over TCP (`btl_tcp_eager_limit`): messages of 64 KiB were
/// measured at a hundredth of the rate of those of 60 KiB.
const FULL: usize = 28 * 1024;

/// How often everybody says that they are there.
const PULSE: Duration = Duration::from_secs(1);
/// Who has said nothing for this long is lost.
pub(crate) const SILENCE: Duration = Duration::from_secs(20);

/// Tokens below this are the caller's; those of streams lie above, even ones of sources.
const STREAMS: Token = 16;

fn token(stream: Stream, is_sink: bool) -> Token {
    STREAMS + 2 * stream.0 + Token::from(is_sink)
}

/// Where a stream begins.
#[derive(Debug)]
struct Source {
    end: RawEnd,
    to: Host,
    is_watched: bool,
    /// Whoever wrote into it is dead: it ends where nothing is there, since somebody else may hold it open.
    is_orphaned: bool,
}

/// Where a stream ends.
#[derive(Debug)]
struct Sink {
    end: RawEnd,
    is_watched: bool,
}

/// A host's share of the traffic.
pub(crate) struct Pump<L> {
    pub(crate) link: L,
    pub(crate) poller: Poller,
    carrier: Carrier,
    sources: FxHashMap<Stream, Source>,
    sinks: FxHashMap<Stream, Sink>,
    buffer: Vec<u8>,
    ready: Vec<Token>,
    /// How many turns nothing has moved.
    idle: u32,
    traffic: Traffic,
    /// When each host was last heard of.
    heard: Vec<Instant>,
    next_pulse: Instant,
}

/// What a turn has brought that is not the pump's own affair.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// What was said on the control lane.
    pub(crate) said: Vec<(Host, Control)>,
    /// Which of the caller's tokens are ready.
    pub(crate) ready: Vec<Token>,
    /// Hosts that were not heard of for too long.
    pub(crate) silent: Vec<Host>,
    /// A second has passed.
    pub(crate) is_pulse: bool,
}

impl<L: Link> Pump<L> {
    pub(crate) fn new(link: L) -> Result<Self, Error> {
        let now = Instant::now();
        Ok(Self {
            poller: Poller::new()?,
            carrier: Carrier::new(link.hosts(), WINDOW),
            sources: FxHashMap::default(),
            sinks: FxHashMap::default(),
            buffer: vec![0; BATCH],
            ready: Vec::new(),
            idle: 0,
            traffic: Traffic::new(now),
            heard: vec![now; link.hosts()],
            next_pulse: now + PULSE,
            link,
        })
    }

    /// A pipe whose frames go to another host.
    pub(crate) fn add_source(
        &mut self,
        stream: Stream,
        to: Host,
        end: RawEnd,
    ) -> Result<(), Error> {
        self.carrier.begin(stream, to);
        end.watch_to_read(&self.poller, token(stream, false))?;
        let source = Source {
            end,
            to,
            is_watched: true,
            is_orphaned: false,
        };
        self.sources.insert(stream, source);
        Ok(())
    }

    /// A pipe into which frames go that come from another host.
    pub(crate) fn add_sink(
        &mut self,
        stream: Stream,
        from: Host,
        end: RawEnd,
    ) -> Result<(), Error> {
        let is_known = self.carrier.await_from(stream, from);
        let is_watched = false;
        self.sinks.insert(stream, Sink { end, is_watched });
        match is_known {
            true => self.write(stream),
            false => Ok(()),
        }
    }

    /// Whoever wrote into the pipe of this stream is dead.
    pub(crate) fn orphan(&mut self, stream: Stream) -> Result<(), Error> {
        match self.sources.get_mut(&stream) {
            Some(source) => {
                source.is_orphaned = true;
                self.read(stream)
            }
            None => Ok(()),
        }
    }

    /// Says something to a host, with the next turn.
    pub(crate) fn say(&mut self, to: Host, what: Control) {
        self.carrier.say(to, what);
        self.idle = 0;
    }

    /// One turn: waits a little, where nothing has moved, and moves what there is.
    pub(crate) fn turn(&mut self) -> Result<Turn, Error> {
        let mut turn = Turn::default();
        let mut ready = std::mem::take(&mut self.ready);
        if self.idle < YIELDS && self.traffic.is_heavy(Instant::now()) {
            thread::sleep(GATHER);
        }
        match self.idle.checked_sub(YIELDS) {
            Some(pauses) => {
                let longest = match pauses < IDLE {
                    true => LONGEST_PAUSE,
                    false => PAUSE_OF_THE_IDLE,
                };
                let pause = FIRST_PAUSE * 2_u32.pow(pauses.min(10));
                self.poller.wait_briefly(&mut ready, pause.min(longest))?;
            }
            None => {
                if self.idle > 0 {
                    pipes::give_way();
                }
                self.poller.wait(&mut ready, Some(Instant::now()))?;
            }
        }
        self.idle = self.idle.saturating_add(1);
        if !ready.is_empty() {
            self.idle = 0;
        }
        for token in &ready {
            match token.checked_sub(STREAMS) {
                None => turn.ready.push(*token),
                Some(number) if number % 2 == 0 => self.read(Stream(number / 2))?,
                Some(number) => self.write(Stream(number / 2))?,
            }
        }
        self.ready = ready;
        self.send()?;
        while let Some((from, lane, message)) = self.link.receive()? {
            self.hear(from, lane, &message, &mut turn)?;
        }
        self.feel_pulses(Instant::now(), &mut turn);
        Ok(turn)
    }

    fn hear(
        &mut self,
        from: Host,
        lane: Lane,
        message: &[u8],
        turn: &mut Turn,
    ) -> Result<(), Error> {
        self.heard[from] = Instant::now();
        if lane == Lane::Frames {
            self.traffic.carried(message.len());
            self.idle = 0;
            for stream in self.carrier.hear_frames(from, message)? {
                self.write(stream)?;
            }
            return Ok(());
        }
        let control = Control::from_bytes(message)?;
        // That somebody is there is no reason to expect more of them.
        if control != Control::Alive {
            self.idle = 0;
        }
        match control {
            Control::Alive => {}
            Control::Credit(stream, bytes) => {
                if self.carrier.hear_credit(stream, bytes) {
                    self.read(stream)?;
                }
            }
            Control::NobodyReads(stream) => {
                self.sources.remove(&stream);
                self.carrier.end(stream);
            }
            other => turn.said.push((from, other)),
        }
        Ok(())
    }

    /// Says that this host is there, and looks who is not. Agents only know host 0, and it knows all.
    fn feel_pulses(&mut self, now: Instant, turn: &mut Turn) {
        if now < self.next_pulse {
            return;
        }
        // Whoever was stopped for a while has not listened, and cannot tell who was silent.
        let was_away = now > self.next_pulse + PULSE;
        self.next_pulse = now + PULSE;
        turn.is_pulse = true;
        let me = self.link.me();
        let others = match me {
            0 => 1..self.link.hosts(),
            _ => 0..1,
        };
        for host in others {
            self.carrier.say(host, Control::Alive);
            if was_away {
                self.heard[host] = now;
            }
            if now > self.heard[host] + SILENCE {
                turn.silent.push(host);
            }
        }
    }

    /// Sends what waits for other hosts.
    pub(crate) fn send(&mut self) -> Result<(), Error> {
        let mut hosts = 0..self.link.hosts();
        hosts.try_for_each(|host| send(&mut self.carrier, &mut self.link, host))
    }

    /// Reads what is there of a stream, as far as it has credit.
    fn read(&mut self, stream: Stream) -> Result<(), Error> {
        let Some(source) = self.sources.get_mut(&stream) else {
            return Ok(());
        };
        let mut is_over = false;
        let mut credit = self.carrier.credit(stream);
        while credit > 0 {
            let room = credit.min(BATCH);
            match source.end.read(&mut self.buffer[..room])? {
                Moved::Bytes(count) => {
                    self.traffic.carried(count);
                    self.carrier.send(stream, &self.buffer[..count]);
                    credit = self.carrier.credit(stream);
                    if self.carrier.waiting_for(source.to) > FULL {
                        send(&mut self.carrier, &mut self.link, source.to)?;
                    }
                    // The rest can wait until others have had their turn.
                    if !source.is_orphaned {
                        break;
                    }
                }
                Moved::Nothing if !source.is_orphaned => break,
                Moved::Nothing | Moved::Ended => {
                    is_over = true;
                    break;
                }
            }
        }
        if is_over {
            self.sources.remove(&stream);
            self.carrier.end(stream);
            return Ok(());
        }
        let is_wanted = credit > 0;
        if is_wanted != source.is_watched {
            match is_wanted {
                true => source
                    .end
                    .watch_to_read(&self.poller, token(stream, false))?,
                false => source.end.unwatch(&self.poller)?,
            }
            source.is_watched = is_wanted;
        }
        Ok(())
    }

    /// Writes what has come of a stream, as far as its pipe has room.
    fn write(&mut self, stream: Stream) -> Result<(), Error> {
        let Some(sink) = self.sinks.get_mut(&stream) else {
            return Ok(());
        };
        let mut is_full = false;
        loop {
            let bytes = self.carrier.to_write(stream);
            if bytes.is_empty() {
                break;
            }
            match sink.end.write(bytes)? {
                Moved::Bytes(count) => self.carrier.wrote(stream, count),
                Moved::Nothing => {
                    is_full = true;
                    break;
                }
                Moved::Ended => {
                    self.carrier.drop_incoming(stream);
                    self.sinks.remove(&stream);
                    return Ok(());
                }
            }
        }
        if is_full != sink.is_watched {
            match is_full {
                true => sink.end.watch_to_write(&self.poller, token(stream, true))?,
                false => sink.end.unwatch(&self.poller)?,
            }
            sink.is_watched = is_full;
        }
        if self.carrier.is_over(stream) {
            self.sinks.remove(&stream);
        }
        Ok(())
    }

    /// A host is lost: its streams end.
    pub(crate) fn lose(&mut self, host: Host) -> Result<(), Error> {
        let (outgoing, incoming) = self.carrier.lose(host);
        for stream in outgoing {
            self.sources.remove(&stream);
        }
        for stream in incoming {
            self.write(stream)?;
        }
        Ok(())
    }
}

/// Sends what waits for a host.
fn send(carrier: &mut Carrier, link: &mut impl Link, host: Host) -> Result<(), Error> {
    let Some(outbox) = carrier.take_outbox(host) else {
        return Ok(());
    };
    for control in outbox.control {
        link.send(host, Lane::Control, control.to_bytes()?)?;
    }
    match outbox.frames.length() {
        0 => Ok(()),
        _ => link.send(host, Lane::Frames, outbox.frames.into_bytes()),
    }
}

#[cfg(test)]
mod tests;
