//! Which changes: the newest ones that a filter lets through, or a page of them.

use std::io::{self, Write};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};

use super::event::Event;
use super::find::{Found, Row, find_rows};
use super::order::{Order, Page, RowKey};
use super::print::{Format, print};
use super::{Effort, Filter, QueryError};
use crate::book::columns::{Texts, column, numbers};
use crate::book::{BookError, CompleteTo, Snapshot};

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

/// Some changes in a row, and whether there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsPage {
    /// The changes, in the order of the page.
    pub answer: EventsAnswer,
    /// By row: its place.
    pub keys: Vec<RowKey>,
    /// Whether rows follow.
    pub has_more: bool,
}

/// Finds the newest `limit` changes of a book that `filter` lets through.
///
/// # Errors
/// [`QueryError`] when there is no book, it is damaged, or the filter makes no sense.
pub fn events(book: &Path, filter: &Filter, limit: usize) -> Result<EventsAnswer, QueryError> {
    let page = Page { limit, order: Order::Newest, after: None };
    Ok(events_page(book, filter, &page, &Effort::ANY)?.answer)
}

/// Finds a page of the changes that `filter` lets through. What is committed between two pages comes where it belongs:
/// no row is shown twice or passed over that was there before.
///
/// # Errors
/// As [`events`]; [`QueryError::TooSlow`] when nobody waits any more.
pub fn events_page(book: &Path, filter: &Filter, page: &Page, effort: &Effort<'_>) -> Result<EventsPage, QueryError> {
    filter.check()?;
    repeat(book, |snapshot| {
        let files = snapshot.event_files(&|day| filter.has_day(day))?;
        let Found { rows, keys, has_more } = find_rows(snapshot, &files, filter, page, effort)?;
        let (complete_to, time_zone) = (snapshot.complete_to(), snapshot.time_zone().to_owned());
        Ok(EventsPage { answer: EventsAnswer { complete_to, time_zone, rows }, keys, has_more })
    })
}

/// Asks a snapshot of the book; another one when files were taken out of the book meanwhile.
pub(super) fn repeat<T>(book: &Path, mut ask: impl FnMut(&Snapshot) -> Result<T, QueryError>) -> Result<T, QueryError> {
    let mut attempt = 1;
    loop {
        match ask(&Snapshot::take(book)?) {
            Err(QueryError::Read(BookError::Vanished { .. })) if attempt < ATTEMPTS => attempt += 1,
            answered => return answered,
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

impl Row for Event {
    const COLUMNS: &'static [&'static str] = &Event::COLUMNS;
    const HAS_ORDINAL: bool = true;

    fn read(batch: &RecordBatch) -> Result<Vec<Event>, String> {
        whole_rows(batch)
    }

    fn bytes(&self) -> usize {
        self.data.len()
    }
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
