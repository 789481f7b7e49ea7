//! Records are those of their plan, and counted as such.

use crate::load::{RecordPlan, Shape, Tables};

#[test]
fn values_have_the_planned_size_in_each_shape() {
    let mut value = Vec::new();
    for (shape, name) in Shape::ALL {
        for tables in [Tables::Pgbench, Tables::Numbered(10_000)] {
            let plan = RecordPlan { shape, tables, bytes: 2_000, ..RecordPlan::pgbench(1, 100) };
            for number in 0..plan.records {
                plan.make(number, &mut value);
                assert_eq!(value.len(), 2_000, "{name}: {}", String::from_utf8_lossy(&value));
            }
        }
    }
    let small =
        RecordPlan { shape: Shape::Bare, tables: Tables::Numbered(100), bytes: 100, ..RecordPlan::pgbench(1, 0) };
    small.make(7, &mut value);
    assert_eq!(value.len(), 100);
    RecordPlan::pgbench(1, 0).make(3, &mut value);
    assert_eq!(value.len(), 361);
}

#[test]
fn a_number_gives_the_same_record_in_any_order() {
    let plan = RecordPlan { days: 365, tables: Tables::Numbered(100), rejects: 100, ..RecordPlan::pgbench(7, 0) };
    let make = |number| {
        let mut value = Vec::new();
        let made = plan.make(number, &mut value);
        (made, value)
    };
    let forth: Vec<_> = (0..50).map(make).collect();
    let mut back: Vec<_> = (0..50).rev().map(make).collect();
    back.reverse();
    assert_eq!(forth, back);
    assert_ne!(forth[0], {
        let mut value = Vec::new();
        (RecordPlan { seed: 8, ..plan }.make(0, &mut value), value)
    });
}

#[test]
fn the_tally_counts_what_is_not_a_reject() {
    let plan = RecordPlan { days: 3, tables: Tables::Numbered(5), rejects: 100, ..RecordPlan::pgbench(1, 10_000) };
    let (mut all, mut half, mut value) = (plan.tally(), plan.tally(), Vec::new());
    let mut rejects = 0;
    for number in 0..plan.records {
        let made = plan.make(number, &mut value);
        rejects += u64::from(value.ends_with(b"INS"));
        if number % 2 == 0 { all.add(&made) } else { half.add(&made) }
    }
    all.merge(&half);
    let counts = plan.named(&all);
    assert_eq!(counts.total() + rejects, 10_000);
    assert!((900..1_100).contains(&rejects), "{rejects}");
    assert_eq!(counts.len(), 3 * 5 * 3);
}

#[test]
fn the_disk_has_room_for_more_than_the_values() {
    let mut value = Vec::new();
    for tables in [Tables::Pgbench, Tables::Numbered(4)] {
        // A line that is longer than planned is not cut, so the plan must be one that holds the longest.
        let plan = RecordPlan { tables, ..RecordPlan::pgbench(1, 1_000) };
        let written: u64 = (0..plan.records)
            .map(|number| {
                plan.make(number, &mut value);
                value.len() as u64
            })
            .sum();
        assert!(plan.disk_bytes() > written * 5 / 4, "{tables:?}");
    }
}
