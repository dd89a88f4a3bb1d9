//! Where processes run, and how they make way for each other.
//!
//! Processes that take turns, each waiting for what another is about to write, are fastest on one
//! CPU: waking a process there costs about 2 µs, on another CPU 50 to 100 µs.

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity, sched_yield};
use nix::unistd::Pid;

use crate::{Error, sys};

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

/// Keeps this process on one of the CPUs where it may run: the `number`-th, counted round.
///
/// # Errors
///
/// The kernel refused.
pub fn stay_on_cpu(number: usize) -> Result<(), Error> {
    let stay = || -> nix::Result<()> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let is_allowed = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
        let allowed: Vec<usize> = (0..CpuSet::count()).filter(is_allowed).collect();
        let mut cpus = CpuSet::new();
        // A process runs somewhere, so there is one.
        cpus.set(allowed[number % allowed.len()])?;
        sched_setaffinity(Pid::from_raw(0), &cpus)
    };
    stay().map_err(|errno| Error::system("stay on one CPU", errno))
}

/// Lowers this process's priority so far that this many processes of that priority together weigh
/// what one of ordinary priority does: somebody who works for all of them gets as much of a CPU as
/// all of them, not as each of them.
pub fn share_a_place_among(processes: usize) {
    /// What one step of priority is worth (`sched_prio_to_weight` of the kernel).
    const STEP: f64 = 1.25;
    const LOWEST: f64 = 19.0;
    let steps = (processes.max(1) as f64).log(STEP).round().min(LOWEST);
    sys::lower_priority(steps as u8);
}

/// Makes way for whoever else wants the CPU, once, however long they want it.
pub fn give_way() {
    // It cannot fail.
    let _ = sched_yield();
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
        give_way();
        if before.elapsed() > TOO_DEAR {
            self.penalty = (self.penalty * 2).clamp(FIRST_PENALTY, LARGEST_PENALTY);
            self.skip = self.penalty;
        } else if self.penalty > 0 {
            self.penalty -= 1;
        }
        true
    }
}
