//! What must hold of a bank that lasts, decided from what its processes have really done.

use super::super::judge::{Past, deposit, messages};
use super::bounds::Bank;
use super::process::{Complaint, log, sent};
use super::world::{Collection, World};
use bank::account::{Incoming, Outgoing, Transfer};
use bank::id::Place;
use bank::member::Frame;
use bank::node::Record;

impl Bank {
    /// Whether nothing is left to be done: nobody is dead, everything was received, every snapshot is with
    /// master and forgotten by everybody else.
    pub(crate) fn is_over(&self, world: &World) -> bool {
        let judged = |it: &Collection| matches!(it, Collection::Judged(_));
        let snapshots = world.snapshots.len();
        snapshots == self.bounds.snapshots
            && world.snapshots.iter().all(judged)
            && world
                .processes
                .iter()
                .all(|process| process.in_flight.is_empty() && process.has_forgotten(snapshots))
            && self.channels().all(|(from, to)| {
                let sent = sent(&world.processes[from].log(), to);
                sent.len() == world.processes[to].received(from).count()
            })
    }

    /// Whether everybody has received what was sent to it, in order, none of it twice, and nothing that
    /// its sender might not know of after a death.
    pub(crate) fn receives_what_is_kept(&self, world: &World) -> bool {
        self.channels().all(|(from, to)| {
            let sent = sent(&log(world.processes[from].kept()), to);
            let mut sent = sent.into_iter();
            world.processes[to]
                .received(from)
                .all(|frame| sent.next() == Some(frame))
        })
    }

    /// Whether all the money is there, in accounts and on its way.
    pub(crate) fn money_is_there(&self, world: &World) -> bool {
        let processes = world.processes.iter().enumerate();
        let balances = processes.map(|(at, process)| match &process.node {
            Some(node) => Some(node.member().account().balance()),
            None => Some(process.restored(at).ok()?.member().account().balance()),
        });
        let balances: Option<u64> = balances.sum();
        let records = world.processes.iter().flat_map(|it| it.records());
        let change = records.map(|record| match *record {
            Record::Send { amount, .. } => i128::from(amount),
            Record::Receive {
                frame: Frame::Message(Transfer(amount)),
                ..
            } => -i128::from(amount),
            _ => 0,
        });
        let on_the_way: i128 = change.sum();
        let deposits: u64 = (0..self.bounds.processes).map(deposit).sum();
        balances.map(|balances| i128::from(balances) + on_the_way) == Some(deposits.into())
    }

    /// Whether nobody has done more than it was told, or forgotten what it has answered.
    pub(crate) fn does_everything_once(&self, world: &World) -> bool {
        world.processes.iter().all(|process| {
            process.answered <= process.kept().len()
                && process.records().count() <= process.instructions()
        })
    }

    /// What has really happened, and what there is: of the dead, what they will be again.
    pub(crate) fn past(&self, world: &World) -> Result<Past, Complaint> {
        let mut nodes = Vec::new();
        for (at, process) in world.processes.iter().enumerate() {
            nodes.push(match &process.node {
                Some(node) => node.clone(),
                None => process.restored(at)?,
            });
        }
        let mut past = Past {
            logs: world.processes.iter().map(|it| it.log()).collect(),
            balances: Vec::new(),
            channels: Default::default(),
        };
        for node in &nodes {
            past.balances.push(Some(node.member().account().balance()));
        }
        for (from, to) in self.channels() {
            let ends = nodes[to].member().account().incoming();
            let slot = ends.iter().position(|end| end.peer == Place::at(from));
            let received = slot.map_or(0, |slot| nodes[to].frames_received(Incoming(slot)));
            let ends = nodes[from].member().account().outgoing();
            let slot = ends.iter().position(|end| end.peer == Place::at(to));
            let slot = Outgoing(slot.ok_or("no channel")?);
            let frames = world.processes[from].frames_behind(from, slot, received)?;
            past.channels.insert((from, to), messages(&frames));
        }
        Ok(past)
    }

    fn channels(&self) -> impl Iterator<Item = (usize, usize)> {
        let everybody = 0..self.bounds.processes;
        let pairs = everybody
            .clone()
            .flat_map(move |from| everybody.clone().map(move |to| (from, to)));
        pairs.filter(|(from, to)| self.has(*from, *to))
    }
}
