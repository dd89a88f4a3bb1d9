//! Pictures of a history.
//!
//! [`select()`] chooses the events that are drawn, [`Layout`] gives each of them its place, a
//! [`Sheet`] puts layouts beneath each other, and the other modules write that down. [`text()`] draws the end of a run that goes on, for a terminal.
//!
#![doc = include_str!("../README.md")]

mod columns;
mod describe;
mod dot;
mod error;
mod format;
mod labels;
mod layout;
mod legend;
mod mermaid;
mod moment;
mod obstacles;
mod page;
mod recent;
mod select;
mod sheet;
mod shiviz;
mod svg;
mod text;
mod text_width;
mod trace;
mod xml;

pub use describe::describe;
pub use dot::dot;
pub use error::Error;
pub use format::{Drawing, Format};
pub use layout::{Arrow, Cut, Edge, Label, LabelKind, Lane, Layout, Placed, Point, Rect, Setting};
pub use mermaid::mermaid;
pub use page::page;
pub use recent::Recent;
pub use select::{Selection, select};
pub use sheet::{LeftOut, MAX_EVENTS, MAX_PROCESSES, Sheet};
pub use shiviz::{EXPRESSION, shiviz};
pub use svg::svg;
pub use text::{Ink, TextOptions, text};
pub use text_width::text_width;
pub use trace::{Time, trace};
pub use xml::escape;
