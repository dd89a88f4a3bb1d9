//! What outlives the process of a node: a journal, which is a list here.

use bank::Broken;
use bank::account::Outgoing;
use bank::id::NodeId;
use bank::member::Frame;
use bank::node::{Resending, Restoring};

/// What outlives the process of a node.
#[derive(Clone, Debug)]
pub struct Kept {
    pub id: NodeId,
    pub deposit: u64,
    pub journal: Vec<Entry>,
}

/// What is in a journal.
#[derive(Clone, Debug)]
pub enum Entry {
    /// What was carried out, as much as was kept at once.
    Records(Vec<u8>),
    /// With this image another segment begins.
    Image(Vec<u8>),
}

impl Kept {
    pub fn new(id: NodeId, deposit: u64) -> Self {
        let journal = Vec::new();
        Self {
            id,
            deposit,
            journal,
        }
    }

    /// All that was carried out.
    pub fn records(&self) -> Vec<u8> {
        let records = self.journal.iter().filter_map(|entry| match entry {
            Entry::Records(records) => Some(&records[..]),
            Entry::Image(_) => None,
        });
        records.collect::<Vec<_>>().concat()
    }

    /// Folds the journal, no more of it than is needed.
    pub fn fold(&self, answered: u64) -> Result<Restoring, Broken> {
        let can_begin = |image: &[u8]| Restoring::can_begin_with(image, answered);
        let (image, rest) = self.from(can_begin);
        let mut restoring = match image {
            Some(image) => Restoring::from_image(image, false, answered)?,
            None => Restoring::new(self.id, self.deposit, false, answered),
        };
        for entry in rest {
            match entry {
                Entry::Records(records) => restoring.redo(records)?,
                Entry::Image(image) => restoring.next_segment(image)?,
            }
        }
        Ok(restoring)
    }

    /// What was sent on channels behind so many frames.
    pub fn sent(&self, wanted: &[(Outgoing, u64)]) -> Result<Vec<(Outgoing, Frame)>, Broken> {
        let (image, rest) = self.from(|image| Resending::can_begin_with(image, wanted));
        let mut resending = match image {
            Some(image) => Resending::from_image(image, wanted)?,
            None => Resending::new(self.id, self.deposit, wanted),
        };
        let mut sent = Vec::new();
        for entry in rest {
            if let Entry::Records(records) = entry {
                resending.redo(records, |to, frame| sent.push((to, frame)))?;
            }
        }
        Ok(sent)
    }

    /// The newest image with which it is possible to begin, and what follows it.
    fn from(&self, can_begin: impl Fn(&[u8]) -> bool) -> (Option<&[u8]>, &[Entry]) {
        for (at, entry) in self.journal.iter().enumerate().rev() {
            match entry {
                Entry::Image(image) if can_begin(image) => {
                    return (Some(image), &self.journal[at + 1..]);
                }
                _ => {}
            }
        }
        (None, &self.journal)
    }
}
