//! Views: aggregates that users declare, computed from changes.
//!
//! In: batches of changed rows, and the text of each view. Out: group deltas, one for each group of a batch; and from what the groups
//! add up to, the rows of a view and its files. [`View`] is a [`ViewPlan`](crate::sql::ViewPlan) made ready for this.
//!
//! Promised: a view's rows depend on the changes alone, not on their order, their batches or the number of workers.
//!
//! ```text
//! rows of a batch ─▶ columns of each view ─▶ filter ─▶ groups and arguments ─▶ group deltas
//! ```
//!
//! Group columns and values are packed in arrow's row format, in memory only: files have typed columns.
//! *Why not DataFusion*: see [`crate::sql`].

mod accumulate;
mod compute_deltas;
mod contents;
mod deltas;
mod files;
mod inputs;
mod normalized;
mod pieces;
mod results;
mod table_rows;
mod view;
mod view_inputs;
#[cfg(test)]
mod view_tests;

pub use compute_deltas::{ViewDeltas, compute_group_deltas};
pub use contents::ViewContents;
pub use deltas::GroupDeltas;
pub(crate) use files::batches;
pub(crate) use inputs::event_inputs;
pub use view::{View, ViewError};
pub use view_inputs::{ViewInput, ViewInputs};
