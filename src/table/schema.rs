//! Types and encodings of the files for events and rejects; `store/columns.rs` lists their columns.

use std::sync::{Arc, LazyLock};

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::store::columns::{ColumnKind, EVENT_COLUMNS, REJECT_COLUMNS, TableColumn};
use crate::store::layout::Table;

/// A row group ends at this many rows, or when it holds [`ROW_GROUP_BYTES`].
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Encoded bytes of an open row group: what an open file costs in memory.
const ROW_GROUP_BYTES: usize = 8 << 20;
/// Bytes of a page before it is compressed. A page is compressed while it is still in the processor's cache, and the buffers of a page
/// are small enough for the allocator to use again: against Parquet's usual 1 MB a run needs 5 % less processor time and a third less memory,
/// and the files have the same size.
const PAGE_BYTES: usize = 128 << 10;

/// The level of zstd for files that are written once and read for years.
const MERGED_LEVEL: i32 = 3;

/// How the rows of a table are written.
#[derive(Clone)]
pub struct RowFormat {
    /// The table that the rows belong to.
    pub table: Table,
    /// The columns.
    pub schema: SchemaRef,
    /// Encodings and limits.
    properties: WriterProperties,
    /// The columns that are written as deltas.
    deltas: &'static [&'static str],
}

impl RowFormat {
    /// One row per change.
    pub fn events() -> RowFormat {
        // Numbers ascend or repeat, text is unique: deltas beat dictionaries there, in time and in size.
        let deltas =
            &["partition", "offset", "ordinal", "kafka_time", "commit_time", "lsn", "commit_lsn", "seq", "xid"];
        RowFormat { table: Table::Events, schema: events_schema(), properties: properties(deltas, &["data"]), deltas }
    }

    /// One row per record that could not be read.
    pub fn rejects() -> RowFormat {
        let deltas = &["partition", "offset", "kafka_time"];
        let properties = properties(deltas, &["key", "value", "headers"]);
        RowFormat { table: Table::Rejects, schema: rejects_schema(), properties, deltas }
    }

    /// Encodings and limits of a file that begins with these rows.
    ///
    /// A column without a value in them is not written as deltas. fastparquet 2026.9 reads beyond a page of deltas that holds no
    /// value, and crashes or not; records have a field all or never, but for a source that changes in the middle of a file.
    pub(super) fn properties(&self, first: &RecordBatch) -> WriterProperties {
        self.properties_of(&self.properties, first)
    }

    /// The same for a file of merged rows, whose writer ends row groups, in the background, where time matters less than size.
    pub(super) fn merged_properties(&self, first: &RecordBatch) -> WriterProperties {
        let properties = self.properties.clone().into_builder();
        let properties = properties
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(MERGED_LEVEL).expect("it exists")))
            .set_max_row_group_row_count(None)
            .set_max_row_group_bytes(None);
        self.properties_of(&properties.build(), first)
    }

    fn properties_of(&self, properties: &WriterProperties, first: &RecordBatch) -> WriterProperties {
        let is_empty =
            |name: &&str| first.column_by_name(name).is_some_and(|column| column.null_count() == column.len());
        let empty: Vec<&str> = self.deltas.iter().copied().filter(is_empty).collect();
        if empty.is_empty() {
            return properties.clone();
        }
        let mut properties = properties.clone().into_builder();
        for name in empty {
            properties = properties.set_column_encoding(ColumnPath::from(name), Encoding::PLAIN);
        }
        properties.build()
    }
}

fn properties(numbers: &[&str], texts: &[&str]) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("walbook version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists")))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_write_batch_size(8192)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    for name in numbers {
        let column = ColumnPath::from(*name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    for name in texts {
        let column = ColumnPath::from(*name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_statistics_enabled(column.clone(), EnabledStatistics::None)
            // Not DELTA_LENGTH_BYTE_ARRAY: fastparquet lacks it, and zstd makes both equally small.
            .set_column_encoding(column, Encoding::PLAIN);
    }
    properties.build()
}

fn names(key: DataType) -> DataType {
    DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8))
}

/// The schema of files with these columns.
fn schema(columns: &[TableColumn]) -> SchemaRef {
    let fields = columns.iter().map(|TableColumn { name, kind, is_nullable }| {
        let data_type = match kind {
            ColumnKind::Name => names(DataType::Int32),
            ColumnKind::Operation => names(DataType::Int8),
            ColumnKind::Text => DataType::Utf8,
            ColumnKind::Bytes => DataType::Binary,
            ColumnKind::Int => DataType::Int32,
            ColumnKind::Long => DataType::Int64,
            ColumnKind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        Field::new(*name, data_type, *is_nullable)
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

/// The events table: one row per change.
pub(super) fn events_schema() -> SchemaRef {
    static EVENTS: LazyLock<SchemaRef> = LazyLock::new(|| schema(&EVENT_COLUMNS));
    Arc::clone(&EVENTS)
}

/// The rejects table: one row per record that could not be read.
pub(super) fn rejects_schema() -> SchemaRef {
    static REJECTS: LazyLock<SchemaRef> = LazyLock::new(|| schema(&REJECT_COLUMNS));
    Arc::clone(&REJECTS)
}
