//! One line on standard error, in one write: lines of different processes never mix.

use std::fmt::Display;
use std::io::Write;

/// Says a line. Where nobody can hear it, that is nobody's failure.
pub fn say(line: impl Display) {
    let line = format!("{line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
