//! The bank as values: what an account, a member of the bank and its processes decide.
//!
//! [`member`] is everything that a node decides about its account and snapshots; [`messages`] is the
//! table of who says what to whom; [`script`] is the command language; [`audit`] decides whether a
//! snapshot is sound.
//!
//! Never here: pipes, files, clocks, processes, a command line. The same values run in the programs,
//! in simulations and in tests.

pub mod account;
pub mod audit;
pub mod draw;
pub mod id;
pub mod master;
pub mod member;
pub mod messages;
pub mod node;
pub mod observer;
pub mod script;
pub mod topology;
