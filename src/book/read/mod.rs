//! A book as readers see it: one commit, exactly its counts and files.

pub(in crate::book) mod checksum;
pub(crate) mod columns;
pub(in crate::book) mod complete_to;
pub(in crate::book) mod counts_rows;
pub(in crate::book) mod display;
pub(in crate::book) mod event_batches;
pub(in crate::book) mod follow;
pub(in crate::book) mod listing;
pub(in crate::book) mod row_file;
pub(in crate::book) mod row_sum;
pub(in crate::book) mod snapshot;
pub(in crate::book) mod table_counts;
mod verified_parts;
pub(in crate::book) mod view_files;
