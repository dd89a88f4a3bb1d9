//! The processes of a bank that lasts: its directory, where every node has a journal, and how processes
//! are started again and connected anew. When that is to be done, [`bank::master`] decides.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::{Duration, Instant};

use journal::{Directory, Survives};

use super::cluster::{Cluster, Node, token_of};
use super::process::Incarnation;
use super::shared::{Error, Stop};
use bank::id::{NodeId, Place};
use bank::master::{LastWords, Process};
use bank::messages::{Announcement, Instruction, Opening};

/// How long it is waited before a process is started that has died without a word, the second time; each
/// further time five times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Where a bank that lasts lives.
#[derive(Debug)]
pub(super) struct DataDir {
    directory: Directory,
    survives: Survives,
    /// Tells this bank from others.
    run: u64,
    /// Which system of the script this is.
    round: u64,
}

impl DataDir {
    /// Opens and locks the directory; makes it where there is none.
    pub(super) fn open(path: &Path, survives: Survives) -> Result<Self, Error> {
        let directory = Directory::open(path)?;
        if let Some(name) = journal::journals(&directory)?.first() {
            return Err(Error::HoldsABank {
                path: path.to_owned(),
                journal: name.clone(),
            });
        }
        Ok(Self {
            directory,
            survives,
            run: RandomState::new().hash_one(std::process::id()),
            round: 0,
        })
    }

    pub(super) fn held(&self) -> &pipes::Directory {
        self.directory.held()
    }

    /// Another system begins.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    fn journal_of(&self, place: Place) -> String {
        format!("{}-node-{}", self.round, place.index())
    }

    /// What a node is told of where it keeps its journal.
    pub(super) fn arguments(&self, place: Place, answered: Option<u64>) -> Vec<String> {
        let mut arguments = vec![
            format!("--journal={}", self.journal_of(place)),
            format!("--run={}", self.run),
            format!("--writer={}", place.index()),
        ];
        if self.survives == Survives::Failure {
            arguments.push("--sync".to_owned());
        }
        arguments.extend(answered.map(|answered| format!("--answered={answered}")));
        arguments
    }

    /// The system is no more, nor is what was kept of it.
    pub(super) fn remove(&self) -> Result<(), journal::Error> {
        let prefix = format!("{}-", self.round);
        for name in journal::journals(&self.directory)? {
            if name.starts_with(&prefix) {
                journal::remove(&self.directory, &name, self.survives)?;
            }
        }
        Ok(())
    }
}

impl Cluster<'_> {
    /// The deaths that were noticed, with all that those had said and nobody has heard yet.
    pub(super) fn last_words(&mut self, process: Process) -> Result<LastWords, pipes::Error> {
        if self.data.is_none() {
            return Ok(LastWords::default());
        }
        let mut replies = Vec::new();
        if let Process::Node(place) = process {
            while let Some(reply) = self.reply(place)? {
                replies.push(reply);
            }
        }
        let has_spoken = match process {
            Process::Node(place) => self.node(place).is_some_and(|it| it.process.has_spoken()),
            Process::Observer => self.observer.as_ref().is_some_and(Incarnation::has_spoken),
        };
        Ok(LastWords {
            replies,
            has_spoken,
        })
    }

    /// Starts a process again; the more often it has died without a word, the later.
    pub(super) fn restart(
        &mut self,
        process: Process,
        answered: u64,
        tries: u32,
        (id, deposit): (NodeId, u64),
    ) -> Result<(), Stop> {
        if tries > 1 {
            self.pause(FIRST_PAUSE * 5_u32.pow(tries - 2))?;
        }
        match process {
            Process::Observer => return self.start_observer(),
            Process::Node(place) => {
                let child = self.spawn_node(place, id, deposit, Some(answered))?;
                let process = Incarnation::new(child, token_of(place), &self.poller)?;
                let before = self.node(place).map_or(0, |node| node.incarnation);
                self.nodes[place.index()] = Some(Node {
                    id,
                    incarnation: before + 1,
                    process,
                });
            }
        }
        self.publish()
    }

    fn pause(&mut self, duration: Duration) -> Result<(), Stop> {
        let until = Instant::now() + duration;
        let mut ready = Vec::new();
        while Instant::now() < until {
            self.poller.wait(&mut ready, Some(until))?;
            Stop::heed(self.patience, "a process that dies again and again")?;
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Makes pipes between a node and the observer.
    pub(super) fn introduce(&mut self, place: Place) -> Result<(), Stop> {
        let (orders, reports) = (pipes::pipe()?, pipes::pipe()?);
        let ends = vec![orders.read, reports.write];
        self.announce(Process::Node(place), &Announcement::Observer, ends)?;
        self.hand_over(Process::Observer, vec![orders.write, reports.read])
    }

    /// Announces the ends of channels that were made, and has a node open them.
    pub(super) fn open_announced(
        &mut self,
        node: Place,
        opening: Box<Opening>,
    ) -> Result<(), Stop> {
        for to in &opening.outgoing {
            self.attach(node, to.place, 0)?;
        }
        for from in &opening.incoming {
            if let Some(end) = self.ends.read.remove(&(from.place, node)) {
                let from = from.place;
                let laying = None;
                let announcement = Announcement::Incoming { from, laying };
                self.announce(Process::Node(node), &announcement, vec![end])?;
            }
        }
        Ok(self.instruct(node, &Instruction::Open(opening))?)
    }

    /// Makes a new pipe for a channel, hands its read end over and keeps the other.
    pub(super) fn lay(&mut self, from: Place, to: Place, laying: u64) -> Result<(), Stop> {
        let ends = pipes::pipe()?;
        self.ends.write.insert((from, to), ends.write);
        let laying = Some(laying);
        let announcement = Announcement::Incoming { from, laying };
        self.announce(Process::Node(to), &announcement, vec![ends.read])
    }

    /// Hands over the write end of a channel that was kept.
    pub(super) fn attach(&mut self, from: Place, to: Place, received: u64) -> Result<(), Stop> {
        let Some(end) = self.ends.write.remove(&(from, to)) else {
            return Ok(());
        };
        let announcement = Announcement::Outgoing { to, received };
        self.announce(Process::Node(from), &announcement, vec![end])
    }

    /// Starts the process of a node.
    pub(super) fn spawn_node(
        &self,
        place: Place,
        id: NodeId,
        deposit: u64,
        answered: Option<u64>,
    ) -> Result<pipes::Child<Instruction, bank::messages::Reply>, pipes::Error> {
        let mut arguments = vec![id.to_string(), deposit.to_string()];
        arguments.extend(self.verbosity());
        if let Some(data) = &self.data {
            arguments.extend(data.arguments(place, answered));
        }
        let held = self.data.as_ref().map(DataDir::held);
        pipes::spawn(&self.programs.node, arguments, held)
    }
}
