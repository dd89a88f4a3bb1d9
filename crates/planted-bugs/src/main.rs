//! Plants bugs, one at a time, in a copy of the sources, and shows which defence catches each.
//!
//! `scripts/planted-bugs` builds and runs it. A bug that nobody catches is a hole: status 1. The
//! copy and what is built of it are kept in the target folder, so that only what a bug changes is
//! built again.
#![allow(clippy::expect_used)]

mod bugs;
mod defences;
mod share;
mod tree;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anstream::stderr;
use clap::Parser;

use bugs::{Bug, bugs};
use defences::{DEFENCES, Verdict};
use share::Share;
use tree::Tree;

/// Plants bugs in a copy of the sources and shows which defence catches each.
#[derive(Debug, Parser)]
#[command(name = "planted-bugs")]
struct Options {
    /// Only the bugs of these names
    names: Vec<String>,
    /// For each bug, stop at the first defence that catches it
    #[arg(long)]
    quick: bool,
    /// Only every Nth bug, from the Kth on: shares 1/N to N/N are all of them
    #[arg(
        long,
        value_name = "K/N",
        default_value = "1/1",
        hide_default_value = true
    )]
    share: Share,
    /// Only say what the bugs are
    #[arg(long)]
    list: bool,
}

/// What became of a bug: for each defence that was tried, whether it caught it, and its time.
struct Outcome {
    bug: &'static Bug,
    verdicts: Vec<Option<(Verdict, Duration)>>,
}

impl Outcome {
    fn is_caught(&self) -> bool {
        let mut tried = self.verdicts.iter().flatten();
        tried.any(|(verdict, _)| matches!(verdict, Verdict::Caught(_)))
    }
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let unknown = |name: &&String| !bugs().any(|bug| bug.name == **name);
    if let Some(name) = options.names.iter().find(unknown) {
        say(&format!(
            "there is no bug `{name}`; --list says which there are"
        ));
        std::process::exit(2);
    }
    let is_named =
        |bug: &&Bug| options.names.is_empty() || options.names.iter().any(|name| name == bug.name);
    let wanted = || options.share.of(bugs().filter(is_named));
    if options.list {
        for bug in wanted() {
            writeln!(io::stdout(), "{}: {} ({})", bug.name, bug.breaks, bug.file)?;
        }
        return Ok(());
    }

    let mut tree = Tree::copy()?;
    say("without a bug: no defence may complain");
    let sound = try_all(&mut tree, false)?;
    for (defence, verdict) in DEFENCES.iter().zip(&sound) {
        if let Some((Verdict::Caught(reason), _)) = verdict {
            say(&format!(
                "{} complains although there is no bug: {reason}",
                defence.name
            ));
            std::process::exit(1);
        }
    }

    let mut outcomes = Vec::new();
    for bug in wanted() {
        tree.plant(bug)?;
        let verdicts = try_all(&mut tree, options.quick);
        tree.heal()?;
        let outcome = Outcome {
            bug,
            verdicts: verdicts?,
        };
        say(&line(&outcome));
        outcomes.push(outcome);
    }
    write_table(&mut io::stdout().lock(), &outcomes)?;
    let missed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !outcome.is_caught())
        .collect();
    if !missed.is_empty() {
        std::process::exit(1);
    }
    Ok(())
}

/// Tries the defences one after the other; with `quick`, until one catches something.
fn try_all(tree: &mut Tree, quick: bool) -> io::Result<Vec<Option<(Verdict, Duration)>>> {
    let mut verdicts = Vec::new();
    let mut is_caught = false;
    for defence in DEFENCES {
        verdicts.push(match quick && is_caught {
            true => None,
            false => {
                tree.executables("master")?;
                let start = Instant::now();
                Some(((defence.run)(tree)?, start.elapsed()))
            }
        });
        is_caught |= matches!(verdicts.last(), Some(Some((Verdict::Caught(_), _))));
    }
    Ok(verdicts)
}

/// A bug and what caught it, in a line.
fn line(outcome: &Outcome) -> String {
    let caught = DEFENCES
        .iter()
        .zip(&outcome.verdicts)
        .filter_map(|(defence, verdict)| match verdict {
            Some((Verdict::Caught(reason), time)) => Some(format!(
                "{} ({:.1} s: {reason})",
                defence.name,
                time.as_secs_f64()
            )),
            _ => None,
        });
    let caught: Vec<String> = caught.collect();
    match caught.is_empty() {
        true => format!("{}: NOBODY CAUGHT IT", outcome.bug.name),
        false => format!("{}: {}", outcome.bug.name, caught.join("; ")),
    }
}

/// One row a bug: the seconds after which each defence caught it.
fn write_table(out: &mut impl Write, outcomes: &[Outcome]) -> io::Result<()> {
    write!(out, "| bug |")?;
    for defence in DEFENCES {
        write!(out, " {} |", defence.name)?;
    }
    writeln!(out, " what it breaks |")?;
    writeln!(out, "|---|{}---|", "--:|".repeat(DEFENCES.len()))?;
    for Outcome { bug, verdicts } in outcomes {
        write!(out, "| {} |", bug.name)?;
        for verdict in verdicts {
            match verdict {
                Some((Verdict::Caught(_), time)) => write!(out, " {:.1} s |", time.as_secs_f64())?,
                Some((Verdict::Silent, _)) => write!(out, " – |")?,
                None => write!(out, " |")?,
            }
        }
        writeln!(out, " {} |", bug.breaks)?;
    }
    let caught = outcomes
        .iter()
        .filter(|outcome| outcome.is_caught())
        .count();
    writeln!(out, "\n{caught} of {} caught", outcomes.len())
}

fn say(text: &str) {
    // Whoever does not want to hear it has closed it.
    let _ = writeln!(stderr(), "planted-bugs: {text}");
}
