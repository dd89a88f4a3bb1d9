//! What may happen next, and what then happens.

use super::*;

impl World {
    pub(super) fn possible_moves(&mut self, moves: &mut Vec<Move>) {
        self.all_moves(moves);
        let is_notice = |chosen: &Move| matches!(chosen, Move::NoticeDeath(_));
        if self.disorder.is_noticed_late && !moves.iter().all(is_notice) {
            moves.retain(|chosen| !is_notice(chosen));
        }
        let network = &self.network;
        let is_slow = |chosen: &Move| matches!(chosen, Move::Carry(step) if network.is_slow(*step));
        if !moves.iter().all(is_slow) {
            moves.retain(|chosen| !is_slow(chosen));
        }
        if self.disorder.deaths > 0 && self.draw.pick(self.disorder.one_in) == 0 {
            moves.clear();
            moves.push(Move::Kill);
        }
    }

    pub(super) fn all_moves(&self, moves: &mut Vec<Move>) {
        if !self.is_master_dead {
            self.moves_of_master(moves);
        }
        for (place, process) in &self.nodes {
            if self.master.hears_everybody() && !process.replies.written.is_empty() {
                moves.push(Move::Hear(Process::Node(*place)));
            }
            self.moves_of_node(*place, process, moves);
        }
        self.moves_of_observer(moves);
        moves.extend(self.network.steps().map(Move::Carry));
        if self.is_master_dead && (moves.is_empty() || !self.is_tenacious) {
            moves.push(Move::BeginAgain);
        }
    }

    pub(super) fn moves_of_master(&self, moves: &mut Vec<Move>) {
        let is_noting = { self.disorder.notes_every }.is_some_and(|every| {
            self.executed >= every && !self.statements.is_empty() && self.master.is_ready()
        });
        if is_noting {
            if self.master.is_idle() {
                moves.push(Move::Note);
            }
        } else if self.master.is_ready() {
            if !self.statements.is_empty() {
                moves.extend([Move::Execute; 3]);
                moves.push(Move::Pause);
            } else if !self.finished {
                moves.push(Move::Finish);
            } else if self.master.is_idle() && !self.next.is_empty() {
                moves.push(Move::Close);
            }
        }
        if let Awaits::Word(process) = self.master.awaits() {
            let has_said_something = match process {
                Process::Observer => {
                    let observer = self.observer.as_ref();
                    observer.is_some_and(|it| !it.answers.written.is_empty())
                }
                Process::Node(node) => !self.nodes[&node].replies.written.is_empty(),
            };
            if has_said_something {
                moves.extend([Move::Hear(process); 2]);
            }
        }
        for (place, process) in &self.nodes {
            if process.instructions.is_writable() {
                moves.push(Move::Write(Which::Instructions(*place)));
            }
            if process.replies.is_readable() {
                moves.push(Move::Read(Which::Replies(*place)));
            }
            let is_over = process.is_dead && process.replies.is_over(process.is_dead);
            if is_over && !process.is_noticed {
                moves.push(Move::NoticeDeath(Process::Node(*place)));
            }
        }
        if self.observer.as_ref().is_some_and(|it| it.is_dead) {
            moves.push(Move::NoticeDeath(Process::Observer));
        }
    }

    pub(super) fn moves_of_observer(&self, moves: &mut Vec<Move>) {
        let Some(observer) = &self.observer else {
            return;
        };
        if observer.is_dead {
            return;
        }
        if !observer.requests.is_empty() {
            moves.push(Move::Request);
        }
        if observer.answers.is_writable() {
            moves.push(Move::Write(Which::Answers));
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

    pub(super) fn moves_of_node(&self, place: Place, process: &NodeProcess, moves: &mut Vec<Move>) {
        if process.is_dead {
            return;
        }
        if !process.instructions.written.is_empty() && !process.node.is_waiting() {
            moves.push(Move::Instruction(place));
        }
        if process.instructions.is_readable() {
            moves.push(Move::Read(Which::Instructions(place)));
        }
        if let Some((from, pipe, is_there)) = self.asked(process) {
            match is_there {
                true => moves.push(Move::Asked(place)),
                false if self.pipes[pipe].is_readable() => {
                    moves.push(Move::Read(Which::Channel(from, place)));
                }
                false => {}
            }
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
        if !process.unkept.is_empty() {
            moves.push(Move::Keep(place));
            return;
        }
        let withholds = self.disorder.withholding && process.node.is_waiting();
        let is_urgent = |reply: &Reply| matches!(reply, Reply::Received { .. });
        let replies = &process.replies;
        if replies.is_writable() && (!withholds || replies.outbox.iter().any(is_urgent)) {
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

    /// From whom a node wants something, through which pipe, and whether it is there.
    fn asked(&self, process: &NodeProcess) -> Option<(Place, usize, bool)> {
        let (from, wanted) = match process.asked? {
            Asked::Take(from) => (from, 1),
            Asked::Ahead(from, frames) => (from, frames as usize),
        };
        let from = process.node.member().account().incoming()[from.0].peer;
        let pipe = *process.read_ends.get(&from)?;
        Some((from, pipe, self.pipes[pipe].written.len() >= wanted))
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
                    self.executed += 1;
                    let executed = self.master.execute(&statement);
                    self.after(executed)?;
                }
            }
            Move::Pause => {
                let paused = self.master.pause();
                self.after(paused)?;
            }
            Move::Finish => {
                self.finished = true;
                let finished = self.master.finish();
                self.after(finished)?;
            }
            Move::Hear(Process::Node(place)) => {
                let reply = self.process(place).replies.written.pop_front();
                let heard = self.master.hear(place, reply.ok_or("no reply")?);
                self.after(heard)?;
            }
            Move::Hear(Process::Observer) => {
                let observer = self.observer.as_mut().ok_or("no observer")?;
                let answer = observer.answers.written.pop_front();
                let heard = self.master.hear_observer(answer.ok_or("no answer")?);
                self.after(heard)?;
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
            Move::Asked(place) => self.have(place)?,
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
            Move::Kill => self.kill_somebody(),
            Move::Note => self.note()?,
            Move::Close => self.close()?,
            Move::BeginAgain => self.begin_again()?,
        }
        Ok(())
    }
}
