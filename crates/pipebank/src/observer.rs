//! The observer process: has nodes begin snapshots, collects their parts, and audits the whole.
//!
//! It never touches the bank's traffic: it has a pipe for orders to every node and one for reports
//! from it, and nothing else. It keeps no snapshots: what has passed the audit goes to master.
//!
//! `observer/watch.rs` is what it does of its own accord, under load.

mod watch;

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;

use pipes::{Fill, Hatch, Poller, Receiver, Sender, Token};
use snapshot::SnapshotId;

use self::watch::Watch;
use crate::say::say;
use bank::audit::{GlobalSnapshot, Handed, audit};
use bank::id::NodeId;
use bank::messages::{Answer, CHUNK, Order, Report, Request};
use bank::observer::Added;

/// Why the observer ends before master tells it to.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    /// A pipe failed, or what came through it is no frame.
    #[error("{on}: {source}")]
    Pipe {
        /// Which pipe.
        on: &'static str,
        /// What happened.
        source: pipes::Error,
    },
    /// A node said something that does not belong where it was said.
    #[error("unexpected report from node {node}: {report:?}")]
    Unexpected {
        /// The node.
        node: NodeId,
        /// What it said.
        report: Report,
    },
    /// Master named a node that has not joined.
    #[error("master named node {0}, which has not joined")]
    UnknownNode(NodeId),
    /// Master has closed the pipe of requests: not a failure.
    #[error("master has nothing more to ask")]
    Done,
}

/// The pipes to and from one node.
struct Member {
    orders: Sender<Order>,
    reports: Receiver<Report>,
}

const REQUESTS: Token = 0;
const ANSWERS: Token = 1;
/// Any pipe to or from a node: woken by one, the observer looks where it was waiting.
const MEMBER: Token = 2;
/// Under load, the reports of the first node; those of the others follow.
const REPORTS: Token = 3;

/// The observer between its pipes.
pub struct Observer {
    requests: Receiver<Request>,
    answers: ManuallyDrop<Sender<Answer>>,
    hatch: Hatch,
    members: BTreeMap<NodeId, Member>,
    deposits: BTreeMap<NodeId, u64>,
    poller: Poller,
    ready: Vec<Token>,
    verbose: bool,
    /// What it does of its own accord, if that was asked for.
    watch: Option<Watch>,
}

/// Why a collection ended without its snapshots.
enum NotCollected {
    /// A node died.
    NodeGone(NodeId),
    /// The observer itself cannot go on.
    Failed(ObserverError),
}

impl From<ObserverError> for NotCollected {
    fn from(error: ObserverError) -> Self {
        Self::Failed(error)
    }
}

impl Observer {
    /// Takes its place beside master.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn new(
        verbose: bool,
        parent: pipes::Parent<Answer, Request>,
    ) -> Result<Self, ObserverError> {
        Ok(Self {
            requests: parent.receiver,
            answers: parent.sender,
            hatch: parent.hatch,
            members: BTreeMap::new(),
            deposits: BTreeMap::new(),
            poller: Poller::new().map_err(on("poller"))?,
            ready: Vec::new(),
            verbose,
            watch: None,
        })
    }

    /// Runs until the end of file of the requests.
    ///
    /// # Errors
    ///
    /// A pipe failed, or what came through it breaks a rule.
    pub fn run(mut self) -> Result<(), ObserverError> {
        match self.serve() {
            Err(ObserverError::Done) => Ok(()),
            outcome => outcome,
        }
    }

    fn serve(&mut self) -> Result<(), ObserverError> {
        self.watch_requests()?;
        loop {
            while let Some(request) = self.requests.next_frame().map_err(on("requests"))? {
                self.carry_out(request)?;
            }
            if self.watch.is_some() {
                self.go_on_watching()?;
            }
            self.flush()?;
            self.wait()?;
        }
    }

    fn carry_out(&mut self, request: Request) -> Result<(), ObserverError> {
        match request {
            Request::Join { node, deposit } => {
                let mut ends = self.hatch.take(2).map_err(on("hatch"))?.into_iter();
                let (Some(orders), Some(reports)) = (ends.next(), ends.next()) else {
                    unreachable!("the hatch gives as many ends as it was asked for");
                };
                let member = Member {
                    orders: orders.into_sender(),
                    reports: reports.into_receiver(),
                };
                self.members.insert(node, member);
                self.deposits.insert(node, deposit);
                self.answer(Answer::Joined)
            }
            Request::Begin { snapshot, node } => {
                self.tell(|| format!("orders node {node} to begin snapshot {snapshot}"));
                self.order(node, Order::Take { snapshot })
            }
            Request::Watch {
                every_ms,
                concurrent,
            } => self.start_watching(every_ms, concurrent),
            Request::Rest => self.rest(),
            Request::Collect { first, last } => {
                let ids = (first.0..=last.0).map(SnapshotId);
                match self.collect(ids) {
                    Ok(()) => Ok(()),
                    Err(NotCollected::NodeGone(node)) => self.answer(Answer::NodeGone { node }),
                    Err(NotCollected::Failed(error)) => Err(error),
                }
            }
        }
    }

    /// Collects all of these snapshots or none: asks everybody first, takes parts only when all
    /// are complete, and tells master only of what has passed the audit.
    fn collect(
        &mut self,
        ids: impl Iterator<Item = SnapshotId> + Clone,
    ) -> Result<(), NotCollected> {
        let mut complete = true;
        for snapshot in ids.clone() {
            complete &= self.ask(snapshot)?;
        }
        if !complete {
            self.answer(Answer::Incomplete)?;
            return Ok(());
        }
        // Also after one that is unsound: master counts on it that all parts are handed over.
        let mut collected = Vec::new();
        let mut unsound = None;
        for snapshot in ids {
            let handed = self.gather(snapshot)?;
            match audit(snapshot, handed, &self.deposits) {
                Ok(global) => {
                    self.tell(|| {
                        format!("snapshot {snapshot} is collected and has passed its audit")
                    });
                    collected.push(global);
                }
                Err(reason) => {
                    unsound.get_or_insert(Answer::Unsound { snapshot, reason });
                }
            }
        }
        if let Some(unsound) = unsound {
            self.answer(unsound)?;
            return Ok(());
        }
        for global in collected {
            self.give(global)?;
        }
        self.answer(Answer::Collected)?;
        Ok(())
    }

    /// Asks every node for the markers it waits for; says them to master. Whether there are none.
    fn ask(&mut self, snapshot: SnapshotId) -> Result<bool, NotCollected> {
        self.order_everybody(Order::Ask { snapshot })?;
        let mut complete = true;
        for node in self.nodes() {
            loop {
                match self.next_report(node)? {
                    Report::Waiting { recorded, peers } => {
                        complete = false;
                        self.answer(Answer::Waiting {
                            snapshot,
                            node,
                            recorded,
                            peers,
                        })?;
                    }
                    Report::Asked => break,
                    report => return Err(ObserverError::Unexpected { node, report }.into()),
                }
            }
        }
        Ok(complete)
    }

    /// Takes every node's part of a snapshot. A node that does not give one is left out: the audit
    /// will say so.
    fn gather(&mut self, snapshot: SnapshotId) -> Result<BTreeMap<NodeId, Handed>, NotCollected> {
        self.order_everybody(Order::Give { snapshot })?;
        let mut all = BTreeMap::new();
        for node in self.nodes() {
            let mut handed = Handed::default();
            loop {
                match handed.add(self.next_report(node)?) {
                    Ok(Added::More) => {}
                    Ok(Added::Begins(id)) if id == snapshot => {}
                    Ok(Added::Ends { complete }) => {
                        if complete {
                            all.insert(node, handed);
                        }
                        break;
                    }
                    Ok(Added::Begins(snapshot)) => {
                        let balance = handed.balance;
                        let report = Report::Account { snapshot, balance };
                        return Err(ObserverError::Unexpected { node, report }.into());
                    }
                    Err(report) => return Err(ObserverError::Unexpected { node, report }.into()),
                }
            }
        }
        Ok(all)
    }

    /// Hands a snapshot to master.
    fn give(&mut self, global: GlobalSnapshot) -> Result<(), ObserverError> {
        let snapshot = global.id;
        for (node, balance) in global.accounts {
            self.answer(Answer::Account {
                snapshot,
                node,
                balance,
            })?;
        }
        for ((from, to), amounts) in global.transit {
            for amounts in amounts.chunks(CHUNK) {
                self.answer(Answer::Transit {
                    snapshot,
                    from,
                    to,
                    amounts: amounts.to_vec(),
                })?;
            }
        }
        Ok(())
    }

    /// The next report of a node, waiting for it. What others report meanwhile waits in their
    /// pipes.
    fn next_report(&mut self, node: NodeId) -> Result<Report, NotCollected> {
        loop {
            let reports = &mut self.member(node)?.reports;
            if let Some(report) = reports.next_frame().map_err(on("reports"))? {
                return Ok(report);
            }
            match reports.fill().map_err(on("reports"))? {
                Fill::More => {}
                Fill::Ended => return Err(NotCollected::NodeGone(node)),
                Fill::Empty => {
                    self.flush()?;
                    self.watch_reports(node, true)?;
                    self.wait()?;
                    self.watch_reports(node, false)?;
                }
            }
        }
    }

    fn watch_reports(&mut self, node: NodeId, wanted: bool) -> Result<(), ObserverError> {
        let member = self
            .members
            .get_mut(&node)
            .ok_or(ObserverError::UnknownNode(node))?;
        member
            .reports
            .watch(&self.poller, MEMBER, wanted)
            .map_err(on("reports"))
    }

    fn order_everybody(&mut self, order: Order) -> Result<(), ObserverError> {
        for node in self.nodes() {
            self.order(node, order)?;
        }
        Ok(())
    }

    fn order(&mut self, node: NodeId, order: Order) -> Result<(), ObserverError> {
        let member = self.member(node)?;
        member.orders.push(&order).map_err(on("orders"))?;
        member.orders.flush().map_err(on("orders"))?;
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), ObserverError> {
        self.answers.push(&answer).map_err(on("answers"))
    }

    fn flush(&mut self) -> Result<(), ObserverError> {
        self.answers.flush().map_err(on("answers"))?;
        self.answers
            .watch_if_pending(&self.poller, ANSWERS)
            .map_err(on("answers"))?;
        for member in self.members.values_mut() {
            if member.orders.pending() > 0 {
                member.orders.flush().map_err(on("orders"))?;
            }
            member
                .orders
                .watch_if_pending(&self.poller, MEMBER)
                .map_err(on("orders"))?;
        }
        Ok(())
    }

    /// Waits until something can go on; the end of the requests ends the observer, whatever it is
    /// about.
    fn wait(&mut self) -> Result<(), ObserverError> {
        let deadline = self.watch.as_ref().and_then(Watch::next_begin);
        self.poller
            .wait(&mut self.ready, deadline)
            .map_err(on("poller"))?;
        if self.ready.contains(&REQUESTS) {
            self.requests.fill().map_err(on("requests"))?;
            if self.requests.is_ended() {
                return Err(ObserverError::Done);
            }
        }
        Ok(())
    }

    fn watch_requests(&mut self) -> Result<(), ObserverError> {
        self.requests
            .watch(&self.poller, REQUESTS, true)
            .map_err(on("requests"))
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.members.keys().copied().collect()
    }

    fn member(&mut self, node: NodeId) -> Result<&mut Member, ObserverError> {
        self.members
            .get_mut(&node)
            .ok_or(ObserverError::UnknownNode(node))
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            say(format_args!("observer: {}", what()));
        }
    }
}

fn on(pipe: &'static str) -> impl Fn(pipes::Error) -> ObserverError {
    move |source| ObserverError::Pipe { on: pipe, source }
}
