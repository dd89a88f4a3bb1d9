//! The exit statuses of all three programs. Which error of master has which is in
//! `master/shared/error.rs`.

/// Everything was done as asked.
pub const DONE: u8 = 0;
/// Something failed while running.
pub const FAILED: u8 = 1;
/// Something is malformed, missing or too large; nothing was started.
pub const MALFORMED: u8 = 2;
/// A snapshot failed its audit, or another invariant of the system broke.
pub const BROKEN: u8 = 3;
/// There was nothing to judge.
pub const UNKNOWN: u8 = 4;
/// The time ran out.
pub const TIMED_OUT: u8 = 124;
/// The reader of standard output closed it: as if ended by SIGPIPE.
pub const STDOUT_CLOSED: u8 = signalled(13);

/// Ended by this signal.
#[must_use]
pub const fn signalled(number: i32) -> u8 {
    128 + (number & 0x7f) as u8
}
