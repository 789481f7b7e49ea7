//! The delay of a change in the stream while the run is half loaded with other changes.
//!
//! `WALBOOK_TEST_RELEASE` names a binary whose speed counts; without it the figures are only printed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::book::Book;
use crate::client::{Watching, watch};
use crate::environment;
use crate::producer::TopicProducer;
use crate::topic::{Record, Topic};

const PARTITIONS: u32 = 4;
/// The delay that 99 % of the changes must not exceed.
const LATEST: Duration = Duration::from_millis(400);
/// The same for a debug build on a busy machine.
const LATEST_OF_DEBUG: Duration = Duration::from_secs(5);
/// The time between two observed changes; not a multiple of any interval of the run.
const PAUSE: Duration = Duration::from_millis(13);
/// Producers: a single one does not reach half the speed of a run.
const PRODUCERS: usize = 2;
/// How many times a second background records are sent, several at a time.
const TURNS: u32 = 200;

#[test]
fn a_change_is_soon_in_the_stream_while_the_run_is_half_loaded() {
    let half = full_speed() / 2;
    let topic = Topic::create("fresh", PARTITIONS as i32);
    let book = Book::for_speed("fresh");
    let (run, address) = book.serve_run(&[&topic], &["-w", "2"]);
    let mut watching = watch(address, "/api/live?table=public.fresh", &[]);
    let snapshot = watching.next();
    assert!(snapshot.kind == "snapshot" && !snapshot.id.is_empty(), "{snapshot:?}");

    let changes = if environment::is_long() { 4_000 } else { 400 };
    // The background load starts before the first observed change.
    let begin = Instant::now() + Duration::from_secs(2);
    let ended = AtomicBool::new(false);
    let (mut delays, background) = thread::scope(|scope| {
        let background =
            [(); PRODUCERS].map(|()| scope.spawn(|| produce_evenly(&topic, half / PRODUCERS as u32, &ended)));
        scope.spawn(|| produce_changes(&topic, begin, changes));
        let delays = see(&mut watching, begin, changes);
        ended.store(true, Ordering::Relaxed);
        (delays, background.map(|part| part.join().expect("the background is produced")).iter().sum::<f64>())
    });
    drop(run);
    delays.sort_unstable();
    let (p50, p99) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
    println!(
        "produced to seen through the stream: p50 {p50:?}, p99 {p99:?}, of {changes} changes among {background:.0} records/s; \
         half of full speed is {half}/s"
    );
    let is_release = environment::is_long() && environment::release_binary().is_some();
    assert!(p99 <= if is_release { LATEST } else { LATEST_OF_DEBUG }, "p99 {p99:?}");
}

/// Records a second that a run reads from a backlog.
fn full_speed() -> u32 {
    let records: u32 = if environment::release_binary().is_some() { 4_000_000 } else { 1_000_000 };
    let topic = Topic::create("fresh_full", PARTITIONS as i32);
    topic.producer(&[("compression.type", "zstd")]).produce((0..records).map(other));
    let book = Book::for_speed("fresh_full");
    let ended = book.run_to_end(&[&topic], &["-w", "2"]);
    (f64::from(records) / ended.took.as_secs_f64()) as u32
}

/// Produces `rate` records a second, evenly, until `ended`; returns the actual rate.
fn produce_evenly(topic: &Topic, rate: u32, ended: &AtomicBool) -> f64 {
    let producer = topic.producer(&[("compression.type", "zstd")]);
    let begin = Instant::now();
    let (mut turn, mut sent) = (0, 0);
    while !ended.load(Ordering::Relaxed) {
        thread::sleep((begin + Duration::from_secs(1) / TURNS * turn).saturating_duration_since(Instant::now()));
        turn += 1;
        while u64::from(sent) * u64::from(TURNS) < u64::from(rate) * u64::from(turn) {
            producer.send(&other(sent));
            sent += 1;
        }
    }
    let rate = f64::from(sent) / begin.elapsed().as_secs_f64();
    producer.flush();
    rate
}

/// Produces the observed changes at fixed instants, independent of earlier ones.
fn produce_changes(topic: &Topic, begin: Instant, changes: u32) {
    let producer: TopicProducer = topic.producer(&[("linger.ms", "0")]);
    for number in 0..changes {
        thread::sleep((begin + PAUSE * number).saturating_duration_since(Instant::now()));
        producer.send(&record(number, &format!("table public.fresh: INSERT: id[integer]:{number}")));
    }
    producer.flush();
}

/// The delay of each change: change n has arrived when the count is above n.
fn see(watching: &mut Watching, begin: Instant, changes: u32) -> Vec<Duration> {
    let mut delays = Vec::new();
    while delays.len() < changes as usize {
        let event = watching.next();
        let now = Instant::now();
        let rows = event.data["rows"].as_array().expect("rows");
        let count = rows.iter().filter_map(|row| row["count"].as_u64()).max().unwrap_or(0);
        for number in delays.len() as u32..u32::try_from(count).expect("few changes") {
            delays.push(now.saturating_duration_since(begin + PAUSE * number));
        }
    }
    delays
}

/// A change of another table.
fn other(number: u32) -> Record {
    let line = format!("table public.t{:04}: UPDATE: id[bigint]:{number} state[text]:'paid'", number % 1_000);
    record(number, &line)
}

fn record(number: u32, line: &str) -> Record {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let time = i64::try_from(now.as_millis()).expect("before the year 292278994");
    let partition = i32::try_from(number % PARTITIONS).expect("a partition");
    Record { partition, time, value: Some(line.as_bytes().to_vec()), ..Record::default() }
}
