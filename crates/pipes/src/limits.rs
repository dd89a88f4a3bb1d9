//! How many descriptors a process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::Error;

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
