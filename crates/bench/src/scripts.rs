//! The scripts that are measured, as text for master and as steps for the raw baseline.

use std::fmt::Write;

use crate::plan::Layout;
use bank::topology::Shape;

/// Four nodes, as in the targets.
pub(crate) const NODES: usize = 4;
const BLOCK: u64 = 1000;
/// Nobody ever runs out of it.
const DEPOSIT: u64 = 1_000_000_000;

/// A command, in nodes from 0.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Send { from: usize, to: usize },
    Receive { to: usize, from: usize, bare: bool },
}

impl Step {
    fn receive(to: usize, from: usize) -> Self {
        let bare = false;
        Self::Receive { to, from, bare }
    }
}

/// Each `Send A B` followed by its `Receive B A`; A and B at random.
pub(crate) fn pairs(commands: u64) -> Vec<Step> {
    let mut random = Random(1);
    let pair = |_| {
        let (from, to) = random.pair();
        [Step::Send { from, to }, Step::receive(to, from)]
    };
    (0..commands / 2).flat_map(pair).collect()
}

/// 1,000 sends, at random, then their receives.
pub(crate) fn blocks(commands: u64) -> Vec<Step> {
    let mut random = Random(2);
    let mut steps = Vec::new();
    while (steps.len() as u64) < commands {
        let length = BLOCK.min((commands - steps.len() as u64) / 2).max(1);
        let block: Vec<_> = (0..length).map(|_| random.pair()).collect();
        steps.extend(block.iter().map(|&(from, to)| Step::Send { from, to }));
        steps.extend(block.iter().map(|&(from, to)| Step::receive(to, from)));
    }
    steps
}

/// `Send 1 2`, bare `Receive 2`, `Send 2 1`, bare `Receive 1`, and so on.
pub(crate) fn chain(commands: u64) -> Vec<Step> {
    let link = |number: u64| {
        let (from, to) = if number.is_multiple_of(2) {
            (0, 1)
        } else {
            (1, 0)
        };
        let bare = true;
        [Step::Send { from, to }, Step::Receive { to, from, bare }]
    };
    (0..commands / 2).flat_map(link).collect()
}

/// The same number of sends on every channel.
pub(crate) fn sends(messages: u64) -> Vec<Step> {
    let channels = (NODES * (NODES - 1)) as u64;
    let send = |number: u64| {
        let channel = (number % channels) as usize;
        let (from, step) = (channel / (NODES - 1), channel % (NODES - 1));
        let to = (from + 1 + step) % NODES;
        Step::Send { from, to }
    };
    (0..messages).map(send).collect()
}

/// A bank without transfers, as a script.
pub(crate) fn created(layout: Layout) -> String {
    let is_sparse = layout.shape != Shape::Mesh;
    let mut text = String::from("StartMaster");
    text += if is_sparse { " sparse\n" } else { "\n" };
    for id in 1..=layout.nodes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "CreateNode {id} {DEPOSIT}");
    }
    if is_sparse {
        for (from, to) in layout.channels() {
            let _ = writeln!(text, "Connect {} {}", from + 1, to + 1);
        }
    }
    text
}

/// The steps as lines of a script.
pub(crate) fn lines(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let _ = match *step {
            Step::Send { from, to } => writeln!(text, "Send {} {} 1", from + 1, to + 1),
            Step::Receive { to, bare: true, .. } => writeln!(text, "Receive {}", to + 1),
            Step::Receive { to, from, .. } => writeln!(text, "Receive {} {}", to + 1, from + 1),
        };
    }
    text
}

/// SplitMix64: the same scripts everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn pair(&mut self) -> (usize, usize) {
        let from = self.next() as usize % NODES;
        let step = 1 + self.next() as usize % (NODES - 1);
        (from, (from + step) % NODES)
    }
}
