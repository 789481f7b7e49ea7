//! `kill -9` at random moments, with changing workers, loses nothing and repeats nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::book::Book;
use crate::database::Database;
use crate::dice::Dice;
use crate::environment;
use crate::lines::{self, Line, Shape};
use crate::topic::Topic;
use crate::truth::{Counts, assert_same};

pub(crate) const PARTITIONS: i32 = 4;
const FIRST_DAY: i64 = 1_790_000_000_000;
pub(crate) const DAYS: [&str; 4] = ["2026-09-21", "2026-09-22", "2026-09-23", "2026-09-24"];
const DAY_MILLIS: i64 = 86_400_000;

/// A workload small enough to be produced again and again.
pub(crate) fn workload(name: &str) -> (Vec<Line>, Counts) {
    let database = Database::create(name);
    database.awkward();
    let lines = database.drain("", "");
    (lines, database.truth(&["a day"]))
}

#[test]
fn killed_runs_lose_nothing_and_repeat_nothing() {
    let mut dice = Dice::throw("kills");
    let kills = if environment::is_long() { 50 } else { 8 };
    let (lines, truth_of_one) = workload("kills");
    let topic = Topic::create_with("kills", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let book = Book::new("kills");
    let enough = AtomicBool::new(false);

    let rounds = thread::scope(|scope| {
        let stop = Stop(&enough);
        let producing = scope.spawn(|| produce_until(&enough, &lines, &topic));
        let mut seen = 0;
        for kill in 0..kills {
            let workers = dice.pick(&["1", "2", "3", "4"]);
            let run = book.run(&[&topic], &["-w", workers, "--commit-interval", dice.pick(&["100ms", "300ms", "1s"])]);
            thread::sleep(dice.between(Duration::from_millis(20), Duration::from_millis(2500)));
            run.kill();
            if book.parquet("counts").is_empty() {
                continue;
            }
            let committed = book.counts().total();
            assert!(committed >= seen, "kill {kill}: {committed} changes after {seen}");
            seen = committed;
        }
        drop(stop);
        assert!(seen > 0, "no run lived long enough to commit");
        producing.join().expect("the producer ends well")
    });

    book.run_to_end(&[&topic], &["-w", "2"]);
    assert_same("after the kills", &book.counts(), &truth_of(rounds, &truth_of_one));
    book.verify();
}

/// What so many rounds of the producer are.
pub(crate) fn truth_of(rounds: usize, truth_of_one: &Counts) -> Counts {
    let of_round = |round: usize| truth_of_one.on_day(DAYS[round % DAYS.len()]);
    (0..rounds).fold(Counts::default(), |truth, round| truth.and(&of_round(round)))
}

/// Ends the producer, also when the test fails: the scope would wait for it forever.
pub(crate) struct Stop<'enough>(pub(crate) &'enough AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Produces the lines round after round at a bearable speed, each round on another day; returns how many rounds it were.
pub(crate) fn produce_until(enough: &AtomicBool, lines: &[Line], topic: &Topic) -> usize {
    let producer = topic.producer(&[]);
    let pause = Duration::from_millis(20);
    let mut rounds = 0;
    while !enough.load(Ordering::Relaxed) {
        let day = i64::try_from(rounds % DAYS.len()).expect("few days");
        for (number, record) in
            lines::records(lines, Shape::ConnectWithPosition, PARTITIONS, FIRST_DAY + day * DAY_MILLIS).enumerate()
        {
            producer.send(&record);
            if number % 200 == 0 {
                let began = Instant::now();
                producer.flush();
                thread::sleep(pause.saturating_sub(began.elapsed()));
            }
        }
        producer.flush();
        rounds += 1;
    }
    rounds
}
