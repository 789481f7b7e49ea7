//! A topic that was cut holds other records at offsets that were read: a run notices by their leader epochs, whatever
//! the offsets say. On librdkafka's mock cluster, whose partitions change leaders.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::RDKafkaApiKey;
use walbook::book::log::entry::BookSettings;
use walbook::book::{State, verify};
use walbook::change::{Failure, Interval, LeaderEpoch, Partition, PartitionRead, PartitionStart};
use walbook::query::{Filter, counts};
use walbook::run::{KafkaInput, KafkaOrigin, Origin};
use walbook::source::Source;
use walbook::source::kafka::{KafkaSettings, KafkaSource, StartFrom};

const TOPIC: &str = "cut";
/// The epochs of the leaders: the mock counts from 0, and each choice of a leader is one more.
const FIRST: i32 = 1;
const SECOND: i32 = 2;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A topic of one partition whose leaders have written so many records, one leader after the other.
fn cluster(records: &[usize]) -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(2).expect("librdkafka has a mock cluster");
    // From version 10 on answers have UUIDs, and then each cluster's topic is another one.
    cluster.apiversion(RDKafkaApiKey::Metadata, Some(0), Some(9)).expect("a known request");
    cluster.create_topic(TOPIC, 1, 2).expect("a new topic");
    for (index, records) in records.iter().enumerate() {
        let leader = if index % 2 == 0 { 1 } else { 2 };
        cluster.partition_leader(TOPIC, 0, Some(leader)).expect("a broker of the cluster");
        let brokers = cluster.bootstrap_servers();
        produce(&brokers, *records);
    }
    cluster
}

fn produce(brokers: &str, records: usize) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", brokers).create().expect("valid");
    for _ in 0..records {
        let line = r#"{"data":"table public.t: INSERT: id[integer]:1","commit_time":"2026-11-22T20:00:00Z"}"#;
        producer.send(BaseRecord::<str, str>::to(TOPIC).payload(line)).expect("an empty queue");
    }
    producer.flush(TIMEOUT).expect("the broker answers");
}

fn run(book: &Path, cluster: &MockCluster<'static, DefaultProducerContext>) -> Output {
    run_with(book, cluster, &[])
}

fn run_with(book: &Path, cluster: &MockCluster<'static, DefaultProducerContext>, arguments: &[&str]) -> Output {
    let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
    walbook.arg("run").arg(book).args(["--until-end", "--topic", TOPIC, "--brokers", &cluster.bootstrap_servers()]);
    walbook.args(arguments).output().expect("the binary is built")
}

/// How many changes the book counts; it must be whole.
fn counted(book: &Path) -> u64 {
    let report = verify(book, &mut |_| {}).expect("a report");
    assert!(report.ok, "{report:#?}");
    counts(book, &Filter::default(), &[]).expect("counts").rows.iter().map(|row| row.count).sum()
}

fn expect_code(output: &Output, code: i32, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(code) && stderr.contains(words), "{:?}\n{stderr}", output.status);
}

#[test]
fn a_start_on_a_topic_that_was_cut_ends_with_the_range_whether_it_grew_again_or_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let book = folder.path().join("book");
    expect_code(&run(&book, &cluster(&[5])), 0, "");
    for regrown in [1, 2, 7] {
        expect_code(&run(&book, &cluster(&[3, regrown])), 3, "offsets 3 to 5 (exclusive)");
        assert_eq!(counted(&book), 5, "the book stays as it was");
    }
    // Nothing that was read is left, not even its epoch.
    expect_code(&run(&book, &cluster(&[0, 9])), 3, "offsets 0 to 5 (exclusive)");
    // A leader that has all records may be followed by any other.
    expect_code(&run(&book, &cluster(&[5, 2, 1])), 0, "");
    assert_eq!(counted(&book), 8);
    // Where that epoch is unknown the mock names no older one, as a broker does.
    expect_code(&run(&book, &cluster(&[5, 2, 0, 4])), 3, "to 8 (exclusive)");
}

/// docs/reliability.md says so: what is read after such a start is right, and what came before it is not known.
#[test]
fn a_position_before_which_nothing_was_read_is_compared_with_the_end_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let book = folder.path().join("book");
    let latest = |records: &[usize]| run_with(&book, &cluster(records), &["--from", "latest"]);
    expect_code(&latest(&[5]), 0, "");
    expect_code(&latest(&[3, 1]), 3, "offsets 4 to 5 (exclusive)");
    // Cut to 3 and grown to 7: the two that replaced others lie before the position.
    expect_code(&latest(&[3, 4]), 0, "");
    assert_eq!(counted(&book), 2);
    // From the first record on its leader epoch is known.
    expect_code(&latest(&[3, 3, 9]), 3, "offsets 6 to 7 (exclusive)");
}

/// docs/reliability.md says so: neither an id nor an epoch distinguishes the topics.
#[test]
fn a_topic_made_again_without_ids_is_noticed_while_it_is_shorter_or_its_epochs_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let book = folder.path().join("book");
    expect_code(&run(&book, &cluster(&[3, 2])), 0, "");
    expect_code(&run(&book, &cluster(&[4])), 3, "to 5 (exclusive)");
    // It has grown past the position in its first epoch, and a record of the second was read.
    expect_code(&run(&book, &cluster(&[7])), 3, "to 5 (exclusive)");
    assert_eq!(counted(&book), 5);

    let book = folder.path().join("another");
    expect_code(&run(&book, &cluster(&[5])), 0, "");
    expect_code(&run(&book, &cluster(&[4])), 3, "offsets 4 to 5 (exclusive)");
    expect_code(&run(&book, &cluster(&[7])), 0, "");
    assert_eq!(counted(&book), 7);
}

#[test]
fn a_start_that_another_run_delays_is_compared_with_what_the_topic_has_by_then() {
    let cluster = cluster(&[3]);
    let state = |next: i64| {
        let settings = BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() };
        let mut state = State::new("a book".to_owned(), settings);
        let topic = serde_json::json!({"id": "", "partitions": 1, "positions": {"0": {
            "next": next, "highest": null, "leader_epoch": {"epoch": FIRST, "to": next},
        }}});
        state.topics.insert(TOPIC.to_owned(), serde_json::from_value(topic).expect("a topic of a checkpoint"));
        state
    };
    let kafka = KafkaSettings { brokers: cluster.bootstrap_servers(), passed: Vec::new() };
    let input = KafkaInput { kafka, topics: vec![TOPIC.to_owned()], from: StartFrom::Earliest, group: None };
    let origin = KafkaOrigin::new(input, false);
    origin.plan(&state(3)).expect("all is there");
    // Another run reads two more records before this one can take the book over.
    produce(&cluster.bootstrap_servers(), 2);
    let plan = origin.plan(&state(5)).expect("all is there");
    assert_eq!(plan.starts[0].from, 5);
    let gone = origin.plan(&state(6)).err().expect("offset 5 was never written");
    assert!(gone.to_string().contains("offsets 5 to 6 (exclusive)"), "{gone}");
}

#[test]
fn brokers_without_the_request_are_read_as_before() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let book = folder.path().join("book");
    expect_code(&run(&book, &cluster(&[5])), 0, "");
    let old = cluster(&[5, 2]);
    old.apiversion(RDKafkaApiKey::OffsetForLeaderEpoch, None, None).expect("a known request");
    expect_code(&run(&book, &old), 0, "cannot be compared");
    assert_eq!(counted(&book), 7);
}

/// Reads the topic from an offset on until its end: what was read, or the error.
fn read(
    cluster: &MockCluster<'static, DefaultProducerContext>,
    from: i64,
    to: i64,
    leader_epoch: Option<LeaderEpoch>,
) -> Result<Vec<PartitionRead>, Failure> {
    read_counted(cluster, from, to, leader_epoch, &mut 0)
}

/// The same, and how many records were returned, also before an error.
fn read_counted(
    cluster: &MockCluster<'static, DefaultProducerContext>,
    from: i64,
    to: i64,
    leader_epoch: Option<LeaderEpoch>,
    returned: &mut usize,
) -> Result<Vec<PartitionRead>, Failure> {
    let settings = KafkaSettings { brokers: cluster.bootstrap_servers(), passed: Vec::new() };
    let mut source = KafkaSource::new(&settings, 0)?;
    source.set_waker(Arc::new(|| {}));
    let partition = Partition { topic: TOPIC.to_owned(), number: 0 };
    source.assign(&[PartitionStart { leader_epoch, ..PartitionStart::new(partition, from, Some(to)) }])?;
    let began = Instant::now();
    while !source.cursors().at_end() {
        *returned += source.poll_batch(100)?.map_or(0, |polled| polled.count);
        assert!(began.elapsed() < TIMEOUT, "the end is not reached: {:?}", source.cursors());
        thread::sleep(Duration::from_millis(5));
    }
    // The last batch may have been returned before its error.
    source.take_failure().map_or(Ok(()), Err)?;
    Ok(source.cursors().moved().collect())
}

fn expect_diverged(read: Result<Vec<PartitionRead>, Failure>, words: &str) {
    let failure = read.expect_err("other records");
    assert!(failure.kind().exit_code() == 3 && failure.to_string().contains(words), "{failure}");
}

#[test]
fn a_consumer_reports_the_leader_epoch_of_the_last_record() {
    let cluster = cluster(&[3, 2]);
    let last = |epoch, to| Some(LeaderEpoch { epoch, to });
    for (from, to, known, found) in [
        (0, 3, None, last(FIRST, 3)),
        (0, 5, None, last(SECOND, 5)),
        (3, 5, last(FIRST, 3), last(SECOND, 5)),
        (2, 4, last(FIRST, 2), last(SECOND, 4)),
    ] {
        let read = read(&cluster, from, to, known).expect("all is there");
        assert_eq!((read[0].interval, read[0].leader_epoch), (Interval { from, to }, found));
    }
}

#[test]
fn a_consumer_notices_records_that_replace_what_was_read() {
    let cluster = cluster(&[3, 6]);
    let last = |epoch, to| Some(LeaderEpoch { epoch, to });
    // The leader of the first epoch wrote 3 records, and 5 were read of it.
    expect_diverged(read(&cluster, 5, 9, last(FIRST, 5)), "offsets 3 to 5 (exclusive)");
    // No record was between 3 and 5, where there are some now.
    expect_diverged(read(&cluster, 5, 9, last(FIRST, 3)), "offsets 3 to 5 (exclusive)");
    // An epoch never falls along a partition. Without the request only the records show that.
    cluster.apiversion(RDKafkaApiKey::OffsetForLeaderEpoch, None, None).expect("a known request");
    let mut returned = 0;
    let failed = read_counted(&cluster, 5, 9, last(SECOND + 1, 5), &mut returned);
    expect_diverged(failed, "offsets 4 to 5 (exclusive)");
    assert_eq!(returned, 0, "a tick before the next poll could commit them");
    assert!(read(&cluster, 5, 9, last(SECOND, 5)).is_ok());
}
