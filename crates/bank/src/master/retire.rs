//! What the reply to a command brings: a result, a failure, and what is now known for certain.

use std::collections::BTreeMap;
use std::rc::Rc;

use snapshot::SnapshotId;

use super::channels::{Place, Taken};
use super::failure::{Failure, Stop, Waiting, WaitingNode};
use super::results::Shown;
use super::session::{Bank, Entry, Session, Step};
use crate::audit::GlobalSnapshot;
use crate::messages::{Answer, Reply};
use crate::script::{Command, Statement};

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
            if self.chronicle.as_ref().is_some_and(|c| c.file.is_full()) {
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

    /// Takes in what the observer says until the step at the front is done, or more must come.
    fn hear_observer(&mut self) -> Result<bool, Stop> {
        loop {
            let Some(answer) = self.cluster.answer()? else {
                let Some(fate) = self.cluster.observer_fate().cloned() else {
                    return Ok(false);
                };
                self.take_news()?;
                return self.end_collection(Err(Failure::ObserverDied(fate)));
            };
            let bank = self.bank()?;
            match answer {
                Answer::Joined => return Ok(true),
                Answer::Account {
                    snapshot,
                    node,
                    balance,
                } => {
                    let arriving = bank.arriving.entry(snapshot);
                    let global = arriving.or_insert_with(|| GlobalSnapshot::new(snapshot));
                    global.accounts.insert(node, balance);
                }
                Answer::Transit {
                    snapshot,
                    from,
                    to,
                    amounts,
                } => {
                    let arriving = bank.arriving.entry(snapshot);
                    let global = arriving.or_insert_with(|| GlobalSnapshot::new(snapshot));
                    let transit = global.transit.entry((from, to)).or_default();
                    transit.extend(amounts);
                }
                Answer::Waiting {
                    snapshot,
                    node,
                    recorded,
                    peers,
                } => bank.waiting.parts.push(WaitingNode {
                    snapshot,
                    node,
                    recorded,
                    peers,
                }),
                Answer::Collected => return self.end_collection(Ok(())),
                Answer::Incomplete => {
                    let waiting = std::mem::take(&mut bank.waiting);
                    return self.end_collection(Err(Failure::Incomplete(waiting)));
                }
                Answer::Unsound { snapshot, reason } => {
                    let failure = Failure::Unsound { snapshot, reason };
                    return self.end_collection(Err(failure));
                }
                Answer::NodeGone { node } => {
                    let Some(place) = bank.places.get(&node).copied() else {
                        return Err(Stop::Internal(format!("node {node} was never heard of")));
                    };
                    let fate = self.fate_of(place)?;
                    return self.end_collection(Err(Failure::MemberDied { node, fate }));
                }
                Answer::Watched { .. } | Answer::Rested => {
                    let what = "the observer says that it has watched, which nobody asked for";
                    return Err(Stop::Internal(what.to_owned()));
                }
            }
        }
    }

    /// A collection ends: all of its snapshots count as collected, or none.
    fn end_collection(&mut self, outcome: Result<(), Failure>) -> Result<bool, Stop> {
        let front = self.in_flight.front();
        let statement = front.map(|entry| entry.statement);
        let first = front.and_then(|entry| match entry.step {
            Step::Collect { first } => Some(first),
            _ => None,
        });
        let bank = self.bank()?;
        let arrived = std::mem::take(&mut bank.arriving);
        bank.waiting = Waiting::default();
        self.chronicle_collection(&outcome, statement, &arrived);
        let bank = self.bank()?;
        match (outcome, statement) {
            (Ok(()), _) => {
                is_what_was_asked_for(bank, first, &arrived)?;
                for (id, snapshot) in arrived {
                    bank.collected.insert(id.0, Rc::new(snapshot));
                }
                bank.uncollected = bank.begun + 1;
                bank.channels.collected();
            }
            (Err(failure), Some(statement)) if statement.command == Command::CollectState => {
                let is_handed_over = matches!(failure, Failure::Unsound { .. });
                self.fail(&statement, &failure)?;
                if is_handed_over {
                    self.bank()?.channels.collected();
                    self.lose_snapshots()?;
                }
            }
            (Err(_), _) => {}
        }
        Ok(true)
    }

    /// For the history: what was collected, or why it is unsound.
    fn chronicle_collection(
        &mut self,
        outcome: &Result<(), Failure>,
        statement: Option<Statement>,
        arrived: &BTreeMap<SnapshotId, GlobalSnapshot>,
    ) {
        let Some(chronicle) = &mut self.chronicle else {
            return;
        };
        let line = statement.map(|statement| statement.line);
        match outcome {
            Ok(()) => chronicle.collected(line, arrived.values()),
            Err(Failure::Unsound { snapshot, reason }) => {
                chronicle.unsound(line, *snapshot, reason.to_string());
            }
            Err(_) => {}
        }
    }

    fn show(&mut self, statement: &Statement, shown: &Shown) -> Result<(), Stop> {
        self.results.show(statement.line, shown, &self.signals)
    }

    /// The `nodes` command.
    fn show_table(&mut self) -> Result<(), Stop> {
        let bank = self.bank()?;
        let mut places: Vec<Place> = (0..bank.ids.len()).collect();
        places.sort_by_key(|place| bank.ids[*place]);
        let mut lines = Vec::new();
        for node in places.iter().copied() {
            let id = self.bank()?.ids[node];
            let pid = self.cluster.pid(node);
            if let Some(fate) = self.cluster.fate(node) {
                lines.push(format!("node {id}  pid {pid}  died ({fate})"));
                continue;
            }
            let bank = self.bank()?;
            let balance = bank.balances[node].known;
            let waiting: Vec<String> = places
                .iter()
                .filter_map(|from| {
                    let waiting = bank.channels.waiting(*from, node);
                    let what = describe_waiting(waiting)?;
                    Some(format!("{what} from node {}", bank.ids[*from]))
                })
                .collect();
            let waiting = match waiting.is_empty() {
                true => "nothing".to_owned(),
                false => waiting.join(", "),
            };
            lines.push(format!(
                "node {id}  pid {pid}  running  balance {balance}  waiting: {waiting}"
            ));
        }
        if lines.is_empty() {
            lines.push("there are no nodes; CreateNode ID AMOUNT would start one".to_owned());
        }
        self.tell(&lines.join("\n"))
    }
}

/// Every snapshot has passed the observer's audit. But the observer may itself be broken, and what it
/// hands over is what people see: so it is every snapshot, of every node, with all the money.
fn is_what_was_asked_for(
    bank: &Bank,
    first: Option<SnapshotId>,
    arrived: &BTreeMap<SnapshotId, GlobalSnapshot>,
) -> Result<(), Stop> {
    let asked = first.map_or(1, |first| first.0)..=bank.begun;
    if first.is_none() || !arrived.keys().map(|id| id.0).eq(asked) {
        let what = "the observer handed over other snapshots than were asked for";
        return Err(Stop::Internal(what.to_owned()));
    }
    let mut members = bank.ids.clone();
    members.sort();
    let deposited: u128 = bank.deposits.iter().copied().map(u128::from).sum();
    for (id, snapshot) in arrived {
        let found = snapshot.total();
        let of_members = |(from, to)| from != to && [from, to].iter().all(|n| members.contains(n));
        if !snapshot.accounts.keys().eq(&members)
            || !snapshot.transit.keys().copied().all(of_members)
            || found != deposited
        {
            return Err(Stop::Internal(format!(
                "the observer handed over snapshot {id} with {} of {} nodes and {found} of \
                 {deposited}",
                snapshot.accounts.len(),
                members.len()
            )));
        }
    }
    Ok(())
}

fn describe_waiting((transfers, amount, markers): (u64, u128, u64)) -> Option<String> {
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let transfers =
        (transfers > 0).then(|| format!("{transfers} transfer{} ({amount})", plural(transfers)));
    let markers = (markers > 0).then(|| format!("{markers} marker{}", plural(markers)));
    match (transfers, markers) {
        (Some(transfers), Some(markers)) => Some(format!("{transfers} and {markers}")),
        (transfers, markers) => transfers.or(markers),
    }
}
