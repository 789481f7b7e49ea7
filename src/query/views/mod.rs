//! The rows of views: from the files of a commit, or from groups in memory that follow a run or a book.
//!
//! In: a book, and which rows of which view, in which order. Out: rows as a table, CSV, JSON or an Arrow stream. Promised: rows of
//! groups in memory are those of the files of a commit, to the byte, as soon as it has what the groups have.

mod answer;
mod columns;
mod groups;
mod readable_view;
mod rows_text;
mod sorted_groups;
mod view_text;

pub use answer::{SelectedRows, ViewAnswer, ViewQuery, view};
pub use columns::ViewColumn;
pub use groups::ViewGroups;
pub use readable_view::ReadableView;
pub use sorted_groups::ViewGroup;
pub use view_text::ViewText;
