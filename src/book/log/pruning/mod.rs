//! Entries that take the events and rejects of old days out of the book; its counts and views stay.
//!
//! In: an entry of kind `prune`. Out: whether it may follow, and which files are no longer part of the book.
//!
//! Such an entry names no files, as a day may have thousands: gone is what the entries before it have added of days before a day.
//! What comes to such a day later is part of the book, until the next one. Rejects without a timestamp are on no day, and stay.

mod entry;
mod pruned;
mod rules;

pub use entry::PruneEntry;
pub use pruned::Pruned;
pub(in crate::book) use pruned::{add_entry, is_old};
pub(in crate::book::log) use rules::check;
