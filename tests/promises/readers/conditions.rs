//! Conditions in SQL on events: the command line and the API find the changes for which they are true, say which values
//! they could not compute, and refuse what they cannot mean.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use walbook::server::Access;

use crate::server::client::{ask, get};
use crate::server::serve;

const LINES: [(&str, &str); 8] = [
    ("2026-11-21T23:30:00Z", "table shop.\"order\": INSERT: id[integer]:41 state[text]:'placed' amount[text]:'10.50'"),
    ("2026-11-22T05:00:00Z", "table shop.\"order\": INSERT: id[integer]:42 state[text]:'placed' amount[text]:'n/a'"),
    (
        "2026-11-22T06:00:00Z",
        "table shop.\"order\": UPDATE: id[integer]:42 state[text]:'it''s paid' amount[text]:'1200.00'",
    ),
    (
        "2026-11-22T07:00:00Z",
        "table shop.\"order\": UPDATE: old-key: id[integer]:42 new-tuple: id[integer]:43 state[text]:null amount[text]:'0'",
    ),
    ("2026-11-22T08:00:00Z", "table shop.\"order\": DELETE: id[integer]:41"),
    ("2026-11-23T02:00:00Z", "table shop.customers: DELETE: id[integer]:42"),
    ("2026-11-23T03:00:00Z", "table shop.\"order\", shop.customers: TRUNCATE: (no-flags)"),
    ("2026-11-23T04:00:00Z", "table shop.customers: INSERT: id[integer]:42 j[jsonb]:'{\"vip\": true}'"),
];

/// A book of these lines, in the zone Europe/Berlin.
fn book() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let line = |(time, data): &(&str, &str)| serde_json::json!({"data": data, "commit_time": time}).to_string();
    let lines: Vec<String> = LINES.iter().map(line).collect();
    fs::write(folder.path().join("changes.ndjson"), lines.join("\n") + "\n").expect("a writable folder");
    let arguments = ["run", "book", "--input", "changes.ndjson", "--until-end", "--time-zone", "Europe/Berlin"];
    let ended = walbook(folder.path(), &arguments);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    folder
}

fn walbook(folder: &Path, arguments: &[&str]) -> Output {
    let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
    walbook.current_dir(folder).args(arguments).output().expect("the binary is built")
}

fn events(folder: &Path, arguments: &[&str]) -> Value {
    let ended = walbook(folder, &[&["events", "book", "--format", "json"], arguments].concat());
    assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    serde_json::from_slice(&ended.stdout).expect("JSON")
}

/// The hours of the rows' commits, oldest first, with the operation's first letter.
fn found(answer: &Value) -> Vec<String> {
    let rows = answer["rows"].as_array().expect("rows").iter();
    let mut rows: Vec<String> = rows
        .map(|row| {
            let (time, op) = (row["commit_time"].as_str().expect("a time"), row["op"].as_str().expect("an operation"));
            format!("{}{}", &time[8..13], &op[..1])
        })
        .collect();
    rows.sort();
    rows
}

/// Conditions and what they find, and how many values are bad.
const CONDITIONS: [(&str, &[&str], u64); 12] = [
    ("key.id = '42'", &["22T05I", "22T06U", "22T07U", "23T02D", "23T04I"], 0),
    ("key.id = '42' AND \"table\" = 'order'", &["22T05I", "22T06U", "22T07U"], 0),
    ("new.id = '43'", &["22T07U"], 0),
    ("old.id IS NOT NULL", &["22T07U", "22T08D", "23T02D"], 0),
    ("new.state = 'it''s paid'", &["22T06U"], 0),
    ("new.amount::numeric(18,2) > 10", &["21T23I", "22T06U"], 1),
    ("10 / new.amount::numeric > 0.5", &["21T23I"], 2),
    ("op = 'DELETE' AND commit_time::time < '06:00'", &["23T02D"], 0),
    ("day = '2026-11-22' AND op = 'INSERT'", &["21T23I", "22T05I"], 0),
    ("commit_time >= '2026-11-22 08:00' AND day < '2026-11-23'", &["22T07U", "22T08D"], 0),
    ("(new.j ->> 'vip')::boolean", &["23T04I"], 0),
    ("op = 'TRUNCATE'", &["23T03T", "23T03T"], 0),
];

#[test]
fn a_condition_finds_the_changes_for_which_it_is_true() {
    let folder = book();
    let address = serve(&folder.path().join("book"), Access::default());
    for (condition, expected, bad) in CONDITIONS {
        let answer = events(folder.path(), &["--where", condition]);
        assert_eq!(found(&answer), expected, "{condition}");
        assert_eq!(answer["bad_values"]["count"], bad, "{condition}: {}", answer["bad_values"]);
        let encoded = percent_encoding::utf8_percent_encode(condition, percent_encoding::NON_ALPHANUMERIC);
        let answer = get(address, &format!("/api/events?where={encoded}")).json();
        assert_eq!(found(&answer), expected, "{condition}");
        assert_eq!(answer["bad_values"]["count"], bad, "{condition}");
        let csv = get(address, &format!("/api/events?format=csv&where={encoded}"));
        let header: Value = serde_json::from_str(csv.header("walbook-bad-values").expect("a header")).expect("JSON");
        assert_eq!((header["count"].as_u64(), csv.text().lines().count()), (Some(bad), expected.len() + 1));
    }
    // With the other filters, and without a condition.
    let answer = events(folder.path(), &["--where", "key.id = '42'", "--table", "shop.order", "--op", "insert"]);
    assert_eq!(found(&answer), ["22T05I"]);
    let answer = events(folder.path(), &[]);
    assert_eq!((found(&answer).len(), answer.get("bad_values")), (LINES.len() + 1, None));
    let table = walbook(folder.path(), &["events", "book", "--where", "new.amount::numeric > 0"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    let line = "1 value could not be computed and counted as NULL, first new.amount::NUMERIC";
    assert!(table.contains(line), "{table}");
    // Rows in CSV have no place for it.
    for (condition, expected) in [("new.amount::numeric > 0", true), ("key.id = '42'", false)] {
        let csv = walbook(folder.path(), &["events", "book", "--format", "csv", "--where", condition]);
        let (rows, said) = (String::from_utf8_lossy(&csv.stdout), String::from_utf8_lossy(&csv.stderr));
        assert!(csv.status.success() && rows.starts_with("topic,") && !rows.contains("computed"), "{rows}");
        assert_eq!(said.contains(line), expected, "{condition}: {said}");
    }
}

#[test]
fn pages_of_a_condition_join_to_its_answer() {
    let folder = book();
    let address = serve(&folder.path().join("book"), Access::default());
    let (mut rows, mut path) = (Vec::new(), "/api/events?limit=2&where=key.id%3D'42'".to_owned());
    loop {
        let page = get(address, &path).json();
        rows.extend(found(&page));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/events?limit=2&where=key.id%3D'42'&cursor={next}");
    }
    rows.sort();
    assert_eq!(rows, ["22T05I", "22T06U", "22T07U", "23T02D", "23T04I"]);
}

#[test]
fn files_that_a_condition_excludes_are_not_read() {
    let folder = book();
    let damaged = fs::read_dir(folder.path().join("book/events/day=2026-11-22")).expect("a day");
    for file in damaged {
        let path = file.expect("an entry").path();
        let mut bytes = fs::read(&path).expect("a file");
        bytes[8] ^= 0xff;
        fs::write(path, bytes).expect("a writable file");
    }
    let ended = walbook(folder.path(), &["events", "book", "--where", "op = 'DELETE'"]);
    assert!(!ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    let later: &[&str] = &["23T02D", "23T03T", "23T03T", "23T04I"];
    for (condition, expected) in [
        ("day > '2026-11-22'", later),
        ("DATE '2026-11-22' < day AND new.id = '42'", &["23T04I"]),
        ("commit_time > '2026-11-23 01:00'", later),
        (
            "commit_time BETWEEN '2026-11-23 03:30' AND '2026-11-23 04:30' AND op IN ('INSERT', 'TRUNCATE')",
            &later[1..3],
        ),
        ("\"table\" = 'customers' AND op <> 'TRUNCATE'", &["23T02D", "23T04I"]),
    ] {
        assert_eq!(found(&events(folder.path(), &["--where", condition])), expected, "{condition}");
    }
}

#[test]
fn what_a_condition_cannot_mean_is_refused() {
    let folder = book();
    let address = serve(&folder.path().join("book"), Access::default());
    let nested = format!("{}1{} = 1", "(".repeat(3_000), ")".repeat(3_000));
    for (condition, part) in [
        ("amount > 5", "line 1, column 1: there is no column amount"),
        ("comit_time > '2026-11-22'", "did you mean commit_time?"),
        ("op = 42", "op is text and cannot be compared with a bigint"),
        ("op = 'x' AND", "the end of the text"),
        ("1 / 0 = 1", "division by zero"),
        ("count(*) > 1", "aggregate"),
        ("key.id IN (SELECT 1)", "subqueries"),
        (nested.as_str(), "nested deeper than 40"),
        ("true; DROP TABLE x", "semicolon"),
    ] {
        let ended = walbook(folder.path(), &["events", "book", "--where", condition]);
        let error = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{condition}: {error}");
        assert!(error.contains(part), "{condition}: {error}");
        assert!(error.len() < 1_000, "{error}");
        let encoded = percent_encoding::utf8_percent_encode(condition, percent_encoding::NON_ALPHANUMERIC);
        let answer = ask(address, "GET", &format!("/api/events?where={encoded}"), &[]);
        // The API refuses longer requests before it reads them.
        let expected = if encoded.to_string().len() > 8_000 { 414 } else { 400 };
        assert_eq!(answer.status, expected, "{condition}: {}", answer.text());
        if expected == 400 {
            let message = answer.json()["error"]["message"].as_str().expect("a message").to_owned();
            assert!(message.contains(part), "{condition}: {message}");
        }
    }
    // Longer than an argument may be, so by the settings file.
    let long = format!("[events]\nwhere = \"op = '{}'\"\n", "x".repeat(10 << 20));
    fs::write(folder.path().join("walbook.toml"), long).expect("a writable folder");
    let ended = walbook(folder.path(), &["--config", "walbook.toml", "events", "book"]);
    let error = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{}", &error[..error.len().min(300)]);
    assert!(error.contains("at most 65536 are read") && error.len() < 1_000, "{}", &error[..error.len().min(300)]);
}
