//! What the observer makes of what nodes report.

use snapshot::SnapshotId;

use crate::audit::Handed;
use crate::messages::Report;

/// What a report has added to a part.
#[derive(Debug)]
pub enum Added {
    /// It is the beginning of a part of this snapshot.
    Begins(SnapshotId),
    /// There is more to come.
    More,
    /// It is the end.
    Ends {
        /// Of a part.
        complete: bool,
    },
}

impl Handed {
    /// Adds what a report says to the part; a report that says nothing of a part comes back.
    ///
    /// # Errors
    ///
    /// That report.
    pub fn add(&mut self, report: Report) -> Result<Added, Report> {
        match report {
            Report::Account { snapshot, balance } => {
                self.balance = balance;
                Ok(Added::Begins(snapshot))
            }
            Report::Channel {
                peer,
                sent,
                received,
            } => {
                self.part.sent.insert(peer, sent);
                self.part.received.insert(peer, received);
                Ok(Added::More)
            }
            Report::Transit { from, amounts } => {
                self.part.channels.entry(from).or_default().extend(amounts);
                Ok(Added::More)
            }
            Report::Given { complete } => Ok(Added::Ends { complete }),
            report => Err(report),
        }
    }
}
