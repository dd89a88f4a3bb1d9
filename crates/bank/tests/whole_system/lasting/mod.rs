//! A whole system that lasts, in one value: whoever dies is started again from his journal, which is a
//! list of records here. Nobody else has heard of what a process had not kept.
//!
//! Pipes are never mended: who is started again gets new ones, while others may still write into the old
//! ones, or read from them.

mod again;
mod check;
mod effects;

pub use self::check::{are_told_the_same, check};

use std::collections::{BTreeMap, VecDeque};

use bank::account::{Incoming, Outgoing};
use bank::draw::Draw;
use bank::id::{NodeId, Place};
use bank::master::{self, Awaits, Effect, Failure, Fate, Image, LastWords, Master, Process};
use bank::member::Frame;
use bank::messages::{Announcement, Answer, Instruction, Order, Reply, Report, Request};
use bank::node::{self, Node, Resending, Restoring};
use bank::observer::{self, Observer};
use bank::script::Statement;
use history::Event;

use self::again::{master, shows_what_was_shown};
use super::world::{Complaint, Pipe};

/// What goes wrong, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Disorder {
    /// How many deaths there are at most; everybody dies at once now and then.
    pub deaths: u32,
    /// One move in this many is a death, as long as there are any to come.
    pub one_in: usize,
    pub window: usize,
    pub tile: usize,
    /// Who has died is known to be dead only when nothing else can move.
    pub is_noticed_late: bool,
    /// Nodes keep their replies to themselves while they wait for a frame.
    pub withholding: bool,
    /// How often everybody dies at most, master first, between two of its effects…
    pub ends: u32,
    /// … of which it has at most this many.
    pub life: usize,
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Move {
    Execute,
    Pause,
    Finish,
    Hear(Process),
    NoticeDeath(Process),
    Instruction(Place),
    Order(Place),
    Asked(Place),
    Announced(Place),
    Keep(Place),
    WriteReplies(Place),
    WriteReports(Place),
    WriteChannel(Place, Place),
    WriteOrders(Place),
    WriteAnswers,
    Request,
    Report(Place),
    Kill,
    Close,
    BeginAgain,
}

/// What a node waits for.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Take(Incoming),
    Ahead(Incoming, u64),
}

/// A pipe from the observer to a node, and one back.
#[derive(Debug, Default)]
struct Line {
    orders: Pipe<Order>,
    reports: Pipe<Report>,
}

/// What outlives the process of a node.
#[derive(Debug)]
pub struct Kept {
    pub id: NodeId,
    pub deposit: u64,
    pub journal: Vec<Vec<u8>>,
}

/// The process of a node.
#[derive(Debug)]
struct NodeProcess {
    node: Node,
    is_dead: bool,
    is_noticed: bool,
    /// What is not in the journal yet: nothing goes out before it is.
    unkept: Vec<Vec<u8>>,
    instructions: VecDeque<Instruction>,
    replies: Pipe<Reply>,
    /// What comes through the hatch: a pipe, or a line.
    announced: VecDeque<(Announcement, usize)>,
    line: Option<usize>,
    /// By peer: pipes.
    write_ends: BTreeMap<Place, usize>,
    read_ends: BTreeMap<Place, usize>,
    asked: Option<Asked>,
}

#[derive(Debug)]
struct ObserverProcess {
    observer: Observer,
    is_dead: bool,
    requests: VecDeque<Request>,
    answers: Pipe<Answer>,
    hatch: VecDeque<usize>,
    lines: BTreeMap<Place, usize>,
}

/// A system between two moves.
pub struct World {
    draw: Draw,
    disorder: Disorder,
    seed: u64,
    pub master: Master,
    is_master_dead: bool,
    /// Effects until master dies, if it does.
    left: usize,
    /// Who has lost master goes on as long as there is something to do.
    is_tenacious: bool,
    /// Scripts that follow, and the bank that the last one has left.
    next: VecDeque<String>,
    image: Option<Image>,
    script: Vec<Statement>,
    statements: VecDeque<Statement>,
    finished: bool,
    nodes: BTreeMap<Place, NodeProcess>,
    /// The number of the last bank, and of the last one before this script that is no more.
    round: u64,
    ended: u64,
    /// Master has one.
    is_open: bool,
    /// By the bank's number.
    pub kept: BTreeMap<u64, BTreeMap<Place, Kept>>,
    /// What master has kept.
    outcomes: Vec<master::Kept>,
    observer: Option<ObserverProcess>,
    pipes: Vec<Pipe<Frame>>,
    lines: Vec<Line>,
    /// Write ends that master keeps, by (from, to).
    ends: BTreeMap<(Place, Place), usize>,
    effects: Vec<Effect>,
    pub stdout: String,
    /// What earlier runs of the script have shown.
    shown: String,
    pub failures: Vec<(u64, Failure)>,
    pub history: Vec<Event>,
    /// What earlier scripts have shown, and which of their lines have failed.
    pub earlier: Vec<(String, Vec<u64>)>,
    pub restarts: u32,
    /// How often the script was run again.
    pub runs: u32,
    moves: usize,
}

impl World {
    /// Scripts are run one after the other.
    pub fn new(scripts: &[String], seed: u64, schedule: u64, disorder: Disorder) -> Self {
        let mut draw = Draw::from_seed(schedule);
        Self {
            left: 1 + draw.pick(disorder.life),
            draw,
            disorder,
            seed,
            master: master(seed, disorder),
            is_master_dead: false,
            is_tenacious: false,
            statements: VecDeque::new(),
            next: scripts.iter().cloned().collect(),
            image: None,
            script: Vec::new(),
            finished: false,
            nodes: BTreeMap::new(),
            round: 0,
            ended: 0,
            is_open: false,
            kept: BTreeMap::new(),
            outcomes: Vec::new(),
            observer: None,
            pipes: Vec::new(),
            lines: Vec::new(),
            ends: BTreeMap::new(),
            effects: Vec::new(),
            stdout: String::new(),
            shown: String::new(),
            failures: Vec::new(),
            history: Vec::new(),
            earlier: Vec::new(),
            restarts: 0,
            runs: 0,
            moves: 0,
        }
    }

    /// Runs until the script is over and nothing moves any more.
    pub fn run(&mut self) -> Result<(), Complaint> {
        let mut moves = Vec::new();
        self.begin()?;
        loop {
            moves.clear();
            self.possible_moves(&mut moves);
            if moves.is_empty() {
                if self.statements.is_empty() && self.finished && self.master.is_idle() {
                    return shows_what_was_shown(&self.stdout, &self.shown);
                }
                return Err(format!(
                    "nothing moves, and master awaits {:?}, for {:?}",
                    self.master.awaits(),
                    self.master.waits_for()
                ));
            }
            let chosen = moves[self.draw.pick(moves.len())];
            self.moves += 1;
            if self.moves > 500_000 {
                return Err("it goes on for ever".to_owned());
            }
            self.make(chosen)
                .map_err(|complaint| format!("{complaint} (move {}: {chosen:?})", self.moves))?;
        }
    }

    fn possible_moves(&mut self, moves: &mut Vec<Move>) {
        self.all_moves(moves);
        let is_notice = |chosen: &Move| matches!(chosen, Move::NoticeDeath(_));
        if self.disorder.is_noticed_late && !moves.iter().all(is_notice) {
            moves.retain(|chosen| !is_notice(chosen));
        }
        if self.disorder.deaths > 0 && self.draw.pick(self.disorder.one_in) == 0 {
            moves.clear();
            moves.push(Move::Kill);
        }
    }

    fn all_moves(&self, moves: &mut Vec<Move>) {
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
        if self.is_master_dead && (moves.is_empty() || !self.is_tenacious) {
            moves.push(Move::BeginAgain);
        }
    }

    fn moves_of_master(&self, moves: &mut Vec<Move>) {
        if self.master.is_ready() {
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
            if process.is_dead && !process.is_noticed {
                moves.push(Move::NoticeDeath(Process::Node(*place)));
            }
        }
        if self.observer.as_ref().is_some_and(|it| it.is_dead) {
            moves.push(Move::NoticeDeath(Process::Observer));
        }
    }

    fn moves_of_observer(&self, moves: &mut Vec<Move>) {
        let Some(observer) = &self.observer else {
            return;
        };
        if observer.is_dead {
            return;
        }
        if !observer.requests.is_empty() {
            moves.push(Move::Request);
        }
        if !observer.answers.outbox.is_empty() {
            moves.push(Move::WriteAnswers);
        }
        for (place, line) in &observer.lines {
            if !self.lines[*line].orders.outbox.is_empty() {
                moves.push(Move::WriteOrders(*place));
            }
            if !self.lines[*line].reports.written.is_empty() {
                moves.push(Move::Report(*place));
            }
        }
    }

    fn moves_of_node(&self, place: Place, process: &NodeProcess, moves: &mut Vec<Move>) {
        if process.is_dead {
            return;
        }
        if !process.instructions.is_empty() && !process.node.is_waiting() {
            moves.push(Move::Instruction(place));
        }
        if self.can_be_had(process) {
            moves.push(Move::Asked(place));
        }
        if !process.announced.is_empty() {
            moves.push(Move::Announced(place));
        }
        let line = process.line.map(|line| &self.lines[line]);
        if line.is_some_and(|line| !line.orders.written.is_empty()) {
            moves.push(Move::Order(place));
        }
        if !process.unkept.is_empty() {
            moves.push(Move::Keep(place));
            return;
        }
        let withholds = self.disorder.withholding && process.node.is_waiting();
        let is_urgent = |reply: &Reply| matches!(reply, Reply::Received { .. });
        let replies = &process.replies.outbox;
        if !replies.is_empty() && (!withholds || replies.iter().any(is_urgent)) {
            moves.push(Move::WriteReplies(place));
        }
        if line.is_some_and(|line| !line.reports.outbox.is_empty()) {
            moves.push(Move::WriteReports(place));
        }
        for (to, pipe) in &process.write_ends {
            if !self.pipes[*pipe].outbox.is_empty() {
                moves.push(Move::WriteChannel(place, *to));
            }
        }
    }

    /// Whether what a node asked for is there.
    fn can_be_had(&self, process: &NodeProcess) -> bool {
        let Some(asked) = process.asked else {
            return false;
        };
        let (from, wanted) = match asked {
            Asked::Take(from) => (from, 1),
            Asked::Ahead(from, frames) => (from, frames as usize),
        };
        let from = process.node.member().account().incoming()[from.0].peer;
        let pipe = process.read_ends.get(&from);
        pipe.is_some_and(|pipe| self.pipes[*pipe].written.len() >= wanted)
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
                let instruction = self.process(place).instructions.pop_front();
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
            Move::WriteReplies(place) => {
                let draw = &mut self.draw;
                let replies = &mut self.nodes.get_mut(&place).ok_or("nobody")?.replies;
                replies.write(1 + draw.pick(replies.outbox.len()));
            }
            Move::WriteReports(place) => {
                let line = self.process(place).line.ok_or("no line")?;
                let reports = &mut self.lines[line].reports;
                reports.write(1 + self.draw.pick(reports.outbox.len()));
            }
            Move::WriteChannel(from, to) => {
                let pipe = self.process(from).write_ends[&to];
                let pipe = &mut self.pipes[pipe];
                pipe.write(1 + self.draw.pick(pipe.outbox.len()));
            }
            Move::WriteOrders(place) => {
                let line = self.observer.as_ref().ok_or("no observer")?.lines[&place];
                let orders = &mut self.lines[line].orders;
                orders.write(1 + self.draw.pick(orders.outbox.len()));
            }
            Move::WriteAnswers => {
                let answers = &mut self.observer.as_mut().ok_or("no observer")?.answers;
                answers.write(1 + self.draw.pick(answers.outbox.len()));
            }
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
            Move::Close => self.close()?,
            Move::BeginAgain => self.begin_again()?,
        }
        Ok(())
    }

    fn process(&mut self, place: Place) -> &mut NodeProcess {
        self.nodes.get_mut(&place).expect("it was started")
    }

    /// What a node has carried out is kept, from now on whatever happens.
    fn keep(&mut self, place: Place) {
        let unkept = std::mem::take(&mut self.process(place).unkept);
        self.kept_of_mut(place).journal.extend(unkept);
    }

    /// What is kept of a node of the bank there is.
    pub fn kept_of(&self, place: Place) -> &Kept {
        &self.kept[&self.round][&place]
    }

    fn kept_of_mut(&mut self, place: Place) -> &mut Kept {
        let kept = self.kept.get_mut(&self.round);
        let kept = kept.and_then(|kept| kept.get_mut(&place));
        kept.expect("it was started")
    }

    /// Somebody is killed from outside; or, now and then, everybody.
    fn kill_somebody(&mut self) {
        self.disorder.deaths = self.disorder.deaths.saturating_sub(1);
        let living = self.nodes.iter().filter(|(_, node)| !node.is_dead);
        let mut victims: Vec<_> = living.map(|(place, _)| Process::Node(*place)).collect();
        if self.observer.as_ref().is_some_and(|it| !it.is_dead) {
            victims.push(Process::Observer);
        }
        if victims.is_empty() {
            return;
        }
        if self.draw.pick(8) > 0 {
            victims = vec![victims[self.draw.pick(victims.len())]];
        }
        for victim in victims {
            match victim {
                Process::Node(place) => self.kill(place),
                Process::Observer => self.kill_observer(),
            }
        }
    }

    fn kill_observer(&mut self) {
        let Some(observer) = &mut self.observer else {
            return;
        };
        observer.is_dead = true;
        observer.answers.cut_off(&mut self.draw);
        for line in observer.lines.values() {
            self.lines[*line].orders.cut_off(&mut self.draw);
        }
    }

    fn kill(&mut self, place: Place) {
        let Some(process) = self.nodes.get_mut(&place).filter(|it| !it.is_dead) else {
            return;
        };
        process.is_dead = true;
        let keeps = process.unkept.is_empty() || self.draw.pick(2) == 0;
        if keeps {
            self.keep(place);
        }
        // What was not kept has had no effect, nor has anything that was enqueued with it.
        let mut cut_off = |pipe: &mut dyn CutOff| match keeps {
            true => pipe.cut_off(&mut self.draw),
            false => pipe.lose(),
        };
        let process = self.nodes.get_mut(&place).expect("it was started");
        process.unkept.clear();
        cut_off(&mut process.replies);
        if let Some(line) = process.line {
            cut_off(&mut self.lines[line].reports);
        }
        for pipe in process.write_ends.values() {
            cut_off(&mut self.pipes[*pipe]);
        }
    }

    fn notice(&mut self, process: Process) -> Result<(), Complaint> {
        let replies = match process {
            Process::Node(place) => {
                let process = self.process(place);
                process.is_noticed = true;
                process.replies.written.drain(..).collect()
            }
            Process::Observer => Vec::new(),
        };
        let has_spoken = true;
        let left = LastWords {
            replies,
            has_spoken,
        };
        let heard = self.master.died(process, Fate::Signal(9), left);
        self.after(heard)
    }

    /// What a node asked for is there.
    fn have(&mut self, place: Place) -> Result<(), Complaint> {
        let process = self.process(place);
        let asked = process.asked.take().ok_or("nothing was asked for")?;
        let (Asked::Take(from) | Asked::Ahead(from, _)) = asked;
        let from = process.node.member().account().incoming()[from.0].peer;
        let pipe = process.read_ends[&from];
        let written = &mut self.pipes[pipe].written;
        let input = match asked {
            Asked::Take(_) => node::Input::Frame(written.pop_front().ok_or("no frame")?),
            Asked::Ahead(..) => node::Input::Ahead(written.len() as u64),
        };
        self.step(place, input)
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

    /// Sends again what is behind the first frames of a channel.
    fn send_again(&mut self, place: Place, to: Outgoing, received: u64) -> Result<(), Complaint> {
        // Whatever it has carried out is in the journal before it is gone through.
        self.keep(place);
        for frame in self.frames_behind(place, to, received)? {
            self.enqueue(place, to, frame);
        }
        Ok(())
    }

    /// What a node has sent on a channel behind its first frames, by its journal.
    pub fn frames_behind(
        &self,
        place: Place,
        to: Outgoing,
        received: u64,
    ) -> Result<Vec<Frame>, Complaint> {
        let kept = self.kept_of(place);
        let mut resending = Resending::new(kept.id, kept.deposit, &[(to, received)]);
        let mut frames = Vec::new();
        for record in &kept.journal {
            let redone = resending.redo(record, |_, frame| frames.push(frame));
            redone.map_err(|broken| format!("node {place}, again: {broken}"))?;
        }
        Ok(frames)
    }

    fn enqueue(&mut self, place: Place, to: Outgoing, frame: Frame) {
        let process = &self.nodes[&place];
        let to = process.node.member().account().outgoing()[to.0].peer;
        // Where there is no pipe, it is sent again once there is one.
        if let Some(pipe) = process.write_ends.get(&to) {
            self.pipes[*pipe].push(frame);
        }
    }

    fn step(&mut self, place: Place, input: node::Input) -> Result<(), Complaint> {
        let mut effects = Vec::new();
        let stepped = self.process(place).node.step(input, &mut effects);
        stepped.map_err(|error| format!("node {place}: {error}"))?;
        let process = self.process(place);
        let unkept = &mut process.unkept;
        process
            .node
            .take_unkept(|bytes| unkept.push(bytes.to_vec()));
        for effect in effects {
            let process = self.process(place);
            match effect {
                node::Effect::Reply(reply) => process.replies.push(reply),
                node::Effect::Report(report) => {
                    let line = process.line.ok_or("no line")?;
                    self.lines[line].reports.push(report);
                }
                node::Effect::Frame(to, frame) => self.enqueue(place, to, frame),
                node::Effect::SendAgain(to, received) => self.send_again(place, to, received)?,
                node::Effect::Take(from) => process.asked = Some(Asked::Take(from)),
                node::Effect::ReadAhead(from, frames) => {
                    process.asked = Some(Asked::Ahead(from, frames));
                }
                node::Effect::Open { .. } | node::Effect::Say(_) => {}
                node::Effect::ReadToEnd(_)
                | node::Effect::RunFreely { .. }
                | node::Effect::BeginSegment(_) => {
                    return Err(format!("node {place} wants {effect:?}"));
                }
            }
        }
        Ok(())
    }

    fn step_observer(&mut self, input: observer::Input) -> Result<(), Complaint> {
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

    /// A node as it is, or would be if it were started again.
    pub fn restored(&self, place: Place, answered: u64) -> Result<Node, Complaint> {
        let kept = self.kept_of(place);
        let mut restoring = Restoring::new(kept.id, kept.deposit, false, answered);
        for record in &kept.journal {
            let redone = restoring.redo(record);
            redone.map_err(|broken| format!("node {place}, restored: {broken}"))?;
        }
        let done = restoring.done();
        done.map_err(|broken| format!("node {place}, restored: {broken}"))
    }
}

/// A pipe whose writer dies.
pub trait CutOff {
    /// A part of what waits has got through.
    fn cut_off(&mut self, draw: &mut Draw);
    /// Nothing has.
    fn lose(&mut self);
}

impl<T> CutOff for Pipe<T> {
    fn cut_off(&mut self, draw: &mut Draw) {
        Pipe::cut_off(self, draw);
    }

    fn lose(&mut self) {
        self.outbox.clear();
    }
}
