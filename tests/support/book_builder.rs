//! Small books with known rows, in a real directory, written by the real committer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::json;
use sha2::{Digest, Sha256};
use twox_hash::XxHash3_64;

use walbook::book::compact::DayPhase;
use walbook::book::log::entry::{BookSettings, PartitionEntry, SourceKind, TopicEntry, Versions};
use walbook::book::sweep::Sweep;
use walbook::book::{Book, BookError, CommitContents, Committer, CountDelta, Entry, State};
use walbook::change::{
    CommitNumber, CountKey, Day, Interval, Operation, Partition, Place, SealedFile, TableName, Tally,
};
use walbook::query::Event;
pub use walbook::query::event_columns;
use walbook::store::Disk;
use walbook::store::layout::{FilePlace, Table, entry_path, staged_path};

/// A record that could not be read.
#[derive(Clone, Debug, Default)]
pub struct RejectRow {
    /// The source topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The record's place in it.
    pub offset: i64,
    /// Why it could not be read.
    pub reason: String,
}

/// What a commit adds.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Changes and their days.
    pub events: Vec<(Day, Event)>,
    /// Records that could not be read, and their days.
    pub rejects: Vec<(Day, RejectRow)>,
}

/// Writes a book, commit by commit.
pub struct BookBuilder {
    root: PathBuf,
    committer: Committer,
    totals: BTreeMap<CountKey, i64>,
    /// Rows of a row group.
    pub group_rows: usize,
    /// Files that the rows of a day are spread over, by partition.
    pub workers: usize,
}

impl BookBuilder {
    /// Makes a book in an empty directory, or takes over the one that is there; new topics start at offset 0.
    ///
    /// # Errors
    /// Whatever the book says.
    pub fn open(root: &Path, time_zone: &str, topics: &[(&str, i32)]) -> Result<BookBuilder, BookError> {
        let topics = topics.iter().map(|(topic, partitions)| (topic.to_string(), empty_topic(*partitions)));
        BookBuilder::open_with(root, time_zone, &topics.collect())
    }

    /// The same with topics as a fence names them.
    ///
    /// # Errors
    /// Whatever the book says.
    pub fn open_with(
        root: &Path,
        time_zone: &str,
        topics: &BTreeMap<String, TopicEntry>,
    ) -> Result<BookBuilder, BookError> {
        let settings = BookSettings { time_zone: time_zone.to_owned(), day_from: "auto".to_owned() };
        let versions = Versions { walbook: "test".to_owned(), parser: 1, tzdata: "test".to_owned() };
        let book = Book::open(Arc::new(Disk::new(root)), settings, versions)?;
        let mut committer = book.fence(|state: &State| -> Result<_, BookError> {
            let new = topics.iter().filter(|(topic, _)| !state.topics.contains_key(*topic));
            Ok(new.map(|(topic, entry)| (topic.clone(), entry.clone())).collect())
        })?;
        let totals = committer.initial_counts()?.into_iter().collect();
        Ok(BookBuilder { root: root.to_owned(), committer, totals, group_rows: 1 << 20, workers: 1 })
    }

    /// Commits; offsets up to the highest that are neither in events nor in rejects become markers, but for a slot's.
    ///
    /// # Errors
    /// Whatever the book says.
    ///
    /// # Panics
    /// When offsets lie below what is committed: the test is wrong.
    pub fn commit(&mut self, mut contents: Contents) -> Result<CommitNumber, BookError> {
        let commit = self.committer.next_commit();
        contents.events.sort_by(|(_, a), (_, b)| {
            (&a.topic, a.partition, a.offset, a.ordinal).cmp(&(&b.topic, b.partition, b.offset, b.ordinal))
        });
        contents
            .rejects
            .sort_by(|(_, a), (_, b)| (&a.topic, a.partition, a.offset).cmp(&(&b.topic, b.partition, b.offset)));
        let mut files = Vec::new();
        let mut events: BTreeMap<(Day, usize), Vec<&Event>> = BTreeMap::new();
        let mut deltas: BTreeMap<CountKey, i64> = BTreeMap::new();
        for (day, event) in &contents.events {
            events.entry((*day, event.partition as usize % self.workers)).or_default().push(event);
            let op: Operation = event.op.parse().expect("the test names an operation");
            let key = CountKey { day: *day, table: Arc::new(TableName::new(&event.schema, &event.table)), op };
            *deltas.entry(key).or_default() += 1;
        }
        for ((day, worker), rows) in &events {
            let place = FilePlace { table: Table::Events, day: *day, commit, worker: *worker, index: 0 };
            let offsets = rows.iter().map(|row| (row.topic.as_str(), row.partition, row.offset));
            files.push(self.stage(place, &event_columns(rows), &ends(offsets)));
        }
        let mut rejects: BTreeMap<Day, Vec<&RejectRow>> = BTreeMap::new();
        for (day, reject) in &contents.rejects {
            rejects.entry(*day).or_default().push(reject);
        }
        for (day, rows) in &rejects {
            let place = FilePlace { table: Table::Rejects, day: *day, commit, worker: 0, index: 0 };
            let offsets = rows.iter().map(|row| (row.topic.as_str(), row.partition, row.offset));
            files.push(self.stage(place, &reject_columns(rows), &ends(offsets)));
        }
        let positions = self.positions(&contents);
        let deltas = deltas.into_iter().map(|(key, added)| {
            let total = self.totals.entry(key.clone()).or_default();
            *total += added;
            CountDelta { key, added, total: *total }
        });
        let commit_time = contents.events.iter().filter_map(|(_, event)| event.commit_time).max();
        let deltas = deltas.collect();
        let contents = CommitContents { commit, commit_time, positions, files, deltas, ..CommitContents::default() };
        self.committer.commit(contents)?;
        Ok(commit)
    }

    /// The committer of the book.
    pub fn committer(&mut self) -> &mut Committer {
        &mut self.committer
    }

    /// Merges the files of a day into ones of about `target` bytes.
    ///
    /// # Errors
    /// Whatever the book says.
    pub fn compact(&mut self, of: (Table, Day), target: u64) -> Result<Option<Arc<Entry>>, BookError> {
        let (compactor, state) = (self.committer.compactor().with_target(target), self.committer.state().clone());
        match compactor.merge_day(&state, &[], of, DayPhase::Closed, &|| false)? {
            Some(merged) => self.committer.compact(&merged),
            None => Ok(None),
        }
    }

    /// Sweeps all entries below the newest two checkpoints, if the older ones were written for it: two calls with checkpoints in between.
    ///
    /// # Errors
    /// Whatever the book says.
    pub fn sweep(&mut self) -> Result<Sweep, BookError> {
        self.committer.expect_sweep();
        self.committer.sweeper().with_least(1).sweep(Duration::ZERO, &|| false)
    }

    fn positions(&self, contents: &Contents) -> Vec<(Partition, Interval, Tally)> {
        let mut tallies: BTreeMap<Partition, (i64, Tally)> = BTreeMap::new();
        let mut last = None;
        for (_, event) in &contents.events {
            let partition = Partition { topic: event.topic.clone(), number: event.partition };
            let (to, tally) = tallies.entry(partition.clone()).or_default();
            *to = (*to).max(event.offset + 1);
            tally.events += 1;
            let begins = last.as_ref() != Some(&(partition.clone(), event.offset));
            tally.bearing += u64::from(begins || self.is_slot(&partition));
            last = Some((partition, event.offset));
            let place = event.commit_lsn.zip(event.seq).map(|(commit_lsn, seq)| Place { commit_lsn, seq });
            tally.highest = tally.highest.max(place);
        }
        for (_, reject) in &contents.rejects {
            let partition = Partition { topic: reject.topic.clone(), number: reject.partition };
            let (to, tally) = tallies.entry(partition).or_default();
            *to = (*to).max(reject.offset + 1);
            tally.rejects += 1;
        }
        let positions = tallies.into_iter().map(|(partition, (to, mut tally))| {
            let from = self.committer.state().next_offset(&partition).unwrap_or(0);
            let records = tally.bearing + tally.rejects;
            if self.is_slot(&partition) {
                return (partition, Interval { from, to }, tally);
            }
            tally.markers = u64::try_from(to - from).ok().and_then(|width| width.checked_sub(records)).unwrap_or(0);
            (partition, Interval { from, to }, tally)
        });
        positions.collect()
    }

    fn is_slot(&self, partition: &Partition) -> bool {
        let known = self.committer.state().topics.get(&partition.topic);
        known.is_some_and(|known| known.source == SourceKind::Slot)
    }

    fn stage(&self, place: FilePlace, columns: &RecordBatch, offsets: &str) -> SealedFile {
        let path = place.path();
        let rows = columns.num_rows() as u64;
        let metadata = [
            ("walbook.book", self.committer.book_id().to_owned()),
            ("walbook.generation", self.committer.generation().to_owned()),
            ("walbook.commit", place.commit.to_string()),
            ("walbook.offsets", offsets.to_owned()),
            ("walbook.rows", rows.to_string()),
            ("walbook.parser", "1".to_owned()),
        ];
        let bytes = encode(columns, &metadata, self.group_rows);
        let staged = staged_path(self.committer.generation(), &path);
        fs::write(self.root.join(staged), &bytes).expect("the staging folder is there");
        SealedFile {
            commit: place.commit,
            path,
            bytes: bytes.len() as u64,
            rows,
            checksum: XxHash3_64::oneshot(&bytes),
        }
    }
}

/// The bytes of a Parquet file as a run writes it.
///
/// # Panics
/// When the columns do not fit together: the test is wrong.
pub fn encode(columns: &RecordBatch, metadata: &[(&str, String)], group_rows: usize) -> Vec<u8> {
    let pairs = metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists")))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(group_rows))
        .set_key_value_metadata(Some(pairs.collect()));
    for name in ["partition", "offset", "ordinal", "kafka_time", "commit_time", "lsn", "commit_lsn", "seq", "xid"] {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(name), false)
            .set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED);
    }
    properties = properties.set_column_dictionary_enabled(ColumnPath::from("data"), false);
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), columns.schema(), options).expect("a valid schema");
    writer.write(columns).expect("memory takes all bytes");
    writer.into_inner().expect("memory takes all bytes")
}

/// Rejects as columns.
///
/// # Panics
/// Never: all columns have one length.
pub fn reject_columns(rows: &[&RejectRow]) -> RecordBatch {
    let none = || -> ArrayRef { Arc::new(BinaryArray::from_iter(rows.iter().map(|_| None::<&[u8]>))) };
    let times = TimestampMicrosecondArray::from(vec![None; rows.len()]).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.topic))),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.partition))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.offset))),
        Arc::new(times),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.reason))),
        none(),
        none(),
        none(),
    ];
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("topic", DataType::Utf8, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("kafka_time", time, true),
        Field::new("reason", DataType::Utf8, false),
        Field::new("key", DataType::Binary, true),
        Field::new("value", DataType::Binary, true),
        Field::new("headers", DataType::Binary, true),
    ]);
    RecordBatch::try_new(Arc::new(schema), columns).expect("columns of one length")
}

fn empty_topic(partitions: i32) -> TopicEntry {
    let positions = (0..partitions).map(|number| (number, PartitionEntry::start(0))).collect();
    TopicEntry { partitions, positions, ..TopicEntry::default() }
}

fn ends<'a>(offsets: impl Iterator<Item = (&'a str, i32, i64)>) -> String {
    let mut ends: BTreeMap<&str, BTreeMap<i32, (i64, i64)>> = BTreeMap::new();
    for (topic, partition, offset) in offsets {
        let (first, last) = ends.entry(topic).or_default().entry(partition).or_insert((offset, offset));
        (*first, *last) = ((*first).min(offset), (*last).max(offset));
    }
    json!(ends).to_string()
}

/// Writes the log anew with entries that were changed, each with its right digest and link: a lie that only the other
/// files give away. Checkpoints are taken away.
///
/// # Panics
/// When there is no such log: the test is wrong.
pub fn rewrite_log(root: &Path, change: &mut dyn FnMut(&mut Entry)) {
    let mut previous = String::new();
    for number in 0.. {
        let path = root.join(entry_path(number));
        let Ok(bytes) = fs::read(&path) else { break };
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut entry: Entry = serde_json::from_slice(line).expect("an entry");
        entry.previous = previous;
        change(&mut entry);
        let line = serde_json::to_string(&entry).expect("an entry");
        previous = Sha256::digest(line.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(path, format!("{line}\n{{\"sha256\":\"{previous}\"}}\n")).expect("the log can be written");
    }
    let checkpoints = root.join("_walbook/checkpoint");
    for checkpoint in fs::read_dir(checkpoints).expect("there is a folder").flatten() {
        fs::remove_file(checkpoint.path()).expect("a checkpoint can be removed");
    }
}
