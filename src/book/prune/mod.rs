//! Retention: the events and rejects of old days are removed from a book; its counts and views stay.
//!
//! In: the first day that stays. Out: an entry of kind `prune`, and day folders without the files that it takes out of the book.
//!
//! ```text
//! Committer::prune, or prune_beside in a process beside the run ──▶ entry ──▶ move_away.rs: day folders moved to the replaced files
//! ```
//!
//! Promised: one entry decides; after it no answer has an event that came to such a day before it, and a listing loses each day whole where
//! folders can be renamed and nothing else is in them; on an object store, file by file. The files stay ten
//! minutes among the replaced ones, where readers find those that they have listed.

mod beside;
mod commit;
pub(in crate::book) mod move_away;

pub use beside::{is_moved_away, prune_beside};
