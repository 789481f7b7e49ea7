//! The demo's shop knows what it published: a naive reader of the text counts the same.

use std::process::Command;

use chrono_tz::Tz;
use walbook::change::Operation;
use walbook::demo::{ExpectedCounts, ExpectedViews, Shop, ShopRecord};

use crate::support::{WorkloadRecord, count_naively, read_naively};

/// 2026-11-22 15:46:40 UTC.
const NOW: i64 = 1_795_362_400_000_000;

fn plain(record: &ShopRecord) -> WorkloadRecord {
    WorkloadRecord {
        headers: Vec::new(),
        partition: 0,
        offset: 0,
        time: Some(record.time_millis * 1000),
        key: None,
        value: record.value.clone(),
    }
}

fn recount(records: &[ShopRecord]) -> ExpectedCounts {
    count_naively(&records.iter().map(plain).collect::<Vec<_>>(), Tz::UTC)
}

/// The views of the demo, from the text of the lines.
fn recount_views(records: &[ShopRecord]) -> ExpectedViews {
    let mut views = ExpectedViews::default();
    for event in records.iter().filter_map(|record| read_naively(&plain(record), Tz::UTC)).flatten() {
        if (event.key.table.schema.as_str(), event.key.table.table.as_str()) != ("public", "orders") {
            continue;
        }
        // None of these columns comes behind the free text of the note.
        let after = |start: &str| event.data.split_once(start).map(|(_, rest)| rest);
        let word =
            |start: &str| after(start).and_then(|rest| rest.split([' ', '\'']).next()).expect("the column is there");
        match event.key.op {
            Operation::Insert => {
                let customer = word("customer_id[integer]:").parse().expect("a number");
                views.customers.entry(event.key.day).or_default().insert(customer);
            }
            Operation::Update if word("state[text]:'") == "paid" => {
                let region = word("region[text]:'").to_owned();
                let (sum, payments) = views.revenue.entry((event.key.day, region)).or_default();
                let (euros, cents) = word("total[numeric]:").split_once('.').expect("two decimals");
                *sum += euros.parse::<u64>().expect("a number") * 100 + cents.parse::<u64>().expect("a number");
                *payments += 1;
            }
            _ => {}
        }
    }
    views
}

#[test]
fn the_expected_counts_and_views_are_what_a_naive_reader_of_the_text_counts() {
    for seed in 1..=3 {
        let mut shop = Shop::new(seed, NOW);
        let mut records: Vec<ShopRecord> = shop.history(5_000).collect();
        assert_eq!(recount(&records), shop.expected_counts(), "seed {seed}");
        assert_eq!(&recount_views(&records), shop.expected_views(), "seed {seed}");
        for second in 1..=500 {
            records.extend(shop.live(NOW + second * 1_000_000));
        }
        assert_eq!(recount(&records), shop.expected_counts(), "seed {seed}");
        assert_eq!(&recount_views(&records), shop.expected_views(), "seed {seed}");
        assert!(shop.expected_views().rows() > 50, "{:?}", shop.expected_views());
    }
}

#[test]
fn the_demo_has_exactly_the_counts_and_views_that_its_shop_made() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let book = folder.path().join("book");
    let demo = Command::new(env!("CARGO_BIN_EXE_walbook")).args(["demo", "--once", "--dir"]).arg(&book).output();
    let demo = demo.expect("the binary is built");
    let (said, log) = (String::from_utf8_lossy(&demo.stdout), String::from_utf8_lossy(&demo.stderr));
    assert!(demo.status.success(), "{said}{log}");
    assert!(said.contains("It keeps two views, revenue_by_region and customers_per_day"), "{said}");
    assert!(said.contains("rows of its views, are exactly those that the shop made."), "{said}");
    assert!(said.contains("groups of 2 views, each as the events have it"), "{said}");
}
