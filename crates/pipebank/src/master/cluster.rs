//! The processes of the system and master's pipes to them.
//!
//! Knows nothing of accounts or snapshots: it starts and ends processes, moves frames, and notices
//! deaths. `mesh.rs` connects them, `ending.rs` ends them all.

use std::time::Instant;

use hosts::Hosts;
use pipes::{Deaths, Needs, Patience, Poller, Token};

use super::lasting::DataDir;
use super::mesh::Ends;
use super::process::Incarnation;
use super::shared::{Error, Pids, Programs, RunDir, Stop};
use bank::id::{NodeId, Place};
use bank::master::{Awaits, Fate, Master, Process};
use bank::messages::{Answer, Instruction, Reply, Request};
use bank::topology::Size;

/// Descriptors that a process has open beside its channels or nodes, generously.
pub(super) const OTHER_DESCRIPTORS: u64 = 24;

/// Tokens of what the session watches with the cluster's poller. Those of processes come behind:
/// even ones for what they say, odd ones for room in their commands.
pub(super) const SIGNALS: Token = 0;
pub(super) const INPUT: Token = 1;
const DEATHS: Token = 2;
pub(super) const HOSTS: Token = 3;
const OBSERVER: Token = 4;
const NODES: Token = 6;

/// That of what the node at a place says.
pub(super) fn token_of(place: Place) -> Token {
    NODES + 2 * place.index() as Token
}

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    /// Which process of it this is, from 1.
    pub(super) incarnation: u64,
    pub(super) process: Incarnation<Instruction, Reply>,
}

/// The processes of the system.
#[derive(Debug)]
pub(super) struct Cluster<'p> {
    pub(super) programs: Programs,
    /// Dropped before the hosts are left, which may take a while.
    run_dir: Option<RunDir>,
    /// Where processes are.
    pub(super) hosts: Hosts,
    /// Where the bank lives, if it lasts.
    pub(super) data: Option<DataDir>,
    pub(super) poller: Poller,
    deaths: Deaths,
    /// That of the whole run.
    pub(super) patience: &'p Patience,
    pub(super) observer: Option<Incarnation<Request, Answer>>,
    /// By place; nothing where a node could not be started.
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) ends: Ends,
    /// How many channels were laid since the observer was started.
    pub(super) laid: u64,
    /// Nodes to which something is to be written.
    pub(super) dirty: Vec<Place>,
    pub(super) ready: Vec<Token>,
    /// Deaths that were noticed and that nobody has asked for.
    pub(super) news: Vec<Process>,
}

impl<'p> Cluster<'p> {
    pub(super) fn new(
        programs: Programs,
        mut hosts: Hosts,
        run_dir: Option<RunDir>,
        patience: &'p Patience,
    ) -> Result<Self, Stop> {
        let (poller, deaths) = (Poller::new()?, Deaths::hold()?);
        patience.watch(&poller, SIGNALS)?;
        deaths.watch(&poller, DEATHS)?;
        hosts.watch(&poller, HOSTS)?;
        Ok(Self {
            programs,
            hosts,
            run_dir,
            data: None,
            poller,
            deaths,
            patience,
            observer: None,
            nodes: Vec::new(),
            ends: Ends::default(),
            laid: 0,
            dirty: Vec::new(),
            ready: Vec::new(),
            news: Vec::new(),
        })
    }

    /// The same for a bank that lives in a directory.
    pub(super) fn lasting(self, data: Option<DataDir>) -> Self {
        Self { data, ..self }
    }

    /// Starts the observer.
    pub(super) fn start_observer(&mut self) -> Result<(), Stop> {
        let mut arguments = self.verbosity();
        arguments.extend(self.data.as_ref().map(|_| "--lasting".to_owned()));
        let started = pipes::start(&self.programs.observer, arguments, None)?;
        self.observer = Some(Incarnation::new(started.into(), OBSERVER, &self.poller)?);
        self.publish()
    }

    /// Starts a node and connects it to the observer. Where that fails, there is none.
    pub(super) fn start_node(
        &mut self,
        place: Place,
        id: NodeId,
        deposit: u64,
    ) -> Result<(), Stop> {
        let (node, observer) = (Process::Node(place), Process::Observer);
        let (orders, reports) = (self.pipe(observer, node)?, self.pipe(node, observer)?);
        let started = self.spawn_node(place, id, deposit, None)?;
        let process = Incarnation::new(started, token_of(place), &self.poller)?;
        self.nodes.resize_with(place.index(), || None);
        self.nodes.push(Some(Node {
            id,
            incarnation: 1,
            process,
        }));
        if self.data.is_some() {
            // The pipes are made when the observer is told of it.
            return Ok(());
        }
        let handed = self
            .hand_over(node, vec![orders.1, reports.0])
            .and_then(|()| self.hand_over(observer, vec![orders.0, reports.1]));
        if handed.is_err()
            && let Some(mut node) = self.nodes.pop().flatten()
        {
            node.process.end(None)?;
        }
        handed
    }

    /// How many nodes and channels there are since the observer was started.
    pub(super) fn size(&self) -> Size {
        Size {
            nodes: self.nodes.iter().flatten().count() as u64,
            channels: self.laid,
        }
    }

    /// An error where this host does not allow a system of this size on so many hosts, before anything is
    /// started.
    pub(super) fn check_room(size: Size, hosts: usize, who: String) -> Result<(), Error> {
        match Self::needs(None, size, hosts, 1).shortage() {
            None => Ok(()),
            Some(shortage) => Err(Error::TooManyNodes { who, shortage }),
        }
    }

    /// What a system of this size on so many hosts takes on the first one, where a part of it is present, or
    /// nothing is; the nodes are connected in tiles of this side.
    pub(super) fn needs(present: Option<Size>, size: Size, hosts: usize, tile: u64) -> Needs {
        let hosts = hosts as u64;
        let processes = |size: Size| size.nodes.div_ceil(hosts) + 1;
        // With one end here, and with only one.
        let channels = |size: Size| size.channels * (2 * hosts - 1) / (hosts * hosts);
        let leaving = size.channels * 2 * (hosts - 1) / (hosts * hosts);
        // The channels; commands, replies, orders and reports of each node; the observer's requests and
        // answers.
        let pipes = |size: Size| channels(size) + 4 * size.nodes + 2;
        // What is carried to other hosts.
        let carried = leaving + 4 * (size.nodes - size.nodes.div_ceil(hosts));
        Needs {
            descriptors: 3 * size.nodes + OTHER_DESCRIPTORS + carried + 4 * (tile * tile - 1),
            processes: processes(size).saturating_sub(present.map_or(0, processes)),
            pipes: pipes(size).saturating_sub(present.map_or(0, pipes)),
            pipes_in_all: pipes(size),
        }
    }

    /// Appends an instruction to what a node is to do.
    #[inline]
    pub(super) fn instruct(
        &mut self,
        node: Place,
        instruction: &Instruction,
    ) -> Result<(), pipes::Error> {
        if let Some(Some(it)) = self.nodes.get_mut(node.index())
            && it.process.push(instruction)?
        {
            self.dirty.push(node);
        }
        Ok(())
    }

    /// Appends a request to what the observer is to do.
    pub(super) fn request(&mut self, request: &Request) -> Result<(), pipes::Error> {
        match &mut self.observer {
            Some(observer) => observer.push(request).map(drop),
            None => Ok(()),
        }
    }

    /// The next reply of a node that has been read.
    #[inline]
    pub(super) fn reply(&mut self, node: Place) -> Result<Option<Reply>, hosts::Error> {
        let Some(Some(Node { process, .. })) = self.nodes.get_mut(node.index()) else {
            return Ok(None);
        };
        let had_died = process.fate.is_some();
        let reply = process.next()?;
        if !had_died && process.fate.is_some() {
            self.news.push(Process::Node(node));
        }
        Ok(reply)
    }

    /// The next answer of the observer that has been read.
    pub(super) fn answer(&mut self) -> Result<Option<Answer>, hosts::Error> {
        let Some(observer) = &mut self.observer else {
            return Ok(None);
        };
        let had_died = observer.fate.is_some();
        let answer = observer.next()?;
        if !had_died && observer.fate.is_some() {
            self.news.push(Process::Observer);
        }
        Ok(answer)
    }

    /// Hands master the word that it awaits, if that was read already: whether it was.
    #[inline]
    pub(super) fn say(&mut self, master: &mut Master) -> Result<bool, Stop> {
        let Awaits::Word(process) = master.awaits() else {
            return Ok(false);
        };
        match process {
            Process::Node(node) => {
                if let Some(reply) = self.reply(node)? {
                    master.hear(node, reply)?;
                    return Ok(true);
                }
            }
            Process::Observer => {
                if let Some(answer) = self.answer()? {
                    master.hear_observer(answer)?;
                    return Ok(true);
                }
            }
        }
        let is_over = self.fate(process).is_some() && !self.news.contains(&process);
        if is_over {
            master.silent()?;
            return Ok(true);
        }
        for place in (0..self.nodes.len()).map(Place::at) {
            if master.hears_everybody()
                && let Some(reply) = self.reply(place)?
            {
                master.hear(place, reply)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn node(&self, place: Place) -> Option<&Node> {
        self.nodes.get(place.index())?.as_ref()
    }

    /// How a process ended, if it has.
    pub(super) fn fate(&self, process: Process) -> Option<&Fate> {
        match process {
            Process::Observer => self.observer.as_ref()?.fate.as_ref(),
            Process::Node(place) => self.node(place)?.process.fate.as_ref(),
        }
    }

    /// The pid of a node; 0 where it could not be started.
    pub(super) fn pid(&self, place: Place) -> u32 {
        self.node(place).map_or(0, |node| node.process.pid())
    }

    /// Writes what was appended.
    pub(super) fn flush(&mut self) -> Result<(), pipes::Error> {
        for place in std::mem::take(&mut self.dirty) {
            if let Some(Some(node)) = self.nodes.get_mut(place.index()) {
                node.process.flush(&self.poller)?;
            }
        }
        match &mut self.observer {
            Some(observer) => observer.flush(&self.poller),
            None => Ok(()),
        }
    }

    /// Waits until a process has said something or died, or one of the session's own tokens
    /// (which are returned) is ready, or until `wake` or the deadline of the run (then nothing is
    /// returned and nothing has been read).
    pub(super) fn wait(&mut self, wake: Option<Instant>) -> Result<Vec<Token>, Stop> {
        self.flush()?;
        let mut ready = std::mem::take(&mut self.ready);
        let until = [wake, self.patience.deadline()].into_iter().flatten();
        self.poller.wait(&mut ready, until.min())?;
        let mut own = Vec::new();
        for token in &ready {
            match *token {
                SIGNALS | INPUT => own.push(*token),
                token => self.serve(token)?,
            }
        }
        self.ready = ready;
        Ok(own)
    }

    /// Reads from a process what is there, or writes what it has room for. What a node of before
    /// the last KillAll had to say is of no interest.
    pub(super) fn serve(&mut self, token: Token) -> Result<(), Stop> {
        if token == HOSTS {
            return match self.hosts.trouble() {
                Some(error) => Err(error.into()),
                None => Ok(()),
            };
        }
        if token == DEATHS {
            return self.bury_the_dead();
        }
        let (is_room, poller) = (token % 2 == 1, &self.poller);
        let (process, has_died) = if token < NODES {
            let observer = self.observer.as_mut();
            let served = observer.map(|it| it.serve(is_room, poller));
            (Process::Observer, served)
        } else {
            let place = Place::at((token - NODES) as usize / 2);
            let node = self.nodes.get_mut(place.index()).and_then(Option::as_mut);
            let served = node.map(|it| it.process.serve(is_room, poller));
            (Process::Node(place), served)
        };
        if has_died.transpose()? == Some(true) {
            self.news.push(process);
        }
        Ok(())
    }

    /// Takes note of those that have ended: most of them are known by the end of what they say.
    fn bury_the_dead(&mut self) -> Result<(), Stop> {
        while let Some(pid) = self.deaths.next()? {
            let is_it =
                |node: &Option<Node>| node.as_ref().is_some_and(|node| node.process.is_here(pid));
            if let Some(index) = self.nodes.iter().position(is_it)
                && let Some(node) = &mut self.nodes[index]
            {
                node.process.bury()?;
                self.news.push(Process::Node(Place::at(index)));
            } else if let Some(observer) = &mut self.observer
                && observer.is_here(pid)
            {
                observer.bury()?;
                self.news.push(Process::Observer);
            } else {
                self.deaths.forget(pid);
            }
        }
        Ok(())
    }

    /// The deaths that were noticed since the last call, and how each was.
    pub(super) fn take_news(&mut self) -> Vec<(Process, Fate)> {
        let news = std::mem::take(&mut self.news);
        let fates = news.into_iter();
        fates
            .filter_map(|process| Some((process, self.fate(process)?.clone())))
            .collect()
    }

    /// Kills a node with SIGKILL; its death is noticed like any other.
    pub(super) fn kill(&mut self, node: Place) {
        if let Some(Some(node)) = self.nodes.get_mut(node.index()) {
            node.process.kill();
        }
    }

    pub(super) fn verbosity(&self) -> Vec<String> {
        let verbose = self.programs.verbose.then(|| "--verbose".to_owned());
        verbose.into_iter().collect()
    }

    /// Brings the run directory up to date.
    pub(super) fn publish(&mut self) -> Result<(), Stop> {
        let Some(run_dir) = &self.run_dir else {
            return Ok(());
        };
        let observer = self.observer.as_ref().filter(|it| it.fate.is_none());
        let living = || {
            let nodes = self.nodes.iter().flatten();
            nodes.filter(|node| node.process.fate.is_none())
        };
        let host = |node: &Node| {
            let host = self.hosts.name(node.process.host())?;
            Some((node.id, host.to_owned()))
        };
        let incarnations = || living().map(|node| (node.id, node.incarnation));
        run_dir
            .publish(&Pids {
                master: std::process::id(),
                observer: observer.map(|observer| observer.pid()),
                nodes: living().map(|node| (node.id, node.process.pid())).collect(),
                hosts: (self.hosts.count() > 1).then(|| living().filter_map(host).collect()),
                incarnations: self.data.as_ref().map(|_| incarnations().collect()),
            })
            .map_err(Stop::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bank::topology::Shape;

    #[test]
    fn a_system_needs_a_pipe_for_every_channel_that_it_has_and_for_no_other() {
        let whole = Cluster::needs(None, Shape::Ring.size(1000), 1, 1);
        let all = 1000 + 4 * 1000 + 2;
        let (descriptors, processes) = (3 * 1000 + OTHER_DESCRIPTORS, 1001);
        let needs = Needs {
            descriptors,
            processes,
            pipes: all,
            pipes_in_all: all,
        };
        assert_eq!(whole, needs);

        // One node more, in a sparse system: none of its channels is there yet.
        let present = Shape::Ring.size(1000);
        let grown = Size {
            nodes: 1001,
            ..present
        };
        let more = Cluster::needs(Some(present), grown, 1, 1);
        assert_eq!(
            (more.processes, more.pipes, more.pipes_in_all),
            (1, 4, all + 4)
        );
        let mesh = Cluster::needs(Some(Size::mesh(9)), Size::mesh(10), 1, 1);
        assert_eq!((mesh.pipes, mesh.pipes_in_all), (18 + 4, 90 + 42));
    }

    #[test]
    fn on_one_of_several_hosts_there_are_its_own_nodes_and_channels_only() {
        // Two nodes here and two elsewhere: of 12 channels 2 stay here, 8 come or go.
        let here = Cluster::needs(None, Size::mesh(4), 2, 1);
        assert_eq!((here.processes, here.pipes), (2 + 1, 9 + 16 + 2));
        assert_eq!(here.descriptors, 12 + OTHER_DESCRIPTORS + 6 + 8);
    }
}
