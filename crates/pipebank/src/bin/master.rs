//! The program `master`: see `pipebank::master`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(pipebank::master::run())
}
