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
    /// What was removed: how many segments, and which records were in them.
    removed: (u64, Vec<u8>),
}

/// What is in a journal.
#[derive(Clone, Debug)]
pub enum Entry {
    /// What was carried out, as much as was kept at once.
    Records(Vec<u8>),
    /// With this image another segment begins.
    Image(Vec<u8>),
}

impl Entry {
    fn records(&self) -> Option<&[u8]> {
        match self {
            Self::Records(records) => Some(records),
            Self::Image(_) => None,
        }
    }
}

impl Kept {
    pub fn new(id: NodeId, deposit: u64) -> Self {
        Self {
            id,
            deposit,
            journal: Vec::new(),
            removed: (0, Vec::new()),
        }
    }

    /// All that was ever carried out.
    pub fn records(&self) -> Vec<u8> {
        let (_, removed) = &self.removed;
        let records = self.journal.iter().filter_map(Entry::records);
        [&removed[..]]
            .into_iter()
            .chain(records)
            .collect::<Vec<_>>()
            .concat()
    }

    /// How many segments were removed.
    pub fn removed(&self) -> u64 {
        self.removed.0
    }

    /// Removes the segments before this one, of which the first has the number 1 and no image.
    pub fn drop_before(&mut self, segment: u64) {
        while self.removed.0 + 1 < segment {
            let image = usize::from(self.removed() > 0);
            let later = self.journal.iter().skip(image);
            let next = image + later.take_while(|it| it.records().is_some()).count();
            let gone = self.journal.drain(..next);
            let (segments, records) = &mut self.removed;
            records.extend(
                gone.filter_map(|it| it.records().map(<[u8]>::to_vec))
                    .flatten(),
            );
            *segments += 1;
        }
    }

    /// Folds the journal, no more of it than is needed.
    pub fn fold(&self, answered: u64) -> Result<Restoring, Broken> {
        let can_begin = |image: &[u8]| Restoring::can_begin_with(image, answered);
        let (image, rest) = self.from(can_begin);
        if image.is_none() && self.removed() > 0 {
            // A machine that failed has taken even that.
            let (found, known) = (0, answered);
            return Err(Broken::TailLost { found, known });
        }
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

    /// The newest image with which it is possible to begin, or else the oldest where there is nothing before
    /// it, and what follows it.
    fn from(&self, can_begin: impl Fn(&[u8]) -> bool) -> (Option<&[u8]>, &[Entry]) {
        for (at, entry) in self.journal.iter().enumerate().rev() {
            match entry {
                Entry::Image(image) if can_begin(image) => {
                    return (Some(image), &self.journal[at + 1..]);
                }
                _ => {}
            }
        }
        match self.journal.split_first() {
            Some((Entry::Image(image), rest)) if self.removed() > 0 => (Some(image), rest),
            _ => (None, &self.journal),
        }
    }
}
