//! How many descriptors a process may have open, what becomes of it where a file grows too large, and
//! how much of the CPUs it has used.

use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::time::TimeVal;

use crate::{Error, sys};

/// The limit on open descriptors of this process and of those it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// What holds now.
    pub soft: u64,
    /// How far the process may raise it by itself.
    pub hard: u64,
}

/// The limit as it is now.
///
/// # Errors
///
/// The kernel refused.
pub fn descriptor_limit() -> Result<DescriptorLimit, Error> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|errno| Error::system("read the limit on descriptors", errno))?;
    Ok(DescriptorLimit { soft, hard })
}

/// Raises the soft limit as far as the hard one, where it is below `wanted`. Says what holds then;
/// children inherit it.
///
/// # Errors
///
/// The kernel refused.
pub fn raise_descriptor_limit(wanted: u64) -> Result<DescriptorLimit, Error> {
    let limit = descriptor_limit()?;
    if limit.soft >= wanted || limit.soft == limit.hard {
        return Ok(limit);
    }
    setrlimit(Resource::RLIMIT_NOFILE, limit.hard, limit.hard)
        .map_err(|errno| Error::system("raise the limit on descriptors", errno))?;
    descriptor_limit()
}

/// Has a write beyond the limit on the size of files (`ulimit -f`) fail, as one to a full disk does,
/// instead of ending the process. Those that it starts inherit that.
///
/// # Errors
///
/// The kernel refused.
pub fn outlive_the_file_size_limit() -> Result<(), Error> {
    sys::ignore(Signal::SIGXFSZ).map_err(|errno| Error::system("ignore SIGXFSZ", errno))
}

/// The CPU time that this process has used, and those of its children that have been waited for.
///
/// # Errors
///
/// The kernel refused.
pub fn cpu_time() -> Result<Duration, Error> {
    let duration = |time: TimeVal| {
        let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    let mut sum = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage =
            getrusage(who).map_err(|errno| Error::system("read the CPU time used", errno))?;
        sum += duration(usage.user_time()) + duration(usage.system_time());
    }
    Ok(sum)
}
