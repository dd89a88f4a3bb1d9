//! A session: executes statements one after the other, as a processor executes instructions.
//!
//! Commands are *issued* in script order, as far ahead of their replies as the window allows, and
//! *retired* in script order, when their replies have come; only then is a result shown or a
//! failure told. So the output is that of strict serial execution (a window of 1), whatever was in
//! flight. What a command needs to know before it can be issued, [`Channels`] knows, or the
//! session waits until it does.
//!
//! * `issue.rs`: what a command does before its reply;
//! * `retire.rs`: what its reply brings; `collect.rs`: what the observer answers;
//! * `deaths.rs`: what the death of a process changes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use pipes::{Death, Input, Signals, Token};
use snapshot::SnapshotId;

use super::channels::{Channels, Place, Taken, Ticket};
use super::chronicle::Chronicle;
use super::cluster::{Cluster, Ending, INPUT, Programs, SIGNALS};
use super::deaths::Grave;
use super::failure::{Failure, Stop, Waiting};
use super::process::Fate;
use super::results::{Format, Results, Shown};
use super::shared::{
    RunDir, Teller,
    prompt::{Prompt, Typed},
};
use bank::audit::GlobalSnapshot;
use bank::draw::Draw;
use bank::id::NodeId;
use bank::script::Statement;

/// What a session is told by the command line.
#[derive(Debug)]
pub(super) struct Settings {
    /// How the script is called in messages.
    pub(super) path: String,
    pub(super) seed: u64,
    pub(super) strict: bool,
    pub(super) verbose: bool,
    pub(super) format: Format,
    pub(super) ascii: bool,
    pub(super) timeout: Option<Duration>,
    /// How many steps may be in flight.
    pub(super) window: usize,
    pub(super) programs: Programs,
}

/// A step in flight: one frame whose reply is awaited, or what is known without one.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) statement: Statement,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    /// The outcome is known; it only waits for its turn.
    Known(Result<Option<Shown>, Failure>),
    Opened {
        node: Place,
    },
    Send {
        node: Place,
        to: Place,
        amount: u64,
        certain: bool,
    },
    Receive {
        node: Place,
        from: Place,
        expected: Taken,
    },
    Begin {
        node: Place,
        snapshot: SnapshotId,
    },
    Joined,
    /// Every snapshot from this one to the last that has begun.
    Collect {
        first: SnapshotId,
    },
    /// The balance of a node, for the `nodes` command.
    Balance {
        node: Place,
    },
    /// All balances have come: the `nodes` command shows its table.
    Table,
    /// What is there of a channel: see `ReadAhead`.
    Ahead {
        from: Place,
        node: Place,
    },
}

impl Step {
    /// The node whose next reply completes the step.
    pub(super) fn node(&self) -> Option<Place> {
        match self {
            Self::Opened { node }
            | Self::Send { node, .. }
            | Self::Receive { node, .. }
            | Self::Begin { node, .. }
            | Self::Balance { node }
            | Self::Ahead { node, .. } => Some(*node),
            Self::Known(_) | Self::Joined | Self::Collect { .. } | Self::Table => None,
        }
    }
}

/// A balance as far as it is known: what the last retired reply said, and what was issued since.
///
/// Receives in flight do not count: what they are to bring may be lost with its sender. The node
/// alone accepts or refuses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Balance {
    pub(super) known: u64,
    /// The sum of the sends in flight.
    pub(super) going: u128,
}

impl Balance {
    /// Whether a send of `amount` will certainly be accepted.
    pub(super) fn certainly_covers(&self, amount: u64) -> bool {
        self.going + u128::from(amount) <= u128::from(self.known)
    }
}

/// What master knows of the system between a `StartMaster` and a `KillAll`.
#[derive(Debug, Default)]
pub(super) struct Bank {
    pub(super) ids: Vec<NodeId>,
    pub(super) places: HashMap<NodeId, Place>,
    pub(super) deposits: Vec<u64>,
    pub(super) balances: Vec<Balance>,
    pub(super) channels: Channels,
    /// Nodes whose `CreateNode` failed, and on which line.
    pub(super) never_created: HashMap<NodeId, u64>,
    /// Nodes that were created by the last lines and have no channels yet.
    pub(super) unconnected: Vec<(Place, Statement)>,
    /// How many snapshots have begun; the last one's number.
    pub(super) begun: u64,
    /// The number of the first that has begun and is not collected.
    pub(super) uncollected: u64,
    pub(super) collected: BTreeMap<u64, Rc<GlobalSnapshot>>,
    /// A node died: snapshots cannot complete any more.
    pub(super) dead: Option<Place>,
    /// A death ended a collection, and who had handed over what is not known: whoever joins is sent
    /// no markers of snapshots that nobody will collect.
    pub(super) torn: bool,
    /// A process died on its own, perhaps with commands in flight: what was foreseen may not have
    /// happened, so nothing is issued ahead any more, and replies are believed.
    pub(super) shaken: bool,
    /// Deaths that have been told but not yet settled: see `deaths.rs`.
    pub(super) unsettled: Vec<Grave>,
    /// The part of a collection that has come.
    pub(super) arriving: BTreeMap<SnapshotId, GlobalSnapshot>,
    pub(super) waiting: Waiting,
}

impl Bank {
    /// Whether the lines just before were `CreateNode`.
    pub(super) fn is_creating(&self) -> bool {
        !self.unconnected.is_empty()
    }
}

/// Executes statements.
pub(super) struct Session {
    pub(super) settings: Settings,
    pub(super) signals: Signals,
    pub(super) draw: Draw,
    pub(super) cluster: Cluster,
    pub(super) bank: Option<Bank>,
    pub(super) in_flight: VecDeque<Entry>,
    /// The ticket of the next step to be issued, and of the next to be retired.
    pub(super) issued: Ticket,
    pub(super) retired: Ticket,
    pub(super) results: Results,
    /// The history, where somebody wants it.
    pub(super) chronicle: Option<Box<Chronicle>>,
    /// The channel that a draw has chosen, while its receive cannot be issued yet.
    pub(super) drawn: Option<(Place, Place)>,
    /// The node that the script is killing just now, and on which line.
    pub(super) killing: Option<(Place, u64)>,
    /// A command failed, or a process died.
    pub(super) failed: bool,
    /// An audit failed, or another invariant broke.
    pub(super) broken: bool,
    pub(super) deadline: Option<Instant>,
    pub(super) teller: Teller,
}

/// Whether a statement could be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Issue {
    /// All of it is issued.
    Done,
    /// Some of it is; there is more.
    More,
    /// Something in flight must be retired first.
    Stalled,
}

impl Session {
    pub(super) fn new(
        settings: Settings,
        signals: Signals,
        run_dir: Option<RunDir>,
        chronicle: Option<Chronicle>,
        teller: Teller,
    ) -> Result<Self, Stop> {
        let mut cluster = Cluster::new(settings.programs.clone(), run_dir)?;
        cluster.poller.watch_bytes(&signals, SIGNALS)?;
        cluster.publish()?;
        let deadline = settings.timeout.map(|timeout| Instant::now() + timeout);
        cluster.deadline = deadline;
        let mut results = Results::new(settings.format);
        results.deadline = deadline;
        Ok(Self {
            draw: Draw::from_seed(settings.seed),
            signals,
            cluster,
            bank: None,
            in_flight: VecDeque::new(),
            issued: 0,
            retired: 0,
            results,
            chronicle: chronicle.map(Box::new),
            drawn: None,
            killing: None,
            failed: false,
            broken: false,
            deadline,
            teller,
            settings,
        })
    }

    /// Issues a statement, retiring others as far as it needs it.
    pub(super) fn execute(&mut self, statement: &Statement) -> Result<(), Stop> {
        loop {
            if self.in_flight.len() >= self.window() {
                self.advance()?;
                continue;
            }
            match self.issue(statement)? {
                Issue::Done => return Ok(()),
                Issue::More => {}
                Issue::Stalled => self.advance()?,
            }
        }
    }

    /// Waits until everything that was issued is retired, and every death is settled.
    pub(super) fn drain(&mut self) -> Result<(), Stop> {
        self.connect_new_nodes()?;
        loop {
            while !self.in_flight.is_empty() {
                self.advance()?;
            }
            if !self.settle_deaths()? {
                return Ok(());
            }
        }
    }

    /// Retires what can be retired; where nothing can, waits until something can go on.
    pub(super) fn advance(&mut self) -> Result<(), Stop> {
        let before = self.retired;
        self.retire()?;
        if self.retired == before && !self.in_flight.is_empty() {
            self.wait()?;
        }
        Ok(())
    }

    /// Waits until input is there; deaths are told and signals obeyed meanwhile.
    pub(super) fn wait_for_input(&mut self, input: &Input) -> Result<(), Stop> {
        self.show_everything()?;
        if self.cluster.poller.watch_bytes(input, INPUT)? {
            while !self.wait()?.contains(&INPUT) {
                // What a death left behind is settled, and told, at once.
                self.cluster.poller.unwatch_bytes(input)?;
                self.show_everything()?;
                self.cluster.poller.watch_bytes(input, INPUT)?;
            }
            self.cluster.poller.unwatch_bytes(input)?;
        }
        Ok(())
    }

    /// Asks for a line at the prompt and waits for it, in the same way.
    pub(super) fn wait_for_line(
        &mut self,
        prompt: &mut Prompt,
        ids: Vec<String>,
    ) -> Result<Typed, Stop> {
        self.show_everything()?;
        prompt.ask(ids);
        prompt.watch(&self.cluster.poller, INPUT)?;
        while !self.wait()?.contains(&INPUT) {
            self.show_everything()?;
        }
        Ok(prompt.typed()?)
    }

    fn show_everything(&mut self) -> Result<(), Stop> {
        self.drain()?;
        self.write_history()?;
        self.results.flush(Some(&self.signals))
    }

    /// Writes what the history has gathered; where that cannot be done, tells so, and the run goes
    /// on without it.
    pub(super) fn write_history(&mut self) -> Result<(), Stop> {
        let Some(chronicle) = &mut self.chronicle else {
            return Ok(());
        };
        let deadline = self.results.deadline;
        match chronicle.sinks.write_file(Some(&self.signals), deadline)? {
            None => Ok(()),
            Some(complaint) => {
                self.failed = true;
                self.tell(&complaint)
            }
        }
    }

    /// Writes what there is of the history when nobody is waited for any more; what is to be told
    /// where that cannot be done.
    pub(super) fn give_up_history(&mut self) -> Option<String> {
        let deadline = self.results.deadline;
        let written = self.chronicle.as_mut()?.sinks.write_file(None, deadline);
        written.unwrap_or(None)
    }

    /// Ends the script: everything is retired and shown, every process has ended.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        self.show_everything()?;
        self.end_system(Ending::Script, None)?;
        self.write_history()
    }

    /// One wait: for replies, deaths, signals, input, the deadline.
    pub(super) fn wait(&mut self) -> Result<Vec<Token>, Stop> {
        let own = self.cluster.wait(self.deadline)?;
        if own.contains(&SIGNALS)
            && let Some(caught) = self.signals.next_caught()?
        {
            return Err(Stop::Signal(caught.0));
        }
        self.take_news()?;
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(self.timed_out());
        }
        Ok(own)
    }

    /// Why master stopped handing pipe ends over: a signal, the deadline, or else `error`.
    pub(super) fn cut_short(&mut self, error: pipes::Error) -> Stop {
        match self.signals.next_caught() {
            Ok(Some(caught)) => Stop::Signal(caught.0),
            _ if self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline) =>
            {
                Stop::TimedOut {
                    waited_for: "a process to take the ends of its pipes".to_owned(),
                }
            }
            _ => error.into(),
        }
    }

    fn timed_out(&self) -> Stop {
        let waited_for = match self.in_flight.front() {
            None => "input".to_owned(),
            Some(Entry { statement, step }) => {
                let who = match (step.node(), &self.bank) {
                    (Some(node), Some(bank)) => format!("node {}", bank.ids[node]),
                    _ => "the observer".to_owned(),
                };
                match statement {
                    Statement { line: 0, .. } => format!("{who} to read what a dead node wrote"),
                    Statement { line, command } => {
                        format!("{who} to answer `{command}` on line {line}")
                    }
                }
            }
        };
        Stop::TimedOut { waited_for }
    }

    fn window(&self) -> usize {
        match &self.bank {
            Some(bank) if bank.shaken => 1,
            _ => self.settings.window,
        }
    }

    /// Tells something on stderr, after everything that was shown before it.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), Stop> {
        self.write_history()?;
        self.results.flush(Some(&self.signals))?;
        let signals = Some(&self.signals);
        let deadline = self.results.deadline;
        match self.settings.ascii {
            true => {
                let text = text.replace('→', "->");
                self.teller.tell(&text, signals, deadline)
            }
            false => self.teller.tell(text, signals, deadline),
        }
    }

    /// Tells what master does, where that was asked for (`--verbose`).
    pub(super) fn narrate(&mut self, what: impl FnOnce() -> String) -> Result<(), Stop> {
        match self.settings.verbose {
            true => self.tell(&format!("master: {}", what())),
            false => Ok(()),
        }
    }

    /// Tells that a command failed; the script goes on, unless it is strict.
    pub(super) fn fail(&mut self, statement: &Statement, failure: &Failure) -> Result<(), Stop> {
        self.failed = true;
        self.broken |= failure.is_internal();
        let Statement { line, command } = statement;
        let text = format!("{}:{line}: `{command}`: {failure}", self.settings.path);
        self.tell(&text)?;
        match self.settings.strict {
            true => Err(Stop::Strict),
            false => Ok(()),
        }
    }

    pub(super) fn push(&mut self, statement: &Statement, step: Step) {
        self.issued += 1;
        self.in_flight.push_back(Entry {
            statement: *statement,
            step,
        });
    }

    /// The bank, which every command but `StartMaster` and `KillAll` has been checked to find.
    pub(super) fn bank(&mut self) -> Result<&mut Bank, Stop> {
        self.bank
            .as_mut()
            .ok_or_else(|| Stop::Internal("a command came before StartMaster".to_owned()))
    }

    /// Ends every process of the system, on this line of the script if it says so, and forgets what
    /// was known of it.
    pub(super) fn end_system(&mut self, ending: Ending, line: Option<u64>) -> Result<(), Stop> {
        self.chronicle_the_end(line);
        if self.bank.is_some() {
            // Nobody hears it where the run ends because nobody listens.
            let _ = self.narrate(|| "ends every process".to_owned());
        }
        self.in_flight.clear();
        self.drawn = None;
        self.retired = self.issued;
        self.bank = None;
        let ended = self.cluster.end_all(&self.signals, ending)?;
        let mut waited_for = None;
        for (who, fate) in ended.unclean {
            if ended.killed && fate == Fate::Died(Death::Signal(9)) {
                if ended.grace_was_over {
                    self.tell(&format!(
                        "{who} did not end when it was told to, and was killed"
                    ))?;
                    waited_for = Some(format!("{who} to end"));
                }
                continue;
            }
            self.failed = true;
            self.broken |= fate.is_internal();
            self.tell(&format!("{who} did not end as it should ({fate})"))?;
        }
        if ending != Ending::Script {
            return Ok(());
        }
        let is_late = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        match (ended.caught, waited_for.filter(|_| is_late)) {
            (Some(caught), _) => Err(Stop::Signal(caught.0)),
            (None, Some(waited_for)) => Err(Stop::TimedOut { waited_for }),
            (None, None) => Ok(()),
        }
    }
}
