//! Banks that last, and everybody who runs them killed again and again.
//!
//! A seed stands for a few scripts, or a load, and for up to twenty blows. Where a blow kills master, the
//! same command is given again. In the end all is as if nobody had died: what was shown is what the
//! reference prints, byte for byte, the status and what failed too, the history is valid, all the money
//! is there, nobody is left behind, and neither is any file.
//!
//! On several hosts (`job.rs`) agents and mpirun are killed, too. There mpirun carries what is shown, and takes
//! with it what it had not written when it is killed: what is shown is what has to be from where master says
//! that it goes on.

mod blows;
mod command;
mod job;
mod load;
mod plan;
mod scripts;

use nix::sys::prctl;

pub use self::job::{deadline, is_launched};
use self::plan::{Plan, Work};

/// Runs a seed; what it was and how it ended. Panics where something is wrong.
pub fn run(seed: u64) -> String {
    prctl::set_child_subreaper(true).expect("orphans are inherited");
    let plan = Plan::of(seed);
    let told = plan.to_string();
    // Stays where this panics, and says what was tried.
    let outcome = std::panic::catch_unwind(|| match &plan.work {
        Work::Scripts { texts, pipe } => scripts::run(&plan, texts, *pipe),
        Work::Load(options) => load::run(&plan, options),
    });
    match outcome {
        Ok(ended) => format!("{told} → {ended}"),
        Err(cause) => {
            println!("{told}");
            std::panic::resume_unwind(cause)
        }
    }
}
