//! What hosts say to each other.
//!
//! There are two lanes. *Frames* carries what nodes say, and where it ends: one lane, so that what is
//! sent first comes first. *Control* carries everything else, which may come before or after.

use pipes::{Death, from_bytes, to_bytes};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The number of a host: its rank. 0 is that of the one whose orders the others carry out.
pub type Host = usize;

/// A pipe from one host to another, or between two processes of a host other than 0. Each number is
/// used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stream(pub u64);

/// A process that was started on a host other than 0. Each number is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name(pub u64);

/// In which of two orders a message keeps its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// What goes through streams.
    Frames,
    /// Everything else.
    Control,
}

/// Which end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// Where frames go in.
    Write,
    /// Where they come out.
    Read,
}

/// An end of a pipe, for a process of the host that is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndOf {
    /// The pipe.
    pub stream: Stream,
    /// Which end.
    pub side: Side,
    /// Where the other end is.
    pub other: Host,
}

/// What is said on the control lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// The first words of each host.
    Hello(Introduction),
    /// This many more bytes of a stream may be sent.
    Credit(Stream, u64),
    /// Nobody reads a stream any more.
    NobodyReads(Stream),
    /// To host 0's agents: start a process. Its input and output are streams from and to host 0.
    Start {
        /// How it will be called.
        name: Name,
        /// What is started, by the name of its file.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// What it is to read.
        input: Stream,
        /// What it is to write.
        output: Stream,
    },
    /// A process was started, and has this pid; or why it was not.
    Started(Name, Result<u32, String>),
    /// Hand a process these ends, with a frame that says what they are for; to nobody: close them.
    HandOver {
        /// To whom.
        to: Option<Name>,
        /// The frame.
        what: Vec<u8>,
        /// The ends, in order.
        ends: Vec<EndOf>,
    },
    /// Kill a process.
    Kill(Name),
    /// Do something that concerns this host only, of which whoever carries frames knows nothing.
    Errand(Vec<u8>),
    /// What came of it, or why nothing did. Errands are answered in order.
    Ran(Result<Vec<u8>, String>),
    /// A process has ended.
    Died(Name, Ended),
    /// Somebody is there.
    Alive,
    /// Something went wrong that ends everything.
    Failed(String),
    /// Everything is over.
    Over,
}

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// Killed by this signal.
    Signal(i32),
    /// By itself, with this status.
    Exit(i32),
}

impl From<Death> for Ended {
    fn from(death: Death) -> Self {
        match death {
            Death::Signal(number) => Self::Signal(number),
            Death::Exit(status) => Self::Exit(status),
        }
    }
}

impl From<Ended> for Death {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Signal(number) => Self::Signal(number),
            Ended::Exit(status) => Self::Exit(status),
        }
    }
}

/// Who a host is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// Its name in the network.
    pub host: String,
    /// Of which build its programs are; the same on all hosts.
    pub build: u64,
    /// What keeps it from taking part.
    pub trouble: Option<String>,
}

impl Control {
    /// As a message.
    ///
    /// # Errors
    ///
    /// Never, for what is above.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        Ok(to_bytes(self)?)
    }

    /// From a message.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(from_bytes(bytes)?)
    }
}

/// A message of the frames lane: pieces of streams, one after the other.
#[derive(Debug, Default)]
pub struct Pieces(Vec<u8>);

/// A piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next frames.
    Frames(&'a [u8]),
    /// Nothing more comes.
    End,
}

/// The number of the stream, and how many bytes follow, plus one; 0 for the end.
const HEAD: usize = 8 + 4;

impl Pieces {
    /// Appends a piece.
    pub fn push(&mut self, stream: Stream, piece: Piece<'_>) {
        let (length, bytes) = match piece {
            Piece::Frames(bytes) => (bytes.len() as u32 + 1, bytes),
            Piece::End => (0, &[][..]),
        };
        self.0.extend_from_slice(&stream.0.to_le_bytes());
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// How many bytes these are.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// The message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Takes a message apart.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn read(mut rest: &[u8]) -> impl Iterator<Item = Result<(Stream, Piece<'_>), Error>> {
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let piece = Self::next(&mut rest);
            if piece.is_err() {
                rest = &[];
            }
            Some(piece)
        })
    }

    fn next<'a>(rest: &mut &'a [u8]) -> Result<(Stream, Piece<'a>), Error> {
        let (head, behind) = rest.split_first_chunk::<HEAD>().ok_or(Error::Garbled)?;
        let (stream, length) = head.split_first_chunk().ok_or(Error::Garbled)?;
        let stream = Stream(u64::from_le_bytes(*stream));
        let length = length.first_chunk().ok_or(Error::Garbled)?;
        let Some(length) = (u32::from_le_bytes(*length) as usize).checked_sub(1) else {
            *rest = behind;
            return Ok((stream, Piece::End));
        };
        let (bytes, behind) = behind.split_at_checked(length).ok_or(Error::Garbled)?;
        *rest = behind;
        Ok((stream, Piece::Frames(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_as_they_were_and_a_part_of_one_is_an_error() {
        let mut pieces = Pieces::default();
        let all = [
            (Stream(7), Piece::Frames(&[1, 2, 3][..])),
            (Stream(u64::MAX), Piece::End),
            (Stream(8), Piece::Frames(&[])),
        ];
        for (stream, piece) in all {
            pieces.push(stream, piece);
        }
        let bytes = pieces.into_bytes();
        let back: Result<Vec<_>, _> = Pieces::read(&bytes).collect();
        assert_eq!(back.unwrap(), all);
        let ends = [0, HEAD + 3, 2 * HEAD + 3, bytes.len()];
        for cut in 0..bytes.len() {
            let is_whole = Pieces::read(&bytes[..cut]).all(|piece| piece.is_ok());
            assert_eq!(is_whole, ends.contains(&cut), "cut at {cut}");
        }
    }
}
