//! A node's share of snapshots: the observer's orders, markers, the part that is handed over.

use snapshot::{Markers, SnapshotId};

use super::{Node, NodeError, Progress, on};
use bank::account::Slot;
use bank::member::Frame;
use bank::messages::{CHUNK, Order, Reply, Report};

impl Node {
    pub(super) fn take_snapshot(&mut self, announced: SnapshotId) -> Result<Progress, NodeError> {
        let Some(ordered) = self.takes.pop_front() else {
            return Ok(match self.orders.is_ended() {
                true => Progress::Done(Reply::ObserverGone),
                false => Progress::AwaitsOrder,
            });
        };
        if ordered != announced {
            return Err(NodeError::WrongOrder { ordered, announced });
        }
        self.begin(ordered)?;
        Ok(Progress::Done(Reply::Began))
    }

    pub(super) fn begin(&mut self, snapshot: SnapshotId) -> Result<(), NodeError> {
        let markers = self.member.begin(snapshot).map_err(NodeError::Order)?;
        self.broadcast(markers)
    }

    /// The marker-sending rule: on every outgoing channel, before anything else.
    pub(super) fn broadcast(&mut self, markers: Markers) -> Result<(), NodeError> {
        let snapshot = markers.id();
        self.tell(|node| {
            let balance = node.member.account().balance();
            format!("records {balance} for snapshot {snapshot}, sends its marker to everybody")
        });
        for slot in 0..self.channels.len() {
            self.enqueue(Slot(slot), &Frame::Marker(snapshot))?;
        }
        Ok(())
    }

    pub(super) fn obey(&mut self, order: Order) -> Result<(), NodeError> {
        match order {
            Order::Take { snapshot } if self.load.is_some() => self.begin(snapshot),
            Order::Take { snapshot } => {
                self.takes.push_back(snapshot);
                Ok(())
            }
            Order::Ask { snapshot } => {
                let waiting_for = self.member.waiting_for(snapshot);
                let recorded = waiting_for.is_some();
                let everybody = || self.member.account().ends().iter().map(|ends| ends.peer);
                let peers = waiting_for.unwrap_or_else(|| everybody().collect());
                for peers in peers.chunks(CHUNK) {
                    let peers = peers.to_vec();
                    self.report(&Report::Waiting { recorded, peers })?;
                }
                self.report(&Report::Asked)
            }
            Order::Give { snapshot } => self.give(snapshot),
        }
    }

    /// Hands the part over, or says that there is no complete one.
    fn give(&mut self, snapshot: SnapshotId) -> Result<(), NodeError> {
        match self.give_if_complete(snapshot)? {
            true => Ok(()),
            false => self.report(&Report::Given { complete: false }),
        }
    }

    /// Hands the part over if it is complete; whether it was.
    pub(super) fn give_if_complete(&mut self, snapshot: SnapshotId) -> Result<bool, NodeError> {
        let Some(part) = self.member.hand_over(snapshot) else {
            return Ok(false);
        };
        self.tell(|_| format!("hands its part of snapshot {snapshot} to the observer"));
        self.report(&Report::Account {
            snapshot,
            balance: part.state.balance(),
        })?;
        for ends in part.state.ends() {
            if ends.sent.count > 0 || ends.received.count > 0 {
                self.report(&Report::Channel {
                    peer: ends.peer,
                    sent: ends.sent,
                    received: ends.received,
                })?;
            }
        }
        for (from, transfers) in &part.channels {
            for transfers in transfers.chunks(CHUNK) {
                self.report(&Report::Transit {
                    from: *from,
                    amounts: transfers.iter().map(|transfer| transfer.0).collect(),
                })?;
            }
        }
        self.report(&Report::Given { complete: true })?;
        Ok(true)
    }

    fn report(&mut self, report: &Report) -> Result<(), NodeError> {
        self.reports.push(report).map_err(on("reports"))
    }
}
