//! The programs of a distributed bank of separate processes that takes consistent snapshots of itself.
//!
//! Three programs, each a thin `main` over a module of this library: [`master`] reads a script,
//! [`node`] holds one account, [`observer`] takes snapshots. What they decide is in `bank`, as
//! values; raw descriptors and raw bytes are in `pipes`.

pub mod master;
pub mod node;
pub mod observer;
pub mod say;
