//! A transaction of very many rows: memory does not grow with it, and a kill in its middle changes nothing.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::message::Message;

use crate::capture::Capture;
use crate::captured::Change;
use crate::database::Database;
use crate::environment;
use crate::topic::Topic;

const MEMORY: u64 = 400 << 20;

#[test]
fn a_giant_transaction_needs_little_memory_and_arrives_once_despite_a_kill() {
    let rows: u64 = if environment::is_long() { 10_000_000 } else { 300_000 };
    let database = Database::bare(&environment::postgres(), "giant");
    database.script("create table public.big (id int, v text)");
    let topic = Topic::nowhere(environment::brokers(), "giant", 1);
    let capture = Capture::new(&database, &topic);
    capture.first();
    database.script(&format!(
        "insert into public.big select i, 'a value of the row ' || i from generate_series(1, {rows}) as i"
    ));
    let end = database.end();

    let mut running = capture.start(&[]);
    topic.await_offsets(150_000, || running.expect_alive());
    let (_, peak_before) = running.usage().expect("it runs");
    running.kill();
    let committed = topic.stored_records() as u64;
    println!("killed with {committed} of {rows} records committed, {} MB", peak_before >> 20);
    assert!((1..rows).contains(&committed), "the kill was not in the middle: {committed} of {rows} were committed");

    let began = Instant::now();
    let mut running = capture.start(&[]);
    while database.confirmed(&capture.slot) < end {
        running.expect_alive();
        assert!(began.elapsed() < Duration::from_secs(600), "the rest does not arrive:\n{}", running.stderr());
        thread::sleep(Duration::from_millis(100));
    }
    let (_, peak) = running.usage().expect("it runs");
    running.signal("TERM");
    running.wait(Duration::from_secs(10)).expect_code(0);
    println!("the rest took {:?}, {} MB", began.elapsed(), peak >> 20);
    assert!(peak.max(peak_before) < MEMORY, "{} MB of memory", peak.max(peak_before) >> 20);

    let (mut next, mut commit_lsn) = (0, None);
    topic.each_record(&[], |record| {
        let change = Change::parse(record.payload().expect("a value")).expect("a change");
        assert_eq!(change.seq, next, "after {next} records");
        assert_eq!(*commit_lsn.get_or_insert(change.commit_lsn), change.commit_lsn, "another transaction");
        next += 1;
        let row = format!("table public.big: INSERT: id[integer]:{next} v[text]:'a value of the row {next}'");
        assert_eq!(change.data, row);
    });
    assert_eq!(next, rows);
}
