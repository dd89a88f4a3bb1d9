//! What a process has sent to, or received from, each of its peers.

use std::collections::BTreeMap;

use history::{Amount, ProcessId, Tally};

pub(super) fn count(tally: &mut (u64, Amount), amount: Amount) {
    tally.0 += 1;
    tally.1 += amount;
}

pub(super) fn tallies(of: &BTreeMap<ProcessId, (u64, Amount)>) -> Vec<Tally> {
    let tally = |(&process, &(messages, sum))| Tally {
        process,
        messages,
        sum,
    };
    of.iter().map(tally).collect()
}
