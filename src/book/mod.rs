//! Book.

pub mod entry;

pub(crate) mod columns;
mod complete_to;
mod file_name;
mod fold;
mod metadata;
mod read_counts;
mod read_error;
mod read_log;
mod snapshot;
mod table_counts;
mod tail;

pub use complete_to::{CompleteTo, rfc3339};
pub use read_error::ReadError;
pub use snapshot::{DataFile, Snapshot};
