//! Beginning a journal, going on with one, appending to it, and letting go of what is old.

use std::fmt;
use std::io;
use std::mem;

use crate::format::{Header, put_record};
use crate::segments::{
    Segment, draft_of, name_of, put_block, put_segment, remove_file, segments, settle,
};
use crate::{Error, File, Files, Past};

/// Whose a journal is, as two words that mean nothing here. Every block's checksum depends on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which run, of all that there were, it belongs to.
    pub run: u64,
    /// Who of that run writes it.
    pub writer: u64,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writer {} of run {:016x}", self.writer, self.run)
    }
}

/// What everything that was committed has to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    /// The death of any process at any moment. No system call is made for it.
    Death,
    /// A failure of the machine too: each commit waits for the disk.
    Failure,
}

impl Survives {
    /// A failure of the machine too, where each commit is to be synced; otherwise deaths.
    #[must_use]
    pub fn if_synced(is_synced: bool) -> Self {
        match is_synced {
            true => Self::Failure,
            false => Self::Death,
        }
    }
}

/// How a journal is written.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What has to be survived.
    pub survives: Survives,
    /// By how many bytes a file grows: room on the disk is had that many at a time.
    pub step: u64,
}

impl Settings {
    /// Steps of half a mebibyte.
    #[must_use]
    pub fn new(survives: Survives) -> Self {
        Self {
            survives,
            step: 1 << 19,
        }
    }
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal<F: Files> {
    files: F,
    name: String,
    identity: Identity,
    settings: Settings,
    /// The numbers of the segments before the present one, and how long each is.
    older: Vec<(u64, u64)>,
    present: Segment<F::File>,
    /// What was appended and is not committed: the contents of the next block.
    next_block: Vec<u8>,
    /// The disk has failed once.
    has_given_up: bool,
}

impl<F: Files> Journal<F> {
    /// Begins a journal with its first segment, which begins with this image. A name is that of a
    /// file, with no directories in it.
    ///
    /// # Errors
    ///
    /// There is a journal of this name, or it cannot be written.
    pub fn create(
        files: F,
        name: &str,
        identity: Identity,
        settings: Settings,
        image: &[u8],
    ) -> Result<Self, Error> {
        if let Some((_, there)) = segments(&files, name)?.first() {
            let source = io::ErrorKind::AlreadyExists.into();
            return Err(Error::system("begin", files.path(there), source));
        }
        let header = Header {
            identity,
            segment: 1,
            previous_end: 0,
        };
        let present = put_segment(&files, name, header, settings, image)?;
        Ok(Self {
            files,
            name: name.to_owned(),
            identity,
            settings,
            older: Vec::new(),
            present,
            next_block: Vec::new(),
            has_given_up: false,
        })
    }

    /// Goes on with a journal, and says what is in it; `None` where there is none of this name. What
    /// was not committed is removed from its end, and everything else is from now on as safe as the
    /// settings ask for, whatever they were before.
    ///
    /// # Errors
    ///
    /// It is damaged, somebody else's, of another version or not all there, and nothing was changed;
    /// or it cannot be read or written.
    pub fn open(
        files: F,
        name: &str,
        identity: Identity,
        settings: Settings,
    ) -> Result<Option<(Self, Past)>, Error> {
        Self::open_from(files, name, identity, settings, |_| false)
    }

    /// The same, where not everything that is in it is wanted: it is read from the newest segment on whose
    /// image is enough, or all of it where none is. Of segments before that only the headers are looked at.
    ///
    /// # Errors
    ///
    /// As with [`Journal::open`]; but whether what was not read is damaged is not known.
    pub fn open_from(
        files: F,
        name: &str,
        identity: Identity,
        settings: Settings,
        is_enough: impl FnMut(&[u8]) -> bool,
    ) -> Result<Option<(Self, Past)>, Error> {
        let names = segments(&files, name)?;
        let past = Past::read(&files, &names, identity, None, is_enough)?;
        let (Some((_, file_name)), Some((newest, older))) =
            (names.last(), past.segments().split_last())
        else {
            return Ok(None);
        };
        // Left by a death in the middle of `begin_segment`.
        let _ = files.remove(&draft_of(name, newest.number + 1));
        let failed = |doing, source| Error::system(doing, files.path(file_name), source);
        let mut file = files.open(file_name).map_err(|it| failed("open", it))?;
        if past.torn_bytes() > 0 {
            // What comes next is shorter, perhaps, and must not be followed by old bytes.
            file.cut(newest.end).map_err(|it| failed("shorten", it))?;
        }
        if settings.survives == Survives::Failure {
            settle(&files, &names, &past, &mut file)?;
        }
        let present = Segment {
            number: newest.number,
            file,
            salt: newest.salt,
            end: newest.end,
            reached: 0,
        };
        let journal = Self {
            files,
            name: name.to_owned(),
            identity,
            settings,
            older: { past.before().iter().copied() }
                .chain(older.iter().map(|it| (it.number, it.end)))
                .collect(),
            present,
            next_block: Vec::new(),
            has_given_up: false,
        };
        Ok(Some((journal, past)))
    }

    /// Appends a record to the next block. It is safe once it is committed, together with all others
    /// of its block.
    #[inline]
    pub fn append(&mut self, record: &[u8]) {
        put_record(&mut self.next_block, record);
    }

    /// Makes what was appended since the last time a block: from now on it survives what it has to,
    /// and what follows from it may be shown. Without it, at whatever moment the process dies, all of
    /// it is there or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Full`]: nothing has changed, and committing again when there is room is all that is
    /// needed; so it is where the kernel refused ([`Error::System`]). [`Error::NotSynced`]: nothing
    /// more can be appended. [`Error::TooLong`]: what was to be committed is forgotten.
    #[inline]
    pub fn commit(&mut self) -> Result<(), Error> {
        if self.next_block.is_empty() {
            return Ok(());
        }
        let contents = mem::take(&mut self.next_block);
        let done = self.commit_block(&contents);
        // The memory is used again; the contents too, where they could not be written.
        self.next_block = contents;
        if !matches!(done, Err(Error::Full { .. } | Error::System { .. })) {
            self.next_block.clear();
        }
        done
    }

    /// Commits, then begins a new segment with an image, which is safe when this returns. Returns the
    /// segment's number; the older ones stay until [`Journal::drop_before`].
    ///
    /// # Errors
    ///
    /// As with [`Journal::commit`]; then the journal goes on in the old segment.
    pub fn begin_segment(&mut self, image: &[u8]) -> Result<u64, Error> {
        self.commit()?;
        self.check()?;
        let header = Header {
            identity: self.identity,
            segment: self.present.number + 1,
            previous_end: self.present.end,
        };
        let begun = put_segment(&self.files, &self.name, header, self.settings, image);
        let begun = self.notice(begun)?;
        let (number, end) = (self.present.number, self.present.end);
        self.older.push((number, end));
        self.present = begun;
        Ok(self.present.number)
    }

    /// Removes the segments before this one, the oldest first, so that no death leaves a gap. The
    /// present one always stays.
    ///
    /// # Errors
    ///
    /// A file cannot be removed; those before it are.
    pub fn drop_before(&mut self, segment: u64) -> Result<(), Error> {
        self.check()?;
        while let Some((number, _)) = self.older.first().copied() {
            if number >= segment {
                break;
            }
            let removed = remove_file(&self.files, &name_of(&self.name, number), self.settings);
            self.notice(removed)?;
            self.older.remove(0);
        }
        Ok(())
    }

    /// What is in the journal now: all that was committed.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is damaged.
    pub fn past(&self) -> Result<Past, Error> {
        self.past_from(|_| false)
    }

    /// The same, from the newest segment on whose image is enough, as with [`Journal::open_from`].
    ///
    /// # Errors
    ///
    /// It cannot be read, or is damaged.
    pub fn past_from(&self, is_enough: impl FnMut(&[u8]) -> bool) -> Result<Past, Error> {
        let numbers = self.older.iter().map(|(number, _)| *number);
        let names: Vec<_> = { numbers.chain([self.present.number]) }
            .map(|number| (number, name_of(&self.name, number)))
            .collect();
        let end = Some(self.present.end);
        Past::read(&self.files, &names, self.identity, end, is_enough)
    }

    /// The number of the segment that is appended to.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.present.number
    }

    /// How many bytes its segments hold, without the room that was had ahead.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.present.end + self.bytes_before_segment()
    }

    /// How many of them are in older segments.
    #[must_use]
    pub fn bytes_before_segment(&self) -> u64 {
        self.older.iter().map(|(_, bytes)| bytes).sum()
    }

    #[inline]
    fn commit_block(&mut self, contents: &[u8]) -> Result<(), Error> {
        self.check()?;
        let (files, name, number) = (&self.files, &self.name, self.present.number);
        let path = || files.path(&name_of(name, number));
        put_block(&mut self.present, contents, self.settings, path)?;
        if self.settings.survives == Survives::Failure {
            let synced = self.present.file.sync();
            let synced = synced.map_err(|source| Error::NotSynced {
                path: path(),
                source,
            });
            self.notice(synced)?;
        }
        Ok(())
    }

    #[inline]
    fn check(&self) -> Result<(), Error> {
        match self.has_given_up {
            false => Ok(()),
            true => Err(Error::GivenUp {
                path: self.files.path(&name_of(&self.name, self.present.number)),
            }),
        }
    }

    fn notice<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.has_given_up |= matches!(result, Err(Error::NotSynced { .. }));
        result
    }
}
