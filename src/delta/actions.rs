//! The actions of the Delta protocol that walbook writes, one JSON object a line (delta.io, PROTOCOL.md, "Actions").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One line of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Who wrote the version, and when; information only.
    CommitInfo(Value),
    /// What a program must know to read or write the table.
    Protocol(Protocol),
    /// The columns.
    MetaData(MetaData),
    /// Up to which entry of the log the table has been written.
    Txn(Txn),
    /// A file that becomes part of the table.
    Add(Add),
    /// A file that is no longer part of it.
    Remove(Remove),
}

/// What a program must know to read or write a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protocol {
    /// The version that readers need.
    pub min_reader_version: i32,
    /// The version that writers need.
    pub min_writer_version: i32,
    /// What readers must know; only with reader version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    /// What writers must know; only with writer version 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

/// A feature that no other program has, so that none but walbook writes the table, or removes files that it does not know.
const OWN_FEATURE: &str = "walbook";
const TIMESTAMP_NTZ: &str = "timestampNtz";

impl Protocol {
    /// For a table with these columns.
    pub(super) fn of(schema: &str) -> Protocol {
        let mut writer_features = vec![OWN_FEATURE.to_owned()];
        let has_local_times = schema.contains("\"timestamp_ntz\"");
        if has_local_times {
            writer_features.push(TIMESTAMP_NTZ.to_owned());
        }
        Protocol {
            min_reader_version: if has_local_times { 3 } else { 1 },
            min_writer_version: 7,
            reader_features: has_local_times.then(|| vec![TIMESTAMP_NTZ.to_owned()]),
            writer_features: Some(writer_features),
        }
    }
}

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetaData {
    /// The identity of the table, a UUID.
    pub id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How its files are written.
    pub format: Format,
    /// Its columns, as JSON in a text.
    pub schema_string: String,
    /// The columns whose values are not in the files but in the log.
    pub partition_columns: Vec<String>,
    /// Settings.
    pub configuration: BTreeMap<String, String>,
    /// Milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
}

/// How files are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Always `parquet`.
    pub provider: String,
    /// None.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl Default for Format {
    fn default() -> Format {
        Format { provider: "parquet".to_owned(), options: BTreeMap::new() }
    }
}

/// Up to which entry a table has been written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Txn {
    /// The identity of the book.
    pub app_id: String,
    /// The number of the newest entry of the log that the version covers.
    pub version: i64,
    /// Milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// A file of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Add {
    /// Its path below the folder of the table.
    pub path: String,
    /// The values of the partition columns.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Bytes.
    pub size: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub modification_time: i64,
    /// Whether the version changes rows: not where files were merged.
    pub data_change: bool,
    /// The number of rows, as JSON in a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
}

impl Add {
    /// A file with so many bytes and rows.
    pub(super) fn new(path: String, day: Option<String>, bytes: u64, rows: u64) -> Add {
        Add {
            path,
            partition_values: day.map(|day| ("day".to_owned(), Some(day))).into_iter().collect(),
            size: i64::try_from(bytes).unwrap_or(i64::MAX),
            modification_time: 0,
            data_change: true,
            stats: Some(json!({ "numRecords": rows }).to_string()),
        }
    }

    /// How many rows it has, as its statistics say.
    pub fn rows(&self) -> Option<u64> {
        serde_json::from_str::<Value>(self.stats.as_deref()?).ok()?.get("numRecords")?.as_u64()
    }
}

/// A file that is no longer part of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// Its path below the folder of the table.
    pub path: String,
    /// Milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    /// As in [`Add`].
    pub data_change: bool,
    /// Whether the next two are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_file_metadata: Option<bool>,
    /// As in [`Add`].
    #[serde(default)]
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// The bytes of a version.
pub(super) fn encode(actions: &[Action]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for action in actions {
        serde_json::to_writer(&mut bytes, action).expect("an action is JSON, and memory takes all bytes");
        bytes.push(b'\n');
    }
    bytes
}

/// The actions of a version.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Action>, String> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|error| error.to_string())).collect()
}
