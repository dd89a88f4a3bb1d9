//! What is drawn, and whether it says what happened: one program of tests, a module for each format.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browser;
mod common;
mod elsewhere;
mod exports;
mod layout;
mod own_cut;
mod page;
mod playing;
mod restarts;
mod seen;
mod sharing;
mod sheet;
mod shown;
mod svg;
mod text;
mod tools;
