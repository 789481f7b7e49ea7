//! Excluding row groups by their statistics.

use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::query::{Filter, RowOrder};

/// The Kafka times of the rows of a row group; `None` for a row without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::query) struct GroupTimes {
    /// The first in the order of the page.
    pub(in crate::query) first: Option<i64>,
    /// The last in the order of the page.
    pub(in crate::query) last: Option<i64>,
}

/// The times of a group's rows; `None` when its statistics lack them.
pub(in crate::query) fn times(group: &RowGroupMetaData, order: RowOrder) -> Option<GroupTimes> {
    let statistics = column(group, "kafka_time")?.statistics()?;
    let nulls = statistics.null_count_opt();
    let (lowest, highest) = match statistics {
        Statistics::Int64(times) if times.min_opt().is_some() && times.max_opt().is_some() => {
            (times.min_opt().copied(), times.max_opt().copied())
        }
        _ if nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(group.num_rows())) => (None, None),
        _ => return None,
    };
    // Rows without a time are the last of all, or the first.
    let lowest = if nulls == Some(0) { lowest } else { None };
    Some(match order {
        RowOrder::Newest => GroupTimes { first: highest, last: lowest },
        RowOrder::Oldest => GroupTimes { first: lowest, last: highest },
    })
}

/// Whether a row group may have a row that the filter accepts; `true` without statistics.
pub(in crate::query) fn may_hold(group: &RowGroupMetaData, filter: &Filter) -> bool {
    if let (Some(asked), Some((lowest, highest))) = (filter.operation, text_bounds(group, "op"))
        && !(lowest..=highest).contains(&asked.as_str().as_bytes())
    {
        return false;
    }
    if let Some(name) = &filter.name {
        let may_be = |column: &str, text: &str| {
            text_bounds(group, column).is_none_or(|(lowest, highest)| (lowest..=highest).contains(&text.as_bytes()))
        };
        if !may_be("schema", &name.schema) || !may_be("table", &name.table) {
            return false;
        }
    }
    let Some(pattern) = &filter.tables else { return true };
    let Some((lowest, schema)) = text_bounds(group, "schema") else { return true };
    if lowest != schema {
        return true;
    }
    // All rows are of one schema: does the pattern's beginning fit `schema.`, and is there a table for what follows it?
    let prefix = pattern.literal_prefix().as_bytes();
    let qualified = [schema, b"."].concat();
    let Some(table_prefix) = prefix.strip_prefix(qualified.as_slice()) else { return qualified.starts_with(prefix) };
    text_bounds(group, "table").is_none_or(|(lowest, highest)| {
        highest >= table_prefix && (lowest <= table_prefix || lowest.starts_with(table_prefix))
    })
}

/// Bounds of a text column: no value is below the first or above the second. They may be shortened, the second upwards.
pub(super) fn text_bounds<'a>(group: &'a RowGroupMetaData, name: &str) -> Option<(&'a [u8], &'a [u8])> {
    let statistics = column(group, name)?.statistics()?;
    Some((statistics.min_bytes_opt()?, statistics.max_bytes_opt()?))
}

pub(super) fn column<'a>(group: &'a RowGroupMetaData, name: &str) -> Option<&'a ColumnChunkMetaData> {
    group.columns().iter().find(|column| column.column_path().string() == name)
}
