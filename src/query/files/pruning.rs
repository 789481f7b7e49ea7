//! Excluding row groups by their statistics.

use std::cmp::Reverse;

use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::order::{KeyBounds, RowKey};
use crate::query::Filter;

/// Bounds of the keys of a row group's rows by its statistics; the rows have the first of some times that is not null. `None` when
/// the statistics lack one.
pub(in crate::query) fn key_bounds(group: &RowGroupMetaData, times: &[&str]) -> Option<KeyBounds> {
    let (first_topic, last_topic) = text_bounds(group, "topic")?;
    let Statistics::Int32(partitions) = column(group, "partition")?.statistics()? else { return None };
    let Statistics::Int64(offsets) = column(group, "offset")?.statistics()? else { return None };
    let (oldest, newest) = row_times(group, times)?;
    Some(KeyBounds {
        least: RowKey {
            time: Reverse(newest),
            topic: str::from_utf8(first_topic).ok()?.into(),
            partition: *partitions.min_opt()?,
            offset: Reverse(*offsets.max_opt()?),
            ordinal: i64::MIN,
        },
        greatest: RowKey {
            time: Reverse(oldest),
            topic: str::from_utf8(last_topic).ok()?.into(),
            partition: *partitions.max_opt()?,
            offset: Reverse(*offsets.min_opt()?),
            ordinal: i64::MAX,
        },
    })
}

/// The oldest and the newest of the times of a group's rows, each the first of `columns` that is not null; rows without any are
/// the oldest.
fn row_times(group: &RowGroupMetaData, columns: &[&str]) -> Option<(Option<i64>, Option<i64>)> {
    let mut range: Option<(i64, i64)> = None;
    let mut has_null = true;
    for name in columns {
        let times = column_times(group, name)?;
        range = match (range, times.range) {
            (Some((low, high)), Some((lowest, highest))) => Some((low.min(lowest), high.max(highest))),
            (one, other) => one.or(other),
        };
        has_null = times.has_null;
        if !has_null {
            break;
        }
    }
    let (lowest, highest) = range.unzip();
    Some((lowest.filter(|_| !has_null), highest))
}

/// The times of a column in a row group.
struct ColumnTimes {
    /// The lowest and the highest, if there are any.
    range: Option<(i64, i64)>,
    /// Whether a row may have none.
    has_null: bool,
}

fn column_times(group: &RowGroupMetaData, name: &str) -> Option<ColumnTimes> {
    let statistics = column(group, name)?.statistics()?;
    let nulls = statistics.null_count_opt();
    let range = match statistics {
        Statistics::Int64(times) if times.min_opt().is_some() => times.min_opt().copied().zip(times.max_opt().copied()),
        _ => None,
    };
    let all_null = nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(group.num_rows()));
    (range.is_some() || all_null).then_some(ColumnTimes { range, has_null: nulls != Some(0) })
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
