//! What the reply to a command brings: a result, a failure, and what is now known for certain.

use super::channels::{Place, Taken};
use super::failure::{Failure, Stop};
use super::results::Shown;
use super::session::{Entry, Session, Step};
use bank::messages::Reply;
use bank::script::{Command, Statement};

impl Session {
    /// Retires, in order, every step whose reply has come.
    pub(super) fn retire(&mut self) -> Result<(), Stop> {
        while let Some(entry) = self.in_flight.front() {
            let reply = match (entry.step.node(), &entry.step) {
                (Some(node), _) => match self.cluster.reply(node)? {
                    Some(reply) => Some(reply),
                    None if self.cluster.fate(node).is_some() => None,
                    None => return Ok(()),
                },
                (None, Step::Joined | Step::Collect { .. }) => {
                    if !self.hear_observer()? {
                        return Ok(());
                    }
                    None
                }
                (None, _) => None,
            };
            let Some(entry) = self.in_flight.pop_front() else {
                return Ok(());
            };
            self.retired += 1;
            self.complete(entry, reply)?;
            if self.chronicle.as_ref().is_some_and(|c| c.sinks.is_full()) {
                self.write_history()?;
            }
        }
        Ok(())
    }

    /// A step is done; `reply` is `None` where none was awaited, or where its node died.
    fn complete(&mut self, entry: Entry, reply: Option<Reply>) -> Result<(), Stop> {
        let Entry { statement, step } = entry;
        match (step, reply) {
            (Step::Known(Ok(None)) | Step::Joined | Step::Collect { .. }, _) => Ok(()),
            (Step::Known(Ok(Some(shown))), _) => self.show(&statement, &shown),
            (Step::Known(Err(failure)), _) => self.fail(&statement, &failure),
            (Step::Table, _) => self.show_table(),
            (Step::Opened { .. }, Some(Reply::Opened)) => Ok(()),
            (
                Step::Send {
                    node,
                    to,
                    amount,
                    certain,
                },
                Some(reply @ (Reply::Sent { .. } | Reply::Refused { .. } | Reply::PeerGone)),
            ) => self.sent(&statement, (node, to), amount, certain, &reply),
            (
                Step::Receive {
                    node,
                    from,
                    expected,
                },
                Some(reply @ (Reply::Transfer { .. } | Reply::Marker { .. } | Reply::Ended)),
            ) => self.received(&statement, node, from, expected, &reply),
            (Step::Begin { node, snapshot }, Some(Reply::Began)) => {
                let bank = self.bank()?;
                let (id, balance) = (bank.ids[node], bank.balances[node].known);
                if let Some(chronicle) = &mut self.chronicle {
                    chronicle.began(statement.line, id, snapshot, balance);
                }
                let shown = Shown::Started {
                    node: id,
                    snapshot: snapshot.0,
                };
                self.show(&statement, &shown)
            }
            (Step::Begin { node, snapshot }, Some(Reply::ObserverGone)) => {
                self.bank()?.channels.unrecord(node, snapshot);
                while self.cluster.observer_fate().is_none() {
                    self.wait()?;
                }
                match self.cluster.observer_fate().cloned() {
                    Some(fate) => self.fail(&statement, &Failure::ObserverDied(fate)),
                    None => Ok(()),
                }
            }
            (Step::Balance { node }, Some(Reply::Balance { balance })) => {
                self.bank()?.balances[node].known = balance;
                Ok(())
            }
            (
                Step::Ahead { from, node },
                Some(Reply::Ahead {
                    transfers, markers, ..
                }),
            ) => self.read_to_the_end(from, node, transfers, markers),
            (step, None) => self.died_meanwhile(&statement, &step),
            (step, Some(reply)) => Err(Stop::Internal(format!(
                "`{}` on line {}: {step:?} was answered by {reply:?}",
                statement.command, statement.line
            ))),
        }
    }

    fn sent(
        &mut self,
        statement: &Statement,
        (node, to): (Place, Place),
        amount: u64,
        certain: bool,
        reply: &Reply,
    ) -> Result<(), Stop> {
        let bank = self.bank()?;
        let (from_id, to_id) = (bank.ids[node], bank.ids[to]);
        let balance = &mut bank.balances[node];
        balance.going -= u128::from(amount);
        let was_sent = match *reply {
            Reply::Sent { balance: known } => {
                balance.known = known;
                true
            }
            Reply::Refused { balance: known } => {
                balance.known = known;
                if certain {
                    return Err(Stop::Internal(format!(
                        "node {from_id} refused to send {amount} with {known} in its account \
                         (line {})",
                        statement.line
                    )));
                }
                false
            }
            _ => false,
        };
        if !certain {
            bank.channels.determine(node, to, was_sent);
        }
        if let Some(chronicle) = &mut self.chronicle {
            let line = statement.line;
            match reply {
                Reply::Sent { .. } => chronicle.sent(line, from_id, to_id, amount),
                Reply::Refused { .. } => chronicle.refused(line, from_id, to_id, amount),
                _ => {}
            }
        }
        match reply {
            Reply::Refused { balance } => {
                let shown = Shown::Refused {
                    from: from_id,
                    to: to_id,
                    amount,
                    balance: *balance,
                };
                self.show(statement, &shown)
            }
            Reply::PeerGone => {
                let fate = self.fate_of(to)?;
                self.take_news()?;
                if certain {
                    self.send_came_back(to_id, amount);
                }
                let node = to_id;
                self.fail(statement, &Failure::NodeDied { node, fate })
            }
            _ => Ok(()),
        }
    }

    fn received(
        &mut self,
        statement: &Statement,
        node: Place,
        from: Place,
        expected: Taken,
        reply: &Reply,
    ) -> Result<(), Stop> {
        let bank = self.bank()?;
        let (node_id, from_id) = (bank.ids[node], bank.ids[from]);
        let (actual, shown) = match *reply {
            Reply::Transfer { amount, balance } => {
                bank.balances[node].known = balance;
                let shown = Shown::Transfer {
                    node: node_id,
                    from: from_id,
                    amount,
                };
                (Taken::Transfer(amount), shown)
            }
            Reply::Marker { snapshot, recorded } => {
                let shown = Shown::Marker {
                    node: node_id,
                    from: from_id,
                    snapshot: snapshot.0,
                };
                let records = recorded;
                (Taken::Marker { snapshot, records }, shown)
            }
            _ => return self.received_nothing(statement, node, from, expected),
        };
        if actual != expected {
            if !bank.shaken {
                return Err(Stop::Internal(format!(
                    "node {node_id} received {actual:?} from node {from_id} where {expected:?} \
                     was sent (line {})",
                    statement.line
                )));
            }
            self.believe(node, expected, actual)?;
        }
        let balance = self.bank()?.balances[node].known;
        if let Some(chronicle) = &mut self.chronicle {
            let line = statement.line;
            match actual {
                Taken::Transfer(amount) => chronicle.received(line, from_id, node_id, amount),
                Taken::Marker { snapshot, records } => {
                    let recorded = records.then_some(balance);
                    chronicle.marker_received(line, from_id, node_id, snapshot, recorded);
                }
            }
        }
        match statement.command {
            Command::ReceiveAll => Ok(()),
            _ => self.show(statement, &shown),
        }
    }

    /// The channel's sender died before it had written what was foreseen.
    fn received_nothing(
        &mut self,
        statement: &Statement,
        node: Place,
        from: Place,
        expected: Taken,
    ) -> Result<(), Stop> {
        let fate = self.fate_of(from)?;
        self.take_news()?;
        let bank = self.bank()?;
        let from = bank.ids[from];
        match expected {
            Taken::Transfer(amount) => self.transfer_ended(from, node, amount),
            Taken::Marker { snapshot, records } => {
                if records {
                    bank.channels.unrecord(node, snapshot);
                }
            }
        }
        match statement.command {
            Command::ReceiveAll => Ok(()),
            _ => self.fail(statement, &Failure::Ended { from, fate }),
        }
    }

    /// After a death with commands in flight: what the node says counts, not what was foreseen.
    fn believe(&mut self, node: Place, expected: Taken, actual: Taken) -> Result<(), Stop> {
        let done = self.retired;
        let channels = &mut self.bank()?.channels;
        if let Taken::Marker {
            snapshot,
            records: true,
        } = expected
        {
            channels.unrecord(node, snapshot);
        }
        if let Taken::Marker {
            snapshot,
            records: true,
        } = actual
        {
            channels.record(node, snapshot, done);
        }
        Ok(())
    }

    /// A step's node died before it answered.
    fn died_meanwhile(&mut self, statement: &Statement, step: &Step) -> Result<(), Stop> {
        self.take_news()?;
        let Some(node) = step.node() else {
            return Ok(());
        };
        let fate = self.fate_of(node)?;
        self.chronicle_unanswered(statement, step)?;
        let bank = self.bank()?;
        let id = bank.ids[node];
        match *step {
            Step::Send {
                to,
                amount,
                certain,
                ..
            } => {
                bank.balances[node].going -= u128::from(amount);
                if !certain {
                    bank.channels.determine(node, to, true);
                }
                self.send_unanswered(statement, to, amount);
                return Ok(());
            }
            Step::Receive {
                expected: Taken::Transfer(amount),
                ..
            } => self.receive_unanswered(id, amount),
            Step::Receive {
                expected:
                    Taken::Marker {
                        snapshot,
                        records: true,
                    },
                ..
            }
            | Step::Begin { snapshot, .. } => bank.channels.unrecord(node, snapshot),
            Step::Opened { .. } | Step::Balance { .. } | Step::Ahead { .. } => return Ok(()),
            _ => {}
        }
        match statement.command {
            Command::ReceiveAll => Ok(()),
            _ => self.fail(statement, &Failure::NodeDied { node: id, fate }),
        }
    }

    fn show(&mut self, statement: &Statement, shown: &Shown) -> Result<(), Stop> {
        self.results.show(statement.line, shown, &self.signals)
    }
}
