//! The Delta tables of a book, read by delta-rs and Polars while runs are killed, and files are merged and pruned.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::book::Book;
use crate::dice::Dice;
use crate::environment;
use crate::kills::{DAYS, PARTITIONS, Stop, produce_until, truth_of, workload};
use crate::running::Running;
use crate::topic::Topic;
use crate::truth::{Counts, assert_same};

const LIMIT: Duration = Duration::from_secs(120);
const DELTA: [&str; 4] = ["--delta", "on", "--delta-interval", "1s"];

fn start_reader(what: &str, book: &Book, id: &str) -> Child {
    Command::new(environment::python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/delta.py"))
        .arg(what)
        .arg(book.path())
        .arg(id)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts")
}

/// What the reader says, once its input is closed.
#[track_caller]
fn answer(mut reader: Child) -> Value {
    drop(reader.stdin.take());
    let output = reader.wait_with_output().expect("a child can be waited for");
    assert!(output.status.success(), "delta.py failed: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("delta.py prints JSON")
}

fn counts(rows: &Value) -> Counts {
    let mut counts = Counts::default();
    for row in rows.as_array().expect("rows") {
        let text = |column: usize| row[column].as_str().expect("a name");
        counts.add(text(0), text(1), text(2), text(3), row[4].as_i64().expect("a count"));
    }
    counts
}

/// By the entry of the log that they cover: the counts that the versions of a table have.
fn by_entry(versions: &Value, table: &str) -> BTreeMap<u64, Counts> {
    let versions = versions[table].as_object().expect("versions");
    versions.iter().map(|(entry, rows)| (entry.parse().expect("a number"), counts(rows))).collect()
}

/// The newest version at or before an entry.
fn at(versions: &BTreeMap<u64, Counts>, entry: u64) -> &Counts {
    versions.range(..=entry).next_back().expect("a version").1
}

/// The command, which must end well.
#[track_caller]
fn done(process: Running) {
    process.wait(LIMIT).expect_code(0);
}

/// The identity of the book, once there is one.
fn book_id(book: &Book, run: &mut Running) -> String {
    let began = Instant::now();
    loop {
        if let Some(entry) = book.newest_entry() {
            return entry.book;
        }
        run.expect_alive();
        assert!(began.elapsed() < LIMIT, "there is no book");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn delta_readers_get_exact_cuts_while_runs_are_killed_and_files_are_merged() {
    let mut dice = Dice::throw("delta");
    let kills = if environment::is_long() { 30 } else { 6 };
    let (lines, truth_of_one) = workload("delta");
    let topic = Topic::create_with("delta", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let book = Book::new("delta");
    let enough = AtomicBool::new(false);
    let (rounds, watched) = thread::scope(|scope| {
        let stop = Stop(&enough);
        let producing = scope.spawn(|| produce_until(&enough, &lines, &topic));
        let options = [&["-w", "2", "--commit-interval", "200ms"][..], &DELTA].concat();
        let mut run = book.run(&[&topic], &options);
        let id = book_id(&book, &mut run);
        let watch = start_reader("watch", &book, &id);
        for kill in 0..kills {
            thread::sleep(dice.between(Duration::from_millis(500), Duration::from_millis(4000)));
            run.kill();
            if kill == 0 {
                book.declare_view(
                    "CREATE VIEW daily AS SELECT day, op, count(*) AS changes FROM changes GROUP BY day, op",
                );
            }
            let workers = dice.pick(&["1", "2", "3"]);
            run = book.run(&[&topic], &[&["-w", workers, "--commit-interval", "300ms"][..], &DELTA].concat());
            if kill % 2 == 1 {
                book.await_total(1, &mut run);
                done(book.start("compact", &["--day", DAYS[0]]));
            }
        }
        thread::sleep(Duration::from_millis(2500));
        run.expect_alive();
        run.signal("TERM");
        done(run);
        drop(stop);
        (producing.join().expect("the producer ends well"), (answer(watch), id))
    });
    let (watched, id) = watched;
    println!("delta-rs and Polars while runs were killed: {watched}");
    assert!(watched["reads"].as_u64().is_some_and(|reads| reads >= 10), "{watched}");

    book.run_to_end(&[&topic], &[&["-w", "2"][..], &DELTA].concat());
    let truth = truth_of(rounds, &truth_of_one);
    assert_same("query", &book.counts(), &truth);
    let versions = answer(start_reader("versions", &book, &id));
    let (events, of_counts) = (by_entry(&versions, "events"), by_entry(&versions, "counts"));
    println!("{} versions of events, {} of counts", events.len(), of_counts.len());
    assert!(of_counts.len() >= kills, "{} versions of counts", of_counts.len());
    for (entry, counts) in &of_counts {
        assert_same(&format!("events beside counts at entry {entry}"), at(&events, *entry), counts);
    }
    for (entry, counted) in &events {
        assert_same(&format!("counts beside events at entry {entry}"), at(&of_counts, *entry), counted);
    }
    assert_same("the newest version", at(&events, u64::MAX), &truth);
    let daily = versions["daily"]["changes"].as_array().expect("a column");
    let sum: i64 = daily.iter().map(|value| value.as_str().expect("a text").parse::<i64>().expect("a number")).sum();
    assert_eq!(sum, truth.total(), "the view has every change once");
    book.verify();

    // Without a run, and without Delta: the versions stay as they are, and the next run brings the tables to the newest entry.
    done(book.start("prune", &["--before", DAYS[1]]));
    book.run_to_end(&[&topic], &["-w", "1"]);
    let before = answer(start_reader("versions", &book, &id));
    assert_eq!(by_entry(&before, "events"), events, "a run without Delta leaves the tables alone");
    book.run_to_end(&[&topic], &[&["-w", "1"][..], &DELTA].concat());
    let after = answer(start_reader("versions", &book, &id));
    let (after, counted) = (by_entry(&after, "events"), by_entry(&after, "counts"));
    assert!(events.iter().all(|(entry, rows)| after.get(entry) == Some(rows)), "older versions have not changed");
    let (pruned, kept) = (at(&after, u64::MAX), at(&counted, u64::MAX));
    assert_same("counts stay", kept, &truth);
    assert!(pruned.total() > 0 && pruned.total() < truth.total(), "{} of {}", pruned.total(), truth.total());
    book.verify();
}
