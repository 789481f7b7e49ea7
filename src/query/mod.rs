//! Questions about a book: how many changes, and which.
//!
//! In: a book's directory, while a run writes it or not, and a [`Filter`]. Out: a [`CountsAnswer`] or an
//! [`EventsAnswer`], printable as a table, CSV or JSON. Promised: an answer is exactly what one commit left, the newest
//! at the moment of asking, and says which; what cannot be answered exactly is an error, never a smaller number. No row
//! of a damaged file is shown, and no file is read that no entry names.
//!
//! What is trusted without proof: the footers of event files, as far as they tell which row groups cannot hold a row
//! that is asked for. Only files that may hold one are compared with the checksums in the log; a footer whose damage
//! narrows its statistics and nothing else makes newest rows go missing until `walbook verify` names the file. To ask the whole
//! of every file instead would make each question as slow as a verification.

mod counts;
mod effort;
mod error;
mod event;
mod event_columns;
mod events;
mod filter;
mod find;
mod order;
mod parquet_bytes;
mod print;
mod pruning;
mod range_sums;
mod reject_rows;
mod reject_sums;
mod rejects;
mod selection;
mod selection_columns;
mod selection_text;
mod table_names;
mod totals;

pub use counts::{CountRow, CountsAnswer, GroupBy, counts};
pub use effort::Effort;
pub use error::QueryError;
pub use event::Event;
pub use event_columns::event_columns;
pub use events::{EventsAnswer, EventsPage, events, events_page};
pub use filter::{Filter, Pattern};
pub use order::{Order, Page, RowKey};
pub use print::{Format, json_head};
pub use range_sums::RangeSums;
pub use reject_rows::{RejectRow, RejectsPage, rejects_page};
pub use reject_sums::{ReasonSum, RejectSums};
pub use rejects::rejects;
pub use selection::Selection;
pub use selection_text::{RowStyle, SelectionText};
pub use totals::{Cell, TableSum, Totals};
