//! Which banks are looked at: how large they are, and how much happens in them.

use std::fmt;

/// Which channels there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// From everybody to everybody else.
    Mesh,
    /// From each to the next, and from the last to the first.
    Ring,
    /// The ring whose last channel opens at any time.
    LateRing,
    /// From each to the next; only the first begins snapshots.
    Chain,
    /// From each to the one before; only the first begins snapshots, and nobody hears of them.
    ChainBack,
}

impl Shape {
    /// Whether there is a channel, its ends open or not, among so many processes, when the late one
    /// is there or when it is not.
    pub(crate) fn has(self, from: usize, to: usize, processes: usize, late: bool) -> bool {
        let last = processes - 1;
        match self {
            Shape::Mesh => from != to,
            Shape::Ring => to == (from + 1) % (last + 1),
            Shape::LateRing => to == from + 1 || (late && from == last && to == 0),
            Shape::Chain => to == from + 1,
            Shape::ChainBack => from == to + 1,
        }
    }
}

/// How much is to happen. Everything that can happen within it does, in every order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) shape: Shape,
    /// Processes that are connected from the beginning.
    pub(crate) founders: usize,
    /// Processes that join one after the other, at any time.
    pub(crate) joiners: usize,
    /// Transfers, from anybody to anybody.
    pub(crate) transfers: usize,
    /// Snapshots, each begun by anybody.
    pub(crate) snapshots: usize,
    /// Processes that crash, at any time.
    pub(crate) crashes: usize,
    /// Frames that fit into a pipe; what does not waits in the sender's outbox. `None`: whatever is
    /// sent is in the pipe at once. Where nobody crashes that leaves nothing out, for outbox and
    /// pipe together are one channel, and all that a `Step::Put` does is to make its frame come
    /// later, which whoever takes it may do anyway. So larger banks can be looked at.
    pub(crate) pipe: Option<usize>,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}: {} processes, {} that join, {} transfers, {} snapshots, {} crashes, ",
            self.shape, self.founders, self.joiners, self.transfers, self.snapshots, self.crashes
        )?;
        match self.pipe {
            Some(frames) => write!(f, "pipes of {frames}"),
            None => write!(f, "pipes without bound"),
        }
    }
}

/// What the process around a member may get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The markers go out some time after the state was recorded, not before anything else.
    MarkersLater,
    /// The last channel gets no marker.
    OneMarkerMissing,
    /// A new channel does not get the markers owed.
    OwedMarkersForgotten,
}
