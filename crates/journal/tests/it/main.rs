//! Journals on disks that are killed, lose what was not synced, are full or are tampered with: one
//! program of tests.
//!
//! What starts processes is in `killed`, `full` and `held`, which have programs of their own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod damage;
mod death;
mod directory;
mod disk;
mod failure;
mod full;
mod model;
mod words;
