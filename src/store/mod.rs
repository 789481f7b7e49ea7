//! The file system as the book needs it, so that tests can replace it by a disk that crashes and loses what is not synced, and users by an
//! object store ([`BookLocation`], [`BookStore`]); the paths of a book ([`layout`]) the columns of its files ([`columns`]) and how small ones are compressed (`compression`); and data that is too large for memory ([`SpillBuffer`]).
//!
//! In: paths relative to the book's root, with `/` between their parts. Out: what a POSIX file system promises, no
//! more: bytes survive a crash once their file is synced, names once their folder is. A temporary file has no name, so a
//! crash leaves nothing of it.
//!
//! *Why one trait in the terms of a file system*: on a directory the put of a log entry depends on hard links and on syncs of folders, which no
//! library of object stores has; on an object store the same operations are few requests each (`object/`). *Why our own spill files*: `tempfile::SpooledTempFile` has no records, and does not distinguish a short file from the end.

mod book_store;
pub mod columns;
pub(crate) mod compression;
mod disk;
mod error;
mod failure;
mod generations;
pub mod layout;
mod location;
#[cfg(feature = "object-store")]
pub mod object;
mod spill;
#[expect(clippy::module_inception, reason = "the trait is the room's noun")]
mod store;
mod stored_file;

pub use book_store::BookStore;
pub use disk::Disk;
pub use error::StoreError;
pub use failure::{LostParts, StoreRefusal, has_lost_parts, is_refusal};
pub use generations::has_newer_generation;
pub use location::{BookLocation, BucketKind, BucketLocation, StoreOption};
pub use spill::{SpillBuffer, SpillError, SpillReader, SpillSettings};
pub use store::{ObjectOperations, ObjectVersion, Store, StoreFile};
pub use stored_file::{ReadAt, StoredFile};
