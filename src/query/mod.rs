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
mod error;
mod event;
mod events;
mod filter;
mod print;
mod pruning;
mod rejects;

pub use counts::{CountRow, CountsAnswer, GroupBy, counts};
pub use error::QueryError;
pub use event::Event;
pub use events::{EventsAnswer, events};
pub use filter::{Filter, Pattern};
pub use print::Format;
pub use rejects::rejects;
