//! A bank between two scripts: what master knows of it when everything is done that a script says.
//!
//! At the end of its input a bank that lasts is closed and kept; the next script's `StartMaster` opens it.
//! Its nodes go on from their journals; what master knew of them and of their channels is this. Never in
//! here: what is in flight, since nothing is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use snapshot::SnapshotId;

use super::collect::Snapshots;
use super::{Bank, Fate, Master, Process};
use crate::audit::GlobalSnapshot;
use crate::id::{NodeId, Place};
use crate::member::Frame;
use crate::script::{Known, Statement};

/// What master knows of a bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub(super) sparse: bool,
    pub(super) nodes: Vec<Node>,
    /// Those that are dead, in the order in which they died, and how.
    pub(super) dead: Vec<(Place, Fate)>,
    /// By (from, to).
    pub(super) channels: Vec<Channel>,
    /// Channels that open once both ends are alive.
    pub(super) put_off: Vec<(Place, Place)>,
    /// How many snapshots have begun, and which is the first that is not collected.
    pub(super) begun: u64,
    pub(super) uncollected: u64,
    pub(super) collected: Vec<GlobalSnapshot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) deposit: u64,
    pub(super) balance: u64,
    /// How many it was given: all are carried out.
    pub(super) instructions: u64,
    /// Where it could not be started, the line that was to do that.
    pub(super) never_created: Option<u64>,
    /// What it has recorded and nobody has collected.
    pub(super) recorded: Vec<SnapshotId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Channel {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) taken: u64,
    pub(super) waiting: Vec<Frame>,
}

impl Image {
    /// The transfers that wait on the channels, in order: from whom, to whom, how much.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Place, Place, u64)> {
        self.channels.iter().flat_map(|it| {
            let amounts = it.waiting.iter().filter_map(|frame| match frame {
                Frame::Message(transfer) => Some(transfer.0),
                Frame::Marker(_) => None,
            });
            amounts.map(|amount| (it.from, it.to, amount))
        })
    }

    /// What the check of the next script must know.
    #[must_use]
    pub fn known(&self) -> Known {
        let opened = self.channels.iter().map(|it| (it.from, it.to));
        let channels = opened.chain(self.put_off.iter().copied());
        Known {
            nodes: { self.nodes.iter() }
                .map(|it| (it.id, it.deposit))
                .collect(),
            channels: self.sparse.then(|| channels.collect()),
        }
    }

    fn bank(self, statement: &Statement) -> Bank {
        let mut bank = Bank {
            is_begun: true,
            sparse: self.sparse,
            ..Bank::default()
        };
        for node in self.nodes {
            let place = bank.nodes.start(node.id, node.deposit);
            bank.topology.join();
            bank.channels.join(node.id);
            let it = &mut bank.nodes[place];
            it.balance.known = node.balance;
            it.instructions = node.instructions;
            bank.nodes.reopen(place, node.never_created);
            bank.channels.reopen_recorded(place, &node.recorded);
        }
        for it in self.channels {
            bank.topology.open(it.from, it.to);
            bank.channels.reopen(it.from, it.to, it.taken, it.waiting);
        }
        for (node, fate) in self.dead {
            bank.nodes.die(node, fate);
            bank.channels.suspend(node, true);
        }
        let put_off = self.put_off.into_iter();
        bank.put_off = put_off.map(|(from, to)| (from, to, *statement)).collect();
        let collected = self.collected.into_iter();
        bank.snapshots = Snapshots::reopen((self.begun, self.uncollected), collected);
        bank
    }
}

impl Master {
    /// The first `StartMaster` opens this bank. Before the first command.
    ///
    /// A history begins with the bank as it is then (`Events::opened`); there is none where snapshots are
    /// in progress, since what was recorded for them is in an earlier one.
    pub fn reopen(&mut self, image: Image) {
        if image.uncollected <= image.begun {
            self.events = None;
        }
        self.image = Some(Box::new(image));
    }

    /// The bank there is, to be kept for the next script, once the script is [over](Self::finish) and
    /// nothing is in flight. `None` where there is none.
    #[must_use]
    pub fn image(&self) -> Option<Image> {
        debug_assert!(self.is_idle(), "the script is over");
        let bank = &self.bank;
        if !bank.is_begun {
            // Nobody has opened it.
            return self.image.as_deref().cloned();
        }
        let node = |(place, it): (Place, &super::nodes::Node)| Node {
            id: it.id,
            deposit: it.deposit,
            balance: it.balance.known,
            instructions: it.instructions,
            never_created: it.never_created(),
            recorded: bank.channels.recorded_by(place).collect(),
        };
        let senders = (0..bank.topology.nodes()).map(Place::at);
        let ends = senders.flat_map(|from| {
            let outgoing = bank.topology.outgoing(from).iter();
            outgoing.map(move |to| (from, *to))
        });
        let ends: BTreeSet<(Place, Place)> = ends.collect();
        let channel = |(from, to)| Channel {
            from,
            to,
            taken: bank.channels.taken(from, to),
            waiting: bank.channels.frames(from, to).collect(),
        };
        let (begun, uncollected) = bank.snapshots.numbers();
        Some(Image {
            sparse: bank.sparse,
            nodes: bank.nodes.all().map(node).collect(),
            dead: bank
                .nodes
                .dead()
                .map(|(place, fate)| (place, fate.clone()))
                .collect(),
            channels: ends.into_iter().map(channel).collect(),
            put_off: { bank.put_off.iter() }
                .map(|(from, to, _)| (*from, *to))
                .collect(),
            begun,
            uncollected,
            collected: { bank.snapshots.collected.values() }
                .map(|it| GlobalSnapshot::clone(it))
                .collect(),
        })
    }

    /// Whoever is alive in a bank that was kept goes on where he was.
    pub(super) fn open_bank(&mut self, statement: &Statement, image: Image) {
        self.log(|events, out| events.opened(statement.line, &image, out));
        self.bank = image.bank(statement);
        for (index, earlier) in self.comebacks.take_earlier().into_iter().enumerate() {
            self.bank.nodes[Place::at(index)].count_from(earlier);
        }
        for node in self.bank.nodes.living().collect::<Vec<_>>() {
            self.restart(Process::Node(node), None, 0);
        }
    }
}
