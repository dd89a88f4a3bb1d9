//! What master wants done, where the bank lasts.

use std::collections::{BTreeMap, VecDeque};

use bank::Broken;
use bank::id::Place;
use bank::master::{Effect, Process};
use bank::messages::{Announcement, Instruction, Reply};
use bank::node::Node;
use bank::observer::Observer;
use history::Event;

use super::super::pipe::Pipe;
use super::super::world::{Complaint, show};
use super::again::written_and_read;
use super::journal::Kept;
use super::{Line, NodeProcess, ObserverProcess, World};

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
            let keeps = effects.iter().any(|it| matches!(it, Effect::Keep(_)));
            for effect in effects.drain(..) {
                self.master_may_die(keeps);
                if self.is_master_dead {
                    break;
                }
                self.carry_out(effect)?;
            }
            if self.is_master_dead {
                effects.clear();
                break;
            }
        }
        self.effects = effects;
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), Complaint> {
        let says = |outcome: Result<(), Broken>| outcome.map_err(|it| format!("master: {it}"));
        match effect {
            // What is said to the dead is not heard.
            Effect::Instruct(place, instruction) => {
                self.process(place).instructions.push_through(instruction);
            }
            Effect::Request(request) => {
                let observer = self.observer.as_mut().ok_or("no observer")?;
                observer.requests.push_back(request);
            }
            Effect::Show { shown, .. } => show(&shown, &mut self.stdout),
            Effect::Fail { line, failed } => self.failures.push((line, failed.1)),
            Effect::Notify(_) | Effect::Table(_) => {}
            Effect::History(happened) => {
                let (line, what) = *happened;
                self.history.push(Event {
                    line,
                    time: None,
                    what,
                    extra: Vec::new(),
                });
            }
            Effect::StartObserver => {
                self.open();
                self.start_observer();
            }
            Effect::Keep(kept) => self.outcomes.push(written_and_read(*kept)?),
            Effect::StartNode { place, id, deposit } => {
                let kept = self.kept.entry(self.round).or_default();
                kept.entry(place).or_insert_with(|| Kept::new(id, deposit));
                self.start_node(place, 0)?;
                says(self.master.started(Ok(())))?;
            }
            Effect::Connect(pairs) => {
                for (from, to) in pairs {
                    self.lay(from, to, None);
                }
            }
            Effect::Open(node, opening) => {
                for to in &opening.outgoing {
                    if self.ends.contains_key(&(node, to.place)) {
                        self.attach(node, to.place, 0);
                    }
                }
                let instructions = &mut self.process(node).instructions;
                instructions.push_through(Instruction::Open(opening));
            }
            Effect::Lay { from, to, laying } => self.lay(from, to, Some(laying)),
            Effect::Attach { from, to, received } => self.attach(from, to, received),
            Effect::Restart {
                process: Process::Node(place),
                answered,
                ..
            } => {
                self.restarts += 1;
                if self.nodes.get(&place).is_some_and(|it| !it.is_dead) {
                    return Err(format!("{place} runs, and is started again"));
                }
                self.start_node(place, answered)?;
                self.process(place).replies.push(Reply::Restored);
                says(self.master.restarted(Process::Node(place)))?;
            }
            Effect::Restart { process, .. } => {
                self.restarts += 1;
                self.start_observer();
                says(self.master.restarted(process))?;
            }
            Effect::GiveUp(process, fate) => {
                return Err(format!("{process:?} is given up: {fate}"));
            }
            Effect::Introduce(place) => self.introduce(place),
            Effect::Kill(place) => self.kill(place),
            Effect::EndAll => {
                self.nodes.clear();
                self.end_bank();
                self.ends.clear();
                self.pipes.clear();
                self.lines.clear();
                self.observer = None;
            }
        }
        Ok(())
    }

    fn start_observer(&mut self) {
        self.observer = Some(ObserverProcess {
            observer: Observer::new(true, false),
            is_dead: false,
            requests: VecDeque::new(),
            answers: Pipe::default(),
            hatch: VecDeque::new(),
            lines: BTreeMap::new(),
        });
    }

    fn start_node(&mut self, place: Place, answered: u64) -> Result<(), Complaint> {
        let node: Node = self.restored(place, answered)?;
        let host = self.network.host_of(place);
        let process = NodeProcess {
            node,
            is_dead: false,
            is_noticed: false,
            unkept: Vec::new(),
            instructions: self.network.pipe(0, host),
            replies: self.network.pipe(host, 0),
            announced: VecDeque::new(),
            line: None,
            write_ends: BTreeMap::new(),
            read_ends: BTreeMap::new(),
            asked: None,
        };
        self.nodes.insert(place, process);
        Ok(())
    }

    /// Makes pipes between a node and the observer.
    fn introduce(&mut self, place: Place) {
        let line = self.lines.len();
        let host = self.network.host_of(place);
        self.lines.push(Line {
            orders: self.network.pipe_announced(0, host),
            reports: self.network.pipe_announced(host, 0),
        });
        self.announce(place, Announcement::Observer, line);
        match &mut self.observer {
            Some(observer) if !observer.is_dead => observer.hatch.push_back(line),
            _ => self.close_observers_line(Some(line)),
        }
    }

    fn announce(&mut self, place: Place, announcement: Announcement, end: usize) {
        let process = self.process(place);
        match process.is_dead {
            true => self.refuse(announcement, end),
            false => process.announced.push_back((announcement, end)),
        }
    }

    fn lay(&mut self, from: Place, to: Place, laying: Option<u64>) {
        let pipe = self.pipes.len();
        let (source, sink) = (self.network.host_of(from), self.network.host_of(to));
        self.pipes.push(self.network.pipe_announced(source, sink));
        let before = self.ends.insert((from, to), pipe);
        self.close_write_end(before);
        self.announce(to, Announcement::Incoming { from, laying }, pipe);
    }

    fn attach(&mut self, from: Place, to: Place, received: u64) {
        if let Some(pipe) = self.ends.remove(&(from, to)) {
            self.announce(from, Announcement::Outgoing { to, received }, pipe);
        }
    }
}
