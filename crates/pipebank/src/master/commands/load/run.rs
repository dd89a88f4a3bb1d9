//! A load run, from setting up to the last balance.

use std::time::{Duration, Instant};

use pipes::Patience;

use super::options::{Extent, LoadOptions};
use super::progress::Progress;
use super::summary::{Journals, Outcome, Snapshots};
use crate::master::cluster::{Cluster, SIGNALS};
use crate::master::lasting::DataDir;
use crate::master::shared::{Error, LAST_WORDS, Painter, Stop};
use bank::id::{NodeId, Place};
use bank::master::{Effect, Fate, Load, Master, Process, Setup};
use bank::messages::{Answer, Reply};

/// How long a load that a signal has ended may take to come to rest: who has not by then never will.
const GRACE: Duration = Duration::from_secs(5);

/// Signals so close together are one request: `timeout` sends one to its child and one to the group.
const ONE_REQUEST: Duration = Duration::from_millis(200);

/// A load run.
pub(super) struct Run<'p> {
    pub(super) options: LoadOptions,
    deposits: u64,
    pub(super) seed: u64,
    pub(super) patience: &'p Patience,
    pub(super) cluster: Cluster<'p>,
    pub(super) snapshots: Snapshots,
    pub(super) progress: Progress,
    journals: Journals,
    /// The signal that ends it early.
    pub(super) caught: Option<i32>,
    /// Until when everybody has to have come to rest after that.
    grace: Option<Instant>,
    painter: Painter,
    pub(super) nodes: usize,
    pub(super) master: Master,
    /// The load, once everybody is there.
    pub(super) load: Option<Load>,
    /// Who has come back, and was not told of the load.
    pub(super) restarted: Vec<Process>,
}

impl<'p> Run<'p> {
    pub(super) fn new(
        options: LoadOptions,
        deposits: u64,
        seed: u64,
        patience: &'p Patience,
        mut cluster: Cluster<'p>,
        tile: usize,
    ) -> Self {
        let nodes = options.nodes as usize;
        let mut master = Master::new(Setup {
            seed,
            window: usize::MAX,
            tile,
            history: false,
            lasting: cluster.data.is_some(),
        });
        let past = cluster.data.as_mut().map(DataDir::take_past);
        if let Some(outcomes) = past.and_then(|past| past.outcomes) {
            master.recall(outcomes);
        }
        Self {
            master,
            load: None,
            restarted: Vec::new(),
            deposits,
            seed,
            patience,
            cluster,
            snapshots: Snapshots::default(),
            progress: Progress::none(),
            journals: Journals::default(),
            caught: None,
            grace: None,
            painter: options.system.painter(),
            nodes,
            options,
        }
    }

    /// Runs it; afterwards the processes still are there. Where one of them has died meanwhile, what was
    /// measured until then comes of it all the same.
    pub(super) fn drive(&mut self) -> Result<Outcome, Error> {
        self.narrate(&format!("the seed is {}", self.seed))?;
        self.set_up()?;
        self.narrate("the load begins")?;
        let began = Instant::now();
        match self.load(began) {
            Ok(elapsed) => {
                self.balance_the_books()?;
                Ok(self.outcome(elapsed, None))
            }
            Err(died @ Error::Died { .. }) => {
                let elapsed = began.elapsed();
                self.count_the_rest()?;
                Ok(self.outcome(elapsed, Some(died)))
            }
            Err(error) => Err(error),
        }
    }

    /// Everything from the first transfer to the last balance; returns how long the transfers took.
    fn load(&mut self, began: Instant) -> Result<Duration, Error> {
        self.begin()?;
        self.go_on(began)?;
        self.narrate("nobody sends any more")?;
        self.come_to_rest()?;
        let elapsed = began.elapsed();
        self.wait_until("the observer to finish its snapshots", Load::has_rested)?;
        Ok(elapsed)
    }

    /// Somebody has died: asks the living what they have received. Who does not say so soon never
    /// will.
    fn count_the_rest(&mut self) -> Result<(), Error> {
        let until = Instant::now() + GRACE;
        self.ask_for_counts()?;
        while !self.load.as_ref().is_none_or(Load::is_counted) && self.caught.is_none() {
            if Instant::now() >= until || self.patience.is_late() {
                break;
            }
            self.wait(Some(until))?;
            self.take_everything()?;
            self.next_death();
        }
        Ok(())
    }

    /// Has everybody begin.
    fn begin(&mut self) -> Result<(), Error> {
        self.have(|load, effects| load.begin(effects))?;
        self.progress = Progress::begin(self.options.extent());
        Ok(())
    }

    /// Has the load say what is to be done, and does it.
    fn have<R>(
        &mut self,
        what: impl FnOnce(&mut Load, &mut Vec<Effect>) -> R,
    ) -> Result<Option<R>, Error> {
        let mut effects = Vec::new();
        let outcome = self.load.as_mut().map(|load| what(load, &mut effects));
        self.do_all(effects)?;
        Ok(outcome)
    }

    /// Waits until nobody generates any more.
    fn go_on(&mut self, began: Instant) -> Result<(), Error> {
        let mut end = match self.options.extent() {
            Extent::Duration(duration) => began.checked_add(duration),
            Extent::Transfers(_) => None,
        };
        let mut told_to_rest = false;
        while !self.load.as_ref().is_none_or(Load::has_generated) {
            let over = end.is_some_and(|end| Instant::now() >= end) || self.caught.is_some();
            if over && !told_to_rest {
                told_to_rest = true;
                end = None;
                self.have(Load::rest)?;
                self.narrate("the nodes are told to rest")?;
            }
            if self
                .progress
                .next()
                .is_some_and(|next| Instant::now() >= next)
            {
                self.progress.asked();
                self.ask_for_counts()?;
            }
            let wake = [end, self.progress.next()].into_iter().flatten().min();
            self.hear(wake, "the nodes to stop generating")?;
        }
        Ok(())
    }

    /// Waits until everything has come that was sent.
    fn come_to_rest(&mut self) -> Result<(), Error> {
        self.wait_until("the nodes to receive what is in transit", |load| {
            load.balances().is_some()
        })
    }

    fn measure_journals(&mut self) -> Result<(), Error> {
        if let Some(data) = &self.cluster.data {
            self.journals.take(data.bytes().map_err(Stop::from)?);
        }
        Ok(())
    }

    /// The final audit: nothing is in transit, so the balances are all there is.
    fn balance_the_books(&mut self) -> Result<(), Error> {
        self.measure_journals()?;
        let load = self.load.as_ref();
        let balances = load.and_then(Load::balances).unwrap_or(0);
        let (received, sent) = load.map_or((0, 0), |load| (load.received(), load.sent()));
        if received != sent {
            return Err(Error::Transfers { sent, received });
        }
        if balances != u128::from(self.deposits) {
            return Err(Error::Money {
                deposits: self.deposits,
                found: balances,
            });
        }
        Ok(())
    }

    fn outcome(&self, elapsed: Duration, died: Option<Error>) -> Outcome {
        Outcome {
            hosts: self.cluster.hosts.names().to_vec(),
            nodes: self.options.nodes,
            topology: self.options.topology,
            balance: self.options.balance,
            seed: self.seed,
            transfers: self.load.as_ref().map_or(0, Load::received),
            elapsed,
            total: self.deposits,
            cpu: None,
            journals: self.cluster.data.as_ref().map(|_| self.journals),
            died,
        }
    }

    /// Tells what master does, where that was asked for.
    fn narrate(&mut self, what: &str) -> Result<(), Error> {
        match self.options.system.verbose {
            true => self.tell(&format!("master: {what}")),
            false => Ok(()),
        }
    }

    /// Tells something. A signal that cuts it short is the first, and ends the load; after one, nobody
    /// is waited for any more.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), Error> {
        if self.caught.is_some() {
            let _ = self.painter.tell_within(text, &Patience::brief(LAST_WORDS));
            return Ok(());
        }
        match self.painter.tell_within(text, self.patience) {
            Err(Stop::Signal(number)) => self.on_signal(number),
            told => Ok(told?),
        }
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.nodes).map(Place::at)
    }

    fn ask_for_counts(&mut self) -> Result<(), Error> {
        self.have(Load::count).map(drop)
    }

    fn wait_until(
        &mut self,
        waited_for: &str,
        is_done: impl Fn(&Load) -> bool,
    ) -> Result<(), Error> {
        while !self.load.as_ref().is_none_or(&is_done) {
            self.hear(None, waited_for)?;
        }
        Ok(())
    }

    /// Waits until somebody says something, or until `wake`, and takes it in.
    fn hear(&mut self, wake: Option<Instant>, waited_for: &str) -> Result<(), Error> {
        self.wait(wake)?;
        self.take_everything()?;
        self.check(waited_for)
    }

    /// Takes in what everybody has said.
    fn take_everything(&mut self) -> Result<(), Error> {
        while let Some(answer) = self.cluster.answer().map_err(Stop::from)? {
            self.take_answer(answer)?;
        }
        for place in self.places() {
            while let Some(reply) = self.cluster.reply(place).map_err(Stop::from)? {
                self.take_reply(place, reply)?;
            }
        }
        Ok(())
    }

    /// Waits until somebody has said something, or until `wake`.
    pub(super) fn wait(&mut self, wake: Option<Instant>) -> Result<(), Error> {
        let until = [wake, self.grace].into_iter().flatten().min();
        let own = self.cluster.wait(until)?;
        if own.contains(&SIGNALS)
            && let Some(caught) = self.patience.next_caught()?
        {
            return self.on_signal(caught.0);
        }
        Ok(())
    }

    /// The first signal ends the load; the second one is for those who do not want to wait for the
    /// summary.
    fn on_signal(&mut self, number: i32) -> Result<(), Error> {
        if self.is_one_request() {
            return Ok(());
        }
        self.grace = Some(Instant::now() + GRACE);
        match self.caught.replace(number) {
            None => Ok(()),
            Some(_) => Err(Stop::Signal(number).into()),
        }
    }

    /// Whether a signal that comes now belongs to the first.
    fn is_one_request(&self) -> bool {
        self.grace
            .is_some_and(|end| Instant::now() + GRACE < end + ONE_REQUEST)
    }

    /// What belongs to the first signal is to keep no summary from being written.
    pub(super) fn forget_repeated(&mut self) -> Result<(), Error> {
        while self.is_one_request() && self.patience.next_caught()?.is_some() {}
        Ok(())
    }

    /// Nobody has died, and there is time left.
    pub(super) fn check(&mut self, waited_for: &str) -> Result<(), Error> {
        if let Some(died) = self.next_death() {
            return Err(died);
        }
        if self.patience.is_late() {
            let waited_for = waited_for.to_owned();
            return Err(Stop::TimedOut { waited_for }.into());
        }
        match (self.caught, self.grace) {
            (Some(number), Some(grace)) if Instant::now() >= grace => {
                Err(Stop::Signal(number).into())
            }
            _ => Ok(()),
        }
    }

    /// The first of those that have died since it was asked last. In a bank that lasts they come back.
    fn next_death(&mut self) -> Option<Error> {
        let mut first = None;
        for (dead, fate) in self.cluster.take_news() {
            if self.cluster.data.is_some() {
                if let Err(error) = self.bring_back(dead, fate) {
                    first.get_or_insert(error);
                }
                continue;
            }
            if let Some(load) = &mut self.load {
                load.lost(dead);
            }
            let who = who(dead);
            first.get_or_insert(Error::Died { who, fate });
        }
        first
    }

    /// Somebody has died, and what he has said still counts.
    fn bring_back(&mut self, dead: Process, fate: Fate) -> Result<(), Error> {
        let mut left = self.cluster.last_words(dead).map_err(Stop::from)?;
        if let (Process::Node(place), Some(_)) = (dead, &self.load) {
            for reply in std::mem::take(&mut left.replies) {
                self.take_reply(place, reply)?;
            }
        }
        self.master.died(dead, fate, left)?;
        self.carry_out()
    }

    fn take_answer(&mut self, answer: Answer) -> Result<(), Error> {
        if matches!(answer, Answer::Started | Answer::Joined) {
            self.master.hear_observer(answer)?;
            return Ok(());
        }
        let load = self.load.as_mut();
        let is_news = load.map_or(Ok(true), |load| load.hear_observer(&answer))?;
        match answer {
            _ if !is_news => {}
            Answer::Watched {
                snapshot,
                nanoseconds,
                transfers,
                in_transit,
                total,
            } => {
                let deposits = u128::from(self.deposits);
                let money = u64::try_from(in_transit).ok();
                let Some(money) = money.filter(|_| total == deposits) else {
                    let what = format!("snapshot {snapshot} has another total: {total}");
                    return Err(Stop::Internal(what).into());
                };
                self.snapshots.add(nanoseconds, money, transfers);
                self.measure_journals()?;
            }
            Answer::Unsound { snapshot, reason } => {
                return Err(Error::Unsound { snapshot, reason });
            }
            // Master hears of the death itself too, and how it was.
            _ => {}
        }
        Ok(())
    }

    fn take_reply(&mut self, place: Place, reply: Reply) -> Result<(), Error> {
        if matches!(reply, Reply::Received { .. } | Reply::Restored) {
            self.master.hear(place, reply)?;
            return self.carry_out();
        }
        let is_count = matches!(reply, Reply::Counted { .. });
        self.have(|load, effects| load.hear(place, reply, effects))?
            .transpose()?;
        if let Some(load) = self.load.as_ref().filter(|_| is_count)
            && load.is_counted()
        {
            self.progress.show(load.received(), &self.snapshots);
        }
        Ok(())
    }
}

/// What a process is called.
pub(super) fn who(process: Process) -> String {
    match process {
        Process::Node(place) => format!("node {}", id_of(place)),
        Process::Observer => "the observer".to_owned(),
    }
}

pub(super) fn id_of(place: Place) -> NodeId {
    NodeId(u64::from(place.0) + 1)
}
