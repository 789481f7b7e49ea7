//! What operators hand on: batches of records, and the rows that come of one.

mod batch;
mod rows;

pub use batch::{Batch, PolledBatch};
pub use rows::{Rows, SealedFile};
