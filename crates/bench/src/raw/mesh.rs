//! Children that are joined by pipes: every pipe is made by the parent. In a full mesh the ends are handed
//! over in tiles of 16 × 16, many in a message; in any other shape one by one.

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

use bank::topology::Shape;

use crate::error::{Error, While};
use crate::plan::Layout;

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

/// What the ends in a message are: two for each peer, to write and to read, or only one for one peer.
const BOTH: u8 = 0;
const WRITE: u8 = 1;
const READ: u8 = 2;

/// The channel ends that a child was handed, as numbers: by peer.
pub(crate) struct Handed {
    write: Vec<Option<RawFd>>,
    read: Vec<Option<RawFd>>,
}

/// Starts a number of children and connects them; all have answered when it returns.
pub(crate) fn build(layout: Layout, role: &str) -> Result<Vec<Child>, Error> {
    let Layout { shape, nodes } = layout;
    let mut children = Vec::new();
    if shape == Shape::Mesh {
        for _ in 0..nodes {
            children.push(start(role, nodes, 2 * (nodes - 1))?);
        }
        connect_all(&children)?;
    } else {
        let channels = layout.channels();
        let mut ends = vec![0; nodes];
        for (from, to) in &channels {
            ends[*from] += 1;
            ends[*to] += 1;
        }
        for ends in ends {
            children.push(start(role, nodes, ends)?);
        }
        for (from, to) in channels {
            let (read, write) = pipe()?;
            hand_over(&children[from], to, WRITE, &[write])?;
            hand_over(&children[to], from, READ, &[read])?;
        }
    }
    for child in &mut children {
        super::answered(&mut child.replies)?;
    }
    Ok(children)
}

/// Connects every two.
fn connect_all(children: &[Child]) -> Result<(), Error> {
    let nodes = children.len();
    let mut first = 0;
    while first < nodes {
        let end = nodes.min(first + TILE);
        for other in (0..first).step_by(TILE) {
            connect(children, other..other + TILE, first..end)?;
        }
        connect(children, first..end, first..end)?;
        first = end;
    }
    Ok(())
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).while_("make a pipe")
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

/// Starts a child that will be handed this many ends.
fn start(role: &str, nodes: usize, ends: usize) -> Result<Child, Error> {
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
        .args(["child", role, &nodes.to_string(), &ends.to_string()])
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
        hand_over(&children[row], first, BOTH, &to_rows[at])?;
    }
    for (column, ends) in columns.zip(&to_columns) {
        hand_over(&children[column], rows.start, BOTH, ends)?;
    }
    Ok(())
}

/// Hands over the ends to and from the peers from `first` on.
fn hand_over(child: &Child, first: usize, what: u8, ends: &[OwnedFd]) -> Result<(), Error> {
    if ends.is_empty() {
        return Ok(());
    }
    let raw: Vec<RawFd> = ends.iter().map(AsRawFd::as_raw_fd).collect();
    let (first, what) = ((first as u32).to_le_bytes(), [what]);
    let bytes = [IoSlice::new(&first), IoSlice::new(&what)];
    let rights = [ControlMessage::ScmRights(&raw)];
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
pub(crate) fn take_ends(nodes: usize, ends: usize) -> Result<Handed, Error> {
    let (mut write, mut read) = (vec![None; nodes], vec![None; nodes]);
    let mut left = ends;
    let mut control = nix::cmsg_space!([RawFd; 2 * TILE]);
    while left > 0 {
        let (mut first, mut what) = ([0; 4], [0]);
        let mut parts = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut what)];
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
        left -= ends.len();
        match what {
            [WRITE] => write[first] = ends.first().copied(),
            [READ] => read[first] = ends.first().copied(),
            _ => {
                for (peer, ends) in (first..).zip(ends.chunks_exact(2)) {
                    (write[peer], read[peer]) = (Some(ends[0]), Some(ends[1]));
                }
            }
        }
    }
    super::answer(0)?;
    Ok(Handed { write, read })
}

/// Channel ends that can be used: by peer.
pub(crate) struct Channels {
    pub(crate) write: Vec<Option<File>>,
    pub(crate) read: Vec<Option<File>>,
}

impl Handed {
    /// Opens everything once more, and closes what came.
    pub(crate) fn open(&self, nonblocking: bool) -> Result<Channels, Error> {
        let flags = if nonblocking {
            OFlag::O_NONBLOCK.bits()
        } else {
            0
        };
        let again = |fd: RawFd, write: bool| {
            let mut options = OpenOptions::new();
            options.read(!write).write(write).custom_flags(flags);
            let opened = options
                .open(format!("/proc/self/fd/{fd}"))
                .while_("open a pipe once more")?;
            unistd::close(fd).while_("close a pipe end")?;
            Ok(opened)
        };
        let all = |ends: &[Option<RawFd>], write| -> Result<Vec<Option<File>>, Error> {
            let ends = ends.iter();
            ends.map(|end| end.map(|fd| again(fd, write)).transpose())
                .collect()
        };
        Ok(Channels {
            write: all(&self.write, true)?,
            read: all(&self.read, false)?,
        })
    }
}
