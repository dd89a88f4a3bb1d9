//! How much is measured: in full, quickly, or only to see that it runs.

use std::fmt;
use std::time::Duration;

use crate::loads::millis;
use crate::raw::FRAME;
use bank::id::Place;
use bank::topology::Shape;

/// Frames in a batch of 16 KiB.
pub(crate) const BATCH: usize = 16 * 1024 / FRAME;

/// A bank that is measured: how many nodes, and which channels.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) shape: Shape,
    pub(crate) nodes: usize,
}

/// What graphs are drawn from.
const SEED: u64 = 1;

impl Layout {
    pub(crate) const fn mesh(nodes: usize) -> Self {
        let shape = Shape::Mesh;
        Self { shape, nodes }
    }

    const fn ring(nodes: usize) -> Self {
        let shape = Shape::Ring;
        Self { shape, nodes }
    }

    const fn random(degree: u32, nodes: usize) -> Self {
        let shape = Shape::Random(degree);
        Self { shape, nodes }
    }

    /// The last part of keys.
    pub(crate) fn key(self) -> String {
        let Self { shape, nodes } = self;
        match shape {
            Shape::Mesh => nodes.to_string(),
            _ => format!("{shape}.{nodes}"),
        }
    }

    /// The channels, as (from, to), in nodes from 0.
    pub(crate) fn channels(self) -> Vec<(usize, usize)> {
        let channels = self.shape.channels(self.nodes as u32, SEED).into_iter();
        channels
            .map(|(from, to): (Place, Place)| (from.index(), to.index()))
            .collect()
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, nodes } = self;
        match shape {
            Shape::Mesh => write!(f, "{nodes} nodes"),
            _ => write!(f, "{shape} of {nodes} nodes"),
        }
    }
}

/// Sizes and times.
pub(crate) struct Plan {
    pub(crate) mode: &'static str,
    /// Of how many the best counts.
    pub(crate) repeats: usize,
    pub(crate) codec_rounds: u64,
    pub(crate) single_frames: u64,
    pub(crate) batched_frames: u64,
    pub(crate) commands: u64,
    pub(crate) serial_commands: u64,
    /// Messages that wait for `ReceiveAll`.
    pub(crate) waiting: u64,
    pub(crate) load_nodes: &'static [usize],
    pub(crate) load: Duration,
    pub(crate) loss_nodes: usize,
    pub(crate) loss: Duration,
    pub(crate) loss_pairs: usize,
    pub(crate) idle_snapshot_nodes: &'static [usize],
    pub(crate) idle_snapshots: usize,
    pub(crate) mesh_nodes: &'static [usize],
    /// Other shapes than meshes: under load, and on their way up.
    pub(crate) sparse: &'static [Layout],
    pub(crate) idle_nodes: usize,
    pub(crate) idle: Duration,
    /// Pairs of runs with `--data` and without.
    pub(crate) pairs: usize,
    /// Under load, in a bank that lasts.
    pub(crate) lasting_nodes: &'static [usize],
    /// Of whom some are killed, and how often; and how long each journal is then, in records.
    pub(crate) killed_nodes: usize,
    pub(crate) kills: usize,
    pub(crate) records: u64,
}

impl Plan {
    /// About fifteen minutes.
    pub(crate) const FULL: Self = Self {
        mode: "full",
        repeats: 3,
        codec_rounds: 10_000,
        single_frames: 1_000_000,
        batched_frames: 20_000_000,
        commands: 1_000_000,
        serial_commands: 100_000,
        waiting: 1_000_000,
        load_nodes: &[2, 4, 16, 64, 128],
        load: millis(3000),
        loss_nodes: 16,
        loss: millis(4000),
        loss_pairs: 7,
        idle_snapshot_nodes: &[4, 16, 64, 128],
        idle_snapshots: 20,
        mesh_nodes: &[4, 16, 64, 128, 256, 512],
        sparse: &[
            Layout::ring(16),
            Layout::ring(128),
            Layout::ring(1000),
            Layout::random(4, 128),
        ],
        idle_nodes: 64,
        idle: millis(2000),
        pairs: 7,
        lasting_nodes: &[4, 16],
        killed_nodes: 16,
        kills: 7,
        records: 1_000_000,
    };

    /// Less than one minute.
    pub(crate) const QUICK: Self = Self {
        mode: "quick",
        repeats: 2,
        codec_rounds: 2000,
        single_frames: 200_000,
        batched_frames: 5_000_000,
        commands: 200_000,
        serial_commands: 20_000,
        waiting: 200_000,
        load_nodes: &[4, 16, 64],
        load: millis(700),
        loss: millis(1000),
        loss_pairs: 3,
        idle_snapshot_nodes: &[4, 16],
        idle_snapshots: 5,
        mesh_nodes: &[4, 16, 64, 128],
        sparse: &[Layout::ring(16), Layout::random(4, 16)],
        idle_nodes: 16,
        idle: millis(500),
        pairs: 3,
        kills: 3,
        records: 100_000,
        ..Self::FULL
    };

    /// A few seconds; the figures mean nothing.
    pub(crate) const SMOKE: Self = Self {
        mode: "smoke",
        repeats: 1,
        codec_rounds: 2,
        single_frames: 2000,
        batched_frames: 20_000,
        commands: 2000,
        serial_commands: 200,
        waiting: 1200,
        load_nodes: &[2, 4],
        load: millis(200),
        loss_nodes: 4,
        loss: millis(200),
        loss_pairs: 1,
        idle_snapshot_nodes: &[4],
        idle_snapshots: 1,
        mesh_nodes: &[4, 20],
        sparse: &[Layout::ring(4), Layout::random(1, 4)],
        idle_nodes: 4,
        idle: millis(50),
        pairs: 1,
        lasting_nodes: &[4],
        killed_nodes: 4,
        kills: 1,
        records: 2000,
    };
}
