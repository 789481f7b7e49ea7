//! A slot drained by SQL into topics gives the counts that PostgreSQL itself gives, whatever the shape and the workers.

use crate::book::Book;
use crate::database::Database;
use crate::environment;
use crate::lines::{self, Line, Shape};
use crate::readers::{READERS, Readers};
use crate::topic::Topic;
use crate::truth::{Counts, assert_same};

/// Each phase of the workload: when its records reach Kafka (milliseconds since 1970), the day that is in UTC, and in New York,
/// which is behind and changes its clocks in between.
const PHASES: [(i64, &str, &str); 3] = [
    (1_772_945_999_999, "2026-03-08", "2026-03-07"),
    (1_772_946_000_000, "2026-03-08", "2026-03-08"),
    (1_773_028_799_999, "2026-03-09", "2026-03-08"),
];

const PARTITIONS: i32 = 4;

/// The workload's lines by phase, and what PostgreSQL says of them by the days of `PHASES`.
struct Workload {
    lines: Vec<Vec<Line>>,
    utc: Counts,
    new_york: Counts,
}

impl Workload {
    fn run() -> Workload {
        let database = Database::create("drain");
        let mut lines = Vec::new();

        database.open_phase(1);
        database.awkward();
        // A fresh session's settings, and the plugin's defaults.
        lines.push(database.drain("", ""));

        database.open_phase(2);
        let transactions = if environment::is_long() { 50_000 } else { 1_500 };
        database.pgbench(1, transactions);
        lines.push(database.drain("-c TimeZone=Asia/Kolkata", ", 'include-timestamp', '1', 'skip-empty-xacts', '1'"));

        database.open_phase(3);
        database.script(include_str!("more.sql"));
        // Types print with their schema when no search path finds them.
        let odd = "-c search_path= -c bytea_output=escape -c IntervalStyle=iso_8601 -c DateStyle=German -c extra_float_digits=0";
        lines.push(database.drain(odd, ", 'include-xids', '0', 'only-local', '1'"));

        let days =
            |day: fn(&(i64, &'static str, &'static str)) -> &'static str| PHASES.iter().map(day).collect::<Vec<_>>();
        Workload {
            lines,
            utc: database.truth(&days(|phase| phase.1)),
            new_york: database.truth(&days(|phase| phase.2)),
        }
    }

    fn topic(&self, name: &str, shape: Shape) -> Topic {
        let topic = Topic::create_with(name, PARTITIONS, &[("max.message.bytes", "20000000")]);
        let producer = topic.producer(&[]);
        for (lines, (time, ..)) in self.lines.iter().zip(PHASES) {
            producer.produce(lines::records(lines, shape, PARTITIONS, time));
        }
        topic
    }
}

#[test]
fn a_drained_slot_gives_the_counts_that_postgres_gives() {
    let workload = Workload::run();
    let as_connect = workload.topic("drain_connect", Shape::Connect);
    for workers in ["1", "2", "4"] {
        let book = Book::new("drain");
        book.run_to_end(&[&as_connect], &["-w", workers, "--commit-interval", "1s"]);
        assert_same(&format!("-w {workers}"), &book.counts(), &workload.utc);
        book.verify();
        if workers == "4" {
            let readers = Readers::read(book.path());
            for reader in READERS {
                assert_same(&format!("{reader} on counts"), &readers.counts(reader, "counts"), &workload.utc);
                assert_same(&format!("{reader} on events"), &readers.counts(reader, "events"), &workload.utc);
            }
        }
    }

    let book = Book::new("drain_new_york");
    book.run_to_end(&[&as_connect], &["-w", "2", "--time-zone", "America/New_York"]);
    assert_same("in New York", &book.counts(), &workload.new_york);
    book.verify();

    let with_position = workload.topic("drain_position", Shape::ConnectWithPosition);
    let schemaless = workload.topic("drain_schemaless", Shape::Schemaless);
    let structs = workload.topic("drain_struct", Shape::Struct);
    let raw = workload.topic("drain_raw", Shape::Raw);
    let book = Book::new("drain_shapes");
    book.run_to_end(&[&with_position, &schemaless, &structs, &raw], &["-w", "3"]);
    assert_same("four shapes", &book.counts(), &workload.utc.clone().times(4));
    book.verify();
}

#[test]
fn a_records_own_commit_time_decides_its_day() {
    let database = Database::create("commit_time");
    database.script("create table public.t (id int); insert into public.t select generate_series(1, 100);");
    let lines = database.drain("", "");
    let topic = Topic::create("commit_time", 2);
    topic.produce(lines::records(&lines, Shape::Walbook("2024-02-29T23:59:59.999999Z"), 2, PHASES[0].0));

    let days = [("auto", "2024-02-29"), ("commit", "2024-02-29"), ("kafka", PHASES[0].1)];
    for (rule, day) in days {
        let book = Book::new("commit_time");
        book.run_to_end(&[&topic], &["-w", "2", "--day-from", rule]);
        assert_same(&format!("--day-from {rule}"), &book.counts(), &database.truth(&[day]));
        book.verify();
    }
}

#[test]
fn pgbench_counts_are_those_of_the_servers_statistics() {
    let database = Database::create("statistics");
    database.pgbench(1, 500);
    let topic = Topic::create("statistics", 3);
    topic.produce(lines::records(&database.drain("", ""), Shape::Connect, 3, PHASES[0].0));
    let book = Book::new("statistics");
    book.run_to_end(&[&topic], &["-w", "2"]);

    // The statistics do not count truncates.
    let rows = book.query(&["--table", "public.*"])["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(|row| row["op"] != "TRUNCATE")
        .cloned()
        .collect();
    let found = crate::book::counts_of(&serde_json::json!({ "rows": serde_json::Value::Array(rows) }));
    assert_same("pg_stat_user_tables", &found, &database.statistics("public", PHASES[0].1));
}
