//! An image is all of a node, and nothing else is one.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use snapshot::SnapshotId;

use super::*;
use crate::account::Incoming;
use crate::member::Frame;
use crate::messages::{Instruction, Opening, Order, Peer};
use crate::node::{Effect, Input, Restoring};

/// A node under load with a snapshot in progress, one that is complete and one that is over; its journal
/// beside it.
fn busy(seed: u64) -> (Node, Vec<u8>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let restoring = Restoring::new(NodeId(10), 1000, false, 0);
    let mut node = restoring.with_segments_of(40).done().unwrap();
    let peers: Vec<Peer> = { 1..4 }
        .map(|place| Peer {
            place: Place(place * 50),
            id: NodeId(u64::from(place)),
        })
        .collect();
    let opening = Opening {
        outgoing: peers.clone(),
        incoming: peers,
        owing: true,
    };
    let mut effects = Vec::new();
    let (quota, others, pin) = (None, 3, None);
    for instruction in [
        Instruction::Open(opening.into()),
        Instruction::Load {
            seed,
            quota,
            others,
            pin,
        },
    ] {
        let input = Input::Instruction(instruction);
        node.step(input, &mut effects).unwrap();
    }
    let mut journal = Vec::new();
    let marker = |id| Frame::Marker(SnapshotId(id));
    let mut receive = |node: &mut Node, from, marker: Option<Frame>| {
        let transfers = 1 + random.next_u32() % 200;
        let transfers = { 0..transfers }.map(|_| Frame::Message(Transfer(random.next_u64() % 300)));
        let frames: Vec<Frame> = transfers.chain(marker).collect();
        let mut effects = Vec::new();
        node.receive_run(Incoming(from), frames, &mut effects)
            .unwrap();
    };
    let mut send = |node: &mut Node| {
        let round = node.round().unwrap();
        for to in [0, 2] {
            let to = crate::account::Outgoing(to);
            node.make_batch(&round, to, |batch| batch.for_each(drop));
        }
        node.take_unkept(|bytes| journal.extend_from_slice(bytes));
        drop(node.next_segment());
    };
    let mut order = |node: &mut Node, order| {
        node.step(Input::Order(order), &mut effects).unwrap();
    };
    for snapshot in [1, 2, 3].map(SnapshotId) {
        send(&mut node);
        order(&mut node, Order::Take { snapshot });
        for from in 0..3 {
            let comes = snapshot.0 < 3 || from == 1;
            receive(&mut node, from, comes.then(|| marker(snapshot.0)));
            receive(&mut node, from, None);
        }
        send(&mut node);
    }
    let last = SnapshotId(1);
    order(&mut node, Order::Forget { last });
    send(&mut node);
    assert!(effects.iter().any(|it| matches!(it, Effect::BeginSegment)));
    (node, journal)
}

/// What a node does from now on, and how it is then.
fn future(mut node: Node) -> (Vec<Effect>, Vec<Frame>, impl PartialEq + std::fmt::Debug) {
    let (mut effects, mut sent) = (Vec::new(), Vec::new());
    for from in [2, 0] {
        let frames = [5, 6].map(|amount| Frame::Message(Transfer(amount)));
        let all = frames.into_iter().chain([Frame::Marker(SnapshotId(3))]);
        node.receive_run(Incoming(from), all, &mut effects).unwrap();
        let round = node.round().unwrap();
        let to = crate::account::Outgoing(round.first);
        node.make_batch(&round, to, |batch| sent.extend(batch));
    }
    for order in [
        Order::Recall,
        Order::Forget {
            last: SnapshotId(3),
        },
        Order::Take {
            snapshot: SnapshotId(4),
        },
    ] {
        node.step(Input::Order(order), &mut effects).unwrap();
    }
    effects.retain(|effect| !matches!(effect, Effect::BeginSegment));
    let drawing = node.load.map(|load| load.kept());
    (effects, sent, (node.member, drawing))
}

#[test]
fn a_node_from_its_image_and_one_from_its_journal_go_on_like_itself() {
    for seed in 0..30 {
        let (node, journal) = busy(seed);
        let image = node.image();
        let restoring = Restoring::from_image(&image, false, 1).unwrap();
        let from_image = restoring.done().unwrap();
        assert_eq!(from_image.member, node.member);
        assert_eq!(from_image.image(), image);

        let mut restoring = Restoring::new(NodeId(10), 1000, false, 1);
        restoring.redo(&journal).unwrap();
        let from_journal = restoring.done().unwrap();
        assert_eq!(from_journal.member, node.member);

        let future_of_node = future(node);
        assert_eq!(future(from_image), future_of_node);
        assert_eq!(future(from_journal), future_of_node);
    }
}

#[test]
fn a_part_of_an_image_or_more_than_it_or_another_version_is_none() {
    let (node, _) = busy(1);
    let mut image = node.image();
    for end in 0..image.len() {
        assert!(read_node(&image[..end], false).is_err(), "{end}");
    }
    image.push(0);
    assert!(read_node(&image, false).is_err());
    image.pop();
    assert!(read_node(&image, false).is_ok());
    image[0] = 2;
    assert!(read_node(&image, false).is_err());
}

#[test]
fn garbage_in_images_and_journals_is_an_error_and_never_a_panic() {
    let (node, journal) = busy(2);
    let image = node.image();
    for seed in 0..400 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut image, mut journal) = (image.clone(), journal.clone());
        for bytes in [&mut image, &mut journal] {
            let changes = 1 + random.next_u32() % 3;
            for _ in 0..changes {
                let at = random.next_u32() as usize % bytes.len();
                bytes[at] = random.next_u32() as u8;
            }
        }
        if let Ok(mut restoring) = Restoring::from_image(&image, false, u64::MAX) {
            let _ = restoring.redo(&journal);
        }
        let mut restoring = Restoring::new(NodeId(10), 1000, false, 0);
        let _ = restoring.redo(&journal);
        let mut resending = super::super::Resending::new(NodeId(10), 1000, &[]);
        let _ = resending.redo(&journal, |_, _| {});
    }
}
