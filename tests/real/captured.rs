//! What a capture has written to a topic, and whether that is each committed change once, in order.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rdkafka::message::Message;
use serde_json::Value;

use crate::lines::Line;
use crate::topic::Topic;
use crate::truth::Counts;

/// One record of a capture, without its place in the topic. Records sort as their transactions committed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub(crate) commit_lsn: u64,
    /// Its place in its transaction.
    pub(crate) seq: u64,
    pub(crate) lsn: u64,
    pub(crate) xid: i64,
    pub(crate) commit_time: DateTime<Utc>,
    pub(crate) data: String,
}

/// All of a topic that is committed.
pub(crate) struct Captured {
    pub(crate) changes: Vec<Change>,
}

impl Captured {
    /// Reads a topic to its end.
    ///
    /// Fails unless every record has exactly the promised fields and the name of its table as its key, a table has one
    /// partition, a partition is in commit order, and each transaction's records are numbered from 0 without a gap.
    #[track_caller]
    pub(crate) fn read(topic: &Topic) -> Captured {
        let mut changes = Vec::new();
        let mut partition_of: HashMap<String, i32> = HashMap::new();
        let mut last: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
        topic.each_record(&[("check.crcs", "true")], |record| {
            let place = format!("{} {} {}", topic.name, record.partition(), record.offset());
            let value = record.payload().unwrap_or_else(|| panic!("{place} has no value"));
            let change = Change::parse(value).unwrap_or_else(|| panic!("{place}: {}", String::from_utf8_lossy(value)));
            let key = String::from_utf8(record.key().expect("a key").to_vec()).expect("names are UTF-8");
            assert_eq!(tables(&change.data), [key.as_str()], "{place}: the key is not the table of {}", change.data);
            let home = *partition_of.entry(key.clone()).or_insert(record.partition());
            assert_eq!(home, record.partition(), "{place}: {key} is in two partitions");
            let now = (change.commit_lsn, change.seq);
            if let Some(before) = last.insert(record.partition(), now) {
                assert!(before < now, "{place}: {now:?} after {before:?}");
            }
            changes.push(change);
        });
        changes.sort_unstable();
        let mut before: Option<&Change> = None;
        for change in &changes {
            let expected =
                before.filter(|before| before.commit_lsn == change.commit_lsn).map_or(0, |before| before.seq + 1);
            assert_eq!(change.seq, expected, "{change:?} after {before:?}");
            before = Some(change);
        }
        Captured { changes }
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// What they count to, all on the day `day`.
    pub(crate) fn counts(&self, day: &str) -> Counts {
        let mut counts = Counts::default();
        for change in &self.changes {
            let table = tables(&change.data)[0];
            let (schema, name) = split(table);
            let op = change.data[6 + table.len() + 2..].split(':').next().expect("a split has a first part");
            counts.add(day, &schema, &name, op, 1);
        }
        counts
    }

    /// The records that the lines of a slot should become; the lines are those of whole transactions with their times.
    pub(crate) fn of_lines(lines: &[Line]) -> Captured {
        let mut changes = Vec::new();
        let mut open = Vec::new();
        for line in lines {
            if line.data.starts_with("BEGIN ") {
                open.clear();
            } else if let Some(commit) = line.data.strip_prefix(&format!("COMMIT {} (at ", line.xid)) {
                let time = DateTime::parse_from_str(commit.trim_end_matches(')'), "%Y-%m-%d %H:%M:%S%.f%#z");
                let commit_time = time.unwrap_or_else(|error| panic!("{error}: {commit}")).to_utc();
                let commit_lsn = lsn(&line.lsn).expect("the server prints LSNs");
                for (seq, (lsn, data)) in (0..).zip(open.drain(..)) {
                    changes.push(Change { commit_lsn, seq, lsn, xid: line.xid, commit_time, data });
                }
            } else if line.data.starts_with("table ") {
                let (names, at) = (tables(&line.data), lsn(&line.lsn).expect("the server prints LSNs"));
                let head = "table ".len() + names.join(", ").len();
                open.extend(names.iter().map(|name| (at, format!("table {name}{}", &line.data[head..]))));
            }
        }
        Captured { changes }
    }

    /// Fails unless both are the same to the byte and in the same order.
    #[track_caller]
    pub(crate) fn assert_same_as(&self, truth: &Captured) {
        for (found, truth) in self.changes.iter().zip(&truth.changes) {
            assert_eq!(found, truth, "the capture differs from the server's lines");
        }
        let (found, expected) = (self.changes.len(), truth.changes.len());
        let next = if found > expected { self.changes.get(expected) } else { truth.changes.get(found) };
        assert_eq!(found, expected, "the capture has {found} records, the server {expected}; the next is {next:?}");
    }
}

impl Change {
    /// Reads a record's value; none unless it has exactly the promised fields.
    pub(crate) fn parse(value: &[u8]) -> Option<Change> {
        let value: Value = serde_json::from_slice(value).ok()?;
        let fields: Vec<&str> = value.as_object()?.keys().map(String::as_str).collect();
        if fields != ["commit_lsn", "commit_time", "data", "lsn", "seq", "xid"] {
            return None;
        }
        let time = value["commit_time"].as_str()?.strip_suffix('Z')?.to_owned() + "+00:00";
        Some(Change {
            commit_lsn: lsn(value["commit_lsn"].as_str()?)?,
            seq: value["seq"].as_u64()?,
            lsn: lsn(value["lsn"].as_str()?)?,
            xid: value["xid"].as_i64()?,
            commit_time: DateTime::parse_from_rfc3339(&time).ok()?.to_utc(),
            data: value["data"].as_str()?.to_owned(),
        })
    }
}

/// The settings of a capture's session, for a session that must print the same.
pub(crate) const SETTINGS: &str = "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c bytea_output=hex -c extra_float_digits=3 -c search_path=";

/// The plugin's options, for a slot that must print what a capture reads.
pub(crate) const OPTIONS: &str = ", 'include-xids', '1', 'include-timestamp', '1'";

/// The names in a line, as they are printed.
pub(crate) fn tables(line: &str) -> Vec<&str> {
    let names = line.strip_prefix("table ").unwrap_or_else(|| panic!("no change: {line}"));
    let (mut found, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, byte) in names.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                found.push(&names[start..at]);
                start = at + 2;
            }
            b':' if !is_quoted => {
                found.push(&names[start..at]);
                return found;
            }
            _ => {}
        }
    }
    panic!("no change: {line}")
}

/// Schema and table of a printed name, without their quotes.
fn split(name: &str) -> (String, String) {
    let mut is_quoted = false;
    let dot = name.find(|letter| {
        is_quoted ^= letter == '"';
        letter == '.' && !is_quoted
    });
    let (schema, table) = name.split_at(dot.unwrap_or_else(|| panic!("no schema: {name}")));
    (unquoted(schema), unquoted(&table[1..]))
}

fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    inner.map_or_else(|| name.to_owned(), |inner| inner.replace("\"\"", "\""))
}

/// `0/16B2E58` as a number.
pub(crate) fn lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}
