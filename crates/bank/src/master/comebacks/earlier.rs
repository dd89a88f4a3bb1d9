//! How many processes there were before the present ones, where a script goes on whose history does.

use serde::{Deserialize, Serialize};

use super::Comebacks;
use crate::master::Master;

/// How many processes there were before the present ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::master) struct Earlier {
    observers: u64,
    /// By node.
    nodes: Vec<u64>,
}

impl Comebacks {
    /// Processes are counted behind these; those of the nodes once the bank is opened.
    pub(in crate::master) fn count_from(&mut self, earlier: Earlier) {
        self.observer.incarnation = earlier.observers;
        self.earlier = earlier.nodes;
    }

    /// How many earlier ones the nodes of the bank have had that is opened.
    pub(in crate::master) fn take_earlier(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.earlier)
    }
}

impl Master {
    /// How many processes there were before the present ones.
    pub(in crate::master) fn earlier(&self) -> Earlier {
        let nodes = self.bank.nodes.all();
        Earlier {
            observers: self.comebacks.observer.incarnation,
            nodes: nodes.map(|(_, node)| node.incarnation() - 1).collect(),
        }
    }
}
