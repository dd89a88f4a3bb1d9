//! What `master` can do, each in a file or a folder of its own, with its options and its help. None
//! knows another; only `cli.rs` and `mod.rs` above know all of them.

pub(super) mod completions;
pub(super) mod determine;
pub(super) mod diagram;
pub(super) mod import;
pub(super) mod judge;
pub(super) mod load;
pub(super) mod man;
pub(super) mod outcomes;
pub(super) mod script;
pub(super) mod tour;
pub(super) mod verify;
