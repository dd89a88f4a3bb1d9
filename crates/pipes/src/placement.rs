//! Where processes run, and how they make way for each other.
//!
//! Processes that take turns, each waiting for what another is about to write, are fastest on one
//! CPU: waking a process there costs about 2 µs, on another CPU 50 to 100 µs.

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity, sched_yield};
use nix::unistd::Pid;

use crate::Error;

/// Keeps this process, and those it will start, on the CPU where it runs now: one that it is
/// allowed to run on, and where the scheduler found room for it just now.
///
/// # Errors
///
/// The kernel refused.
pub fn stay_on_this_cpu() -> Result<(), Error> {
    let stay = || -> nix::Result<()> {
        let mut cpus = CpuSet::new();
        cpus.set(sched_getcpu()?)?;
        sched_setaffinity(Pid::from_raw(0), &cpus)
    };
    stay().map_err(|errno| Error::system("stay on one CPU", errno))
}

/// Makes way for whoever else wants the CPU, as long as that is a matter of microseconds.
///
/// Where it is, giving way (`sched_yield`) is the cheapest way to wait for another process on the
/// same CPU: nobody has to be put to sleep and woken. Where somebody with much to compute shares
/// the CPU, giving way costs a whole time slice of milliseconds; then it is not tried again for a
/// while, which doubles each time.
#[derive(Debug, Default)]
pub struct Yielder {
    /// How many times not to give way.
    skip: u32,
    /// How many times it will be after the next that was too dear.
    penalty: u32,
}

/// Giving way for longer than this was too dear.
const TOO_DEAR: Duration = Duration::from_micros(500);
const FIRST_PENALTY: u32 = 64;
const LARGEST_PENALTY: u32 = 16 * 1024;

impl Yielder {
    /// Gives way once, if that has been cheap lately; whether it did.
    pub fn give_way(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let before = Instant::now();
        // It cannot fail.
        let _ = sched_yield();
        if before.elapsed() > TOO_DEAR {
            self.penalty = (self.penalty * 2).clamp(FIRST_PENALTY, LARGEST_PENALTY);
            self.skip = self.penalty;
        } else if self.penalty > 0 {
            self.penalty -= 1;
        }
        true
    }
}
