//! Which changes: the newest ones that a filter lets through.
//!
//! Two passes. The first reads only what orders and filters, row group by row group from the newest on, and keeps the
//! `limit` best places; it ends when no group left can hold a newer row. The second reads those rows whole. A file's rows
//! are decoded only after all of its bytes were compared with the log; a file that is passed over by its footer is not
//! read. Memory is that of `limit` rows and lists of files and row groups, however large the book is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};

use super::event::Event;
use super::print::{Format, print};
use super::pruning::{Newest, may_hold, newest};
use super::{Filter, QueryError};
use crate::book::columns::{self, Texts, column, numbers, read_group};
use crate::book::{BookError, CompleteTo, DataFile, Snapshot};

/// How often a question is asked anew when files are taken out of the book under it.
const ATTEMPTS: usize = 5;

/// The newest changes, complete to one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsAnswer {
    /// What it is complete to.
    pub complete_to: CompleteTo,
    /// The IANA name of the zone of the book's days.
    pub time_zone: String,
    /// The changes, newest first: by Kafka's time, those without one last; then by topic, partition, descending offset.
    pub rows: Vec<Event>,
}

/// Finds the newest `limit` changes of a book that `filter` lets through.
///
/// # Errors
/// [`QueryError`] when there is no book, it is damaged, or the filter makes no sense.
pub fn events(book: &Path, filter: &Filter, limit: usize) -> Result<EventsAnswer, QueryError> {
    filter.check()?;
    let mut attempt = 1;
    loop {
        let snapshot = Snapshot::take(book)?;
        match find(&snapshot, filter, limit) {
            Err(BookError::Vanished { .. }) if attempt < ATTEMPTS => attempt += 1,
            rows => {
                let (complete_to, time_zone) = (snapshot.complete_to(), snapshot.time_zone().to_owned());
                return Ok(EventsAnswer { complete_to, time_zone, rows: rows? });
            }
        }
    }
}

impl EventsAnswer {
    /// Writes the answer.
    ///
    /// # Errors
    /// Whatever `out` says.
    pub fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let rows = self.rows.len();
        print(format, out, &self.complete_to, &self.time_zone, &Event::COLUMNS, rows, &|row, values| {
            self.rows[row].values(values);
        })
    }
}

/// Where a row stands among all; the least is shown first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    kafka_time: Reverse<Option<i64>>,
    topic: Arc<str>,
    partition: i32,
    offset: Reverse<i64>,
    ordinal: i32,
    place: Place,
}

/// Where a row is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: usize,
    group: usize,
    row: usize,
}

fn find(snapshot: &Snapshot, filter: &Filter, limit: usize) -> Result<Vec<Event>, BookError> {
    let files = snapshot.event_files(&|day| filter.has_day(day))?;
    let mut groups = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let reader = match Reader::open(snapshot, file) {
            // Whatever else lies in the folder of a day need not be readable.
            Err(_) if !snapshot.is_whole(file)? => continue,
            reader => reader?,
        };
        let row_groups = reader.metadata.metadata().row_groups();
        if row_groups.is_empty() && snapshot.is_whole(file)? {
            return Err(reader.damaged("it has no rows"));
        }
        for (number, group) in row_groups.iter().enumerate() {
            if may_hold(group, filter) {
                groups.push((newest(group), index, number));
            }
        }
    }
    groups.sort_unstable_by_key(|(newest, ..)| Reverse(*newest));

    let mut best = Best { limit, heap: BinaryHeap::new() };
    for (newest, file, group) in groups {
        if !best.wants(newest) {
            break;
        }
        if !snapshot.is_whole(&files[file])? {
            continue;
        }
        Reader::open(snapshot, &files[file])?.find(file, group, filter, &mut best)?;
    }
    read_rows(snapshot, &files, &best.heap.into_sorted_vec())
}

/// The best candidates so far; the heap's top is the worst of them.
struct Best {
    limit: usize,
    heap: BinaryHeap<Candidate>,
}

impl Best {
    fn wants(&self, newest: Newest) -> bool {
        match (self.heap.len() < self.limit, self.heap.peek(), newest) {
            (true, ..) | (false, Some(_), Newest::Unknown) => true,
            (false, Some(worst), Newest::At(time)) => Some(time) >= worst.kafka_time.0,
            (false, Some(worst), Newest::Never) => worst.kafka_time.0.is_none(),
            // No row is asked for.
            (false, None, _) => false,
        }
    }

    fn offer(&mut self, candidate: Candidate) {
        if self.heap.len() < self.limit {
            self.heap.push(candidate);
        } else if self.heap.peek().is_some_and(|worst| candidate < *worst) {
            self.heap.pop();
            self.heap.push(candidate);
        }
    }
}

/// A file of events.
struct Reader<'a> {
    snapshot: &'a Snapshot,
    file: &'a DataFile,
    metadata: ArrowReaderMetadata,
}

impl<'a> Reader<'a> {
    fn open(snapshot: &'a Snapshot, file: &'a DataFile) -> Result<Reader<'a>, BookError> {
        let metadata = columns::metadata(&snapshot.open(file)?);
        let metadata = metadata.map_err(|error| BookError::damaged(&file.path, error))?;
        Ok(Reader { snapshot, file, metadata })
    }

    fn damaged(&self, what: impl ToString) -> BookError {
        BookError::damaged(&self.file.path, what)
    }

    fn batches(
        &self,
        group: usize,
        columns: &[&str],
        rows: Option<RowSelection>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, BookError>>, BookError> {
        let file = self.snapshot.open(self.file)?;
        let reader = read_group(file, &self.metadata, group, columns, |reader| {
            let reader = reader.with_batch_size(8192);
            match rows {
                Some(rows) => reader.with_row_selection(rows),
                None => reader,
            }
        });
        let reader = reader.map_err(|error| self.damaged(error))?;
        Ok(reader.map(|batch| batch.map_err(|error| self.damaged(error))))
    }

    /// Offers the rows of a row group that the filter lets through.
    fn find(&self, file: usize, group: usize, filter: &Filter, best: &mut Best) -> Result<(), BookError> {
        let mut columns = vec!["topic", "partition", "offset", "ordinal", "kafka_time"];
        columns.extend(filter.tables.iter().flat_map(|_| ["schema", "table"]));
        columns.extend(filter.operation.map(|_| "op"));
        let mut first = 0;
        for batch in self.batches(group, &columns, None)? {
            let batch = batch?;
            offer_rows(&batch, Place { file, group, row: first }, filter, best).map_err(|what| self.damaged(what))?;
            first += batch.num_rows();
        }
        Ok(())
    }

    /// Reads some rows of a row group, given in ascending order.
    fn rows(&self, group: usize, rows: &[usize]) -> Result<Vec<Event>, BookError> {
        let total = self.metadata.metadata().row_group(group).num_rows() as usize;
        let selection = RowSelection::from_consecutive_ranges(rows.iter().map(|row| *row..*row + 1), total);
        let mut events = Vec::with_capacity(rows.len());
        for batch in self.batches(group, &Event::COLUMNS, Some(selection))? {
            events.extend(whole_rows(&batch?).map_err(|what| self.damaged(what))?);
        }
        if events.len() == rows.len() { Ok(events) } else { Err(self.damaged("it has fewer rows than it says")) }
    }
}

fn offer_rows(batch: &RecordBatch, first: Place, filter: &Filter, best: &mut Best) -> Result<(), String> {
    let topics = Texts::of(batch, "topic")?;
    let names: Vec<Arc<str>> = topics.values().iter().map(|name| Arc::from(name.unwrap_or_default())).collect();
    let partitions = numbers::<Int32Type>(batch, "partition")?;
    let offsets = numbers::<Int64Type>(batch, "offset")?;
    let ordinals = numbers::<Int32Type>(batch, "ordinal")?;
    let times = numbers::<TimestampMicrosecondType>(batch, "kafka_time")?;
    let tables = match &filter.tables {
        Some(_) => Some((Texts::of(batch, "schema")?, Texts::of(batch, "table")?)),
        None => None,
    };
    let ops = match filter.operation {
        Some(operation) => Some((Texts::of(batch, "op")?, operation.as_str())),
        None => None,
    };
    let mut known_tables: HashMap<(usize, usize), bool> = HashMap::new();
    for row in 0..batch.num_rows() {
        let kafka_time = times.is_valid(row).then(|| times.value(row));
        // The cheap test first: most rows of a large book are older than the worst one kept.
        if !best.wants(kafka_time.map_or(Newest::Never, Newest::At)) {
            continue;
        }
        if ops.as_ref().is_some_and(|(ops, asked)| ops.text(row) != *asked) {
            continue;
        }
        if let Some((schemas, tables)) = &tables {
            let wanted = known_tables
                .entry((schemas.number(row), tables.number(row)))
                .or_insert_with(|| filter.has_table(schemas.text(row), tables.text(row)));
            if !*wanted {
                continue;
            }
        }
        best.offer(Candidate {
            kafka_time: Reverse(kafka_time),
            topic: Arc::clone(&names[topics.number(row)]),
            partition: partitions.value(row),
            offset: Reverse(offsets.value(row)),
            ordinal: ordinals.value(row),
            place: Place { row: first.row + row, ..first },
        });
    }
    Ok(())
}

fn read_rows(snapshot: &Snapshot, files: &[DataFile], found: &[Candidate]) -> Result<Vec<Event>, BookError> {
    let mut by_group: BTreeMap<(usize, usize), Vec<(usize, usize)>> = BTreeMap::new();
    for (rank, Candidate { place, .. }) in found.iter().enumerate() {
        by_group.entry((place.file, place.group)).or_default().push((place.row, rank));
    }
    let mut events = vec![Event::default(); found.len()];
    for ((file, group), mut places) in by_group {
        places.sort_unstable();
        let rows: Vec<usize> = places.iter().map(|(row, _)| *row).collect();
        let read = Reader::open(snapshot, &files[file])?.rows(group, &rows)?;
        for ((_, rank), event) in places.into_iter().zip(read) {
            events[rank] = event;
        }
    }
    Ok(events)
}

fn whole_rows(batch: &RecordBatch) -> Result<Vec<Event>, String> {
    let (topics, schemas) = (Texts::of(batch, "topic")?, Texts::of(batch, "schema")?);
    let (tables, ops) = (Texts::of(batch, "table")?, Texts::of(batch, "op")?);
    let data = column(batch, "data")?.as_string_opt::<i32>().ok_or("its column data has another type")?;
    let partitions = numbers::<Int32Type>(batch, "partition")?;
    let offsets = numbers::<Int64Type>(batch, "offset")?;
    let ordinals = numbers::<Int32Type>(batch, "ordinal")?;
    let kafka_times = numbers::<TimestampMicrosecondType>(batch, "kafka_time")?;
    let commit_times = numbers::<TimestampMicrosecondType>(batch, "commit_time")?;
    let [lsns, commit_lsns, xids] = ["lsn", "commit_lsn", "xid"].map(|name| numbers::<Int64Type>(batch, name));
    let (lsns, commit_lsns, xids) = (lsns?, commit_lsns?, xids?);
    let seqs = numbers::<Int32Type>(batch, "seq")?;
    let event = |row: usize| Event {
        topic: topics.text(row).to_owned(),
        partition: partitions.value(row),
        offset: offsets.value(row),
        ordinal: ordinals.value(row),
        kafka_time: kafka_times.is_valid(row).then(|| kafka_times.value(row)),
        commit_time: commit_times.is_valid(row).then(|| commit_times.value(row)),
        lsn: lsns.is_valid(row).then(|| lsns.value(row)),
        commit_lsn: commit_lsns.is_valid(row).then(|| commit_lsns.value(row)),
        seq: seqs.is_valid(row).then(|| seqs.value(row)),
        xid: xids.is_valid(row).then(|| xids.value(row)),
        schema: schemas.text(row).to_owned(),
        table: tables.text(row).to_owned(),
        op: ops.text(row).to_owned(),
        data: data.value(row).to_owned(),
    };
    Ok((0..batch.num_rows()).map(event).collect())
}
