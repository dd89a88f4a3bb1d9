//! What the commands have in common. Nothing here knows a command.
//!
//! * [`status`]: the exit statuses;
//! * [`error`]: what can go wrong, and the exit status of each;
//! * [`system`]: the options of whatever starts a system, and what is done before it starts;
//! * [`paint`], [`tell`]: messages on standard error, and their colours;
//! * [`streams`]: files that are read, and results on standard output;
//! * [`run_dir`]: the directory of `--run-dir`;
//! * [`drawing`]: histories as pictures;
//! * [`prompt`]: the line editor at a terminal.

pub(super) mod drawing;
pub(super) mod error;
pub(super) mod paint;
pub(super) mod prompt;
pub(super) mod run_dir;
pub(super) mod status;
pub(super) mod streams;
pub(super) mod system;
pub(super) mod tell;
