//! What a command does before its reply: checks that it can be carried out, sends the frames that
//! carry it out, and notes what they will have changed.

use snapshot::SnapshotId;

use super::channels::{Head, Place};
use super::cluster::{Cluster, Ending};
use super::failure::{Failure, Stop};
use super::results::Shown;
use super::session::{Balance, Bank, Issue, Session, Step};
use bank::id::NodeId;
use bank::messages::{self, Request};
use bank::script::{Command, Statement};

impl Session {
    /// Issues a statement, or as much of it as can be issued now.
    pub(super) fn issue(&mut self, statement: &Statement) -> Result<Issue, Stop> {
        if self
            .bank
            .as_ref()
            .is_some_and(|bank| !bank.unsettled.is_empty())
        {
            self.drain()?;
        }
        // Commands that concern everybody find everything before them done.
        let creates = matches!(statement.command, Command::CreateNode { .. });
        if !creates {
            self.connect_new_nodes()?;
        }
        let concerns_everybody = !matches!(
            statement.command,
            Command::Send { .. }
                | Command::Receive { .. }
                | Command::ReceiveAll
                | Command::BeginSnapshot { .. }
                | Command::PrintSnapshot { .. }
        );
        let goes_on_creating = creates && self.bank.as_ref().is_some_and(Bank::is_creating);
        if concerns_everybody && !goes_on_creating && !self.in_flight.is_empty() {
            return Ok(Issue::Stalled);
        }
        let issued = match statement.command {
            Command::StartMaster => self.start(statement).map(Ok)?,
            Command::KillAll => self
                .end_system(Ending::Script, Some(statement.line))
                .map(|()| Ok(Issue::Done))?,
            Command::CreateNode { id, amount } => self.create_node(statement, id, amount)?,
            Command::Send { from, to, amount } => self.send(statement, from, to, amount)?,
            Command::Receive {
                to,
                from: Some(from),
            } => self.receive_from(statement, to, from)?,
            Command::Receive { to, from: None } => self.receive_any(statement, to)?,
            Command::ReceiveAll => self.receive_all(statement).map(Ok)?,
            Command::BeginSnapshot { id } => self.begin_snapshot(statement, id)?,
            Command::CollectState => self.collect(statement)?,
            Command::PrintSnapshot { number } => self.print_snapshot(statement, number)?,
            Command::KillNode { id } => self.kill_node(statement, id)?,
            Command::Nodes => self.list_nodes(statement).map(Ok)?,
        };
        Ok(issued.unwrap_or_else(|failure| {
            self.push(statement, Step::Known(Err(failure)));
            Issue::Done
        }))
    }

    fn start(&mut self, statement: &Statement) -> Result<Issue, Stop> {
        self.cluster.start_observer()?;
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.started(statement.line);
        }
        self.narrate(|| "starts the observer".to_owned())?;
        self.bank = Some(Bank {
            uncollected: 1,
            ..Bank::default()
        });
        Ok(Issue::Done)
    }

    fn create_node(
        &mut self,
        statement: &Statement,
        id: NodeId,
        amount: u64,
    ) -> Result<Result<Issue, Failure>, Stop> {
        let present = self.bank()?.ids.len() as u64;
        let started = match Cluster::needs(Some(present), present + 1).shortage() {
            Some(shortage) => Err(Failure::Shortage(shortage)),
            None => match self.cluster.start_node(id, amount) {
                Err(error @ pipes::Error::TooManyOnTheirWay) => return Err(self.cut_short(error)),
                started => started.map_err(|error| Failure::Start(error.to_string())),
            },
        };
        let place = match started {
            Ok(place) => place,
            Err(failure) => {
                self.bank()?.never_created.insert(id, statement.line);
                return Ok(Err(failure));
            }
        };
        self.cluster.publish()?;
        let has_observer = self.cluster.observer_fate().is_none();
        let bank = self.bank()?;
        let owing = !bank.torn;
        bank.channels.join(id, owing);
        bank.ids.push(id);
        bank.places.insert(id, place);
        bank.deposits.push(amount);
        bank.balances.push(Balance {
            known: amount,
            going: 0,
        });
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.created(statement.line, id, amount, owing);
        }
        let pid = self.cluster.pid(place);
        self.narrate(|| format!("starts node {id} (pid {pid})"))?;
        if has_observer {
            self.push(statement, Step::Joined);
        }
        self.bank()?.unconnected.push((place, *statement));
        if self.settings.window == 1 {
            self.connect_new_nodes()?;
        }
        Ok(Ok(Issue::Done))
    }

    /// Connects the nodes that were created and are not connected yet: those of consecutive lines
    /// together.
    pub(super) fn connect_new_nodes(&mut self) -> Result<(), Stop> {
        let Some(bank) = self.bank.as_mut().filter(|bank| bank.is_creating()) else {
            return Ok(());
        };
        let (new, statements): (Vec<Place>, Vec<Statement>) =
            std::mem::take(&mut bank.unconnected).into_iter().unzip();
        // Those who were there when these were created. Who has died since gets his pipes all the
        // same: whatever is known of channels counts on them.
        let channels = &self.bank()?.channels;
        let has_channel = |old: &Place| new.iter().any(|new| !channels.is_absent(*old, *new));
        let old: Vec<Place> = (0..new[0]).filter(has_channel).collect();
        let mut opened = Vec::new();
        let owing = !self.bank()?.torn;
        let connected = self
            .cluster
            .connect(&old, &new, owing, |node| opened.push(node));
        connected.map_err(|error| self.cut_short(error))?;
        for node in opened {
            self.push(&statements[0], Step::Opened { node });
        }
        Ok(())
    }

    fn send(
        &mut self,
        statement: &Statement,
        from: NodeId,
        to: NodeId,
        amount: u64,
    ) -> Result<Result<Issue, Failure>, Stop> {
        let (node, receiver) = match (self.alive(from)?, self.alive(to)?) {
            (Ok(node), Ok(receiver)) => (node, receiver),
            (Err(failure), _) | (_, Err(failure)) => return Ok(Err(failure)),
        };
        let bank = self.bank()?;
        let balance = &mut bank.balances[node];
        let certain = balance.certainly_covers(amount);
        balance.going += u128::from(amount);
        bank.channels.send(node, receiver, amount, certain);
        let command = messages::Command::Send { to, amount };
        self.cluster.command(node, &command)?;
        self.push(
            statement,
            Step::Send {
                node,
                to: receiver,
                amount,
                certain,
            },
        );
        Ok(Ok(Issue::Done))
    }

    fn receive_from(
        &mut self,
        statement: &Statement,
        to: NodeId,
        from: NodeId,
    ) -> Result<Result<Issue, Failure>, Stop> {
        let (node, sender) = match (self.alive(to)?, self.member(from)?) {
            (Ok(node), Ok(sender)) => (node, sender),
            (Err(failure), _) | (_, Err(failure)) => return Ok(Err(failure)),
        };
        let fate = self.cluster.fate(sender).cloned();
        let channels = &self.bank()?.channels;
        if let Some(fate) = fate {
            if channels.is_absent(sender, node) {
                return Ok(Err(Failure::NeverConnected {
                    dead: from,
                    joined: to,
                    fate,
                }));
            }
            if channels.head(sender, node) == Head::Nothing {
                return Ok(Err(Failure::Ended { from, fate }));
            }
        }
        if channels.head(sender, node) == Head::Nothing {
            return Ok(Err(Failure::NothingFrom { from, to }));
        }
        self.take_head(statement, sender, node).map(Ok)
    }

    fn receive_any(
        &mut self,
        statement: &Statement,
        to: NodeId,
    ) -> Result<Result<Issue, Failure>, Stop> {
        let node = match self.alive(to)? {
            Ok(node) => node,
            Err(failure) => return Ok(Err(failure)),
        };
        let (sender, node) = match self.drawn_before()? {
            Some(drawn) => drawn,
            None => {
                let ready = self.bank()?.channels.ready();
                if !ready.is_determined_into(node) {
                    return Ok(Ok(Issue::Stalled));
                }
                let choices = ready.count_into(node);
                if choices == 0 {
                    return Ok(Err(Failure::NothingTo { to }));
                }
                let pick = self.draw.pick(choices);
                let sender = self.bank()?.channels.ready().nth_into(node, pick);
                (sender.ok_or_else(bad_draw)?, node)
            }
        };
        self.take_drawn(statement, sender, node).map(Ok)
    }

    fn receive_all(&mut self, statement: &Statement) -> Result<Issue, Stop> {
        let (sender, node) = match self.drawn_before()? {
            Some(drawn) => drawn,
            None => {
                let ready = self.bank()?.channels.ready();
                if !ready.is_determined() {
                    return Ok(Issue::Stalled);
                }
                let choices = ready.count();
                if choices == 0 {
                    return Ok(Issue::Done);
                }
                let pick = self.draw.pick(choices);
                let channel = self.bank()?.channels.ready().nth(pick);
                channel.ok_or_else(bad_draw)?
            }
        };
        Ok(match self.take_drawn(statement, sender, node)? {
            Issue::Stalled => Issue::Stalled,
            Issue::Done | Issue::More => Issue::More,
        })
    }

    /// The channel that was drawn when the receive could not be issued yet. What was foreseen there
    /// may have turned out never to come, where somebody died; then it is drawn anew.
    fn drawn_before(&mut self) -> Result<Option<(Place, Place)>, Stop> {
        let Some((from, node)) = self.drawn.take() else {
            return Ok(None);
        };
        let is_there = self.bank()?.channels.head(from, node) != Head::Nothing;
        Ok(is_there.then_some((from, node)))
    }

    /// Takes the head of a channel that was drawn; remembers the draw where it cannot yet.
    fn take_drawn(
        &mut self,
        statement: &Statement,
        from: Place,
        node: Place,
    ) -> Result<Issue, Stop> {
        let issue = self.take_head(statement, from, node)?;
        self.drawn = (issue == Issue::Stalled).then_some((from, node));
        Ok(issue)
    }

    /// Has a node take the head of a channel, once it is certain that it will find it there.
    fn take_head(
        &mut self,
        statement: &Statement,
        from: Place,
        node: Place,
    ) -> Result<Issue, Stop> {
        let (retired, done) = (self.retired, self.issued + 1);
        let bank = self.bank()?;
        match bank.channels.head(from, node) {
            Head::Undetermined => return Ok(Issue::Stalled),
            Head::Marker(_, known_after) if retired < known_after => return Ok(Issue::Stalled),
            Head::Marker(..) | Head::Transfer(_) => {}
            // The node would wait for ever.
            Head::Nothing => return Err(bad_draw()),
        }
        let expected = bank.channels.take(from, node, done);
        let command = messages::Command::Receive {
            from: bank.ids[from],
        };
        self.cluster.command(node, &command)?;
        self.push(
            statement,
            Step::Receive {
                node,
                from,
                expected,
            },
        );
        Ok(Issue::Done)
    }

    fn begin_snapshot(
        &mut self,
        statement: &Statement,
        id: NodeId,
    ) -> Result<Result<Issue, Failure>, Stop> {
        let node = match self.alive(id)? {
            Ok(node) => node,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Err(failure) = self.snapshots_are_possible()? {
            return Ok(Err(failure));
        }
        let done = self.issued + 1;
        let bank = self.bank()?;
        bank.begun += 1;
        let snapshot = SnapshotId(bank.begun);
        bank.channels.record(node, snapshot, done);
        self.cluster
            .request(&Request::Begin { snapshot, node: id })?;
        let command = messages::Command::AwaitTake { snapshot };
        self.cluster.command(node, &command)?;
        self.push(statement, Step::Begin { node, snapshot });
        Ok(Ok(Issue::Done))
    }

    fn collect(&mut self, statement: &Statement) -> Result<Result<Issue, Failure>, Stop> {
        if let Err(failure) = self.snapshots_are_possible()? {
            return Ok(Err(failure));
        }
        let bank = self.bank()?;
        if bank.uncollected > bank.begun {
            return Ok(Err(Failure::NothingBegun));
        }
        let (first, last) = (SnapshotId(bank.uncollected), SnapshotId(bank.begun));
        self.cluster.request(&Request::Collect { first, last })?;
        self.push(statement, Step::Collect { first });
        // What comes next may need what was collected, and must not change it.
        self.drain()?;
        Ok(Ok(Issue::Done))
    }

    fn print_snapshot(
        &mut self,
        statement: &Statement,
        number: Option<u64>,
    ) -> Result<Result<Issue, Failure>, Stop> {
        let collected = &self.bank()?.collected;
        let snapshot = match number {
            None => collected.values().next_back(),
            Some(number) => collected.get(&number),
        };
        Ok(match (snapshot, number) {
            (Some(snapshot), _) => {
                let shown = Shown::Snapshot(snapshot.clone());
                self.push(statement, Step::Known(Ok(Some(shown))));
                Ok(Issue::Done)
            }
            (None, Some(wanted)) if !collected.is_empty() => Err(Failure::NotCollected {
                wanted,
                collected: collected.keys().copied().collect(),
            }),
            (None, _) => Err(Failure::NothingCollected),
        })
    }

    /// Kills a node at this line of the script. First, what it has enqueued is read ahead by those
    /// it is for: so what survives it is everything, however full its pipes were, and the same
    /// in every run.
    fn kill_node(
        &mut self,
        statement: &Statement,
        id: NodeId,
    ) -> Result<Result<Issue, Failure>, Stop> {
        let node = match self.alive(id)? {
            Ok(node) => node,
            Err(failure) => return Ok(Err(failure)),
        };
        for reader in self.living()? {
            let (transfers, _, markers) = self.bank()?.channels.waiting(node, reader);
            let frames = transfers + markers;
            if reader != node && frames > 0 {
                self.read_ahead(statement, node, reader, frames)?;
            }
        }
        self.drain()?;
        self.narrate(|| format!("kills node {id}"))?;
        self.killing = Some((node, statement.line));
        self.cluster.kill(node);
        while self.cluster.fate(node).is_none() {
            self.wait()?;
        }
        self.killing = None;
        self.drain()?;
        Ok(Ok(Issue::Done))
    }

    /// Has a node read a channel ahead.
    pub(super) fn read_ahead(
        &mut self,
        statement: &Statement,
        from: Place,
        node: Place,
        frames: u64,
    ) -> Result<(), Stop> {
        let from_id = self.bank()?.ids[from];
        let command = messages::Command::ReadAhead {
            from: from_id,
            frames,
        };
        self.cluster.command(node, &command)?;
        self.push(statement, Step::Ahead { from, node });
        Ok(())
    }

    /// The node with this id, dead or alive.
    fn member(&mut self, id: NodeId) -> Result<Result<Place, Failure>, Stop> {
        let bank = self.bank()?;
        if let Some(place) = bank.places.get(&id) {
            return Ok(Ok(*place));
        }
        match bank.never_created.get(&id) {
            Some(line) => Ok(Err(Failure::NeverCreated {
                node: id,
                line: *line,
            })),
            None => Err(Stop::Internal(format!("node {id} was never heard of"))),
        }
    }

    /// The node with this id, if it lives.
    fn alive(&mut self, id: NodeId) -> Result<Result<Place, Failure>, Stop> {
        let place = match self.member(id)? {
            Ok(place) => place,
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(match self.cluster.fate(place) {
            None => Ok(place),
            Some(fate) => Err(Failure::NodeDied {
                node: id,
                fate: fate.clone(),
            }),
        })
    }

    pub(super) fn living(&mut self) -> Result<Vec<Place>, Stop> {
        let nodes = self.bank()?.ids.len();
        Ok((0..nodes)
            .filter(|place| self.cluster.fate(*place).is_none())
            .collect())
    }

    fn snapshots_are_possible(&mut self) -> Result<Result<(), Failure>, Stop> {
        if let Some(fate) = self.cluster.observer_fate() {
            return Ok(Err(Failure::ObserverDied(fate.clone())));
        }
        let bank = self.bank()?;
        let Some(dead) = bank.dead else {
            return Ok(Ok(()));
        };
        let node = bank.ids[dead];
        Ok(match self.cluster.fate(dead) {
            Some(fate) => Err(Failure::MemberDied {
                node,
                fate: fate.clone(),
            }),
            None => Ok(()),
        })
    }
}

fn bad_draw() -> Stop {
    Stop::Internal("a draw chose what is not there".to_owned())
}
