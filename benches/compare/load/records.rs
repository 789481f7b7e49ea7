//! Records made from a seed: each by its number alone, so that several threads may make them in any order.

use std::io::Write;

use chrono::DateTime;
use fastrand::Rng;

use super::counts::Counts;

/// 2026-11-22 00:00 UTC in milliseconds since 1970: the day of records that all have one day.
const ONE_DAY: i64 = 1_795_305_600_000;
/// 2025-01-01, the first of several days.
const FIRST_DAY: i64 = 1_735_689_600_000;
const DAY_MILLIS: i64 = 86_400_000;

/// The operations that records have.
const OPERATIONS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

/// How a line of test_decoding is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Kafka Connect's JsonConverter with `schemas.enable=true`.
    Connect,
    /// The same with `lsn` and `xid`, as a query that casts them gives.
    ConnectWithPosition,
    /// Kafka Connect's JsonConverter without schemas: `{"data":…}`.
    Bare,
    /// walbook's own capture: LSNs, commit time and sequence beside the line.
    Walbook,
    /// Kafka Connect's StringConverter: `Struct{data=…}`.
    Struct,
    /// The line alone.
    Raw,
}

impl Shape {
    /// All shapes, with a name for each.
    pub(crate) const ALL: [(Shape, &str); 6] = [
        (Shape::Connect, "Connect JSON with schema"),
        (Shape::ConnectWithPosition, "Connect JSON with schema, lsn and xid"),
        (Shape::Bare, "Connect JSON without schema"),
        (Shape::Walbook, "walbook capture"),
        (Shape::Struct, "Connect StringConverter"),
        (Shape::Raw, "the line alone"),
    ];
}

/// Which tables change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    /// The four of pgbench, in turn: three updates and an insert.
    Pgbench,
    /// So many, each as often: half inserts, a third updates, the rest deletes. Values do not compress well.
    Numbered(u32),
}

/// How a producer compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Lz4,
    Zstd,
}

impl Compression {
    /// librdkafka's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

/// What records a topic has; equal plans make equal records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordPlan {
    pub(crate) seed: u64,
    pub(crate) records: u64,
    /// Bytes of each value, except of those that cannot be read; a line that is longer by itself is not cut.
    pub(crate) bytes: usize,
    pub(crate) tables: Tables,
    /// Over how many days the changes are spread, in random order.
    pub(crate) days: u32,
    pub(crate) partitions: i32,
    /// Of 1000 records, how many cannot be read.
    pub(crate) rejects: u32,
    pub(crate) shape: Shape,
    pub(crate) compression: Compression,
}

/// A record besides its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) partition: i32,
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    /// Day, table and operation as the numbers that a [`Tally`] has; `None` when the value cannot be read.
    change: Option<(u32, u32, usize)>,
}

impl RecordPlan {
    /// pgbench's changes as Kafka Connect writes them: 361 bytes, one day, 4 partitions, not compressed.
    pub(crate) fn pgbench(seed: u64, records: u64) -> RecordPlan {
        RecordPlan {
            seed,
            records,
            bytes: 361,
            tables: Tables::Pgbench,
            days: 1,
            partitions: 4,
            rejects: 0,
            shape: Shape::Connect,
            compression: Compression::None,
        }
    }

    /// Writes the value of record `number` over `value`.
    pub(crate) fn make(&self, number: u64, value: &mut Vec<u8>) -> Made {
        // Neighbouring seeds give unrelated numbers only after mixing.
        let mut random = Rng::with_seed((self.seed ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        value.clear();
        let partition = (number % u64::from(self.partitions.unsigned_abs())) as i32;
        let day = if self.days > 1 { random.u32(..self.days) } else { 0 };
        let time = self.midnight(day) + i64::from(if self.days > 1 { random.u32(..86_400_000) } else { 0 })
            // A day of 26.4 M records every 2 µs.
            + if self.days > 1 { 0 } else { (number / 500) as i64 % DAY_MILLIS };
        if random.u32(..1000) < self.rejects {
            // A writer that cut its record short.
            write(value, format_args!(r#"{{"data":"table public.t{number}: INS"#));
            return Made { partition, time, change: None };
        }
        self.open_shape(number, time, value);
        let (table, operation) = self.line(number, &mut random, value);
        let missing = self.bytes.saturating_sub(value.len() + 1 + self.closing().len());
        match self.tables {
            Tables::Pgbench => value.resize(value.len() + missing, b' '),
            Tables::Numbered(_) => value.extend((0..missing).map(|_| b'a' + (random.u8(..) & 15))),
        }
        value.push(b'\'');
        value.extend_from_slice(self.closing());
        Made { partition, time, change: Some((day, table, operation)) }
    }

    /// More than its topic and one contestant's output take on the disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        /// What the broker keeps of a record beside its value.
        const OVERHEAD: u64 = 16;
        let value = self.bytes as u64;
        // Outputs are compressed; a value of pgbench is mostly spaces.
        let output = if self.tables == Tables::Pgbench { value / 2 } else { value };
        self.records * (value + OVERHEAD + output)
    }

    /// A tally without counts.
    pub(crate) fn tally(&self) -> Tally {
        let tables = self.table_count() as usize;
        Tally { tables, counts: vec![0; self.days as usize * tables * OPERATIONS.len()] }
    }

    /// What a tally of these records says, with names.
    pub(crate) fn named(&self, tally: &Tally) -> Counts {
        let mut counts = Counts::default();
        for (index, count) in tally.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (rest, operation) = (index / OPERATIONS.len(), index % OPERATIONS.len());
            let (day, table) = ((rest / tally.tables) as u32, (rest % tally.tables) as u32);
            let date = DateTime::from_timestamp_millis(self.midnight(day)).expect("a day of our time");
            let (schema, op) = ("public".to_owned(), OPERATIONS[operation].to_owned());
            counts.add((date.format("%Y-%m-%d").to_string(), schema, self.table_name(table), op), *count);
        }
        counts
    }

    fn midnight(&self, day: u32) -> i64 {
        if self.days > 1 { FIRST_DAY + i64::from(day) * DAY_MILLIS } else { ONE_DAY }
    }

    fn table_count(&self) -> u32 {
        match self.tables {
            Tables::Pgbench => 4,
            Tables::Numbered(tables) => tables,
        }
    }

    fn table_name(&self, table: u32) -> String {
        match self.tables {
            Tables::Pgbench => ["pgbench_accounts", "pgbench_tellers", "pgbench_branches", "pgbench_history"]
                [table as usize]
                .to_owned(),
            Tables::Numbered(_) => format!("t{table:05}"),
        }
    }

    /// Writes a line up to the text that fills it; returns its table and its operation.
    fn line(&self, number: u64, random: &mut Rng, value: &mut Vec<u8>) -> (u32, usize) {
        let (account, delta) = (random.u32(1..=1_000_000), random.i32(-5_000..5_000));
        let (teller, branch) = (account % 100 + 1, account % 10 + 1);
        match self.tables {
            Tables::Pgbench => {
                match number % 4 {
                    0 => write(
                        value,
                        format_args!(
                            "table public.pgbench_accounts: UPDATE: aid[integer]:{account} bid[integer]:{branch} abalance[integer]:{delta} filler[character]:'"
                        ),
                    ),
                    1 => write(
                        value,
                        format_args!(
                            "table public.pgbench_tellers: UPDATE: tid[integer]:{teller} bid[integer]:{branch} tbalance[integer]:{delta} filler[character]:'"
                        ),
                    ),
                    2 => write(
                        value,
                        format_args!(
                            "table public.pgbench_branches: UPDATE: bid[integer]:{branch} bbalance[integer]:{delta} filler[character]:'"
                        ),
                    ),
                    _ => write(
                        value,
                        format_args!(
                            "table public.pgbench_history: INSERT: tid[integer]:{teller} bid[integer]:{branch} aid[integer]:{account} delta[integer]:{delta} mtime[timestamp without time zone]:'2026-11-22 12:34:56.123456' filler[character]:'"
                        ),
                    ),
                }
                // The history is inserted into, the others are updated.
                ((number % 4) as u32, usize::from(number % 4 != 3))
            }
            Tables::Numbered(tables) => {
                let (table, operation) = (random.u32(..tables), [0, 0, 0, 1, 1, 2][random.usize(..6)]);
                let name = OPERATIONS[operation];
                write(value, format_args!("table public.t{table:05}: {name}: id[integer]:{account} v[text]:'"));
                (table, operation)
            }
        }
    }

    /// Writes what stands before the line.
    fn open_shape(&self, number: u64, time: i64, value: &mut Vec<u8>) {
        let lsn = number * 64 + 0x16B_2E58;
        let (high, low) = (lsn >> 32, lsn & 0xFFFF_FFFF);
        match self.shape {
            Shape::Connect => value.extend_from_slice(
                br#"{"schema":{"type":"struct","fields":[{"type":"string","optional":true,"field":"data"}],"optional":false},"payload":{"data":""#,
            ),
            Shape::ConnectWithPosition => write(value, format_args!(
                r#"{{"schema":{{"type":"struct","fields":[{{"type":"string","optional":true,"field":"lsn"}},{{"type":"int64","optional":true,"field":"xid"}},{{"type":"string","optional":true,"field":"data"}}],"optional":false}},"payload":{{"lsn":"{high:X}/{low:X}","xid":{},"data":""#,
                number / 4 + 700
            )),
            Shape::Bare => value.extend_from_slice(br#"{"data":""#),
            Shape::Walbook => {
                let time = DateTime::from_timestamp_millis(time).expect("an instant of our time");
                write(value, format_args!(
                    r#"{{"lsn":"{high:X}/{low:X}","xid":{},"commit_lsn":"{high:X}/{:X}","commit_time":"{}","seq":{},"data":""#,
                    number / 4 + 700,
                    low | 63,
                    time.format("%Y-%m-%dT%H:%M:%S%.6fZ"),
                    number % 4
                ));
            }
            Shape::Struct => value.extend_from_slice(b"Struct{data="),
            Shape::Raw => {}
        }
    }

    /// What stands behind the line.
    fn closing(&self) -> &'static [u8] {
        match self.shape {
            Shape::Connect | Shape::ConnectWithPosition => b"\"}}",
            Shape::Bare | Shape::Walbook => b"\"}",
            Shape::Struct => b"}",
            Shape::Raw => b"",
        }
    }
}

/// Counts by the numbers of day, table and operation; cheap to add to.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    tables: usize,
    counts: Vec<u64>,
}

impl Tally {
    /// Counts a record.
    pub(crate) fn add(&mut self, made: &Made) {
        if let Some((day, table, operation)) = made.change {
            self.counts[(day as usize * self.tables + table as usize) * OPERATIONS.len() + operation] += 1;
        }
    }

    /// Adds the counts of a tally of the same plan.
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }
}

fn write(value: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    value.write_fmt(text).expect("a vector takes everything");
}
