//! What may happen next, and what comes of it.

use bank::id::Place;
use bank::master::{Awaits, Process};
use bank::node;
use bank::observer;

use super::processes::{Asked, Life, NodeProcess};
use super::{Complaint, World};
use crate::network::Step;
use crate::pipe::{AnyPipe, Which};

/// What may happen next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    Execute,
    Pause,
    Hear(Process),
    Silence,
    NoticeDeath(Process),
    Instruction(Place),
    Order(Place),
    Asked(Place),
    FindObserverGone(Place),
    Write(Which),
    Read(Which),
    Carry(Step),
    Request,
    Report(Place),
    NoticeGone(Place),
    Kill,
    Stop,
}

impl World {
    pub(super) fn possible_moves(&mut self, moves: &mut Vec<Move>) {
        self.all_moves(moves);
        let [hearing, replying, sending] = self.disorder.lazy;
        let network = &self.network;
        let is_put_off = |chosen: &Move| match chosen {
            Move::Hear(_) | Move::Silence | Move::NoticeDeath(_) => hearing,
            Move::Write(Which::Replies(_)) => replying,
            Move::Write(Which::Channel(..)) => sending,
            Move::Carry(step) => network.is_slow(*step),
            _ => false,
        };
        if !moves.iter().all(is_put_off) {
            moves.retain(|chosen| !is_put_off(chosen));
        }
        let observer = self.observer.as_ref();
        let is_stopped = self.nodes.values().any(|node| node.life == Life::Stopped)
            || observer.is_some_and(|observer| observer.life == Life::Stopped);
        if self.disorder.deaths > 0
            && self.moves >= self.disorder.from_move
            && self.draw.pick(self.disorder.one_in) == 0
        {
            moves.clear();
            moves.push(match self.draw.pick(4) {
                0 if !is_stopped => Move::Stop,
                _ => Move::Kill,
            });
        } else if moves.is_empty() && is_stopped {
            moves.push(Move::Kill);
        }
    }

    fn all_moves(&self, moves: &mut Vec<Move>) {
        self.moves_of_master(moves);
        for (place, process) in &self.nodes {
            match process.life {
                Life::Running => self.moves_of_node(*place, process, moves),
                Life::Stopped | Life::Dead => {}
            }
        }
        self.moves_of_observer(moves);
        moves.extend(self.network.steps().map(Move::Carry));
    }

    fn moves_of_master(&self, moves: &mut Vec<Move>) {
        if self.master.is_ready() {
            if !self.statements.is_empty() {
                moves.extend([Move::Execute; 3]);
            } else if !self.paused {
                moves.push(Move::Pause);
            }
        }
        match self.master.awaits() {
            Awaits::Word(process) => match self.has_a_word(process) {
                Some(true) => moves.extend([Move::Hear(process); 2]),
                Some(false) => moves.push(Move::Silence),
                None => {}
            },
            Awaits::Nobody | Awaits::Death(_) => {}
        }
        for (place, process) in &self.nodes {
            let (place, is_dead) = (*place, process.life == Life::Dead);
            if self.master.hears_everybody() && !process.replies.written.is_empty() {
                moves.push(Move::Hear(Process::Node(place)));
            }
            if process.replies.is_readable() {
                moves.push(Move::Read(Which::Replies(place)));
            }
            if process.instructions.is_writable() {
                moves.push(Move::Write(Which::Instructions(place)));
            }
            if is_dead && !process.noticed[0] && process.replies.is_over(is_dead) {
                moves.push(Move::NoticeDeath(Process::Node(place)));
            }
        }
        let observer = self.observer.as_ref();
        if observer.is_some_and(|it| it.life == Life::Dead && !it.noticed) {
            moves.push(Move::NoticeDeath(Process::Observer));
        }
    }

    fn moves_of_node(&self, place: Place, process: &NodeProcess, moves: &mut Vec<Move>) {
        if !process.instructions.written.is_empty() && !process.node.is_waiting() {
            moves.push(Move::Instruction(place));
        }
        if process.instructions.is_readable() {
            moves.push(Move::Read(Which::Instructions(place)));
        }
        if let Some(asked) = &process.asked {
            let from = process.incoming[asked.from().0];
            if self.can_be_had(asked, from, place) {
                moves.push(Move::Asked(place));
            } else if self.channels[&(from, place)].is_readable() {
                moves.push(Move::Read(Which::Channel(from, place)));
            }
        }
        let observer = self.observer.as_ref();
        let is_observer_dead = observer.is_none_or(|observer| observer.life == Life::Dead);
        if process.orders.is_readable() {
            moves.push(Move::Read(Which::Orders(place)));
        }
        if !process.orders.written.is_empty() {
            moves.push(Move::Order(place));
        } else if process.orders.is_over(is_observer_dead) && !process.noticed[2] {
            moves.push(Move::FindObserverGone(place));
        }
        let withholds = self.disorder.withholding && process.node.is_waiting();
        if process.replies.is_writable() && !withholds {
            moves.push(Move::Write(Which::Replies(place)));
        }
        if process.reports.is_writable() {
            moves.push(Move::Write(Which::Reports(place)));
        }
        for to in &process.outgoing {
            if self.channels[&(place, *to)].is_writable() {
                moves.push(Move::Write(Which::Channel(place, *to)));
            }
        }
    }

    fn moves_of_observer(&self, moves: &mut Vec<Move>) {
        let Some(observer) = self.observer.as_ref().filter(|it| it.life == Life::Running) else {
            return;
        };
        if !observer.requests.is_empty() {
            moves.push(Move::Request);
        }
        if observer.answers.is_writable() {
            moves.push(Move::Write(Which::Answers));
        }
        for (place, process) in self.nodes.iter().filter(|(_, node)| node.joined) {
            if process.orders.is_writable() {
                moves.push(Move::Write(Which::Orders(*place)));
            }
            if process.reports.is_readable() {
                moves.push(Move::Read(Which::Reports(*place)));
            }
            let is_dead = process.life == Life::Dead;
            if !process.reports.written.is_empty() {
                moves.push(Move::Report(*place));
            } else if is_dead && process.reports.is_over(is_dead) && !process.noticed[1] {
                moves.push(Move::NoticeGone(*place));
            }
        }
    }

    /// Whether the process has said something that master can hear; or, `Some(false)`, is known to be
    /// dead and has not.
    fn has_a_word(&self, process: Process) -> Option<bool> {
        let (has, silent) = match process {
            Process::Observer => {
                let observer = self.observer.as_ref()?;
                (!observer.answers.written.is_empty(), observer.noticed)
            }
            Process::Node(node) => {
                let process = self.nodes.get(&node)?;
                (!process.replies.written.is_empty(), process.noticed[0])
            }
        };
        match (has, silent) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }

    /// Whether what a node asked for is there.
    fn can_be_had(&self, asked: &Asked, from: Place, place: Place) -> bool {
        let channel = &self.channels[&(from, place)];
        let is_over = channel.is_over(self.nodes[&from].life == Life::Dead);
        match asked {
            Asked::Take(_) => !channel.written.is_empty() || is_over,
            Asked::Ahead(_, frames) => channel.written.len() as u64 >= *frames || is_over,
            Asked::ToEnd(_) => is_over,
        }
    }

    /// A pipe that is there.
    fn pipe(&mut self, which: Which) -> &mut dyn AnyPipe {
        match which {
            Which::Instructions(place) => &mut self.process(place).instructions,
            Which::Replies(place) => &mut self.process(place).replies,
            Which::Orders(place) => &mut self.process(place).orders,
            Which::Reports(place) => &mut self.process(place).reports,
            Which::Channel(from, to) => {
                let channel = self.channels.get_mut(&(from, to));
                channel.expect("it was laid")
            }
            Which::Answers => &mut self.observer.as_mut().expect("it was started").answers,
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
            Move::Pause => {
                self.paused = true;
                let paused = self.master.pause();
                self.after(paused)?;
            }
            Move::Hear(process) => self.hear(process)?,
            Move::Silence => {
                let heard = self.master.silent();
                self.after(heard)?;
            }
            Move::NoticeDeath(process) => self.notice(process)?,
            Move::Instruction(place) => {
                let instruction = self.process(place).instructions.written.pop_front();
                let instruction = instruction.ok_or("no instruction")?;
                self.step(place, node::Input::Instruction(instruction))?;
            }
            Move::Order(place) => {
                let order = self.process(place).orders.written.pop_front();
                let order = order.ok_or("no order")?;
                self.step(place, node::Input::Order(order))?;
            }
            Move::Asked(place) => self.have(place)?,
            Move::FindObserverGone(place) => {
                self.process(place).noticed[2] = true;
                self.step(place, node::Input::ObserverGone)?;
            }
            Move::Write(which) => {
                let waiting = self.pipe(which).waiting();
                let frames = 1 + self.draw.pick(waiting);
                self.pipe(which).write(frames);
            }
            Move::Read(which) => self.pipe(which).read()?,
            Move::Carry(step) => self.network.make(step, &mut self.draw)?,
            Move::Request => {
                let observer = self.observer.as_mut().ok_or("no observer")?;
                let request = observer.requests.pop_front().ok_or("no request")?;
                self.step_observer(observer::Input::Request(request))?;
            }
            Move::Report(place) => {
                let report = self.process(place).reports.written.pop_front();
                let report = report.ok_or("no report")?;
                self.step_observer(observer::Input::Report(place, report))?;
            }
            Move::NoticeGone(place) => {
                self.process(place).noticed[1] = true;
                self.step_observer(observer::Input::NodeGone(place))?;
            }
            Move::Kill => self.kill_somebody(),
            Move::Stop => {
                if let Some(victim) = self.pick_victim() {
                    *self.life(victim) = Life::Stopped;
                }
            }
        }
        Ok(())
    }
}
