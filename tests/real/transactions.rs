//! Offsets that hold no record: Kafka transactions, their markers, compaction.

use std::thread;
use std::time::{Duration, Instant};

use crate::book::Book;
use crate::succession::{inserted, inserts};
use crate::topic::Topic;
use crate::truth::assert_same;

#[test]
fn aborted_transactions_are_invisible_and_markers_at_the_end_are_no_obstacle() {
    let topic = Topic::create("transactions", 2);
    let producer = topic.producer(&[("transactional.id", &topic.name)]);
    producer.init_transactions();
    let book = Book::new("transactions");
    let mut expected = 0;
    for is_committed in [true, false, true, false] {
        producer.begin();
        producer.produce(inserts(1000, 2));
        if is_committed {
            producer.commit();
            expected += 1000;
        } else {
            producer.abort();
        }
        // The last offset of each partition is a marker that never arrives.
        book.run_to_end(&[&topic], &["-w", "2"]);
        assert_same("at a marker", &book.counts(), &inserted(expected));
        assert_eq!(positions(&book, &topic), topic.ends());
        book.verify();
    }

    // Fresh books see the same at once, and one that ends before an open transaction ends there.
    let end = topic.ends();
    producer.begin();
    producer.produce(inserts(1000, 2));
    for workers in ["1", "3"] {
        let fresh = Book::new("transactions_fresh");
        let ended = fresh.run_to_end(&[&topic], &["-w", workers]);
        ended.expect_said(&["a producer's transaction is open", &format!("offsets {} to ", end[0])]);
        assert_same("before an open transaction", &fresh.counts(), &inserted(expected));
        assert_eq!(positions(&fresh, &topic), end);
        fresh.verify();
    }
    producer.commit();
    book.run_to_end(&[&topic], &[]);
    assert_same("after it committed", &book.counts(), &inserted(expected + 1000));
    book.verify();
}

#[test]
fn a_transaction_that_stays_open_is_said_by_a_run_and_the_doctor() {
    let topic = Topic::create("transaction_open", 1);
    let producer = topic.producer(&[("transactional.id", &topic.name)]);
    producer.init_transactions();
    producer.begin();
    producer.produce(inserts(10, 1));
    let book = Book::new("transaction_open");
    let mut run = book.run(&[&topic], &["--commit-interval", "200ms"]);
    let doctor = book.start("doctor", &["--brokers", &topic.brokers, "--topic", &topic.name]);
    let ended = doctor.wait(Duration::from_secs(60));
    assert!(ended.stdout.contains("a producer's transaction has been open for more than 5 s"), "{}", ended.stdout);
    run.await_said("a producer's transaction is open: offsets 0 to 10 (exclusive) cannot be read before it ends");
    producer.commit();
    run.await_said("the open transaction has ended");
    book.await_total(10, &mut run);
    run.signal("TERM");
    run.wait(Duration::from_secs(30)).expect_code(0);
}

#[test]
fn a_compacted_topic_is_read_around_its_holes() {
    let settings = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("segment.ms", "500"),
        ("max.compaction.lag.ms", "500"),
    ];
    let topic = Topic::create_with("compacted", 1, &settings);
    let keyed = |times: usize| {
        inserts(times, 1).enumerate().map(|(number, mut record)| {
            record.key = Some((number % 10).to_string().into_bytes());
            record.time = now();
            record
        })
    };
    topic.produce(keyed(2000));
    let began = Instant::now();
    let mut stored = 2000;
    while stored >= 1000 {
        assert!(
            began.elapsed() < Duration::from_secs(90),
            "the broker does not compact the topic: {stored} records stay"
        );
        thread::sleep(Duration::from_millis(700));
        // A segment is rolled by the next record, and only a closed one is compacted.
        topic.produce(keyed(1));
        stored = topic.stored_records();
    }
    // The cleaner is still at work: what is stored now is not what is stored next. The book must chain all the same.
    let book = Book::new("compacted");
    book.run_to_end(&[&topic], &["-w", "2"]);
    let counted = book.counts().total();
    assert!(
        counted > 0 && usize::try_from(counted).is_ok_and(|counted| counted <= stored),
        "{counted} changes of {stored} records"
    );
    assert_eq!(positions(&book, &topic), topic.ends());
    book.verify();
}

/// Up to where the book is complete, by partition.
fn positions(book: &Book, topic: &Topic) -> Vec<i64> {
    let answer = book.query(&[]);
    let by_partition = &answer["complete_to"]["positions"][&topic.name];
    (0..topic.ends().len())
        .map(|partition| by_partition[partition.to_string()].as_i64())
        .map(Option::unwrap_or_default)
        .collect()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_millis()).expect("it is before the year 292 million")
}
