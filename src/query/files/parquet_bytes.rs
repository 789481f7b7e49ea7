//! Answers as Parquet files in memory.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// The bytes of a file with the batches that `show` hands out.
pub(in crate::query) fn parquet_bytes(schema: &Arc<Schema>, show: impl FnOnce(&mut dyn FnMut(RecordBatch))) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists")))
        .set_created_by(concat!("walbook version ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    // As in a book: no Arrow schema inside, so that all readers see plain columns.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(schema), options)
        .expect("plain columns are a valid Parquet schema");
    show(&mut |batch| writer.write(&batch).expect("memory takes all bytes"));
    writer.into_inner().expect("memory takes all bytes")
}
