//! Other tools read the book's globs while it is being written, and see whole commits only.

use std::thread;
use std::time::{Duration, Instant};

use crate::book::Book;
use crate::kills::workload;
use crate::lines::{self, Shape};
use crate::readers::{READERS, Readers, Watch};
use crate::topic::Topic;
use crate::truth::{Counts, assert_same};

const PARTITIONS: i32 = 2;
/// How often the workload is produced at least, and for how long the book grows: each tool must get round to it several times.
const ROUNDS: usize = 12;
const GROWING: Duration = Duration::from_secs(25);
const DAYS: [(i64, &str); 3] =
    [(1_790_000_000_000, "2026-09-21"), (1_790_100_000_000, "2026-09-22"), (1_790_200_000_000, "2026-09-23")];

#[test]
fn readers_of_a_growing_book_see_only_whole_files_and_each_change_once() {
    let (lines, truth_of_one) = workload("reading");
    let topic = Topic::create_with("reading", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let book = Book::new("reading");
    let mut run = book.run(&[&topic], &["-w", "2", "--commit-interval", "100ms"]);
    let watch = Watch::start(book.path());

    let producer = topic.producer(&[]);
    let mut truth = Counts::default();
    let begin = Instant::now();
    for round in 0.. {
        if round >= ROUNDS {
            if begin.elapsed() > GROWING {
                break;
            }
            thread::sleep(Duration::from_secs(1));
        }
        let (time, day) = DAYS[round % DAYS.len()];
        producer.produce(lines::records(&lines, Shape::Connect, PARTITIONS, time));
        truth = truth.and(&truth_of_one.on_day(day));
        book.await_total(truth.total(), &mut run);
    }
    run.signal("INT");
    run.wait(Duration::from_secs(15)).expect_code(0);
    let reads = watch.stop();
    println!("reads while the book grew: {reads}");

    let readers = Readers::read(book.path());
    assert_same("query", &book.counts(), &truth);
    for reader in READERS {
        assert!(reads[reader].as_i64().is_some_and(|times| times >= 3), "{reader} read too seldom: {reads}");
        assert_same(&format!("{reader} on counts"), &readers.counts(reader, "counts"), &truth);
        assert_same(&format!("{reader} on events"), &readers.counts(reader, "events"), &truth);
    }
    book.verify();
}
