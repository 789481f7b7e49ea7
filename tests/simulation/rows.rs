//! Whether the rows on a disk are those of the records, value by value: counts agree with rows that say something wrong.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use walbook::change::{CountKey, Day, Operation};
use walbook::store::{Store, layout};

use super::world::World;
use crate::support::{EventTruth, MemoryStore, MemoryTopic, WorkloadRecord, read_naively};

/// A row of `rejects` as it must be: partition, offset, timestamp, key and value.
type RejectTruth = (i32, i64, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Checks that `events` and `rejects` hold what these records make, no more and no less.
///
/// # Errors
/// The first row that differs.
pub(crate) fn check_rows(disk: &MemoryStore, world: &World, records: &[WorkloadRecord]) -> Result<(), String> {
    let (mut events, mut rejects) = (Vec::new(), Vec::new());
    for record in records {
        match read_naively(record, world.plan.time_zone) {
            Some(rows) => events.extend(rows),
            None => {
                let (key, value) = (record.key.clone(), record.value.clone());
                rejects.push((record.partition, record.offset, record.time, key, value));
            }
        }
    }
    compare("events", read(disk, "events", read_events)?, events)?;
    compare("rejects", read(disk, "rejects", read_rejects)?, rejects)
}

fn compare<T: Ord + std::fmt::Debug>(table: &str, mut found: Vec<T>, mut expected: Vec<T>) -> Result<(), String> {
    found.sort();
    expected.sort();
    let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    match first {
        Some((found, expected)) => Err(format!("{table} has {found:?}, the records make {expected:?}")),
        None if found.len() == expected.len() => Ok(()),
        None => Err(format!("{table} has {} rows, the records make {}", found.len(), expected.len())),
    }
}

fn read<T>(
    disk: &MemoryStore,
    table: &str,
    rows_of: fn(Day, &RecordBatch) -> Result<Vec<T>, String>,
) -> Result<Vec<T>, String> {
    let mut rows = Vec::new();
    for folder in disk.list(table).unwrap_or_default() {
        let day = layout::day_of_folder(&folder).ok_or_else(|| format!("{folder} is no day folder"))?;
        let folder = format!("{table}/{folder}");
        for file in disk.list(&folder).map_err(|error| format!("{folder}: {error}"))? {
            let wrong = |error: &dyn std::fmt::Display| format!("{folder}/{file}: {error}");
            let bytes = disk.read(&format!("{folder}/{file}")).map_err(|error| wrong(&error))?;
            let reader =
                ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).map_err(|error| wrong(&error))?;
            for batch in reader.build().map_err(|error| wrong(&error))? {
                let batch = batch.map_err(|error| wrong(&error))?;
                rows.extend(rows_of(day, &batch).map_err(|error| wrong(&error))?);
            }
        }
    }
    Ok(rows)
}

fn read_events(day: Day, batch: &RecordBatch) -> Result<Vec<EventTruth>, String> {
    let columns = Columns(batch);
    (0..batch.num_rows())
        .map(|row| {
            let op = columns.text("op", row)?;
            let key = CountKey {
                day,
                schema: columns.text("schema", row)?,
                table: columns.text("table", row)?,
                op: Operation::named(&op).ok_or_else(|| format!("{op} is no operation"))?,
            };
            Ok(EventTruth {
                partition: columns.partition(row)?,
                offset: columns.long("offset", row).ok_or("no offset")?,
                ordinal: columns.integer("ordinal", row).ok_or("no ordinal")?,
                key,
                kafka_time: columns.time("kafka_time", row),
                commit_time: columns.time("commit_time", row),
                lsn: columns.long("lsn", row),
                commit_lsn: columns.long("commit_lsn", row),
                seq: columns.integer("seq", row),
                xid: columns.long("xid", row),
                data: columns.text("data", row)?,
            })
        })
        .collect()
}

fn read_rejects(_: Day, batch: &RecordBatch) -> Result<Vec<RejectTruth>, String> {
    let columns = Columns(batch);
    (0..batch.num_rows())
        .map(|row| {
            if columns.text("reason", row)?.is_empty() {
                return Err("a reject has no reason".to_owned());
            }
            let offset = columns.long("offset", row).ok_or("no offset")?;
            let (key, value) = (columns.bytes("key", row), columns.bytes("value", row));
            Ok((columns.partition(row)?, offset, columns.time("kafka_time", row), key, value))
        })
        .collect()
}

/// The columns of a batch by name, as README.md describes them.
struct Columns<'a>(&'a RecordBatch);

impl Columns<'_> {
    fn column(&self, name: &str) -> &dyn Array {
        self.0.column_by_name(name).unwrap_or_else(|| panic!("there is a column {name}")).as_ref()
    }

    /// The partition's number, of the only topic that there is.
    fn partition(&self, row: usize) -> Result<i32, String> {
        let topic = self.text("topic", row)?;
        if topic != MemoryTopic::NAME {
            return Err(format!("a row is of the topic {topic}"));
        }
        self.integer("partition", row).ok_or_else(|| "no partition".to_owned())
    }

    fn text(&self, name: &str, row: usize) -> Result<String, String> {
        let texts = self.column(name);
        let texts = texts.as_string_opt::<i32>().ok_or_else(|| format!("{name} is a {}", texts.data_type()))?;
        Ok(texts.value(row).to_owned())
    }

    fn long(&self, name: &str, row: usize) -> Option<i64> {
        let numbers = self.column(name).as_primitive::<Int64Type>();
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    fn integer(&self, name: &str, row: usize) -> Option<i32> {
        let numbers = self.column(name).as_primitive::<Int32Type>();
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    fn time(&self, name: &str, row: usize) -> Option<i64> {
        let times = self.column(name).as_primitive::<TimestampMicrosecondType>();
        times.is_valid(row).then(|| times.value(row))
    }

    fn bytes(&self, name: &str, row: usize) -> Option<Vec<u8>> {
        let values = self.column(name).as_binary::<i32>();
        values.is_valid(row).then(|| values.value(row).to_vec())
    }
}
