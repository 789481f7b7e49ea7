//! Columns as Delta describes them (delta.io, PROTOCOL.md, "Schema Serialization Format").

use arrow_schema::{DataType, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use serde_json::{Value, json};

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

/// The columns of a Parquet file of a view.
///
/// # Errors
/// For a file that cannot be read, and a type that Delta does not have.
pub(super) fn of_file(bytes: Bytes, has_days: bool) -> Result<String, String> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = catch_panic(|| ArrowReaderMetadata::load(&bytes, options))?.map_err(|error| error.to_string())?;
    of_arrow(metadata.schema(), has_days)
}

fn of_arrow(schema: &Schema, has_days: bool) -> Result<String, String> {
    let mut fields = Vec::new();
    for column in schema.fields() {
        let name = column.name();
        if name.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']) {
            return Err(format!("Delta has no column {name:?}: give it a name without blanks and punctuation by AS"));
        }
        let kind = match column.data_type() {
            // The value in the log counts, and it has this type; the one in the file is not read.
            _ if has_days && name == DAY => "date".to_owned(),
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
        assert!(of_arrow(&schema(DataType::Time64(TimeUnit::Microsecond)), false).is_err());
        let local = of_arrow(&schema(DataType::Timestamp(TimeUnit::Microsecond, None)), true).expect("it is there");
        assert!(local.contains("timestamp_ntz") && local.contains("\"day\""), "{local}");
    }
}
