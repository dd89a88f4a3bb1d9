//! A full mesh of children: every pipe is made by the parent, and its ends are handed over in
//! tiles of 16 × 16, many in a message.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use nix::unistd;

use crate::error::{Error, While};

const TILE: usize = 16;

/// What the pipes of commands and replies are asked to hold: a whole window of either.
const LARGE_PIPE: i32 = 256 * 1024;

/// One child, as its parent has it.
pub(crate) struct Child {
    pub(crate) commands: File,
    pub(crate) replies: File,
    hatch: OwnedFd,
    process: std::process::Child,
}

/// The two channel ends to and from one peer, as numbers.
#[derive(Clone, Copy)]
struct Ends {
    write: RawFd,
    read: RawFd,
}

/// What a child was handed: by peer, nothing for itself.
pub(crate) struct Handed(Vec<Option<Ends>>);

/// Starts a number of children and connects every two; all have answered when it returns.
pub(crate) fn build(nodes: usize, role: &str) -> Result<Vec<Child>, Error> {
    let mut children = Vec::new();
    for index in 0..nodes {
        children.push(start(role, index, nodes)?);
    }
    let mut first = 0;
    while first < nodes {
        let end = nodes.min(first + TILE);
        for other in (0..first).step_by(TILE) {
            connect(&children, other..other + TILE, first..end)?;
        }
        connect(&children, first..end, first..end)?;
        first = end;
    }
    for child in &mut children {
        super::answered(&mut child.replies)?;
    }
    Ok(children)
}

/// Has the children end, and waits for them.
pub(crate) fn end(children: Vec<Child>) -> Result<(), Error> {
    let mut processes = Vec::new();
    for child in children {
        processes.push(child.process);
        drop(child.commands);
    }
    for mut process in processes {
        process.wait().while_("wait for a raw child")?;
    }
    Ok(())
}

fn start(role: &str, index: usize, nodes: usize) -> Result<Child, Error> {
    let pipe = || unistd::pipe2(OFlag::O_CLOEXEC).while_("make a pipe");
    let (commands_read, commands) = pipe()?;
    let (replies, replies_write) = pipe()?;
    if role == "serve" {
        // Where the system refuses, the usual size does for the usual script.
        let _ = fcntl(&commands, FcntlArg::F_SETPIPE_SZ(LARGE_PIPE));
        let _ = fcntl(&replies, FcntlArg::F_SETPIPE_SZ(LARGE_PIPE));
    }
    let (hatch, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .while_("make a socket pair")?;
    let process = Command::new(crate::own_path()?)
        .args(["child", role, &index.to_string(), &nodes.to_string()])
        .stdin(Stdio::from(commands_read))
        .stdout(Stdio::from(replies_write))
        // The only other descriptor that std passes on without unsafe code.
        .stderr(Stdio::from(theirs))
        .spawn()
        .while_("start a raw child")?;
    Ok(Child {
        commands: commands.into(),
        replies: replies.into(),
        hatch,
        process,
    })
}

/// Connects each of `rows` with each of `columns`, which are the same or disjoint.
fn connect(
    children: &[Child],
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) -> Result<(), Error> {
    let is_diagonal = rows == columns;
    let pipe = || unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).while_("make a pipe");
    let mut to_rows: Vec<Vec<OwnedFd>> = rows.clone().map(|_| Vec::new()).collect();
    let mut to_columns: Vec<Vec<OwnedFd>> = columns.clone().map(|_| Vec::new()).collect();
    for (row, to_row) in rows.clone().zip(&mut to_rows) {
        for (column, to_column) in columns.clone().zip(&mut to_columns) {
            if is_diagonal && row >= column {
                continue;
            }
            let ((forth_read, forth_write), (back_read, back_write)) = (pipe()?, pipe()?);
            to_row.extend([forth_write, back_read]);
            to_column.extend([back_write, forth_read]);
        }
    }
    for (at, row) in rows.clone().enumerate() {
        let first = if is_diagonal { row + 1 } else { columns.start };
        hand_over(&children[row], first, &to_rows[at])?;
    }
    for (column, ends) in columns.zip(&to_columns) {
        hand_over(&children[column], rows.start, ends)?;
    }
    Ok(())
}

/// Hands over the ends to and from the peers from `first` on, a pair each.
fn hand_over(child: &Child, first: usize, ends: &[OwnedFd]) -> Result<(), Error> {
    if ends.is_empty() {
        return Ok(());
    }
    let raw: Vec<RawFd> = ends.iter().map(AsRawFd::as_raw_fd).collect();
    let first = (first as u32).to_le_bytes();
    let (rights, bytes) = ([ControlMessage::ScmRights(&raw)], [IoSlice::new(&first)]);
    loop {
        let hatch = child.hatch.as_raw_fd();
        match sendmsg::<()>(hatch, &bytes, &rights, MsgFlags::MSG_NOSIGNAL, None) {
            Ok(_) => return Ok(()),
            // Too many on their way: others have to take theirs first.
            Err(Errno::ETOOMANYREFS) => thread::sleep(Duration::from_millis(1)),
            Err(errno) => return Err(errno).while_("hand pipe ends over"),
        }
    }
}

/// The child: takes its ends and says so.
pub(crate) fn take_ends(index: usize, nodes: usize) -> Result<Handed, Error> {
    let mut handed = vec![None; nodes];
    let mut left = nodes - 1;
    let mut control = nix::cmsg_space!([RawFd; 2 * TILE]);
    while left > 0 {
        let mut first = [0; 4];
        let mut parts = [IoSliceMut::new(&mut first)];
        let stderr = std::io::stderr().as_raw_fd();
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(stderr, &mut parts, Some(&mut control), flags)
            .while_("take pipe ends")?;
        let mut ends: Vec<RawFd> = Vec::new();
        for part in message.cmsgs().while_("take all pipe ends")? {
            if let ControlMessageOwned::ScmRights(raw) = part {
                ends.extend(raw);
            }
        }
        if ends.is_empty() {
            return Err(Error::RawChild);
        }
        let first = u32::from_le_bytes(first) as usize;
        for (peer, ends) in (first..).zip(ends.chunks_exact(2)) {
            debug_assert_ne!(peer, index, "nobody is its own peer");
            handed[peer] = Some(Ends {
                write: ends[0],
                read: ends[1],
            });
            left -= 1;
        }
    }
    super::answer(index as u64)?;
    Ok(Handed(handed))
}

/// A pair of channel ends that can be used.
pub(crate) struct Channel {
    pub(crate) write: File,
    pub(crate) read: File,
}

impl Handed {
    /// Opens everything once more, and closes what came; by peer.
    pub(crate) fn open(&self, nonblocking: bool) -> Result<Vec<Option<Channel>>, Error> {
        let flags = if nonblocking {
            OFlag::O_NONBLOCK.bits()
        } else {
            0
        };
        let again = |fd: RawFd, write: bool| {
            let mut options = OpenOptions::new();
            options.read(!write).write(write).custom_flags(flags);
            options
                .open(format!("/proc/self/fd/{fd}"))
                .while_("open a pipe once more")
        };
        let open = |ends: &Ends| {
            let (write, read) = (again(ends.write, true)?, again(ends.read, false)?);
            for end in [ends.write, ends.read] {
                unistd::close(end).while_("close a pipe end")?;
            }
            Ok(Channel { write, read })
        };
        let opened = self
            .0
            .iter()
            .map(|ends| ends.as_ref().map(open).transpose());
        opened.collect()
    }
}
