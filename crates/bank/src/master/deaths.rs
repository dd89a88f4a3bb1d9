//! What the death of a process changes.
//!
//! A death is told once, when it is noticed. It is *settled* once nothing is in flight any more:
//! every living node reads the channel from the dead to its end of file, and so says what is left
//! to be received; what is not is lost, and is counted and told.

use super::channels::Place;
use super::cluster::{Dead, Fate};
use super::failure::Stop;
use super::session::Session;
use crate::script::{Command, Statement};

impl Session {
    /// Tells the deaths that were noticed since the last time.
    pub(super) fn take_news(&mut self) -> Result<(), Stop> {
        for dead in self.cluster.take_news() {
            self.failed = true;
            self.cluster.publish()?;
            match dead {
                Dead::Observer => self.observer_died()?,
                Dead::Node(node) => self.node_died(node)?,
            }
        }
        Ok(())
    }

    fn node_died(&mut self, node: Place) -> Result<(), Stop> {
        let fate = self.fate_of(node)?;
        let by_script = self.killing == Some(node);
        self.broken |= fate.is_internal();
        self.drawn = None;
        let Some(bank) = &mut self.bank else {
            return Ok(());
        };
        bank.shaken |= !by_script;
        bank.dead.get_or_insert(node);
        bank.unsettled.push(node);
        let id = bank.ids[node];
        self.tell(&format!("node {id} died ({fate})"))?;
        self.lose_snapshots()
    }

    fn observer_died(&mut self) -> Result<(), Stop> {
        let Some(fate) = self.cluster.observer_fate().cloned() else {
            return Ok(());
        };
        self.broken |= fate.is_internal();
        if let Some(bank) = &mut self.bank {
            bank.shaken = true;
        }
        self.tell(&format!("the observer died ({fate})"))?;
        self.lose_snapshots()
    }

    /// Snapshots that are not collected can never be: that is told once.
    fn lose_snapshots(&mut self) -> Result<(), Stop> {
        let Some(bank) = &mut self.bank else {
            return Ok(());
        };
        let (first, last) = (bank.uncollected, bank.begun);
        bank.uncollected = last + 1;
        match first {
            first if first > last => Ok(()),
            first if first == last => self.tell(&format!(
                "snapshot {first} is lost: it was not yet collected"
            )),
            first => self.tell(&format!(
                "snapshots {first} to {last} are lost: they were not yet collected"
            )),
        }
    }

    /// Settles what is not settled yet; whether there was anything. Nothing may be in flight.
    pub(super) fn settle_deaths(&mut self) -> Result<bool, Stop> {
        let Some(bank) = &mut self.bank else {
            return Ok(false);
        };
        let Some(dead) = bank.unsettled.pop() else {
            return Ok(false);
        };
        let id = bank.ids[dead];
        let balance = bank.balances[dead].known;
        let into = bank.channels.die(dead);
        // Told apart from the script's own by its line.
        let statement = Statement {
            line: 0,
            command: Command::KillNode { id },
        };
        for reader in self.living()? {
            if !self.bank()?.channels.is_absent(dead, reader) {
                self.read_ahead(&statement, dead, reader, u64::MAX)?;
            }
        }
        while !self.in_flight.is_empty() {
            self.advance()?;
        }
        let out_of = std::mem::take(&mut self.bank()?.lost);
        let mut lost = vec![format!("its balance of {balance}")];
        if into.transfers > 0 {
            lost.push(format!("{into} on the way to it"));
        }
        if out_of.transfers > 0 {
            lost.push(format!("{out_of} of its own that it had not written"));
        }
        self.tell(&format!("lost with node {id}: {}", lost.join(", ")))?;
        Ok(true)
    }

    /// How a node ended that is known to be dead by what it, or somebody else, could not do any
    /// more; waits until master has noticed it too.
    pub(super) fn fate_of(&mut self, node: Place) -> Result<Fate, Stop> {
        loop {
            if let Some(fate) = self.cluster.fate(node) {
                return Ok(fate.clone());
            }
            self.wait()?;
        }
    }
}
