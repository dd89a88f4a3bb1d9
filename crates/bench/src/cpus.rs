//! Where processes run. A child inherits the CPUs of the moment in which it is started.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::error::{Error, While};

/// The CPUs that this program may use, as it was started.
pub(crate) struct Cpus(CpuSet, Vec<usize>);

/// Where two processes that are measured run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affinity {
    /// Both on one CPU.
    One,
    /// Each on its own.
    Two,
    /// Wherever the system puts them.
    Any,
}

impl Affinity {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::One => "one_cpu",
            Self::Two => "two_cpus",
            Self::Any => "any_cpu",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::One => "one CPU",
            Self::Two => "two CPUs",
            Self::Any => "any CPU",
        }
    }
}

impl Cpus {
    pub(crate) fn allowed() -> Result<Self, Error> {
        let set = sched_getaffinity(Pid::from_raw(0)).while_("ask for the CPUs")?;
        let is_in = |cpu: &usize| set.is_set(*cpu).unwrap_or(false);
        let numbers = (0..CpuSet::count()).filter(is_in).collect();
        Ok(Self(set, numbers))
    }

    pub(crate) fn count(&self) -> usize {
        self.1.len()
    }

    /// Starts children on one CPU, then goes to the other.
    pub(crate) fn apart<T>(
        &self,
        affinity: Affinity,
        start: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (children, own) = match affinity {
            Affinity::Any => (None, None),
            Affinity::One => (self.1.first(), self.1.first()),
            Affinity::Two => (self.1.get(1), self.1.first()),
        };
        self.move_to(children)?;
        let started = start();
        self.move_to(own)?;
        started
    }

    /// Back to where this program was started.
    pub(crate) fn anywhere(&self) -> Result<(), Error> {
        self.move_to(None)
    }

    fn move_to(&self, cpu: Option<&usize>) -> Result<(), Error> {
        let mut one = CpuSet::new();
        let set = match cpu {
            None => &self.0,
            Some(cpu) => {
                one.set(*cpu).while_("choose a CPU")?;
                &one
            }
        };
        sched_setaffinity(Pid::from_raw(0), set).while_("move to a CPU")
    }
}
