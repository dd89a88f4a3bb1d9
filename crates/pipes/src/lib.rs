//! The ends of pipes, and the processes that hold them.
//!
//! | to | is |
//! |---|---|
//! | write and read frames | [`Sender`], [`Receiver`] |
//! | wait until one of many ends can go on; of a few, once | [`Poller`] (epoll); [`WaitSet`] (poll) |
//! | wait no longer than a signal or a deadline allows | [`Patience`] |
//! | hand pipe ends over to a process that already runs, and say what they are for | [`Hatch`] |
//! | hold a directory that others may want too | [`Directory`] |
//! | write to a file without a system call, so that it survives this process | [`MappedFile`] |
//! | start a child that cannot outlive its parent; be that child | [`spawn`]; [`parent`] |
//! | hear of the deaths of children | [`Deaths`] |
//!
#![doc = include_str!("../README.md")]

mod child;
mod deaths;
mod directory;
mod end;
mod frame;
mod hatch;
mod limits;
mod mapped;
mod needs;
mod patience;
mod placement;
mod poller;
mod raw;
mod stream;
#[allow(unsafe_code)]
mod sys;
mod wait_set;

use std::io;

use nix::errno::Errno;

pub use child::{
    Child, Death, Parent, Process, Started, close_inherited_on_exec, leave_signals_to_others,
    parent, parent_pid, spawn, start,
};
pub use deaths::Deaths;
pub use directory::{Directory, is_ours};
pub use end::{Fill, Flush, Frames, Receiver, Scratch, Sender};
pub use frame::{MAX_FRAME, decode, encode, from_bytes, to_bytes, whole_frames};
pub use hatch::{HandOver, Hatch, MAX_DESCRIPTORS, PipeEnds, pipe};
pub use limits::{
    DescriptorLimit, cpu_time, descriptor_limit, outlive_the_file_size_limit,
    raise_descriptor_limit,
};
pub use mapped::MappedFile;
pub use needs::{Needs, Shortage};
pub use patience::{Caught, Patience};
pub use placement::{Yielder, give_way, share_a_place_among, stay_on_cpu, stay_on_this_cpu};
pub use poller::{Poller, Token};
pub use raw::{Moved, RawEnd};
pub use stream::{
    Input, Read, Terminal, has_room, open_again_to_read, open_to_read, open_to_write,
    read_patiently, write_patiently,
};
pub use wait_set::{WaitSet, Waited};

/// What can go wrong at a pipe, a hatch or a child.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done, as a verb and its object.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program:?}: {source}{}", what_helps(.source))]
    Spawn {
        /// The program's path.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A frame to be sent, or the length that announced a received one, is over [`MAX_FRAME`].
    #[error("a frame of {length} bytes is longer than the {MAX_FRAME} that are allowed")]
    FrameTooLong {
        /// The frame's length in bytes, header included.
        length: usize,
    },
    /// A value cannot be written as a frame.
    #[error("a value cannot be written as a frame: {0}")]
    Unwritable(String),
    /// The bytes of a received frame are not a value of the expected type.
    #[error("malformed frame of {length} bytes: {reason}")]
    Malformed {
        /// The frame's length in bytes, header included.
        length: usize,
        /// What the decoder found.
        reason: String,
    },
    /// A hand-over brought another number of descriptors than was announced.
    #[error("{got} descriptors came through the hatch, {expected} were announced")]
    HandOver {
        /// How many were announced.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// Descriptors could not be handed over: too many are on their way already.
    #[error(
        "cannot hand pipe ends over: the process does not take them, or this user has as many \
         descriptors on their way between processes as one may have open (`ulimit -n`)"
    )]
    TooManyOnTheirWay,
    /// This process has as many descriptors open as it may.
    #[error("cannot {doing}: too many open descriptors (`ulimit -n` shows the limit)")]
    OutOfDescriptors {
        /// What was being done, as a verb and its object.
        doing: &'static str,
    },
    /// This process was not started by [`spawn`].
    #[error("not started through its parent's pipes")]
    NotAChild,
}

fn what_helps(not_started: &io::Error) -> &'static str {
    match not_started.raw_os_error() {
        Some(errno) if errno == Errno::EAGAIN as i32 => {
            "; it may be one process too many (`ulimit -u` shows the limit)"
        }
        _ => "",
    }
}

impl Error {
    pub(crate) fn system(doing: &'static str, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        match source.raw_os_error() {
            Some(errno) if errno == Errno::EMFILE as i32 => Self::OutOfDescriptors { doing },
            _ => Self::System { doing, source },
        }
    }
}
