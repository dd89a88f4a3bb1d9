//! A node's share of snapshots: the observer's orders, markers, the part that is handed over.

use snapshot::{Markers, SnapshotId};

use super::{Broken, Effect, Node, Record, Waiting};
use crate::account::{End, Outgoing};
use crate::id::Place;
use crate::member::Frame;
use crate::messages::{CHUNK, Order, Reply, Report};

impl Node {
    pub(super) fn obey(&mut self, order: Order, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        match order {
            Order::Take { snapshot } if self.load.is_some() => self.begin_freely(snapshot, effects),
            // It may be ordered again when somebody has come back.
            Order::Take { snapshot }
                if self.lasting.is_some()
                    && (self.member.has_recorded(snapshot) || self.takes.contains(&snapshot)) =>
            {
                Ok(())
            }
            Order::Take { snapshot } => {
                self.takes.push_back(snapshot);
                self.go_on_taking(effects)
            }
            // Nothing that follows a collection is said to anybody before it is known how that ended.
            Order::Ask { snapshot } if self.is_ahead_of_master() => {
                Err(Broken::AskedAgain { snapshot })
            }
            Order::Ask { snapshot } => {
                self.say_what_is_waited_for(snapshot, effects);
                Ok(())
            }
            Order::Give { snapshot } => {
                if !self.give_if_complete(snapshot, effects) {
                    effects.push(Effect::Report(Report::Given { complete: false }));
                }
                Ok(())
            }
            Order::Forget { last } => self.forget_up_to(last),
            Order::Recall => {
                let recorder = self.member.recorder();
                let over = recorder.handed_over();
                let newest = recorder.recorded().chain(over.largest()).max();
                effects.push(Effect::Report(Report::Known {
                    over: over.all_up_to(),
                    newest: newest.unwrap_or(SnapshotId(0)),
                }));
                Ok(())
            }
        }
    }

    /// Begins the snapshot that master has announced, once the observer has ordered it.
    pub(super) fn go_on_taking(&mut self, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        let Some(Waiting::Order(announced)) = self.waiting else {
            return Ok(());
        };
        if self.lasting.is_some() {
            // What is ordered again may come in any order.
            let Some(at) = self.takes.iter().position(|taken| *taken == announced) else {
                return Ok(());
            };
            self.takes.swap(0, at);
        }
        match self.takes.pop_front() {
            None if self.observer_gone => {
                let is_new = !std::mem::replace(&mut self.was_missed, true);
                self.give_up(Reply::ObserverGone, is_new, effects);
            }
            None => {}
            Some(ordered) if ordered != announced => {
                return Err(Broken::WrongOrder { ordered, announced });
            }
            Some(ordered) => {
                self.waiting = None;
                let snapshot = ordered;
                self.keep(|| Record::Begin { snapshot });
                self.begin(ordered, effects)?;
                effects.push(Effect::Reply(Reply::Began));
            }
        }
        Ok(())
    }

    pub(super) fn begin(
        &mut self,
        snapshot: SnapshotId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let markers = self.member.begin(snapshot)?;
        self.broadcast(markers, effects);
        Ok(())
    }

    /// The marker-sending rule: on every outgoing channel, before anything else.
    pub(super) fn broadcast(&mut self, markers: Markers, effects: &mut Vec<Effect>) {
        let snapshot = markers.id();
        self.say(effects, |node| {
            let balance = node.member.account().balance();
            format!("records {balance} for snapshot {snapshot}, sends its marker to everybody")
        });
        for to in 0..self.outgoing.len() {
            self.send_frame(Outgoing(to), Frame::Marker(snapshot), effects);
        }
    }

    fn say_what_is_waited_for(&self, snapshot: SnapshotId, effects: &mut Vec<Effect>) {
        let waiting_for = self.member.waiting_for(snapshot);
        let recorded = waiting_for.is_some();
        let everybody = || self.member.account().incoming().iter().map(|end| end.peer);
        let peers: Vec<Place> = waiting_for.unwrap_or_else(|| everybody().collect());
        for peers in peers.chunks(CHUNK) {
            let peers = peers.to_vec();
            effects.push(Effect::Report(Report::Waiting { recorded, peers }));
        }
        if !recorded && peers.is_empty() {
            // Nobody could bring it a marker: it says so all the same.
            let peers = Vec::new();
            effects.push(Effect::Report(Report::Waiting { recorded, peers }));
        }
        effects.push(Effect::Report(Report::Asked));
    }

    /// Hands the part over if it is complete; whether it was.
    pub(super) fn give_if_complete(
        &mut self,
        snapshot: SnapshotId,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let part = match self.lasting {
            None => self.member.hand_over(snapshot),
            // It may be asked for again.
            Some(_) => self.member.part(snapshot),
        };
        let Some(part) = part else {
            return false;
        };
        self.say(effects, |_| {
            format!("hands its part of snapshot {snapshot} to the observer")
        });
        let balance = part.state.balance();
        effects.push(Effect::Report(Report::Account { snapshot, balance }));
        let used = |end: &&End| end.tally.count > 0;
        for &End { peer: to, tally } in part.state.outgoing().iter().filter(used) {
            effects.push(Effect::Report(Report::Sent { to, tally }));
        }
        for &End { peer: from, tally } in part.state.incoming().iter().filter(used) {
            effects.push(Effect::Report(Report::Received { from, tally }));
        }
        for (from, transfers) in &part.channels {
            for transfers in transfers.chunks(CHUNK) {
                effects.push(Effect::Report(Report::Transit {
                    from: *from,
                    amounts: transfers.iter().map(|transfer| transfer.0).collect(),
                }));
            }
        }
        effects.push(Effect::Report(Report::Given { complete: true }));
        true
    }
}
