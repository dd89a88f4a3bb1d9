//! Whether the system allows a number of processes and pipes: to be asked before the first of them
//! starts, so that nothing is left half-built.
//!
//! A limit that cannot be read, or that does not hold for this user, is taken to suffice, and what
//! is in use is counted as far as it can be seen. So a shortage that is found is one; where none is
//! found, the kernel may still say no.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::unistd;

/// What a number of processes that are joined by pipes takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Open descriptors in one process.
    pub descriptors: u64,
    /// Processes to be started.
    pub processes: u64,
    /// Pipes to be made.
    pub pipes: u64,
    /// Pipes to be made and those that there are already.
    pub pipes_in_all: u64,
}

/// A limit of the system, and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    needed: u64,
    /// What is counted.
    unit: &'static str,
    /// What the limit is called.
    limit: String,
    value: u64,
    /// What others use of it, where that is known.
    in_use: u64,
    remedy: String,
}

/// What is missing, as the end of a sentence: `need 17 more processes, and …`.
impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            needed,
            unit,
            limit,
            value,
            remedy,
            ..
        } = self;
        write!(f, "{needed} {unit}, and {limit} is {value}")?;
        if self.in_use > 0 {
            write!(f, ", with {} in use", self.in_use)?;
        }
        write!(f, "; {remedy}")
    }
}

/// What the kernel takes for a pipe (its inode, its two files), measured, in bytes; and for each
/// page that it may hold.
const PIPE_BYTES: u64 = 1500;
const PIPE_SLOT_BYTES: u64 = 64;
/// What a small process takes that it shares with nobody, the kernel's part included, in bytes.
const PROCESS_BYTES: u64 = 300 * 1024;
/// Pages that a pipe may hold; and above the soft limit of a user without privileges.
const PIPE_PAGES: u64 = 16;
const SMALL_PIPE_PAGES: u64 = 2;

impl Needs {
    /// The first limit that is too low for this.
    #[must_use]
    pub fn shortage(&self) -> Option<Shortage> {
        self.shortage_in(&Machine::here())
    }

    fn shortage_in(&self, system: &Machine) -> Option<Shortage> {
        let limits = [
            Some(self.descriptors(system)),
            self.processes_of_user(system),
            self.processes_of_system(system, "threads-max"),
            self.processes_of_system(system, "pid_max"),
            self.pipe_pages(system),
            self.files(system),
            self.memory(system),
        ];
        let groups = self.limits_of_groups(system);
        let mut all = limits.into_iter().flatten().chain(groups);
        all.find(|limit| limit.in_use.saturating_add(limit.needed) > limit.value)
    }

    fn descriptors(&self, system: &Machine) -> Shortage {
        let needed = self.descriptors;
        Shortage {
            needed,
            unit: "open descriptors in one process",
            limit: "the limit".to_owned(),
            value: system.descriptors,
            in_use: 0,
            remedy: format!("`ulimit -n {needed}` raises it, where that is allowed"),
        }
    }

    fn processes_of_user(&self, system: &Machine) -> Option<Shortage> {
        let value = system.processes;
        if value == RLIM_INFINITY || system.user == 0 || system.is_privileged {
            return None;
        }
        let in_use = match system.threads_at_most() {
            // Reading what everybody runs takes its time, and mostly it is plain without.
            Some(most) if most.saturating_add(self.processes) <= value => most,
            _ => system.threads(Some(system.user)),
        };
        let wanted = in_use.saturating_add(self.processes);
        Some(Shortage {
            needed: self.processes,
            unit: "more processes",
            limit: "this user's limit on processes (`ulimit -u`)".to_owned(),
            value,
            in_use,
            remedy: format!("`ulimit -u {wanted}` raises it, where that is allowed"),
        })
    }

    fn processes_of_system(&self, system: &Machine, name: &str) -> Option<Shortage> {
        let value = system.number(format!("proc/sys/kernel/{name}"))?;
        let in_use = match system.threads_at_most() {
            Some(most) if most.saturating_add(self.processes) <= value => most,
            // In a container these may be fewer than all there are.
            _ => system.threads(None),
        };
        let wanted = in_use.saturating_add(self.processes);
        Some(Shortage {
            needed: self.processes,
            unit: "more processes",
            limit: format!("the system's limit `kernel.{name}`"),
            value,
            in_use,
            remedy: format!("`sysctl kernel.{name}={wanted}` (as root) raises it"),
        })
    }

    fn limits_of_groups(&self, system: &Machine) -> Vec<Shortage> {
        let mut limits = Vec::new();
        for group in system.groups("pids") {
            let (max, current) = (group.join("pids.max"), group.join("pids.current"));
            if let Some(value) = system.number(&max) {
                limits.push(Shortage {
                    needed: self.processes,
                    unit: "more processes",
                    limit: format!("the control group's limit /{}", max.display()),
                    value,
                    in_use: system.number(current).unwrap_or(0),
                    remedy: "whoever has set it can raise it (systemd: TasksMax)".to_owned(),
                });
            }
        }
        for group in system.groups("memory") {
            let max = group.join("memory.max");
            if let Some(value) = system.number(&max) {
                let limit = format!("the control group's limit /{} (in MB)", max.display());
                limits.push(self.megabytes(system, limit, value));
            }
        }
        limits
    }

    fn pipe_pages(&self, system: &Machine) -> Option<Shortage> {
        let value = system.number("proc/sys/fs/pipe-user-pages-hard")?;
        if value == 0 || system.is_privileged {
            return None;
        }
        let needed = pages(self.pipes_in_all, system.pipe_pages_soft());
        Some(Shortage {
            needed,
            unit: "pages of pipe memory",
            limit: "a user's limit `fs.pipe-user-pages-hard`".to_owned(),
            value,
            in_use: 0,
            remedy: format!("`sysctl fs.pipe-user-pages-hard={needed}` (as root) raises it"),
        })
    }

    fn files(&self, system: &Machine) -> Option<Shortage> {
        if system.is_privileged {
            return None;
        }
        let in_use = system.number("proc/sys/fs/file-nr")?;
        let needed = self.pipes.saturating_mul(2);
        let wanted = in_use.saturating_add(needed);
        Some(Shortage {
            needed,
            unit: "more open files",
            limit: "the system's limit `fs.file-max`".to_owned(),
            value: system.number("proc/sys/fs/file-max")?,
            in_use,
            remedy: format!("`sysctl fs.file-max={wanted}` (as root) raises it"),
        })
    }

    fn memory(&self, system: &Machine) -> Option<Shortage> {
        let kilobytes = system.field("proc/meminfo", "MemAvailable:")?;
        let limit = "what is available of it (`MemAvailable` in /proc/meminfo)".to_owned();
        Some(self.megabytes(system, limit, kilobytes.saturating_mul(1024)))
    }

    fn megabytes(&self, system: &Machine, limit: String, bytes: u64) -> Shortage {
        let pages = pages(self.pipes, system.pipe_pages_soft());
        let needed = [
            self.pipes.saturating_mul(PIPE_BYTES),
            pages.saturating_mul(PIPE_SLOT_BYTES),
            self.processes.saturating_mul(PROCESS_BYTES),
        ];
        let needed = needed.into_iter().fold(0, u64::saturating_add);
        Shortage {
            needed: needed / 1_000_000,
            unit: "MB of memory",
            limit,
            value: bytes / 1_000_000,
            in_use: 0,
            remedy: "fewer processes, or fewer pipes between them, take less".to_owned(),
        }
    }
}

/// How many pages a number of pipes may hold where the soft limit (0: none) is that many.
fn pages(pipes: u64, soft: u64) -> u64 {
    let full = match soft {
        0 => pipes,
        _ => pipes.min(soft / PIPE_PAGES),
    };
    (full.saturating_mul(PIPE_PAGES))
        .saturating_add((pipes - full).saturating_mul(SMALL_PIPE_PAGES))
}

/// What the system says of itself, and who asks.
#[derive(Debug)]
struct Machine {
    /// Where `/proc` and `/sys` are.
    root: PathBuf,
    descriptors: u64,
    /// For the user, threads included.
    processes: u64,
    user: u32,
    /// Some limits do not hold for this process.
    is_privileged: bool,
}

impl Machine {
    fn here() -> Self {
        let soft = |resource| getrlimit(resource).map_or(RLIM_INFINITY, |(soft, _)| soft);
        let mut system = Self {
            root: PathBuf::from("/"),
            descriptors: soft(Resource::RLIMIT_NOFILE),
            processes: soft(Resource::RLIMIT_NPROC),
            user: unistd::getuid().as_raw(),
            is_privileged: false,
        };
        system.is_privileged = system.has_privileges();
        system
    }

    /// CAP_SYS_ADMIN or CAP_SYS_RESOURCE.
    fn has_privileges(&self) -> bool {
        const ADMIN_OR_RESOURCE: u64 = 1 << 21 | 1 << 24;
        let status = self.text("proc/self/status").unwrap_or_default();
        let capabilities = value_of(&status, "CapEff:");
        let capabilities = capabilities.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        capabilities.unwrap_or(0) & ADMIN_OR_RESOURCE != 0
    }

    fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// The number at the beginning of a file; `None` also for `max`.
    fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.text(path)?.split_whitespace().next()?.parse().ok()
    }

    fn field(&self, path: impl AsRef<Path>, name: &str) -> Option<u64> {
        value_of(&self.text(path)?, name)?.parse().ok()
    }

    fn pipe_pages_soft(&self) -> u64 {
        match self.is_privileged {
            true => 0,
            false => self.number("proc/sys/fs/pipe-user-pages-soft").unwrap_or(0),
        }
    }

    /// How many threads the system runs; what can be seen from here may be fewer.
    fn threads_at_most(&self) -> Option<u64> {
        let load = self.text("proc/loadavg")?;
        let (_, threads) = load.split_whitespace().nth(3)?.split_once('/')?;
        threads.parse().ok()
    }

    /// The threads that can be seen from here, of everybody or of one user.
    fn threads(&self, of: Option<u32>) -> u64 {
        let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        let listing = fs::read_dir(self.root.join("proc")).into_iter().flatten();
        let threads = listing.flatten().filter_map(|entry| {
            let name = entry.file_name();
            let process = name.to_str().filter(|name| is_number(name))?;
            let status = self.text(Path::new("proc").join(process).join("status"))?;
            let user = value_of(&status, "Uid:")?.parse().ok();
            let counts = of.is_none() || of == user;
            let threads: u64 = value_of(&status, "Threads:")?.parse().ok()?;
            counts.then_some(threads)
        });
        threads.sum()
    }

    /// The control group that limits this process by `controller`, and those above it.
    fn groups(&self, controller: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for line in self.text("proc/self/cgroup").unwrap_or_default().lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
                continue;
            };
            let base = Path::new("sys/fs/cgroup");
            let base = match controllers {
                "" => base.to_owned(),
                _ if controllers.split(',').any(|name| name == controller) => {
                    base.join(controllers)
                }
                _ => continue,
            };
            let group = base.join(path.trim_start_matches('/'));
            let above = group
                .ancestors()
                .take_while(|above| above.starts_with(&base));
            found.extend(above.map(Path::to_owned));
        }
        found
    }
}

/// The first word behind a name at the beginning of a line.
fn value_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()
}

#[cfg(test)]
mod tests;
