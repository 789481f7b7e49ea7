//! One change of pgbench in each shape that a value may have.

use chrono_tz::Tz;
use serde_json::json;
use walbook::parse::{Content, DayFrom, DayRule, Envelope, Statement, read_line};

/// A line of test_decoding.
pub(crate) fn line() -> String {
    let filler = " ".repeat(84);
    format!(
        "table public.pgbench_accounts: UPDATE: aid[integer]:81234 bid[integer]:1 abalance[integer]:-1234 filler[character]:'{filler}'"
    )
}

fn schema(fields: &[(&str, &str)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(kind, name)| format!(r#"{{"type":"{kind}","optional":true,"field":"{name}"}}"#)).collect();
    format!(r#"{{"type":"struct","fields":[{}],"optional":false}}"#, fields.join(","))
}

/// The name of each shape, and a value of it.
///
/// # Panics
/// When a value is not read as its name says.
pub(crate) fn values() -> Vec<(&'static str, String)> {
    let values = all_values();
    for (shape, value) in &values {
        // What is refused by mistake would be measured as a fast case.
        let table = if shape.ends_with("escapes") { "public.notes" } else { "public.pgbench_accounts" };
        let expected = match *shape {
            shape if shape.starts_with("reject: ") => 0,
            shape if shape.ends_with("BEGIN") => 1,
            _ => table.len() + 1,
        };
        let mut days = DayRule::new(Tz::Europe__Berlin, DayFrom::Auto);
        let found = read(&mut Envelope::new(), &mut days, value.as_bytes());
        assert_eq!(found, expected, "{shape}: {value}");
    }
    values
}

fn all_values() -> Vec<(&'static str, String)> {
    let line = line();
    let plain = json!({ "data": line }).to_string();
    let placed = format!(r#"{{"lsn":"0/BA5A8E0","xid":10299,"data":{}}}"#, json!(line));
    let escaped = "table public.notes: INSERT: id[integer]:7 body[jsonb]:'{\"a\": \"b\", \"c\": \"d\"}' text[text]:'one\ntwo\nthree'";
    let connect =
        |fields: &[(&str, &str)], payload: &str| format!(r#"{{"schema":{},"payload":{payload}}}"#, schema(fields));
    let data = ("string", "data");
    vec![
        ("connect with schema", connect(&[data], &plain)),
        ("connect with schema, lsn, xid", connect(&[("string", "lsn"), ("int64", "xid"), data], &placed)),
        ("connect with schema, BEGIN", connect(&[data], r#"{"data":"BEGIN 693"}"#)),
        ("connect with schema, escapes", connect(&[data], &json!({ "data": escaped }).to_string())),
        ("connect without schema", plain.clone()),
        (
            "capture",
            format!(
                r#"{{"lsn":"0/16B2E58","xid":736,"commit_lsn":"0/16B2F00","commit_time":"2026-11-22T12:34:56.123456Z","seq":3,"data":{}}}"#,
                json!(line)
            ),
        ),
        ("struct", format!("Struct{{lsn=0/BA5A8E0,xid=10299,data={line}}}")),
        ("raw line", line.clone()),
        ("by serde_json: nested field", format!(r#"{{"tags":[1,2],"data":{}}}"#, json!(line))),
        (
            "reject: Debezium",
            include_str!("../../tests/data/debezium.ndjson").lines().next().unwrap_or_default().to_owned(),
        ),
        (
            "reject: wal2json",
            r#"{"action":"U","schema":"public","table":"pgbench_accounts","columns":[{"name":"aid","type":"integer","value":81234}]}"#
                .to_owned(),
        ),
    ]
}

/// All that `parse` asks of a record before it touches a column: the length of the table's name, and 1 for a day.
pub(crate) fn read(envelope: &mut Envelope, days: &mut DayRule, value: &[u8]) -> usize {
    match envelope.open("topic", Some(value)) {
        Ok(Content::Line(line)) => {
            let table = match read_line(line.text) {
                Ok(Statement::Change { table, .. }) => table.text().len(),
                _ => 0,
            };
            let day = days.day(line.commit_time, Some(1_795_352_197_698_000), None);
            table + day.map_or(0, |day| usize::from(day.days() > 0))
        }
        _ => 0,
    }
}
