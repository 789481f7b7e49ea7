//! The shop: two weeks of business as change records, and the counts that these must give.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fastrand::Rng;

use crate::change::{CountKey, Day, Operation, TableName};
use std::sync::Arc;

use super::actions::Actions;
use super::business_hours;
use super::envelope;
use super::envelope::{EnvelopeShape, PublishedTransaction};
use super::tables::{ShopChange, ShopTable};
use super::{ExpectedCounts, ExpectedViews};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const HISTORY: i64 = 14 * DAY;

/// A record as the shop's capture would publish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopRecord {
    /// The table's name as PostgreSQL prints it; a record without a table has no key.
    pub key: Option<String>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The record's timestamp in milliseconds since 1970.
    pub time_millis: i64,
}

/// A small shop with a dozen tables; it publishes most records in walbook's own shape, some in others, a few unreadable ones.
#[derive(Clone, Debug)]
pub struct Shop {
    random: Rng,
    actions: Actions,
    now: i64,
    xid: u64,
    lsn: u64,
    last_import: i64,
    records: u64,
    markers: u64,
    rejects: u64,
    counts: BTreeMap<(Day, ShopTable, Operation), u64>,
    views: ExpectedViews,
}

impl Shop {
    /// A shop whose history ends at `now_micros` since 1970; equal arguments give equal records.
    pub fn new(seed: u64, now_micros: i64) -> Shop {
        let mut random = Rng::with_seed(seed);
        Shop {
            actions: Actions::new(Rng::with_seed(random.u64(..))),
            random,
            now: now_micros,
            xid: 735,
            lsn: 0x16B_2E58,
            last_import: (now_micros - HISTORY).div_euclid(DAY),
            records: 0,
            markers: 0,
            rejects: 0,
            counts: BTreeMap::new(),
            views: ExpectedViews::default(),
        }
    }

    /// The two weeks before *now*, oldest first, in `transactions` transactions of about five records each.
    ///
    /// [`Shop::expected_counts`] has only the transactions that were drawn: draw the iterator to its end.
    pub fn history(&mut self, transactions: u64) -> impl Iterator<Item = ShopRecord> + '_ {
        let random = Rng::with_seed(self.random.u64(..));
        // A second's distance keeps the records' own timestamps out of the future.
        let instants = business_hours::instants(self.now - HISTORY, self.now - 1_000_000, transactions, random);
        instants.flat_map(|instant| self.transaction(instant))
    }

    /// One more transaction, committed at `now_micros`; at least one record.
    pub fn live(&mut self, now_micros: i64) -> Vec<ShopRecord> {
        loop {
            let records = self.transaction(now_micros);
            if !records.is_empty() {
                return records;
            }
        }
    }

    /// The counts of all records that were returned so far, with days in UTC.
    pub fn expected_counts(&self) -> ExpectedCounts {
        let counts = self.counts.iter().map(|((day, table, op), count)| {
            let (schema, table) = table.name();
            (CountKey { day: *day, table: Arc::new(TableName::new(schema, table)), op: *op }, *count)
        });
        ExpectedCounts { records: self.records, counts: counts.collect(), markers: self.markers, rejects: self.rejects }
    }

    /// The rows of the demo's views over all records that were returned so far, with days in UTC.
    pub fn expected_views(&self) -> &ExpectedViews {
        &self.views
    }

    fn transaction(&mut self, instant: i64) -> Vec<ShopRecord> {
        let time =
            DateTime::<Utc>::from_timestamp_micros(instant).expect("the shop's instants are within chrono's years");
        let printed = time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string();
        // The import runs with the first transaction after 02:00.
        let night = (instant - 2 * HOUR).div_euclid(DAY);
        let changes = match night > self.last_import {
            true => self.actions.import(&printed),
            false => self.actions.next(&printed),
        };
        self.last_import = self.last_import.max(night);
        self.xid += 1;

        let published = instant / 1000 + 1 + self.random.u64(..100) as i64;
        let mut records = match self.random.u64(..1000) {
            0..3 => self.publish_foreign(EnvelopeShape::Connect, &changes, published),
            3..5 => self.publish_foreign(EnvelopeShape::Raw, &changes, published),
            5..7 => self.publish_foreign(EnvelopeShape::Struct, &changes, published),
            _ => self.publish_captured(&changes, instant, time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), published),
        };
        if self.random.u32(..1000) < 3 {
            records.push(self.odd_record(published));
        }
        self.records += records.len() as u64;
        records
    }

    /// walbook's capture: no BEGIN, no COMMIT, each record with its commit's time.
    fn publish_captured(
        &mut self,
        changes: &[ShopChange],
        instant: i64,
        commit_time: String,
        published: i64,
    ) -> Vec<ShopRecord> {
        let lsns: Vec<u64> = changes.iter().map(|change| self.advance(&change.line)).collect();
        let transaction = PublishedTransaction { xid: self.xid, commit_lsn: self.advance(""), commit_time };
        let write = |(seq, (change, lsn)): (usize, (&ShopChange, u64))| {
            self.count_change(instant, change);
            record(Some(change.table), envelope::captured(&transaction, lsn, seq, &change.line), published)
        };
        changes.iter().zip(lsns).enumerate().map(write).collect()
    }

    /// As another program would read the slot: with BEGIN and COMMIT, without the commit time.
    fn publish_foreign(&mut self, shape: EnvelopeShape, changes: &[ShopChange], published: i64) -> Vec<ShopRecord> {
        let mut records = Vec::with_capacity(changes.len() + 2);
        for marker in [format!("BEGIN {}", self.xid), format!("COMMIT {}", self.xid)] {
            self.markers += 1;
            records.push(record(None, envelope::foreign(shape, &marker), published));
        }
        let commit = records.pop();
        for change in changes {
            self.count_change(published * 1000, change);
            records.push(record(None, envelope::foreign(shape, &change.line), published));
        }
        records.extend(commit);
        records
    }

    /// A record that is not a change of a row of one table.
    fn odd_record(&mut self, published: i64) -> ShopRecord {
        match self.random.u64(..6) {
            0 => {
                let tables = [ShopTable::Import, ShopTable::ImportErrors];
                tables.iter().for_each(|table| self.count(published * 1000, *table, Operation::Truncate));
                let line =
                    format!("table {}: TRUNCATE: restart_seqs cascade", tables.map(ShopTable::printed).join(", "));
                record(None, envelope::foreign(EnvelopeShape::Connect, &line), published)
            }
            1 => {
                self.markers += 1;
                ShopRecord { key: Some(ShopTable::Stock.printed().to_owned()), value: None, time_millis: published }
            }
            2 => {
                self.markers += 1;
                let line = "message: transactional: 0 prefix: shop, sz: 9 content:COMMIT 7\n";
                record(None, envelope::foreign(EnvelopeShape::Raw, line), published)
            }
            _ => {
                self.rejects += 1;
                record(None, envelope::unreadable(&mut self.random), published)
            }
        }
    }

    fn count_change(&mut self, instant: i64, change: &ShopChange) {
        self.count(instant, change.table, change.op);
        if let Some(sale) = change.sale {
            self.views.add(day_of(instant), sale);
        }
    }

    fn count(&mut self, instant: i64, table: ShopTable, op: Operation) {
        *self.counts.entry((day_of(instant), table, op)).or_default() += 1;
    }

    /// The log position where `line` begins; the log grows by about its length.
    fn advance(&mut self, line: &str) -> u64 {
        let lsn = self.lsn;
        self.lsn += (line.len() as u64 + 64).next_multiple_of(8);
        lsn
    }
}

fn day_of(instant: i64) -> Day {
    Day::from_days(instant.div_euclid(DAY)).expect("the shop's instants lie in years of four digits")
}

fn record(table: Option<ShopTable>, value: Vec<u8>, time_millis: i64) -> ShopRecord {
    ShopRecord { key: table.map(|table| table.printed().to_owned()), value: Some(value), time_millis }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 2026-11-22 15:46:40 UTC.
    const NOW: i64 = 1_795_362_400_000_000;

    #[test]
    fn a_seed_and_an_instant_repeat_every_byte() {
        let draw = |seed, now| Shop::new(seed, now).history(500).collect::<Vec<_>>();
        assert_eq!(draw(1, NOW), draw(1, NOW));
        assert_ne!(draw(1, NOW), draw(2, NOW));
        assert_ne!(draw(1, NOW), draw(1, NOW + 1_000_000));
    }

    #[test]
    fn two_weeks_hold_every_table_every_operation_and_some_odd_records() {
        let mut shop = Shop::new(1, NOW);
        let records: Vec<ShopRecord> = shop.history(20_000).collect();
        let expected = shop.expected_counts();
        assert_eq!(expected.records, records.len() as u64);
        assert!((70_000..130_000).contains(&expected.records), "{}", expected.records);
        assert!((10..100).contains(&expected.rejects) && expected.markers > 100, "{expected:?}");
        let tables = expected.counts.keys().map(|key| &key.table).collect::<BTreeSet<_>>();
        let ops = expected.counts.keys().map(|key| key.op).collect::<BTreeSet<_>>();
        let days = expected.counts.keys().map(|key| key.day).collect::<BTreeSet<_>>();
        assert_eq!((tables.len(), ops.len(), days.len()), (14, 4, 15));
        assert!(records.iter().all(|record| record.time_millis < NOW / 1000));
    }
}
