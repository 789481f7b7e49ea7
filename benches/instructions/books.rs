//! Rows and counts until they are in a book, and until they are an answer.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use tempfile::TempDir;
use timely::dataflow::operators::{Input as _, Inspect};
use walbook::book::log::entry::{BookSettings, PartitionEntry, TopicEntry, Versions};
use walbook::book::{Book, BookError, CommitContents, verify};
use walbook::change::{Day, Epoch, Interval, Operation, PackedCountKey, Partition, TableId, TableName, Tally};
use walbook::dataflows::operation_counts::operation_counts;
use walbook::parse::PARSER_VERSION;
use walbook::query::{Event, EventFilter, Filter, GroupBy, counts, events};
use walbook::sql;
use walbook::store::Store;
use walbook::store::layout::staging_folder;
use walbook::table::{CommitBuffer, EventColumns, EventRow, FileNaming, RowFormat};

use crate::case::Case;
use crate::shapes::line;
use crate::support::MemoryStore;
use crate::support::book_builder::{BookBuilder, Contents};

const TOPIC: &str = "changes";
/// 2026-11-22 12:00 UTC.
const NOON: i64 = 1_795_348_800_000_000;
/// Rows of a batch, about as many as a poll of Kafka yields.
const BATCH_ROWS: u64 = 1_000;

fn day() -> Day {
    Day::from_days(20_779).expect("2026-11-22")
}

/// Per row: columns of a batch, and a file of them.
pub(crate) fn rows() -> Vec<Case> {
    let columns = Case::new("table: columns of a row", [2 * BATCH_ROWS, 6 * BATCH_ROWS], |_| {
        let line = line();
        move |rows| {
            for first in (0..rows).step_by(BATCH_ROWS as usize) {
                black_box(batch(first, &line));
            }
        }
    });
    let seal = Case::new("table: sealing a row", [10 * BATCH_ROWS, 30 * BATCH_ROWS], |[_, most]| {
        let line = line();
        let batches: Vec<_> = (0..most).step_by(BATCH_ROWS as usize).map(|first| batch(first, &line)).collect();
        move |rows| {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
            let naming = FileNaming {
                store: Arc::clone(&store),
                book: "book".to_owned(),
                generation: "g1".to_owned(),
                worker: 0,
                format: RowFormat::events(),
                parser: PARSER_VERSION,
            };
            store.create_folder("_walbook").expect("memory has room");
            store.create_folder("_walbook/staging").expect("memory has room");
            store.create_folder(&staging_folder(&naming.generation)).expect("memory has room");
            let mut buffer = CommitBuffer::new(naming, 1);
            for batch in &batches[..(rows / BATCH_ROWS) as usize] {
                buffer.push(batch.clone()).expect("memory has room");
            }
            assert_eq!(buffer.seal().expect("memory has room").iter().map(|file| file.rows).sum::<u64>(), rows);
        }
    });
    vec![columns, seal]
}

fn batch(first: u64, line: &str) -> walbook::change::Rows {
    let partition = Arc::new(Partition { topic: TOPIC.to_owned(), number: 0 });
    let mut columns = EventColumns::with_capacity(BATCH_ROWS as usize, BATCH_ROWS as usize * line.len());
    columns.enter(&partition);
    for offset in first as i64..(first + BATCH_ROWS) as i64 {
        let row = EventRow {
            offset,
            ordinal: 0,
            kafka_time: Some(NOON + offset * 10),
            commit_time: Some(NOON + offset * 10),
            lsn: Some(offset * 16),
            commit_lsn: Some(offset * 16),
            seq: Some((offset % 8) as i32),
            xid: Some(offset / 8),
            table: (offset % 4) as usize,
            op: Operation::Update,
            data: line,
        };
        columns.push(day(), &row);
    }
    let tables: Vec<_> = (0..4).map(|table| Arc::new(TableName::new("public", &format!("table_{table}")))).collect();
    columns.finish(1, &tables).expect("there are rows")
}

/// Per update: the counts of few keys, and of many.
pub(crate) fn counting() -> Vec<Case> {
    [("few", 4), ("many", 10_000)]
        .map(|(name, keys)| {
            Case::new(format!("counts: an update, {name} keys"), [10_000, 30_000], move |_| count(keys))
        })
        .into()
}

fn count(keys: u64) -> impl FnOnce(u64) {
    const UPDATES_OF_EPOCH: u64 = 500;
    let tables: Vec<TableId> =
        (0..keys).map(|table| TableId::of(&TableName::new("public", &format!("table_{table:05}")))).collect();
    move |updates| {
        timely::execute_directly(move |worker| {
            let (mut input, probe) = worker.dataflow::<Epoch, _, _>(|scope| {
                let (input, deltas) = scope.new_input();
                let (_, initial) = scope.new_input();
                let probe = timely::dataflow::ProbeHandle::new();
                use timely::dataflow::operators::Probe;
                operation_counts(deltas, initial).inspect(|total| _ = black_box(total)).probe_with(&probe);
                (input, probe)
            });
            for first in (0..updates).step_by(UPDATES_OF_EPOCH as usize) {
                let epoch = *input.time();
                for update in first..first + UPDATES_OF_EPOCH {
                    // 7919 is prime: all keys come, in no order.
                    let table = tables[(update * 7_919 % keys) as usize];
                    input.send((PackedCountKey::new(day(), table, Operation::Insert), epoch, 3));
                }
                input.advance_to(epoch + 1);
                while probe.less_than(input.time()) {
                    worker.step();
                }
            }
        });
    }
}

/// Per commit: an entry of the log, without rows; every 64th writes a checkpoint.
pub(crate) fn committing() -> Vec<Case> {
    vec![Case::new("book: a log entry", [64, 192], |_| {
        let versions = Versions { walbook: "bench".to_owned(), parser: PARSER_VERSION, tzdata: "bench".to_owned() };
        let settings = BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() };
        let book = Book::open(Arc::new(MemoryStore::new()), settings, versions).expect("a new book");
        let positions = (0..4).map(|number| (number, PartitionEntry::start(0))).collect();
        let topic = TopicEntry { partitions: 4, positions, ..TopicEntry::default() };
        let topics = BTreeMap::from([(TOPIC.to_owned(), topic)]);
        let mut committer = book.fence(|_| Ok::<_, BookError>(topics.clone())).expect("nobody else has it");
        move |commits| {
            for from in 0..commits as i64 {
                let position = |number| {
                    let tally = Tally { markers: 1, ..Tally::default() };
                    (Partition { topic: TOPIC.to_owned(), number }, Interval { from, to: from + 1 }, tally)
                };
                let commit = committer.next_commit();
                let positions = (0..4).map(position).collect();
                let contents = CommitContents { commit, positions, ..CommitContents::default() };
                committer.commit(contents).expect("nothing disturbs it");
            }
        }
    })]
}

/// Per count or row: an answer, and a verification.
pub(crate) fn reading() -> Vec<Case> {
    let answer = |book: &TempDir, rows: u64| {
        let answer = counts(book.path(), &Filter::default(), &GroupBy::DEFAULT).expect("a sound book");
        assert_eq!(answer.rows.len() as u64, rows);
    };
    let find = |book: &TempDir, rows: u64| {
        let condition = sql::Filter::parse("new.bid::bigint = 1 AND new.abalance::bigint < 0").expect("a condition");
        let filter = EventFilter { changes: Filter::default(), condition: Some(condition) };
        assert_eq!(events(book.path(), filter, 100).expect("a sound book").rows.len() as u64, rows.min(100));
    };
    let check = |book: &TempDir, _| {
        let report = verify(book.path(), &mut |_| {}).expect("a book");
        assert!(report.ok, "{report:?}");
    };
    vec![
        of_books("query: a count of its own table", [1_000, 3_000], true, answer),
        of_books("query: a row that a condition reads", [2_000, 6_000], false, find),
        of_books("verify: a row", [2_000, 6_000], false, check),
    ]
}

/// A case that reads books with so many rows, each of its own table or all of one.
fn of_books(name: &str, sizes: [u64; 2], own_tables: bool, read: impl Fn(&TempDir, u64) + Copy + 'static) -> Case {
    Case::new(name, sizes, move |sizes| {
        let books = sizes.map(|rows| (rows, book_with(rows, own_tables)));
        move |rows| {
            let (_, book) = books.iter().find(|(size, _)| *size == rows).expect("one of the sizes");
            read(book, rows);
        }
    })
}

fn book_with(rows: u64, own_tables: bool) -> TempDir {
    let (folder, line) = (tempfile::tempdir().expect("a temporary folder can be made"), line());
    let mut book = BookBuilder::open(folder.path(), "UTC", &[(TOPIC, 1)]).expect("a new book");
    let event = |row: u64| Event {
        topic: TOPIC.to_owned(),
        partition: 0,
        offset: row as i64,
        ordinal: 0,
        kafka_time: Some(NOON + row as i64),
        commit_time: Some(NOON + row as i64),
        lsn: Some(row as i64 * 16),
        commit_lsn: Some(row as i64 * 16),
        seq: Some(0),
        xid: Some(row as i64),
        schema: "public".to_owned(),
        table: format!("table_{:05}", if own_tables { row } else { 0 }),
        op: Operation::Update.as_str().to_owned(),
        data: line.clone(),
    };
    let events = (0..rows).map(|row| (day(), event(row))).collect();
    book.commit(Contents { events, rejects: Vec::new() }).expect("a sound commit");
    folder
}
