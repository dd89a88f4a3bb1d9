//! A bank under load that lasts, in one value: whoever dies is started again from the segments of his
//! journal, snapshots are taken all along, and segments go once nobody needs them.
//!
//! Pipes are never mended, as in `lasting`. What a process has enqueued can get out only once everything
//! that it has done is kept.

mod check;
mod deaths;
mod effects;
mod moves;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bank::account::{Incoming, Outgoing};
use bank::draw::Draw;
use bank::id::{NodeId, Place};
use bank::master::{self, Awaits, Load, Master, Plan, Process, Setup};
use bank::member::Frame;
use bank::messages::{Announcement, Answer, Instruction, Order, Reply, Report, Request};
use bank::node::{Node, Resending, Restoring};
use bank::observer::Observer;
use bank::script::{Command, Statement};
use bank::topology::Shape;
use snapshot::SnapshotId;

use super::network::{self, Network};
use super::pipe::Pipe;
use super::world::Complaint;

/// What there is, and what goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Disorder {
    pub nodes: usize,
    pub shape: Shape,
    pub balance: u64,
    pub concurrent: u32,
    /// Transfers that each node makes; without it, until it is to rest.
    pub quota: Option<u64>,
    /// After this many moves under load the nodes are to rest, and not before this many snapshots more have
    /// been audited.
    pub moves: usize,
    pub snapshots: usize,
    /// How many deaths there are at most before that, and after; one move in this many is one.
    pub deaths: [u32; 2],
    pub one_in: usize,
    /// How often everybody dies at most, master too.
    pub ends: u32,
    /// From how many bytes on a segment is followed by another.
    pub segment: u64,
    pub network: network::Setup,
}

/// A pipe from the observer to a node, and one back.
#[derive(Debug, Default)]
struct Line {
    orders: Pipe<Order>,
    reports: Pipe<Report>,
}

/// A part of a journal.
#[derive(Debug)]
struct Segment {
    number: u64,
    image: Vec<u8>,
    kept: Vec<Vec<u8>>,
}

/// What outlives the process of a node.
#[derive(Debug)]
struct Kept {
    segments: VecDeque<Segment>,
}

/// The process of a node.
#[derive(Debug)]
struct NodeProcess {
    node: Node,
    is_dead: bool,
    is_noticed: bool,
    runs_freely: bool,
    /// As far as is known.
    makes_transfers: bool,
    /// What is not in the journal yet: nothing goes out before it is.
    unkept: Vec<u8>,
    instructions: Pipe<Instruction>,
    replies: Pipe<Reply>,
    /// What comes through the hatch: a pipe, or a line.
    announced: VecDeque<(Announcement, usize)>,
    line: Option<usize>,
    /// By peer: pipes.
    write_ends: BTreeMap<Place, usize>,
    read_ends: BTreeMap<Place, usize>,
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
    seed: u64,
    disorder: Disorder,
    master: Master,
    statements: VecDeque<Statement>,
    is_finished: bool,
    /// Once everybody is connected.
    load: Option<Load>,
    nodes: BTreeMap<Place, NodeProcess>,
    kept: BTreeMap<Place, Kept>,
    observer: Option<ObserverProcess>,
    network: Network,
    pipes: Vec<Pipe<Frame>>,
    lines: Vec<Line>,
    /// Write ends that master keeps, by (from, to).
    ends: BTreeMap<(Place, Place), usize>,
    /// Who was started again, and was not told by the load yet.
    restarted: Vec<Process>,
    now: u64,
    moves: usize,
    is_resting: bool,
    /// How many snapshots were audited since the last death.
    watched: usize,
    /// All that were.
    audited: BTreeSet<SnapshotId>,
    /// Whether everybody will be told what is over: not where the observer dies once it has rested.
    forgets: bool,
}

/// How many moves a run has time for on each host: far more than any takes.
const MOVES: usize = 300_000;
/// So much longer it takes where pipes hold little.
const NARROW: usize = 5;

impl World {
    pub fn new(seed: u64, disorder: Disorder) -> Self {
        let (master, statements) = set_up(seed, disorder);
        Self {
            draw: Draw::from_seed(seed),
            disorder,
            seed,
            master,
            statements,
            is_finished: false,
            load: None,
            nodes: BTreeMap::new(),
            kept: BTreeMap::new(),
            observer: None,
            network: Network::new(disorder.network),
            pipes: Vec::new(),
            lines: Vec::new(),
            ends: BTreeMap::new(),
            restarted: Vec::new(),
            now: 0,
            moves: 0,
            is_resting: false,
            watched: 0,
            audited: BTreeSet::new(),
            forgets: true,
        }
    }

    /// Runs until the load is over and nothing moves any more.
    pub fn run(&mut self) -> Result<(), Complaint> {
        let mut moves = Vec::new();
        let most = match self.disorder.network.hosts {
            1 => MOVES,
            hosts => MOVES * NARROW * hosts,
        };
        loop {
            moves.clear();
            self.possible_moves(&mut moves);
            if moves.is_empty() {
                let is_over = |load: &Load| {
                    load.balances().is_some() && load.has_rested() && load.is_counted()
                };
                if self.load.as_ref().is_some_and(is_over) {
                    return Ok(());
                }
                return Err(format!("nothing moves: {:?}", self.load));
            }
            let chosen = moves[self.draw.pick(moves.len())];
            self.moves += 1;
            if self.moves > most {
                return Err(format!("it goes on for ever: {:?}", self.load));
            }
            self.make(chosen)
                .map_err(|complaint| format!("{complaint} (move {}: {chosen:?})", self.moves))?;
        }
    }

    fn process(&mut self, place: Place) -> &mut NodeProcess {
        self.nodes.get_mut(&place).expect("it was started")
    }

    /// What a node has done is kept, from now on whatever happens; and what nobody needs is not.
    fn keep(&mut self, place: Place) {
        let process = self.nodes.get_mut(&place).expect("it was started");
        let kept = self.kept.get_mut(&place).expect("it was started");
        let newest = kept.segments.back_mut().expect("one always stays");
        let unkept = std::mem::take(&mut process.unkept);
        if !unkept.is_empty() {
            newest.kept.push(unkept);
        }
        let needed = process.node.first_segment_needed();
        kept.segments.retain(|segment| segment.number >= needed);
    }

    fn begin_segment(&mut self, place: Place, image: Vec<u8>) {
        let kept = self.kept.get_mut(&place).expect("it was started");
        let number = kept.segments.back().expect("one always stays").number + 1;
        kept.segments.push_back(Segment {
            number,
            image,
            kept: Vec::new(),
        });
    }

    /// A node as it is, or would be if it were started again.
    fn restored(&self, place: Place, answered: u64) -> Result<Node, Complaint> {
        let wrong = |broken: bank::Broken| format!("node {place}, restored: {broken}");
        let segments = &self.kept[&place].segments;
        let can_begin = |it: &Segment| Restoring::can_begin_with(&it.image, answered);
        // The newest will do, and any other from which on it can be restored.
        let begin = match self.moves % 2 {
            0 => segments.iter().rposition(can_begin),
            _ => segments.iter().position(can_begin),
        };
        let mut segments = segments.range(begin.unwrap_or(0)..);
        let first = segments.next().ok_or("nothing is kept")?;
        let restoring = Restoring::from_image(&first.image, false, answered);
        let mut restoring = restoring.map_err(wrong)?;
        for kept in &first.kept {
            restoring.redo(kept).map_err(wrong)?;
        }
        for segment in segments {
            restoring.next_segment(&segment.image).map_err(wrong)?;
            for kept in &segment.kept {
                restoring.redo(kept).map_err(wrong)?;
            }
        }
        let restoring = restoring.with_segments_of(self.disorder.segment);
        restoring.done().map_err(wrong)
    }

    /// Sends again what is behind the first frames of a channel.
    fn send_again(&mut self, place: Place, to: Outgoing, received: u64) -> Result<(), Complaint> {
        // Whatever it has done is in the journal before that is gone through.
        self.keep(place);
        let wrong = |broken: bank::Broken| format!("node {place}, again: {broken}");
        let segments = &self.kept[&place].segments;
        let wanted = [(to, received)];
        let can_begin = |it: &Segment| Resending::can_begin_with(&it.image, &wanted);
        let begin = segments.iter().rposition(can_begin).unwrap_or(0);
        let first = segments.get(begin).ok_or("nothing is kept")?;
        let resending = Resending::from_image(&first.image, &wanted);
        let mut resending = resending.map_err(wrong)?;
        let mut frames = Vec::new();
        for kept in segments.range(begin..).flat_map(|segment| &segment.kept) {
            let redone = resending.redo(kept, |_, frame| frames.push(frame));
            redone.map_err(wrong)?;
        }
        let sent = self.nodes[&place].node.frames_sent(to);
        if frames.len() as u64 != sent - received {
            let found = frames.len();
            return Err(format!(
                "node {place} sends {found} again of those from {received} to {sent}"
            ));
        }
        for frame in frames {
            self.enqueue(place, to, frame);
        }
        Ok(())
    }

    fn enqueue(&mut self, place: Place, to: Outgoing, frame: Frame) {
        let process = &self.nodes[&place];
        let to = process.node.member().account().outgoing()[to.0].peer;
        // Where there is no pipe, it is sent again once there is one.
        if let Some(pipe) = process.write_ends.get(&to) {
            self.pipes[*pipe].push(frame);
        }
    }

    fn begin_load(&mut self) -> Result<(), Complaint> {
        let part = |index| master::Part {
            peers: self.master.outgoing(Place::at(index)).to_vec(),
            quota: self.disorder.quota,
            pin: None,
        };
        let load = Load::new(Plan {
            seed: self.disorder.balance,
            nodes: (0..self.disorder.nodes).map(part).collect(),
            watch: Some((0, self.disorder.concurrent)),
        });
        let mut effects = Vec::new();
        load.begin(&mut effects);
        self.load = Some(load);
        self.carry_out_all(effects)
    }

    fn peer_of(&self, place: Place, from: Incoming) -> Place {
        self.nodes[&place].node.member().account().incoming()[from.0].peer
    }

    fn is_set_up(&self) -> bool {
        self.statements.is_empty() && self.is_finished && self.master.is_idle()
    }

    fn is_awaited(&self, process: Process) -> bool {
        self.load.is_some() || self.master.awaits() == Awaits::Word(process)
    }
}

/// A master before the first command, and what it is to do before the load.
fn set_up(seed: u64, disorder: Disorder) -> (Master, VecDeque<Statement>) {
    let is_mesh = disorder.shape == Shape::Mesh;
    let settings = Setup {
        seed,
        window: usize::MAX,
        tile: 2,
        history: false,
        lasting: true,
    };
    let create = |index: usize| Command::CreateNode {
        id: id_of(Place::at(index)),
        amount: disorder.balance,
    };
    let channels = match is_mesh {
        true => Vec::new(),
        false => disorder.shape.channels(disorder.nodes as u32, seed),
    };
    let connect = |(from, to)| Command::Connect { from, to };
    let commands = [Command::StartMaster { sparse: !is_mesh }].into_iter();
    let commands = commands.chain((0..disorder.nodes).map(create));
    let commands = commands.chain(channels.into_iter().map(connect));
    let statements = commands.map(|command| Statement { line: 0, command });
    (Master::new(settings), statements.collect())
}

fn id_of(place: Place) -> NodeId {
    NodeId(u64::from(place.0) + 1)
}

/// Everything that happens to one bank.
pub fn run(seed: u64, network: network::Setup) -> Result<(), Complaint> {
    let mut draw = Draw::from_seed(seed ^ 0x10ad_10ad);
    let shapes = [Shape::Mesh, Shape::Mesh, Shape::Ring, Shape::Star];
    let deaths = 1 + draw.pick(12) as u32;
    let disorder = Disorder {
        nodes: 2 + draw.pick(3),
        shape: shapes[draw.pick(shapes.len())],
        balance: [0, 5, 1000, 1_000_000][draw.pick(4)],
        concurrent: 1 + draw.pick(3) as u32,
        quota: (draw.pick(4) == 0).then(|| 200 + draw.pick(2000) as u64),
        moves: 100 + draw.pick(1200),
        snapshots: draw.pick(6),
        deaths: [deaths, draw.pick(5) as u32],
        one_in: [10, 30, 100][draw.pick(3)],
        ends: draw.pick(3) as u32,
        segment: [1, 300, 3000][draw.pick(3)],
        network,
    };
    let mut world = World::new(seed, disorder);
    let outcome = world.run().and_then(|()| world.check());
    outcome.map_err(|complaint| format!("{complaint}\n{disorder:?}"))
}
