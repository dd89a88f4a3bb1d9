//! Which children have ended, as the kernel tells their parent: also where the end of file of their
//! pipes never comes, since somebody else holds these open.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::Pid;

use crate::{Error, Poller, Token, sys};

/// Says that children have ended. One descriptor for all of them; a pidfd would be one for each.
#[derive(Debug)]
pub struct Deaths(SignalFd);

impl Deaths {
    /// Begins to hold SIGCHLD back. To be called before any thread is started, and before any child:
    /// threads inherit it. So do children; [`parent`](crate::parent) ends it there.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn hold() -> Result<Self, Error> {
        // Whoever is started with SIGCHLD ignored has children that cannot be waited for.
        sys::by_default(Signal::SIGCHLD)
            .map_err(|errno| Error::system("ask for the ends of children", errno))?;
        let mut set = SigSet::empty();
        set.add(Signal::SIGCHLD);
        set.thread_block()
            .map_err(|errno| Error::system("hold signals back", errno))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&set, flags)
            .map(Self)
            .map_err(|errno| Error::system("make signals readable", errno))
    }

    /// Has a poller say when a child has ended.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn watch(&self, poller: &Poller, token: Token) -> Result<(), Error> {
        poller.watch_bytes(&self.0, token).map(drop)
    }

    /// The pid of a child that has ended and was not waited for yet, if there is one. It is the same
    /// until that is done, by [`Process::wait`](crate::Process::wait) or by [`Deaths::forget`].
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn next(&self) -> Result<Option<u32>, Error> {
        // How many signals there are says nothing: those of several children become one.
        while let Ok(Some(_)) = self.0.read_signal() {}
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        loop {
            match waitid(Id::All, flags) {
                Ok(status) => return Ok(status.pid().map(|pid| pid.as_raw().unsigned_abs())),
                Err(Errno::ECHILD) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::system("ask which child has ended", errno)),
            }
        }
    }

    /// Waits for a child that is of no interest: whoever became this process may have started some.
    pub fn forget(&self, pid: u32) {
        let _ = waitpid(Pid::from_raw(pid.cast_signed()), None);
    }
}
