//! What the log says of each day: its files, and its rejects.

pub(in crate::book) mod day_files;
pub mod reject_days;
