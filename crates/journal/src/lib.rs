//! | to | is |
//! |---|---|
//! | hold a directory of journals alone | [`Directory`] |
//! | begin a journal, go on with one; append | [`Journal`] |
//! | read what is in one | [`Past`] |
//! | have a journal where there is no disk | [`Files`] |
//!
#![doc = include_str!("../README.md")]

mod directory;
mod error;
mod files;
mod format;
mod journal;
mod past;
mod segments;

pub use directory::Directory;
pub use error::Error;
pub use files::{File, Files};
pub use journal::{Identity, Journal, Settings, Survives};
pub use past::{Past, Record};
pub use segments::{journals, remove};
