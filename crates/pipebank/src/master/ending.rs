//! How everything ends: every process is told to, waited for, and killed where it does not.

use std::fmt;
use std::time::{Duration, Instant};

use pipes::Caught;

use super::cluster::{Cluster, HOSTS, INPUT, SIGNALS};
use super::mesh::Ends;
use super::shared::Stop;
use bank::master::Fate;

/// How long processes have to end by themselves before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// The same where several hosts are to end because of a signal: who launched them kills them after a second.
const GRACE_OF_SEVERAL: Duration = Duration::from_millis(400);

/// How long a host may take to say that what it was told to kill is dead.
const ANSWER: Duration = Duration::from_millis(300);

/// Why everything ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The script says so or is over, or the load is.
    Script,
    /// A signal or a failure ends the run early.
    Signalled,
    /// Nobody is to be waited for any more.
    AtOnce,
}

/// How the processes ended when all were to end.
#[derive(Debug)]
pub(super) struct Ended {
    /// Those that did not end as they should, though they were not yet known to be dead. One that
    /// was killed because somebody asked for that is not among them.
    pub(super) unclean: Vec<Unclean>,
    /// The first signal that arrived meanwhile.
    pub(super) caught: Option<Caught>,
}

/// A process that did not end by itself and without a complaint.
#[derive(Debug)]
pub(super) struct Unclean {
    pub(super) who: String,
    /// How it ended; nothing where the grace was over and master killed it.
    pub(super) fate: Option<Fate>,
}

impl fmt::Display for Unclean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = &self.who;
        match &self.fate {
            None => write!(f, "{who} did not end when it was told to, and was killed"),
            Some(fate) => write!(f, "{who} did not end as it should ({fate})"),
        }
    }
}

impl Cluster<'_> {
    /// Ends every process: closes its commands, waits until it has ended, and kills it where it
    /// does not within the grace, or at once where another signal asks for it.
    pub(super) fn end_all(&mut self, ending: Ending) -> Result<Ended, Stop> {
        if ending != Ending::Script {
            self.hosts.hurry();
        }
        // Of those that are dead already, everything is known.
        self.observer.take_if(|observer| observer.fate.is_some());
        for node in &mut self.nodes {
            node.take_if(|node| node.process.fate.is_some());
        }
        for node in self.nodes.iter_mut().flatten() {
            node.process.sender.close();
        }
        if let Some(observer) = &mut self.observer {
            observer.sender.close();
        }
        let grace = match self.hosts.count() > 1 && ending != Ending::Script {
            true => GRACE_OF_SEVERAL,
            false => GRACE,
        };
        let grace = Instant::now() + grace;
        let deadline = self.patience.deadline();
        let deadline = deadline.filter(|_| ending == Ending::Script);
        let deadline = deadline.map_or(grace, |deadline| deadline.min(grace));
        let (mut killed, mut grace_was_over, mut caught) = (None, false, None);
        while self.is_anybody_alive() {
            let too_late = Instant::now() >= deadline;
            let mut at_once = ending == Ending::AtOnce;
            while let Some(signal) = self.patience.next_caught()? {
                // The first one ends the run, a second one its patience.
                at_once |= ending == Ending::Signalled || caught.is_some();
                caught = caught.or(Some(signal));
            }
            if killed.is_none() && (at_once || too_late) {
                self.kill_everybody();
                killed = Some(Instant::now() + ANSWER);
                grace_was_over = too_late && !at_once;
            }
            if killed.is_some_and(|answer| Instant::now() >= answer) {
                self.give_up_elsewhere();
            }
            let deadline = match killed {
                None => Some(deadline),
                Some(answer) => (self.hosts.count() > 1).then_some(answer),
            };
            let mut ready = std::mem::take(&mut self.ready);
            self.poller.wait(&mut ready, deadline)?;
            for token in &ready {
                match *token {
                    SIGNALS => {}
                    HOSTS => {
                        let _ = self.hosts.trouble();
                        self.give_up_elsewhere();
                    }
                    // Input that nobody reads now must not keep the loop awake.
                    INPUT => self.poller.unwatch_bytes(std::io::stdin())?,
                    token => self.serve(token)?,
                }
            }
            self.ready = ready;
        }
        self.news.clear();
        self.dirty.clear();
        self.ends = Ends::default();
        self.laid = 0;
        let nodes = self.nodes.drain(..).flatten();
        let nodes = nodes.map(|node| (format!("node {}", node.id), node.process.fate));
        let observer = self.observer.take();
        let observer = observer.map(|observer| ("the observer".to_owned(), observer.fate));
        let unclean = nodes.chain(observer).filter_map(|(who, fate)| {
            let fate = fate.filter(|fate| !fate.is_clean())?;
            match killed.is_some() && fate == Fate::Signal(9) {
                false => Some(Unclean {
                    who,
                    fate: Some(fate),
                }),
                true => grace_was_over.then_some(Unclean { who, fate: None }),
            }
        });
        let unclean = unclean.collect();
        // The directory is about to go, or to show the next system.
        let _ = self.publish();
        Ok(Ended { unclean, caught })
    }

    fn is_anybody_alive(&self) -> bool {
        let nodes = self.nodes.iter().flatten();
        self.observer.iter().any(|it| it.fate.is_none())
            || nodes.into_iter().any(|node| node.process.fate.is_none())
    }

    fn give_up_elsewhere(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            node.process.give_up_elsewhere();
        }
    }

    fn kill_everybody(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            node.process.kill();
        }
        if let Some(observer) = &mut self.observer {
            observer.kill();
        }
    }
}
