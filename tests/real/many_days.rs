//! A thousand days in random order: memory and open files stay bounded, and the counts are right.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::book::Book;
use crate::dice::Dice;
use crate::environment;
use crate::lines::{self, Shape};
use crate::topic::{Record, Topic};
use crate::truth::{Counts, assert_same};

const DAYS: u64 = 1000;
const DAY_MILLIS: i64 = 86_400_000;
/// 2024-01-01.
const FIRST: i64 = 1_704_067_200_000;
const PARTITIONS: i32 = 2;

#[test]
fn a_thousand_days_in_random_order_need_bounded_memory_and_files() {
    let mut dice = Dice::throw("many_days");
    let number = if environment::is_long() { 2_000_000 } else { 200_000 };
    let topic = Topic::create("many_days", PARTITIONS);
    let mut truth = Counts::default();
    let padding = "x".repeat(200);
    topic.produce((0..number).map(|id| {
        let day = i64::try_from(dice.below(DAYS)).expect("few days");
        let instant = FIRST + day * DAY_MILLIS + i64::try_from(dice.below(86_400_000)).expect("a day is short");
        truth.add(&date(instant), "public", "t", "INSERT", 1);
        let line = format!("table public.t: INSERT: id[integer]:{id} padding[text]:'{padding}'");
        Record {
            partition: id % PARTITIONS,
            time: instant,
            value: Some(lines::plain(Shape::Connect, &line)),
            ..Record::default()
        }
    }));

    let book = Book::new("many_days");
    let mut run = book.run(&[&topic], &["-w", "2", "--until-end"]);
    let (mut memory, mut files) = (0, 0);
    while run.is_alive() {
        if let Some(usage) = Usage::of(run.id()) {
            memory = memory.max(usage.peak_kilobytes);
            files = files.max(usage.open_files);
        }
        thread::sleep(Duration::from_millis(20));
    }
    run.wait(Duration::from_secs(1)).expect_code(0);
    println!("{number} records of {DAYS} days: {} MB at most, {files} open files at most", memory / 1024);

    assert_same("a thousand days", &book.counts(), &truth);
    book.verify();
    // The design's limits for two workers, and a number of files that has nothing to do with days.
    assert!(memory < 350 * 1024, "{} MB", memory / 1024);
    assert!(files < 200, "{files} open files");
}

/// What the kernel says of a process.
struct Usage {
    peak_kilobytes: u64,
    open_files: usize,
}

impl Usage {
    /// None when the process has just ended.
    fn of(process: u32) -> Option<Usage> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
        let open_files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
        Some(Usage { peak_kilobytes: peak.parse().ok()?, open_files })
    }
}

/// The UTC day of an instant, by walking the calendar.
fn date(millis: i64) -> String {
    let mut days = millis.div_euclid(DAY_MILLIS);
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
}
