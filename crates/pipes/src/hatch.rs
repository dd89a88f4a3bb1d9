//! The hatch: a socket through which pipe ends are handed to a process that already runs
//! (`SCM_RIGHTS`). Nothing else ever travels through it.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use nix::unistd;

use crate::{Error, sys};

/// The most descriptors that one hand-over carries (the kernel's `SCM_MAX_FD`).
pub const MAX_DESCRIPTORS: usize = 253;

/// A pipe end on its way to the process that will use it: whoever carries it cannot read or write.
#[derive(Debug)]
pub struct RawEnd(pub(crate) OwnedFd);

impl RawEnd {
    /// Makes it the sending end that it is.
    #[must_use]
    pub fn into_sender<T: serde::Serialize>(self) -> crate::Sender<T> {
        crate::Sender::new(self.0)
    }

    /// Makes it the receiving end that it is.
    #[must_use]
    pub fn into_receiver<T: serde::de::DeserializeOwned>(self) -> crate::Receiver<T> {
        crate::Receiver::new(self.0)
    }
}

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

/// What became of a hand-over.
#[derive(Debug)]
#[must_use = "ends that could not be handed over yet come back"]
pub enum HandOver {
    /// The ends are on their way.
    Done,
    /// The receiver is gone; its owner notices that by the end of file of its pipe.
    Gone,
    /// Too many are on their way already, in this hatch or in all of them (an ordinary user may
    /// have as many as one process may have open): to be tried again when some have been taken.
    Later(Vec<RawEnd>),
}

/// One end of a hatch. Each hand-over is a message of its own and arrives in order.
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

    /// Hands `ends` over, in this order; this process's copies are closed. At most
    /// [`MAX_DESCRIPTORS`].
    ///
    /// # Errors
    ///
    /// Too many ends at once, or the kernel refused.
    pub fn hand_over(&self, ends: Vec<RawEnd>) -> Result<HandOver, Error> {
        let raw: Vec<RawFd> = ends.iter().map(|end| end.0.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let byte = [IoSlice::new(b"\0")];
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        loop {
            let fd = self.0.as_raw_fd();
            match sendmsg::<()>(fd, &byte, &rights, flags, None) {
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

    /// Takes the next hand-over, which was announced to hold `expected` ends; waits for it.
    ///
    /// # Errors
    ///
    /// Another number came, some were cut off for want of descriptors, or the other side is gone.
    pub fn take(&self, expected: usize) -> Result<Vec<RawEnd>, Error> {
        let mut control = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
        let mut byte = [0u8; 1];
        let mut parts = [IoSliceMut::new(&mut byte)];
        let message = loop {
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let fd = self.0.as_raw_fd();
            match recvmsg::<()>(fd, &mut parts, Some(&mut control), flags) {
                Ok(message) => break message,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::system("take pipe ends", errno)),
            }
        };
        if message.bytes == 0 {
            let gone = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(Error::system("take pipe ends", gone));
        }
        let mut ends = Vec::new();
        let received = message
            .cmsgs()
            .map_err(|errno| Error::system("take all pipe ends (descriptors ran out)", errno))?;
        for control in received {
            if let ControlMessageOwned::ScmRights(raw) = control {
                ends.extend(raw.into_iter().map(|fd| RawEnd(sys::adopt(fd))));
            }
        }
        if ends.len() != expected {
            return Err(Error::HandOver {
                expected,
                got: ends.len(),
            });
        }
        Ok(ends)
    }
}

impl AsFd for Hatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests;
