//! How processes of a bank that lasts are started again and connected anew. When that is to be done,
//! [`bank::master`] decides.

use std::time::{Duration, Instant};

use super::super::cluster::{Cluster, Node, token_of};
use super::super::process::Incarnation;
use super::super::shared::Stop;
use bank::id::{NodeId, Place};
use bank::master::{LastWords, Process};
use bank::messages::{Announcement, Instruction, Opening};

/// How long it is waited before a process is started that has died without a word, the second time; each
/// further time five times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

impl Cluster<'_> {
    /// The deaths that were noticed, with all that those had said and nobody has heard yet.
    pub(in crate::master) fn last_words(
        &mut self,
        process: Process,
    ) -> Result<LastWords, hosts::Error> {
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
    pub(in crate::master) fn restart(
        &mut self,
        process: Process,
        ((id, deposit), incarnation): ((NodeId, u64), u64),
        answered: u64,
        tries: u32,
    ) -> Result<(), Stop> {
        if tries > 1 {
            self.pause(FIRST_PAUSE * 5_u32.pow(tries - 2))?;
        }
        match process {
            Process::Observer => return self.start_observer(),
            Process::Node(place) => {
                let started = self.spawn_node(place, id, deposit, Some(answered))?;
                let process = Incarnation::new(started, token_of(place), &self.poller)?;
                let places = self.nodes.len().max(place.index() + 1);
                self.nodes.resize_with(places, || None);
                self.nodes[place.index()] = Some(Node {
                    id,
                    incarnation,
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
    pub(in crate::master) fn introduce(&mut self, place: Place) -> Result<(), Stop> {
        let (node, observer) = (Process::Node(place), Process::Observer);
        let (orders, reports) = (self.pipe(observer, node)?, self.pipe(node, observer)?);
        self.announce(node, &Announcement::Observer, vec![orders.1, reports.0])?;
        self.hand_over(observer, vec![orders.0, reports.1])
    }

    /// Announces the ends of channels that were made, and has a node open them.
    pub(in crate::master) fn open_announced(
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
    pub(in crate::master) fn lay(
        &mut self,
        from: Place,
        to: Place,
        laying: u64,
    ) -> Result<(), Stop> {
        let (write, read) = self.pipe(Process::Node(from), Process::Node(to))?;
        self.ends.write.insert((from, to), write);
        let laying = Some(laying);
        let announcement = Announcement::Incoming { from, laying };
        self.announce(Process::Node(to), &announcement, vec![read])
    }

    /// Hands over the write end of a channel that was kept.
    pub(in crate::master) fn attach(
        &mut self,
        from: Place,
        to: Place,
        received: u64,
    ) -> Result<(), Stop> {
        let Some(end) = self.ends.write.remove(&(from, to)) else {
            return Ok(());
        };
        let announcement = Announcement::Outgoing { to, received };
        self.announce(Process::Node(from), &announcement, vec![end])
    }
}
