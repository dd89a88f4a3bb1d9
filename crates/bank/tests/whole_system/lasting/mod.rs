//! A whole system that lasts, in one value: whoever dies is started again from his journal, which is a
//! list of records here. Nobody else has heard of what a process had not kept.
//!
//! Pipes are never mended: who is started again gets new ones, while others may still write into the old
//! ones, or read from them.

mod abandon;
mod again;
mod check;
mod deaths;
mod effects;
mod failure;
mod journal;
mod moves;

pub use self::abandon::check_what_follows;
pub use self::check::{are_told_the_same, check};

use std::collections::{BTreeMap, VecDeque};

use bank::account::{Incoming, Outgoing};
use bank::draw::Draw;
use bank::id::Place;
use bank::master::{
    self, Awaits, Effect, Failure, Fate, HistorySoFar, Image, LastWords, Master, Process,
};
use bank::member::Frame;
use bank::messages::{Announcement, Answer, Instruction, Order, Reply, Report, Request};
use bank::node::{self, Node};
use bank::observer::{self, Observer};
use bank::script::Statement;
use history::Event;

use self::again::{master, shows_what_was_shown};
use self::failure::Failing;
use self::journal::{Entry, Kept};
use super::network::{self, Network, Step};
use super::pipe::{AnyPipe, Pipe, Which};
use super::world::Complaint;

/// What goes wrong, and how much.
#[derive(Clone, Copy, Debug, Default)]
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
    pub network: network::Setup,
    /// How often everybody dies at most, master first, between two of its effects…
    pub ends: u32,
    /// … of which it has at most this many.
    pub life: usize,
    /// After so many statements master makes a note of the moment at which nothing is in flight.
    pub notes_every: Option<usize>,
    /// Now and then the script is given up then, and another one follows.
    pub is_fickle: bool,
    /// From how many bytes on another segment of a journal begins.
    pub segment: Option<u64>,
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
    Write(Which),
    Read(Which),
    Carry(Step),
    Request,
    Report(Place),
    Kill,
    Note,
    Close,
    BeginAgain,
}

/// From where a script is run again.
#[derive(Clone)]
struct Noted {
    image: Image,
    draws: u64,
    history: Option<HistorySoFar>,
    /// How many events it has.
    events: usize,
    round: u64,
    statements: VecDeque<Statement>,
    stdout: String,
    failures: Vec<(u64, Failure)>,
}

/// What a node waits for.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Take(Incoming),
    Ahead(Incoming, u64),
}

/// A pipe from the observer to a node, and one back.
#[derive(Debug)]
struct Line {
    orders: Pipe<Order>,
    reports: Pipe<Report>,
}

/// The process of a node.
#[derive(Debug)]
struct NodeProcess {
    node: Node,
    is_dead: bool,
    is_noticed: bool,
    /// What is not in the journal yet: nothing goes out before it is.
    unkept: Vec<Vec<u8>>,
    instructions: Pipe<Instruction>,
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
    noted: Option<Noted>,
    /// How many statements were executed since.
    executed: usize,
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
    pub network: Network,
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
    /// How often a script was given up.
    pub given_up: u32,
    /// How often a note was made.
    pub notes: u32,
    /// How many segments of journals were removed.
    pub removed: u64,
    /// How often the script was run again.
    pub runs: u32,
    failing: Failing,
    machine_failures: u32,
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
            noted: None,
            executed: 0,
            nodes: BTreeMap::new(),
            round: 0,
            ended: 0,
            is_open: false,
            kept: BTreeMap::new(),
            outcomes: Vec::new(),
            observer: None,
            network: Network::new(disorder.network),
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
            given_up: 0,
            notes: 0,
            removed: 0,
            runs: 0,
            failing: Failing::default(),
            machine_failures: 0,
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

    fn process(&mut self, place: Place) -> &mut NodeProcess {
        self.nodes.get_mut(&place).expect("it was started")
    }

    /// What a node has carried out is kept, from now on whatever happens.
    fn keep(&mut self, place: Place) {
        let process = self.process(place);
        let unkept = std::mem::take(&mut process.unkept).into_iter();
        let image = process.node.next_segment().map(Entry::Image);
        let first_needed = process.node.first_segment_needed();
        let kept = self.kept_of_mut(place);
        kept.journal.extend(unkept.map(Entry::Records).chain(image));
        let before = kept.removed();
        kept.drop_before(first_needed);
        self.removed += kept.removed() - before;
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
            Announcement::Observer => {
                let before = process.line.replace(end);
                self.close_nodes_line(before);
            }
            Announcement::Incoming { from, laying } => {
                let before = process.read_ends.insert(from, end);
                self.close_read_end(before);
                if let Some(laying) = laying {
                    self.step(place, node::Input::Laid(from, laying))?;
                }
            }
            Announcement::Outgoing { to, received } => {
                let before = process.write_ends.insert(to, end);
                self.close_write_end(before);
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
        let sent = self.kept_of(place).sent(&[(to, received)]);
        let sent = sent.map_err(|broken| format!("node {place}, again: {broken}"))?;
        Ok(sent.into_iter().map(|(_, frame)| frame).collect())
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
                | node::Effect::BeginSegment => {
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
            let process = self.observer.as_mut().ok_or("no observer")?;
            match effect {
                observer::Effect::Order(place, order) => {
                    self.lines[process.lines[&place]].orders.push(order);
                }
                observer::Effect::Answer(answer) => process.answers.push(answer),
                observer::Effect::Join(place) => {
                    let line = process.hatch.pop_front().ok_or("nothing in the hatch")?;
                    let before = process.lines.insert(place, line);
                    self.close_observers_line(before);
                }
                observer::Effect::Say(_) => {}
            }
        }
        Ok(())
    }

    /// A node as it is, or would be if it were started again.
    pub fn restored(&self, place: Place, answered: u64) -> Result<Node, Complaint> {
        let restored = self.kept_of(place).fold(answered).and_then(|restoring| {
            let segment = self.disorder.segment.unwrap_or(u64::MAX);
            restoring.with_segments_of(segment).done()
        });
        restored.map_err(|broken| format!("node {place}, restored: {broken}"))
    }
}
