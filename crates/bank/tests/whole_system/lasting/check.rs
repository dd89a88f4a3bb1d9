//! What must hold of a system that lasts when it has come to rest: all is as if nobody had died.

use bank::account::{Incoming, Outgoing};
use bank::id::{NodeId, Place};
use bank::member::Frame;
use bank::node::Node;
use reference::interpret_in_turn;

use super::World;
use crate::checks::{the_history_is_right, transfers};
use crate::world::Complaint;

/// Everything that must hold after these scripts, whoever died; these are the deposits of the last bank.
pub fn check(
    world: &World,
    scripts: &[String],
    seed: u64,
    deposits: &[(NodeId, u64)],
) -> Result<(), Complaint> {
    let failed = world.failures.iter().map(|(line, _)| *line).collect();
    let last = (world.stdout.clone(), failed);
    let runs = world.earlier.iter().chain([&last]);
    for ((stdout, failed), expected) in runs.zip(interpret_in_turn(scripts, seed)) {
        if *stdout != expected.stdout {
            return Err(format!(
                "stdout is\n{stdout}and must be\n{}",
                expected.stdout
            ));
        }
        let must: Vec<u64> = expected.failures.iter().map(|it| it.line as u64).collect();
        if *failed != must {
            return Err(format!("lines {failed:?} failed, and lines {must:?} must"));
        }
    }
    nothing_is_lost(world, deposits)?;
    world.network.check()?;
    the_history_is_right(&world.history)
}

/// Whoever died when, and however far ahead master was: every node carries out the same in the same order.
pub fn are_told_the_same(one: &World, other: &World) -> Result<(), Complaint> {
    let journals = |world: &World| -> Vec<(Place, Vec<u8>)> {
        // Where KillAll was the last, a bank that was opened is removed only with the next script.
        let kept = world.kept.get(&world.round).filter(|_| world.is_open);
        let kept = kept.into_iter().flatten();
        kept.map(|(place, kept)| (*place, kept.records())).collect()
    };
    match (journals(one), journals(other)) {
        (one, other) if one == other => Ok(()),
        (one, other) => Err(format!("nodes have carried out\n{one:?}\nand\n{other:?}")),
    }
}

/// Whatever is in no account is on its way, in the order in which it was sent, and master knows of it.
pub(super) fn nothing_is_lost(world: &World, deposits: &[(NodeId, u64)]) -> Result<(), Complaint> {
    let mut money = 0;
    let mut nodes = Vec::new();
    // Where KillAll was the last, there is none.
    let Some(kept) = { world.kept.get(&world.round) }.filter(|_| world.is_open) else {
        return Ok(());
    };
    for place in kept.keys() {
        let answered = world.master.instructions(*place).unwrap_or(0);
        nodes.push((*place, world.restored(*place, answered)?));
    }
    for (to, receiver) in &nodes {
        money += u128::from(receiver.member().account().balance());
        for (slot, end) in receiver.member().account().incoming().iter().enumerate() {
            let received = receiver.frames_received(Incoming(slot));
            let sender = &nodes[end.peer.index()].1;
            let on_the_way = match outgoing(sender, *to) {
                Some(channel) => world.frames_behind(end.peer, channel, received)?,
                None => Vec::new(),
            };
            let known: Vec<Frame> = world.master.in_transit(end.peer, *to).collect();
            if on_the_way != known {
                return Err(format!(
                    "{} → {to}: {on_the_way:?} is on its way, and master thinks {known:?}",
                    end.peer
                ));
            }
            money += transfers(on_the_way.iter());
        }
    }
    let deposited: u128 = deposits.iter().map(|(_, amount)| u128::from(*amount)).sum();
    match money == deposited {
        true => Ok(()),
        false => Err(format!("there are {money} of {deposited}")),
    }
}

fn outgoing(sender: &Node, to: Place) -> Option<Outgoing> {
    let ends = sender.member().account().outgoing();
    ends.iter().position(|end| end.peer == to).map(Outgoing)
}
