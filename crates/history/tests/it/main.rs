//! What is read and written, judged and drawn straight, from outside: one program of tests.
//!
//! `speed` has a program of its own: it measures the memory of its process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod any_order;
mod lines;
mod mutations;
mod replay;
mod restarts;
mod round_trip;
mod short;
mod straight;
mod verdicts;
