//! The bank's half of the audit: is the money all there?
//!
//! `snapshot::audit` shows from the tallies that the cut is consistent. With that, two things are
//! left to check, from the definition of a bank: each balance is its deposit plus what was
//! received minus what was sent, and balances and money in transit add up to the deposits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use snapshot::{Part, SnapshotId, Violation};

use crate::id::NodeId;

/// What one node handed over of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Handed {
    /// The recorded balance.
    pub balance: u64,
    /// Tallies and channel states; amounts stand for the transfers.
    pub part: Part<NodeId, u64>,
}

/// A collected snapshot that has passed the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalSnapshot {
    /// Its number.
    pub id: SnapshotId,
    /// Every member's recorded balance.
    pub accounts: BTreeMap<NodeId, u64>,
    /// What was in transit, in order, by (from, to); channels that were empty are not listed.
    pub transit: BTreeMap<(NodeId, NodeId), Vec<u64>>,
    /// The channels that there were, where there was not one for every ordered pair of members.
    pub sparse: Option<BTreeSet<(NodeId, NodeId)>>,
}

impl GlobalSnapshot {
    /// A snapshot of this number, still to be filled.
    #[must_use]
    pub fn new(id: SnapshotId) -> Self {
        Self {
            id,
            accounts: BTreeMap::new(),
            transit: BTreeMap::new(),
            sparse: None,
        }
    }

    /// Every channel in the order of the output (source, then destination) with its state.
    pub fn channels(&self) -> impl Iterator<Item = (NodeId, NodeId, &[u64])> {
        let members = move || {
            self.accounts
                .keys()
                .copied()
                .filter(|_| self.sparse.is_none())
        };
        let mesh = members()
            .flat_map(move |from| members().map(move |to| (from, to)))
            .filter(|(from, to)| from != to);
        let sparse = self.sparse.iter().flatten().copied();
        mesh.chain(sparse).map(|(from, to)| {
            let amounts = self.transit.get(&(from, to)).map_or(&[][..], Vec::as_slice);
            (from, to, amounts)
        })
    }

    /// All the money in it: balances and what was in transit.
    #[must_use]
    pub fn total(&self) -> u128 {
        let balances = self.accounts.values().map(|balance| u128::from(*balance));
        let transit = self.transit.values().flatten();
        balances
            .chain(transit.map(|amount| u128::from(*amount)))
            .sum()
    }
}

/// Why a snapshot is not what it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Unsound {
    /// The cut is not consistent.
    #[error("{0}")]
    Channel(Violation<NodeId>),
    /// A balance does not follow from what went through the account.
    #[error(
        "node {node} recorded a balance of {balance}, but its deposit of {deposit} with \
         {received} received and {sent} sent gives another"
    )]
    Balance {
        /// The account.
        node: NodeId,
        /// What it was created with.
        deposit: u64,
        /// The sum of what it had received.
        received: u128,
        /// The sum of what it had sent.
        sent: u128,
        /// What it recorded.
        balance: u64,
    },
    /// Money has appeared or disappeared.
    #[error("balances and money in transit add up to {found}, but {deposited} was deposited")]
    Total {
        /// The sum of all deposits.
        deposited: u128,
        /// What the snapshot holds.
        found: u128,
    },
    /// A node said that its part was complete and then did not give it.
    #[error("node {node} did not hand over the part that it had said was complete")]
    Withheld {
        /// The node.
        node: NodeId,
    },
}

/// Audits what all nodes handed over of one snapshot, given every member's deposit.
///
/// # Errors
///
/// The first rule that is broken, and where.
pub fn audit(
    id: SnapshotId,
    handed: BTreeMap<NodeId, Handed>,
    deposits: &BTreeMap<NodeId, u64>,
) -> Result<GlobalSnapshot, Unsound> {
    let mut global = GlobalSnapshot::new(id);
    let mut parts = BTreeMap::new();
    for (node, Handed { balance, part }) in handed {
        global.accounts.insert(node, balance);
        parts.insert(node, part);
    }
    snapshot::audit(&parts, |amount| *amount).map_err(Unsound::Channel)?;

    for (node, deposit) in deposits {
        let (Some(balance), Some(part)) = (global.accounts.get(node), parts.get(node)) else {
            return Err(Unsound::Withheld { node: *node });
        };
        let received = part.received.values().map(|tally| tally.sum).sum::<u128>();
        let sent = part.sent.values().map(|tally| tally.sum).sum::<u128>();
        if u128::from(*deposit) + received != u128::from(*balance) + sent {
            return Err(Unsound::Balance {
                node: *node,
                deposit: *deposit,
                received,
                sent,
                balance: *balance,
            });
        }
    }

    for (to, part) in parts {
        for (from, amounts) in part.channels {
            if !amounts.is_empty() {
                global.transit.insert((from, to), amounts);
            }
        }
    }
    let deposited = deposits.values().map(|deposit| u128::from(*deposit)).sum();
    let found = global.total();
    if found != deposited {
        return Err(Unsound::Total { deposited, found });
    }
    Ok(global)
}

#[cfg(test)]
mod tests {
    use super::*;
    use snapshot::Tally;

    /// Node 1 had sent 30 of its 100 to node 2, which was still in transit.
    fn sound() -> (BTreeMap<NodeId, Handed>, BTreeMap<NodeId, u64>) {
        let (one, two) = (NodeId(1), NodeId(2));
        let mut handed = BTreeMap::from([(one, Handed::default()), (two, Handed::default())]);
        let sender = handed.get_mut(&one).unwrap();
        sender.balance = 70;
        let mut tally = Tally::default();
        tally.extend(30);
        sender.part.sent.insert(two, tally);
        let receiver = handed.get_mut(&two).unwrap();
        receiver.balance = 50;
        receiver.part.channels.insert(one, vec![30]);
        (handed, BTreeMap::from([(one, 100), (two, 50)]))
    }

    #[test]
    fn a_sound_snapshot_passes_and_keeps_what_was_in_transit() {
        let (handed, deposits) = sound();
        let global = audit(SnapshotId(1), handed, &deposits).unwrap();
        assert_eq!(global.total(), 150);
        let channels: Vec<_> = global.channels().collect();
        let (one, two) = (NodeId(1), NodeId(2));
        assert_eq!(channels, [(one, two, &[30][..]), (two, one, &[])]);
    }

    #[test]
    fn a_balance_that_does_not_follow_from_the_tallies_is_found() {
        let (mut handed, deposits) = sound();
        handed.get_mut(&NodeId(2)).unwrap().balance = 51;
        let unsound = audit(SnapshotId(1), handed, &deposits).unwrap_err();
        assert!(matches!(
            unsound,
            Unsound::Balance {
                node: NodeId(2),
                ..
            }
        ));
    }

    #[test]
    fn a_message_that_is_not_in_the_channel_state_is_found() {
        let (mut handed, deposits) = sound();
        handed.get_mut(&NodeId(2)).unwrap().part.channels.clear();
        let unsound = audit(SnapshotId(1), handed, &deposits).unwrap_err();
        assert!(matches!(unsound, Unsound::Channel(_)));
    }

    #[test]
    fn a_member_without_a_part_is_found() {
        let (handed, mut deposits) = sound();
        deposits.insert(NodeId(3), 0);
        let unsound = audit(SnapshotId(1), handed, &deposits).unwrap_err();
        assert_eq!(unsound, Unsound::Withheld { node: NodeId(3) });
    }

    #[test]
    fn balances_are_summed_beyond_64_bits() {
        let (one, two) = (NodeId(1), NodeId(2));
        let rich = Handed {
            balance: u64::MAX,
            ..Handed::default()
        };
        let handed = BTreeMap::from([(one, rich.clone()), (two, rich)]);
        let deposits = BTreeMap::from([(one, u64::MAX), (two, u64::MAX)]);
        let global = audit(SnapshotId(1), handed, &deposits).unwrap();
        assert_eq!(global.total(), 2 * u128::from(u64::MAX));
    }
}
