//! What is computed: one dataflow per file, each readable as its diagram.
//!
//! ```text
//! pipeline          partitions ─▶ read ─▶ parse ─▶ {events, rejects, counts} ─▶ commit
//! operation_counts  deltas + initial counts ─▶ counts by (day, schema, table, op) ─▶ totals
//! views             events + initial groups ─▶ aggregates by group of each view ─▶ groups that changed
//! ```

pub mod operation_counts;
pub mod pipeline;
pub mod views;
