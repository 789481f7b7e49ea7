//! The file system as the book needs it, so that tests can replace it by a disk that crashes and loses what is not synced;
//! the paths of a book ([`layout`]) and the columns of its files ([`columns`]); and data that is too large for memory ([`SpillBuffer`]).
//!
//! In: paths relative to the book's root, with `/` between their parts. Out: what a POSIX file system promises, no
//! more: bytes survive a crash once their file is synced, names once their folder is. A temporary file has no name, so a
//! crash leaves nothing of it.
//!
//! *Why no library*: `object_store` has neither hard links nor a sync of folders, on which the put of a log entry depends;
//! `tempfile::SpooledTempFile` has no records, and does not distinguish a short file from the end.

pub mod columns;
mod disk;
mod generations;
pub mod layout;
mod spill;
#[expect(clippy::module_inception, reason = "the trait is the room's noun")]
mod store;

pub use disk::Disk;
pub use generations::has_newer_generation;
pub use spill::{SpillBuffer, SpillError, SpillReader, SpillSettings};
pub use store::{Store, StoreFile};
