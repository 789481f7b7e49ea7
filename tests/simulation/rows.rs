//! Whether the rows on a disk are those of the records, value by value: counts agree with rows that say something wrong.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::sync::Arc;
use walbook::change::{CountKey, Day, Operation, TableName};
use walbook::store::{Store, layout};

use super::world::World;
use crate::support::{EventTruth, MemoryStore, MemoryTopic, WorkloadRecord, read_naively, reason_naively};

/// A row of `rejects` as it must be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RejectTruth {
    partition: i32,
    offset: i64,
    kafka_time: Option<i64>,
    reason: String,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A row of a table.
trait Row: Ord + std::fmt::Debug {
    /// Its partition, and what ascends along it: offset, and the number of the change in its record.
    fn place(&self) -> (i32, (i64, i32));
}

impl Row for EventTruth {
    fn place(&self) -> (i32, (i64, i32)) {
        (self.partition, (self.offset, self.ordinal))
    }
}

impl Row for RejectTruth {
    fn place(&self) -> (i32, (i64, i32)) {
        (self.partition, (self.offset, 0))
    }
}

/// Checks that `events` and `rejects` hold what these records make, no more and no less, and that each file that is not merged has the
/// rows of a partition in the order of its records.
///
/// # Errors
/// The first row that differs.
pub(crate) fn check_rows(disk: &MemoryStore, world: &World, records: &[WorkloadRecord]) -> Result<(), String> {
    let (mut events, mut rejects) = (Vec::new(), Vec::new());
    for record in records {
        match read_naively(record, world.plan.time_zone) {
            Some(rows) => events.extend(rows),
            None => rejects.push(RejectTruth {
                partition: record.partition,
                offset: record.offset,
                kafka_time: record.time,
                reason: reason_naively(record).to_owned(),
                key: record.key.clone(),
                value: record.value.clone(),
                headers: record.headers.clone(),
            }),
        }
    }
    compare("events", read(disk, "events", read_events)?, events)?;
    compare("rejects", read(disk, "rejects", read_rejects)?, rejects)
}

fn compare<T: Row>(table: &str, mut found: Vec<T>, mut expected: Vec<T>) -> Result<(), String> {
    found.sort();
    expected.sort();
    let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    match first {
        Some((found, expected)) => Err(format!("{table} has {found:?}, the records make {expected:?}")),
        None if found.len() == expected.len() => Ok(()),
        None => Err(format!("{table} has {} rows, the records make {}", found.len(), expected.len())),
    }
}

fn read<T: Row>(
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
            let begin = rows.len();
            for batch in reader.build().map_err(|error| wrong(&error))? {
                let batch = batch.map_err(|error| wrong(&error))?;
                rows.extend(rows_of(day, &batch).map_err(|error| wrong(&error))?);
            }
            // Merged rows are in the order of their tables first.
            if !file.starts_with('m') {
                check_order(&rows[begin..]).map_err(|error| wrong(&error))?;
            }
        }
    }
    Ok(rows)
}

/// Checks that the rows of each partition ascend in a file.
fn check_order<T: Row>(rows: &[T]) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for row in rows {
        let (partition, place) = row.place();
        if last.insert(partition, place).is_some_and(|last| last >= place) {
            return Err(format!("a row is not in the order of its partition: {row:?}"));
        }
    }
    Ok(())
}

fn read_events(day: Day, batch: &RecordBatch) -> Result<Vec<EventTruth>, String> {
    let columns = Columns(batch);
    (0..batch.num_rows())
        .map(|row| {
            let op = columns.text("op", row)?;
            let key = CountKey {
                day,
                table: Arc::new(TableName { schema: columns.text("schema", row)?, table: columns.text("table", row)? }),
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
            let headers = columns.bytes("headers", row);
            Ok(RejectTruth {
                partition: columns.partition(row)?,
                offset: columns.long("offset", row).ok_or("no offset")?,
                kafka_time: columns.time("kafka_time", row),
                reason: columns.text("reason", row)?,
                key: columns.bytes("key", row),
                value: columns.bytes("value", row),
                headers: headers.map_or(Some(Vec::new()), |bytes| decode_headers(&bytes)).ok_or("malformed headers")?,
            })
        })
        .collect()
}

/// The headers of the column `headers` as README.md describes them; `None` if it holds something else.
fn decode_headers(mut bytes: &[u8]) -> Option<Vec<(String, Option<Vec<u8>>)>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let name = read_text(&mut bytes)??;
        headers.push((String::from_utf8(name).ok()?, read_text(&mut bytes)?));
    }
    (!headers.is_empty()).then_some(headers)
}

/// A length and so many bytes, or nothing for the length -1.
#[expect(clippy::option_option, reason = "malformed, or null")]
fn read_text(bytes: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = i32::from_le_bytes(*length);
    let (text, rest) = rest.split_at_checked(usize::try_from(length.max(0)).ok()?)?;
    *bytes = rest;
    Some((length >= 0).then(|| text.to_vec()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(partition: i32, offset: i64) -> RejectTruth {
        let (kafka_time, reason, key, value, headers) = (None, String::new(), None, None, Vec::new());
        RejectTruth { partition, offset, kafka_time, reason, key, value, headers }
    }

    #[test]
    fn rows_of_a_partition_that_do_not_ascend_are_found() {
        let check = |places: &[(i32, i64)]| {
            let rows = places.iter().map(|(partition, offset)| reject(*partition, *offset));
            check_order(&rows.collect::<Vec<_>>()).is_ok()
        };
        assert!(check(&[(1, 5), (0, 1), (1, 6), (0, 2)]));
        assert!(!check(&[(1, 5), (0, 1), (1, 4)]));
        assert!(!check(&[(0, 1), (0, 1)]));
    }

    #[test]
    fn headers_are_decoded_to_their_last_byte() {
        let encoded = b"\x01\0\0\0a\xff\xff\xff\xff\0\0\0\0\x01\0\0\0b";
        let headers = vec![("a".to_owned(), None), (String::new(), Some(b"b".to_vec()))];
        assert_eq!(decode_headers(encoded), Some(headers));
        for end in [0, 3, 4, 5, 8, 9, 17] {
            assert_eq!(decode_headers(&encoded[..end]).filter(|_| end != 9), None, "{end}");
        }
    }
}
