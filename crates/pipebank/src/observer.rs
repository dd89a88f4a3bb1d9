//! The observer process: moves frames between pipes and a [`bank::observer::Observer`], and decides
//! nothing.
//!
//! ```text
//!        requests       reports of node 1, 2, 3 …
//!           │                │
//!        ┌──▼────────────────▼──┐
//!        │ Receiver…  value …   │◀── the time
//!        │           …Sender    │
//!        └──┬────────────────┬──┘
//!           ▼                ▼
//!        answers        orders to node 1, 2, 3 …
//! ```
//!
//! It never touches the bank's traffic: it has a pipe for orders to every node and one for reports
//! from it, and nothing else. It ends at the end of file of the requests, whatever it is about.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use pipes::{Fill, Hatch, Poller, Receiver, Sender, Token};

use crate::say::say;
use bank::id::Place;
use bank::messages::{Answer, Order, Report, Request};
use bank::observer::{Effect, Input};

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
    /// A rule was broken.
    #[error(transparent)]
    Rule(#[from] bank::Broken),
}

/// The pipes to and from one node.
struct Pipes {
    orders: Sender<Order>,
    reports: Receiver<Report>,
    /// The outbox may not be empty, or is watched.
    dirty: bool,
}

const REQUESTS: Token = 0;
const ANSWERS: Token = 1;
/// The orders to any node: woken by one, the observer looks where it was waiting.
const ORDERS: Token = 2;
/// The reports of the node at place 0; those of the others follow.
const REPORTS: Token = 3;

/// The observer between its pipes.
pub struct Observer {
    value: bank::observer::Observer,
    /// What it has said and was not done yet; empty between steps.
    effects: Vec<Effect>,
    requests: Receiver<Request>,
    answers: ManuallyDrop<Sender<Answer>>,
    hatch: Hatch,
    nodes: BTreeMap<Place, Pipes>,
    /// The nodes with `dirty` set.
    dirty: Vec<Place>,
    poller: Poller,
    ready: Vec<Token>,
    /// From when the value's time counts.
    beginning: Instant,
}

impl Observer {
    /// Takes its place beside master.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn new(
        lasting: bool,
        verbose: bool,
        mut parent: pipes::Parent<Answer, Request>,
    ) -> Result<Self, ObserverError> {
        if lasting {
            let said = parent.sender.push(&Answer::Started);
            said.map_err(on("answers"))?;
        }
        Ok(Self {
            value: bank::observer::Observer::new(lasting, verbose),
            effects: Vec::new(),
            requests: parent.receiver,
            answers: parent.sender,
            hatch: parent.hatch,
            nodes: BTreeMap::new(),
            dirty: Vec::new(),
            poller: Poller::new().map_err(on("poller"))?,
            ready: Vec::new(),
            beginning: Instant::now(),
        })
    }

    /// Runs until the end of file of the requests.
    ///
    /// # Errors
    ///
    /// A pipe failed, or what came through it breaks a rule.
    pub fn run(mut self) -> Result<(), ObserverError> {
        self.requests
            .watch(&self.poller, REQUESTS, true)
            .map_err(on("requests"))?;
        self.flush()?;
        loop {
            self.wait()?;
            self.step(Input::Now(self.now()))?;
            let ready = std::mem::take(&mut self.ready);
            for token in &ready {
                match *token {
                    REQUESTS => self.hear_master()?,
                    ANSWERS | ORDERS => {}
                    token => self.hear_node(Place::at((token - REPORTS) as usize))?,
                }
            }
            self.ready = ready;
            if self.requests.is_ended() {
                return Ok(());
            }
            self.flush()?;
        }
    }

    fn wait(&mut self) -> Result<(), ObserverError> {
        let wakes_at = self.value.wakes_at();
        let deadline = wakes_at.map(|time| self.beginning + Duration::from_nanos(time));
        self.poller
            .wait(&mut self.ready, deadline)
            .map_err(on("poller"))
    }

    fn now(&self) -> u64 {
        self.beginning.elapsed().as_nanos() as u64
    }

    fn hear_master(&mut self) -> Result<(), ObserverError> {
        self.requests.fill().map_err(on("requests"))?;
        while let Some(request) = self.requests.next_frame().map_err(on("requests"))? {
            self.step(Input::Request(request))?;
        }
        Ok(())
    }

    /// Hands in all that one node has reported.
    fn hear_node(&mut self, place: Place) -> Result<(), ObserverError> {
        loop {
            let now = self.now();
            let Some(Pipes { reports, .. }) = self.nodes.get_mut(&place) else {
                return Ok(());
            };
            let fill = reports.fill().map_err(on("reports"))?;
            self.value.step(Input::Now(now), &mut self.effects)?;
            while let Some(report) = reports.next_frame().map_err(on("reports"))? {
                let report = Input::Report(place, report);
                self.value.step(report, &mut self.effects)?;
            }
            let was_short = reports.was_short();
            self.do_what_was_said()?;
            match fill {
                Fill::More if !was_short => {}
                Fill::More | Fill::Empty => return Ok(()),
                Fill::Ended => return self.step(Input::NodeGone(place)),
            }
        }
    }

    fn step(&mut self, input: Input) -> Result<(), ObserverError> {
        self.value.step(input, &mut self.effects)?;
        self.do_what_was_said()
    }

    fn do_what_was_said(&mut self) -> Result<(), ObserverError> {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Join(place) => self.join(place)?,
                Effect::Order(place, order) => self.order(place, order)?,
                Effect::Answer(answer) => self.answers.push(&answer).map_err(on("answers"))?,
                Effect::Say(line) => say(line),
            }
        }
        self.effects = effects;
        Ok(())
    }

    fn join(&mut self, place: Place) -> Result<(), ObserverError> {
        let mut ends = self.hatch.take(2).map_err(on("hatch"))?.into_iter();
        let (Some(orders), Some(reports)) = (ends.next(), ends.next()) else {
            unreachable!("the hatch gives as many ends as it was asked for");
        };
        let mut pipes = Pipes {
            orders: orders.into_sender(),
            reports: reports.into_receiver(),
            dirty: false,
        };
        let token = REPORTS + place.index() as Token;
        pipes
            .reports
            .watch(&self.poller, token, true)
            .map_err(on("reports"))?;
        self.nodes.insert(place, pipes);
        Ok(())
    }

    fn order(&mut self, place: Place, order: Order) -> Result<(), ObserverError> {
        let Some(pipes) = self.nodes.get_mut(&place) else {
            unreachable!("only those who have joined are given orders");
        };
        pipes.orders.push(&order).map_err(on("orders"))?;
        if !pipes.dirty {
            pipes.dirty = true;
            self.dirty.push(place);
        }
        Ok(())
    }

    /// Writes what there is to write. Orders first: a snapshot waits for them.
    fn flush(&mut self) -> Result<(), ObserverError> {
        let mut dirty = std::mem::take(&mut self.dirty);
        let mut outcome = Ok(());
        dirty.retain(|place| {
            let Some(Pipes { orders, dirty, .. }) = self.nodes.get_mut(place) else {
                return false;
            };
            let flushed = orders
                .flush()
                .and_then(|_| orders.watch_if_pending(&self.poller, ORDERS));
            *dirty = orders.pending() > 0;
            if let Err(error) = flushed {
                outcome = Err(error);
            }
            *dirty
        });
        self.dirty = dirty;
        outcome.map_err(on("orders"))?;
        self.answers.flush().map_err(on("answers"))?;
        self.answers
            .watch_if_pending(&self.poller, ANSWERS)
            .map_err(on("answers"))
    }
}

fn on(pipe: &'static str) -> impl Fn(pipes::Error) -> ObserverError {
    move |source| ObserverError::Pipe { on: pipe, source }
}
