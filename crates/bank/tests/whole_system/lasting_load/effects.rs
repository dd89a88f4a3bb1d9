//! What is to be done for everybody.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use bank::Broken;
use bank::id::Place;
use bank::master::{Effect, Process};
use bank::messages::{Announcement, Answer, Instruction, Reply};
use bank::node::{self, Node, Restoring};
use bank::observer::{self, Observer};

use super::{Kept, Line, NodeProcess, ObserverProcess, Segment, World};
use crate::pipe::{AnyPipe, Pipe};
use crate::world::Complaint;

impl World {
    /// Does what master wants done; then the load tells whoever was started again.
    pub(super) fn after(&mut self, heard: Result<(), Broken>) -> Result<(), Complaint> {
        heard.map_err(|broken| format!("master: {broken}"))?;
        loop {
            let mut effects = Vec::new();
            self.master.swap_effects(&mut effects);
            if effects.is_empty() {
                let restarted = std::mem::take(&mut self.restarted);
                if let Some(load) = &self.load {
                    for process in &restarted {
                        load.restarted(*process, &mut effects);
                    }
                }
            }
            if effects.is_empty() {
                return Ok(());
            }
            self.carry_out_all(effects)?;
        }
    }

    pub(super) fn carry_out_all(&mut self, effects: Vec<Effect>) -> Result<(), Complaint> {
        effects.into_iter().try_for_each(|it| self.carry_out(it))
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
            Effect::StartObserver => self.start_observer(),
            Effect::StartNode { place, id, deposit } => {
                if let Entry::Vacant(kept) = self.kept.entry(place) {
                    let node = Restoring::new(id, deposit, false, 0);
                    let node = node.done().map_err(|broken| broken.to_string())?;
                    let first = Segment {
                        number: 1,
                        image: node.image(),
                        kept: Vec::new(),
                    };
                    let segments = VecDeque::from([first]);
                    kept.insert(Kept { segments });
                }
                let node = self.restored(place, 0)?;
                self.start_node(place, node);
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
                process, answered, ..
            } => {
                match process {
                    Process::Node(place) => {
                        let node = self.restored(place, answered)?;
                        self.start_node(place, node);
                        self.process(place).replies.push(Reply::Restored);
                    }
                    Process::Observer => self.start_observer(),
                }
                says(self.master.restarted(process))?;
                self.restarted.push(process);
            }
            Effect::Introduce(place) => self.introduce(place),
            Effect::Notify(_) | Effect::Keep(_) => {}
            effect => return Err(format!("master wants {effect:?}")),
        }
        Ok(())
    }

    /// A node replies: to master where it is about pipes, or being set up, else to the load.
    pub(super) fn hear(&mut self, place: Place, reply: Reply) -> Result<(), Complaint> {
        match (&mut self.load, reply) {
            (Some(load), reply) if !matches!(reply, Reply::Received { .. } | Reply::Restored) => {
                let mut effects = Vec::new();
                let heard = load.hear(place, reply, &mut effects);
                heard.map_err(|broken| format!("load: {broken}"))?;
                self.carry_out_all(effects)
            }
            (_, reply) => {
                let heard = self.master.hear(place, reply);
                self.after(heard)
            }
        }
    }

    pub(super) fn hear_observer(&mut self, answer: Answer) -> Result<(), Complaint> {
        let Some(load) = &mut self.load else {
            let heard = self.master.hear_observer(answer);
            return self.after(heard);
        };
        let heard = load.hear_observer(&answer);
        let is_news = heard.map_err(|broken| format!("load: {broken}"))?;
        match answer {
            Answer::Watched {
                snapshot, total, ..
            } => {
                let deposits = u128::from(self.disorder.balance) * self.disorder.nodes as u128;
                if total != deposits {
                    return Err(format!("a snapshot holds {total} of {deposits}"));
                }
                self.watched += 1;
                match self.audited.insert(snapshot) == is_news {
                    true => Ok(()),
                    false => Err(format!("whether snapshot {snapshot} is news: {is_news}")),
                }
            }
            Answer::Rested => Ok(()),
            answer => Err(format!("the observer says {answer:?}")),
        }
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

    fn start_node(&mut self, place: Place, node: Node) {
        let host = self.network.host_of(place);
        let process = NodeProcess {
            node,
            is_dead: false,
            is_noticed: false,
            runs_freely: false,
            makes_transfers: false,
            unkept: Vec::new(),
            instructions: self.network.pipe(0, host),
            replies: self.network.pipe(host, 0),
            announced: VecDeque::new(),
            line: None,
            write_ends: BTreeMap::new(),
            read_ends: BTreeMap::new(),
        };
        self.nodes.insert(place, process);
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
            _ => self.close_observers_line(line),
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
        if let Some(before) = self.ends.insert((from, to), pipe) {
            self.pipes[before].lose();
        }
        self.announce(to, Announcement::Incoming { from, laying }, pipe);
    }

    fn attach(&mut self, from: Place, to: Place, received: u64) {
        if let Some(pipe) = self.ends.remove(&(from, to)) {
            self.announce(from, Announcement::Outgoing { to, received }, pipe);
        }
    }

    pub(super) fn step(&mut self, place: Place, input: node::Input) -> Result<(), Complaint> {
        let mut effects = Vec::new();
        let stepped = self.process(place).node.step(input, &mut effects);
        stepped.map_err(|error| format!("node {place}: {error}"))?;
        self.do_what_was_said(place, effects)
    }

    pub(super) fn do_what_was_said(
        &mut self,
        place: Place,
        mut effects: Vec<node::Effect>,
    ) -> Result<(), Complaint> {
        let process = self.process(place);
        if process.runs_freely {
            process.node.say_when_it_is_time(&mut effects);
        }
        let unkept = &mut process.unkept;
        process
            .node
            .take_unkept(|bytes| unkept.extend_from_slice(bytes));
        for effect in effects {
            let process = self.process(place);
            match effect {
                node::Effect::Reply(reply) => process.replies.push(reply),
                node::Effect::Report(report) => {
                    // Where it has not been introduced yet, it will be asked again.
                    if let Some(line) = process.line {
                        self.lines[line].reports.push(report);
                    }
                }
                node::Effect::Frame(to, frame) => self.enqueue(place, to, frame),
                node::Effect::SendAgain(to, received) => self.send_again(place, to, received)?,
                node::Effect::RunFreely { .. } => {
                    process.runs_freely = true;
                    process.makes_transfers = true;
                }
                node::Effect::BeginSegment => {
                    self.keep(place);
                    let deaths = self.disorder.deaths[usize::from(self.is_resting)];
                    if deaths > 0 && self.draw.pick(30) == 0 {
                        return self.kill(place, false);
                    }
                    if let Some(image) = self.process(place).node.next_segment() {
                        self.begin_segment(place, image);
                    }
                    let segments = self.kept[&place].segments.len();
                    if segments > 2 + 2 * self.disorder.concurrent as usize {
                        return Err(format!("node {place} has {segments} segments"));
                    }
                }
                node::Effect::Open { .. } | node::Effect::Say(_) => {}
                effect => return Err(format!("node {place} wants {effect:?}")),
            }
        }
        Ok(())
    }

    pub(super) fn step_observer(&mut self, input: observer::Input) -> Result<(), Complaint> {
        let mut effects = Vec::new();
        let process = self.observer.as_mut().ok_or("no observer")?;
        let stepped = process.observer.step(input, &mut effects);
        stepped.map_err(|error| format!("the observer: {error}"))?;
        for effect in effects {
            match effect {
                observer::Effect::Order(place, order) => {
                    self.lines[process.lines[&place]].orders.push(order);
                }
                observer::Effect::Answer(answer) => process.answers.push(answer),
                observer::Effect::Join(place) => {
                    let line = process.hatch.pop_front().ok_or("nothing in the hatch")?;
                    process.lines.insert(place, line);
                }
                observer::Effect::Say(_) => {}
            }
        }
        Ok(())
    }
}
