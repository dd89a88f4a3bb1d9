//! The exit statuses. Which error has which is in `error.rs`.

/// Everything was done as asked.
pub(crate) const DONE: u8 = 0;
/// Something failed while running.
pub(crate) const FAILED: u8 = 1;
/// Something is malformed, missing or too large; nothing was started.
pub(crate) const MALFORMED: u8 = 2;
/// A snapshot failed its audit, or another invariant of the system broke.
pub(crate) const BROKEN: u8 = 3;
/// There was nothing to judge.
pub(crate) const UNKNOWN: u8 = 4;
/// The time ran out.
pub(crate) const TIMED_OUT: u8 = 124;
/// The reader of standard output closed it: as if ended by SIGPIPE.
pub(crate) const STDOUT_CLOSED: u8 = signalled(13);

/// Ended by this signal.
pub(crate) const fn signalled(number: i32) -> u8 {
    128 + (number & 0x7f) as u8
}
