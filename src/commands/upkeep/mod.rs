//! Commands that change how a book is kept, not what it says: by themselves or beside the run that has the book.

mod compact;
mod owner;
mod prune;
mod rebuild;

pub(super) use compact::compact;
pub(super) use prune::prune;
pub(super) use rebuild::rebuild;
