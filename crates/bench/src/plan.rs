//! How much is measured: in full, quickly, or only to see that it runs.

use std::time::Duration;

use crate::loads::millis;
use crate::raw::FRAME;

/// Frames in a batch of 16 KiB.
pub(crate) const BATCH: usize = 16 * 1024 / FRAME;

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
    pub(crate) idle_nodes: usize,
    pub(crate) idle: Duration,
}

impl Plan {
    /// Less than ten minutes.
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
        idle_nodes: 64,
        idle: millis(2000),
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
        idle_nodes: 16,
        idle: millis(500),
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
        idle_nodes: 4,
        idle: millis(50),
    };
}
