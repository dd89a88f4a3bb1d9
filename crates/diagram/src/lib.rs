//! Space-time diagrams of a history: events in, text out.
//!
//! [`select()`] chooses the events that are drawn, [`Layout`] gives each of them its place, and the
//! other modules write that down.
//!
//! Never here: files, pipes, processes.

mod describe;
mod labels;
mod layout;
mod legend;
mod place;
mod select;
mod svg;
mod text_width;
mod xml;

pub use describe::describe;
pub use layout::{Arrow, Cut, Edge, Label, LabelKind, Lane, Layout, Placed, Point, Rect};
pub use select::{MAX_EVENTS, MAX_PROCESSES, SelectError, Selection, select};
pub use svg::svg;
pub use text_width::text_width;
pub use xml::escape;
