//! Each record of an open-loop load is measured once, from the instant at which it was due.

use std::time::{Duration, Instant};

use crate::measure::schedule::{DelayRecorder, PARTITIONS, Schedule};

fn schedule(rate: u64) -> Schedule {
    Schedule { rate, seconds: 3, begin: Instant::now(), warm_up: Duration::ZERO }
}

#[test]
fn records_are_due_at_even_intervals_over_all_partitions() {
    let schedule = schedule(4);
    assert_eq!(schedule.due(0, 0), schedule.begin);
    assert_eq!(schedule.due(1, 0), schedule.begin + Duration::from_millis(250));
    assert_eq!(schedule.due(1, 2), schedule.begin + Duration::from_millis(2_250));
    assert_eq!(schedule.per_partition(), 3);
}

#[test]
fn each_record_is_measured_once_however_counts_arrive() {
    let schedule = schedule(4);
    let mut recorder = DelayRecorder::new(schedule).expect("valid bounds");
    let arrived = schedule.begin + Duration::from_secs(2);
    for count in [0, 2, 2, 1, 3] {
        recorder.add(1, count, arrived).expect("a count within bounds");
    }
    assert!(recorder.add(1, 4, arrived).is_err(), "more than was produced");
    assert!(recorder.add(PARTITIONS, 1, arrived).is_err(), "no such partition");
    assert!(!recorder.is_complete());
    for partition in [0, 2, 3] {
        recorder.add(partition, 3, schedule.begin).expect("a count within bounds");
    }
    assert!(recorder.is_complete());
    // The first of partition 1 was due at 0.25 s; what arrives before it is due has no delay.
    let delays = recorder.delays();
    assert_eq!((delays.len(), delays.min()), (12, 0));
    assert!((1_740_000..1_760_000).contains(&delays.max()), "{}", delays.max());
}

#[test]
fn records_of_the_warm_up_are_produced_and_not_measured() {
    let schedule = Schedule { warm_up: Duration::from_secs(1), ..schedule(4) };
    let mut recorder = DelayRecorder::new(schedule).expect("valid bounds");
    for partition in 0..PARTITIONS {
        recorder.add(partition, 3, schedule.end()).expect("a count within bounds");
    }
    assert!(recorder.is_complete());
    // Four of the twelve were due in the first second.
    assert_eq!(recorder.delays().len(), 8);
}
