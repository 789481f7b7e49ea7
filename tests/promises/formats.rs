//! The files of a book, as other tools find them: golden text, reviewed like code.

use std::sync::Arc;

use crate::support::{MemoryRun, MemoryStore, MemoryTopic, Workload};
use bytes::Bytes;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::printer::print_schema;
use walbook::store::{Store, layout};

/// The first file of a table in the book of a small workload.
fn first_file(table: &str) -> ParquetMetaData {
    let topic = MemoryTopic::new(Workload::default().records());
    let store = MemoryStore::new();
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    MemoryRun::default().run(&shared, &topic).expect("nothing disturbs the run");
    let files = store.files();
    let (path, bytes) = files.iter().find(|(path, _)| path.starts_with(table)).expect("the table has files");
    assert!(table == "counts" || layout::FilePlace::parse(path).is_some(), "{path}");
    let reader = SerializedFileReader::new(Bytes::from(bytes.clone())).expect("a Parquet file");
    reader.metadata().clone()
}

/// The schema, and of each column how it is written.
fn describe(metadata: &ParquetMetaData) -> String {
    let mut text = Vec::new();
    print_schema(&mut text, metadata.file_metadata().schema());
    let mut text = String::from_utf8(text).expect("a schema is text");
    for column in metadata.row_group(0).columns() {
        let mut encodings: Vec<String> = column.encodings().map(|encoding| encoding.to_string()).collect();
        encodings.sort();
        let (name, codec) = (column.column_path().string(), column.compression());
        let statistics = if column.statistics().is_some() { "min and max" } else { "no statistics" };
        text += &format!("{name}: {codec}, {}, {statistics}\n", encodings.join(" "));
    }
    text
}

/// The keys of the file's own story; no Arrow schema among them.
fn keys(metadata: &ParquetMetaData) -> Vec<&str> {
    let pairs = metadata.file_metadata().key_value_metadata().expect("every file describes itself");
    pairs.iter().map(|pair| pair.key.as_str()).collect()
}

#[test]
fn events_are_written_as_promised() {
    let metadata = first_file("events");
    insta::assert_snapshot!(describe(&metadata));
    let story =
        ["walbook.book", "walbook.generation", "walbook.commit", "walbook.offsets", "walbook.rows", "walbook.parser"];
    assert_eq!(keys(&metadata), story);
    assert_eq!(metadata.file_metadata().created_by(), Some(concat!("walbook version ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn rejects_are_written_as_promised() {
    insta::assert_snapshot!(describe(&first_file("rejects")));
}
