//! Which banks that last are looked at: how large they are, how much happens, and what is wrong with them.

use std::fmt;

use super::super::bounds::Shape;

/// How much is to happen. Everything that can happen within it does, in every order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) shape: Shape,
    pub(crate) processes: usize,
    /// Transfers, from anybody to anybody.
    pub(crate) transfers: usize,
    /// Snapshots, each begun by anybody.
    pub(crate) snapshots: usize,
    /// Deaths of processes, each of which comes back.
    pub(crate) deaths: usize,
    /// Deaths of the observer.
    pub(crate) observers: usize,
    /// How many instructions a process may be given before it has answered the first.
    pub(crate) window: usize,
    /// Frames that fit into a pipe; what does not waits in the sender's outbox.
    pub(crate) pipe: usize,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} that lasts: {} processes, {} transfers, {} snapshots, {} deaths, {} of the observer, \
             window {}, pipes of {}",
            self.shape,
            self.processes,
            self.transfers,
            self.snapshots,
            self.deaths,
            self.observers,
            self.window,
            self.pipe
        )
    }
}

/// What the process around a node, or master, or the observer may get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Whatever a node wants done is done before its record is kept.
    NothingHeldBack,
    /// Who sends goes on behind what he had sent, without waiting for what was received of it.
    NobodyAsksWhatWasReceived,
    /// A receiver of a new pipe goes on with what it has of the old one.
    OldPipeRead,
    /// Who comes back is not ordered again to take what had been ordered.
    TakesNotRepeated,
}

/// The bank within its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bank {
    pub(crate) bounds: Bounds,
    pub(crate) bug: Option<Bug>,
}
