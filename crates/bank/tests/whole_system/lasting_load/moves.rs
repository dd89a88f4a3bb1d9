//! What may happen next, and what comes of it.

use bank::account::{Incoming, Outgoing};
use bank::id::Place;
use bank::master::Process;
use bank::messages::Announcement;
use bank::node;
use bank::observer;

use super::{NodeProcess, World, set_up};
use crate::network::{Network, Step};
use crate::pipe::{AnyPipe, Pipe, Which};
use crate::world::Complaint;

#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    Execute,
    Finish,
    BeginLoad,
    Rest,
    Count,
    Hear(Process),
    NoticeDeath(Process),
    Instruction(Place),
    Order(Place),
    Receive(Place, Incoming),
    Round(Place),
    Announced(Place),
    Keep(Place),
    Write(Which),
    Read(Which),
    Carry(Step),
    Request,
    Report(Place),
    Time,
    Kill,
    BeginAgain,
}

/// Nothing is made for a peer for which this many frames wait.
const OUTBOX: usize = 200;

impl World {
    pub(super) fn possible_moves(&mut self, moves: &mut Vec<Move>) {
        self.moves_of_master(moves);
        for (place, process) in &self.nodes {
            self.moves_of_node(*place, process, moves);
        }
        self.moves_of_observer(moves);
        moves.extend(self.network.steps().map(Move::Carry));
        let network = &self.network;
        let is_slow = |chosen: &Move| matches!(chosen, Move::Carry(step) if network.is_slow(*step));
        // Under load something else can always move.
        if !moves.iter().all(is_slow) && self.draw.pick(4) > 0 {
            moves.retain(|chosen| !is_slow(chosen));
        }
        let deaths = self.disorder.deaths[usize::from(self.is_resting)];
        // Setting up is tried elsewhere too.
        let one_in = self.disorder.one_in * if self.load.is_some() { 1 } else { 5 };
        if deaths > 0 && !moves.is_empty() && self.draw.pick(one_in) == 0 {
            moves.clear();
            moves.push(Move::Kill);
        } else if self.disorder.ends > 0 && self.draw.pick(20 * one_in) == 0 {
            moves.clear();
            moves.push(Move::BeginAgain);
        }
    }

    /// Everybody has died, master too: it is started again, and sets everything up again.
    fn begin_again(&mut self) -> Result<(), Complaint> {
        self.disorder.ends -= 1;
        for place in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.kill(place, true)?;
        }
        self.nodes.clear();
        self.ends.clear();
        self.restarted.clear();
        self.observer = None;
        self.network = Network::new(self.disorder.network);
        self.pipes.clear();
        self.lines.clear();
        let (master, statements) = set_up(self.seed, self.disorder);
        self.master = master;
        self.master.recall([]);
        self.statements = statements;
        self.load = None;
        (self.is_finished, self.is_resting, self.forgets) = (false, false, true);
        self.watched = 0;
        // It has not heard of any.
        self.audited.clear();
        Ok(())
    }

    fn moves_of_master(&self, moves: &mut Vec<Move>) {
        match &self.load {
            None if self.is_set_up() => moves.push(Move::BeginLoad),
            None if self.master.is_ready() && !self.statements.is_empty() => {
                moves.push(Move::Execute);
            }
            None if self.master.is_ready() && !self.is_finished => moves.push(Move::Finish),
            None => {}
            Some(_) if self.is_resting => {}
            Some(load) => {
                if load.is_counted() && self.moves.is_multiple_of(7) {
                    moves.push(Move::Count);
                }
                let is_over =
                    self.disorder.deaths[0] == 0 && self.watched >= self.disorder.snapshots;
                if self.moves >= self.disorder.moves && (is_over || load.has_generated()) {
                    moves.extend([Move::Rest; 3]);
                }
            }
        }
    }

    fn moves_of_node(&self, place: Place, process: &NodeProcess, moves: &mut Vec<Move>) {
        let who = Process::Node(place);
        if process.instructions.is_writable() {
            moves.push(Move::Write(Which::Instructions(place)));
        }
        if process.replies.is_readable() {
            moves.push(Move::Read(Which::Replies(place)));
        }
        if process.is_dead {
            if !process.is_noticed && process.replies.is_over(true) {
                moves.push(Move::NoticeDeath(who));
            }
            return;
        }
        if !process.replies.written.is_empty() && self.is_awaited(who) {
            moves.push(Move::Hear(who));
        }
        if !process.instructions.written.is_empty() {
            moves.push(Move::Instruction(place));
        }
        if process.instructions.is_readable() {
            moves.push(Move::Read(Which::Instructions(place)));
        }
        if !process.announced.is_empty() {
            moves.push(Move::Announced(place));
        }
        let line = process.line.map(|line| &self.lines[line]);
        if line.is_some_and(|line| !line.orders.written.is_empty()) {
            moves.push(Move::Order(place));
        }
        if line.is_some_and(|line| line.orders.is_readable()) {
            moves.push(Move::Read(Which::Orders(place)));
        }
        if process.runs_freely {
            let incoming = process.node.member().account().incoming().iter();
            for (slot, end) in incoming.enumerate() {
                let pipe = process.read_ends.get(&end.peer);
                let pipe = pipe.map(|pipe| &self.pipes[*pipe]);
                if pipe.is_some_and(|pipe| !pipe.written.is_empty()) {
                    moves.push(Move::Receive(place, Incoming(slot)));
                }
                if pipe.is_some_and(Pipe::is_readable) {
                    moves.push(Move::Read(Which::Channel(end.peer, place)));
                }
            }
            if process.makes_transfers {
                moves.push(Move::Round(place));
            }
        }
        if !process.unkept.is_empty() {
            moves.push(Move::Keep(place));
            return;
        }
        if process.replies.is_writable() {
            moves.push(Move::Write(Which::Replies(place)));
        }
        if line.is_some_and(|line| line.reports.is_writable()) {
            moves.push(Move::Write(Which::Reports(place)));
        }
        for (to, pipe) in &process.write_ends {
            if self.pipes[*pipe].is_writable() {
                moves.push(Move::Write(Which::Channel(place, *to)));
            }
        }
    }

    fn moves_of_observer(&self, moves: &mut Vec<Move>) {
        let Some(observer) = &self.observer else {
            return;
        };
        if observer.is_dead {
            moves.push(Move::NoticeDeath(Process::Observer));
            return;
        }
        if !observer.answers.written.is_empty() && self.is_awaited(Process::Observer) {
            moves.push(Move::Hear(Process::Observer));
        }
        if !observer.requests.is_empty() {
            moves.push(Move::Request);
        }
        if observer.answers.is_writable() {
            moves.push(Move::Write(Which::Answers));
        }
        if observer.observer.wakes_at().is_some() {
            moves.push(Move::Time);
        }
        for (place, line) in &observer.lines {
            if self.lines[*line].orders.is_writable() {
                moves.push(Move::Write(Which::Orders(*place)));
            }
            if self.lines[*line].reports.is_readable() {
                moves.push(Move::Read(Which::Reports(*place)));
            }
            if !self.lines[*line].reports.written.is_empty() {
                moves.push(Move::Report(*place));
            }
        }
    }

    /// The pipe that its writer has. Its reader may still have another one.
    fn written(&mut self, which: Which) -> &mut dyn AnyPipe {
        match which {
            Which::Instructions(place) => &mut self.process(place).instructions,
            Which::Replies(place) => &mut self.process(place).replies,
            Which::Orders(place) => {
                let observer = self.observer.as_ref().expect("it was started");
                &mut self.lines[observer.lines[&place]].orders
            }
            Which::Reports(place) => {
                let line = self.process(place).line.expect("it has one");
                &mut self.lines[line].reports
            }
            Which::Channel(from, to) => {
                let pipe = self.process(from).write_ends[&to];
                &mut self.pipes[pipe]
            }
            Which::Answers => &mut self.observer.as_mut().expect("it was started").answers,
        }
    }

    /// The pipe that its reader has.
    fn read(&mut self, which: Which) -> &mut dyn AnyPipe {
        match which {
            Which::Orders(place) => {
                let line = self.process(place).line.expect("it has one");
                &mut self.lines[line].orders
            }
            Which::Reports(place) => {
                let observer = self.observer.as_ref().expect("it was started");
                &mut self.lines[observer.lines[&place]].reports
            }
            Which::Channel(from, to) => {
                let pipe = self.process(to).read_ends[&from];
                &mut self.pipes[pipe]
            }
            Which::Instructions(_) | Which::Replies(_) | Which::Answers => self.written(which),
        }
    }

    pub(super) fn make(&mut self, chosen: Move) -> Result<(), Complaint> {
        match chosen {
            Move::Execute => {
                if let Some(statement) = self.statements.pop_front() {
                    let executed = self.master.execute(&statement);
                    self.after(executed)?;
                }
            }
            Move::Finish => {
                self.is_finished = true;
                let finished = self.master.finish();
                self.after(finished)?;
            }
            Move::BeginLoad => self.begin_load()?,
            Move::Rest => {
                self.is_resting = true;
                let mut effects = Vec::new();
                self.load.as_mut().ok_or("no load")?.rest(&mut effects);
                self.carry_out_all(effects)?;
            }
            Move::Count => {
                let mut effects = Vec::new();
                self.load.as_mut().ok_or("no load")?.count(&mut effects);
                self.carry_out_all(effects)?;
            }
            Move::Hear(Process::Node(place)) => {
                let reply = self.process(place).replies.written.pop_front();
                self.hear(place, reply.ok_or("no reply")?)?;
            }
            Move::Hear(Process::Observer) => {
                let observer = self.observer.as_mut().ok_or("no observer")?;
                let answer = observer.answers.written.pop_front();
                self.hear_observer(answer.ok_or("no answer")?)?;
            }
            Move::NoticeDeath(process) => self.notice(process)?,
            Move::Instruction(place) => {
                let instruction = self.process(place).instructions.written.pop_front();
                let instruction = instruction.ok_or("no instruction")?;
                self.step(place, node::Input::Instruction(instruction))?;
            }
            Move::Order(place) => {
                let line = self.process(place).line.ok_or("no line")?;
                let order = self.lines[line].orders.written.pop_front();
                self.step(place, node::Input::Order(order.ok_or("no order")?))?;
            }
            Move::Receive(place, from) => self.receive(place, from)?,
            Move::Round(place) => self.round(place)?,
            Move::Announced(place) => self.take_what_was_announced(place)?,
            Move::Keep(place) => self.keep(place),
            Move::Write(which) => {
                let waiting = self.written(which).waiting();
                let frames = 1 + self.draw.pick(waiting);
                self.written(which).write(frames);
            }
            Move::Read(which) => self.read(which).read()?,
            Move::Carry(step) => self.network.make(step, &mut self.draw)?,
            Move::Request => {
                let observer = self.observer.as_mut().ok_or("no observer")?;
                let request = observer.requests.pop_front().ok_or("no request")?;
                self.step_observer(observer::Input::Request(request))?;
            }
            Move::Report(place) => {
                let line = self.observer.as_ref().ok_or("no observer")?.lines[&place];
                let report = self.lines[line].reports.written.pop_front();
                let report = report.ok_or("no report")?;
                self.step_observer(observer::Input::Report(place, report))?;
            }
            Move::Time => {
                self.now += 1;
                self.step_observer(observer::Input::Now(self.now))?;
            }
            Move::Kill => self.kill_somebody()?,
            Move::BeginAgain => self.begin_again()?,
        }
        Ok(())
    }

    /// Some of what has come through a channel is received.
    fn receive(&mut self, place: Place, from: Incoming) -> Result<(), Complaint> {
        let peer = self.peer_of(place, from);
        let process = self.nodes.get_mut(&place).ok_or("nobody")?;
        let written = &mut self.pipes[process.read_ends[&peer]].written;
        let all = self.draw.pick(2) == 0;
        let mut left = match all {
            true => written.len(),
            false => 1 + self.draw.pick(written.len()),
        };
        let frames = std::iter::from_fn(|| {
            left = left.checked_sub(1)?;
            written.pop_front()
        });
        let mut effects = Vec::new();
        let received = process.node.receive_run(from, frames, &mut effects);
        received.map_err(|broken| format!("node {place}: {broken}"))?;
        self.do_what_was_said(place, effects)
    }

    /// A batch is made for everybody who has room.
    fn round(&mut self, place: Place) -> Result<(), Complaint> {
        let process = self.nodes.get_mut(&place).ok_or("nobody")?;
        let round = process.node.round();
        process.makes_transfers = round.is_some();
        let channels = process.node.member().account().outgoing().len();
        for (to, round) in (0..channels).filter_map(|to| Some((to, round?))) {
            let peer = process.node.member().account().outgoing()[to].peer;
            let pipe = process.write_ends.get(&peer);
            let waiting = pipe.map_or(0, |pipe| self.pipes[*pipe].frames().count());
            if waiting >= OUTBOX || (pipe.is_none() && self.draw.pick(4) > 0) {
                continue;
            }
            let outbox = pipe.map(|pipe| &mut self.pipes[*pipe].outbox);
            let push = |batch: node::Batch<'_>| match outbox {
                Some(outbox) => outbox.extend(batch),
                None => batch.for_each(drop),
            };
            process.node.make_batch(&round, Outgoing(to), push);
        }
        self.do_what_was_said(place, Vec::new())
    }

    fn take_what_was_announced(&mut self, place: Place) -> Result<(), Complaint> {
        let process = self.process(place);
        let (announcement, end) = process.announced.pop_front().ok_or("nothing came")?;
        match announcement {
            Announcement::Observer => process.line = Some(end),
            Announcement::Incoming { from, laying } => {
                process.read_ends.insert(from, end);
                if let Some(laying) = laying {
                    self.step(place, node::Input::Laid(from, laying))?;
                }
            }
            Announcement::Outgoing { to, received } => {
                process.write_ends.insert(to, end);
                self.step(place, node::Input::Attached(to, received))?;
            }
        }
        Ok(())
    }
}
