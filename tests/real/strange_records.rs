//! Records that are no changes, or unreadable: kept with the reason, and the run continues.

use serde_json::Value;

use crate::book::Book;
use crate::database::Database;
use crate::lines::{self, Shape};
use crate::readers;
use crate::topic::{Record, Topic};
use crate::truth::{Counts, assert_same};

const TIME: i64 = 1_790_000_000_000;
const DAY: &str = "2026-09-21";

/// What a record must become.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Insert,
    Marker,
    Reject,
}

fn strange_values() -> Vec<(Option<Vec<u8>>, Fate)> {
    use Fate::{Insert, Marker, Reject};
    let line = |text: &str| lines::plain(Shape::Connect, text);
    let insert = line("table public.t: INSERT: id[integer]:1");
    let huge = line(&format!("table public.t: INSERT: v[text]:'{}'", "x".repeat(10_000_000)));
    let escapes = line(&format!("table public.t: INSERT: v[text]:'{}'", "\"\\\n\u{1}".repeat(1_000_000)));
    let garbage: Vec<u8> = (0..10_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let with_prefix = |prefix: &[u8], rest: &[u8]| Some([prefix, rest].concat());
    vec![
        (Some(insert.clone()), Insert),
        (Some(huge), Insert),
        (Some(escapes), Insert),
        (None, Marker),
        (Some(line("BEGIN 7")), Marker),
        (Some(line("COMMIT 7 (at 2017-05-10 12:07:21.272494-04)")), Marker),
        (Some(line("message: transactional: 0 prefix: p, sz: 4 content:msg4")), Marker),
        // A heartbeat is one on its own topics only.
        (Some(br#"{"ts_ms":1790000000000}"#.to_vec()), Reject),
        (Some(Vec::new()), Reject),
        (Some(garbage), Reject),
        (Some(vec![0xff; 10]), Reject),
        (Some(b"null".to_vec()), Reject),
        (Some(b"true".to_vec()), Reject),
        (Some(b"{}".to_vec()), Reject),
        (Some(b"{".to_vec()), Reject),
        (Some(b"[]".to_vec()), Reject),
        (Some(vec![b'['; 1_000_000]), Reject),
        (Some(r#"{"a":"#.repeat(200_000).into_bytes()), Reject),
        (with_prefix(&insert[..insert.len() - 1], b""), Reject),
        (with_prefix(&insert, b"x"), Reject),
        (with_prefix(b"\xef\xbb\xbf", b"garbage"), Reject),
        (with_prefix(&[0, 0, 0, 0, 5], &insert), Reject),
        (Some(br#"{"change":[{"kind":"insert","schema":"public","table":"t"}]}"#.to_vec()), Reject),
        (Some(br#"{"action":"I","schema":"public","table":"t"}"#.to_vec()), Reject),
        (
            Some(br#"{"before":null,"after":{"id":1},"source":{"schema":"public","table":"t"},"op":"c"}"#.to_vec()),
            Reject,
        ),
        (Some(line("streaming change for TXN 508")), Reject),
        (Some(line("table public.t: UPSERT: id[integer]:1")), Reject),
        (Some(line("table public: INSERT: id[integer]:1")), Reject),
        (Some(line("")), Reject),
        (Some(b"table public.t: INSERT: v[text]:'\xff\xfe'".to_vec()), Reject),
        (Some(b"{\"data\":\"table public.t: INSERT: v[text]:'\xc3'\"}".to_vec()), Reject),
        (Some(br#"{"data":null}"#.to_vec()), Reject),
        (Some(br#"{"data":5}"#.to_vec()), Reject),
    ]
}

#[test]
fn unreadable_records_are_kept_with_the_reason_and_the_run_continues() {
    let values = strange_values();
    let topic = Topic::create_with("strange", 2, &[("max.message.bytes", "20000000")]);
    let key = b"key \xff".to_vec();
    topic.produce(values.iter().enumerate().map(|(number, (value, _))| Record {
        partition: i32::try_from(number % 2).expect("0 or 1"),
        time: TIME,
        key: Some(key.clone()),
        value: value.clone(),
        headers: vec![("trace", b"\x00\xfe".to_vec())],
    }));
    topic.produce((0..2).map(|partition| Record {
        partition,
        time: TIME,
        value: Some(lines::plain(Shape::Raw, "table public.last: DELETE: id[integer]:1")),
        ..Record::default()
    }));

    let mut truth = Counts::default();
    truth.add(DAY, "public", "t", "INSERT", count(&values, Fate::Insert));
    truth.add(DAY, "public", "last", "DELETE", 2);
    for workers in ["1", "2"] {
        let book = Book::new("strange");
        book.run_to_end(&[&topic], &["-w", workers]);
        assert_same("strange records", &book.counts(), &truth);
        book.verify();

        let rejects = readers::rejects(book.path());
        let found: Vec<(i64, i64)> = rejects.iter().map(|row| (number(&row[1]), number(&row[2]))).collect();
        let expected = |partition: usize| {
            let of_partition = values.iter().skip(partition).step_by(2).enumerate();
            of_partition
                .filter(|(_, (_, fate))| *fate == Fate::Reject)
                .map(move |(offset, _)| (as_i64(partition), as_i64(offset)))
        };
        assert_eq!(found, expected(0).chain(expected(1)).collect::<Vec<_>>(), "rejected: {rejects:?}");
        for row in &rejects {
            let place = usize::try_from(number(&row[2]) * 2 + number(&row[1])).expect("a place in the list");
            let value = values[place].0.as_deref().map(hexadecimal);
            assert!(row[5].as_str() == value.as_deref(), "the bytes at {place} changed");
            assert_eq!(row[4].as_str(), Some(hexadecimal(&key).as_str()), "the key at {place} changed");
            assert!(
                row[6].as_str().is_some_and(|headers| headers.contains("7472616365")),
                "the headers at {place} are lost: {}",
                row[6]
            );
            assert!(row[3].as_str().is_some_and(|reason| !reason.is_empty()), "no reason at {place}");
            println!("{place}: {}", row[3]);
        }
    }
}

#[test]
fn a_record_without_a_commit_time_is_rejected_where_only_that_may_decide() {
    let topic = Topic::create("no_commit_time", 1);
    topic.produce([Shape::Connect, Shape::Walbook("2024-02-29T00:00:00Z"), Shape::Walbook("yesterday")].map(|shape| {
        Record {
            time: TIME,
            value: Some(lines::plain(shape, "table public.t: INSERT: id[integer]:1")),
            ..Record::default()
        }
    }));
    let book = Book::new("no_commit_time");
    book.run_to_end(&[&topic], &["--day-from", "commit"]);
    let mut truth = Counts::default();
    truth.add("2024-02-29", "public", "t", "INSERT", 1);
    assert_same("--day-from commit", &book.counts(), &truth);
    assert_eq!(readers::rejects(book.path()).len(), 2);
    book.verify();
}

#[test]
fn streamed_changes_are_rejected_with_advice() {
    let database = Database::create("streamed");
    database.script("create table public.t (id int, v text)");
    database
        .script("begin; insert into public.t select i, repeat('x', 100) from generate_series(1, 5000) as i; commit;");
    // In one call: a call that stops inside a streamed transaction begins it anew in the next.
    let streamed = database.take("null", "-c logical_decoding_work_mem=64kB", ", 'stream-changes', '1'");
    let topic = Topic::create("streamed", 2);
    topic.produce(lines::records(&streamed, Shape::Connect, 2, TIME));

    let book = Book::new("streamed");
    book.run_to_end(&[&topic], &["-w", "2"]);
    let changes = streamed.iter().filter(|line| line.data.starts_with("streaming change")).count();
    assert!(changes > 1000, "the server did not stream: {changes}");
    let rejects = readers::rejects(book.path());
    assert_eq!(rejects.len(), changes);
    assert!(rejects[0][3].as_str().is_some_and(|reason| reason.contains("stream-changes")), "{}", rejects[0]);
    assert_eq!(book.counts().total() + as_i64(changes), database.truth(&[DAY]).total());
    book.verify();
}

fn count(values: &[(Option<Vec<u8>>, Fate)], fate: Fate) -> i64 {
    as_i64(values.iter().filter(|value| value.1 == fate).count())
}

fn as_i64(number: usize) -> i64 {
    i64::try_from(number).expect("a small number")
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}
