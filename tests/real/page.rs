//! The page in a real Chromium: of a book that a real PostgreSQL fills through a real Kafka, and of the same book at rest.
//!
//! The tests are in `tests/page/real`, run by node; this starts the servers and passes their addresses.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use chrono::{Timelike, Utc};

use crate::book::Book;
use crate::capture::Capture;
use crate::database::Database;
use crate::environment;
use crate::lines::{self, Shape};
use crate::topic::{Record, Topic};

const PARTITIONS: i32 = 2;
const DAY: i64 = 86_400_000;
/// How many days before today have changes.
const DAYS: i64 = 40;
/// Views of what `page.sql` and the history have: of each day, and with names that are harmless only as text.
const VIEWS: [&str; 2] = [
    "CREATE VIEW order_states AS
     SELECT day, new.state, count(*) AS changes, sum(new.total_cents::numeric(18,2)) AS cents, max(commit_time) AS last
     FROM public.orders WHERE op IN ('INSERT', 'UPDATE') GROUP BY day, new.state",
    r#"CREATE VIEW evil AS
     SELECT new."<img src=x onerror=alert(1)>" AS "<script>", sum(new.id::bigint) AS "__proto__", max(new."v:") AS "v,"
     FROM public."a.b: <script>" GROUP BY 1"#,
];
const TOKEN: &str = "open sesame, and sixteen more";

/// A zone, not the browser's, without midnight during the test.
fn zone_of_day() -> &'static str {
    match Utc::now().hour() {
        3..15 => "Europe/Berlin",
        _ => "America/Los_Angeles",
    }
}

/// The changes of the past weeks, and records that cannot be read.
fn history() -> Vec<Record> {
    let now = Utc::now().timestamp_millis();
    let mut records = Vec::new();
    let mut add = |time, value| {
        let partition = i32::try_from(records.len()).expect("few records") % PARTITIONS;
        records.push(Record { partition, time, value: Some(value), ..Record::default() });
    };
    for days in (0..=DAYS).rev() {
        let weight = 20 + days * 7 % 30;
        for number in 0..weight {
            let (table, op) = match number % 6 {
                0 | 1 => ("public.orders", "INSERT"),
                2 => ("public.orders", "UPDATE"),
                3 => ("audit.log", "INSERT"),
                4 => ("public.sessions", "UPDATE"),
                _ => ("public.sessions", "DELETE"),
            };
            let line =
                format!("table {table}: {op}: id[bigint]:{} state[text]:'of {days} days ago'", days * 100 + number);
            add(now - days * DAY, lines::plain(Shape::Connect, &line));
        }
    }
    add(now, lines::plain(Shape::Connect, "streaming change for transaction"));
    add(now, b"<script>alert(1)</script> \xff is no UTF-8".to_vec());
    records
}

/// Runs the tests of one file in node against the page at an address.
#[track_caller]
fn look(file: &str, address: SocketAddr, book: &Book, database: &Database) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/real").join(file);
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec"])
        .arg(tests)
        .env("WALBOOK_PAGE_URL", format!("http://{address}/"))
        .env("WALBOOK_PAGE_BOOK", book.path())
        .env("WALBOOK_PAGE_BINARY", env!("CARGO_BIN_EXE_walbook"))
        .env("WALBOOK_PAGE_PSQL", environment::postgres_program("psql"))
        .env("WALBOOK_PAGE_DATABASE", database.url())
        .env("WALBOOK_PAGE_TOKEN", TOKEN);
    let output = node.output().unwrap_or_else(|error| panic!("could not start node: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    println!("{said}");
    assert!(output.status.success(), "{file} failed; the reason is above");
}

#[test]
fn a_person_sees_the_book() {
    assert!(
        env::var_os("WALBOOK_PAGE_TOOLS").is_some(),
        "WALBOOK_PAGE_TOOLS is not set: this test needs Chromium and its driver, run it by ./test page"
    );
    let database = Database::bare(&environment::postgres(), "page");
    let topic = Topic::nowhere(environment::brokers(), "page", PARTITIONS);
    let before = Topic::create("page_before", PARTITIONS);
    let capture = Capture::new(&database, &topic);
    capture.first();
    let mut capturing = capture.start(&[]);
    let book = Book::new("page");
    let settings = ["-w", "2", "--commit-interval", "1s", "--time-zone", zone_of_day()];
    // A run of nothing makes the book, in which the next one finds the views.
    book.run_to_end(&[&topic, &before], &settings);
    for view in VIEWS {
        book.start("view create", &[view]).wait(Duration::from_secs(15)).expect_code(0);
    }
    let (mut run, address) = book.serve_run(&[&topic, &before], &settings);

    look("empty.test.mjs", address, &book, &database);

    database.script(include_str!("page.sql"));
    let history = history();
    let rejects = 2;
    let records = i64::try_from(history.len()).expect("few records") - rejects;
    before.produce(history);
    // The very first change, then those of the script.
    let captured = 1 + 130 + 120 + 5 + 3 + 6 + 21;
    book.await_total(records + captured, &mut run);
    for file in ["seen.test.mjs", "names.test.mjs", "views.test.mjs", "use.test.mjs", "live.test.mjs"] {
        look(file, address, &book, &database);
        run.expect_alive();
        capturing.expect_alive();
    }
    run.signal("TERM");
    run.wait(Duration::from_secs(15)).expect_code(0);
    book.verify();

    let token: PathBuf = book.path().with_file_name("token");
    fs::write(&token, format!("{TOKEN}\n")).expect("the folder can be written");
    let token = token.to_str().expect("a path of letters").to_owned();
    let address = SocketAddr::from(([127, 0, 0, 1], environment::free_port()));
    let mut serve = book.start("serve", &["--listen", &address.to_string(), "--token-file", &token]);
    while TcpStream::connect(address).is_err() {
        serve.expect_alive();
        thread::sleep(Duration::from_millis(20));
    }
    look("rest.test.mjs", address, &book, &database);
}
