//! A whole system in one value: master, observer and nodes joined by queues, moved by chance.
//!
//! Every pipe is two queues: what its writer has enqueued, and what has got through. A writer that
//! dies loses whatever has not. A seed decides which queue moves next and by how much, who is
//! stopped, who dies and when, and when that is noticed. Between two hosts there is a network in the middle
//! of every pipe.

mod deaths;
mod effects;
mod moves;
mod processes;

use std::collections::{BTreeMap, VecDeque};

use bank::account::Outgoing;
use bank::draw::Draw;
use bank::id::Place;
use bank::master::{Effect, Failure, Master, Notice, Process, Setup};
use bank::member::Frame;
use bank::node;
use bank::observer;
use bank::script::Statement;
use history::Event;

use crate::network::{self, Network};
use crate::pipe::Pipe;

pub use self::effects::show;
use self::processes::{Asked, Life, NodeProcess, ObserverProcess};

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
    pub network: network::Setup,
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
    pub network: Network,
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
            network: Network::new(disorder.network),
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

    fn process(&mut self, place: Place) -> &mut NodeProcess {
        self.nodes.get_mut(&place).expect("it was started")
    }

    fn life(&mut self, process: Process) -> &mut Life {
        match process {
            Process::Node(place) => &mut self.process(place).life,
            Process::Observer => &mut self.observer.as_mut().expect("it was started").life,
        }
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
        let from = process.incoming[asked.from().0];
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
                node::Effect::BeginSegment | node::Effect::SendAgain(..) => {
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
