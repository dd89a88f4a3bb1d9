//! Space-time diagrams of a history: events in, text out.
//!
//! Never here: files, pipes, processes.
