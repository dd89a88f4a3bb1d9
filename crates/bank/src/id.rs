//! Who is who in the bank.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a node, and so of its account: any unsigned 64-bit integer, 0 included.
///
/// Ids order as numbers, never as text: node 10 comes after node 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A node's place in the order of the `CreateNode`s since `StartMaster`, from 0, also of those that
/// failed: what it is called inside. Its id is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place(pub u32);

impl Place {
    /// The place as an index into tables that have an entry for each node.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The place of that index.
    ///
    /// No system has 2³² nodes: more would need as many pids.
    #[must_use]
    pub fn at(index: usize) -> Self {
        Self(index as u32)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
