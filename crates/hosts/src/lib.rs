//! Processes on several hosts, joined by pipes that go on over a network.
#![doc = include_str!("../README.md")]

mod agent;
mod carrier;
mod front;
mod hosts;
mod link;
#[cfg(feature = "mpi")]
#[allow(unsafe_code)]
mod mpi;
mod pump;
mod traffic;
mod wire;

#[cfg(feature = "mpi")]
pub use self::mpi::Mpi;
pub use agent::{Errands, Setup, serve};
pub use carrier::{Carrier, Outbox, WINDOW};
pub use hosts::{Away, End, EndThere, Errand, Hosts};
pub use link::{Link, Nowhere};
pub use wire::{
    Control, EndOf, Ended, Host, Introduction, Lane, Name, Piece, Pieces, Side, Stream,
};

/// What can go wrong between hosts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A pipe, or a message in bincode.
    #[error(transparent)]
    Pipes(#[from] pipes::Error),
    /// A message of another host is none.
    #[error("another host says what cannot be understood")]
    Garbled,
    /// What is on one host is wanted on another, as an end of a pipe by a process that is not there.
    #[error("what is on one host is wanted on another")]
    WrongHost,
    /// More came than was allowed.
    #[error("another host sends more than there is room for")]
    Flooded,
    /// The network.
    #[error("the network between the hosts: {0}")]
    Network(String),
    /// A host was not heard of.
    #[error("host {} was not heard of for {} seconds", .0, pump::SILENCE.as_secs())]
    Silent(String),
    /// A host says that it cannot go on.
    #[error("on {host}: {trouble}")]
    Trouble {
        /// Which.
        host: String,
        /// What is wrong.
        trouble: String,
    },
    /// Hosts do not fit together.
    #[error(
        "the programs on {0} are of another build than those on {1}: install the same on all hosts"
    )]
    Builds(String, String),
    /// This program knows no network.
    #[error(
        "this program was started on several hosts and cannot join them: it was built without MPI \
         (`cargo build --release --features mpi` builds it with it)"
    )]
    NotBuiltIn,
    /// The run was to end while a host was waited for.
    #[error("a host was waited for, and the run was to end")]
    Interrupted,
}
