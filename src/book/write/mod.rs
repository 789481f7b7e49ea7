//! Everything that changes a book: staging, committing, and completing the commits of earlier runs.

pub(in crate::book) mod beside;
pub(in crate::book) mod commit_epochs;
pub(in crate::book) mod committer;
pub(in crate::book) mod counts_file;
pub(in crate::book) mod create;
pub(in crate::book) mod day_counts;
pub(in crate::book) mod entry_parts;
pub(in crate::book) mod recount;
pub(in crate::book) mod redo;
pub(in crate::book) mod resume;
pub(in crate::book) mod staging;
pub(in crate::book) mod views;
