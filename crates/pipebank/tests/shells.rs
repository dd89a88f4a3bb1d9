//! The programs `node` and `observer` between real pipes, with a test in master's place: what their
//! values cannot show.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Debug;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bank::account::Transfer;
use bank::id::{NodeId, Place};
use bank::member::Frame;
use bank::messages::{Answer, Instruction, Opening, Order, Peer, Reply, Report, Request};
use pipes::{Child, Death, Fill, HandOver, RawEnd, Receiver, Sender, pipe};
use serde::de::DeserializeOwned;
use snapshot::SnapshotId;

const DEPOSIT: u64 = 1_000_000;

/// A node's process, and the observer's ends of its pipes: for orders, for reports.
struct Node {
    child: Child<Instruction, Reply>,
    ends: Vec<RawEnd>,
}

/// An observer's process.
struct Observer(Child<Request, Answer>);

fn start<O: serde::Serialize, I: DeserializeOwned>(
    program: &str,
    arguments: &[&str],
) -> Child<O, I> {
    /// Processes are started by one thread at a time.
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock();
    pipes::spawn(Path::new(program), arguments, None).unwrap()
}

fn hand_over<O, I>(to: &Child<O, I>, ends: Vec<RawEnd>) {
    let handed = to.hatch.hand_over(ends).unwrap();
    assert!(matches!(handed, HandOver::Done));
}

/// The next frame of a pipe, which must come soon; `None` at its end.
fn next<T: DeserializeOwned>(from: &mut Receiver<T>) -> Option<T> {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(frame) = from.next_frame().unwrap() {
            return Some(frame);
        }
        match from.fill().unwrap() {
            Fill::More => {}
            Fill::Ended => return None,
            Fill::Empty => std::thread::sleep(Duration::from_micros(100)),
        }
        assert!(Instant::now() < give_up, "nothing comes");
    }
}

fn say<T: serde::Serialize + Debug>(to: &mut Sender<T>, what: &T) {
    to.push(what).unwrap();
    let give_up = Instant::now() + Duration::from_secs(60);
    while to.flush().unwrap() == pipes::Flush::Full {
        assert!(Instant::now() < give_up, "{what:?} is not taken");
        std::thread::sleep(Duration::from_micros(100));
    }
}

fn peer(place: u32) -> Peer {
    let id = NodeId(1 + u64::from(place));
    let place = Place(place);
    Peer { place, id }
}

impl Node {
    fn start(place: u32) -> Self {
        let (id, deposit) = (peer(place).id.to_string(), DEPOSIT.to_string());
        let child = start(env!("CARGO_BIN_EXE_node"), &[&id, &deposit]);
        let (orders, reports) = (pipe().unwrap(), pipe().unwrap());
        hand_over(&child, vec![orders.read, reports.write]);
        Self {
            child,
            ends: vec![orders.write, reports.read],
        }
    }

    fn instruct(&mut self, instruction: Instruction) {
        say(&mut self.child.sender, &instruction);
    }

    fn reply(&mut self) -> Reply {
        next(&mut self.child.receiver).expect("the node has ended")
    }

    fn open(&mut self, outgoing: &[Peer], incoming: &[Peer], ends: Vec<RawEnd>) {
        hand_over(&self.child, ends);
        let opening = Opening {
            outgoing: outgoing.to_vec(),
            incoming: incoming.to_vec(),
            owing: true,
        };
        self.instruct(Instruction::Open(opening.into()));
        assert_eq!(self.reply(), Reply::Opened);
    }

    /// A channel from the node at place 9, whose part the test plays.
    fn open_from_test(&mut self) -> Sender<Frame> {
        let channel = pipe().unwrap();
        self.open(&[], &[peer(9)], vec![channel.read]);
        channel.write.into_sender()
    }

    /// Ends it, as master does.
    fn end(mut self) {
        self.child.sender.close();
        while next(&mut self.child.receiver).is_some() {}
        assert_eq!(self.child.process.wait().unwrap(), Death::Exit(0));
    }
}

impl Observer {
    /// It is joined by these, who are at the places 0, 1 ….
    fn of(nodes: &mut [Node]) -> Self {
        let mut observer = Self(start(env!("CARGO_BIN_EXE_observer"), &[]));
        for (place, joins) in (0..).zip(nodes) {
            hand_over(&observer.0, std::mem::take(&mut joins.ends));
            let (node, deposit) = (peer(place), DEPOSIT);
            observer.request(&Request::Join {
                node,
                deposit,
                again: false,
            });
            assert_eq!(observer.answer(), Answer::Joined);
        }
        observer
    }

    fn request(&mut self, request: &Request) {
        say(&mut self.0.sender, request);
    }

    fn answer(&mut self) -> Answer {
        next(&mut self.0.receiver).expect("the observer has ended")
    }

    fn end(mut self) {
        self.0.sender.close();
        while next(&mut self.0.receiver).is_some() {}
        assert_eq!(self.0.process.wait().unwrap(), Death::Exit(0));
    }
}

/// Nodes at the places 0, 1 …, every two of them connected.
fn mesh(nodes: u32) -> Vec<Node> {
    let mut mesh: Vec<Node> = (0..nodes).map(Node::start).collect();
    for one in 0..nodes {
        for other in 0..one {
            let (there, back) = (pipe().unwrap(), pipe().unwrap());
            let ends = vec![there.write, back.read];
            mesh[one as usize].open(&[peer(other)], &[peer(other)], ends);
            let ends = vec![back.write, there.read];
            mesh[other as usize].open(&[peer(one)], &[peer(one)], ends);
        }
    }
    mesh
}

#[test]
fn a_channel_holds_more_than_its_pipe() {
    const TRANSFERS: u64 = 30_000;
    let mut nodes = mesh(2);
    let (to, from, amount) = (Place(1), Place(0), 1);
    for _ in 0..TRANSFERS {
        nodes[0].instruct(Instruction::Send { to, amount });
    }
    for sent in 1..=TRANSFERS {
        let balance = DEPOSIT - sent;
        assert_eq!(nodes[0].reply(), Reply::Sent { balance });
    }
    // All of them come only if what waits in the outbox is on its way while nothing is received.
    let frames = TRANSFERS;
    nodes[1].instruct(Instruction::ReadAhead { from, frames });
    assert_eq!(nodes[1].reply(), Reply::Ahead { frames });
    for _ in 0..TRANSFERS {
        nodes[1].instruct(Instruction::Receive { from });
    }
    for received in 1..=TRANSFERS {
        let balance = DEPOSIT + received;
        assert_eq!(nodes[1].reply(), Reply::Transfer { amount, balance });
    }
    nodes.into_iter().for_each(Node::end);
}

#[test]
fn a_node_that_waits_for_a_frame_obeys_the_observer_and_goes_on_when_it_comes() {
    let mut node = Node::start(0);
    let mut channel = node.open_from_test();
    let (from, snapshot) = (Place(9), SnapshotId(1));
    node.instruct(Instruction::Receive { from });
    node.instruct(Instruction::Report);
    let mut ends = std::mem::take(&mut node.ends).into_iter();
    let mut orders = ends.next().unwrap().into_sender();
    say(&mut orders, &Order::Ask { snapshot });
    let reports = &mut ends.next().unwrap().into_receiver();
    let (recorded, peers) = (false, vec![from]);
    assert_eq!(next(reports), Some(Report::Waiting { recorded, peers }));
    assert_eq!(next(reports), Some(Report::Asked));
    assert_eq!(node.child.receiver.fill().unwrap(), Fill::Empty);

    let (amount, balance) = (7, DEPOSIT + 7);
    say(&mut channel, &Frame::Message(Transfer(amount)));
    assert_eq!(node.reply(), Reply::Transfer { amount, balance });
    assert_eq!(node.reply(), Reply::Balance { balance });
    node.end();
}

#[test]
fn the_end_of_its_commands_ends_a_node_whatever_it_waits_for() {
    let (from, snapshot, frames) = (Place(9), SnapshotId(1), 1);
    for instruction in [
        Instruction::Receive { from },
        Instruction::ReadAhead { from, frames },
        Instruction::ReadToEnd { from },
        Instruction::AwaitTake { snapshot },
        Instruction::Rest,
    ] {
        let mut node = Node::start(0);
        let _channel = node.open_from_test();
        node.instruct(instruction);
        node.end();
    }
}

#[test]
fn what_a_dead_node_has_sent_is_found_and_can_still_be_received() {
    const FRAME: usize = 14;
    let mut node = Node::start(0);
    let mut channel = node.open_from_test();
    let (from, amount) = (Place(9), 7);
    for _ in 0..10_000 {
        channel.push(&Frame::Message(Transfer(amount))).unwrap();
    }
    let all = channel.pending();
    channel.flush().unwrap();
    let written = all - channel.pending();
    assert!(
        !written.is_multiple_of(FRAME),
        "a part of a frame is among it"
    );
    drop(channel);

    node.instruct(Instruction::ReadToEnd { from });
    let mut found = 0;
    loop {
        match node.reply() {
            Reply::Found { frames, last } => {
                found += frames.len();
                if last {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(found, written / FRAME);
    for _ in 0..found {
        node.instruct(Instruction::Receive { from });
    }
    for received in 1..=found as u64 {
        let balance = DEPOSIT + amount * received;
        assert_eq!(node.reply(), Reply::Transfer { amount, balance });
    }
    node.instruct(Instruction::Receive { from });
    assert_eq!(node.reply(), Reply::Ended);
    node.end();
}

#[test]
fn a_node_whose_observer_is_dead_says_so_and_goes_on() {
    let mut node = Node::start(0);
    let snapshot = SnapshotId(1);
    node.instruct(Instruction::AwaitTake { snapshot });
    drop(node.ends.remove(0));
    assert_eq!(node.reply(), Reply::ObserverGone);
    node.instruct(Instruction::AwaitTake { snapshot });
    node.instruct(Instruction::Report);
    node.instruct(Instruction::Resume);
    assert_eq!(node.reply(), Reply::ObserverGone);
    assert_eq!(node.reply(), Reply::Balance { balance: DEPOSIT });
    node.end();
}

#[test]
fn a_snapshot_is_collected_when_it_is_complete_and_never_again_after_a_death() {
    let mut nodes = mesh(2);
    let mut observer = Observer::of(&mut nodes);
    let (snapshot, amount) = (SnapshotId(1), 5);
    nodes[0].instruct(Instruction::AwaitTake { snapshot });
    let node = Place(0);
    observer.request(&Request::Begin { snapshot, node });
    assert_eq!(nodes[0].reply(), Reply::Began);
    let to = Place(0);
    nodes[1].instruct(Instruction::Send { to, amount });
    let (first, last) = (snapshot, snapshot);
    observer.request(&Request::Collect { first, last });
    let waiting = |place: u32, recorded, other: u32| Answer::Waiting {
        snapshot,
        node: peer(place).id,
        recorded,
        peers: vec![peer(other).id],
    };
    assert_eq!(observer.answer(), waiting(0, true, 1));
    assert_eq!(observer.answer(), waiting(1, false, 0));
    assert_eq!(observer.answer(), Answer::Incomplete);

    nodes[1].instruct(Instruction::Receive { from: Place(0) });
    nodes[0].instruct(Instruction::Receive { from: Place(1) });
    nodes[0].instruct(Instruction::Receive { from: Place(1) });
    for (node, replies) in nodes.iter_mut().zip([2, 2]) {
        (0..replies).for_each(|_| drop(node.reply()));
    }
    observer.request(&Request::Collect { first, last });
    let account = |place: u32, balance| Answer::Account {
        snapshot,
        node: peer(place).id,
        balance,
    };
    assert_eq!(observer.answer(), account(0, DEPOSIT));
    assert_eq!(observer.answer(), account(1, DEPOSIT - amount));
    let (from, to, amounts) = (peer(1).id, peer(0).id, vec![amount]);
    let transit = Answer::Transit {
        snapshot,
        from,
        to,
        amounts,
    };
    assert_eq!(observer.answer(), transit);
    assert_eq!(observer.answer(), Answer::Collected);

    nodes[1].child.process.kill();
    nodes[1].child.process.wait().unwrap();
    observer.request(&Request::Collect { first, last });
    let node = Place(1);
    assert_eq!(observer.answer(), Answer::NodeGone { node });
    observer.end();
}

#[test]
fn under_load_every_snapshot_passes_its_audit_and_all_the_money_arrives() {
    const NODES: u32 = 3;
    const SNAPSHOTS: u64 = 50;
    let mut nodes = mesh(NODES);
    let mut observer = Observer::of(&mut nodes);
    let total = u128::from(DEPOSIT) * u128::from(NODES);
    for node in &mut nodes {
        let (seed, quota, others, pin) = (1, None, NODES - 1, None);
        node.instruct(Instruction::Load {
            seed,
            quota,
            others,
            pin,
        });
    }
    let (every_ms, concurrent) = (0, 2);
    observer.request(&Request::Watch {
        nodes: NODES,
        every_ms,
        concurrent,
    });
    let (mut passed, mut in_transit, mut rests) = (0, 0, false);
    loop {
        match observer.answer() {
            Answer::Watched {
                transfers,
                total: found,
                ..
            } => {
                assert_eq!(found, total);
                passed += 1;
                in_transit += transfers;
            }
            Answer::Rested => break,
            other => panic!("{other:?}"),
        }
        if passed >= SNAPSHOTS && !rests {
            rests = true;
            observer.request(&Request::Rest);
        }
    }
    assert!(in_transit > 0, "the cuts are not trivial");

    let mut sent_to = [0; NODES as usize];
    for (place, node) in (0..).zip(&mut nodes) {
        node.instruct(Instruction::Rest);
        assert_eq!(node.reply(), Reply::Generated);
        let peers: Vec<Place> = (0..NODES)
            .filter(|peer| *peer != place)
            .map(Place)
            .collect();
        let asked = peers.clone();
        node.instruct(Instruction::SentTo { peers });
        let Reply::SentTo { transfers } = node.reply() else {
            panic!("another reply");
        };
        for (peer, transfers) in asked.iter().zip(transfers) {
            sent_to[peer.index()] += transfers;
        }
    }
    let mut settled = 0;
    for (node, transfers) in nodes.iter_mut().zip(sent_to) {
        node.instruct(Instruction::Settle { transfers });
        let Reply::Settled { received, balance } = node.reply() else {
            panic!("another reply");
        };
        assert_eq!(received, transfers);
        settled += u128::from(balance);
    }
    assert_eq!(settled, total);
    nodes.into_iter().for_each(Node::end);
    for _ in 0..NODES {
        assert!(matches!(observer.answer(), Answer::NodeGone { .. }));
    }
    observer.end();
}
