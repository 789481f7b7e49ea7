//! `/api/live`: Server-Sent Events, a snapshot and then what changes, of counts or of a view.

mod events;
mod watched;
mod watcher;

pub(in crate::server) use events::{__path_live, LiveDelta, LiveSnapshot, LiveViewDelta, LiveViewSnapshot, live};
