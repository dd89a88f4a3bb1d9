//! What a journal must hold, kept apart from it, and random work for both.

use std::env;

use journal::{Error, Files, Identity, Journal, Past, Settings, Survives};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::disk::Disk;

pub(crate) const NAME: &str = "journal";
pub(crate) const IDENTITY: Identity = Identity { run: 7, writer: 3 };

/// Steps so small that files grow all the time.
pub(crate) fn settings(survives: Survives) -> Settings {
    Settings {
        survives,
        step: 256,
    }
}

pub(crate) fn open<F: Files>(
    files: F,
    survives: Survives,
) -> Result<Option<(Journal<F>, Past)>, Error> {
    Journal::open(files, NAME, IDENTITY, settings(survives))
}

/// All records of a journal with the numbers of their segments; `None` where there is no journal.
pub(crate) type Held = Option<Vec<(u64, Vec<u8>)>>;

pub(crate) fn held(past: &Past) -> Held {
    let records = past.records();
    Some(records.map(|it| (it.segment, it.bytes.to_vec())).collect())
}

/// Something to do.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Create(Vec<u8>),
    Append(Vec<u8>),
    Commit,
    BeginSegment(Vec<u8>),
    /// Drops the segments before the one that is so many before the present.
    DropBefore(u64),
    Reopen,
}

pub(crate) fn random_work(random: &mut ChaCha8Rng, count: usize) -> Vec<Work> {
    let more = |_| match random.random_range(0..20) {
        0..8 => Work::Append(bytes(random)),
        8..15 => Work::Commit,
        15..17 => Work::BeginSegment(bytes(random)),
        17..19 => Work::DropBefore(random.random_range(0..3)),
        _ => Work::Reopen,
    };
    (0..count).map(more).collect()
}

fn bytes(random: &mut ChaCha8Rng) -> Vec<u8> {
    let length = match random.random_range(0..10) {
        0 => 0,
        1 => random.random_range(100..2_000),
        _ => random.random_range(1..40),
    };
    // Now and then something that looks like lengths and zeros.
    let byte: u8 = random.random();
    let is_dull = random.random_ratio(1, 4);
    (0..length)
        .map(|_| if is_dull { byte & 3 } else { random.random() })
        .collect()
}

/// Every state that the journal has gone through, or may be going through.
pub(crate) struct Model {
    states: Vec<Held>,
    /// Which of them is certain to be reached.
    certain: usize,
    pending: Vec<Vec<u8>>,
    segment: u64,
    /// Everything that was ever committed, and how much that was after each commit.
    ever: Vec<(u64, Vec<u8>)>,
    moments: Vec<usize>,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            states: vec![None],
            certain: 0,
            pending: Vec::new(),
            segment: 0,
            ever: Vec::new(),
            moments: Vec::new(),
        }
    }

    /// One that goes on with what was found.
    pub(crate) fn found(held: Held) -> Self {
        let last = held.iter().flatten().last();
        Self {
            segment: last.map_or(0, |(segment, _)| *segment),
            states: vec![held],
            ..Self::new()
        }
    }

    /// This may happen from now on.
    pub(crate) fn begin(&mut self, work: &Work) {
        match work {
            Work::Create(image) => {
                self.segment = 1;
                self.add(vec![(1, image.clone())]);
            }
            Work::Append(record) => self.pending.push(record.clone()),
            Work::Commit => self.commit(),
            Work::BeginSegment(image) => {
                self.commit();
                self.segment += 1;
                self.add(vec![(self.segment, image.clone())]);
            }
            Work::DropBefore(back) => {
                let keep = self.segment.saturating_sub(*back);
                for segment in 1..keep {
                    self.change(|held| held.retain(|record| record.0 != segment));
                }
            }
            Work::Reopen => self.pending.clear(),
        }
    }

    /// It has happened.
    pub(crate) fn end(&mut self) {
        self.certain = self.states.len() - 1;
    }

    pub(crate) fn now(&self) -> &Held {
        &self.states[self.certain]
    }

    /// Whether this can be what was left: nothing that was certain is missing.
    pub(crate) fn may_be(&self, found: &Held) -> bool {
        self.states[self.certain..].contains(found)
    }

    /// Whether it is what was ever committed up to some moment, but for old segments: these may be
    /// gone already, or there again.
    pub(crate) fn has_been(&self, found: &Held) -> bool {
        let Some(found) = found else {
            return true;
        };
        let oldest = found.first().map_or(0, |(segment, _)| *segment);
        let is_since = |(segment, _): &&(u64, Vec<u8>)| *segment >= oldest;
        { self.moments.iter() }
            .map(|moment| self.ever[..*moment].iter().filter(is_since))
            .any(|since| since.eq(found))
    }

    fn commit(&mut self) {
        let records = std::mem::take(&mut self.pending).into_iter();
        self.add(records.map(|record| (self.segment, record)).collect());
    }

    fn add(&mut self, records: Vec<(u64, Vec<u8>)>) {
        self.ever.extend(records.clone());
        self.moments.push(self.ever.len());
        self.change(|held| held.extend(records));
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<(u64, Vec<u8>)>)) {
        let mut held = self.states.last().cloned().flatten().unwrap_or_default();
        change(&mut held);
        self.states.push(Some(held));
    }
}

/// Does the work, until it is done or the process is dead. A journal that is there is gone on with.
pub(crate) fn run(
    disk: &Disk,
    survives: Survives,
    journal: Option<Journal<Disk>>,
    model: &mut Model,
    work: &[Work],
) {
    let mut journal = journal;
    let create = [Work::Create(b"image".to_vec())];
    let create = create.iter().filter(|_| journal.is_none());
    for work in create.chain(work).collect::<Vec<_>>() {
        model.begin(work);
        match (work, &mut journal) {
            (Work::Create(image), _) => {
                let settings = settings(survives);
                let created = Journal::create(disk.clone(), NAME, IDENTITY, settings, image);
                journal = Some(created.unwrap());
            }
            (Work::Append(record), Some(journal)) => journal.append(record),
            (Work::Commit, Some(journal)) => journal.commit().unwrap(),
            (Work::BeginSegment(image), Some(journal)) => {
                journal.begin_segment(image).unwrap();
            }
            (Work::DropBefore(back), Some(journal)) => {
                let keep = journal.segment().saturating_sub(*back);
                journal.drop_before(keep).unwrap();
            }
            (Work::Reopen, _) => {
                drop(journal.take());
                journal = reopen(disk, survives, model.now());
            }
            (_, None) => unreachable!("it was created"),
        }
        if disk.is_dead() {
            return;
        }
        model.end();
        let now = journal.as_ref().map(|journal| journal.past().unwrap());
        assert_eq!(&now.as_ref().and_then(held), model.now());
        let size = now.iter().flat_map(Past::records).map(|it| it.bytes.len());
        assert!(
            journal
                .as_ref()
                .is_none_or(|it| it.bytes() >= size.sum::<usize>() as u64)
        );
    }
}

/// Opens a journal without reading all of it: what is read is as it was held, from the newest segment on
/// whose image was enough.
fn reopen(disk: &Disk, survives: Survives, held: &Held) -> Option<Journal<Disk>> {
    let is_enough = |image: &[u8]| image.len().is_multiple_of(2);
    let (files, settings) = (disk.clone(), settings(survives));
    let opened = Journal::open_from(files, NAME, IDENTITY, settings, is_enough).unwrap();
    let (journal, past) = opened?;
    let read = self::held(&past).unwrap();
    let all = held.as_ref().expect("there is a journal");
    let mut images = { all.iter().enumerate() }
        .filter(|(at, (segment, _))| *at == 0 || all[at - 1].0 != *segment)
        .filter(|(_, (_, image))| is_enough(image));
    let first = images.next_back().map_or(0, |(at, _)| at);
    assert_eq!(read, all[first..]);
    Some(journal)
}

/// The seeds to run: that many, or the one in `PIPEBANK_SEED`, to run a failure again.
pub(crate) fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let only = env::var("PIPEBANK_SEED").ok();
    let only = only.map(|seed| seed.parse::<u64>().expect("PIPEBANK_SEED is a number"));
    let (first, count) = only.map_or((0, count), |seed| (seed, 1));
    first..first + count
}
