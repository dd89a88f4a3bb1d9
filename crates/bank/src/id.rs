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
