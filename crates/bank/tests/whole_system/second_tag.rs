//! Why everything that nodes say to each other has one tag: members of a bank on several hosts, who send,
//! receive and take a snapshot as they please. With one tag the snapshot passes its audit; where markers
//! have one of their own, or each frame one of two, it does not.
//!
//! Master has no part in it: of a script it would find out, before any audit, that a node has received
//! something else than what must be next.

use std::collections::BTreeMap;

use bank::account::{Incoming, Outgoing, Transfer};
use bank::audit::{Handed, Unsound, audit};
use bank::draw::Draw;
use bank::id::{NodeId, Place};
use bank::member::{Frame, Member, Part};
use hosts::Host;
use snapshot::{Markers, SnapshotId};

use crate::network::{Network, Setup, Step, Tag};
use crate::pipe::{AnyPipe, Pipe};
use crate::world::Complaint;

/// Members, one on each host.
const MEMBERS: usize = 3;
const DEPOSIT: u64 = 1000;
const TRANSFERS: usize = 60;
const SNAPSHOT: SnapshotId = SnapshotId(1);

#[derive(Clone, Copy, Debug)]
enum Move {
    Send,
    Begin,
    Write(Host, Host),
    Read(Host, Host),
    Receive(Host, Host),
    Carry(Step),
}

struct World {
    draw: Draw,
    network: Network,
    members: Vec<Member>,
    channels: BTreeMap<(Host, Host), Pipe<Frame>>,
    transfers: usize,
    has_begun: bool,
}

/// What is wrong with the snapshot that is taken; an error where none can be taken.
pub fn run(seed: u64, tag: Option<Tag>) -> Result<Option<Unsound>, Complaint> {
    let setup = Setup {
        hosts: MEMBERS,
        ..Setup::draw(seed, 320)
    };
    let mut network = match tag {
        None => Network::new(setup),
        Some(tag) => Network::with_tags(setup, tag),
    };
    let mut channels = BTreeMap::new();
    let mut members = vec![Member::new(DEPOSIT); MEMBERS];
    for (from, to) in (0..MEMBERS).flat_map(|from| others(from).map(move |to| (from, to))) {
        channels.insert((from, to), network.pipe(from, to));
        assert!(members[from].open_out(Place::at(to)).is_empty());
        members[to].open_in(Place::at(from));
    }
    let mut world = World {
        draw: Draw::from_seed(seed),
        network,
        members,
        channels,
        transfers: TRANSFERS,
        has_begun: false,
    };
    world.run()?;
    world.audit()
}

fn others(of: Host) -> impl Iterator<Item = Host> {
    (0..MEMBERS).filter(move |host| *host != of)
}

/// Where in the order in which its channels were opened one to, or from, a host is.
fn slot(of: Host, other: Host) -> usize {
    others(of).position(|host| host == other).expect("another")
}

impl World {
    fn run(&mut self) -> Result<(), Complaint> {
        loop {
            let moves: Vec<Move> = self.moves().collect();
            if moves.is_empty() {
                return Ok(());
            }
            let chosen = moves[self.draw.pick(moves.len())];
            self.make(chosen)?;
        }
    }

    fn moves(&self) -> impl Iterator<Item = Move> {
        let own = [
            (self.transfers > 0).then_some(Move::Send),
            (!self.has_begun).then_some(Move::Begin),
        ];
        let of_channels = self.channels.iter().flat_map(|((from, to), channel)| {
            let (from, to) = (*from, *to);
            [
                channel.is_writable().then_some(Move::Write(from, to)),
                channel.is_readable().then_some(Move::Read(from, to)),
                (!channel.written.is_empty()).then_some(Move::Receive(from, to)),
            ]
        });
        let own = own.into_iter().chain(of_channels).flatten();
        own.chain(self.network.steps().map(Move::Carry))
    }

    fn make(&mut self, chosen: Move) -> Result<(), Complaint> {
        match chosen {
            Move::Send => {
                self.transfers -= 1;
                let from = self.draw.pick(MEMBERS);
                let to = self.draw.pick(MEMBERS - 1);
                let amount = 1 + self.draw.pick(20) as u64;
                if let Some(frame) = self.members[from].send(Outgoing(to), amount) {
                    let to = others(from).nth(to).expect("another");
                    self.channel(from, to).push(frame);
                }
            }
            Move::Begin => {
                self.has_begun = true;
                let begun = self.members[0].begin(SNAPSHOT);
                self.broadcast(0, begun.map_err(|broken| broken.to_string())?);
            }
            Move::Write(from, to) => {
                let waiting = self.channel(from, to).waiting();
                let frames = 1 + self.draw.pick(waiting);
                self.channel(from, to).write(frames);
            }
            Move::Read(from, to) => self.channel(from, to).read()?,
            Move::Receive(from, to) => {
                let frame = self.channel(from, to).written.pop_front();
                let received = self.members[to].receive(Incoming(slot(to, from)), frame);
                let marker = received.map_err(|broken| broken.to_string())?;
                if let Some(markers) = marker.and_then(|marker| marker.relay) {
                    self.broadcast(to, markers);
                }
            }
            Move::Carry(step) => self.network.make(step, &mut self.draw)?,
        }
        Ok(())
    }

    fn channel(&mut self, from: Host, to: Host) -> &mut Pipe<Frame> {
        self.channels.get_mut(&(from, to)).expect("there is one")
    }

    fn broadcast(&mut self, from: Host, markers: Markers) {
        for to in others(from) {
            self.channel(from, to).push(Frame::Marker(markers.id()));
        }
    }

    fn audit(&mut self) -> Result<Option<Unsound>, Complaint> {
        let mut handed = BTreeMap::new();
        for (member, host) in self.members.iter_mut().zip(0..) {
            let part = member.hand_over(SNAPSHOT);
            let part = part.ok_or("a part stays incomplete")?;
            handed.insert(id(Place::at(host)), hand_over(part));
        }
        let deposits = handed.keys().map(|id| (*id, DEPOSIT)).collect();
        Ok(audit(SNAPSHOT, handed, &deposits).err())
    }
}

fn id(place: Place) -> NodeId {
    NodeId(place.index() as u64 + 1)
}

fn hand_over(part: Part) -> Handed {
    let mut handed = Handed {
        balance: part.state.balance(),
        ..Handed::default()
    };
    let ends = part.state.outgoing().iter();
    handed.part.sent = ends.map(|end| (id(end.peer), end.tally)).collect();
    let ends = part.state.incoming().iter();
    handed.part.received = ends.map(|end| (id(end.peer), end.tally)).collect();
    let amounts = |transfers: Vec<Transfer>| transfers.iter().map(|it| it.0).collect();
    let channels = part.channels.into_iter();
    let channels = channels.map(|(from, transfers)| (id(from), amounts(transfers)));
    handed.part.channels = channels.collect();
    handed
}
