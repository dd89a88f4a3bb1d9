//! The processes of the system and master's pipes to them.
//!
//! Knows nothing of accounts or snapshots: it starts and ends processes, connects them, moves
//! frames, and notices deaths.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pipes::{Caught, Needs, Poller, Signals, Token};

use super::channels::Place;
use super::failure::Stop;
use super::process::{Fate, Process};
use super::shared::{Pids, RunDir};
use bank::id::NodeId;
use bank::messages::{Answer, Command, Reply, Request};

/// How long processes have to end by themselves before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// Descriptors that a process has open beside its channels or nodes, generously.
pub(super) const OTHER_DESCRIPTORS: u64 = 24;

/// Tokens of what the session watches with the cluster's poller.
pub(super) const SIGNALS: Token = 0;
pub(super) const INPUT: Token = 1;
const OBSERVER: Token = 2;
const NODES: Token = 4;

/// A process other than master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Observer,
    Node(Place),
}

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
    /// Those that did not end by themselves and without a complaint, though they were not yet
    /// known to be dead, and how.
    pub(super) unclean: Vec<(String, Fate)>,
    /// Master killed those that had not ended yet.
    pub(super) killed: bool,
    /// It did so because the grace was over, not because it was asked to.
    pub(super) grace_was_over: bool,
    /// The first signal that arrived meanwhile.
    pub(super) caught: Option<Caught>,
}

/// Where the programs of the other processes are.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) node: PathBuf,
    pub(super) observer: PathBuf,
    pub(super) verbose: bool,
}

/// The processes of the system.
#[derive(Debug)]
pub(super) struct Cluster {
    programs: Programs,
    run_dir: Option<RunDir>,
    pub(super) poller: Poller,
    /// When the whole run is to be over.
    pub(super) deadline: Option<Instant>,
    pub(super) observer: Option<Process<Request, Answer>>,
    pub(super) nodes: Vec<Process<Command, Reply>>,
    pub(super) ids: Vec<NodeId>,
    dirty: Vec<Place>,
    ready: Vec<Token>,
    /// Deaths that the session has not been told of.
    news: Vec<Member>,
}

impl Cluster {
    pub(super) fn new(programs: Programs, run_dir: Option<RunDir>) -> Result<Self, pipes::Error> {
        Ok(Self {
            programs,
            run_dir,
            poller: Poller::new()?,
            deadline: None,
            observer: None,
            nodes: Vec::new(),
            ids: Vec::new(),
            dirty: Vec::new(),
            ready: Vec::new(),
            news: Vec::new(),
        })
    }

    /// Starts the observer.
    pub(super) fn start_observer(&mut self) -> Result<(), Stop> {
        let child = pipes::spawn(&self.programs.observer, self.verbosity())?;
        self.observer = Some(Process::new(child, OBSERVER, &self.poller)?);
        self.publish()
    }

    /// Starts a node and connects it to the observer. Where that fails, nothing has changed.
    pub(super) fn start_node(&mut self, id: NodeId, deposit: u64) -> Result<Place, pipes::Error> {
        let (orders, reports) = (pipes::pipe()?, pipes::pipe()?);
        let mut arguments = vec![id.to_string(), deposit.to_string()];
        arguments.extend(self.verbosity());
        let child = pipes::spawn(&self.programs.node, arguments)?;
        let place = self.nodes.len();
        let token = NODES + 2 * place as Token;
        let node = Process::new(child, token, &self.poller)?;

        self.nodes.push(node);
        self.ids.push(id);
        let handed = self
            .hand_over(Member::Node(place), vec![orders.read, reports.write])
            .and_then(|()| self.hand_over(Member::Observer, vec![orders.write, reports.read]));
        if let Err(error) = handed {
            self.ids.pop();
            if let Some(mut node) = self.nodes.pop() {
                node.bury(None)?;
            }
            return Err(error);
        }
        self.request(&Request::Join { node: id, deposit })?;
        Ok(place)
    }

    /// What a system of so many nodes takes, where so many of them are present, or nothing is.
    pub(super) fn needs(present: Option<u64>, nodes: u64) -> Needs {
        let processes = |nodes| nodes + 1;
        // A channel for every ordered pair; commands, replies, orders and reports of each node; the
        // observer's requests and answers.
        let pipes = |nodes: u64| nodes * nodes.saturating_sub(1) + 4 * nodes + 2;
        Needs {
            descriptors: 3 * nodes + OTHER_DESCRIPTORS,
            processes: processes(nodes) - present.map_or(0, processes),
            pipes: pipes(nodes) - present.map_or(0, pipes),
            pipes_in_all: pipes(nodes),
        }
    }

    /// Appends a command to what a node is to do.
    pub(super) fn command(&mut self, node: Place, command: &Command) -> Result<(), pipes::Error> {
        let process = &mut self.nodes[node];
        process.child.sender.push(command)?;
        if !process.dirty {
            process.dirty = true;
            self.dirty.push(node);
        }
        Ok(())
    }

    /// Appends a request to what the observer is to do.
    pub(super) fn request(&mut self, request: &Request) -> Result<(), pipes::Error> {
        if let Some(observer) = &mut self.observer {
            observer.child.sender.push(request)?;
            observer.dirty = true;
        }
        Ok(())
    }

    /// The next reply of a node that has been read.
    pub(super) fn reply(&mut self, node: Place) -> Result<Option<Reply>, pipes::Error> {
        let had_died = self.nodes[node].fate.is_some();
        let reply = self.nodes[node].next()?;
        if !had_died && self.nodes[node].fate.is_some() {
            self.news.push(Member::Node(node));
        }
        Ok(reply)
    }

    /// The next answer of the observer that has been read.
    pub(super) fn answer(&mut self) -> Result<Option<Answer>, pipes::Error> {
        let Some(observer) = &mut self.observer else {
            return Ok(None);
        };
        let had_died = observer.fate.is_some();
        let answer = observer.next()?;
        if !had_died && observer.fate.is_some() {
            self.news.push(Member::Observer);
        }
        Ok(answer)
    }

    /// How a node ended, if it has.
    pub(super) fn fate(&self, node: Place) -> Option<&Fate> {
        self.nodes[node].fate.as_ref()
    }

    /// How the observer ended, if it has.
    pub(super) fn observer_fate(&self) -> Option<&Fate> {
        self.observer.as_ref()?.fate.as_ref()
    }

    pub(super) fn pid(&self, node: Place) -> u32 {
        self.nodes[node].child.pid()
    }

    /// Writes what was appended.
    pub(super) fn flush(&mut self) -> Result<(), pipes::Error> {
        for place in std::mem::take(&mut self.dirty) {
            self.nodes[place].flush(&self.poller)?;
        }
        if let Some(observer) = self.observer.as_mut().filter(|o| o.dirty) {
            observer.flush(&self.poller)?;
        }
        Ok(())
    }

    /// Waits until a process has said something or died, or one of the session's own tokens
    /// (which are returned) is ready, or the deadline has passed (then nothing is returned and
    /// nothing has been read).
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Result<Vec<Token>, Stop> {
        self.flush()?;
        self.poller.wait(&mut self.ready, deadline)?;
        let mut own = Vec::new();
        for token in std::mem::take(&mut self.ready) {
            match token {
                SIGNALS | INPUT => own.push(token),
                token if token >= NODES => {
                    let place = (token - NODES) as usize / 2;
                    // What a node of before the last KillAll had to say is of no interest.
                    let Some(node) = self.nodes.get_mut(place) else {
                        continue;
                    };
                    if token % 2 == 1 {
                        node.flush(&self.poller)?;
                    } else if node.read()? {
                        self.news.push(Member::Node(place));
                    }
                }
                _ => {
                    let Some(observer) = &mut self.observer else {
                        continue;
                    };
                    if token % 2 == 1 {
                        observer.flush(&self.poller)?;
                    } else if observer.read()? {
                        self.news.push(Member::Observer);
                    }
                }
            }
        }
        Ok(own)
    }

    /// The deaths that were noticed since the last call.
    pub(super) fn take_news(&mut self) -> Vec<Member> {
        std::mem::take(&mut self.news)
    }

    /// Kills a node with SIGKILL; its death is noticed like any other.
    pub(super) fn kill(&mut self, node: Place) {
        self.nodes[node].child.kill();
    }

    /// Ends every process: closes its commands, waits until it has ended, and kills it where it
    /// does not within the grace, or at once where another signal asks for it.
    pub(super) fn end_all(
        &mut self,
        signals: &Signals,
        ending: Ending,
    ) -> Result<Ended, pipes::Error> {
        for node in &mut self.nodes {
            node.child.sender.close();
        }
        if let Some(observer) = &mut self.observer {
            observer.child.sender.close();
        }
        let was_dead = |fate: &Option<Fate>| fate.is_some();
        let dead_before: Vec<bool> = self.nodes.iter().map(|n| was_dead(&n.fate)).collect();
        let observer_dead_before = self.observer.iter().any(|o| was_dead(&o.fate));
        let grace = Instant::now() + GRACE;
        let deadline = self.deadline.filter(|_| ending == Ending::Script);
        let deadline = deadline.map_or(grace, |deadline| deadline.min(grace));
        let (mut killed, mut grace_was_over, mut caught) = (false, false, None);
        while self.is_anybody_alive() {
            let too_late = Instant::now() >= deadline;
            let mut at_once = ending == Ending::AtOnce;
            while let Some(signal) = signals.next_caught()? {
                // The first one ends the run, a second one its patience.
                at_once |= ending == Ending::Signalled || caught.is_some();
                caught = caught.or(Some(signal));
            }
            if !killed && (at_once || too_late) {
                self.kill_everybody();
                killed = true;
                grace_was_over = too_late && !at_once;
            }
            let deadline = (!killed).then_some(deadline);
            let mut ready = std::mem::take(&mut self.ready);
            self.poller.wait(&mut ready, deadline)?;
            for token in &ready {
                if *token == OBSERVER
                    && let Some(observer) = &mut self.observer
                {
                    observer.read()?;
                } else if *token >= NODES && token % 2 == 0 {
                    let place = (token - NODES) as usize / 2;
                    self.nodes[place].read()?;
                } else if *token == INPUT {
                    // Input that nobody reads now must not keep the loop awake.
                    self.poller.unwatch_bytes(std::io::stdin())?;
                }
            }
            self.ready = ready;
        }
        self.news.clear();
        let mut unclean = Vec::new();
        for (place, node) in self.nodes.drain(..).enumerate() {
            let fate = node
                .fate
                .filter(|fate| !fate.is_clean() && !dead_before[place]);
            unclean.extend(fate.map(|fate| (format!("node {}", self.ids[place]), fate)));
        }
        let fate = self.observer.take().and_then(|observer| observer.fate);
        let fate = fate.filter(|fate| !fate.is_clean() && !observer_dead_before);
        unclean.extend(fate.map(|fate| ("the observer".to_owned(), fate)));
        self.ids.clear();
        self.dirty.clear();
        // The directory is about to go, or to be told of the next system.
        let _ = self.publish();
        Ok(Ended {
            unclean,
            killed,
            grace_was_over,
            caught,
        })
    }

    fn is_anybody_alive(&self) -> bool {
        let observer = self.observer.iter().any(|process| process.fate.is_none());
        observer || self.nodes.iter().any(|process| process.fate.is_none())
    }

    fn kill_everybody(&mut self) {
        for node in &mut self.nodes {
            node.child.kill();
        }
        if let Some(observer) = &mut self.observer {
            observer.child.kill();
        }
    }

    fn verbosity(&self) -> Vec<String> {
        let verbose = self.programs.verbose.then(|| "--verbose".to_owned());
        verbose.into_iter().collect()
    }

    /// Brings the run directory up to date.
    pub(super) fn publish(&mut self) -> Result<(), Stop> {
        let Some(run_dir) = &self.run_dir else {
            return Ok(());
        };
        let living = |fate: &Option<Fate>| fate.is_none();
        let observer = self.observer.as_ref().filter(|o| living(&o.fate));
        let nodes = self.nodes.iter().zip(&self.ids);
        run_dir
            .publish(&Pids {
                master: std::process::id(),
                observer: observer.map(|observer| observer.child.pid()),
                nodes: nodes
                    .filter(|(node, _)| living(&node.fate))
                    .map(|(node, id)| (*id, node.child.pid()))
                    .collect(),
            })
            .map_err(Stop::from)
    }
}
