//! What a process did that did not answer before it died.
//!
//! A process does what it is told in order. So where a channel holds the effect of a command, or
//! somebody has received it, all commands before that one were carried out too, and what they did
//! follows from the balance. What came after nobody will ever know, and it is not written.

use history::{Channel, Content, ProcessId, SnapshotId};

use super::{Chronicle, channel};
use crate::master::channels::Taken;
use bank::id::NodeId;

/// A command that a process did not answer before it died.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unanswered {
    Send { to: NodeId, amount: u64 },
    Receive { from: NodeId, expected: Taken },
    Begin { snapshot: snapshot::SnapshotId },
}

impl Unanswered {
    /// The snapshot for which it has the process record its state.
    pub(super) fn records(&self) -> Option<snapshot::SnapshotId> {
        match *self {
            Self::Begin { snapshot }
            | Self::Receive {
                expected:
                    Taken::Marker {
                        snapshot,
                        records: true,
                    },
                ..
            } => Some(snapshot),
            Self::Send { .. } | Self::Receive { .. } => None,
        }
    }
}

impl Chronicle {
    /// Writes what the sender of a channel did before it died, until this transfer comes next, which
    /// is received on this line.
    pub(super) fn infer_transfer(&mut self, line: u64, channel: Channel, amount: u64) {
        let wanted = Content::Amount(amount);
        self.infer_until(line, channel, wanted, |unanswered| {
            matches!(*unanswered, Unanswered::Send { to, amount: sent }
                if to.0 == channel.to.0 && sent == amount)
        });
    }

    /// Writes what the sender of a channel did before it died, until this comes next on the channel;
    /// nothing, where none of its commands before this line can have sent it.
    pub(super) fn infer_until(
        &mut self,
        line: u64,
        channel: Channel,
        wanted: Content,
        can_have_sent: impl Fn(&Unanswered) -> bool,
    ) {
        while self.next(channel) != Some(wanted) {
            let is_known = self.member(channel.from).is_some_and(|member| {
                let mut unanswered = member.unanswered.iter();
                unanswered.any(|(at, unanswered)| *at < line && can_have_sent(unanswered))
            });
            if !is_known || !self.infer_next(channel.from) {
                return;
            }
        }
    }

    /// Writes what a dead process did at the first command that it has not answered; whether there
    /// was one.
    pub(super) fn infer_next(&mut self, process: ProcessId) -> bool {
        let Some(member) = self.member(process) else {
            return false;
        };
        let balance = member.balance;
        let Some((line, unanswered)) = member.unanswered.pop_front() else {
            return false;
        };
        match unanswered {
            Unanswered::Send { to, amount } => {
                let to = ProcessId(to.0);
                // What the dead would have received, nobody knows; and what is more than there
                // was, was refused.
                let is_heard = self.member(to).is_some_and(|peer| !peer.is_dead);
                if is_heard && amount <= balance {
                    let channel = Channel { from: process, to };
                    self.send(line, channel, amount, true);
                }
            }
            Unanswered::Receive { from, expected } => {
                let channel = channel(from, NodeId(process.0));
                if let Taken::Transfer(amount) = expected {
                    self.infer_transfer(line, channel, amount);
                }
                match (expected, self.next(channel)) {
                    (Taken::Transfer(amount), Some(Content::Amount(next))) if amount == next => {
                        self.receive(line, channel, amount);
                    }
                    (Taken::Marker { snapshot, records }, Some(Content::Marker(next)))
                        if snapshot.0 == next.0 =>
                    {
                        let recorded = records.then_some(balance);
                        self.receive_marker(line, channel, next, recorded, true);
                    }
                    // Its sender died too, and before: the channel had ended.
                    _ => {}
                }
            }
            Unanswered::Begin { snapshot } => {
                self.begin(line, process, SnapshotId(snapshot.0), balance, true);
            }
        }
        true
    }
}
