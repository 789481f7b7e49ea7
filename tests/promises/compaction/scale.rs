//! A day of many small files before and after: the same answers from fewer files. `WALBOOK_LONG=1` makes 10 000 files and prints how long
//! each question takes.

use std::path::Path;
use std::time::{Duration, Instant};

use walbook::book::compact::TARGET_BYTES;
use walbook::book::{FileTotals, Snapshot, verify};
use walbook::query::{Event, EventsAnswer, Filter, GroupBy, counts, events};
use walbook::store::layout::Table;

use crate::readers::loop_of_rows::folder;
use crate::readers::random::day;
use crate::support::book_builder::{BookBuilder, Contents};

const TABLES: i64 = 20;
const ROWS_OF_A_COMMIT: i64 = 100;

/// What a reader asks, and how long that took.
struct Answers {
    events: EventsAnswer,
    sum: u64,
    files: FileTotals,
    took: [(&'static str, Duration); 3],
}

fn ask(root: &Path) -> Answers {
    let timed = |begin: Instant| begin.elapsed();
    let begin = Instant::now();
    let counted = counts(root, &Filter::default(), &GroupBy::DEFAULT).expect("an answer");
    let query = timed(begin);
    let begin = Instant::now();
    let filter = Filter { tables: Some("public.table_7".parse().expect("a pattern")), ..Filter::default() };
    let found = events(root, &filter, 100).expect("an answer");
    let of_table = timed(begin);
    let begin = Instant::now();
    let report = verify(root, &mut |_| {}).expect("a report");
    assert!(report.ok, "{report:#?}");
    let verified = timed(begin);
    let snapshot = Snapshot::take(root).expect("a book");
    let files = FileTotals::of(snapshot.state().files.as_ref().expect("known").values());
    let sum = counted.rows.iter().map(|row| row.count).sum();
    let took = [("query", query), ("events --table --day", of_table), ("verify", verified)];
    Answers { events: found, sum, files, took }
}

#[test]
fn a_day_of_many_small_files_answers_the_same_from_one() {
    let is_long = std::env::var_os("WALBOOK_LONG").is_some();
    let commits = if is_long { 10_000 } else { 60 };
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    let noon = i64::from(day(0).days()) * 86_400_000_000 + 43_200_000_000;
    for commit in 0..commits {
        let rows = (0..ROWS_OF_A_COMMIT).map(|row| {
            let offset = commit * ROWS_OF_A_COMMIT + row;
            let table = format!("table_{}", offset % TABLES);
            let data = format!(
                "table public.{table}: UPDATE: id[bigint]:{offset} state[text]:'shipped' total[numeric]:{}.{:02} note[text]:'customer {} of {}'",
                offset * 7 % 1_000,
                offset % 100,
                offset * 31 % 10_000,
                offset % 17
            );
            let event = Event {
                topic: "shop".to_owned(),
                offset,
                commit_time: Some(noon + offset * 1_000),
                schema: "public".to_owned(),
                table,
                op: "UPDATE".to_owned(),
                data,
                ..Event::default()
            };
            (day(0), event)
        });
        book.commit(Contents { events: rows.collect(), rejects: Vec::new() }).expect("a commit");
    }
    let before = ask(folder.path());
    let begin = Instant::now();
    book.compact((Table::Events, day(0)), TARGET_BYTES).expect("nothing fails").expect("many files");
    let merging = begin.elapsed();
    let after = ask(folder.path());
    assert_eq!((before.files.files, after.files.files), (commits as u64, 1));
    assert_eq!((&after.events.rows, after.sum), (&before.events.rows, before.sum));
    assert_eq!(after.events.rows.len(), 100);
    assert!(after.files.sizes.bytes() < before.files.sizes.bytes(), "rows of one table are alike");
    if is_long {
        let rows = commits * ROWS_OF_A_COMMIT;
        println!("{rows} rows, {:?} bytes → {:?} bytes, merged in {merging:?}", before.files.sizes, after.files.sizes);
        for ((what, before), (_, after)) in before.took.into_iter().zip(after.took) {
            println!("{what}: {before:?} → {after:?}");
        }
    }
}
