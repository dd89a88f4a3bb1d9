//! The ends of real pipes: one program of tests.
//!
//! `limits` has a program of its own: it lowers the limit on descriptors of its process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod directory;
mod ends;
mod hatch;
mod interleavings;
mod mapped;
mod poller;
mod stream;
mod wait_set;
