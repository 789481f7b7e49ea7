//! What stands for the entries that were swept.
//!
//! In: the state that the log up to an entry folds to, and the files that those entries named. Out: a base, with which the log is whole though
//! they are gone.
//!
//! On disk: `base.rs` has a base, `manifest.rs` the files of one table and day in it. Each is written once and then removed, never rewritten;
//! the newest base is the one that counts, and entries up to its own that are still there, or there again, are not part of the log.
//!
//! *Why* manifests by day and not all files in the base: a book has millions of files, of which a sweep changes those of some days.

#[expect(clippy::module_inception, reason = "the base is the folder's noun")]
mod base;
mod manifest;

pub(in crate::book) use base::encode;
pub use base::{Base, ManifestName, Manifests, read_newest};
pub use manifest::{Manifest, NamedFile};
