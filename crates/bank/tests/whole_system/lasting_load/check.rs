//! What must hold of a bank under load, whoever has died.

use bank::account::{Incoming, Outgoing};
use bank::id::Place;

use super::World;
use crate::world::Complaint;

impl World {
    /// A node whose journal is up to date would come back as it is.
    pub(super) fn compare_with_journal(&self, place: Place) -> Result<(), Complaint> {
        let node = &self.nodes[&place].node;
        let again = self.restored(place, self.answered(place))?;
        match again.image() == node.image() {
            true => Ok(()),
            false => Err(format!(
                "node {place} would come back as {again:?} and is {node:?}"
            )),
        }
    }

    /// How many of a node's replies master has heard, or will hear before it is started again: during a
    /// load that is as many as there were before.
    fn answered(&self, place: Place) -> u64 {
        match self.load {
            Some(_) => self.master.instructions(place).unwrap_or(0),
            None => 0,
        }
    }

    /// When everything has come to rest.
    pub(super) fn check(&mut self) -> Result<(), Complaint> {
        self.network.check()?;
        let load = self.load.as_ref().ok_or("no load")?;
        let deposits = u128::from(self.disorder.balance) * self.disorder.nodes as u128;
        if load.balances() != Some(deposits) {
            let found = load.balances();
            return Err(format!("there are {found:?} of {deposits}"));
        }
        let (sent, received) = (load.sent(), load.received());
        if sent != received {
            return Err(format!("{sent} were sent and {received} received"));
        }
        if let Some(quota) = self.disorder.quota
            && sent > quota * self.disorder.nodes as u64
        {
            return Err(format!("{sent} were sent, more than there should be"));
        }
        for place in self.nodes.keys() {
            self.compare_with_journal(*place)?;
            let process = &self.nodes[place];
            let account = process.node.member().account();
            for (slot, end) in account.outgoing().iter().enumerate() {
                let receiver = &self.nodes[&end.peer].node;
                let ends = receiver.member().account().incoming();
                let from = ends.iter().position(|end| end.peer == *place);
                let received = receiver.frames_received(Incoming(from.ok_or("no channel")?));
                let sent = process.node.frames_sent(Outgoing(slot));
                if sent != received {
                    return Err(format!("{place} → {}: {sent}, {received}", end.peer));
                }
            }
            let segments = self.kept[place].segments.len();
            if self.forgets && segments > 1 {
                return Err(format!("node {place} still has {segments} segments"));
            }
        }
        Ok(())
    }
}
