//! What the bytes of a segment are. The README of this crate has it as a table.

use std::ops::Range;

use crc32fast::Hasher;

use crate::Identity;

/// The version of the format that is written and read.
pub(crate) const VERSION: u32 = 1;
/// How long a header is, in bytes; the first block follows it.
pub(crate) const HEADER: u64 = 48;
/// What stands before the contents of a block: its word.
pub(crate) const WORD: u64 = 8;
/// Every block begins at a multiple of this.
const ALIGNED: u64 = 8;

const MAGIC: [u8; 8] = *b"journal\n";

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    /// Which of the journal's segments this is.
    pub(crate) segment: u64,
    /// Where the last block of the segment before ended; 0 where there was none.
    pub(crate) previous_end: u64,
}

/// Why a file does not begin with a header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoHeader {
    NotAJournal,
    Version(u32),
    Damaged,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER as usize] {
        let mut bytes = [0; HEADER as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let words = [
            self.identity.run,
            self.identity.writer,
            self.segment,
            self.previous_end,
        ];
        for (to, word) in bytes[16..].chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        let checksum = header_checksum(&bytes);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, NoHeader> {
        if !bytes.starts_with(&MAGIC) {
            return Err(NoHeader::NotAJournal);
        }
        // What is checked so far is the same in every version.
        let header = bytes.get(..HEADER as usize).ok_or(NoHeader::Damaged)?;
        if number(header, 12) != Some(header_checksum(header)) {
            return Err(NoHeader::Damaged);
        }
        match number(header, 8) {
            Some(VERSION) => {}
            other => return Err(NoHeader::Version(other.unwrap_or_default())),
        }
        let word = |at| word(header, at).ok_or(NoHeader::Damaged);
        Ok(Self {
            identity: Identity {
                run: word(16)?,
                writer: word(24)?,
            },
            segment: word(32)?,
            previous_end: word(40)?,
        })
    }

    /// What the checksum of every block of this segment depends on, so that a block of another is
    /// none of this one.
    pub(crate) fn salt(self) -> u32 {
        header_checksum(&self.to_bytes())
    }
}

/// The word of a block with these contents at this place: its length and its checksum. Never 0,
/// which is where a journal ends: contents are never empty. `None` where they are too long.
pub(crate) fn block_word(salt: u32, at: u64, contents: &[u8]) -> Option<u64> {
    let length = u32::try_from(contents.len()).ok()?;
    // The same contents have another checksum wherever one is begun differently. To go through the place
    // as well would take as long as through the few bytes that most blocks are.
    let place = (at / ALIGNED) as u32;
    let mut hasher = Hasher::new_with_initial(salt ^ place);
    hasher.update(contents);
    Some(u64::from(length) | u64::from(hasher.finalize()) << 32)
}

/// Where a block with contents of this length at this place ends, and the next one begins.
pub(crate) fn block_end(at: u64, length: usize) -> u64 {
    (at + WORD + length as u64).next_multiple_of(ALIGNED)
}

/// The contents of the block that begins here, as a range of `bytes`; `None` where no whole one does.
pub(crate) fn block_at(bytes: &[u8], at: u64, salt: u32) -> Option<Range<usize>> {
    let word = word(bytes, usize::try_from(at).ok()?)?;
    let length = usize::try_from(word & u64::from(u32::MAX)).ok()?;
    let start = usize::try_from(at + WORD).ok()?;
    let range = start..start.checked_add(length)?;
    let contents = bytes.get(range.clone())?;
    // Records are looked at first: what is no block is hardly ever made of them, and that is seen
    // sooner than a checksum is made of it.
    let is_whole = !contents.is_empty()
        && consists_of_records(contents)
        && block_word(salt, at, contents) == Some(word);
    is_whole.then_some(range)
}

/// Appends a record to the contents of a block: its length in groups of seven bits, the lowest first,
/// all but the last with their eighth bit set; then its bytes.
#[inline]
pub(crate) fn put_record(contents: &mut Vec<u8>, record: &[u8]) {
    let mut length = record.len();
    while length >= 0x80 {
        contents.push(length as u8 | 0x80);
        length >>= 7;
    }
    contents.push(length as u8);
    contents.extend_from_slice(record);
}

/// The first record and what follows it; `None` where there is none.
#[inline]
pub(crate) fn first_record(contents: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut shift) = (0_usize, 0_u32);
    for (digit, next) in contents.iter().zip(1..) {
        length |= usize::from(digit & 0x7f).checked_shl(shift)?;
        if digit & 0x80 == 0 {
            return contents[next..].split_at_checked(length);
        }
        shift += 7;
    }
    None
}

/// The bytes up to the last one that is not zero.
pub(crate) fn without_zeros(bytes: &[u8]) -> &[u8] {
    const PIECE: usize = 4096;
    let is_zero = |piece: &[u8]| piece.iter().fold(0, |all, byte| all | byte) == 0;
    let mut end = bytes.len();
    // In pieces, all of whose bytes are looked at: that is many at once.
    while end > 0 && is_zero(&bytes[end.saturating_sub(PIECE)..end]) {
        end = end.saturating_sub(PIECE);
    }
    let last = bytes[..end].iter().rposition(|byte| *byte != 0);
    &bytes[..last.map_or(0, |last| last + 1)]
}

fn consists_of_records(mut contents: &[u8]) -> bool {
    while !contents.is_empty() {
        match first_record(contents) {
            Some((_, rest)) => contents = rest,
            None => return false,
        }
    }
    true
}

fn header_checksum(header: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&header[..12]);
    hasher.update(&header[16..]);
    hasher.finalize()
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}
