//! The file system as the book sees it, so that tests can stand in a disk that crashes and forgets; and where on it
//! everything of a book stands ([`layout`]).
//!
//! In: paths relative to the book's root, with `/` between their parts. Out: what a POSIX file system promises, no
//! more: bytes survive a crash once their file is synced, names once their folder is.

mod disk;
pub mod layout;
#[expect(clippy::module_inception, reason = "the trait is the room's noun")]
mod store;

pub use disk::Disk;
pub use store::{Store, StoreFile};
