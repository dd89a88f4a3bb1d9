//! What the commands have in common. Nothing here knows a command.
//!
//! * [`error`]: what can go wrong, and the exit status of each;
//! * [`system`]: the options of whatever starts a system, and what is done before it starts;
//! * [`paint`], [`tell`], [`mod@fit`]: messages on standard error, their colours and their width;
//! * [`streams`]: files that are read, and results on standard output; [`files`]: those that are written;
//! * [`run_dir`]: the directory of `--run-dir`;
//! * [`drawing`]: histories as pictures;
//! * [`misread`]: what is wrong in a file of another program's;
//! * [`meant`]: words that were mistyped;
//! * [`prompt`]: the line editor at a terminal.

mod drawing;
mod error;
mod files;
mod fit;
mod meant;
mod misread;
mod paint;
pub(super) mod prompt;
mod run_dir;
mod streams;
mod system;
mod tell;

pub(super) use self::drawing::{Drawable, ImageOptions, Output};
pub(super) use self::error::{Error, Stop, status_of};
pub(super) use self::files::{Files, OutputFile, Purpose};
pub(super) use self::fit::{columns, fit, prose};
pub(super) use self::meant::nearest;
pub(super) use self::misread::{Misread, Mistake};
pub(super) use self::paint::{Colour, Painter};
pub(super) use self::run_dir::{Pids, RunDir};
pub(super) use self::streams::{checked_script, name_of, open, read_whole, write_out};
pub(super) use self::system::{Programs, SystemOptions, inherit_little, seconds};
pub(super) use self::tell::{LAST_WORDS, Teller};
pub(super) use crate::status;
