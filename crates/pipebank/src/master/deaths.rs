//! What the death of a process changes.
//!
//! A death is told once, when it is noticed. It is *settled* once nothing is in flight any more:
//! every living node reads the channel from the dead to its end of file, and so says what is left
//! to be received; what is not is lost, and is counted and told.
//!
//! What was in flight at a dead node has no reply. A receive has failed. Whether a send was carried
//! out, its channel tells when the death is settled: if the transfer is there, it was. Where the
//! receiver is dead too nobody can read the channel, and it does not matter: the money is lost. What
//! matters is that it is told as lost once.

use super::channels::{Channels, Lost, Place};
use super::chronicle::Unanswered;
use super::cluster::Member;
use super::failure::{Failure, Stop};
use super::process::Fate;
use super::session::{Session, Step};
use bank::id::NodeId;
use bank::script::{Command, Statement};

/// What is yet to be found out about a dead node.
#[derive(Debug, Default)]
pub(super) struct Grave {
    node: Place,
    /// The line on which the script killed it.
    line: Option<u64>,
    /// Sends that it had not answered, in order.
    sends: Vec<Send>,
    /// Receivers that found its channel ended, and the transfer that each had expected.
    ended: Vec<(Place, u64)>,
    /// The living who have read its channel to them to the end.
    readers: Vec<Place>,
    /// What was on the way to it.
    into: Lost,
    /// What was foreseen to be on the way to it, but its sender kept.
    kept: Lost,
    /// What it had sent but not written.
    unwritten: Lost,
    /// The sum of the unanswered sends that it did carry out.
    carried_out: u128,
}

/// A send that was not answered.
#[derive(Debug)]
struct Send {
    statement: Statement,
    to: Place,
    amount: u64,
    failed: bool,
}

impl Grave {
    /// Decides on what it had sent to others who are dead: each transfer is lost either with its
    /// balance or on the way to the other.
    fn settle_among_the_dead(&mut self, channels: &mut Channels) {
        let Self {
            node,
            sends,
            ended,
            readers,
            unwritten,
            carried_out,
            ..
        } = self;
        ended.retain(|(reader, _)| !readers.contains(reader));
        for send in sends.iter_mut().rev() {
            if readers.contains(&send.to) {
                continue;
            }
            // The last that were sent are the last in the channel, behind those that were asked
            // for and did not come, behind those that were taken, and so are lost with the other.
            let asked_for = ended.iter().rposition(|(reader, _)| *reader == send.to);
            if channels.forget_last(*node, send.to) {
                send.failed = true;
            } else if let Some(last) = asked_for {
                ended.remove(last);
                send.failed = true;
            } else {
                *carried_out += u128::from(send.amount);
            }
        }
        for (_, amount) in ended {
            unwritten.add_transfer(*amount);
        }
    }
}

impl Session {
    /// Tells the deaths that were noticed since the last time.
    pub(super) fn take_news(&mut self) -> Result<(), Stop> {
        for dead in self.cluster.take_news() {
            self.failed = true;
            self.cluster.publish()?;
            match dead {
                Member::Observer => self.observer_died()?,
                Member::Node(node) => self.node_died(node)?,
            }
        }
        Ok(())
    }

    fn node_died(&mut self, node: Place) -> Result<(), Stop> {
        let fate = self.fate_of(node)?;
        let by_script = self.killing.filter(|(killed, _)| *killed == node);
        self.broken |= fate.is_internal();
        self.drawn = None;
        let Some(bank) = &mut self.bank else {
            return Ok(());
        };
        bank.shaken |= by_script.is_none();
        bank.dead.get_or_insert(node);
        bank.unsettled.push(Grave {
            node,
            line: by_script.map(|(_, line)| line),
            ..Grave::default()
        });
        let id = bank.ids[node];
        self.tell(&format!("node {id} died ({fate})"))?;
        self.lose_snapshots()
    }

    fn observer_died(&mut self) -> Result<(), Stop> {
        let Some(fate) = self.cluster.observer_fate().cloned() else {
            return Ok(());
        };
        self.broken |= fate.is_internal();
        if let Some(bank) = &mut self.bank {
            bank.shaken = true;
        }
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.died(None, None, fate.to_string());
        }
        self.tell(&format!("the observer died ({fate})"))?;
        self.lose_snapshots()
    }

    /// Snapshots that are not collected can never be: that is told once.
    pub(super) fn lose_snapshots(&mut self) -> Result<(), Stop> {
        let Some(bank) = &mut self.bank else {
            return Ok(());
        };
        let (first, last) = (bank.uncollected, bank.begun);
        bank.uncollected = last + 1;
        match first {
            first if first > last => Ok(()),
            first if first == last => self.tell(&format!(
                "snapshot {first} is lost: it was not yet collected"
            )),
            first => self.tell(&format!(
                "snapshots {first} to {last} are lost: they were not yet collected"
            )),
        }
    }

    /// A send had not been answered when its node died.
    pub(super) fn send_unanswered(&mut self, statement: &Statement, to: Place, amount: u64) {
        let node = match statement.command {
            Command::Send { from, .. } => from,
            _ => return,
        };
        if let Some(grave) = self.grave_of(node) {
            grave.sends.push(Send {
                statement: *statement,
                to,
                amount,
                failed: false,
            });
        }
    }

    /// A transfer was to be received by a node that died before it answered.
    pub(super) fn receive_unanswered(&mut self, node: NodeId, amount: u64) {
        if let Some(grave) = self.grave_of(node) {
            grave.into.add_transfer(amount);
        }
    }

    /// A send to a node was foreseen to be carried out, but its sender found it dead.
    pub(super) fn send_came_back(&mut self, to: NodeId, amount: u64) {
        if let Some(grave) = self.grave_of(to) {
            grave.kept.add_transfer(amount);
        }
    }

    /// A node expected a transfer of a dead one and found the end of the channel.
    pub(super) fn transfer_ended(&mut self, from: NodeId, node: Place, amount: u64) {
        if let Some(grave) = self.grave_of(from) {
            grave.ended.push((node, amount));
        }
    }

    fn grave_of(&mut self, id: NodeId) -> Option<&mut Grave> {
        let bank = self.bank.as_mut()?;
        let place = *bank.places.get(&id)?;
        bank.unsettled.iter_mut().find(|grave| grave.node == place)
    }

    /// Settles what is not settled yet; whether there was anything. Nothing may be in flight.
    pub(super) fn settle_deaths(&mut self) -> Result<bool, Stop> {
        let living = self.bank.is_some().then(|| self.living()).transpose()?;
        let Some(bank) = self.bank.as_mut().filter(|bank| !bank.unsettled.is_empty()) else {
            return Ok(false);
        };
        let living = living.unwrap_or_default();
        let graves = bank.unsettled.iter().map(|grave| grave.node);
        let graves: Vec<_> = graves.map(|node| (node, bank.ids[node])).collect();
        let settled: Vec<Place> = graves.iter().map(|(node, _)| *node).collect();
        for (dead, id) in graves {
            // Told apart from the script's own by its line.
            let statement = Statement {
                line: 0,
                command: Command::KillNode { id },
            };
            for reader in living.iter().copied() {
                if !self.bank()?.channels.is_absent(dead, reader) {
                    self.read_ahead(&statement, dead, reader, u64::MAX)?;
                }
            }
        }
        while !self.in_flight.is_empty() {
            self.advance()?;
        }
        // Whoever died meanwhile is next.
        let bank = self.bank()?;
        let is_settled = |grave: &mut Grave| settled.contains(&grave.node);
        let mut graves: Vec<Grave> = bank.unsettled.extract_if(.., is_settled).collect();
        for grave in &mut graves {
            grave.settle_among_the_dead(&mut bank.channels);
        }
        for grave in &mut graves {
            let into = bank.channels.die(grave.node);
            grave.into.transfers += into.transfers;
            grave.into.amount += into.amount;
        }
        for grave in graves {
            self.bury(grave)?;
        }
        Ok(true)
    }

    /// So many transfers of the dead `from` are there for `node` to receive.
    pub(super) fn read_to_the_end(
        &mut self,
        from: Place,
        node: Place,
        transfers: u64,
        markers: u64,
    ) -> Result<(), Stop> {
        let bank = self.bank()?;
        if let Some(grave) = bank.unsettled.iter_mut().find(|grave| grave.node == from) {
            grave.readers.push(node);
            let ended = grave.ended.iter().filter(|(reader, _)| *reader == node);
            let mut expected: Vec<u64> = ended.map(|(_, amount)| *amount).collect();
            expected.extend(bank.channels.amounts(from, node));
            let mut missing = expected.len().saturating_sub(transfers as usize);
            for send in grave.sends.iter_mut().rev().filter(|send| send.to == node) {
                match missing {
                    0 => grave.carried_out += u128::from(send.amount),
                    _ => {
                        send.failed = true;
                        expected.pop();
                        missing -= 1;
                    }
                }
            }
            for amount in &expected[expected.len() - missing..] {
                grave.unwritten.add_transfer(*amount);
            }
        }
        bank.channels.settle(from, node, transfers, markers);
        let (from, to) = (bank.ids[from], bank.ids[node]);
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.left_behind(from, to, transfers, markers);
        }
        Ok(())
    }

    /// Tells what is lost with a dead node.
    fn bury(&mut self, grave: Grave) -> Result<(), Stop> {
        let fate = self.fate_of(grave.node)?;
        let bank = self.bank()?;
        let node = bank.ids[grave.node];
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.died(grave.line, Some(node), fate.to_string());
        }
        let bank = self.bank()?;
        let known = u128::from(bank.balances[grave.node].known);
        let balance = known.saturating_sub(grave.carried_out);
        // It sent on what it had just received.
        let sent_on = grave.carried_out.saturating_sub(known);
        let into = Lost {
            transfers: grave.into.transfers.saturating_sub(grave.kept.transfers),
            amount: grave
                .into
                .amount
                .saturating_sub(grave.kept.amount + sent_on),
        };

        let mut lost = vec![format!("its balance of {balance}")];
        if into.transfers > 0 {
            lost.push(format!("{into} on the way to it"));
        }
        if grave.unwritten.transfers > 0 {
            lost.push(format!(
                "{} of its own that it had not written",
                grave.unwritten
            ));
        }
        for send in grave.sends.iter().filter(|send| send.failed) {
            let fate = fate.clone();
            self.fail(&send.statement, &Failure::NodeDied { node, fate })?;
        }
        self.tell(&format!("lost with node {node}: {}", lost.join(", ")))
    }

    /// For the history: what a dead node was told and did not answer.
    pub(super) fn chronicle_unanswered(
        &mut self,
        statement: &Statement,
        step: &Step,
    ) -> Result<(), Stop> {
        if self.chronicle.is_none() {
            return Ok(());
        }
        let bank = self.bank()?;
        let (node, unanswered) = match *step {
            Step::Send {
                node, to, amount, ..
            } => {
                let to = bank.ids[to];
                (node, Unanswered::Send { to, amount })
            }
            Step::Receive {
                node,
                from,
                expected,
            } => {
                let from = bank.ids[from];
                (node, Unanswered::Receive { from, expected })
            }
            Step::Begin { node, snapshot } => (node, Unanswered::Begin { snapshot }),
            _ => return Ok(()),
        };
        let id = bank.ids[node];
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.unanswered(statement.line, id, unanswered);
        }
        Ok(())
    }

    /// For the history: the system ends, and with it what is yet to be found out of the dead.
    pub(super) fn chronicle_the_end(&mut self, line: Option<u64>) {
        let (Some(chronicle), Some(bank)) = (&mut self.chronicle, &self.bank) else {
            return;
        };
        for grave in &bank.unsettled {
            if let Some(fate) = self.cluster.fate(grave.node) {
                chronicle.died(grave.line, Some(bank.ids[grave.node]), fate.to_string());
            }
        }
        chronicle.ended(line);
    }

    /// How a node ended that is known to be dead by what it, or somebody else, could not do any
    /// more; waits until master has noticed it too.
    pub(super) fn fate_of(&mut self, node: Place) -> Result<Fate, Stop> {
        loop {
            if let Some(fate) = self.cluster.fate(node) {
                return Ok(fate.clone());
            }
            self.wait()?;
        }
    }
}
