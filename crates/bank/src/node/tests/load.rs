//! What a node does under load.

use super::*;

#[test]
fn under_load_orders_are_obeyed_at_once_and_also_those_that_came_before() {
    let (snapshot, second) = (FIRST, SnapshotId(2));
    let mut node = Driven::new(1);
    node.order(Order::Take { snapshot });
    let begun = node.load(None);
    let (others, pin) = (OTHERS, None);
    let runs = Effect::RunFreely { others, pin };
    assert_eq!(begun, [runs, marker(0, FIRST)]);
    let take = Order::Take { snapshot: second };
    assert_eq!(node.order(take), [marker(0, second)]);
}

#[test]
fn under_load_a_part_is_handed_over_as_soon_as_it_is_complete() {
    let mut node = Driven::new(1);
    let snapshot = FIRST;
    node.load(Some(0));
    let mut frames = [transfer(1), Frame::Marker(snapshot), transfer(2)].into_iter();
    let from = Incoming(0);
    let there_is_more = node
        .node
        .receive_run(from, frames.by_ref(), &mut node.effects);
    assert!(there_is_more.unwrap());
    assert_eq!(node.effects.first(), Some(&marker(0, snapshot)));
    let given = Effect::Report(Report::Given { complete: true });
    assert_eq!(node.effects.last(), Some(&given));
    assert_eq!(frames.len(), 1);
    assert_eq!(node.node.frames_received(from), 2);

    // Nobody sends to this one.
    let mut node = Driven::new(0);
    node.load(Some(0));
    let alone = node.order(Order::Take { snapshot });
    let balance = 100;
    let part = [
        Report::Account { snapshot, balance },
        Report::Given { complete: true },
    ];
    assert_eq!(alone, part.map(Effect::Report));
}

#[test]
fn under_load_as_many_transfers_are_made_as_master_said_and_no_money_is_made() {
    let mut node = Driven::new(3);
    node.load(Some(1000));
    let mut sent = Vec::new();
    while let Some(round) = node.node.round() {
        for to in 0..3 {
            let push = |batch: Batch<'_>| sent.extend(batch);
            node.node.make_batch(&round, Outgoing(to), push).unwrap();
        }
    }
    assert_eq!(sent.len(), 1000);
    let amounts = sent.into_iter().map(amount);
    let balance = node.node.member().account().balance();
    assert_eq!(amounts.sum::<u64>() + balance, 100);
}

#[test]
fn under_load_a_node_without_outgoing_channels_has_made_all_that_it_will() {
    for quota in [Some(9), None] {
        let mut node = Driven::new(0);
        node.load(quota);
        assert!(node.node.round().is_none());
        node.node.say_when_it_is_time(&mut node.effects);
        assert_eq!(node.effects, [reply(Reply::Generated)]);
    }
}

#[test]
fn under_load_money_moves_as_long_as_there_is_any_however_little() {
    for balance in [0, 1, 2, 100] {
        let mut node = Driven::with(3, balance);
        node.load(None);
        let mut sent = Vec::new();
        for _ in 0..20 {
            let round = node.node.round().unwrap();
            let push = |batch: Batch<'_>| sent.extend(batch);
            node.node.make_batch(&round, Outgoing(0), push).unwrap();
        }
        let amounts: Vec<u64> = sent.into_iter().map(amount).collect();
        assert_eq!(amounts.iter().sum::<u64>(), balance);
        // Of nothing only once there is nothing.
        let moved: Vec<&u64> = amounts.iter().take_while(|amount| **amount > 0).collect();
        assert_eq!(moved.into_iter().sum::<u64>(), balance, "{amounts:?}");
    }
}

#[test]
fn under_load_what_comes_when_it_is_time_comes_once() {
    let mut node = Driven::new(1);
    let said = |node: &mut Driven| {
        node.node.say_when_it_is_time(&mut node.effects);
        std::mem::take(&mut node.effects)
    };
    assert_eq!(said(&mut node), []);
    node.load(None);
    assert_eq!(said(&mut node), []);
    node.instruct(Instruction::Rest);
    assert_eq!(said(&mut node), [reply(Reply::Generated)]);
    assert_eq!(said(&mut node), []);
    let transfers = 2;
    node.instruct(Instruction::Settle { transfers });
    for (received, frame) in (1..).zip([transfer(3), transfer(4)]) {
        assert_eq!(said(&mut node), []);
        let run = node.node.receive_run(Incoming(0), [frame], &mut Vec::new());
        assert!(!run.unwrap());
        let counted = node.instruct(Instruction::Count);
        assert_eq!(counted, [reply(Reply::Counted { received })]);
    }
    let (received, balance) = (2, 107);
    assert_eq!(
        said(&mut node),
        [reply(Reply::Settled { received, balance })]
    );
    assert_eq!(said(&mut node), []);
}
