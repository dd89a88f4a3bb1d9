//! The hatch: a socket through which pipe ends are handed to a process that already runs
//! (`SCM_RIGHTS`), with what is to be said of them.
//!
//! Each message is one frame and the ends that go with it: both arrive, or neither, and nothing of
//! one message is ever taken for a part of another. Whoever cannot read a message closes the ends
//! that came with it.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::{SCM_RIGHTS, SOL_SOCKET};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};
use nix::unistd;
use serde::{Serialize, de::DeserializeOwned};

use crate::frame::{self, MAX_FRAME};
use crate::{Error, RawEnd, WaitSet, sys};

/// The most descriptors that one message carries (the kernel's `SCM_MAX_FD`).
pub const MAX_DESCRIPTORS: usize = 253;

/// Both ends of a new pipe.
#[derive(Debug)]
pub struct PipeEnds {
    /// Where frames go in.
    pub write: RawEnd,
    /// Where frames come out.
    pub read: RawEnd,
}

/// Makes a pipe, nonblocking and close-on-exec at both ends.
///
/// # Errors
///
/// The kernel refused, most often for want of descriptors.
pub fn pipe() -> Result<PipeEnds, Error> {
    let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
        .map_err(|errno| Error::system("make a pipe", errno))?;
    Ok(PipeEnds {
        write: RawEnd(write),
        read: RawEnd(read),
    })
}

/// What became of a hand-over or an announcement.
#[derive(Debug)]
#[must_use = "ends that could not be handed over yet come back"]
pub enum HandOver {
    /// The ends are on their way.
    Done,
    /// The receiver is gone; its owner notices that by the end of file of its pipe.
    Gone,
    /// Too many are on their way already, in this hatch or in all of them (an ordinary user may
    /// have as many as one process may have open): to be tried again when some have been taken.
    /// Nothing was sent.
    Later(Vec<RawEnd>),
}

/// One end of a hatch. What is sent through it arrives in order, message by message. Both sides must
/// know which of them are announcements, and of what type, and which are bare hand-overs.
#[derive(Debug)]
pub struct Hatch(pub(crate) OwnedFd);

impl Hatch {
    /// The two ends of a new hatch.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn pair() -> Result<(Self, Self), Error> {
        let (a, b) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .map_err(|errno| Error::system("make a hatch", errno))?;
        Ok((Self(a), Self(b)))
    }

    /// Hands `ends` over, in this order, to a process that knows what they are for; this process's
    /// copies are closed. At most [`MAX_DESCRIPTORS`].
    ///
    /// # Errors
    ///
    /// Too many ends at once, or the kernel refused.
    pub fn hand_over(&self, ends: Vec<RawEnd>) -> Result<HandOver, Error> {
        self.announce(&(), ends)
    }

    /// Hands `ends` over as [`Hatch::hand_over`] does, perhaps none, and says what they are for.
    ///
    /// # Errors
    ///
    /// Too many ends at once, too long a frame, or the kernel refused; nothing was sent, and the ends
    /// are closed.
    pub fn announce<T: Serialize>(&self, what: &T, ends: Vec<RawEnd>) -> Result<HandOver, Error> {
        let mut room = [0; MAX_FRAME];
        let length = frame::encode_at(what, &mut room)?;
        self.announce_frame(&room[..length], ends)
    }

    /// Hands `ends` over as [`Hatch::announce`] does, where what they are for is a frame already.
    ///
    /// # Errors
    ///
    /// As for [`Hatch::announce`].
    pub fn announce_frame(&self, frame: &[u8], ends: Vec<RawEnd>) -> Result<HandOver, Error> {
        let frame = [IoSlice::new(frame)];
        let raw: Vec<RawFd> = ends.iter().map(|end| end.0.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        loop {
            match sendmsg::<()>(self.0.as_raw_fd(), &frame, &rights, flags, None) {
                Ok(_) => return Ok(HandOver::Done),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => {
                    return Ok(HandOver::Gone);
                }
                Err(Errno::ETOOMANYREFS | Errno::EAGAIN) => {
                    return Ok(HandOver::Later(ends));
                }
                Err(errno) => return Err(Error::system("hand pipe ends over", errno)),
            }
        }
    }

    /// Takes the next message, which must be a bare hand-over that was announced to hold `expected`
    /// ends; waits for it.
    ///
    /// # Errors
    ///
    /// Another number came, or another message; some ends were cut off for want of descriptors; or
    /// the other side is gone. What came is closed.
    pub fn take(&self, expected: usize) -> Result<Vec<RawEnd>, Error> {
        let ends = loop {
            if let Some(((), ends)) = self.next()? {
                break ends;
            }
            let mut set = WaitSet::new();
            set.read_hatch(self);
            set.wait()?;
        };
        match ends.len() == expected {
            true => Ok(ends),
            false => Err(Error::HandOver {
                expected,
                got: ends.len(),
            }),
        }
    }

    /// The next announcement, with its ends in the order given, if one is there; never waits.
    ///
    /// # Errors
    ///
    /// What came is none of this type; some ends were cut off for want of descriptors; or the other
    /// side is gone. What came is closed, and taken: the next call brings the next message.
    pub fn next<T: DeserializeOwned>(&self) -> Result<Option<(T, Vec<RawEnd>)>, Error> {
        let mut control = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
        let mut room = [0; MAX_FRAME];
        let mut parts = [IoSliceMut::new(&mut room)];
        // MSG_TRUNC: the length that is told is that of the message, also where it does not fit in.
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let (length, flags) = loop {
            match recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Ok(message) => break (message.bytes, message.flags),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(Error::system("take pipe ends", errno)),
            }
        };
        // First of all: from here on they are closed, whatever is wrong.
        let ends = installed(&control);
        if flags.contains(MsgFlags::MSG_CTRUNC) {
            let doing = "take all pipe ends";
            return Err(Error::OutOfDescriptors { doing });
        }
        if length == 0 {
            let gone = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(Error::system("take pipe ends", gone));
        }
        let message = room.get(..length).ok_or(Error::FrameTooLong { length })?;
        Ok(Some((frame::decode_only(message)?, ends)))
    }
}

/// The descriptors that the kernel has just installed, from where it put their numbers, which was
/// filled with zeros before: one control message. Read here, since nix shows nothing of it where some
/// were cut off, and those that did come would stay open for ever.
fn installed(control: &[u8]) -> Vec<RawEnd> {
    const KIND: usize = size_of::<usize>();
    const NUMBERS: usize = KIND + 2 * size_of::<i32>();
    let rights = [SOL_SOCKET, SCM_RIGHTS].map(i32::to_ne_bytes);
    let Some(length) = control.first_chunk() else {
        return Vec::new();
    };
    if control.get(KIND..NUMBERS) != Some(rights.as_flattened()) {
        return Vec::new();
    }
    let numbers = control.get(NUMBERS..usize::from_ne_bytes(*length));
    let (numbers, _) = numbers.unwrap_or_default().as_chunks();
    let ends = numbers
        .iter()
        .map(|fd| sys::adopt(RawFd::from_ne_bytes(*fd)));
    ends.map(RawEnd).collect()
}

impl AsFd for Hatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests;
