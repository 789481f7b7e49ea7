//! A checkpoint of a table as a Parquet file: a row for each action that is in force (delta.io, PROTOCOL.md, "Checkpoints").
//!
//! Removed files are not in it. They serve only programs that delete files, and none but walbook may do that.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::actions::{Action, Add, Format, MetaData, Protocol, Remove, Txn};
use crate::control::catch_panic;

/// The bytes of a checkpoint with these actions.
pub(super) fn encode(actions: &[Action]) -> Vec<u8> {
    let add: Vec<_> = actions.iter().map(|action| if let Action::Add(it) = action { Some(it) } else { None }).collect();
    let remove: Vec<_> =
        actions.iter().map(|action| if let Action::Remove(it) = action { Some(it) } else { None }).collect();
    let txn: Vec<_> = actions.iter().map(|action| if let Action::Txn(it) = action { Some(it) } else { None }).collect();
    let metadata: Vec<_> =
        actions.iter().map(|action| if let Action::MetaData(it) = action { Some(it) } else { None }).collect();
    let protocol: Vec<_> =
        actions.iter().map(|action| if let Action::Protocol(it) = action { Some(it) } else { None }).collect();
    let columns = vec![
        ("txn", of_txn(&txn)),
        ("add", of_add(&add)),
        ("remove", of_remove(&remove)),
        ("metaData", of_metadata(&metadata)),
        ("protocol", of_protocol(&protocol)),
    ];
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns of one length");
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists")))
        .set_created_by(concat!("walbook version ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), schema, options).expect("each type is one of Parquet's");
    writer.write(&batch).expect("memory takes all bytes");
    writer.into_inner().expect("memory takes all bytes")
}

fn of_txn(rows: &[Option<&Txn>]) -> ArrayRef {
    structs(
        rows,
        vec![
            ("appId", texts(rows, |txn| Some(txn.app_id.as_str()))),
            ("version", longs(rows, |txn| Some(txn.version))),
            ("lastUpdated", longs(rows, |txn| txn.last_updated)),
        ],
    )
}

fn of_add(rows: &[Option<&Add>]) -> ArrayRef {
    structs(
        rows,
        vec![
            ("path", texts(rows, |add| Some(add.path.as_str()))),
            ("partitionValues", maps(rows, |add| add.partition_values.clone())),
            ("size", longs(rows, |add| Some(add.size))),
            ("modificationTime", longs(rows, |add| Some(add.modification_time))),
            ("dataChange", flags(rows, |add| Some(add.data_change))),
            ("stats", texts(rows, |add| add.stats.as_deref())),
        ],
    )
}

fn of_remove(rows: &[Option<&Remove>]) -> ArrayRef {
    structs(
        rows,
        vec![
            ("path", texts(rows, |remove| Some(remove.path.as_str()))),
            ("deletionTimestamp", longs(rows, |remove| remove.deletion_timestamp)),
            ("dataChange", flags(rows, |remove| Some(remove.data_change))),
        ],
    )
}

fn of_metadata(rows: &[Option<&MetaData>]) -> ArrayRef {
    let options = |from: &BTreeMap<String, String>| -> BTreeMap<String, Option<String>> {
        from.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect()
    };
    let format = structs(
        rows,
        vec![
            ("provider", texts(rows, |metadata| Some(metadata.format.provider.as_str()))),
            ("options", maps(rows, |metadata| options(&metadata.format.options))),
        ],
    );
    structs(
        rows,
        vec![
            ("id", texts(rows, |metadata| Some(metadata.id.as_str()))),
            ("name", texts(rows, |metadata| metadata.name.as_deref())),
            ("format", format),
            ("schemaString", texts(rows, |metadata| Some(metadata.schema_string.as_str()))),
            ("partitionColumns", lists(rows, |metadata| Some(&metadata.partition_columns))),
            ("configuration", maps(rows, |metadata| options(&metadata.configuration))),
            ("createdTime", longs(rows, |metadata| metadata.created_time)),
        ],
    )
}

fn of_protocol(rows: &[Option<&Protocol>]) -> ArrayRef {
    let ints = |value: fn(&Protocol) -> i32| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.map(value)).collect::<Int32Array>())
    };
    structs(
        rows,
        vec![
            ("minReaderVersion", ints(|protocol| protocol.min_reader_version)),
            ("minWriterVersion", ints(|protocol| protocol.min_writer_version)),
            ("readerFeatures", lists(rows, |protocol| protocol.reader_features.as_ref())),
            ("writerFeatures", lists(rows, |protocol| protocol.writer_features.as_ref())),
        ],
    )
}

fn structs<T>(rows: &[Option<&T>], columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let fields = fields.collect::<Vec<_>>().into();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let valid = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    Arc::new(StructArray::new(fields, columns, Some(valid)))
}

fn texts<'a, T>(rows: &[Option<&'a T>], value: impl Fn(&'a T) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(|row| row.and_then(&value)).collect::<StringArray>())
}

fn longs<T>(rows: &[Option<&T>], value: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(|row| row.and_then(&value)).collect::<Int64Array>())
}

fn flags<T>(rows: &[Option<&T>], value: impl Fn(&T) -> Option<bool>) -> ArrayRef {
    Arc::new(rows.iter().map(|row| row.and_then(&value)).collect::<BooleanArray>())
}

fn lists<'a, T>(rows: &[Option<&'a T>], value: impl Fn(&'a T) -> Option<&'a Vec<String>>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row.and_then(&value) {
            Some(texts) => lists.append_value(texts.iter().map(Some)),
            None => lists.append_null(),
        }
    }
    Arc::new(lists.finish())
}

fn maps<T>(rows: &[Option<&T>], value: impl Fn(&T) -> BTreeMap<String, Option<String>>) -> ArrayRef {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in row.map(&value).unwrap_or_default() {
            maps.keys().append_value(key);
            maps.values().append_option(value);
        }
        maps.append(row.is_some()).expect("as many keys as values");
    }
    Arc::new(maps.finish())
}

/// The actions of a checkpoint.
pub(super) fn decode(bytes: Bytes) -> Result<Vec<Action>, String> {
    catch_panic(|| try_decode(bytes))?
}

fn try_decode(bytes: Bytes) -> Result<Vec<Action>, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|builder| builder.build());
    let mut actions = Vec::new();
    for batch in reader.map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let of = |name: &str| Part::of(batch.column_by_name(name), name);
        let (txn, add, metadata, protocol) = (of("txn")?, of("add")?, of("metaData")?, of("protocol")?);
        let format = Part::of(metadata.rows.column_by_name("format"), "format")?;
        for row in 0..batch.num_rows() {
            if txn.is_there(row) {
                let (app_id, version) = (txn.required("appId", row)?, txn.long("version", row)?.ok_or("no version")?);
                actions.push(Action::Txn(Txn { app_id, version, last_updated: txn.long("lastUpdated", row)? }));
            } else if add.is_there(row) {
                actions.push(Action::Add(Add {
                    path: add.required("path", row)?,
                    partition_values: add.map("partitionValues", row)?,
                    size: add.long("size", row)?.ok_or("no size")?,
                    modification_time: add.long("modificationTime", row)?.unwrap_or(0),
                    data_change: true,
                    stats: add.text("stats", row)?,
                }));
            } else if metadata.is_there(row) {
                let values = |map: BTreeMap<String, Option<String>>| {
                    map.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
                };
                actions.push(Action::MetaData(MetaData {
                    id: metadata.required("id", row)?,
                    name: metadata.text("name", row)?,
                    format: Format {
                        provider: format.required("provider", row)?,
                        options: values(format.map("options", row)?),
                    },
                    schema_string: metadata.required("schemaString", row)?,
                    partition_columns: metadata.list("partitionColumns", row)?.unwrap_or_default(),
                    configuration: values(metadata.map("configuration", row)?),
                    created_time: metadata.long("createdTime", row)?,
                }));
            } else if protocol.is_there(row) {
                actions.push(Action::Protocol(Protocol {
                    min_reader_version: protocol.int("minReaderVersion", row)?,
                    min_writer_version: protocol.int("minWriterVersion", row)?,
                    reader_features: protocol.list("readerFeatures", row)?,
                    writer_features: protocol.list("writerFeatures", row)?,
                }));
            }
        }
    }
    Ok(actions)
}

/// One kind of action in a batch.
struct Part<'a> {
    rows: &'a StructArray,
}

impl<'a> Part<'a> {
    fn of(column: Option<&'a ArrayRef>, name: &str) -> Result<Part<'a>, String> {
        let rows = column.and_then(|column| column.as_struct_opt()).ok_or_else(|| format!("it has no {name}"))?;
        Ok(Part { rows })
    }

    fn is_there(&self, row: usize) -> bool {
        self.rows.is_valid(row)
    }

    fn column(&self, name: &str) -> Result<&'a ArrayRef, String> {
        self.rows.column_by_name(name).ok_or_else(|| format!("it has no {name}"))
    }

    fn text(&self, name: &str, row: usize) -> Result<Option<String>, String> {
        let texts = self.column(name)?.as_string_opt::<i32>().ok_or_else(|| format!("{name} is no text"))?;
        Ok(texts.is_valid(row).then(|| texts.value(row).to_owned()))
    }

    fn required(&self, name: &str, row: usize) -> Result<String, String> {
        self.text(name, row)?.ok_or_else(|| format!("a row has no {name}"))
    }

    fn long(&self, name: &str, row: usize) -> Result<Option<i64>, String> {
        let longs = self.column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| format!("{name} is no number"))?;
        Ok(longs.is_valid(row).then(|| longs.value(row)))
    }

    fn int(&self, name: &str, row: usize) -> Result<i32, String> {
        let ints = self.column(name)?.as_primitive_opt::<Int32Type>().ok_or_else(|| format!("{name} is no number"))?;
        Ok(ints.value(row))
    }

    fn list(&self, name: &str, row: usize) -> Result<Option<Vec<String>>, String> {
        let lists = self.column(name)?.as_list_opt::<i32>().ok_or_else(|| format!("{name} is no list"))?;
        if lists.is_null(row) {
            return Ok(None);
        }
        let values = lists.value(row);
        let texts = values.as_string_opt::<i32>().ok_or_else(|| format!("{name} has no texts"))?;
        Ok(Some(texts.iter().flatten().map(str::to_owned).collect()))
    }

    fn map(&self, name: &str, row: usize) -> Result<BTreeMap<String, Option<String>>, String> {
        let maps = self.column(name)?.as_map_opt().ok_or_else(|| format!("{name} is no map"))?;
        let entries = maps.value(row);
        let texts =
            |column: usize| entries.column(column).as_string_opt::<i32>().ok_or_else(|| format!("{name} has no texts"));
        let (keys, values) = (texts(0)?, texts(1)?);
        let pairs = keys.iter().zip(values.iter()).filter_map(|(key, value)| Some((key?, value)));
        Ok(pairs.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_has_what_was_put_into_it() {
        let metadata = MetaData {
            id: "id".to_owned(),
            name: Some("counts".to_owned()),
            format: Format::default(),
            schema_string: "{}".to_owned(),
            partition_columns: vec!["day".to_owned()],
            configuration: BTreeMap::from([("key".to_owned(), "value".to_owned())]),
            created_time: Some(7),
        };
        let actions = vec![
            Action::Protocol(Protocol::of("\"timestamp_ntz\"")),
            Action::MetaData(metadata),
            Action::Txn(Txn { app_id: "book".to_owned(), version: 12, last_updated: None }),
            Action::Add(Add::new("day=2026-11-22/x.parquet".to_owned(), Some("2026-11-22".to_owned()), 5, 3)),
            Action::Add(Add::new("y.parquet".to_owned(), None, 6, 4)),
        ];
        assert_eq!(decode(encode(&actions).into()), Ok(actions));
        assert!(decode(Bytes::from_static(b"PAR1 nothing PAR1")).is_err());
    }
}
