//! Book.
pub mod entry;
