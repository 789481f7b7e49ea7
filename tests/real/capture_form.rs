//! What a capture writes, byte for byte: fields, key, partition, and where it ends with --until-lsn.

use chrono::{DateTime, Utc};
use rdkafka::message::Message;

use crate::book::Book;
use crate::capture::Capture;
use crate::captured::lsn;
use crate::database::Database;
use crate::environment;
use crate::topic::Topic;

const PARTITIONS: i32 = 5;

/// A database without tables and its capture, started once.
fn captured(name: &str) -> (Database, Capture) {
    let database = Database::bare(&environment::postgres(), name);
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), name, PARTITIONS));
    capture.first();
    (database, capture)
}

/// The partition of a key as Java's default partitioner finds it (Kafka, `Utils.murmur2`).
fn javas_partition(key: &[u8], partitions: i32) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(key.len()).expect("short keys");
    let mut blocks = key.chunks_exact(4);
    for block in &mut blocks {
        let mut word = u32::from_le_bytes(block.try_into().expect("four bytes")).wrapping_mul(M);
        word = (word ^ (word >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ word;
    }
    let rest = blocks.remainder();
    for (place, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^= hash >> 15;
    i32::try_from(hash & 0x7fff_ffff).expect("31 bits") % partitions
}

#[test]
fn records_have_the_promised_form_and_javas_partition() {
    let (database, capture) = captured("form");
    let before = Utc::now();
    database.script(
        "create table public.t (id int, v text); create table public.\"a, \"\"b\"\"\" (id int primary key);
         create table public.aa (); create table public.aaa (); create schema \"Ümläut ✓\"; create table \"Ümläut ✓\".\"\n\" ();
         begin; insert into public.t values (1, E'\"quoted\"\\\\\\n\\x01é'), (2, null); truncate public.\"a, \"\"b\"\"\", public.t; commit;
         insert into public.aa default values; insert into public.aaa default values; insert into \"Ümläut ✓\".\"\n\" default values;",
    );
    capture.once(&[]);

    let mut seen = Vec::new();
    capture.topic.each_record(&[], |record| {
        let text =
            |bytes: Option<&[u8]>| String::from_utf8(bytes.expect("keys and values are set").to_vec()).expect("UTF-8");
        let (key, value) = (text(record.key()), text(record.payload()));
        assert_eq!(record.partition(), javas_partition(key.as_bytes(), PARTITIONS), "the partition of {key}");
        let parsed: serde_json::Value = serde_json::from_str(&value).expect("JSON");
        let field = |name: &str| parsed[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}")).to_owned();
        let time = field("commit_time");
        let instant: DateTime<Utc> = time.parse().expect("a time");
        assert!((before..=Utc::now()).contains(&instant), "{time}");
        assert!(lsn(&field("lsn")) < lsn(&field("commit_lsn")), "{value}");
        let data = serde_json::to_string(&parsed["data"]).expect("JSON");
        let head = format!(
            r#"{{"lsn":"{}","xid":{},"commit_lsn":"{}","commit_time":"{time}","seq":{},"data":""#,
            field("lsn"),
            parsed["xid"],
            field("commit_lsn"),
            parsed["seq"],
        );
        assert!(value.starts_with(&head), "{value}");
        assert!(time.len() == 27 && time.ends_with('Z'), "{time} is not in microseconds and UTC");
        seen.push((lsn(&field("commit_lsn")), parsed["seq"].as_i64(), key, data));
    });
    seen.sort();
    let found: Vec<(i64, &str, &str)> =
        seen.iter().map(|(_, seq, key, data)| (seq.expect("a number"), key.as_str(), data.as_str())).collect();
    assert_eq!(
        found,
        [
            (0, "public.t", r#""table public.t: INSERT: id[integer]:1 v[text]:'\"quoted\"\\\n\u0001é'""#),
            (1, "public.t", r#""table public.t: INSERT: id[integer]:2 v[text]:null""#),
            (2, r#"public."a, ""b""""#, r#""table public.\"a, \"\"b\"\"\": TRUNCATE: (no-flags)""#),
            (3, "public.t", r#""table public.t: TRUNCATE: (no-flags)""#),
            (0, "public.aa", r#""table public.aa: INSERT:""#),
            (0, "public.aaa", r#""table public.aaa: INSERT:""#),
            (0, "\"Ümläut ✓\".\"\n\"", "\"table \\\"Ümläut ✓\\\".\\\"\\n\\\": INSERT:\""),
        ]
    );

    let book = Book::new("form");
    book.run_to_end(&[&capture.topic], &[]);
    assert_eq!(book.counts().total(), 7);
    assert!(book.parquet("rejects").is_empty(), "rejects");
    book.verify();
}

#[test]
fn a_capture_ends_after_the_transaction_at_the_requested_lsn() {
    let (database, capture) = captured("until");
    database.script("create table public.t (id int)");
    database.script("insert into public.t select generate_series(1, 10)");
    database.script("insert into public.t select generate_series(1, 20)");
    let until = database.script("select pg_current_wal_lsn()");
    database.script("insert into public.t select generate_series(1, 40)");
    let ended = capture.start(&["--until-lsn", until.trim()]).wait(std::time::Duration::from_secs(60));
    ended.expect_code(0);
    assert_eq!(capture.topic.stored_records(), 30);
    capture.once(&[]);
    assert_eq!(capture.topic.stored_records(), 70);
    // Without new changes it ends at once.
    let idle = capture.once(&[]);
    println!("with nothing to do it took {:?}", idle.took);
    assert_eq!(capture.topic.stored_records(), 70);
}
