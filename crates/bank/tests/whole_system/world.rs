//! A whole system in one value: master, observer and nodes joined by queues, moved by chance.
//!
//! Every pipe is two queues: what its writer has enqueued, and what has got through. A writer that
//! dies loses whatever has not. A seed decides which queue moves next and by how much, who is
//! stopped, who dies and when, and when that is noticed.

mod effects;
mod processes;

use std::collections::{BTreeMap, VecDeque};

use bank::account::{Incoming, Outgoing};
use bank::draw::Draw;
use bank::id::Place;
use bank::master::{Awaits, Effect, Failure, Fate, LastWords, Master, Notice, Process, Setup};
use bank::member::Frame;
use bank::node;
use bank::observer;
use bank::script::Statement;
use history::Event;

pub use self::effects::show;
pub use self::processes::Pipe;
use self::processes::{Asked, Life, NodeProcess, ObserverProcess};

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Move {
    Execute,
    Pause,
    Hear(Process),
    Silence,
    NoticeDeath(Process),
    Instruction(Place),
    Order(Place),
    Asked(Place),
    FindObserverGone(Place),
    WriteReplies(Place),
    WriteReports(Place),
    WriteChannel(Place, Place),
    WriteOrders(Place),
    WriteAnswers,
    Request,
    Report(Place),
    NoticeGone(Place),
    Kill,
    Stop,
}

/// What goes wrong, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Disorder {
    /// How many processes die at most.
    pub deaths: u32,
    /// After this many moves…
    pub from_move: usize,
    /// … one in this many is a death, as long as there are any to come.
    pub one_in: usize,
    pub window: usize,
    pub tile: usize,
    /// Who does what he has to do only when nothing else can move: master hears, nodes write their
    /// replies, nodes write into their channels.
    pub lazy: [bool; 3],
    /// Nodes keep their replies to themselves while they wait for a frame.
    pub withholding: bool,
}

/// A system between two moves.
pub struct World {
    draw: Draw,
    disorder: Disorder,
    pub master: Master,
    statements: VecDeque<Statement>,
    paused: bool,
    pub nodes: BTreeMap<Place, NodeProcess>,
    observer: Option<ObserverProcess>,
    pub channels: BTreeMap<(Place, Place), Pipe<Frame>>,
    effects: Vec<Effect>,
    pub stdout: String,
    /// Lines that failed, in order, and why.
    pub failures: Vec<(u64, Failure)>,
    pub notices: Vec<Notice>,
    pub history: Vec<Event>,
    pub moves: usize,
}

/// What went wrong.
pub type Complaint = String;

impl World {
    pub fn new(statements: Vec<Statement>, seed: u64, schedule: u64, disorder: Disorder) -> Self {
        let settings = Setup {
            seed,
            window: disorder.window,
            tile: disorder.tile,
            history: true,
            lasting: false,
        };
        Self {
            draw: Draw::from_seed(schedule),
            disorder,
            master: Master::new(settings),
            statements: statements.into(),
            paused: false,
            nodes: BTreeMap::new(),
            observer: None,
            channels: BTreeMap::new(),
            effects: Vec::new(),
            stdout: String::new(),
            failures: Vec::new(),
            notices: Vec::new(),
            history: Vec::new(),
            moves: 0,
        }
    }

    /// Runs until the script is over and nothing moves any more.
    pub fn run(&mut self) -> Result<(), Complaint> {
        let mut moves = Vec::new();
        loop {
            moves.clear();
            self.possible_moves(&mut moves);
            if moves.is_empty() {
                if self.statements.is_empty() && self.paused && self.master.is_idle() {
                    return Ok(());
                }
                return Err(format!(
                    "nothing moves, and master awaits {:?}, for {:?}",
                    self.master.awaits(),
                    self.master.waits_for()
                ));
            }
            let chosen = moves[self.draw.pick(moves.len())];
            self.moves += 1;
            if self.moves > 200_000 {
                return Err("it goes on for ever".to_owned());
            }
            self.make(chosen)
                .map_err(|complaint| format!("{complaint} (move {}: {chosen:?})", self.moves))?;
        }
    }

    fn possible_moves(&mut self, moves: &mut Vec<Move>) {
        self.all_moves(moves);
        let [hearing, replying, sending] = self.disorder.lazy;
        let is_put_off = |chosen: &Move| match chosen {
            Move::Hear(_) | Move::Silence | Move::NoticeDeath(_) => hearing,
            Move::WriteReplies(_) => replying,
            Move::WriteChannel(..) => sending,
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
        if self.master.hears_everybody() {
            let speaking = self
                .nodes
                .iter()
                .filter(|(_, it)| !it.replies.written.is_empty());
            moves.extend(speaking.map(|(place, _)| Move::Hear(Process::Node(*place))));
        }
        let observer = self.observer.as_ref();
        let observer_dead = observer.is_none_or(|observer| observer.life == Life::Dead);
        for (place, process) in &self.nodes {
            let place = *place;
            if process.life == Life::Dead {
                if !process.noticed[0] {
                    moves.push(Move::NoticeDeath(Process::Node(place)));
                }
            } else if process.life == Life::Running {
                if !process.instructions.is_empty() && !process.node.is_waiting() {
                    moves.push(Move::Instruction(place));
                }
                if self.can_be_had(process, place) {
                    moves.push(Move::Asked(place));
                }
                if !process.orders.written.is_empty() {
                    moves.push(Move::Order(place));
                } else if observer_dead && !process.noticed[2] {
                    moves.push(Move::FindObserverGone(place));
                }
                let withholds = self.disorder.withholding && process.node.is_waiting();
                if !process.replies.outbox.is_empty() && !withholds {
                    moves.push(Move::WriteReplies(place));
                }
                if !process.reports.outbox.is_empty() {
                    moves.push(Move::WriteReports(place));
                }
                for to in &process.outgoing {
                    if !self.channels[&(place, *to)].outbox.is_empty() {
                        moves.push(Move::WriteChannel(place, *to));
                    }
                }
            }
        }
        if let Some(observer) = observer {
            if observer.life == Life::Dead {
                if !observer.noticed {
                    moves.push(Move::NoticeDeath(Process::Observer));
                }
            } else if observer.life == Life::Running {
                if !observer.requests.is_empty() {
                    moves.push(Move::Request);
                }
                if !observer.answers.outbox.is_empty() {
                    moves.push(Move::WriteAnswers);
                }
                for (place, process) in self.nodes.iter().filter(|(_, node)| node.joined) {
                    if !process.orders.outbox.is_empty() {
                        moves.push(Move::WriteOrders(*place));
                    }
                    if !process.reports.written.is_empty() {
                        moves.push(Move::Report(*place));
                    } else if process.life == Life::Dead && !process.noticed[1] {
                        moves.push(Move::NoticeGone(*place));
                    }
                }
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
    fn can_be_had(&self, process: &NodeProcess, place: Place) -> bool {
        let of = |from: &Incoming| {
            let from = process.incoming[from.0];
            let written = self.channels[&(from, place)].written.len();
            (written, self.nodes[&from].life == Life::Dead)
        };
        match &process.asked {
            None => false,
            Some(Asked::Take(from)) => {
                let (written, is_dead) = of(from);
                written > 0 || is_dead
            }
            Some(Asked::Ahead(from, frames)) => {
                let (written, is_dead) = of(from);
                written as u64 >= *frames || is_dead
            }
            Some(Asked::ToEnd(from)) => of(from).1,
        }
    }

    fn make(&mut self, chosen: Move) -> Result<(), Complaint> {
        match chosen {
            Move::Execute => {
                if let Some(statement) = self.statements.pop_front() {
                    let executed = self.master.execute(statement);
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
                let instruction = self.process(place).instructions.pop_front();
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
            Move::WriteReplies(place) => {
                let draw = &mut self.draw;
                let replies = &mut self.nodes.get_mut(&place).ok_or("nobody")?.replies;
                replies.write(1 + draw.pick(replies.outbox.len()));
            }
            Move::WriteReports(place) => {
                let draw = &mut self.draw;
                let reports = &mut self.nodes.get_mut(&place).ok_or("nobody")?.reports;
                reports.write(1 + draw.pick(reports.outbox.len()));
            }
            Move::WriteChannel(from, to) => {
                let channel = self.channels.get_mut(&(from, to)).ok_or("no channel")?;
                channel.write(1 + self.draw.pick(channel.outbox.len()));
            }
            Move::WriteOrders(place) => {
                let draw = &mut self.draw;
                let orders = &mut self.nodes.get_mut(&place).ok_or("nobody")?.orders;
                orders.write(1 + draw.pick(orders.outbox.len()));
            }
            Move::WriteAnswers => {
                if let Some(observer) = &mut self.observer {
                    let answers = &mut observer.answers;
                    answers.write(1 + self.draw.pick(answers.outbox.len()));
                }
            }
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

    fn process(&mut self, place: Place) -> &mut NodeProcess {
        self.nodes.get_mut(&place).expect("it was started")
    }

    fn life(&mut self, process: Process) -> &mut Life {
        match process {
            Process::Node(place) => &mut self.process(place).life,
            Process::Observer => &mut self.observer.as_mut().expect("it was started").life,
        }
    }

    fn pick_victim(&mut self) -> Option<Process> {
        let nodes = self.nodes.iter();
        let living = nodes.filter(|(_, node)| node.life != Life::Dead);
        let mut victims: Vec<_> = living.map(|(place, _)| Process::Node(*place)).collect();
        let observer = self.observer.as_ref();
        if observer.is_some_and(|observer| observer.life != Life::Dead) {
            victims.push(Process::Observer);
        }
        let stopped: Vec<_> = victims
            .iter()
            .filter(|victim| *self.life(**victim) == Life::Stopped)
            .copied()
            .collect();
        let victims = if stopped.is_empty() { victims } else { stopped };
        (!victims.is_empty()).then(|| victims[self.draw.pick(victims.len())])
    }

    /// Somebody is killed from outside.
    fn kill_somebody(&mut self) {
        self.disorder.deaths = self.disorder.deaths.saturating_sub(1);
        match self.pick_victim() {
            Some(Process::Node(place)) => self.kill(place),
            Some(Process::Observer) => {
                for process in self.nodes.values_mut() {
                    process.orders.cut_off(&mut self.draw);
                }
                if let Some(observer) = &mut self.observer {
                    observer.life = Life::Dead;
                    observer.answers.cut_off(&mut self.draw);
                }
            }
            None => {}
        }
    }

    fn kill(&mut self, place: Place) {
        let Some(process) = self.nodes.get_mut(&place) else {
            return;
        };
        if process.life == Life::Dead {
            return;
        }
        process.life = Life::Dead;
        process.replies.cut_off(&mut self.draw);
        process.reports.cut_off(&mut self.draw);
        for to in &process.outgoing {
            if let Some(channel) = self.channels.get_mut(&(place, *to)) {
                channel.cut_off(&mut self.draw);
            }
        }
    }

    fn notice(&mut self, process: Process) -> Result<(), Complaint> {
        match process {
            Process::Node(place) => self.process(place).noticed[0] = true,
            Process::Observer => self.observer.as_mut().ok_or("no observer")?.noticed = true,
        }
        let heard = self
            .master
            .died(process, Fate::Signal(9), LastWords::default());
        self.after(heard)
    }

    fn hear(&mut self, process: Process) -> Result<(), Complaint> {
        let heard = match process {
            Process::Node(place) => {
                let reply = self.process(place).replies.written.pop_front();
                self.master.hear(place, reply.ok_or("no reply")?)
            }
            Process::Observer => {
                let observer = self.observer.as_mut().ok_or("no observer")?;
                let answer = observer.answers.written.pop_front();
                self.master.hear_observer(answer.ok_or("no answer")?)
            }
        };
        self.after(heard)
    }

    /// What a node asked for is there.
    fn have(&mut self, place: Place) -> Result<(), Complaint> {
        let process = self.process(place);
        let asked = process.asked.take().ok_or("nothing was asked for")?;
        let (Asked::Take(from) | Asked::Ahead(from, _) | Asked::ToEnd(from)) = asked;
        let from = process.incoming[from.0];
        let channel = self.channels.get_mut(&(from, place)).ok_or("no channel")?;
        let input = match asked {
            Asked::Take(_) => match channel.written.pop_front() {
                Some(frame) => node::Input::Frame(frame),
                None => node::Input::End,
            },
            Asked::Ahead(..) => node::Input::Ahead(channel.written.len() as u64),
            Asked::ToEnd(_) => node::Input::Found(channel.written.iter().copied().collect()),
        };
        self.step(place, input)
    }

    fn step(&mut self, place: Place, input: node::Input) -> Result<(), Complaint> {
        let mut effects = Vec::new();
        let process = self.process(place);
        let stepped = process.node.step(input, &mut effects);
        stepped.map_err(|error| format!("node {place}: {error}"))?;
        for effect in effects {
            let process = self.process(place);
            match effect {
                node::Effect::Reply(reply) => process.replies.push(reply),
                node::Effect::Report(report) => process.reports.push(report),
                node::Effect::Frame(Outgoing(to), frame) => {
                    let to = process.outgoing[to];
                    let channel = self.channels.get_mut(&(place, to));
                    channel.ok_or("no channel")?.push(frame);
                }
                node::Effect::Take(from) => process.asked = Some(Asked::Take(from)),
                node::Effect::ReadAhead(from, frames) => {
                    process.asked = Some(Asked::Ahead(from, frames));
                }
                node::Effect::ReadToEnd(from) => process.asked = Some(Asked::ToEnd(from)),
                // Which they are, the world knows already.
                node::Effect::Open { .. } | node::Effect::Say(_) => {}
                node::Effect::RunFreely { .. } => return Err("under load".to_owned()),
                node::Effect::BeginSegment(_) | node::Effect::SendAgain(..) => {
                    return Err("it lasts".to_owned());
                }
            }
        }
        Ok(())
    }

    fn step_observer(&mut self, input: observer::Input) -> Result<(), Complaint> {
        let mut effects = Vec::new();
        let observer = self.observer.as_mut().ok_or("no observer")?;
        let stepped = observer.observer.step(input, &mut effects);
        stepped.map_err(|error| format!("the observer: {error}"))?;
        for effect in effects {
            match effect {
                observer::Effect::Order(place, order) => self.process(place).orders.push(order),
                observer::Effect::Answer(answer) => {
                    let observer = self.observer.as_mut().ok_or("no observer")?;
                    observer.answers.push(answer);
                }
                observer::Effect::Join(place) => self.process(place).joined = true,
                observer::Effect::Say(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a node lives.
    pub fn lives(&self, place: Place) -> bool {
        self.nodes
            .get(&place)
            .is_some_and(|node| node.life != Life::Dead)
    }
}
