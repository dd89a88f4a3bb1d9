//! The recorder in whole systems, simulated from a seed: one program of tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faulty;
mod planted_bugs;
mod schedules;
mod sim;
