//! One Parquet file in staging, from its first row to its descriptor.

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
use crate::change::{CommitNumber, Day, SealedFile};
use crate::store::layout;
use crate::store::layout::FilePlace;
use crate::store::{Store, StoreFile};

/// What names and metadata of a run's files consist of.
#[derive(Clone)]
pub struct FileNaming {
    /// Where the book lives.
    pub store: Arc<dyn Store>,
    /// The book's identity.
    pub book: String,
    /// The run's generation: its staging folder, which is never created here.
    pub generation: String,
    /// This worker's index in the cluster.
    pub worker: usize,
    /// Which table, and how it is written.
    pub format: RowFormat,
    /// Version of the parser that produced the rows.
    pub parser: u32,
}

impl FileNaming {
    /// The folder that this run's files are written in.
    pub fn staging(&self) -> String {
        layout::staging_folder(&self.generation)
    }

    fn path(&self, commit: CommitNumber, day: Day, index: usize) -> String {
        FilePlace { table: self.format.table, day, commit, worker: self.worker, index }.path()
    }
}

/// First and last offset by topic and partition.
type Offsets = BTreeMap<String, BTreeMap<i32, (i64, i64)>>;

/// A Parquet file being written in staging.
pub struct TableFile {
    writer: ArrowWriter<Checksummed>,
    naming: FileNaming,
    commit: CommitNumber,
    path: String,
    staged: String,
    rows: u64,
    offsets: Offsets,
}

impl TableFile {
    /// Creates the `index`-th file of a day and commit in the run's staging folder; `first` are the rows that come first.
    ///
    /// # Errors
    /// [`TableError::StagingGone`] when that folder is gone; [`TableError::Write`] for other errors of the file system.
    pub fn create(
        naming: &FileNaming,
        commit: CommitNumber,
        day: Day,
        index: usize,
        first: &RecordBatch,
    ) -> Result<TableFile, TableError> {
        let path = naming.path(commit, day, index);
        let staged = layout::staged_path(&naming.generation, &path);
        let file = naming.store.create_for(&staged, &path).map_err(|error| TableError::writing(&staged, error))?;
        let sink = Checksummed { file, hash: XxHash3_64::new(), bytes: 0 };
        let options =
            ArrowWriterOptions::new().with_properties(naming.format.properties(first)).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, naming.format.schema.clone(), options)
            .map_err(|error| TableError::encoding(&staged, error))?;
        let (naming, offsets) = (naming.clone(), Offsets::new());
        Ok(TableFile { writer, naming, commit, path, staged, rows: 0, offsets })
    }

    /// Adds rows of this file's day.
    ///
    /// # Errors
    /// [`TableError::Encode`], also when the disk is full.
    pub fn write(&mut self, columns: &RecordBatch) -> Result<(), TableError> {
        note_offsets(&mut self.offsets, columns);
        self.rows += columns.num_rows() as u64;
        self.writer.write(columns).map_err(|error| TableError::encoding(&self.staged, error))
    }

    /// Bytes that are written, and encoded bytes of the open row group.
    pub fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Writes the footer and makes the bytes survive a crash; the name does once the staging folder is synced.
    ///
    /// # Errors
    /// [`TableError::Encode`] or [`TableError::Write`]; a failed sync is never retried.
    pub fn seal(mut self) -> Result<SealedFile, TableError> {
        let offsets = serde_json::to_string(&self.offsets).expect("names and numbers are JSON");
        for (key, value) in [
            ("walbook.book", self.naming.book.clone()),
            ("walbook.generation", self.naming.generation.clone()),
            ("walbook.commit", self.commit.to_string()),
            ("walbook.offsets", offsets),
            ("walbook.rows", self.rows.to_string()),
            ("walbook.parser", self.naming.parser.to_string()),
        ] {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let mut sink = self.writer.into_inner().map_err(|error| TableError::encoding(&self.staged, error))?;
        sink.file.sync().map_err(|error| TableError::writing(&self.staged, error))?;
        let (bytes, checksum) = (sink.bytes, sink.hash.finish());
        Ok(SealedFile { commit: self.commit, path: self.path, bytes, rows: self.rows, checksum })
    }
}

/// Notes the first and last offset of each stretch of one partition; within a partition offsets ascend.
fn note_offsets(offsets: &mut Offsets, columns: &RecordBatch) {
    let topics = columns.column(0).as_dictionary::<Int32Type>();
    let names = topics.values().as_string::<i32>();
    let keys = topics.keys().values();
    let partitions = columns.column(1).as_primitive::<Int32Type>().values();
    let places = columns.column(2).as_primitive::<Int64Type>().values();
    let mut row = 0;
    while row < places.len() {
        let stretch = (row..places.len())
            .take_while(|next| (keys[*next], partitions[*next]) == (keys[row], partitions[row]))
            .count();
        let (first, last) = (places[row], places[row + stretch - 1]);
        let topic = names.value(usize::try_from(keys[row]).expect("dictionary keys are not negative"));
        if !offsets.contains_key(topic) {
            offsets.insert(topic.to_owned(), BTreeMap::new());
        }
        let range = offsets.get_mut(topic).expect("just inserted").entry(partitions[row]).or_insert((first, last));
        *range = (range.0.min(first), range.1.max(last));
        row += stretch;
    }
}

/// Counts and hashes the bytes that are written to the file.
pub(super) struct Checksummed {
    pub(super) file: Box<dyn StoreFile>,
    pub(super) hash: XxHash3_64,
    pub(super) bytes: u64,
}

impl Write for Checksummed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        Hasher::write(&mut self.hash, &bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
