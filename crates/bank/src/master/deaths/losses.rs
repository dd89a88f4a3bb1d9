//! What is lost with a dead node, once it is known what it has carried out.

use super::super::channels::Transfers;
use super::replay::{Known, Reconstruction};
use crate::id::Place;

/// What is lost with a dead node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    /// What was in its account.
    pub(super) balance: u64,
    /// What was on the way to it.
    pub(super) into: Transfers,
    /// What it had sent but not written.
    pub(super) unwritten: Transfers,
}

impl Loss {
    /// What one of the dead has lost, after everything was replayed. Of a transfer from one of the
    /// dead to another: it was on the way, unless the other has found the end of the channel.
    pub(super) fn of(node: Place, known: &Known<'_>, replay: &Reconstruction) -> Self {
        let mut loss = Self {
            balance: replay.balances.get(&node).copied().unwrap_or(0),
            into: Transfers::default(),
            unwritten: Transfers::default(),
        };
        let channels = &replay.channels;
        for from in known.bank.topology.incoming(node) {
            if !known.has_ended(*from, node) {
                loss.into.add(channels.transfers_behind(*from, node, 0));
            }
        }
        for to in known.bank.topology.outgoing(node) {
            let found = known.found.get(&(node, *to)).map(Vec::len);
            let written = match (known.is_dead(*to), found) {
                (false, Some(found)) => found,
                (true, _) if known.has_ended(node, *to) => 0,
                _ => continue,
            };
            let lost = channels.transfers_behind(node, *to, written);
            loss.unwritten.add(lost);
        }
        loss
    }
}
