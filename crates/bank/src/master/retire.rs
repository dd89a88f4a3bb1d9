//! What the reply to a command brings: a result, a failure, and what is now known for certain.

use super::channels::Taken;
use super::effect::{Effect, Row, State};
use super::{Broken, Entry, Master, Said, Shown, Step};
use crate::id::Place;
use crate::member::Frame;
use crate::messages::Reply;
use crate::script::{Command, Statement};

/// How a step came to be retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retired {
    /// In its turn: what was said is what was foreseen.
    InTurn,
    /// When a death was settled. What is in channels is known from the replay; `inferred` where
    /// nobody has said what was done.
    Settled { inferred: bool },
}

impl Master {
    /// A step is done.
    pub(super) fn complete(
        &mut self,
        entry: Entry,
        said: Said,
        retired: Retired,
    ) -> Result<(), Broken> {
        let Entry { statement, step } = entry;
        match &said {
            Said::Reply(reply) if self.brings(&statement, &step, reply, retired) => Ok(()),
            _ => self.complete_rarely(&statement, step, said, retired == Retired::InTurn),
        }
    }

    /// Does what the reply to a step brings; whether it is one of those of which millions come in a second.
    /// Nothing is moved for them.
    pub(super) fn brings(
        &mut self,
        statement: &Statement,
        step: &Step,
        reply: &Reply,
        retired: Retired,
    ) -> bool {
        let in_turn = retired == Retired::InTurn;
        let inferred = retired == Retired::Settled { inferred: true };
        match (step, reply) {
            (
                &Step::Send {
                    node,
                    to,
                    amount,
                    certain,
                },
                &Reply::Sent { balance },
            ) => {
                if in_turn && !certain {
                    self.bank.channels.determine(node, to, true);
                }
                self.sent(statement, (node, to), amount, balance, inferred);
            }
            (
                &Step::Send {
                    node,
                    to,
                    amount,
                    certain,
                },
                &Reply::Refused { balance },
            ) if !in_turn || !certain => {
                if in_turn {
                    self.bank.channels.determine(node, to, false);
                }
                self.refused(statement, (node, to), amount, balance);
            }
            (
                &Step::Receive {
                    node,
                    from,
                    expected,
                },
                Reply::Transfer { .. } | Reply::Marker { .. },
            ) if !in_turn || taken(reply) == Some(expected) => {
                self.received(statement, (node, from), reply, inferred);
            }
            (&Step::Begin { node, snapshot }, Reply::Began) => {
                self.began(statement, node, snapshot, inferred);
            }
            _ => return false,
        }
        true
    }

    /// A step is done that is rare or changes little.
    pub(super) fn complete_rarely(
        &mut self,
        statement: &Statement,
        step: Step,
        said: Said,
        in_turn: bool,
    ) -> Result<(), Broken> {
        match (step, said) {
            (Step::Collect { first }, Said::Outcome(outcome)) => {
                self.end_collection(statement, first, *outcome)
            }
            (Step::Recalled { first, kept }, _) => self.conclude(statement, first, *kept),
            (step, said) if in_turn => self.complete_otherwise(statement, step, said),
            (step, said) => self.complete_after_death(statement, step, said),
        }
    }

    /// The same, of one that belongs to no collection, in its turn.
    pub(super) fn complete_otherwise(
        &mut self,
        statement: &Statement,
        step: Step,
        said: Said,
    ) -> Result<(), Broken> {
        match (step, said) {
            (Step::Known(outcome), _) => match *outcome {
                Ok(shown) => self.show(statement, shown),
                Err(failure) => self.fail(statement, failure),
            },
            (Step::Table, _) => self.show_table(),
            (Step::Opened { .. }, Said::Reply(Reply::Opened))
            | (Step::Joined, _)
            | (Step::Forgotten { .. }, Said::Reply(Reply::Forgotten))
            | (Step::ToEnd { .. }, Said::Reply(Reply::Found { .. })) => {}
            (Step::Balance { node }, Said::Reply(Reply::Balance { balance })) => {
                self.bank.nodes[node].balance.known = balance;
            }
            (Step::Ahead { frames, .. }, Said::Reply(Reply::Ahead { frames: there }))
                // Fewer where its sender died by itself: that will be heard of.
                if there <= frames => {}
            (step, said) => {
                return Err(Broken::WrongReply {
                    command: self.by_name(statement.command),
                    line: statement.line,
                    said: format!("{step:?} was answered by {said:?}"),
                });
            }
        }
        Ok(())
    }

    /// A send was carried out; `inferred` where nobody says so.
    pub(super) fn sent(
        &mut self,
        statement: &Statement,
        (node, to): (Place, Place),
        amount: u64,
        balance: u64,
        inferred: bool,
    ) {
        let nodes = &mut self.bank.nodes;
        let account = &mut nodes[node].balance;
        account.known = balance;
        account.going -= u128::from(amount);
        if let Some(events) = &mut self.events {
            let channel = (nodes[node].id, nodes[to].id);
            events.sent(statement.line, channel, amount, inferred, &mut self.effects);
        }
    }

    /// A send was refused.
    pub(super) fn refused(
        &mut self,
        statement: &Statement,
        (node, to): (Place, Place),
        amount: u64,
        balance: u64,
    ) {
        let nodes = &mut self.bank.nodes;
        let account = &mut nodes[node].balance;
        account.known = balance;
        account.going -= u128::from(amount);
        let (from, to) = (nodes[node].id, nodes[to].id);
        self.log(|events, out| events.refused(statement.line, (from, to), amount, out));
        let shown = Shown::Refused {
            from,
            to,
            amount,
            balance,
        };
        self.show(statement, shown);
    }

    /// A frame was received; `inferred` where nobody says so.
    pub(super) fn received(
        &mut self,
        statement: &Statement,
        (node, from): (Place, Place),
        reply: &Reply,
        inferred: bool,
    ) {
        let nodes = &mut self.bank.nodes;
        let (to, from) = (nodes[node].id, nodes[from].id);
        let line = statement.line;
        let shown = match *reply {
            Reply::Transfer { amount, balance } => {
                nodes[node].balance.known = balance;
                self.log(|events, out| events.received(line, (from, to), amount, out));
                Shown::Transfer {
                    node: to,
                    from,
                    amount,
                }
            }
            Reply::Marker { snapshot, recorded } => {
                let recorded = recorded.then_some(nodes[node].balance.known);
                self.log(|events, out| {
                    let channel = (from, to);
                    events.marker_received(line, channel, snapshot, recorded, inferred, out);
                });
                Shown::Marker {
                    node: to,
                    from,
                    snapshot: snapshot.0,
                }
            }
            _ => return,
        };
        if statement.command != Command::ReceiveAll {
            self.show(statement, shown);
        }
    }

    /// A snapshot was begun; `inferred` where nobody says so.
    pub(super) fn began(
        &mut self,
        statement: &Statement,
        node: Place,
        snapshot: snapshot::SnapshotId,
        inferred: bool,
    ) {
        let node = &self.bank.nodes[node];
        let (id, balance, line) = (node.id, node.balance.known, statement.line);
        self.log(|events, out| {
            events.began(line, id, snapshot, balance, inferred, out);
        });
        let shown = Shown::Started {
            node: id,
            snapshot: snapshot.0,
        };
        self.show(statement, shown);
    }

    pub(super) fn show(&mut self, statement: &Statement, shown: Shown) {
        let line = statement.line;
        self.effects.push(Effect::Show { line, shown });
    }

    /// Everybody has answered: the table of the `nodes` command.
    fn show_table(&mut self) {
        let bank = &self.bank;
        let mut places: Vec<Place> = bank.nodes.created().map(|(place, _)| place).collect();
        places.sort_by_key(|place| bank.nodes[*place].id);
        let waiting = |from: &Place, to: Place| {
            let markers = bank.channels.frames(*from, to);
            let markers = markers.filter(|frame| matches!(frame, Frame::Marker(_)));
            let markers = markers.count() as u64;
            let transfers = bank.channels.transfers_behind(*from, to, 0);
            let something = transfers.count + markers > 0;
            something.then(|| (bank.nodes[*from].id, transfers, markers))
        };
        let row = |place: &Place| Row {
            place: *place,
            id: bank.nodes[*place].id,
            incarnation: bank.nodes[*place].incarnation(),
            state: match bank.nodes.fate(*place) {
                Some(fate) => State::Died(fate.clone()),
                None => State::Running {
                    balance: bank.nodes[*place].balance.known,
                    waiting: places
                        .iter()
                        .filter_map(|from| waiting(from, *place))
                        .collect(),
                },
            },
        };
        let rows = places.iter().map(row).collect();
        self.effects.push(Effect::Table(rows));
    }
}

/// What a reply says was taken from a channel.
pub(super) fn taken(reply: &Reply) -> Option<Taken> {
    match *reply {
        Reply::Transfer { amount, .. } => Some(Taken::Transfer(amount)),
        Reply::Marker { snapshot, recorded } => Some(match recorded {
            true => Taken::FirstMarker(snapshot),
            false => Taken::Marker(snapshot),
        }),
        _ => None,
    }
}
