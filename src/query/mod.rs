//! Questions about a book: how many changes, which changes, which rejects.
//!
//! In: a book's directory, while a run writes it or not, and a [`Filter`], for events with a condition in SQL. Out: a [`CountsAnswer`] or an
//! [`EventsAnswer`], printable as a table, CSV or JSON. Promised: an answer is exactly the state after one commit, the newest
//! at the time of the question, and names it; what cannot be answered exactly is an error, never a smaller number. No row
//! of a damaged file is shown, and no file is read that no entry names.
//!
//! Trusted without proof: the statistics in the footers of event files, which exclude row groups without a wanted row. Only
//! the other files are compared with the checksums in the log; a footer in which damage narrows the statistics and nothing else
//! hides rows until `walbook verify` names the file. To compare every file would make each question as slow as a
//! verification.
//!
//! `files/` answers from Parquet files, `memory/` from counts in memory, `views/` from both for the rows of views. *Why* our own printer: csv's `Writer` owns its buffer, where
//! streams here join cached fields, and quoting is six lines; comfy-table copies all rows of an answer before it prints one.

mod counts;
mod error;
mod files;
mod filter;
mod group_by;
mod memory;
mod print;
mod reject_count;
mod reject_filter;
mod rejects;
mod views;

pub use counts::{CountsAnswer, counts};
pub use error::QueryError;
pub use files::budget::QueryBudget;
pub use files::event::Event;
pub use files::event_columns::event_columns;
pub use files::events::{EventsAnswer, EventsPage, events, events_page};
pub use files::order::{PageRequest, RowKey, RowOrder};
pub use files::reject_rows::{RejectRow, RejectsPage, rejects_page};
pub use files::reject_values::base64;
pub use filter::{EventFilter, Filter, TablePattern};
pub use group_by::{CountRow, GroupBy};
pub use memory::range_sums::RangeSums;
pub use memory::reject_sums::{ReasonSum, RejectSums};
pub use memory::selection::Selection;
pub use memory::selection_text::SelectionText;
pub use memory::totals::{CountId, TableSum, Totals};
pub use print::{AnswerHead, Format, RowStyle};
pub use reject_count::RejectCount;
pub use reject_filter::RejectFilter;
pub use rejects::rejects;
pub use views::{ReadableView, SelectedRows, ViewAnswer, ViewColumn, ViewGroup, ViewGroups, ViewQuery, ViewText, view};
