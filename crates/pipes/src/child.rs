//! Starting a child, and being one.
//!
//! A child cannot outlive its parent: it asks the kernel for SIGKILL when the parent dies (a
//! stopped child must die too), checks that the parent was still there when it asked, and ends by
//! itself at the end of file of its commands. The signals that ask everybody to end, from the
//! keyboard, from `timeout` or when the terminal goes, reach the whole group: a child leaves them to
//! the parent, who ends it in order.
//!
//! A child's death is known by the end of file on its replies, or else, where somebody holds these
//! open, from the kernel ([`Deaths`](crate::Deaths)). Everything it had written is read; only then is
//! it waited for. Nothing is polled.

use std::ffi::OsStr;
use std::fmt;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::SFlag;
use nix::unistd;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Directory, Error, Hatch, RawEnd, Receiver, Sender, hatch, limits, sys};

/// How a child learns the numbers of its hatch, of a directory it is handed, and of its parent.
const HATCH: &str = "PIPES_HATCH";
const DIRECTORY: &str = "PIPES_DIRECTORY";
const PARENT: &str = "PIPES_PARENT";

/// What asks a whole group to end. SIGQUIT is among them so that only the parent, whom it kills,
/// leaves a core behind.
const LEFT_TO_THE_PARENT: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// A running child: what goes to it, what comes from it, and the hatch.
#[derive(Debug)]
pub struct Child<O, I> {
    /// Frames to the child's standard input.
    pub sender: Sender<O>,
    /// Frames from the child's standard output; its end of file is the child's end.
    pub receiver: Receiver<I>,
    /// Pipe ends to the child.
    pub hatch: Hatch,
    /// The child itself.
    pub process: Process,
}

/// A running child whose pipes are for somebody else to read and write.
#[derive(Debug)]
pub struct Started {
    /// The write end of the child's standard input.
    pub input: RawEnd,
    /// The read end of the child's standard output.
    pub output: RawEnd,
    /// Pipe ends to the child.
    pub hatch: Hatch,
    /// The child itself.
    pub process: Process,
}

/// A child without its pipes.
#[derive(Debug)]
pub struct Process(std::process::Child);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Killed by this signal.
    Signal(i32),
    /// Ended by itself with this exit status.
    Exit(i32),
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => write!(f, "killed by signal {number}"),
            Self::Exit(status) => write!(f, "exited with status {status}"),
        }
    }
}

impl From<ExitStatus> for Death {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(number) => Self::Signal(number),
            None => Self::Exit(status.code().unwrap_or(-1)),
        }
    }
}

impl Process {
    /// The child's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Kills the child with SIGKILL, if it still runs; [`Process::wait`] tells how it really ended.
    pub fn kill(&mut self) {
        // It fails only where the child was waited for already, and then there is nobody to kill.
        let _ = self.0.kill();
    }

    /// Waits until the child has ended. To be called after the end of file on its replies, after
    /// [`Process::kill`], or when it is known to have: else it waits as long as the child likes.
    ///
    /// # Errors
    ///
    /// The kernel knows no such child.
    pub fn wait(&mut self) -> Result<Death, Error> {
        let status = self.0.wait();
        let status = status.map_err(|source| Error::system("wait for a child", source))?;
        Ok(Death::from(status))
    }
}

/// Starts `program` with pipes at its standard input and output, a hatch, and a directory to hold,
/// where one is given: if that is locked, it stays locked while the child lives, whatever becomes of
/// this process.
///
/// # Errors
///
/// No pipes are left, or the program cannot be started.
pub fn spawn<O, I>(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    held: Option<&Directory>,
) -> Result<Child<O, I>, Error>
where
    O: Serialize,
    I: DeserializeOwned,
{
    let started = start(program, arguments, held)?;
    Ok(Child {
        sender: started.input.into_sender(),
        receiver: started.output.into_receiver(),
        hatch: started.hatch,
        process: started.process,
    })
}

/// Starts `program` as [`spawn`] does, for somebody who carries frames and does not read them.
///
/// # Errors
///
/// As for [`spawn`].
pub fn start(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    held: Option<&Directory>,
) -> Result<Started, Error> {
    /// What passes an exec by its number passes every exec, so children are started one at a time.
    /// Whoever starts others (`Command`), in another thread meanwhile, would lend them what is for
    /// this child.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let commands = hatch::pipe()?;
    let replies = hatch::pipe()?;
    let (ours, theirs) = Hatch::pair()?;
    let held = held.map(|directory| directory.as_fd().try_clone_to_owned());
    let held = held
        .transpose()
        .map_err(|source| Error::system("pass on a directory", source))?;
    let mut command = Command::new(program);
    command.env(HATCH, pass_on(&theirs.0)?);
    match &held {
        Some(held) => command.env(DIRECTORY, pass_on(held)?),
        // What this process was handed itself is no affair of its child's.
        None => command.env_remove(DIRECTORY),
    };
    let process = command
        .args(arguments)
        .env(PARENT, unistd::getpid().to_string())
        .stdin(Stdio::from(commands.read.0))
        .stdout(Stdio::from(replies.write.0))
        .spawn()
        .map_err(|source| Error::Spawn {
            program: program.display().to_string(),
            source,
        })?;
    Ok(Started {
        input: commands.write,
        output: replies.read,
        hatch: ours,
        process: Process(process),
    })
}

/// Ignores the signals that ask a whole group to end: somebody else ends this process in order.
///
/// # Errors
///
/// The kernel refused.
pub fn leave_signals_to_others() -> Result<(), Error> {
    LEFT_TO_THE_PARENT.into_iter().try_for_each(|signal| {
        sys::ignore(signal).map_err(|errno| Error::system("ignore a signal", errno))
    })
}

/// Has a descriptor pass an exec by its number, which is returned.
fn pass_on(descriptor: &OwnedFd) -> Result<String, Error> {
    let fd = descriptor.as_raw_fd();
    sys::set_close_on_exec(fd, false)
        .map_err(|errno| Error::system("pass a descriptor on", errno))?;
    Ok(fd.to_string())
}

/// The child's half: what comes from the parent, what goes to it, and the hatch.
#[derive(Debug)]
pub struct Parent<O, I> {
    /// Frames to the parent (standard output). Never dropped: its end of file means the death of
    /// this process, so it must not come before the process has really ended.
    pub sender: ManuallyDrop<Sender<O>>,
    /// Frames from the parent (standard input); its end of file means exit.
    pub receiver: Receiver<I>,
    /// Pipe ends from the parent.
    pub hatch: Hatch,
    /// What [`spawn`] was given to hold; a lock on it ends when the last that holds it is dropped.
    pub directory: Option<Directory>,
}

/// Becomes the child that [`spawn`] started. To be called once, first thing in `main`.
///
/// # Errors
///
/// [`Error::NotAChild`] where nobody called [`spawn`], or where the parent has died already.
pub fn parent<O, I>() -> Result<Parent<O, I>, Error>
where
    O: Serialize,
    I: DeserializeOwned,
{
    let hatch = number_from(HATCH)?.ok_or(Error::NotAChild)?;
    let parent = number_from(PARENT)?.ok_or(Error::NotAChild)?;
    let directory = number_from(DIRECTORY)?;
    let is = |fd: RawFd, kind| sys::file_kind(fd) == Some(kind);
    let is_a_child = is(0, SFlag::S_IFIFO)
        && is(1, SFlag::S_IFIFO)
        && (hatch > 2 && is(hatch, SFlag::S_IFSOCK))
        && directory.is_none_or(|fd| fd > 2 && is(fd, SFlag::S_IFDIR));
    if !is_a_child {
        return Err(Error::NotAChild);
    }
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|errno| Error::system("ask for a parent-death signal", errno))?;
    if unistd::getppid().as_raw() != parent {
        return Err(Error::NotAChild);
    }
    leave_signals_to_others()?;
    limits::outlive_the_file_size_limit()?;
    // The parent may hold signals back (`Patience::hold`), and a child inherits that. Not before they
    // are ignored: one that came meanwhile would still end it.
    SigSet::empty()
        .thread_set_mask()
        .map_err(|errno| Error::system("let signals through", errno))?;
    for fd in [Some(hatch), directory].into_iter().flatten() {
        sys::set_close_on_exec(fd, true)
            .map_err(|errno| Error::system("take over what was handed on", errno))?;
    }
    Ok(Parent {
        sender: ManuallyDrop::new(Sender::new(sys::adopt(1))),
        receiver: Receiver::new(sys::adopt(0)),
        hatch: Hatch(sys::adopt(hatch)),
        directory: directory.map(|fd| Directory::from(sys::adopt(fd))),
    })
}

/// Marks every descriptor that this process inherited, beyond the standard three, close-on-exec,
/// so that children hold nothing open that is not theirs: a pipe of the shell that started us
/// would otherwise reach its end of file only when the last child exits.
///
/// # Errors
///
/// The kernel does not tell which descriptors are open.
pub fn close_inherited_on_exec() -> Result<(), Error> {
    let listing = std::fs::read_dir("/proc/self/fd")
        .map_err(|source| Error::system("list the open descriptors", source))?;
    let open: Vec<RawFd> = listing
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // One that was closed meanwhile (the listing's own) needs no mark.
        let _ = sys::set_close_on_exec(fd, true);
    }
    Ok(())
}

/// The pid of this process's parent; another one from the moment on at which that has died.
#[must_use]
pub fn parent_pid() -> u32 {
    unistd::getppid().as_raw().unsigned_abs()
}

/// The number that the parent has left in the environment, if it has.
fn number_from(variable: &str) -> Result<Option<RawFd>, Error> {
    match std::env::var_os(variable) {
        None => Ok(None),
        Some(text) => {
            let number = text.to_str().and_then(|text| text.parse().ok());
            number.map(Some).ok_or(Error::NotAChild)
        }
    }
}
