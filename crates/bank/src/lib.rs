//! A distributed bank of separate processes that photographs itself consistently.
//!
//! Three programs, each a thin `main` over a module of this library: [`master`] reads a script,
//! [`node`] holds one account, [`observer`] takes snapshots. Everything that a node decides is in
//! [`member`], a value that knows nothing of pipes. [`messages`] is the table of who says what to
//! whom; [`script`] is the command language; [`audit`] decides whether a snapshot is sound.
//!
//! Never here: raw descriptors and raw bytes (they are in `pipes`), nor the snapshot algorithm
//! itself (it is in `snapshot`).

pub mod account;
pub mod audit;
pub mod draw;
pub mod id;
pub mod master;
pub mod member;
pub mod messages;
pub mod node;
pub mod observer;
pub mod say;
pub mod script;
