//! Topics and a slot of real systems, against counts written by hand beside the SQL before it ran.

use std::collections::BTreeMap;

use walbook::parse::{Content, Envelope, Statement, read_line};

use super::agreement::check;
use super::oracle;

type Counts = BTreeMap<(String, String), u64>;

fn truth() -> Counts {
    let mut counts = Counts::new();
    for record in
        include_str!("../../data/connect_a_plain.truth.csv").replace("\"new\nline\"", "\"new\\nline\"").lines().skip(1)
    {
        let (rest, count) = record.rsplit_once(',').expect("three fields");
        let (table, operation) = rest.rsplit_once(',').expect("three fields");
        let table = table.strip_prefix('"').and_then(|table| table.strip_suffix('"')).unwrap_or(table);
        let table = table.replace("\"\"", "\"").replace("\\n", "\n");
        counts.insert((table, operation.to_owned()), count.parse().expect("a number"));
    }
    counts
}

fn count(counts: &mut Counts, line: &str) {
    let mut add =
        |table: &str, operation: &str| *counts.entry((table.to_owned(), operation.to_owned())).or_default() += 1;
    match read_line(line).unwrap_or_else(|reject| panic!("{reject}: {line:?}")) {
        Statement::Change { table, operation } => add(table.text(), operation.as_str()),
        Statement::Truncate(names) => names.for_each(|name| add(name.text(), "TRUNCATE")),
        Statement::Marker => {}
    }
}

#[test]
fn a_topic_of_connect_counts_as_its_truth() {
    let mut counts = Counts::new();
    let mut envelope = Envelope::new();
    for value in include_str!("../../data/connect_a_plain.ndjson").lines() {
        check("t", Some(value.as_bytes()));
        match envelope.open("t", Some(value.as_bytes())) {
            Ok(Content::Line(line)) => count(&mut counts, line.text),
            other => panic!("{other:?}: {value}"),
        }
    }
    assert_eq!(counts, truth());
}

#[test]
fn the_lines_of_a_slot_count_as_their_truth() {
    let mut counts = Counts::new();
    let mut record = String::new();
    for line in include_str!("../../data/recvlogical_test_decoding.txt").lines() {
        record += line;
        // A value or a name may continue in the next line: the full grammar decides.
        if !record.starts_with("table ") || oracle::read_whole_change(&record).is_some() {
            check("t", Some(record.as_bytes()));
            count(&mut counts, &record);
            record.clear();
        } else {
            record.push('\n');
        }
    }
    assert_eq!(record, "");
    assert_eq!(counts, truth());
}
