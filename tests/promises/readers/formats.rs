//! Answers as text: what scripts and people rely on.

use std::path::Path;

use crate::support::book_builder::{BookBuilder, Contents, RejectRow};
use walbook::book::verify;
use walbook::query::events;
use walbook::query::{Event, Filter, Format, GroupBy, counts};

use super::loop_of_rows::{folder, open};
use super::random::day;

fn awkward_book(root: &Path) -> BookBuilder {
    let mut book = open(root);
    let tables = [
        ("a.b", "<script>"),
        ("public", "two\nlines"),
        ("public", "say \"hi\", \u{1b}[31mred\u{202e}"),
        ("öffentlich", "t"),
    ];
    let events = tables.into_iter().zip(0..).map(|((schema, table), offset)| {
        let event = Event {
            topic: "shop".to_owned(),
            partition: 1,
            offset,
            ordinal: 0,
            kafka_time: (offset != 2).then_some(1_793_620_798_000_001 + offset),
            commit_time: (offset == 1).then_some(1_793_620_797_123_456),
            lsn: (offset == 1).then_some(0x16_B374_D848),
            commit_lsn: None,
            seq: None,
            xid: (offset == 1).then_some(736),
            schema: schema.to_owned(),
            table: table.to_owned(),
            op: if offset == 3 { "DELETE" } else { "INSERT" }.to_owned(),
            data: format!("table {schema}.\"{table}\": note[text]:'{}'", "x".repeat(offset as usize * 50)),
        };
        (day(offset as u64 / 2), event)
    });
    let reject = RejectRow { topic: "shop".to_owned(), partition: 0, offset: 6, reason: "no".to_owned() };
    book.commit(Contents { events: events.collect(), rejects: vec![(day(0), reject)] }).expect("a commit");
    book
}

fn counts_text(root: &Path, by: &[GroupBy], format: Format) -> String {
    let mut out = Vec::new();
    counts(root, &Filter::default(), by).expect("an answer").print(format, &mut out).expect("memory");
    String::from_utf8(out).expect("text")
}

fn events_text(root: &Path, format: Format) -> String {
    let mut out = Vec::new();
    events(root, &Filter::default(), 100).expect("an answer").print(format, &mut out).expect("memory");
    String::from_utf8(out).expect("text")
}

#[test]
fn counts_print_as_promised() {
    let folder = folder();
    let _book = awkward_book(folder.path());
    insta::assert_snapshot!("counts_table", counts_text(folder.path(), &GroupBy::DEFAULT, Format::Table));
    insta::assert_snapshot!("counts_csv", counts_text(folder.path(), &GroupBy::DEFAULT, Format::Csv));
    insta::assert_snapshot!("counts_json", counts_text(folder.path(), &GroupBy::DEFAULT, Format::Json));
    insta::assert_snapshot!(
        "counts_by_op_and_day",
        counts_text(folder.path(), &[GroupBy::Op, GroupBy::Day], Format::Csv)
    );
    insta::assert_snapshot!("counts_of_all", counts_text(folder.path(), &[], Format::Table));
}

#[test]
fn events_print_as_promised() {
    let folder = folder();
    let _book = awkward_book(folder.path());
    insta::assert_snapshot!("events_table", events_text(folder.path(), Format::Table));
    insta::assert_snapshot!("events_csv", events_text(folder.path(), Format::Csv));
    let json = events_text(folder.path(), Format::Json);
    insta::assert_snapshot!("events_json", json);
    let parsed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(parsed["rows"].as_array().map(Vec::len), Some(4));
}

#[test]
fn an_empty_book_has_an_empty_answer() {
    let folder = folder();
    let _book = open(folder.path());
    insta::assert_snapshot!("empty_table", counts_text(folder.path(), &GroupBy::DEFAULT, Format::Table));
    insta::assert_snapshot!("empty_json", events_text(folder.path(), Format::Json));
}

#[test]
fn a_verification_prints_as_promised() {
    let folder = folder();
    let _book = awkward_book(folder.path());
    std::fs::write(folder.path().join("events/notes\u{7}.txt"), "").expect("a file");
    let report = verify(folder.path(), &mut |_| {}).expect("a report");
    let (mut table, mut json) = (Vec::new(), Vec::new());
    report.print_table(&mut table).expect("memory");
    report.print_json(&mut json).expect("memory");
    // The sizes of Parquet files change with the library that writes them.
    let bytes = |text: Vec<u8>| {
        let text = String::from_utf8(text).expect("text");
        regex::Regex::new(r"\d+ bytes").expect("a pattern").replace_all(&text, "N bytes").into_owned()
    };
    insta::assert_snapshot!("verify_table", bytes(table));
    insta::assert_snapshot!("verify_json", bytes(json));
}
