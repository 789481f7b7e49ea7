//! Which changes: the newest ones that a filter accepts, or a page of them.

use std::io::{self, Write};
use std::ops::RangeInclusive;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};

use super::condition::Condition;
use super::event::Event;
use super::find::{BookRow, FoundRows, find_rows};
use super::order::{PageRequest, RowKey, RowOrder};
use super::row_filter::RowFilter;
use crate::book::read::columns::{Texts, column, numbers};
use crate::book::{BookError, CompleteTo, Snapshot};
use crate::change::Day;
use crate::parse::DayRule;
use crate::query::print::{AnswerHead, Format, print};
use crate::query::{EventFilter, QueryBudget, QueryError, RejectCount, RowStyle};
use crate::sql::BadValues;
use crate::store::BookStore;

/// The number of attempts when files are missing and the log has moved on.
const ATTEMPTS: usize = 5;

/// Bytes of a piece of CSV, in which most rows fit behind the first `CSV_PIECE - LONG_ROW` bytes.
const CSV_PIECE: usize = 256 << 10;
const LONG_ROW: usize = 16 << 10;

/// The newest changes, complete to one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsAnswer {
    /// The commit that it is complete to.
    pub complete_to: CompleteTo,
    /// The IANA name of the zone of the book's days.
    pub time_zone: String,
    /// The rejects of the filter's days.
    pub rejects: RejectCount,
    /// With a condition: the values that it could not compute in the rows that were read to find these.
    pub bad_values: Option<BadValues>,
    /// The changes, newest first: by commit time, else Kafka's, those without one last; then by topic, partition, descending offset.
    pub rows: Vec<Event>,
}

/// A page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsPage {
    /// The changes, in the order of the page.
    pub answer: EventsAnswer,
    /// By row: its key in the order of rows.
    pub keys: Vec<RowKey>,
    /// Whether there are more rows.
    pub has_more: bool,
}

/// Finds the newest `limit` changes of a book that `filter` accepts.
///
/// # Errors
/// [`QueryError`] when there is no book, it is damaged, or the filter is invalid.
pub fn events(
    book: impl Into<BookStore>,
    filter: impl Into<EventFilter>,
    limit: usize,
) -> Result<EventsAnswer, QueryError> {
    let page = PageRequest { limit, order: RowOrder::Newest, after: None };
    Ok(events_page(book, filter, &page, &QueryBudget::UNLIMITED)?.answer)
}

/// Finds a page of the changes that `filter` accepts. Rows that are committed between two pages are inserted in order: of the
/// other rows none is shown twice or skipped.
///
/// # Errors
/// As [`events`]; [`QueryError::TooSlow`] when it is cancelled.
pub fn events_page(
    book: impl Into<BookStore>,
    filter: impl Into<EventFilter>,
    page: &PageRequest,
    budget: &QueryBudget<'_>,
) -> Result<EventsPage, QueryError> {
    let EventFilter { changes, condition } = &filter.into();
    changes.check()?;
    with_snapshot(book, |snapshot| {
        let condition = condition.as_ref().map(|condition| Condition::new(changes, condition, snapshot.time_zone()));
        let has_day =
            |day| changes.has_day(day) && condition.as_ref().is_none_or(|condition| condition.may_hold_day(day));
        let files = snapshot.event_files(&has_day)?;
        let rows_filter: &dyn RowFilter = condition.as_ref().map_or(changes, |condition| condition);
        let FoundRows { rows, keys, has_more } = find_rows(snapshot, &files, rows_filter, page, budget)?;
        let (complete_to, time_zone) = (snapshot.complete_to(), snapshot.time_zone().to_owned());
        let rejects = RejectCount::new(&snapshot.reject_days()?, changes);
        let bad_values = condition.map(Condition::into_bad_values);
        Ok(EventsPage { answer: EventsAnswer { complete_to, time_zone, rejects, bad_values, rows }, keys, has_more })
    })
}

/// Answers a question from a snapshot of the book; when a file is missing, from newer ones, as long as there are.
pub(in crate::query) fn with_snapshot<T>(
    book: impl Into<BookStore>,
    mut answer: impl FnMut(&Snapshot) -> Result<T, QueryError>,
) -> Result<T, QueryError> {
    let book = book.into();
    let mut snapshot = Snapshot::take(&book)?;
    for _ in 1..ATTEMPTS {
        let missing = match answer(&snapshot) {
            Err(missing @ QueryError::Read(BookError::Missing { .. } | BookError::NotInPlace { .. })) => missing,
            answered => return answered,
        };
        let newer = Snapshot::take(&book)?;
        if newer.state().entries == snapshot.state().entries {
            return Err(missing);
        }
        snapshot = newer;
    }
    answer(&snapshot)
}

impl EventsAnswer {
    /// The answer as CSV, in pieces. The memory of each row is freed when it is written: an answer may have 64 MB.
    pub fn into_csv_pieces(self) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        let mut piece = Vec::with_capacity(CSV_PIECE);
        RowStyle::Csv.header(&Event::COLUMNS, &mut piece);
        for (number, row) in self.rows.into_iter().enumerate() {
            let mut values = Vec::with_capacity(Event::COLUMNS.len());
            row.values(&mut values);
            RowStyle::Csv.row(&Event::COLUMNS, &values, number == 0, &mut piece);
            if piece.len() >= CSV_PIECE - LONG_ROW {
                pieces.push(std::mem::replace(&mut piece, Vec::with_capacity(CSV_PIECE)));
            }
        }
        piece.shrink_to_fit();
        pieces.push(piece);
        pieces
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let EventsAnswer { complete_to, time_zone, rejects, bad_values, rows } = self;
        let bad_values = bad_values.as_ref();
        let head = AnswerHead { complete_to, time_zone, rejects: *rejects, bad_values, next: None, columns: None };
        print(format, out, head, &Event::COLUMNS, rows.len(), &|row, values| {
            self.rows[row].values(values);
        })
    }
}

impl BookRow for Event {
    const COLUMNS: &'static [&'static str] = &Event::COLUMNS;
    const TIMES: &'static [&'static str] = &["commit_time", "kafka_time"];
    const HAS_ORDINAL: bool = true;

    fn times_of_day(rule: &DayRule, day: Day) -> Option<RangeInclusive<i64>> {
        rule.times_of(day)
    }

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
