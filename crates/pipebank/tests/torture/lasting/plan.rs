//! What a seed stands for: which work is done, and who is killed when.

use std::fmt;
use std::time::Duration;

use bank::draw::Draw;
use reference::interpret_in_turn;
use testing::generate::{Size, lasting_script, pieces_of};

use crate::plan::below_one_of;

/// A run, before it begins.
#[derive(Debug)]
pub struct Plan {
    pub seed: u64,
    pub work: Work,
    /// How far master goes ahead of the replies: each process of master one of these, in turn.
    pub windows: Vec<usize>,
    pub any_cpu: bool,
    pub sync: bool,
    /// Who follows a master that was killed is given the time to do so.
    pub waits: bool,
    /// After how many steps at least master notes how far a script is.
    pub notes_every: Option<u64>,
    pub blows: Vec<Blow>,
}

#[derive(Debug)]
pub enum Work {
    /// Scripts on one bank, one after the other; their results go through a pipe, or to a file.
    Scripts { texts: Vec<String>, pipe: bool },
    /// `master load` with these options.
    Load(Load),
}

#[derive(Debug)]
pub struct Load {
    pub nodes: u64,
    pub topology: &'static str,
    /// When it ends: after so many transfers, or milliseconds.
    pub transfers: Option<u64>,
    pub milliseconds: u64,
    pub snapshot_every: u64,
    pub concurrent: u64,
}

/// Some are killed, so long after the blow before, or after master was started.
#[derive(Debug)]
pub struct Blow {
    pub after: Duration,
    pub whom: Whom,
    /// They are stopped first, for so long.
    pub stop: Option<Duration>,
    /// Whoever is started in their place is killed too, so often.
    pub again: usize,
}

#[derive(Debug)]
pub enum Whom {
    /// Some of those that live at that moment.
    Nodes(Vec<usize>),
    Observer,
    /// All nodes, and the observer.
    Children,
    Master,
    /// All of them, master first or last.
    Everybody {
        master_first: bool,
    },
}

impl Whom {
    pub fn has_master(&self) -> bool {
        matches!(self, Self::Master | Self::Everybody { .. })
    }
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut draw = Draw::from_seed(seed.wrapping_mul(0x9e6c_63d0_762f_8f27) ^ 0x1a57);
        let work = match draw.pick(5) {
            0 => Work::Load(load(&mut draw)),
            _ => scripts(seed, &mut draw),
        };
        // Master is spared by some, so that there are runs in which a history is that of all of it.
        let spares_master = draw.pick(4) == 0;
        let pace = draw.pick(4);
        let blows = (0..1 + draw.pick(20)).map(|_| blow(&mut draw, pace, spares_master));
        Self {
            seed,
            work,
            blows: blows.collect(),
            windows: (0..4)
                .map(|_| [4096, 4096, 1, 2 + draw.pick(60)][draw.pick(4)])
                .collect(),
            any_cpu: draw.pick(3) == 0,
            sync: draw.pick(5) == 0,
            waits: draw.pick(2) == 0,
            notes_every: [None, Some(1), Some(30)][draw.pick(3)],
        }
    }
}

fn scripts(seed: u64, draw: &mut Draw) -> Work {
    let size = Size {
        nodes: 2 + draw.pick(8),
        commands: [60, 200, 400, 400, 400, 1_000, 1_000, 2_000][draw.pick(8)],
        rounds: [1, 1, 2, 3][draw.pick(4)],
        deaths: draw.pick(2) == 0,
        sparse_one_in: 4,
    };
    let text = lasting_script(seed, size);
    let pieces = [1, 1, 2, 3][draw.pick(4)];
    let mut texts = pieces_of(&text, pieces, seed);
    // One that shows nothing does not show either whether it was over when master was killed.
    let shows = |texts: &[String]| {
        let expected = interpret_in_turn(texts, seed);
        expected.iter().all(|it| !it.stdout.is_empty())
    };
    if !shows(&texts) {
        texts = vec![text];
    }
    if !shows(&texts) {
        texts[0] += "KillAll\nStartMaster\nCreateNode 1 1\nBeginSnapshot 1\n";
    }
    let pipe = draw.pick(4) == 0;
    Work::Scripts { texts, pipe }
}

fn load(draw: &mut Draw) -> Load {
    let nodes = 2 + draw.pick(7) as u64;
    let topology = ["mesh", "mesh", "ring", "star", "tree", "random:1"][draw.pick(6)];
    Load {
        nodes: match topology {
            "random:1" => nodes.max(3),
            _ => nodes,
        },
        topology,
        transfers: (draw.pick(2) == 0).then(|| [1_000, 30_000, 300_000][draw.pick(3)]),
        milliseconds: 50 + draw.pick(350) as u64,
        snapshot_every: [0, 1, 5, 40][draw.pick(4)],
        concurrent: 1 + draw.pick(3) as u64,
    }
}

fn blow(draw: &mut Draw, pace: usize, spares_master: bool) -> Blow {
    let bounds = [
        [300, 1_000, 3_000],
        [300, 3_000, 10_000],
        [300, 3_000, 30_000],
        [3_000, 10_000, 40_000],
    ];
    let after = Duration::from_micros(below_one_of(draw, bounds[pace]) as u64);
    let whom = match draw.pick(if spares_master { 10 } else { 14 }) {
        0..=5 => Whom::Nodes((0..1 + draw.pick(3)).map(|_| draw.pick(12)).collect()),
        6..=7 => Whom::Observer,
        8..=9 => Whom::Children,
        10..=11 => Whom::Master,
        _ => Whom::Everybody {
            master_first: draw.pick(2) == 0,
        },
    };
    let stop = (draw.pick(3) == 0).then(|| {
        let microseconds = below_one_of(draw, [300, 3_000, 20_000]);
        Duration::from_micros(microseconds as u64)
    });
    let again = [0, 0, 0, 1, 2][draw.pick(5)];
    Blow {
        after,
        whom,
        stop,
        again,
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.work {
            Work::Scripts { texts, pipe } => {
                let what = if texts.len() > 1 {
                    "scripts"
                } else {
                    "a script"
                };
                write!(
                    f,
                    "{what}, to {}: ",
                    if *pipe { "a pipe" } else { "a file" }
                )?;
                let lines = texts.iter().map(|text| text.lines().count().to_string());
                write!(f, "{} lines", lines.collect::<Vec<_>>().join(" + "))?;
            }
            Work::Load(load) => {
                write!(f, "load: {} nodes, {}", load.nodes, load.topology)?;
            }
        }
        write!(f, "{}", if self.sync { ", --sync" } else { "" })?;
        write!(f, ", {} blows", self.blows.len())
    }
}
