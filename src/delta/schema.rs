//! Columns as Delta describes them (delta.io, PROTOCOL.md, "Schema Serialization Format").

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_schema::{DataType, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde_json::{Value, json};

use crate::change::Day;
use crate::control::catch_panic;
use crate::store::columns::{ColumnKind, EVENT_COLUMNS};

/// The partition column of tables with a folder for each day.
pub(super) const DAY: &str = "day";

/// The columns of the events.
pub(super) fn of_events() -> String {
    let kind = |kind: ColumnKind| match kind {
        ColumnKind::Name | ColumnKind::Operation | ColumnKind::Text => "string",
        ColumnKind::Bytes => "binary",
        ColumnKind::Int => "integer",
        ColumnKind::Long => "long",
        ColumnKind::Time => "timestamp",
    };
    let fields = EVENT_COLUMNS.iter().map(|column| field(column.name, kind(column.kind), column.is_nullable));
    of_fields(fields.chain([field(DAY, "date", true)]).collect())
}

/// The columns of the counts.
pub(super) fn of_counts() -> String {
    let texts = ["schema", "table", "op"].map(|name| field(name, "string", false));
    of_fields(texts.into_iter().chain([field("count", "long", false), field(DAY, "date", true)]).collect())
}

/// The columns of a Parquet file of a view, in the folder of a day or not.
///
/// # Errors
/// For a file that cannot be read; for a name or type that Delta does not have; for a column that has the name of the partition column and other values.
pub(super) fn of_file(bytes: Bytes, day: Option<Day>) -> Result<String, String> {
    catch_panic(|| try_of_file(bytes, day))?
}

fn try_of_file(bytes: Bytes, day: Option<Day>) -> Result<String, String> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&bytes, options).map_err(|error| error.to_string())?;
    let schema = of_arrow(metadata.schema(), day.is_some())?;
    if let (Some(day), Ok(place)) = (day, metadata.schema().index_of(DAY)) {
        let mask = ProjectionMask::roots(metadata.parquet_schema(), [place]);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata);
        for batch in builder.with_projection(mask).build().map_err(|error| error.to_string())? {
            let batch = batch.map_err(|error| error.to_string())?;
            let mut days = batch.column(0).as_primitive::<Date32Type>().iter();
            if !days.all(|of| of == Some(day.days())) {
                return Err("it has a column day that is not the day of its folders: give it another name".to_owned());
            }
        }
    }
    Ok(schema)
}

fn of_arrow(schema: &Schema, has_days: bool) -> Result<String, String> {
    let mut fields = Vec::new();
    let mut names: HashSet<String> = HashSet::new();
    for column in schema.fields() {
        let name = column.name();
        if !names.insert(name.to_lowercase()) || (has_days && name != DAY && name.eq_ignore_ascii_case(DAY)) {
            return Err(format!("Delta does not tell column {name:?} from another one that differs by case only"));
        }
        if name.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']) {
            return Err(format!("Delta has no column {name:?}: give it a name without blanks and punctuation by AS"));
        }
        let kind = match column.data_type() {
            kind if has_days && name == DAY && *kind != DataType::Date32 => {
                return Err("it has a column day that is not the day of its folders: give it another name".to_owned());
            }
            DataType::Boolean => "boolean".to_owned(),
            DataType::Int32 => "integer".to_owned(),
            DataType::Int64 => "long".to_owned(),
            DataType::Float64 => "double".to_owned(),
            DataType::Utf8 => "string".to_owned(),
            DataType::Binary => "binary".to_owned(),
            DataType::Date32 => "date".to_owned(),
            DataType::Decimal128(digits, scale) => format!("decimal({digits},{scale})"),
            DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp_ntz".to_owned(),
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".to_owned(),
            other => return Err(format!("Delta has no type for column {name:?}, which is {other}")),
        };
        fields.push(field(name, &kind, column.is_nullable()));
    }
    if has_days && schema.column_with_name(DAY).is_none() {
        fields.push(field(DAY, "date", true));
    }
    Ok(of_fields(fields))
}

fn field(name: &str, kind: &str, is_nullable: bool) -> Value {
    json!({ "name": name, "type": kind, "nullable": is_nullable, "metadata": {} })
}

fn of_fields(fields: Vec<Value>) -> String {
    json!({ "type": "struct", "fields": fields }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::Field;

    #[test]
    fn types_without_a_counterpart_are_refused() {
        let schema = |kind| Schema::new(vec![Field::new("at", kind, true)]);
        let named = |names: [&str; 2]| Schema::new(names.map(|name| Field::new(name, DataType::Int64, true)).to_vec());
        assert!(of_arrow(&named(["n", "N"]), false).is_err() && of_arrow(&named(["n", "m m"]), false).is_err());
        assert!(of_arrow(&named(["n", "Day"]), true).is_err() && of_arrow(&named(["n", "day"]), true).is_err());
        assert!(of_arrow(&named(["n", "Day"]), false).is_ok() && of_arrow(&named(["n", "day"]), false).is_ok());
        assert!(of_arrow(&schema(DataType::Time64(TimeUnit::Microsecond)), false).is_err());
        let local = of_arrow(&schema(DataType::Timestamp(TimeUnit::Microsecond, None)), true).expect("it is there");
        assert!(local.contains("timestamp_ntz") && local.contains("\"day\""), "{local}");
    }
}
