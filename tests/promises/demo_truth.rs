//! The demo's shop knows what it published: a naive reader of the text counts the same.

use chrono_tz::Tz;
use walbook::demo::{ExpectedCounts, Shop, ShopRecord};

use crate::support::{WorkloadRecord, count_naively};

/// 2026-11-22 15:46:40 UTC.
const NOW: i64 = 1_795_362_400_000_000;

fn recount(records: &[ShopRecord]) -> ExpectedCounts {
    let plain = |record: &ShopRecord| WorkloadRecord {
        headers: Vec::new(),
        partition: 0,
        offset: 0,
        time: Some(record.time_millis * 1000),
        key: None,
        value: record.value.clone(),
    };
    count_naively(&records.iter().map(plain).collect::<Vec<_>>(), Tz::UTC)
}

#[test]
fn the_expected_counts_are_what_a_naive_reader_of_the_text_counts() {
    for seed in 1..=3 {
        let mut shop = Shop::new(seed, NOW);
        let mut records: Vec<ShopRecord> = shop.history(5_000).collect();
        assert_eq!(recount(&records), shop.expected_counts(), "seed {seed}");
        for second in 1..=500 {
            records.extend(shop.live(NOW + second * 1_000_000));
        }
        assert_eq!(recount(&records), shop.expected_counts(), "seed {seed}");
    }
}
