//! What is in a journal: read as a whole and checked before any of it is shown.
//!
//! The rule by which an end is told from damage: a block is begun only once the one before it is
//! whole and as safe as the journal's settings ask for. So of all that a death leaves, and of all that
//! a failure of the machine leaves of a journal that is to survive one, only the last block can be
//! other than whole. Where something is not whole and a whole block follows, or the next segment says
//! that there was more, it is damage, and refused.

use std::path::PathBuf;
use std::slice;

use crate::format::{
    HEADER, Header, NoHeader, WORD, block_at, block_end, first_record, without_zeros,
};
use crate::{Error, Files, Identity};

/// The records of a journal, oldest first, as they were when it was read.
#[derive(Debug)]
pub struct Past {
    /// What was not read: the numbers of segments, and where each ends.
    before: Vec<(u64, u64)>,
    segments: Vec<Segment>,
    torn: u64,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'p> {
    /// The number of the segment that it is in.
    pub segment: u64,
    /// Where it lies in that segment's file, in bytes from the beginning.
    pub at: u64,
    /// Whether it is the image with which the segment begins.
    pub is_image: bool,
    /// The record itself.
    pub bytes: &'p [u8],
}

/// A segment that was read and is whole up to its end.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) salt: u32,
    /// Where its last block begins, and where it ends.
    pub(crate) last_block: u64,
    pub(crate) end: u64,
}

impl Past {
    /// All records that were read, in the order in which they were appended. The first of every segment is
    /// its image.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        Records {
            segments: self.segments.iter(),
            segment: None,
            next_block: 0,
            contents: &[],
            contents_end: 0,
        }
    }

    /// The number of the newest segment.
    #[must_use]
    pub fn newest_segment(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.number)
    }

    /// How many bytes at the end were no whole block: what was being appended when the process died,
    /// or the machine failed. Nobody has been promised them.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.torn
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segments before those that were read: their numbers, and where each ends.
    pub(crate) fn before(&self) -> &[(u64, u64)] {
        &self.before
    }

    /// Reads these segments of a journal, all there are, whose files have these names: from the newest
    /// back to one whose image is enough, and only the headers of those before it. Where the last one ends
    /// is known already, or is where the first thing lies that is not whole.
    pub(crate) fn read(
        files: &impl Files,
        names: &[(u64, String)],
        identity: Identity,
        end_of_last: Option<u64>,
        mut is_enough: impl FnMut(&[u8]) -> bool,
    ) -> Result<Self, Error> {
        let mut past = Self {
            before: Vec::new(),
            segments: Vec::with_capacity(names.len()),
            torn: 0,
        };
        let (mut end, mut is_wanted) = (end_of_last, true);
        for (number, name) in names.iter().rev() {
            let path = || files.path(name);
            let most = if is_wanted { u64::MAX } else { HEADER };
            let bytes = files.read(name, most);
            let bytes = bytes.map_err(|source| Error::system("read", path(), source))?;
            let header = header_of(&bytes, *number, identity, path)?;
            if is_wanted {
                let (segment, torn) = Segment::read(*number, bytes, header, end, path)?;
                past.torn += torn;
                is_wanted = !segment.image().is_some_and(&mut is_enough);
                past.segments.push(segment);
            } else {
                past.before.push((*number, end.unwrap_or(0)));
            }
            end = Some(header.previous_end);
        }
        past.before.reverse();
        past.segments.reverse();
        Ok(past)
    }
}

impl Segment {
    /// Checks a segment up to its end, if that is known; also returns how many bytes behind it are torn.
    fn read(
        number: u64,
        mut bytes: Vec<u8>,
        header: Header,
        end: Option<u64>,
        path: impl Fn() -> PathBuf,
    ) -> Result<(Self, u64), Error> {
        let salt = header.salt();
        let whole = whole_blocks(&bytes, salt, end);
        let (last_block, found) = whole.map_err(|Broken { at, followed_at }| Error::Damaged {
            path: path(),
            at,
            followed_at,
        })?;
        let torn = match end {
            Some(_) => 0,
            None => (without_zeros(&bytes).len() as u64).saturating_sub(found),
        };
        bytes.truncate(usize::try_from(found).unwrap_or(usize::MAX));
        let segment = Self {
            number,
            bytes,
            salt,
            last_block,
            end: found,
        };
        Ok((segment, torn))
    }

    /// What it begins with.
    fn image(&self) -> Option<&[u8]> {
        let range = block_at(&self.bytes, HEADER, self.salt)?;
        first_record(&self.bytes[range]).map(|(image, _)| image)
    }
}

/// The header of the segment that has this number by its name.
fn header_of(
    bytes: &[u8],
    number: u64,
    identity: Identity,
    path: impl Fn() -> PathBuf,
) -> Result<Header, Error> {
    let damaged = |at| Error::Damaged {
        path: path(),
        at,
        followed_at: None,
    };
    let header = Header::from_bytes(bytes).map_err(|why| match why {
        NoHeader::NotAJournal => Error::NotAJournal { path: path() },
        NoHeader::Version(found) => Error::OtherVersion {
            path: path(),
            found,
        },
        NoHeader::Damaged => damaged(0),
    })?;
    if header.identity != identity {
        return Err(Error::OtherIdentity {
            path: path(),
            found: header.identity,
            expected: identity,
        });
    }
    match header.segment == number {
        true => Ok(header),
        false => Err(damaged(0)),
    }
}

/// Where blocks stop being whole, and this is not the end.
struct Broken {
    at: u64,
    followed_at: Option<u64>,
}

/// Where the last block begins and ends: at `end`, where that is known, else before the first that is
/// not whole. A segment has one block at least.
fn whole_blocks(bytes: &[u8], salt: u32, end: Option<u64>) -> Result<(u64, u64), Broken> {
    let (mut last, mut at) = (0, HEADER);
    while end != Some(at) {
        let Some(contents) = block_at(bytes, at, salt) else {
            break;
        };
        (last, at) = (at, block_end(at, contents.len()));
    }
    let behind = without_zeros(bytes);
    let next = (at + WORD..behind.len() as u64).step_by(WORD as usize);
    let followed_at = match end {
        Some(_) => None,
        None => { next }.find(|at| block_at(behind, *at, salt).is_some()),
    };
    let is_the_end = end.unwrap_or(at) == at && followed_at.is_none();
    match is_the_end && last > 0 {
        true => Ok((last, at)),
        false => Err(Broken { at, followed_at }),
    }
}

struct Records<'p> {
    segments: slice::Iter<'p, Segment>,
    segment: Option<&'p Segment>,
    /// Where in the segment the next block begins.
    next_block: u64,
    /// What is left of the block that is being read, and where in the segment it ends.
    contents: &'p [u8],
    contents_end: u64,
}

impl<'p> Iterator for Records<'p> {
    type Item = Record<'p>;

    fn next(&mut self) -> Option<Record<'p>> {
        loop {
            if let (Some(segment), Some((bytes, rest))) =
                (self.segment, first_record(self.contents))
            {
                let at = self.contents_end - self.contents.len() as u64;
                self.contents = rest;
                return Some(Record {
                    segment: segment.number,
                    at,
                    is_image: at == HEADER + WORD,
                    bytes,
                });
            }
            match self.segment {
                Some(segment) if self.next_block < segment.end => self.open_block(segment)?,
                _ => {
                    self.segment = Some(self.segments.next()?);
                    self.next_block = HEADER;
                }
            }
        }
    }
}

impl<'p> Records<'p> {
    /// The blocks were found to be whole when they were read.
    fn open_block(&mut self, segment: &'p Segment) -> Option<()> {
        let start = usize::try_from(self.next_block + WORD).ok()?;
        let word = segment.bytes.get(start - WORD as usize..start)?;
        let length = u32::from_le_bytes(*word.first_chunk()?) as usize;
        self.contents = segment.bytes.get(start..start.checked_add(length)?)?;
        self.contents_end = self.next_block + WORD + length as u64;
        self.next_block = block_end(self.next_block, length);
        Some(())
    }
}
