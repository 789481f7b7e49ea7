//! What the statistics of a row group tell without reading it.

use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::Filter;

/// When the newest row of a row group was put into Kafka. In order: groups later in it are looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Newest {
    /// No row has a timestamp.
    Never,
    /// At this instant, in microseconds since 1970-01-01 UTC.
    At(i64),
    /// The statistics do not tell.
    Unknown,
}

/// When the newest row of a group was put into Kafka.
pub(super) fn newest(group: &RowGroupMetaData) -> Newest {
    let Some(statistics) = column(group, "kafka_time").and_then(ColumnChunkMetaData::statistics) else {
        return Newest::Unknown;
    };
    match statistics {
        Statistics::Int64(times) if times.max_opt().is_some() => Newest::At(times.max_opt().copied().unwrap_or(0)),
        _ if statistics.null_count_opt().is_some_and(|nulls| i64::try_from(nulls) == Ok(group.num_rows())) => {
            Newest::Never
        }
        _ => Newest::Unknown,
    }
}

/// Whether a row group may hold a row that the filter lets through; `true` when the statistics do not tell.
pub(super) fn may_hold(group: &RowGroupMetaData, filter: &Filter) -> bool {
    if let (Some(asked), Some((lowest, highest))) = (filter.operation, text_bounds(group, "op"))
        && !(lowest..=highest).contains(&asked.as_str().as_bytes())
    {
        return false;
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
fn text_bounds<'a>(group: &'a RowGroupMetaData, name: &str) -> Option<(&'a [u8], &'a [u8])> {
    let statistics = column(group, name)?.statistics()?;
    Some((statistics.min_bytes_opt()?, statistics.max_bytes_opt()?))
}

fn column<'a>(group: &'a RowGroupMetaData, name: &str) -> Option<&'a ColumnChunkMetaData> {
    group.columns().iter().find(|column| column.column_path().string() == name)
}
