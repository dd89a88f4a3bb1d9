//! A disk in memory. Its process can be killed between any two writes and within one; its machine
//! can fail, and then every sector is as it was at some moment since the last sync, each at another.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::rc::Rc;

use journal::{File, Files};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What a disk writes at once.
const SECTOR: usize = 512;
/// What a processor writes at once.
const WORD: usize = 8;

/// A disk, as everybody sees it who has it open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, usize>,
    names_synced: BTreeMap<String, usize>,
    /// What was done to names since they were synced.
    renamings: Vec<Renaming>,
    files: Vec<Inode>,
    /// How many more things are done before the process is dead.
    steps: Option<u64>,
    done: u64,
    /// Which part of a write in which the process dies is made.
    torn: u64,
    /// How many bytes all files may have, and whether syncs fail.
    room: Option<u64>,
    refuses_to_sync: bool,
}

#[derive(Clone, Debug)]
enum Renaming {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug, Default)]
struct Inode {
    now: Vec<u8>,
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Disk {
    /// The process dies at this step from now on; of a write, a part is made that `torn` decides.
    pub(crate) fn kill_after(&self, steps: u64, torn: u64) {
        let mut state = self.0.borrow_mut();
        (state.steps, state.torn) = (Some(steps), torn | 1);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.0.borrow().steps == Some(0)
    }

    /// A new process; what the old one did is there.
    pub(crate) fn revive(&self) {
        self.0.borrow_mut().steps = None;
    }

    /// How many things were done.
    pub(crate) fn steps(&self) -> u64 {
        self.0.borrow().done
    }

    pub(crate) fn set_room(&self, room: Option<u64>) {
        self.0.borrow_mut().room = room;
    }

    pub(crate) fn refuse_to_sync(&self, refuses: bool) {
        self.0.borrow_mut().refuses_to_sync = refuses;
    }

    /// The machine fails, and is started again.
    pub(crate) fn fail(&self, random: &mut ChaCha8Rng) {
        let mut state = self.0.borrow_mut();
        state.steps = None;
        let kept = random.random_range(0..=state.renamings.len());
        let renamings = state.renamings.drain(..).take(kept).collect::<Vec<_>>();
        let mut names = state.names_synced.clone();
        for renaming in renamings {
            renaming.apply(&mut names);
        }
        (state.names, state.names_synced) = (names.clone(), names);
        for file in &mut state.files {
            file.fail(random);
        }
    }

    /// The whole contents of a file, to be looked at or tampered with.
    pub(crate) fn contents(&self, name: &str) -> Vec<u8> {
        let state = self.0.borrow();
        state.files[state.names[name]].now.clone()
    }

    pub(crate) fn set_contents(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.0.borrow_mut();
        let inode = Inode {
            now: bytes.clone(),
            synced: bytes,
            since: Vec::new(),
        };
        let number = state.names.get(name).copied().unwrap_or(state.files.len());
        match state.files.get_mut(number) {
            Some(file) => *file = inode,
            None => state.files.push(inode),
        }
        state.names.insert(name.to_owned(), number);
        state.names_synced.insert(name.to_owned(), number);
    }

    /// Every file with its contents.
    pub(crate) fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        let names = self.names().unwrap();
        let each = names
            .into_iter()
            .map(|name| (name.clone(), self.contents(&name)));
        each.collect()
    }

    /// A disk with these files.
    pub(crate) fn with(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let disk = Self::default();
        for (name, bytes) in files {
            disk.set_contents(name, bytes.clone());
        }
        disk
    }

    fn change_names(&self, renaming: Renaming) {
        if self.step() {
            let mut state = self.0.borrow_mut();
            renaming.clone().apply(&mut state.names);
            state.renamings.push(renaming);
        }
    }

    /// Whether the process still lives to do something.
    fn step(&self) -> bool {
        let mut state = self.0.borrow_mut();
        match &mut state.steps {
            Some(0) => return false,
            Some(steps) => *steps -= 1,
            None => {}
        }
        state.done += 1;
        state.steps != Some(0)
    }
}

impl Renaming {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, inode) => {
                names.insert(name, inode);
            }
            Self::Rename(from, to) => {
                let inode = names.remove(&from).unwrap();
                names.insert(to, inode);
            }
            Self::Remove(name) => {
                names.remove(&name);
            }
        }
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.now, 0..usize::MAX);
        self.since.push(change);
    }

    fn fail(&mut self, random: &mut ChaCha8Rng) {
        let lengths = self.since.iter().filter_map(|change| match change {
            Change::Length(length) => Some(*length),
            Change::Write(..) => None,
        });
        let lengths: Vec<usize> = [self.synced.len()].into_iter().chain(lengths).collect();
        let longest = lengths.iter().max().copied().unwrap();
        let length = lengths[random.random_range(0..lengths.len())];
        let mut left = self.synced.clone();
        left.resize(longest, 0);
        for sector in 0..longest.div_ceil(SECTOR) {
            let within = sector * SECTOR..(sector + 1) * SECTOR;
            let kept = match random.random_range(0..4) {
                0 => 0,
                1 => self.since.len(),
                _ => random.random_range(0..=self.since.len()),
            };
            for change in &self.since[..kept] {
                change.apply(&mut left, within.clone());
            }
            // The sector went to the disk while this was being written.
            if let Some(Change::Write(at, bytes)) = self.since.get(kept) {
                let torn = random.random();
                let part = Change::part(*at, bytes, &left, torn);
                part.apply(&mut left, within);
            }
        }
        left.resize(length, 0);
        *self = Self {
            now: left.clone(),
            synced: left,
            since: Vec::new(),
        };
    }
}

impl Change {
    /// Makes what of it lies in this range. A file that is cut has zeros behind its end.
    fn apply(&self, bytes: &mut Vec<u8>, within: std::ops::Range<usize>) {
        match self {
            Self::Write(at, new) => {
                let (from, to) = (within.start.max(*at), within.end.min(at + new.len()));
                if from < to {
                    bytes[from..to].copy_from_slice(&new[from - at..to - at]);
                }
            }
            Self::Length(length) if within.end == usize::MAX => bytes.resize(*length, 0),
            Self::Length(length) => {
                let (from, to) = (within.start.max(*length), within.end.min(bytes.len()));
                if from < to {
                    bytes[from..to].fill(0);
                }
            }
        }
    }

    /// A write of which only some words are made: which, says `torn`.
    fn part(at: usize, new: &[u8], old: &[u8], torn: u64) -> Self {
        let mut bytes = new.to_vec();
        for (index, byte) in bytes.iter_mut().enumerate() {
            let word = (at + index) / WORD - at / WORD;
            let is_made = torn.rotate_right(word as u32 % 61) & 1 == 1;
            if !is_made {
                *byte = old.get(at + index).copied().unwrap_or(0);
            }
        }
        Self::Write(at, bytes)
    }
}

impl Files for Disk {
    type File = Writer;

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().names.keys().cloned().collect())
    }

    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = self.contents(name);
        bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<Writer> {
        let mut state = self.0.borrow_mut();
        let inode = state.files.len();
        state.files.push(Inode::default());
        drop(state);
        self.change_names(Renaming::Create(name.to_owned(), inode));
        Ok(Writer::new(self, inode))
    }

    fn open(&self, name: &str) -> io::Result<Writer> {
        Ok(Writer::new(self, self.0.borrow().names[name]))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change_names(Renaming::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if !self.0.borrow().names.contains_key(name) {
            return Err(ErrorKind::NotFound.into());
        }
        self.change_names(Renaming::Remove(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.step() {
            let mut state = self.0.borrow_mut();
            if state.refuses_to_sync {
                return Err(io::Error::other("the disk is broken"));
            }
            state.names_synced = state.names.clone();
            state.renamings.clear();
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("disk").join(name)
    }
}

#[derive(Debug)]
pub(crate) struct Writer {
    disk: Disk,
    inode: usize,
    /// What was reached: nothing else may be written.
    window: std::ops::Range<u64>,
}

impl Writer {
    fn new(disk: &Disk, inode: usize) -> Self {
        let disk = disk.clone();
        let window = 0..0;
        Self {
            disk,
            inode,
            window,
        }
    }

    fn change(&self, change: Change) {
        let lives = self.disk.step();
        let mut state = self.disk.0.borrow_mut();
        let torn = state.torn;
        let dies_now = !lives && torn != 0;
        let file = &mut state.files[self.inode];
        match change {
            change if lives => file.change(change),
            Change::Write(at, bytes) if dies_now && bytes.len() > WORD => {
                let part = Change::part(at, &bytes, &file.now, torn);
                file.change(part);
                state.torn = 0;
            }
            _ => state.torn = 0,
        }
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        assert!(self.window.start <= at && end <= self.window.end);
        self.change(Change::Write(at as usize, bytes.to_vec()));
    }
}

impl File for Writer {
    fn reach(&mut self, from: u64, to: u64) -> io::Result<()> {
        let state = self.disk.0.borrow();
        let used: usize = state
            .names
            .values()
            .map(|it| state.files[*it].now.len())
            .sum();
        let length = state.files[self.inode].now.len();
        let more = (to as usize).saturating_sub(length);
        if state
            .room
            .is_some_and(|room| more > 0 && (used + more) as u64 > room)
        {
            return Err(ErrorKind::StorageFull.into());
        }
        drop(state);
        if more > 0 {
            self.change(Change::Length(to as usize));
        }
        self.window = from..to;
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.window = 0..0;
        self.change(Change::Length(length as usize));
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        self.put(at, bytes);
    }

    fn store(&mut self, at: u64, word: u64) {
        assert!(at.is_multiple_of(8));
        self.put(at, &word.to_le_bytes());
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.disk.step() {
            let mut state = self.disk.0.borrow_mut();
            let refuses = state.refuses_to_sync;
            let file = &mut state.files[self.inode];
            if refuses {
                // The kernel takes what it could not write for written.
                file.since
                    .retain(|change| matches!(change, Change::Length(_)));
                return Err(io::Error::other("the disk is broken"));
            }
            for change in std::mem::take(&mut file.since) {
                change.apply(&mut file.synced, 0..usize::MAX);
            }
        }
        Ok(())
    }
}
