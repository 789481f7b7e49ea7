//! Questions that are answered from counts in memory.

pub(in crate::query) mod range_sums;
pub(in crate::query) mod reject_sums;
pub(in crate::query) mod selection;
pub(in crate::query) mod selection_columns;
pub(in crate::query) mod selection_text;
pub(in crate::query) mod table_names;
pub(in crate::query) mod totals;
