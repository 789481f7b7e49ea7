//! Questions that are answered from Parquet files: which changes, which rejects.

pub(in crate::query) mod budget;
pub(in crate::query) mod condition;
mod day_order;
pub(in crate::query) mod event;
pub(in crate::query) mod event_columns;
pub(in crate::query) mod events;
pub(in crate::query) mod find;
pub(in crate::query) mod order;
pub(in crate::query) mod parquet_bytes;
pub(in crate::query) mod pruning;
pub(in crate::query) mod reject_rows;
pub(in crate::query) mod reject_values;
pub(in crate::query) mod row_filter;
