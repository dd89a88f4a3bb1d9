//! Three programs, each a thin `main` over a module: [`master`], [`node`], [`observer`].
//!
#![doc = include_str!("../README.md")]

pub mod master;
pub mod node;
pub mod observer;
pub mod say;
pub mod status;
