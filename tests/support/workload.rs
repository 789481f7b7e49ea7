//! Records by the million with a known spread over shapes, tables, days and partitions.

use std::collections::HashMap;

use chrono::DateTime;

use fastrand::Rng;
use walbook::change::Headers;
use walbook::demo::quoted;

const DAY: i64 = 86_400_000_000;

/// A record as a source would hand it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadRecord {
    /// The partition's number.
    pub partition: i32,
    /// The record's place in its partition; ascends, with gaps where a broker keeps what is no record.
    pub offset: i64,
    /// The record's own timestamp in microseconds since 1970, where it has one.
    pub time: Option<i64>,
    /// The key's bytes.
    pub key: Option<Vec<u8>>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values of the headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Headers for WorkloadRecord {
    fn pairs(&self) -> Vec<(String, Option<Vec<u8>>)> {
        self.headers.clone()
    }
}

/// How a line of test_decoding is wrapped (WIRE: a, b, c and d, and the shape of walbook's own capture).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Kafka Connect's JsonConverter with `schemas.enable=true`.
    Connect,
    /// The same without schemas: `{"data":…}`.
    Bare,
    /// walbook's own: LSNs, commit time and sequence beside the line.
    Walbook,
    /// The line alone.
    Raw,
    /// Kafka Connect's StringConverter.
    Struct,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Shape; 5] = [Shape::Connect, Shape::Bare, Shape::Walbook, Shape::Raw, Shape::Struct];
}

/// What records to make; equal workloads make equal records.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Chooses among all workloads of these numbers.
    pub seed: u64,
    /// How many records.
    pub records: u64,
    /// The shapes; each record takes one of them.
    pub shapes: Vec<Shape>,
    /// How many tables; some need quotes.
    pub tables: usize,
    /// How uneven tables are: the n-th has weight 1/n^skew, so 0 makes them equal.
    pub skew: f64,
    /// The first instant, in microseconds since 1970.
    pub start: i64,
    /// Over how many days from there the records' times spread, in no order.
    pub days: u32,
    /// How many partitions.
    pub partitions: i32,
    /// Of 1000 records, how many are markers.
    pub markers: u32,
    /// Of 1000 records, how many cannot be read.
    pub rejects: u32,
    /// Before how many of 1000 records an offset is left out.
    pub gaps: u32,
    /// Of 1000 records, how many have no timestamp of their own.
    pub timeless: u32,
    /// Of 1000 records, how many have headers.
    pub headers: u32,
}

impl Default for Workload {
    /// A thousand records with a little of everything.
    fn default() -> Workload {
        Workload {
            seed: 1,
            records: 1_000,
            shapes: Shape::ALL.to_vec(),
            tables: 20,
            skew: 1.0,
            // 2026-11-09 00:00 UTC.
            start: 1_794_182_400_000_000,
            days: 14,
            partitions: 4,
            markers: 100,
            rejects: 20,
            gaps: 20,
            timeless: 5,
            headers: 0,
        }
    }
}

impl Workload {
    /// The records in the order in which they would be produced.
    ///
    /// # Panics
    /// If there are no shapes, tables, days or partitions to choose from.
    pub fn records(&self) -> impl Iterator<Item = WorkloadRecord> + '_ {
        let tables: Vec<String> = (0..self.tables).map(table_name).collect();
        let weights = (1..=self.tables).map(|n| (n as f64).powf(-self.skew));
        let bounds: Vec<f64> = weights
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        let total = *bounds.last().expect("a workload needs tables");
        let mut random = Rng::with_seed(self.seed);
        let mut next_offsets: HashMap<i32, i64> = HashMap::new();
        (0..self.records).map(move |number| {
            let partition = random.u64(..self.partitions as u64) as i32;
            let next = next_offsets.entry(partition).or_default();
            let offset = *next + i64::from(random.u32(..1000) < self.gaps);
            *next = offset + 1;
            let commit_time = self.start + random.u64(..u64::from(self.days) * DAY as u64) as i64;
            let produced = commit_time + random.u64(..5_000_000) as i64;
            let time = (random.u32(..1000) >= self.timeless).then_some(produced);
            let position = random.f64() * total;
            let table = &tables[bounds.partition_point(|bound| *bound <= position).min(tables.len() - 1)];
            let shape = self.shapes[random.usize(..self.shapes.len())];
            let kind = random.u64(..1000) as u32;
            let value = if kind < self.rejects {
                Some(unreadable(&mut random))
            } else if kind < self.rejects + self.markers {
                marker(&mut random).map(|line| wrap(shape, line, number, commit_time))
            } else {
                Some(wrap(shape, &change_line(&mut random, table), number, commit_time))
            };
            let key = (shape == Shape::Walbook).then(|| table.clone().into_bytes());
            let has_headers = self.headers > 0 && random.u32(..1000) < self.headers;
            let headers = if has_headers { headers(&mut random) } else { Vec::new() };
            WorkloadRecord { partition, offset, time, key, value, headers }
        })
    }
}

/// What pgbench leaves on a topic through Kafka Connect with schemas: `records` changes of exactly 361 bytes, one day.
pub fn pgbench(seed: u64, records: u64, partitions: i32) -> impl Iterator<Item = WorkloadRecord> {
    let mut random = Rng::with_seed(seed);
    (0..records).map(move |number| {
        let (account, delta) = (random.u64(..1_000_000) + 1, random.u64(..10_000) as i64 - 5_000);
        let line = match number % 4 {
            0 => format!("table public.pgbench_accounts: UPDATE: aid[integer]:{account} bid[integer]:{} abalance[integer]:{delta} filler[character]:", account / 100_000 + 1),
            1 => format!("table public.pgbench_tellers: UPDATE: tid[integer]:{} bid[integer]:1 tbalance[integer]:{delta} filler[character]:", account % 100 + 1),
            2 => format!("table public.pgbench_branches: UPDATE: bid[integer]:{} bbalance[integer]:{delta} filler[character]:", account % 10 + 1),
            _ => format!("table public.pgbench_history: INSERT: tid[integer]:{} bid[integer]:1 aid[integer]:{account} delta[integer]:{delta} mtime[timestamp without time zone]:'2026-11-22 12:34:56.123456' filler[character]:", account % 100 + 1),
        };
        let length = wrap(Shape::Connect, &line, number, 0).len();
        let filler = format!("{line}'{:1$}'", "", 361 - 2 - length);
        WorkloadRecord {
            partition: (number % partitions as u64) as i32,
            offset: (number / partitions as u64) as i64,
            // 2026-11-22 12:00 UTC, a record every 10 µs.
            time: Some(1_795_348_800_000_000 + number as i64 * 10),
            key: None,
            value: Some(wrap(Shape::Connect, &filler, number, 0)),
            headers: Vec::new(),
        }
    })
}

/// The printed name of the n-th table.
fn table_name(n: usize) -> String {
    let schema = if n % 4 == 3 { "Sales Dept" } else { "public" };
    let table = match n % 7 {
        2 => format!("Order {n}"),
        4 => format!("a.b: x, {n}"),
        6 => format!("we\"ird{n}"),
        _ => format!("table_{n}"),
    };
    format!("{}.{}", quoted(schema), quoted(&table))
}

fn change_line(random: &mut Rng, table: &str) -> String {
    let values =
        ["plain", "it''s", "x'' UPDATE: table public.z: DELETE: id[integer]:1", "line\nCOMMIT 7", "C:\\", "{}é明"];
    let id = random.u64(..1_000_000);
    let value = &values[random.usize(..values.len())];
    match random.u64(..20) {
        0..9 => format!("table {table}: INSERT: id[integer]:{id} v[text]:'{value}'"),
        9..15 => format!("table {table}: UPDATE: id[integer]:{id} v[text]:'{value}'"),
        15 => format!("table {table}: UPDATE: old-key: v[text]:'{value}' new-tuple: id[integer]:{id} v[text]:'y'"),
        16..18 => format!("table {table}: DELETE: id[integer]:{id}"),
        18 => format!("table {table}: DELETE: (no-tuple-data)"),
        _ if id.is_multiple_of(2) => format!("table {table}: TRUNCATE: (no-flags)"),
        _ => format!("table {table}, public.\"also, this\", public.other: TRUNCATE: restart_seqs cascade"),
    }
}

/// A line without a change; `None` is a tombstone.
fn marker(random: &mut Rng) -> Option<&'static str> {
    let lines = [
        Some("BEGIN 693"),
        Some("BEGIN"),
        Some("COMMIT 693 (at 2017-05-10 12:07:21.272494-04)"),
        Some("message: transactional: 1 prefix: test, sz: 8 content:COMMIT 7"),
        Some("PREPARE TRANSACTION 'one', txid 529"),
        None,
    ];
    lines[random.usize(..lines.len())]
}

/// A value that is no change and no marker in any shape.
fn unreadable(random: &mut Rng) -> Vec<u8> {
    let fixed: [&[u8]; 9] = [
        b"",
        b"hello",
        br#"{"data":"table public.t: INS"#,
        br#"{"action":"I","schema":"public","table":"t","columns":[]}"#,
        br#"{"id":1,"__op":"c","data":"table public.t: INSERT:"}"#,
        b"\0\0\0\0\x07avro",
        b"table public.t: INSERT: v[text]:'G\xfcnther'",
        b"streaming change for TXN 508",
        b"table public.t, public.u: INSERT: id[integer]:1",
    ];
    match random.u64(..10) {
        9 => (0..random.u64(..64) + 1).map(|_| random.u8(..) | 0x80).collect(),
        n => fixed[n as usize].to_vec(),
    }
}

/// One to three headers; values may be null or empty, and names repeat.
fn headers(random: &mut Rng) -> Vec<(String, Option<Vec<u8>>)> {
    let names = ["trace", "", "é"];
    let values: [Option<&[u8]>; 4] = [None, Some(b""), Some(b"\0\xff"), Some(b"a longer value")];
    let count = random.usize(1..4);
    (0..count).map(|_| (names[random.usize(..3)].to_owned(), values[random.usize(..4)].map(<[u8]>::to_vec))).collect()
}

fn wrap(shape: Shape, line: &str, number: u64, commit_time: i64) -> Vec<u8> {
    let json = || serde_json::to_string(line).expect("a string is always JSON");
    match shape {
        Shape::Connect => format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"type":"string","optional":true,"field":"data"}}],"optional":false}},"payload":{{"data":{}}}}}"#,
            json()
        ),
        Shape::Bare => format!(r#"{{"data":{}}}"#, json()),
        Shape::Walbook => {
            let time = DateTime::from_timestamp_micros(commit_time).expect("a workload's instants are of our time");
            format!(
                r#"{{"lsn":"0/{:X}","xid":{number},"commit_lsn":"0/{:X}","commit_time":"{}","seq":0,"data":{}}}"#,
                number * 16,
                number * 16 + 8,
                time.format("%Y-%m-%dT%H:%M:%S%.6fZ"),
                json()
            )
        }
        Shape::Raw => line.to_owned(),
        Shape::Struct => format!("Struct{{data={line}}}"),
    }
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::support::count_naively;

    #[test]
    fn a_seed_repeats_its_records() {
        let draw = |seed| Workload { seed, ..Workload::default() }.records().collect::<Vec<_>>();
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn a_workload_holds_what_was_asked_for() {
        let workload = Workload { records: 20_000, ..Workload::default() };
        let records: Vec<_> = workload.records().collect();
        let truth = count_naively(&records, Tz::UTC);
        assert_eq!(truth.records, 20_000);
        assert!((1_500..2_500).contains(&truth.markers), "{}", truth.markers);
        // Unreadable ones, and the few that have neither a timestamp nor a commit time.
        assert!((350..700).contains(&truth.rejects), "{}", truth.rejects);
        assert!(truth.counts.keys().map(|key| key.day).collect::<std::collections::BTreeSet<_>>().len() >= 14);
        let of = |table: &str| truth.counts.iter().filter(|(k, _)| k.table.table == table).map(|(_, n)| n).sum::<u64>();
        assert!(of("table_0") > 5 * of("table_8"), "the first table is the busiest");
        for partition in 0..4 {
            let offsets = records.iter().filter(|r| r.partition == partition).map(|r| r.offset).collect::<Vec<_>>();
            assert!(offsets.is_sorted_by(|a, b| a < b) && *offsets.last().expect("records") >= offsets.len() as i64);
        }
    }

    #[test]
    fn a_workload_without_strays_has_none() {
        let workload = Workload { markers: 0, rejects: 0, timeless: 0, skew: 0.0, ..Workload::default() };
        let truth = count_naively(&workload.records().collect::<Vec<_>>(), Tz::UTC);
        assert_eq!((truth.markers, truth.rejects), (0, 0));
        assert!(truth.events() >= 1_000);
    }

    #[test]
    fn pgbench_records_have_361_bytes_and_all_are_changes() {
        let records: Vec<_> = pgbench(1, 1_000, 4).collect();
        assert!(records.iter().all(|record| record.value.as_ref().is_some_and(|value| value.len() == 361)));
        let truth = count_naively(&records, Tz::UTC);
        assert_eq!((truth.events(), truth.counts.len()), (1_000, 4));
        assert_eq!(records[7], WorkloadRecord { partition: 3, offset: 1, ..records[7].clone() });
    }
}
