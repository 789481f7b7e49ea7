//! What merged files are: the same answers, sorted rows, names and numbers as the log has them.

use std::fs;
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use walbook::book::{Snapshot, verify};
use walbook::change::Day;
use walbook::query::{Filter, events};
use walbook::store::layout::{MergedPlace, Table, day_folder};

use crate::readers::loop_of_rows::{compare, folder, open};
use crate::readers::random::{Rows, day};

/// Files in the folder of a day.
fn names(root: &Path, table: Table, day: Day) -> Vec<String> {
    let listed = fs::read_dir(root.join(day_folder(table, day))).expect("a folder of the day");
    let mut names: Vec<String> =
        listed.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name of ours")).collect();
    names.sort();
    names
}

fn assert_verified(root: &Path, what: &str) {
    let report = verify(root, &mut |_| {}).expect("a report");
    assert!(report.ok, "{what}: {report:#?}");
}

#[test]
fn answers_are_the_same_before_and_after_and_between_commits() {
    for seed in [1, 2, 3] {
        let folder = folder();
        let root = folder.path();
        let mut rows = Rows::new(seed);
        let mut book = open(root);
        (book.workers, book.group_rows) = (2, 7);
        for round in 0..3 {
            for _ in 0..3 {
                let contents = rows.commit(40, 3);
                book.commit(contents).expect("a commit");
            }
            let target = [4_000, 1 << 20, 20_000][round];
            for number in 0..3 {
                for table in [Table::Events, Table::Rejects] {
                    book.compact((table, day(number)), target).expect("a compaction");
                }
                compare(root, &mut rows, &format!("seed {seed}, round {round}, day {number}"));
            }
            assert_verified(root, &format!("seed {seed}, round {round}"));
        }
        // Another start, which reads the log of all that.
        drop(book);
        let mut book = open(root);
        let contents = rows.commit(40, 3);
        book.commit(contents).expect("a commit");
        compare(root, &mut rows, "after another start");
        assert_verified(root, "after another start");
    }
}

#[test]
fn merged_rows_are_sorted_by_table_and_each_has_row_groups_of_its_own_only_if_it_is_large() {
    let folder = folder();
    let mut rows = Rows::new(5);
    let mut book = open(folder.path());
    for _ in 0..4 {
        let contents = rows.commit(100, 1);
        book.commit(contents).expect("a commit");
    }
    let entry = book.compact((Table::Events, day(0)), 1 << 20).expect("a compaction").expect("there are four files");
    let place = MergedPlace { table: Table::Events, day: day(0), entry: entry.entry, index: 0 };
    assert_eq!(entry.added.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), [place.path()]);
    let file = fs::File::open(folder.path().join(place.path())).expect("it is in its place");
    let file = SerializedFileReader::new(file).expect("a Parquet file");
    assert_eq!(file.metadata().num_row_groups(), 1);
    let mut keys = Vec::new();
    for row in file.get_row_iter(None).expect("rows") {
        let row = row.expect("a row");
        let text = |column| row.get_string(column).expect("a text").clone();
        keys.push((text(10), text(11), text(0), row.get_int(1).expect("a number"), row.get_long(2).expect("a number")));
    }
    assert!(keys.is_sorted() && !keys.is_empty(), "by schema, table, topic, partition and offset");
}

#[test]
fn a_day_with_one_file_or_large_ones_is_left_alone_and_a_late_change_merges_it_again() {
    let folder = folder();
    let mut rows = Rows::new(6);
    let mut book = open(folder.path());
    let of = (Table::Events, day(0));
    let commit = |book: &mut crate::support::book_builder::BookBuilder, rows: &mut Rows| {
        let contents = rows.commit(30, 1);
        book.commit(contents).expect("a commit");
    };
    commit(&mut book, &mut rows);
    assert!(book.compact(of, 1 << 20).expect("nothing fails").is_none(), "one file");
    commit(&mut book, &mut rows);
    assert!(book.compact(of, 100).expect("nothing fails").is_none(), "both are as large as half the target");
    assert!(book.compact(of, 1 << 20).expect("nothing fails").is_some());
    assert!(book.compact(of, 1 << 20).expect("nothing fails").is_none(), "it is merged");
    commit(&mut book, &mut rows);
    let entry = book.compact(of, 1 << 20).expect("nothing fails").expect("a late change");
    assert_eq!((entry.removed.len(), entry.added.len()), (2, 1));
    assert_eq!(names(folder.path(), Table::Events, day(0)).len(), 1);
    assert_verified(folder.path(), "after a late change");
}

#[test]
fn the_state_says_what_was_done_and_survives_a_checkpoint() {
    let folder = folder();
    let mut rows = Rows::new(7);
    let mut book = open(folder.path());
    for _ in 0..3 {
        let contents = rows.commit(30, 1);
        book.commit(contents).expect("a commit");
    }
    let before = book.committer().state().files.clone().expect("known")[&day(0)];
    assert_eq!(before.events.files, 3);
    assert_eq!(book.committer().state().compactions, None);
    book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails").expect("three files");
    book.committer().checkpoint().expect("nothing fails");
    let snapshot = Snapshot::take(folder.path()).expect("a book");
    let after = snapshot.state().files.clone().expect("known")[&day(0)];
    assert_eq!((after.events.files, after.rejects), (1, before.rejects));
    let path = &names(folder.path(), Table::Events, day(0))[0];
    let size = fs::metadata(folder.path().join(day_folder(Table::Events, day(0))).join(path)).expect("a file").len();
    assert_eq!(after.event_sizes.bytes(), Some(size));
    let compactions = snapshot.state().compactions.clone().expect("one");
    assert_eq!((compactions.entries, compactions.newest.files_before, compactions.newest.files_after), (1, 3, 1));
    assert_eq!(
        (compactions.newest.bytes_before, compactions.newest.bytes_after),
        (before.event_sizes.bytes().expect("known"), size)
    );
    let text = fs::read_dir(folder.path().join("_walbook/checkpoint"))
        .expect("a folder")
        .last()
        .expect("one")
        .expect("an entry");
    assert!(
        fs::read_to_string(text.path()).expect("text").starts_with("{\"format\":3,"),
        "versions that know none stop"
    );
}

#[test]
fn a_question_about_one_table_reads_and_verifies_its_row_groups_only() {
    let folder = folder();
    let mut rows = Rows::new(8);
    let mut book = open(folder.path());
    // Large texts: a row group for each table.
    for _ in 0..3 {
        let mut contents = rows.commit(120, 1);
        for (_, event) in &mut contents.events {
            // Does not compress.
            let mut state = event.offset as u64 * 31 + event.partition as u64;
            event.data = (0..20_000)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    char::from(b'!' + ((state >> 40) % 90) as u8)
                })
                .collect();
        }
        book.commit(contents).expect("a commit");
    }
    let entry = book.compact((Table::Events, day(0)), 1 << 30).expect("nothing fails").expect("three files");
    let path = folder.path().join(&entry.added[0].path);
    let file = SerializedFileReader::new(fs::File::open(&path).expect("a file")).expect("a Parquet file");
    let groups = file.metadata().row_groups();
    assert!(groups.len() >= 4, "{} row groups", groups.len());
    let first_of_last = groups[groups.len() - 1].columns().iter().map(|column| column.byte_range().0).min();
    let first = |table: &str| {
        let filter = Filter { tables: Some(table.parse().expect("a pattern")), ..Filter::default() };
        events(folder.path(), &filter, 10)
    };
    let whole = first("a.*").expect("an answer");
    assert_eq!(whole.rows.len(), 10);
    // Damage in the rows of the last table is not seen by a question about another one, and by one about that.
    let mut bytes = fs::read(&path).expect("a file");
    bytes[first_of_last.expect("columns") as usize + 100] ^= 1;
    fs::write(&path, bytes).expect("a file can be written");
    assert_eq!(first("a.*").expect("an answer").rows, whole.rows);
    let error = first("public.*").expect_err("its rows are damaged").to_string();
    assert!(error.contains("checksum") && error.contains(&entry.added[0].path), "{error}");
    let report = verify(folder.path(), &mut |_| {}).expect("a report");
    assert!(!report.ok, "{report:#?}");
}
