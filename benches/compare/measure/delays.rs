//! The delay of every single record of an open-loop load: from the instant at which it was due to be produced, whatever the state
//! of the system, until a client of the live stream sees it counted, and until an entry of the commit log holds it.
//!
//! Each partition has a table of its own, so that a count of n says that the first n records of the partition have been counted.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde_json::Value;
use walbook::book::log::commit_log;
use walbook::store::Disk;

use super::live_stream::LiveStream;
use super::schedule::{DelayRecorder, PARTITIONS, Schedule, histogram, micros};
use crate::Outcome;
use crate::load::Topic;

const PRODUCERS: u64 = 2;
const RECORD_BYTES: usize = 361;
/// Compressed, so that the broker, which shares the machine, needs little of it.
const PRODUCER_SETTINGS: &[(&str, &str)] = &[("linger.ms", "2"), ("compression.type", "zstd")];
/// How late the producers may be at p99: where they are later, it is their delay that is measured.
const LATEST_PRODUCERS: Duration = Duration::from_millis(20);
/// What is left out, and then measured, of a load that is as high as the machine carries.
pub(crate) const CARRIED_WARM_UP: Duration = Duration::from_secs(3);
pub(crate) const CARRIED_TIME: Duration = Duration::from_secs(6);
/// The pause of a producer between two looks at what is due.
const PRODUCER_PAUSE: Duration = Duration::from_micros(500);
/// The pause between two looks at the commit log.
const LOG_PAUSE: Duration = Duration::from_millis(2);
/// How long after the last record everything must have been committed.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Delays in microseconds.
pub(crate) struct Delays {
    pub(crate) live: Histogram<u64>,
    pub(crate) durable: Histogram<u64>,
    /// How late the producers were.
    pub(crate) produced: Histogram<u64>,
}

impl Delays {
    /// Why these are no delays of the run, if they are not.
    pub(crate) fn invalid(&self) -> Option<String> {
        let late = Duration::from_micros(self.produced.value_at_quantile(0.99));
        (late > LATEST_PRODUCERS)
            .then(|| format!("the producers were {late:.0?} late at p99: this machine does not carry the load"))
    }

    /// Produces records into a topic that a run reads into `book` and serves at the other end of `stream`.
    pub(crate) fn measure(schedule: Schedule, topic: &Topic, mut stream: LiveStream, book: &Path) -> Outcome<Delays> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let producers: Vec<_> =
                (0..PRODUCERS).map(|part| scope.spawn(move || text(produce(schedule, topic, part)))).collect();
            let durable = scope.spawn(|| text(observe_log(schedule, topic, book, &stop)));
            let live = observe_stream(schedule, &mut stream);
            if live.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            let mut produced = histogram()?;
            for producer in producers {
                produced.add(joined(producer.join())?)?;
            }
            let (durable, live) = (joined(durable.join()), live?);
            Ok(Delays { live, durable: durable?, produced })
        })
    }
}

/// How many records a second a run counts while producers send as many as they can, all on the same machine.
pub(crate) fn carried_rate(topic: &Topic, stream: &mut LiveStream) -> Outcome<u64> {
    let stop = &AtomicBool::new(false);
    thread::scope(|scope| {
        let producers: Vec<_> =
            (0..PRODUCERS).map(|part| scope.spawn(move || text(produce_all(topic, part, stop)))).collect();
        let counted = count_between(stream, Instant::now() + CARRIED_WARM_UP, CARRIED_TIME);
        stop.store(true, Ordering::Relaxed);
        for producer in producers {
            joined(producer.join())?;
        }
        counted
    })
}

/// Sends records of every second partition until it is stopped.
fn produce_all(topic: &Topic, part: u64, stop: &AtomicBool) -> Outcome<()> {
    let producer = topic.producer(PRODUCER_SETTINGS)?;
    let values: Vec<Vec<u8>> = (0..PARTITIONS).map(value).collect();
    while !stop.load(Ordering::Relaxed) {
        for partition in (0..PARTITIONS).filter(|partition| partition % PRODUCERS == part) {
            producer.send(partition as i32, millis_now(), &values[partition as usize])?;
        }
    }
    Ok(producer.flush()?)
}

/// How many records a second the stream counts from an instant on.
fn count_between(stream: &mut LiveStream, begin: Instant, time: Duration) -> Outcome<u64> {
    let (mut counts, mut first) = ([0; PARTITIONS as usize], None);
    loop {
        let (arrived, data) = stream.next()?;
        for (partition, count) in counts_of(&data)? {
            counts[partition as usize] = count;
        }
        let all: u64 = counts.iter().sum();
        match first {
            None if arrived >= begin => first = Some((arrived, all)),
            Some((since, before)) if arrived >= since + time => {
                return Ok(((all - before) as f64 / (arrived - since).as_secs_f64()) as u64);
            }
            _ => {}
        }
    }
}

/// The counts of an event of the stream by partition.
fn counts_of(event: &Value) -> Outcome<Vec<(u64, u64)>> {
    let rows = event["rows"].as_array().ok_or("an event without rows")?;
    let count_of = |row: &Value| {
        let (table, count) = (row["table"].as_str().unwrap_or_default(), row["count"].as_u64().unwrap_or(0));
        let partition = partition_of(table).filter(|partition| *partition < PARTITIONS);
        Ok((partition.ok_or_else(|| format!("a count of table {table}"))?, count))
    };
    rows.iter().map(count_of).collect()
}

/// Sends the records of every second partition when they are due; returns how late they were.
fn produce(schedule: Schedule, topic: &Topic, part: u64) -> Outcome<Histogram<u64>> {
    let producer = topic.producer(PRODUCER_SETTINGS)?;
    let values: Vec<Vec<u8>> = (0..PARTITIONS).map(value).collect();
    let partitions: Vec<u64> = (0..PARTITIONS).filter(|partition| partition % PRODUCERS == part).collect();
    let (mut late, mut place) = (histogram()?, 0);
    while place < schedule.per_partition() {
        let (now, time) = (Instant::now(), millis_now());
        // All partitions of one place are due within the time of four records.
        while place < schedule.per_partition() && schedule.due(part, place) <= now {
            for partition in &partitions {
                producer.send(*partition as i32, time, &values[*partition as usize])?;
            }
            let due = schedule.due(part, place);
            if schedule.measures(due) {
                late.record(micros(due.elapsed()))?;
            }
            place += 1;
        }
        thread::sleep(PRODUCER_PAUSE);
    }
    producer.flush()?;
    Ok(late)
}

/// Reads the stream until it has counted all records.
fn observe_stream(schedule: Schedule, stream: &mut LiveStream) -> Outcome<Histogram<u64>> {
    let mut recorder = DelayRecorder::new(schedule)?;
    while !recorder.is_complete() {
        let (arrived, data) = stream.next()?;
        for (partition, count) in counts_of(&data)? {
            recorder.add(partition, count, arrived)?;
        }
    }
    Ok(recorder.delays())
}

/// Follows the commit log until it holds all records.
fn observe_log(schedule: Schedule, topic: &Topic, book: &Path, stop: &AtomicBool) -> Outcome<Histogram<u64>> {
    let (mut recorder, disk, mut next) = (DelayRecorder::new(schedule)?, Disk::new(book), 0);
    while !recorder.is_complete() {
        if stop.load(Ordering::Relaxed) || Instant::now() > schedule.end() + DRAIN_TIMEOUT {
            return Err(format!("the log has only {}", recorder.seen()).into());
        }
        let Some(logged) = commit_log::read_entry(&disk, next)? else {
            thread::sleep(LOG_PAUSE);
            continue;
        };
        let arrived = Instant::now();
        next += 1;
        let Some(read) = logged.entry.topics.get(&topic.name) else { continue };
        for (partition, read) in &read.positions {
            recorder.add(u64::try_from(*partition)?, u64::try_from(read.interval.to)?, arrived)?;
        }
    }
    Ok(recorder.delays())
}

/// An error as what a thread may return.
fn text<T>(outcome: Outcome<T>) -> Result<T, String> {
    outcome.map_err(|error| error.to_string())
}

fn joined<T>(joined: thread::Result<Result<T, String>>) -> Outcome<T> {
    Ok(joined.map_err(|_| "a thread panicked")??)
}

/// The pattern of the tables.
pub(crate) const TABLES: &str = "public.partition*";

/// The table of a partition.
pub(crate) fn table_of(partition: u64) -> String {
    format!("partition{partition}")
}

fn partition_of(table: &str) -> Option<u64> {
    table.strip_prefix("partition")?.parse().ok()
}

/// A change of the partition's table, as Kafka Connect writes it.
fn value(partition: u64) -> Vec<u8> {
    let table = table_of(partition);
    let mut value = format!(
        r#"{{"schema":{{"type":"struct","fields":[{{"type":"string","optional":true,"field":"data"}}],"optional":false}},"payload":{{"data":"table public.{table}: UPDATE: id[integer]:7 filler[character]:'"#
    );
    let missing = RECORD_BYTES.saturating_sub(value.len() + 4);
    value.extend(std::iter::repeat_n(' ', missing));
    value.push_str("'\"}}");
    value.into_bytes()
}

fn millis_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
