//! Days of many small files before and after: the same answers from fewer files. `WALBOOK_LONG=1 cargo test --release --test promises
//! compaction::scale -- --nocapture` makes 100 000 files of 91 days, and prints how long each question takes.

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
    let tables = Some("public.table_7".parse().expect("a pattern"));
    let filter = Filter { from: Some(day(1)), to: Some(day(1)), tables, ..Filter::default() };
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
fn days_of_many_small_files_answer_the_same_from_one_file_each() {
    let is_long = std::env::var_os("WALBOOK_LONG").is_some();
    // Commits of the first day, and of each other one.
    let (days, first, each) = if is_long { (91, 10_000, 1_000) } else { (2, 40, 20) };
    let commits = first + (days as i64 - 1) * each;
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    for commit in 0..commits {
        let day = day(if commit < first { 0 } else { 1 + ((commit - first) / each) as u64 });
        let noon = i64::from(day.days()) * 86_400_000_000 + 43_200_000_000;
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
                commit_time: Some(noon + offset % 1_000_000 * 1_000),
                schema: "public".to_owned(),
                table,
                op: "UPDATE".to_owned(),
                data,
                ..Event::default()
            };
            (day, event)
        });
        book.commit(Contents { events: rows.collect(), rejects: Vec::new() }).expect("a commit");
    }
    let before = ask(folder.path());
    let begin = Instant::now();
    for number in 0..days {
        book.compact((Table::Events, day(number)), TARGET_BYTES).expect("nothing fails").expect("many files");
    }
    let merging = begin.elapsed();
    let after = ask(folder.path());
    assert_eq!((before.files.files, after.files.files), (commits as u64, days));
    assert_eq!((&after.events.rows, after.sum), (&before.events.rows, before.sum));
    assert_eq!(after.events.rows.len(), 100);
    assert!(after.files.sizes.bytes() < before.files.sizes.bytes(), "rows of one table are alike");
    if is_long {
        let rows = commits * ROWS_OF_A_COMMIT;
        println!("{rows} rows, {commits} files of {:?} bytes", before.files.sizes);
        println!("{} files of {:?} bytes, merged in {merging:?}", after.files.files, after.files.sizes);
        for ((what, before), (_, after)) in before.took.into_iter().zip(after.took) {
            println!("{what}: {before:?} → {after:?}");
        }
    }
}
