//! Laying channels: a pipe for each, whose ends master keeps until they are handed over.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hosts::End;
use serde::Serialize;

use super::cluster::{Cluster, OTHER_DESCRIPTORS};
use super::process::Handed;
use super::shared::Stop;
use bank::id::Place;
use bank::master::Process;
use bank::messages::{Instruction, Opening};

/// With how many others a new node is connected at once, at most. The more, the fewer hand-overs;
/// master holds four descriptors a pair meanwhile.
const LARGEST_TILE: u64 = 16;

/// How long other processes of the user may keep the kernel from handing descriptors over.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(10);

/// Nodes that have something to read are left alone until there are more than this: they take what
/// was handed to them while master goes on.
const UNREAD: usize = 256;

/// The ends of channels that are not handed over yet, by (from, to).
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) write: HashMap<(Place, Place), End>,
    pub(super) read: HashMap<(Place, Place), End>,
}

/// With how many others a new node is connected at once so that descriptors suffice: where it is
/// known how many nodes there will be, they get what they need first.
pub(super) fn tile(nodes: Option<u64>) -> Result<usize, pipes::Error> {
    let limit = pipes::descriptor_limit()?.soft;
    let spare = match nodes {
        Some(nodes) => limit.saturating_sub(3 * nodes + OTHER_DESCRIPTORS),
        None => limit / 16,
    };
    Ok((spare / 4).isqrt().clamp(1, LARGEST_TILE) as usize)
}

impl Cluster<'_> {
    /// Makes a pipe for each of these channels.
    pub(super) fn connect(&mut self, channels: &[(Place, Place)]) -> Result<(), Stop> {
        if self.dirty.len() > UNREAD {
            self.flush()?;
        }
        self.laid += channels.len() as u64;
        for channel in channels {
            let (write, read) = self.pipe(Process::Node(channel.0), Process::Node(channel.1))?;
            self.ends.write.insert(*channel, write);
            self.ends.read.insert(*channel, read);
        }
        Ok(())
    }

    /// Hands a node its ends of channels that were made, and has it open them.
    pub(super) fn open(&mut self, node: Place, opening: Box<Opening>) -> Result<(), Stop> {
        if self.data.is_some() {
            return self.open_announced(node, opening);
        }
        let Ends { write, read } = &mut self.ends;
        let outgoing = opening.outgoing.iter();
        let incoming = opening.incoming.iter();
        let ends: Option<Vec<End>> = outgoing
            .map(|to| write.remove(&(node, to.place)))
            .chain(incoming.map(|from| read.remove(&(from.place, node))))
            .collect();
        let ends =
            ends.ok_or_else(|| Stop::Internal("a channel opens that was not made".to_owned()))?;
        self.hand_over(Process::Node(node), ends)?;
        Ok(self.instruct(node, &Instruction::Open(opening))?)
    }

    /// Hands pipe ends over.
    pub(super) fn hand_over(&mut self, to: Process, ends: Vec<End>) -> Result<(), Stop> {
        self.announce(to, &(), ends)
    }

    /// Hands pipe ends over, and says what they are for; where too many are on their way, has those that
    /// were told to take theirs do so first.
    pub(super) fn announce(
        &mut self,
        to: Process,
        what: &impl Serialize,
        mut ends: Vec<End>,
    ) -> Result<(), Stop> {
        let give_up = Instant::now() + HAND_OVER_TIMEOUT;
        let mut ready = Vec::new();
        loop {
            let handed = match to {
                Process::Node(place) => self
                    .node(place)
                    .map(|node| node.process.hand_over(what, ends)),
                Process::Observer => self.observer.as_ref().map(|it| it.hand_over(what, ends)),
            };
            match handed.transpose()? {
                Some(Handed::Later(back)) if Instant::now() < give_up => ends = back,
                Some(Handed::Later(_)) => return Err(pipes::Error::TooManyOnTheirWay.into()),
                Some(Handed::Done) | None => return Ok(()),
            }
            self.flush()?;
            // Nothing tells when descriptors have arrived.
            let pause = Instant::now() + Duration::from_millis(1);
            self.poller.wait(&mut ready, Some(pause))?;
            Stop::heed(self.patience, "a process to take the ends of its pipes")?;
            while Instant::now() < pause {
                std::thread::yield_now();
            }
        }
    }
}
