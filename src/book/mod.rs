//! Book.

pub mod entry;

mod complete_to;
mod file_name;
mod fold;
mod metadata;
mod read_counts;
mod read_error;
mod read_log;
mod snapshot;

pub use complete_to::{CompleteTo, rfc3339};
pub use read_error::ReadError;
pub(crate) use snapshot::highest_micros;
pub use snapshot::{DataFile, Snapshot};
