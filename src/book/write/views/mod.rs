//! Views in a book: declared by an entry, built from all events, kept by each commit.

pub(in crate::book) mod build_views;
pub(in crate::book) mod declare;
pub(super) mod kept_views;
pub(in crate::book) mod views_at_start;
