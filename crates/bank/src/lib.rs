//! What an account, a member of the bank and its processes decide.
//!
//! | to | is |
//! |---|---|
//! | see who says what to whom, each request beside its reply | [`messages`] |
//! | follow a script from a command to its result | [`master`] |
//! | see what one process does of it | [`node`], around a [`member`]: an [`account`] and its recorder |
//! | have snapshots taken, collected and audited | [`observer`], [`audit`] |
//! | read a script | [`script`] |
//!
#![doc = include_str!("../README.md")]

pub mod account;
pub mod audit;
mod broken;
pub mod draw;
pub mod id;
pub mod master;
pub mod member;
pub mod messages;
pub mod node;
pub mod observer;
pub mod script;
pub mod topology;

pub use broken::Broken;
