//! What the programs do, from outside: one program of tests, a module for each subject.
//!
//! Apart from it are those that would disturb others in the same process, or be disturbed by them:
//! `limits` measures memory, `fuzz` has an allocator of its own, `torture` starts itself again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod abandoned;
mod against_model;
mod command_line;
mod deaths;
mod descriptors;
mod diagram;
mod elsewhere;
mod ending;
mod file_size_limit;
mod golden;
mod held_open;
mod history;
mod hosts;
mod import;
mod judge;
mod lasting;
mod lasting_history;
mod load;
mod losses;
mod outputs;
mod patience;
mod pictures;
mod programs;
mod reproducible;
mod run_dir;
mod scripts;
mod security;
mod segments;
mod source;
mod standard_input;
mod system_limits;
mod teardown;
mod terminal;
mod tidy;
mod tour;
mod tty;
mod verify;
mod widths;
mod windows;
