//! The program `observer`: takes snapshots. Started by master; see `pipebank::observer`.

use std::env;
use std::process::ExitCode;

use pipebank::observer::Observer;
use pipebank::say::say;
use pipebank::status;

const BY_HAND: &str = "\
observer: this program takes the snapshots of the bank, and is started by master, which gives it
its pipes; it does nothing by itself. Run `master SCRIPT`, or `master --help`.";

/// `observer [--lasting] [--verbose]`, as master calls it.
fn main() -> ExitCode {
    let Ok(parent) = pipes::parent() else {
        say(BY_HAND);
        return ExitCode::from(status::MALFORMED);
    };
    let says = |wanted: &str| env::args().any(|option| option == wanted);
    let observer = Observer::new(says("--lasting"), says("--verbose"), parent);
    match observer.and_then(Observer::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("observer: {error}"));
            ExitCode::from(status::BROKEN)
        }
    }
}
