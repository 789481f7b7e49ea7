//! One Parquet file of rows from many others, in staging.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use twox_hash::XxHash3_64;

use super::TableError;
use super::schema::RowFormat;
use super::writer::Checksummed;
use crate::store::Store;

/// What all files of one compaction share.
#[derive(Clone)]
pub struct MergedNaming {
    /// Where the book lives.
    pub store: Arc<dyn Store>,
    /// The book's identity.
    pub book: String,
    /// The generation that writes them.
    pub generation: String,
    /// The versions of the parser that produced the rows, separated by commas.
    pub parsers: String,
    /// Which table, and how it is written.
    pub format: RowFormat,
}

/// A file of merged rows being written. Its row groups end where its owner says.
pub struct MergedTableFile {
    writer: ArrowWriter<Parts>,
    naming: MergedNaming,
    staged: String,
    rows: u64,
    /// First and last offset by topic and partition.
    offsets: BTreeMap<String, BTreeMap<i32, (i64, i64)>>,
}

/// A complete and synced file of merged rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMerge {
    /// Size in bytes.
    pub bytes: u64,
    /// Number of rows.
    pub rows: u64,
    /// XXH3-64 of all bytes.
    pub checksum: u64,
    /// The end of each row group and that of the file, with the XXH3-64 of the bytes since the end before.
    pub parts: Vec<(u64, u64)>,
}

impl MergedTableFile {
    /// Creates the file `staged`; `first` are the rows that come first, names as numbers into a dictionary.
    ///
    /// # Errors
    /// [`TableError::StagingGone`] when its folder is gone; [`TableError::Write`] for other errors of the file system.
    pub fn create(naming: &MergedNaming, staged: String, first: &RecordBatch) -> Result<MergedTableFile, TableError> {
        let file = naming.store.create(&staged).map_err(|error| TableError::writing(&staged, error))?;
        let whole = Checksummed { file, hash: XxHash3_64::new(), bytes: 0 };
        let sink = Parts { whole, part: XxHash3_64::new(), ended: Vec::new() };
        let options = ArrowWriterOptions::new()
            .with_properties(naming.format.merged_properties(first))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, first.schema(), options)
            .map_err(|error| TableError::encoding(&staged, error))?;
        Ok(MergedTableFile { writer, naming: naming.clone(), staged, rows: 0, offsets: BTreeMap::new() })
    }

    /// Adds rows to the open row group.
    ///
    /// # Errors
    /// [`TableError::Encode`], also when the disk is full.
    pub fn write(&mut self, columns: &RecordBatch) -> Result<(), TableError> {
        self.note_offsets(columns);
        self.rows += columns.num_rows() as u64;
        self.writer.write(columns).map_err(|error| TableError::encoding(&self.staged, error))
    }

    /// About how many bytes the open row group will have.
    pub fn group_bytes(&self) -> usize {
        self.writer.in_progress_size()
    }

    /// About how many bytes the file has.
    pub fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Ends the open row group, if it has rows.
    ///
    /// # Errors
    /// [`TableError::Encode`], also when the disk is full.
    pub fn end_group(&mut self) -> Result<(), TableError> {
        if self.writer.in_progress_rows() == 0 {
            return Ok(());
        }
        let encoding = |error| TableError::encoding(&self.staged, error);
        self.writer.flush().map_err(encoding)?;
        // Its bytes must have reached the sink.
        self.writer.sync().map_err(|error| TableError::writing(&self.staged, error))?;
        self.writer.inner_mut().end_part();
        Ok(())
    }

    /// Writes the footer and makes the bytes survive a crash; the name does once the staging folder is synced.
    ///
    /// # Errors
    /// [`TableError::Encode`] or [`TableError::Write`]; a failed sync is never retried.
    pub fn seal(mut self) -> Result<SealedMerge, TableError> {
        self.end_group()?;
        let offsets = serde_json::to_string(&self.offsets).expect("names and numbers are JSON");
        for (key, value) in [
            ("walbook.book", self.naming.book.clone()),
            ("walbook.generation", self.naming.generation.clone()),
            ("walbook.offsets", offsets),
            ("walbook.rows", self.rows.to_string()),
            ("walbook.parser", self.naming.parsers.clone()),
        ] {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let mut sink = self.writer.into_inner().map_err(|error| TableError::encoding(&self.staged, error))?;
        sink.end_part();
        sink.whole.file.sync().map_err(|error| TableError::writing(&self.staged, error))?;
        let Parts { whole, part: _, ended } = sink;
        Ok(SealedMerge { bytes: whole.bytes, rows: self.rows, checksum: whole.hash.finish(), parts: ended })
    }

    fn note_offsets(&mut self, columns: &RecordBatch) {
        let topics = columns.column(0).as_dictionary::<Int32Type>();
        let names = topics.values().as_string::<i32>();
        let keys = topics.keys().values();
        let partitions = columns.column(1).as_primitive::<Int32Type>().values();
        let places = columns.column(2).as_primitive::<Int64Type>().values();
        let mut row = 0;
        while row < places.len() {
            let (key, partition, mut range) = (keys[row], partitions[row], (places[row], places[row]));
            while row < places.len() && (keys[row], partitions[row]) == (key, partition) {
                range = (range.0.min(places[row]), range.1.max(places[row]));
                row += 1;
            }
            let topic = names.value(usize::try_from(key).expect("dictionary keys are not negative"));
            let of_topic = match self.offsets.get_mut(topic) {
                Some(known) => known,
                None => self.offsets.entry(topic.to_owned()).or_default(),
            };
            let known = of_topic.entry(partition).or_insert(range);
            *known = (known.0.min(range.0), known.1.max(range.1));
        }
    }
}

/// Hashes the bytes in parts as well.
struct Parts {
    whole: Checksummed,
    part: XxHash3_64,
    ended: Vec<(u64, u64)>,
}

impl Parts {
    fn end_part(&mut self) {
        let part = std::mem::replace(&mut self.part, XxHash3_64::new());
        self.ended.push((self.whole.bytes, part.finish()));
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.whole.write(bytes)?;
        Hasher::write(&mut self.part, &bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.whole.flush()
    }
}
