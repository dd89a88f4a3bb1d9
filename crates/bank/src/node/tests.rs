//! What a node does about each input, and in which order: its effects are what a process carries out.

use super::*;
use crate::messages::{Opening, Peer};

mod lasting;
mod load;

const FIRST: SnapshotId = SnapshotId(1);
/// Beside a node under load.
const OTHERS: u32 = 5;

/// A node between its effects: what a process does, without pipes.
struct Driven {
    node: Node,
    effects: Vec<Effect>,
}

impl Driven {
    /// Node 10 at place 0 with 100 in its account, and channels to and from the nodes 11, 12 … at
    /// the places 1, 2 ….
    fn new(peers: u32) -> Self {
        Self::with(peers, 100)
    }

    /// The same with this in its account.
    fn with(peers: u32, balance: u64) -> Self {
        let node = Node::new(NodeId(10), balance, false);
        let mut driven = Self {
            node,
            effects: Vec::new(),
        };
        let peers: Vec<Peer> = (1..=peers).map(peer).collect();
        driven.open(&peers, &peers, true);
        driven
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        self.try_step(input).unwrap()
    }

    fn try_step(&mut self, input: Input) -> Result<Vec<Effect>, Broken> {
        self.node.step(input, &mut self.effects)?;
        Ok(std::mem::take(&mut self.effects))
    }

    fn instruct(&mut self, instruction: Instruction) -> Vec<Effect> {
        self.step(Input::Instruction(instruction))
    }

    fn order(&mut self, order: Order) -> Vec<Effect> {
        self.step(Input::Order(order))
    }

    fn open(&mut self, outgoing: &[Peer], incoming: &[Peer], owing: bool) -> Vec<Effect> {
        let opening = Opening {
            outgoing: outgoing.to_vec(),
            incoming: incoming.to_vec(),
            owing,
        };
        self.instruct(Instruction::Open(opening.into()))
    }

    /// Receives this from that place.
    fn receive(&mut self, from: u32, frame: Frame) -> Vec<Effect> {
        let take = Effect::Take(Incoming(from as usize - 1));
        let from = Place(from);
        assert_eq!(self.instruct(Instruction::Receive { from }), [take]);
        self.step(Input::Frame(frame))
    }

    /// Begins a snapshot that master has announced and the observer ordered.
    fn begin(&mut self, snapshot: SnapshotId) -> Vec<Effect> {
        self.order(Order::Take { snapshot });
        self.instruct(Instruction::AwaitTake { snapshot })
    }

    fn load(&mut self, quota: Option<u64>) -> Vec<Effect> {
        let (seed, others, pin) = (1, OTHERS, None);
        self.instruct(Instruction::Load {
            seed,
            quota,
            others,
            pin,
        })
    }
}

fn peer(place: u32) -> Peer {
    Peer {
        place: Place(place),
        id: NodeId(10 + u64::from(place)),
    }
}

fn transfer(amount: u64) -> Frame {
    Frame::Message(Transfer(amount))
}

fn amount(frame: Frame) -> u64 {
    match frame {
        Frame::Message(Transfer(amount)) => amount,
        Frame::Marker(_) => panic!("a marker that nobody ordered"),
    }
}

fn marker(to: usize, snapshot: SnapshotId) -> Effect {
    Effect::Frame(Outgoing(to), Frame::Marker(snapshot))
}

fn reply(reply: Reply) -> Effect {
    Effect::Reply(reply)
}

#[test]
fn a_receive_that_waits_holds_up_instructions_and_nothing_else() {
    let mut node = Driven::new(2);
    let snapshot = FIRST;
    let from = Place(1);
    node.instruct(Instruction::Receive { from });
    assert!(node.node.is_waiting());
    let early = node.try_step(Input::Instruction(Instruction::Report));
    assert!(matches!(early, Err(Broken::NotAskedFor(_))));

    let asked = node.order(Order::Ask { snapshot });
    assert_eq!(asked.last(), Some(&Effect::Report(Report::Asked)));
    let given = node.order(Order::Give { snapshot });
    assert_eq!(given, [Effect::Report(Report::Given { complete: false })]);
    assert_eq!(
        node.order(Order::Take { snapshot }),
        [],
        "its turn has not come"
    );

    let (amount, balance) = (5, 105);
    let received = node.step(Input::Frame(transfer(amount)));
    assert_eq!(received, [reply(Reply::Transfer { amount, balance })]);
    let begun = node.instruct(Instruction::AwaitTake { snapshot });
    assert_eq!(begun.last(), Some(&reply(Reply::Began)));
}

#[test]
fn a_receive_from_a_channel_that_has_ended_ends_too() {
    let mut node = Driven::new(1);
    let from = Place(1);
    node.instruct(Instruction::Receive { from });
    assert_eq!(node.step(Input::End), [reply(Reply::Ended)]);
    assert!(!node.node.is_waiting());
}

#[test]
fn behind_an_end_nothing_is_carried_out_before_master_has_heard_of_it() {
    let mut node = Driven::new(2);
    let (dead, to, amount) = (Place(1), Place(2), 7);
    let sent = [
        Effect::Frame(Outgoing(1), transfer(amount)),
        reply(Reply::Sent { balance: 93 }),
    ];
    node.instruct(Instruction::Receive { from: dead });
    node.step(Input::End);
    assert_eq!(node.instruct(Instruction::Send { to, amount }), []);
    assert_eq!(node.instruct(Instruction::Receive { from: dead }), []);
    assert_eq!(node.instruct(Instruction::Report), []);
    let resumed = node.instruct(Instruction::Resume);
    assert_eq!(resumed, [&sent[..], &[Effect::Take(Incoming(0))]].concat());
    let again = [reply(Reply::Ended), reply(Reply::Balance { balance: 93 })];
    assert_eq!(node.step(Input::End), again, "that it has ended is known");
    let early = node.try_step(Input::Instruction(Instruction::Resume));
    assert!(matches!(early, Err(Broken::NotAskedFor(_))));
}

#[test]
fn what_nobody_has_asked_for_is_an_error() {
    let inputs = [
        Input::Frame(transfer(1)),
        Input::End,
        Input::Ahead(1),
        Input::Found(Vec::new()),
    ];
    for input in inputs {
        let refused = Driven::new(1).try_step(input);
        assert!(matches!(refused, Err(Broken::NotAskedFor(_))));
    }
}

#[test]
fn a_channel_that_does_not_exist_is_an_error_in_either_direction() {
    let mut node = Driven::new(0);
    node.open(&[peer(1)], &[peer(2)], true);
    let (to, from, amount) = (Place(2), Place(1), 1);
    for instruction in [
        Instruction::Send { to, amount },
        Instruction::Receive { from },
    ] {
        let refused = node.try_step(Input::Instruction(instruction));
        assert!(matches!(refused, Err(Broken::NotConnected(_))));
    }
}

#[test]
fn a_refused_send_sends_nothing() {
    let mut node = Driven::new(1);
    let (to, amount) = (Place(1), 101);
    let refused = node.instruct(Instruction::Send { to, amount });
    assert_eq!(refused, [reply(Reply::Refused { balance: 100 })]);
    assert_eq!(node.node.frames_sent(Outgoing(0)), 0);
}

#[test]
fn a_snapshot_begins_where_master_announced_it_whichever_comes_first() {
    let begun = [marker(0, FIRST), marker(1, FIRST), reply(Reply::Began)];
    let snapshot = FIRST;

    let mut node = Driven::new(2);
    assert_eq!(node.order(Order::Take { snapshot }), []);
    assert_eq!(node.instruct(Instruction::AwaitTake { snapshot }), begun);

    let mut node = Driven::new(2);
    assert_eq!(node.instruct(Instruction::AwaitTake { snapshot }), []);
    assert!(node.node.is_waiting());
    assert_eq!(node.order(Order::Take { snapshot }), begun);
    assert!(!node.node.is_waiting());

    let mut node = Driven::new(2);
    let second = SnapshotId(2);
    node.order(Order::Take { snapshot });
    node.order(Order::Take { snapshot: second });
    assert_eq!(node.instruct(Instruction::AwaitTake { snapshot }), begun);
}

#[test]
fn an_order_that_was_not_announced_is_an_error() {
    let mut node = Driven::new(1);
    let (snapshot, other) = (FIRST, SnapshotId(2));
    node.instruct(Instruction::AwaitTake { snapshot });
    let wrong = node.try_step(Input::Order(Order::Take { snapshot: other }));
    assert!(matches!(wrong, Err(Broken::WrongOrder { .. })));
}

#[test]
fn what_the_observer_ordered_before_it_died_is_done_and_nothing_else() {
    let (snapshot, second) = (FIRST, SnapshotId(2));
    let mut node = Driven::new(1);
    node.order(Order::Take { snapshot });
    assert_eq!(node.step(Input::ObserverGone), []);
    let began = node.instruct(Instruction::AwaitTake { snapshot });
    assert_eq!(began.last(), Some(&reply(Reply::Began)));
    let await_second = Instruction::AwaitTake { snapshot: second };
    let gone = [reply(Reply::ObserverGone)];
    assert_eq!(node.instruct(await_second.clone()), gone);
    assert_eq!(node.instruct(await_second.clone()), []);
    assert_eq!(node.instruct(Instruction::Resume), gone);
    assert!(!node.node.is_waiting());

    let mut node = Driven::new(1);
    assert_eq!(node.instruct(await_second), []);
    assert_eq!(node.step(Input::ObserverGone), gone);
}

#[test]
fn the_markers_that_are_owed_go_first_on_a_new_channel_unless_none_is_owed() {
    let mut node = Driven::new(1);
    node.begin(SnapshotId(2));
    node.begin(FIRST);
    let (outgoing, incoming) = (1, 1);
    let opens = Effect::Open { outgoing, incoming };
    let owed = [marker(1, SnapshotId(2)), marker(1, FIRST)];
    let opened = node.open(&[peer(2)], &[peer(2)], true);
    let mut wanted = vec![opens.clone()];
    wanted.extend(owed);
    wanted.push(reply(Reply::Opened));
    assert_eq!(opened, wanted, "in the order of the recording");
    assert_eq!(node.node.frames_sent(Outgoing(1)), 2);

    let opened = node.open(&[peer(3)], &[peer(3)], false);
    assert_eq!(opened, [opens, reply(Reply::Opened)]);
    assert_eq!(node.node.frames_sent(Outgoing(2)), 0);
}

#[test]
fn the_first_marker_is_relayed_before_it_is_reported_and_the_second_closes_a_channel() {
    let mut node = Driven::new(2);
    let (snapshot, recorded) = (FIRST, true);
    let first = node.receive(1, Frame::Marker(snapshot));
    let marked = reply(Reply::Marker { snapshot, recorded });
    assert_eq!(first, [marker(0, FIRST), marker(1, FIRST), marked]);
    let recorded = false;
    let second = node.receive(2, Frame::Marker(snapshot));
    assert_eq!(second, [reply(Reply::Marker { snapshot, recorded })]);
    let again = node.instruct(Instruction::Receive { from: Place(2) });
    assert_eq!(again, [Effect::Take(Incoming(1))]);
    let again = node.try_step(Input::Frame(Frame::Marker(snapshot)));
    let from = NodeId(12);
    assert!(matches!(again, Err(Broken::Channel { from: who, .. }) if who == from));
}

#[test]
fn a_part_is_handed_over_once_and_only_when_it_is_complete() {
    let mut node = Driven::new(2);
    let snapshot = FIRST;
    let (to, amount) = (Place(2), 30);
    node.instruct(Instruction::Send { to, amount });
    node.begin(snapshot);
    node.receive(1, transfer(5));
    let waiting = |recorded: bool, peers: &[u32]| {
        let peers = peers.iter().copied().map(Place).collect();
        Effect::Report(Report::Waiting { recorded, peers })
    };
    let asked = Effect::Report(Report::Asked);
    let other = Order::Ask {
        snapshot: SnapshotId(9),
    };
    assert_eq!(node.order(other), [waiting(false, &[1, 2]), asked.clone()]);
    let ask = Order::Ask { snapshot };
    assert_eq!(node.order(ask), [waiting(true, &[1, 2]), asked.clone()]);

    node.receive(1, Frame::Marker(snapshot));
    assert_eq!(node.order(ask), [waiting(true, &[2]), asked.clone()]);
    let give = Order::Give { snapshot };
    let nothing = [Effect::Report(Report::Given { complete: false })];
    assert_eq!(node.order(give), nothing);

    node.receive(2, Frame::Marker(snapshot));
    assert_eq!(node.order(ask), [asked]);
    let (balance, from, amounts) = (70, Place(1), vec![5]);
    let tally = snapshot::Tally::default().extended_by([30]);
    let part = [
        Report::Account { snapshot, balance },
        Report::Sent { to, tally },
        Report::Transit { from, amounts },
        Report::Given { complete: true },
    ];
    assert_eq!(node.order(give), part.map(Effect::Report));
    assert_eq!(node.order(give), nothing, "there was one copy");
}

#[test]
fn what_is_found_in_a_channel_comes_in_as_many_replies_as_it_takes() {
    for (there, replies) in [
        (0, 1),
        (1, 1),
        (FRAMES, 1),
        (FRAMES + 1, 2),
        (3 * FRAMES, 3),
    ] {
        let mut node = Driven::new(1);
        let from = Place(1);
        let asked = node.instruct(Instruction::ReadToEnd { from });
        assert_eq!(asked, [Effect::ReadToEnd(Incoming(0))]);
        let in_channel: Vec<Frame> = (0..there as u64).map(transfer).collect();
        let effects = node.step(Input::Found(in_channel.clone()));
        assert_eq!(effects.len(), replies, "{there} frames");
        let mut all = Vec::new();
        for (number, effect) in (1..).zip(effects) {
            let Effect::Reply(found @ Reply::Found { .. }) = effect else {
                panic!("{effect:?}");
            };
            assert!(pipes::encode(&found, &mut Vec::new()).is_ok(), "it fits");
            if let Reply::Found { frames, last } = found {
                all.extend(frames);
                assert_eq!(last, number == replies);
            }
        }
        assert_eq!(all, in_channel);
        assert_eq!(
            node.node.frames_received(Incoming(0)),
            0,
            "nothing was taken"
        );
    }
}

#[test]
fn a_channel_is_read_ahead_as_far_as_master_says() {
    let mut node = Driven::new(2);
    let (from, frames) = (Place(2), 7);
    let asked = node.instruct(Instruction::ReadAhead { from, frames });
    assert_eq!(asked, [Effect::ReadAhead(Incoming(1), 7)]);
    let frames = 3;
    assert_eq!(node.step(Input::Ahead(3)), [reply(Reply::Ahead { frames })]);
    // What is behind that is not of interest, and what was received need not be there.
    node.receive(2, transfer(1));
    let (frames, wanted) = (3, 2);
    let asked = node.instruct(Instruction::ReadAhead { from, frames });
    assert_eq!(asked, [Effect::ReadAhead(Incoming(1), wanted)]);
    let (frames, nothing) = (wanted, 0);
    assert_eq!(node.step(Input::Ahead(9)), [reply(Reply::Ahead { frames })]);
    let (read, frames) = (1, nothing);
    let read = Instruction::ReadAhead { from, frames: read };
    assert_eq!(node.instruct(read), [reply(Reply::Ahead { frames })]);
}

#[test]
fn both_ends_of_a_channel_count_the_same_frames_and_both_ends_of_a_pipe_the_same_instructions() {
    let (mut one, mut two) = (Driven::new(1), Driven::new(1));
    let (to, amount) = (Place(1), 1);
    let mut sent = one.instruct(Instruction::Send { to, amount });
    sent.extend(one.begin(FIRST));
    sent.extend(one.begin(SnapshotId(2)));
    sent.extend(one.instruct(Instruction::Send { to, amount }));
    sent.extend(one.load(Some(40)));
    let round = one.node.round().unwrap();
    let push = |batch: Batch<'_>| batch.collect::<Vec<_>>();
    let batch = one.node.make_batch(&round, Outgoing(0), push).unwrap();

    let mut received = 0;
    for effect in sent {
        if let Effect::Frame(to, frame) = effect {
            assert_eq!(to, Outgoing(0));
            two.receive(1, frame);
            received += 1;
            assert_eq!(two.node.frames_received(Incoming(0)), received);
        }
    }
    assert_eq!(received, 4);
    let run = two.node.receive_run(Incoming(0), batch, &mut Vec::new());
    assert!(!run.unwrap());
    let frames = one.node.frames_sent(Outgoing(0));
    assert!(frames > 4);
    assert_eq!(two.node.frames_received(Incoming(0)), frames);
    assert_eq!(one.node.instructions(), 6, "orders are none");
}

#[test]
fn only_a_verbose_node_says_what_it_does() {
    let said = |verbose| {
        let mut node = Node::new(NodeId(7), 1, verbose);
        let (mut effects, snapshot) = (Vec::new(), FIRST);
        for input in [
            Input::Order(Order::Take { snapshot }),
            Input::Instruction(Instruction::AwaitTake { snapshot }),
        ] {
            node.step(input, &mut effects).unwrap();
        }
        effects.retain(|effect| matches!(effect, Effect::Say(_)));
        effects
    };
    assert_eq!(said(false), []);
    let line = "node 7: records 1 for snapshot 1, sends its marker to everybody";
    assert_eq!(said(true), [Effect::Say(line.to_owned())]);
}
