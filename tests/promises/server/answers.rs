//! Answers of a server are those of the commands, to the byte, also beside a run that commits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::support::book_builder::{BookBuilder, Contents, RejectRow};
use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;
use walbook::book::log::entry::{PartitionEntry, SourceKind, TopicEntry};
use walbook::query::events;
use walbook::query::{Filter, Format, GroupBy, counts};
use walbook::server::Access;

use super::client::get;
use super::serve;
use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::{Rows, day};

fn printed(root: &Path, filter: &Filter, by: &[GroupBy], format: Format) -> String {
    let mut out = Vec::new();
    counts(root, filter, by).expect("an answer").print(format, &mut out).expect("memory");
    String::from_utf8(out).expect("text")
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A filter and the parameters that mean the same.
fn question(rows: &mut Rows) -> (Filter, Vec<GroupBy>, String) {
    let patterns = ["*", "public.*", "*.<script>", "nothing.*", "*two\nlines"];
    let mut filter = Filter { tables: None, name: None, ..rows.filter() };
    let mut parameters = Vec::new();
    if rows.random.below(2) == 0 {
        let pattern = *rows.random.one_of(&patterns);
        filter.tables = Some(pattern.parse().expect("a pattern"));
        parameters.push(format!("table={}", encoded(pattern)));
    }
    parameters.extend(filter.from.map(|day| format!("from={day}")));
    parameters.extend(filter.to.map(|day| format!("to={day}")));
    parameters.extend(filter.operation.map(|op| format!("op={}", op.as_str().to_lowercase())));
    let choices: [(&str, &[GroupBy]); 5] = [
        ("day,table,op", &GroupBy::DEFAULT),
        ("table,day", &[GroupBy::Table, GroupBy::Day]),
        ("op", &[GroupBy::Op]),
        ("day", &[GroupBy::Day]),
        ("", &[]),
    ];
    let (text, by) = *rows.random.one_of(&choices);
    parameters.push(format!("by={text}"));
    (filter, by.to_vec(), parameters.join("&"))
}

#[test]
fn durable_answers_are_those_of_query_to_the_byte() {
    let folder = folder();
    let mut rows = Rows::new(11);
    let mut book = open(folder.path());
    for _ in 0..3 {
        book.commit(rows.commit(150, 6)).expect("a commit");
    }
    let address = serve(folder.path(), Access::default());
    for _ in 0..60 {
        let (filter, by, parameters) = question(&mut rows);
        let json = get(address, &format!("/api/counts?{parameters}"));
        assert_eq!(json.text(), printed(folder.path(), &filter, &by, Format::Json), "{parameters}");
        assert_eq!(json.header("content-type"), Some("application/json"));
        let csv = get(address, &format!("/api/counts?format=csv&{parameters}"));
        assert_eq!(csv.text(), printed(folder.path(), &filter, &by, Format::Csv), "{parameters}");
        let complete_to: Value =
            serde_json::from_str(csv.header("walbook-complete-to").expect("a header")).expect("JSON");
        assert_eq!(complete_to, json.json()["complete_to"]);
    }
}

#[test]
fn each_answer_beside_a_writer_is_that_of_its_commit() {
    const COMMITS: u64 = 40;
    let folder = folder();
    let root = folder.path();
    drop(open(root));
    let address = serve(root, Access::default());
    // By commit: what `query` printed right after it.
    let printed_at: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let all = || printed(root, &Filter::default(), &GroupBy::DEFAULT, Format::Json);
    let print_at = |commit| printed_at.lock().unwrap_or_else(PoisonError::into_inner).insert(commit, all());
    print_at(0);
    let mut seen = BTreeMap::new();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut rows = Rows::new(5);
            let mut book = open(root);
            for _ in 0..COMMITS {
                let commit = book.commit(rows.commit(20, 5)).expect("a commit");
                print_at(commit);
                thread::sleep(std::time::Duration::from_millis(50));
            }
        });
        let mut last = 0;
        loop {
            let finished = writer.is_finished();
            let answer = get(address, "/api/counts?level=durable");
            let commit = answer.json()["complete_to"]["commit"].as_u64().expect("a commit");
            assert!(last <= commit, "answers never go back");
            last = commit;
            seen.insert(commit, answer.text().to_owned());
            if finished && last == COMMITS {
                return;
            }
        }
    });
    let printed_at = printed_at.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (commit, text) in &seen {
        assert_eq!(text, &printed_at[commit], "commit {commit}");
    }
    assert!(seen.len() > 5, "the server ran beside the writer: {:?}", seen.keys());
}

#[test]
fn events_come_page_by_page_with_their_columns() {
    let folder = folder();
    let mut rows = Rows::new(7);
    let mut book = open(folder.path());
    for _ in 0..2 {
        book.commit(rows.commit(100, 4)).expect("a commit");
    }
    let address = serve(folder.path(), Access::default());
    let expected = events(folder.path(), &Filter::default(), usize::MAX).expect("an answer").rows;
    let offsets = |page: &Value| -> Vec<(String, i64, i64)> {
        let rows = page["rows"].as_array().expect("rows").iter();
        let identity = |row: &Value| {
            let number = |name: &str| row[name].as_i64().expect("a number");
            (row["topic"].as_str().expect("a topic").to_owned(), number("offset"), number("ordinal"))
        };
        rows.map(identity).collect()
    };
    let mut found = Vec::new();
    let mut pages: Vec<Value> = Vec::new();
    let mut path = "/api/events?limit=30".to_owned();
    loop {
        let page = get(address, &path).json();
        found.extend(offsets(&page));
        let next = page["next"].as_str().map(str::to_owned);
        if let Some(before) = pages.last() {
            let back = page["previous"].as_str().expect("a page before");
            let back = get(address, &format!("/api/events?limit=30&cursor={}", encoded(back))).json();
            assert_eq!(offsets(&back), offsets(before));
        } else {
            assert_eq!(page["previous"], Value::Null);
        }
        pages.push(page);
        // A commit in between adds rows where they belong; no row comes twice.
        match next {
            Some(next) => path = format!("/api/events?limit=30&cursor={}", encoded(&next)),
            None => break,
        }
    }
    let expected: Vec<_> =
        expected.iter().map(|event| (event.topic.clone(), event.offset, i64::from(event.ordinal))).collect();
    assert_eq!(found, expected);
    let first = &pages[0]["rows"][0];
    for column in ["columns", "has_old", "options", "lsn_text", "commit_lsn_text", "data", "kafka_time", "schema"] {
        assert!(first.get(column).is_some(), "{column}");
    }
    let exact = get(address, &format!("/api/events?schema=a&name={}&limit=1000", encoded("b.<script>"))).json();
    let exact = exact["rows"].as_array().expect("rows");
    assert!(!exact.is_empty() && exact.iter().all(|row| row["schema"] == "a" && row["table"] == "b.<script>"));
}

#[test]
fn tables_days_and_rejects_are_those_of_the_book() {
    let folder = folder();
    let mut rows = Rows::new(9);
    let mut book = open(folder.path());
    let contents = rows.commit(300, 5);
    let rejects = contents.rejects.len();
    book.commit(contents).expect("a commit");
    let address = serve(folder.path(), Access::default());
    let by_table = counts(folder.path(), &Filter::default(), &[GroupBy::Table]).expect("an answer");
    let mut expected: Vec<(u64, String, String)> = by_table
        .rows
        .iter()
        .filter_map(|row| Some((row.count, row.table.as_ref()?.schema.clone(), row.table.as_ref()?.table.clone())))
        .collect();
    expected.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| (&one.1, &one.2).cmp(&(&other.1, &other.2))));
    let tables = get(address, "/api/tables").json();
    let rows = tables["tables"].as_array().expect("tables").iter().map(|row| {
        let text = |name: &str| row[name].as_str().expect("a text").to_owned();
        (row["count"].as_u64().expect("a count"), text("schema"), text("table"))
    });
    assert_eq!(rows.collect::<Vec<_>>(), expected);

    let days = get(address, "/api/days?from=2026-10-31&to=2026-11-02").json();
    let states: Vec<&str> =
        days["days"].as_array().expect("days").iter().filter_map(|day| day["state"].as_str()).collect();
    assert_eq!(states[0], "absent");
    assert_eq!(days["first_day"], "2026-11-01");

    let mut found = 0;
    let mut path = "/api/rejects?limit=7".to_owned();
    loop {
        let page = get(address, &path).json();
        found += page["rows"].as_array().expect("rows").len();
        match page["next"].as_str() {
            Some(next) => path = format!("/api/rejects?limit=7&cursor={}", encoded(next)),
            None => break,
        }
    }
    assert_eq!(found, rejects);
    let status = await_rejects(address, rejects as u64);
    assert_eq!(status["state"], "at_rest");
    assert_eq!(status["live"], Value::Null);
    assert_eq!(status["rate"]["history"].as_array().map(Vec::len), Some(60));
}

#[test]
fn rejects_of_one_transaction_come_page_by_page() {
    let folder = folder();
    let positions = BTreeMap::from([(0, PartitionEntry::start(100))]);
    let id = "7312345678901234567".to_owned();
    let slot = TopicEntry {
        source: SourceKind::Slot,
        id,
        timeline: Some(1),
        partitions: 1,
        positions,
        ..TopicEntry::default()
    };
    let topics = BTreeMap::from([("slot".to_owned(), slot)]);
    let mut book = BookBuilder::open_with(folder.path(), "UTC", &topics).expect("a book");
    book.group_rows = 5;
    // All of them have the offset of their transaction.
    let reject = |number: usize| {
        let reason = format!("{number:02}");
        (day(0), RejectRow { topic: "slot".to_owned(), offset: 200, reason, ..RejectRow::default() })
    };
    book.commit(Contents { events: Vec::new(), rejects: (0..40).map(reject).collect() }).expect("a commit");
    let address = serve(folder.path(), Access::default());
    let newest: Vec<String> = (0..40).map(|number| format!("{number:02}")).collect();
    for (order, expected) in [("newest", newest.clone()), ("oldest", newest.iter().rev().cloned().collect())] {
        let ask = |cursor: Option<&str>| {
            let cursor = cursor.map(|cursor| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
            let page = get(address, &format!("/api/rejects?limit=7&order={order}{cursor}")).json();
            let rows = page["rows"].as_array().expect("rows");
            let reasons = rows.iter().map(|row| row["reason"].as_str().expect("a text").to_owned());
            (reasons.collect::<Vec<_>>(), page["next"].clone(), page["previous"].clone())
        };
        let (mut forth, mut next, mut previous) = ask(None);
        while let Some(cursor) = next.as_str() {
            let page = ask(Some(cursor));
            forth.extend(page.0);
            (next, previous) = (page.1, page.2);
        }
        assert_eq!(forth, expected, "{order}");
        let mut back = expected[35..].to_vec();
        while let Some(cursor) = previous.as_str() {
            let page = ask(Some(cursor));
            back.splice(0..0, page.0);
            previous = page.2;
        }
        assert_eq!(back, expected, "{order}, backwards");
    }
}

/// Waits for the rejects, which are summed after the counts.
fn await_rejects(address: SocketAddr, rejects: u64) -> Value {
    loop {
        let status = get(address, "/api/status").json();
        if status["rejects"]["total"] == rejects {
            return status;
        }
        thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn counts_come_as_columns_too() {
    let folder = folder();
    let mut rows = Rows::new(3);
    let mut book = open(folder.path());
    book.commit(rows.commit(200, 5)).expect("a commit");
    let address = serve(folder.path(), Access::default());
    let expected = counts(folder.path(), &Filter::default(), &GroupBy::DEFAULT).expect("an answer").rows;

    let response = get(address, "/api/counts?format=parquet&download=1");
    assert!(
        response.header("content-disposition").is_some_and(|value| value.contains("-counts-2026-11-01-last.parquet"))
    );
    let file = SerializedFileReader::new(Bytes::from(response.body)).expect("a Parquet file");
    let file_counts =
        file.get_row_iter(None).expect("rows").map(|row| row.expect("a row").get_long(4).expect("a count"));
    assert_eq!(file_counts.collect::<Vec<_>>(), expected.iter().map(|row| row.count as i64).collect::<Vec<_>>());

    let response = get(address, "/api/counts?format=arrow&by=day,op");
    let stream = arrow_ipc::reader::StreamReader::try_new(response.body.as_slice(), None).expect("an Arrow stream");
    let rows: usize = stream.map(|batch| batch.expect("a batch").num_rows()).sum();
    assert_eq!(
        rows,
        counts(folder.path(), &Filter::default(), &[GroupBy::Day, GroupBy::Op]).expect("an answer").rows.len()
    );

    let response = get(address, "/api/events?format=parquet&limit=1000");
    let file = SerializedFileReader::new(Bytes::from(response.body)).expect("a Parquet file");
    let all = events(folder.path(), &Filter::default(), usize::MAX).expect("an answer").rows.len();
    assert_eq!(file.metadata().file_metadata().num_rows(), all as i64);
}
