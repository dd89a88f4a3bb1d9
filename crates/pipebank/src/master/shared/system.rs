//! What everything that starts a system has in common: its options, and what is done before it starts.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::Error;
use super::paint::{Colour, Painter};
use super::run_dir::RunDir;
use super::streams::name_of;

/// The options of whatever starts a system.
#[derive(Debug, Args)]
pub(crate) struct SystemOptions {
    /// Seed of all random choices; without it one is drawn
    ///
    /// The seed that was drawn is reported with --verbose, and where the exit status is 1 or 3.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Report on standard error what each process does
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Keep a file `pids.json` with the pids of all processes in this directory
    ///
    /// The file is replaced in one step whenever a process starts or dies. The directory is created
    /// with mode 0700 and removed at the end. One that is there already must be yours, have mode
    /// 0700, hold at most a `pids.json`, and not be in use by another master; it stays.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// End the run, with status 124, after this long
    ///
    /// Fractions are allowed. A message says what the run was waiting for.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) color: Colour,
    /// Where the programs `node` and `observer` are [default: beside master]
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
}

/// Where the programs of the other processes are, and whether they report what they do.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) node: PathBuf,
    pub(crate) observer: PathBuf,
    pub(crate) verbose: bool,
}

impl SystemOptions {
    pub(crate) fn painter(&self) -> Painter {
        Painter::new(self.color)
    }

    /// The seed that was given, or one that is short enough to be typed.
    pub(crate) fn seed(&self) -> u64 {
        let any_seed = || RandomState::new().hash_one(std::process::id()) >> 32;
        self.seed.unwrap_or_else(any_seed)
    }

    /// The seed that was given.
    pub(crate) fn given_seed(&self) -> Option<u64> {
        self.seed
    }

    pub(crate) fn run_dir(&self) -> Result<Option<RunDir>, Error> {
        Ok(self.run_dir.as_deref().map(RunDir::open).transpose()?)
    }

    /// Looks for the programs of the other processes.
    pub(crate) fn programs(&self) -> Result<Programs, Error> {
        let dir = match &self.bin_dir {
            Some(dir) => dir.clone(),
            None => beside(env::current_exe)?,
        };
        let find = |name| {
            let path = dir.join(name);
            let dir = name_of(&dir);
            path.is_file()
                .then_some(path)
                .ok_or(Error::NoProgram { name, dir })
        };
        Ok(Programs {
            node: find("node")?,
            observer: find("observer")?,
            verbose: self.verbose,
        })
    }
}

/// The directory of the program that this finds.
fn beside(program: impl FnOnce() -> io::Result<PathBuf>) -> Result<PathBuf, Error> {
    // It is asked of /proc, which need not be there.
    let mut path = program().map_err(Error::NoPlace)?;
    path.pop();
    Ok(path)
}

/// What is to be done before the first child starts, and holds for the children too.
pub(crate) fn inherit_little() -> Result<(), Error> {
    pipes::close_inherited_on_exec().map_err(Error::not_started)?;
    pipes::raise_descriptor_limit(u64::MAX).map_err(Error::not_started)?;
    Ok(())
}

/// A time that is not zero.
pub(crate) fn seconds(text: &str) -> Result<Duration, Error> {
    let seconds: f64 = text.parse().map_err(|_| Error::Seconds)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(Error::Endless),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::beside;

    #[test]
    fn where_no_program_can_be_found_without_proc_the_message_says_so() {
        let found = beside(|| Ok(PathBuf::from("/bin/master")));
        assert_eq!(found.unwrap(), PathBuf::from("/bin"));
        let gone = beside(|| Err(io::ErrorKind::NotFound.into()));
        let told = gone.unwrap_err().to_string();
        let expected =
            "master: where this program itself is cannot be found out (entity not found)";
        assert!(
            told.starts_with(expected) && told.contains("--bin-dir DIR"),
            "{told}"
        );
    }
}
