//! What a load run has heard from the processes so far.

/// What has been heard from the processes.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// How many nodes have generated all they will.
    pub(super) generated: usize,
    pub(super) rested: bool,
    /// For each node: to how many of its peers it has said that it sent how much.
    pub(super) told: Vec<usize>,
    /// For each node: how many transfers were sent to it.
    pub(super) owed: Vec<u64>,
    pub(super) settled: usize,
    pub(super) balances: u128,
    /// By place.
    pub(super) counts: Vec<Count>,
}

/// What a node has received so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) received: u64,
    /// How often it was asked, and has answered.
    pub(super) asked: u64,
    pub(super) answered: u64,
    pub(super) is_dead: bool,
}

impl Count {
    fn is_told(&self) -> bool {
        self.is_dead || self.answered >= self.asked
    }
}

impl Heard {
    pub(super) fn received(&self) -> u64 {
        // Saturating: a process may say anything.
        let counts = self.counts.iter();
        counts.fold(0, |sum, count| sum.saturating_add(count.received))
    }

    pub(super) fn is_counted(&self) -> bool {
        self.counts.iter().all(Count::is_told)
    }
}
