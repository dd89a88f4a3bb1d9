//! What master wants done is done, and what it shows and reports is kept.

use std::collections::VecDeque;

use bank::Broken;
use bank::id::Place;
use bank::master::{Effect, Row, Shown, State};
use bank::messages::{Instruction, Peer};
use bank::node::Node;
use bank::observer::Observer;
use history::{Event, What};

use super::processes::{Life, NodeProcess, ObserverProcess};
use super::{Complaint, World};
use crate::pipe::{AnyPipe, Pipe};

impl World {
    /// Does what master wants done.
    pub(super) fn after(&mut self, heard: Result<(), Broken>) -> Result<(), Complaint> {
        heard.map_err(|broken| format!("master: {broken}"))?;
        let mut effects = std::mem::take(&mut self.effects);
        loop {
            self.master.swap_effects(&mut effects);
            if effects.is_empty() {
                break;
            }
            for effect in effects.drain(..) {
                self.carry_out(effect)?;
            }
        }
        self.effects = effects;
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), Complaint> {
        match effect {
            Effect::Instruct(place, instruction) => {
                self.process(place).instructions.push_through(instruction);
            }
            Effect::Request(request) => {
                if let Some(observer) = &mut self.observer {
                    observer.requests.push_back(request);
                }
            }
            Effect::Show { shown, .. } => show(&shown, &mut self.stdout),
            Effect::Fail { line, failed } => self.failures.push((line, failed.1)),
            Effect::Notify(notice) => self.notices.push(*notice),
            Effect::Table(rows) => self.check_table(&rows)?,
            Effect::History(happened) => {
                let (line, what) = *happened;
                self.write(line, what);
            }
            Effect::StartObserver => {
                self.observer = Some(ObserverProcess {
                    observer: Observer::new(false, false),
                    life: Life::Running,
                    noticed: false,
                    requests: VecDeque::new(),
                    answers: Pipe::default(),
                });
            }
            Effect::StartNode { place, id, deposit } => {
                self.start_node(place, Node::new(id, deposit, false));
                self.master
                    .started(Ok(()))
                    .map_err(|broken| format!("master: {broken}"))?;
            }
            Effect::Connect(pairs) => {
                for (from, to) in pairs {
                    let (source, sink) = (self.network.host_of(from), self.network.host_of(to));
                    let channel = self.network.pipe_announced(source, sink);
                    self.channels.insert((from, to), channel);
                }
            }
            Effect::Open(node, opening) => {
                let places =
                    |peers: &[Peer]| peers.iter().map(|peer| peer.place).collect::<Vec<_>>();
                let (outgoing, incoming) = (places(&opening.outgoing), places(&opening.incoming));
                let process = self.process(node);
                process.outgoing.extend(&outgoing);
                process.incoming.extend(&incoming);
                process
                    .instructions
                    .push_through(Instruction::Open(opening));
                if process.life == Life::Dead {
                    self.close_channels(node);
                }
            }
            Effect::Kill(place) => self.kill(place),
            Effect::Restart { .. }
            | Effect::GiveUp(..)
            | Effect::Keep(_)
            | Effect::Introduce(_)
            | Effect::Lay { .. }
            | Effect::Attach { .. } => return Err("somebody is to come back".to_owned()),
            Effect::EndAll => {
                self.nodes.clear();
                self.channels.clear();
                self.observer = None;
            }
        }
        Ok(())
    }

    fn start_node(&mut self, place: Place, node: Node) {
        let host = self.network.host_of(place);
        let mut process = NodeProcess {
            node,
            life: Life::Running,
            noticed: [false; 3],
            instructions: self.network.pipe(0, host),
            replies: self.network.pipe(host, 0),
            orders: self.network.pipe_announced(0, host),
            reports: self.network.pipe_announced(host, 0),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            asked: None,
            joined: false,
        };
        let observer = self.observer.as_ref();
        if observer.is_none_or(|observer| observer.life == Life::Dead) {
            process.orders.lose();
            process.reports.leave_unread();
        }
        self.nodes.insert(place, process);
    }

    /// What the `nodes` command shows as waiting is there, also where somebody has just died.
    fn check_table(&self, rows: &[Row]) -> Result<(), Complaint> {
        for row in rows {
            let State::Running { waiting, .. } = &row.state else {
                continue;
            };
            if !self.lives(row.place) {
                continue;
            }
            for (from, transfers, markers) in waiting {
                let sender = self.nodes.iter().find(|(_, it)| it.node.id() == *from);
                let (from, sender) = sender.ok_or("a table of strangers")?;
                // Of whose death master has not heard, it counts on.
                if sender.life == Life::Dead && !sender.noticed[0] {
                    continue;
                }
                let channel = &self.channels[&(*from, row.place)];
                let there = channel.frames().count() as u64;
                if there != transfers.count + markers {
                    return Err(format!(
                        "{from} → {}: the table says {transfers} and {markers} markers, and {there} \
                         frames are there",
                        row.place
                    ));
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, line: Option<u64>, what: What) {
        let time = None;
        self.history.push(Event {
            line,
            time,
            what,
            extra: Vec::new(),
        });
    }
}

/// Shows a result as master does.
pub fn show(shown: &Shown, out: &mut String) {
    use std::fmt::Write as _;
    let written = match shown {
        Shown::Transfer { from, amount, .. } => writeln!(out, "{from} Transfer {amount}"),
        Shown::Marker { from, .. } => writeln!(out, "{from} SnapshotToken -1"),
        Shown::Refused { .. } => writeln!(out, "ERR_SEND"),
        Shown::Started { node, .. } => writeln!(out, "Started by Node {node}"),
        Shown::Snapshot(snapshot) => {
            out.push_str("---Node states\n");
            for (node, balance) in &snapshot.accounts {
                out.push_str(&format!("node {node} = {balance}\n"));
            }
            out.push_str("---Channel states\n");
            for (from, to, amounts) in snapshot.channels() {
                let sum: u64 = amounts.iter().sum();
                out.push_str(&format!("channel ({from} → {to}) = {sum}\n"));
            }
            Ok(())
        }
    };
    written.expect("a string takes it all");
}
