//! What a seed stands for: which work is done, in which surroundings, and which faults come when.

use std::fmt;
use std::time::Duration;

use bank::draw::Draw;

use testing::generate::{self, Size};

/// A run, before it begins.
#[derive(Debug)]
pub struct Plan {
    pub seed: u64,
    pub work: Work,
    pub surroundings: Surroundings,
    pub faults: Vec<Fault>,
    /// How far master goes ahead of the replies, and where processes run.
    pub window: usize,
    pub any_cpu: bool,
}

#[derive(Debug)]
pub enum Work {
    /// A generated script, on standard input.
    Script(String),
    /// `master load`.
    Load {
        nodes: u64,
        topology: &'static str,
        milliseconds: u64,
        snapshot_every: u64,
        concurrent: u64,
    },
}

/// What master finds when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surroundings {
    Plain,
    /// A limit of descriptors a process.
    Descriptors(usize),
    /// A limit of processes.
    Processes(usize),
    StdoutClosed,
    StdoutFull,
    /// The reader of stdout leaves after this many lines.
    StdoutLeft(usize),
    StderrFull,
    /// The history is written to a full device.
    HistoryFull,
    /// The programs are started through a rogue, which spoils what one of them says.
    Rogue(Rogue),
}

/// Who lies, when and how: see `rogue.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rogue {
    /// The n-th node of the script, counted from 0; else the observer.
    pub node: Option<usize>,
    pub frame: usize,
    pub how: Tampering,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    Garbage,
    Oversized,
    Undersized,
    /// Half a frame, and then it ends.
    Truncated,
    /// Half a frame, and then silence.
    Stuck,
    Replayed,
    Dropped,
    Swapped,
    /// Repeated without end.
    Flood,
}

pub const TAMPERINGS: [Tampering; 9] = [
    Tampering::Garbage,
    Tampering::Oversized,
    Tampering::Undersized,
    Tampering::Truncated,
    Tampering::Stuck,
    Tampering::Replayed,
    Tampering::Dropped,
    Tampering::Swapped,
    Tampering::Flood,
];

/// Something that happens so long after the work was given.
#[derive(Debug)]
pub struct Fault {
    pub after: Duration,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Kill(Vec<Whom>),
    /// Stopped, one after the other; after a while they go on, in the same order.
    Stop(Vec<Whom>, Duration),
    /// Everybody is stopped and goes on, this many times: system calls are interrupted.
    Interrupt(usize),
    /// Every pipe there is shrinks to a page: every longer write is partial.
    Shrink,
    /// Somebody writes into a channel between two nodes.
    Inject(Forgery),
}

#[derive(Clone, Copy, Debug)]
pub enum Whom {
    /// One of the nodes that live at that moment.
    Node(usize),
    Observer,
    Master,
}

#[derive(Clone, Copy, Debug)]
pub enum Forgery {
    Garbage,
    Oversized,
    HalfAFrame,
    Transfer(u64),
    Marker(u64),
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut draw = Draw::from_seed(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x7071);
        let kind = draw.pick(16);
        let surroundings = match kind {
            0..=8 => Surroundings::Plain,
            9 => Surroundings::Descriptors(6 + draw.pick(60)),
            10 => Surroundings::Processes(1 + draw.pick(12)),
            11 => match draw.pick(5) {
                0 => Surroundings::StdoutClosed,
                1 => Surroundings::StdoutFull,
                2 => Surroundings::StdoutLeft(draw.pick(40)),
                3 => Surroundings::HistoryFull,
                _ => Surroundings::StderrFull,
            },
            _ => Surroundings::Rogue(Rogue {
                node: (draw.pick(2) == 0).then(|| draw.pick(6)),
                frame: below_one_of(&mut draw, [6, 60, 600]),
                how: TAMPERINGS[draw.pick(TAMPERINGS.len() - 1)],
            }),
        };
        let work = match draw.pick(4) {
            0 if kind < 11 => load(&mut draw),
            _ => Work::Script(script(seed, &mut draw)),
        };
        let faults = match surroundings {
            Surroundings::Plain => faults(kind, &mut draw),
            _ => Vec::new(),
        };
        let window = one_of_or_any(&mut draw, [4096, 4096, 1, 2]);
        let any_cpu = draw.pick(3) == 0;
        let mut surroundings = surroundings;
        if let Surroundings::Rogue(rogue) = &mut surroundings
            && draw.pick(8) == 0
        {
            // It takes long: rare.
            rogue.how = Tampering::Flood;
        }
        Self {
            seed,
            work,
            surroundings,
            faults,
            window,
            any_cpu,
        }
    }

    /// Whether the faults must change nothing that is seen.
    pub fn is_harmless(&self) -> bool {
        let harmless = |fault: &Fault| {
            matches!(
                fault.what,
                What::Stop(..) | What::Interrupt(_) | What::Shrink
            )
        };
        let surroundings = matches!(
            self.surroundings,
            Surroundings::Plain | Surroundings::StdoutClosed
        );
        surroundings && self.faults.iter().all(harmless)
    }

    pub fn kills_master(&self) -> bool {
        self.faults.iter().any(|fault| match &fault.what {
            What::Kill(whom) => whom.iter().any(|one| matches!(one, Whom::Master)),
            _ => false,
        })
    }

    /// Whether somebody says, or is told, what is not so.
    pub fn has_lies(&self) -> bool {
        let injected = |fault: &Fault| matches!(fault.what, What::Inject(_));
        matches!(self.surroundings, Surroundings::Rogue(_)) || self.faults.iter().any(injected)
    }
}

/// One round, so that what is lost is lost in the same one; it does not end with `KillAll`.
fn script(seed: u64, draw: &mut Draw) -> String {
    let size = Size {
        nodes: 2 + draw.pick(9),
        commands: [60, 400, 3_000][draw.pick(3)],
        rounds: 1,
        deaths: draw.pick(4) == 0,
        sparse_one_in: 4,
    };
    let text = generate::script(seed, size);
    let last = text.trim_end().rfind('\n').map_or(0, |at| at + 1);
    match text[last..].starts_with("KillAll") {
        true => text[..last].to_owned(),
        false => text,
    }
}

fn load(draw: &mut Draw) -> Work {
    let nodes = 2 + draw.pick(11) as u64;
    let topology = ["mesh", "mesh", "ring", "star", "tree", "random:1"][draw.pick(6)];
    Work::Load {
        nodes: if topology == "random:1" {
            nodes.max(3)
        } else {
            nodes
        },
        topology,
        milliseconds: 100 + draw.pick(300) as u64,
        snapshot_every: [0, 1, 5, 40][draw.pick(4)],
        concurrent: 1 + draw.pick(3) as u64,
    }
}

fn faults(kind: usize, draw: &mut Draw) -> Vec<Fault> {
    let mut whats = Vec::new();
    match kind {
        // Nothing that may be seen.
        0..=2 => {
            if draw.pick(2) == 0 {
                whats.push(What::Shrink);
            }
            for _ in 0..1 + draw.pick(3) {
                whats.push(match draw.pick(3) {
                    0 => What::Interrupt(20 + draw.pick(300)),
                    _ => stop(draw),
                });
            }
        }
        3..=6 => {
            if draw.pick(3) == 0 {
                whats.push(What::Shrink);
            }
            if draw.pick(3) == 0 {
                whats.push(stop(draw));
            }
            for _ in 0..1 + draw.pick(2) {
                let several = (0..1 + draw.pick(3)).map(|_| Whom::Node(draw.pick(12)));
                let several = several.collect();
                whats.push(match draw.pick(8) {
                    0 | 1 => What::Kill(vec![Whom::Observer]),
                    2 => What::Kill(vec![Whom::Master]),
                    _ => What::Kill(several),
                });
            }
        }
        _ => whats.push(What::Inject(match draw.pick(5) {
            0 => Forgery::Garbage,
            1 => Forgery::Oversized,
            2 => Forgery::HalfAFrame,
            3 => Forgery::Transfer(draw.pick(100) as u64),
            _ => Forgery::Marker(1 + draw.pick(4) as u64),
        })),
    }
    let mut after = |what| Fault {
        after: Duration::from_micros(below_one_of(draw, [300, 3_000, 30_000]) as u64),
        what,
    };
    whats.into_iter().map(&mut after).collect()
}

/// A number below one of three, each as likely: small ones are not rare.
pub fn below_one_of(draw: &mut Draw, bounds: [usize; 3]) -> usize {
    let bound = bounds[draw.pick(3)];
    draw.pick(bound)
}

/// One of these, or another number up to 50.
fn one_of_or_any(draw: &mut Draw, usual: [usize; 4]) -> usize {
    let other = 1 + draw.pick(50);
    usual.get(draw.pick(5)).copied().unwrap_or(other)
}

fn stop(draw: &mut Draw) -> What {
    let whom = (0..1 + draw.pick(3)).map(|_| match draw.pick(5) {
        0 => Whom::Master,
        1 => Whom::Observer,
        _ => Whom::Node(draw.pick(12)),
    });
    let whom = whom.collect();
    // Seconds are rare: a run is to be short.
    let milliseconds = match draw.pick(20) {
        0 => 1_000,
        _ => draw.pick(120) as u64,
    };
    What::Stop(whom, Duration::from_millis(milliseconds))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match &self.work {
            Work::Script(_) => "script",
            Work::Load { .. } => "load",
        };
        match self.surroundings {
            Surroundings::Plain if self.is_harmless() => write!(f, "{work}, nothing seen: ")?,
            Surroundings::Plain if self.has_lies() => write!(f, "{work}, forgeries: ")?,
            Surroundings::Plain => write!(f, "{work}, deaths: ")?,
            Surroundings::Rogue(_) => write!(f, "{work}, a rogue: ")?,
            Surroundings::Descriptors(_) => write!(f, "{work}, few descriptors: ")?,
            Surroundings::Processes(_) => write!(f, "{work}, few processes: ")?,
            _ => write!(f, "{work}, standard streams: ")?,
        }
        match &self.work {
            Work::Script(text) => {
                write!(f, "{} lines, window {}", text.lines().count(), self.window)?;
            }
            Work::Load {
                nodes, topology, ..
            } => write!(f, "{nodes} nodes, {topology}")?,
        }
        if self.surroundings != Surroundings::Plain {
            write!(f, ", {:?}", self.surroundings)?;
        }
        for fault in &self.faults {
            write!(f, ", {:?} after {:?}", fault.what, fault.after)?;
        }
        Ok(())
    }
}
