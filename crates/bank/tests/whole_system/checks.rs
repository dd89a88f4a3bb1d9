//! What must hold of a system that has come to rest, whoever died on the way.

use std::collections::BTreeMap;

use bank::account::{Incoming, Outgoing};
use bank::id::{NodeId, Place};
use bank::master::Notice;
use bank::member::Frame;
use bank::script::{Command, Statement};
use history::{Event, Overall, ProcessId, Verifier, What};

use super::world::{Complaint, World};

/// Everything that must hold after a script of one system.
pub fn check(
    world: &World,
    statements: &[Statement],
    deposits: &[(NodeId, u64)],
) -> Result<(), Complaint> {
    money_adds_up(world, deposits)?;
    master_knows_what_is_in_channels(world)?;
    both_ends_count_the_same(world)?;
    the_history_is_right(&world.history)?;
    world.network.check()?;
    the_history_and_what_is_told_agree(world, statements, deposits)
}

pub fn transfers<'f>(frames: impl Iterator<Item = &'f Frame>) -> u128 {
    frames
        .map(|frame| match frame {
            Frame::Message(transfer) => u128::from(transfer.0),
            Frame::Marker(_) => 0,
        })
        .sum()
}

/// What the living have, what they can still receive, and what was reported as lost are the deposits.
fn money_adds_up(world: &World, deposits: &[(NodeId, u64)]) -> Result<(), Complaint> {
    let deposited: u128 = deposits.iter().map(|(_, amount)| u128::from(*amount)).sum();
    let living = world.nodes.iter().filter(|(place, _)| world.lives(**place));
    let balances: u128 = living
        .map(|(_, process)| u128::from(process.node.member().account().balance()))
        .sum();
    let receivable = world
        .channels
        .iter()
        .filter(|((_, to), _)| world.lives(*to));
    let in_channels: u128 = receivable.map(|(_, pipe)| transfers(pipe.frames())).sum();
    let lost: u128 = world
        .notices
        .iter()
        .map(|notice| match notice {
            Notice::LostWith {
                balance,
                into,
                unwritten,
                ..
            } => u128::from(*balance) + into.amount + unwritten.amount,
            _ => 0,
        })
        .sum();
    if balances + in_channels + lost == deposited {
        return Ok(());
    }
    Err(format!(
        "of {deposited}, the living have {balances}, {in_channels} can be received, and {lost} is \
         reported as lost"
    ))
}

/// What master takes to be in a channel to a living node is there, in kind, amount and order.
fn master_knows_what_is_in_channels(world: &World) -> Result<(), Complaint> {
    for ((from, to), pipe) in &world.channels {
        if !world.lives(*to) {
            continue;
        }
        let there: Vec<Frame> = pipe.frames().copied().collect();
        let known: Vec<Frame> = world.master.in_transit(*from, *to).collect();
        if there != known {
            return Err(format!(
                "in the channel {from} → {to} is {there:?}, and master thinks {known:?}"
            ));
        }
    }
    Ok(())
}

/// Instructions and frames, markers included, are counted at both ends.
fn both_ends_count_the_same(world: &World) -> Result<(), Complaint> {
    let living = |place: &Place| world.lives(*place);
    for (place, process) in world.nodes.iter().filter(|(place, _)| living(place)) {
        let (counted, sent) = (
            process.node.instructions(),
            world.master.instructions(*place),
        );
        if Some(counted) != sent {
            return Err(format!(
                "node {place} counts {counted} instructions, master {sent:?}"
            ));
        }
        for (slot, from) in process.incoming.iter().enumerate() {
            let received = process.node.frames_received(Incoming(slot));
            let taken = world.master.frames_taken(*from, *place);
            let way = world.channels[&(*from, *place)].frames().count() as u64;
            let sender = &world.nodes[from];
            let at = sender.outgoing.iter().position(|to| to == place);
            let at = at.filter(|_| living(from));
            let sent = at.map(|at| sender.node.frames_sent(Outgoing(at)));
            if received != taken || sent.is_some_and(|sent| sent != received + way) {
                return Err(format!(
                    "{from} → {place}: {received} frames received, {taken} as master counts, \
                     {way} on the way, {sent:?} sent"
                ));
            }
        }
    }
    Ok(())
}

/// The verifier accepts it.
pub fn the_history_is_right(history: &[Event]) -> Result<(), Complaint> {
    let mut verifier = Verifier::new();
    for (event, line) in history.iter().zip(1..) {
        verifier.on_event(event, line);
    }
    let report = verifier.finish();
    if report.overall() == Overall::Invalid || report.is_partial() {
        return Err(format!("the history is not right: {report:?}"));
    }
    Ok(())
}

/// Of every send, the history says that it was carried out or refused, or else it is reported that it
/// has failed; the balance with which a node died follows from the history.
fn the_history_and_what_is_told_agree(
    world: &World,
    statements: &[Statement],
    deposits: &[(NodeId, u64)],
) -> Result<(), Complaint> {
    let mut said: BTreeMap<u64, u32> = BTreeMap::new();
    for (line, _) in &world.failures {
        *said.entry(*line).or_default() += 1;
    }
    let mut balances: BTreeMap<ProcessId, i128> = deposits
        .iter()
        .map(|(id, deposit)| (ProcessId(id.0), i128::from(*deposit)))
        .collect();
    for event in &world.history {
        let counts = match &event.what {
            What::Send {
                channel, amount, ..
            } => {
                *balances.entry(channel.from).or_default() -= *amount;
                true
            }
            What::Receive {
                channel, amount, ..
            } => {
                *balances.entry(channel.to).or_default() += *amount;
                true
            }
            What::Refuse { .. } | What::MarkerReceived { .. } | What::Begin { .. } => true,
            _ => false,
        };
        if counts && let Some(line) = event.line {
            *said.entry(line).or_default() += 1;
        }
    }
    for statement in statements {
        let once = matches!(
            statement.command,
            Command::Send { .. } | Command::Receive { .. } | Command::BeginSnapshot { .. }
        );
        let said = said.get(&statement.line).copied().unwrap_or(0);
        if once && said != 1 {
            return Err(format!("{statement:?} has {said} outcomes"));
        }
    }
    for notice in &world.notices {
        if let Notice::LostWith { node, balance, .. } = notice {
            let history = balances.get(&ProcessId(node.0)).copied();
            if history != Some(i128::from(*balance)) {
                return Err(format!(
                    "node {node} is reported to have died with {balance}, and the history says {history:?}"
                ));
            }
        }
    }
    Ok(())
}
