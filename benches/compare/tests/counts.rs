//! Counts are read from what contestants write, and each kind of difference is found.

use crate::load::counts::{CountKey, Counts};

fn key(day: &str, table: &str, op: &str) -> CountKey {
    (day.to_owned(), "public".to_owned(), table.to_owned(), op.to_owned())
}

#[test]
fn a_csv_with_quoted_names_is_read() {
    let text =
        "day,schema,table,op,count\n2026-11-22,public,\"a,\"\"b\"\"\nc\",INSERT,3\r\n2026-11-22,public,t,DELETE,4";
    let counts = Counts::from_csv(text).expect("a CSV");
    let mut expected = Counts::default();
    expected.add(key("2026-11-22", "a,\"b\"\nc", "INSERT"), 3);
    expected.add(key("2026-11-22", "t", "DELETE"), 4);
    assert_eq!(counts, expected);
}

#[test]
fn a_csv_that_lacks_something_is_refused() {
    assert!(Counts::from_csv("").is_err());
    assert!(Counts::from_csv("day,schema,table,op\n").is_err());
    assert!(Counts::from_csv("day,schema,table,op,count\n2026-11-22,public,t,INSERT\n").is_err());
    assert!(Counts::from_csv("day,schema,table,op,count\n2026-11-22,public,t,INSERT,many\n").is_err());
}

#[test]
fn lines_of_test_decoding_are_counted_by_table_and_operation() {
    let lines = [
        "BEGIN 7",
        "table public.t: INSERT: id[integer]:1 name[text]:'table public.u: DELETE: x'",
        "table public.t: INSERT: id[integer]:2",
        "table public.u: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2",
        "table public.u: DELETE: (no-tuple-data)",
        "COMMIT 7 (at 2026-11-22 12:34:56+00)",
    ];
    let mut counts = Counts::default();
    lines.iter().for_each(|line| counts.add_line(line).expect("a line of test_decoding"));
    let mut expected = Counts::default();
    expected.add(key("", "t", "INSERT"), 2);
    expected.add(key("", "u", "UPDATE"), 1);
    expected.add(key("", "u", "DELETE"), 1);
    assert_eq!(counts, expected);
    assert!(counts.add_line("table public.t").is_err());
    assert_eq!(counts, expected);
}

#[test]
fn each_kind_of_difference_is_found() {
    let mut right = Counts::default();
    right.add(key("2026-11-22", "t", "INSERT"), 3);
    right.add(key("2026-11-22", "u", "INSERT"), 5);
    assert_eq!(right.difference(&right), None);

    let mut lost = Counts::default();
    lost.add(key("2026-11-22", "t", "INSERT"), 3);
    let said = lost.difference(&right).expect("a difference");
    assert!(
        said.starts_with("1 of 2 counts differ, 3 changes instead of 8") && said.ends_with("0 instead of 5"),
        "{said}"
    );

    let mut twice = right.clone();
    twice.add(key("2026-11-22", "t", "INSERT"), 1);
    assert!(twice.difference(&right).expect("a difference").ends_with("t INSERT: 4 instead of 3"));

    let mut elsewhere = right.clone();
    elsewhere.add(key("2026-11-21", "t", "INSERT"), 1);
    assert!(elsewhere.difference(&right).expect("a difference").contains("2026-11-21 public.t INSERT: 1 instead of 0"));
}

#[test]
fn without_days_the_counts_of_all_days_are_added() {
    let mut counts = Counts::default();
    counts.add(key("2026-11-22", "t", "INSERT"), 3);
    counts.add(key("2026-11-23", "t", "INSERT"), 4);
    let mut expected = Counts::default();
    expected.add(key("", "t", "INSERT"), 7);
    assert_eq!(counts.without_days(), expected);
}
