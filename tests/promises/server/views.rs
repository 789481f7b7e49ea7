//! Rows of views over HTTP: those of `query --view` to the byte, and live exactly those of the positions in the answer.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;

use serde_json::{Value, json};
use walbook::query::{Format, ViewQuery, view};
use walbook::server::Access;
use walbook::sql::Order;

use super::client::{ask, get};
use super::serve;
use super::viewed_book::{ALL, BY_OP, Book, DAILY, await_commit, by_op, expect_error};
use crate::support::MemoryTopic;

fn order(text: &str) -> Vec<Order> {
    Order::parse(text).expect("an order")
}

/// Questions about `DAILY` and the parameters that mean the same.
fn questions() -> Vec<(ViewQuery, &'static str)> {
    let day = |text: &str| Some(text.parse().expect("a day"));
    let all = ViewQuery { limit: Some(500_000), ..ViewQuery::default() };
    let mut days = all.clone();
    (days.days.from, days.days.to) = (day("2026-11-10"), day("2026-11-11"));
    let condition = |text: &str| Some(text.to_owned());
    let mut no_days = all.clone();
    no_days.days.from = day("2031-01-01");
    vec![
        (all.clone(), ""),
        (ViewQuery { limit: Some(7), ..all.clone() }, "&limit=7"),
        (ViewQuery { order: order("n DESC, day"), limit: Some(9), ..all.clone() }, "&order=n+DESC,+day&limit=9"),
        (
            ViewQuery { order: order("\"a \"\"<b>\"\", c\""), ..all.clone() },
            "&order=%22a%20%22%22%3Cb%3E%22%22,%20c%22",
        ),
        (days, "&from=2026-11-10&to=2026-11-11"),
        (no_days, "&from=2031-01-01"),
        (
            ViewQuery { condition: condition("n % 2 = 0 AND day > '2026-11-11'"), ..all.clone() },
            "&where=n%20%25%202%20=%200%20AND%20day%20%3E%20'2026-11-11'",
        ),
        (
            ViewQuery { condition: condition("n / (n - 1) > 0"), order: order("n"), limit: Some(3), ..all },
            "&where=n+/+(n+-+1)+%3E+0&order=n&limit=3",
        ),
    ]
}

/// Compares all answers about a book with what `query --view` prints.
#[track_caller]
fn compare(book: &Book, address: SocketAddr, level: &str) {
    for (query, parameters) in questions() {
        for (format, name) in [(Format::Json, "json"), (Format::Csv, "csv")] {
            let answer = get(address, &format!("/api/views/daily?format={name}{level}{parameters}"));
            assert_eq!(answer.text(), book.printed("daily", &query, format), "{level}{parameters}");
        }
    }
    for name in ["by_op", "everything"] {
        let answer = get(address, &format!("/api/views/{name}?{level}"));
        assert_eq!(answer.text(), book.printed(name, &ViewQuery::default(), Format::Json), "{level}");
    }
}

#[test]
fn durable_rows_are_those_of_query_to_the_byte() {
    let mut book = Book::new(3, 2, &[BY_OP, DAILY, ALL]);
    let address = serve(book.root(), Access::default());
    compare(&book, address, "");
    // What is in memory follows the commits of other processes.
    for records in [1, 500, 700] {
        book.grow(records);
        await_commit(&book, address);
        compare(&book, address, "");
        compare(&book, address, "&level=durable");
    }
}

#[test]
fn answers_beside_a_run_are_each_of_one_commit() {
    let mut book = Book::new(4, 1, &[BY_OP]);
    let address = serve(book.root(), Access::default());
    book.run.epochs_per_commit = 3;
    book.append(4_000);
    let mut commits = BTreeSet::new();
    thread::scope(|scope| {
        let running = scope.spawn(|| book.run.run(&book.store, &book.topic).expect("an undisturbed run"));
        loop {
            let is_finished = running.is_finished();
            let answer = get(address, "/api/views/by_op").json();
            assert_eq!(answer["complete_to"]["level"], "durable");
            assert_eq!(by_op(&answer["rows"]), book.by_op(&answer["complete_to"]));
            commits.insert(answer["complete_to"]["commit"].as_u64().expect("a commit"));
            if is_finished {
                return;
            }
        }
    });
    assert!(commits.len() > 2, "it was asked beside the run: {commits:?}");
}

fn live_rows_are_those_of_their_positions(workers: usize, seed: u64) {
    let mut book = Book::new(seed, workers, &[BY_OP, DAILY, ALL]);
    book.append(5_000);
    let (begun, address) = book.begin();
    let book = book;
    let mut epochs = BTreeSet::new();
    thread::scope(|scope| {
        let running = scope.spawn(|| begun.read().expect("an undisturbed run"));
        loop {
            let is_finished = running.is_finished();
            let live = get(address, "/api/views/by_op").json();
            assert_eq!(live["complete_to"]["level"], "live");
            assert_eq!(by_op(&live["rows"]), book.by_op(&live["complete_to"]), "{workers} workers");
            epochs.insert(live["complete_to"]["epoch"].as_u64().expect("an epoch"));
            let durable = get(address, "/api/views/by_op?level=durable").json();
            assert_eq!(by_op(&durable["rows"]), book.by_op(&durable["complete_to"]), "{workers} workers");
            let newer = get(address, "/api/status").json()["complete_to"]["positions"][MemoryTopic::NAME].clone();
            let read = durable["complete_to"]["positions"][MemoryTopic::NAME].as_object().expect("partitions");
            for (partition, next) in read {
                assert!(newer[partition].as_i64() >= next.as_i64(), "{newer} is behind {durable}");
            }
            if is_finished && live["complete_to"]["positions"] == durable["complete_to"]["positions"] {
                break;
            }
        }
    });
    assert!(epochs.len() > 2, "it was asked beside the run: {epochs:?}");
    // What is live has been committed: both are the same rows, also of views that nobody has asked for until now.
    compare(&book, address, "&level=durable");
    for name in ["by_op", "daily", "everything"] {
        let rows = |level: &str| get(address, &format!("/api/views/{name}?format=csv&level={level}")).body;
        assert_eq!(rows("live"), rows("durable"), "{name}");
    }
}

#[test]
fn live_rows_are_exactly_those_of_their_positions() {
    live_rows_are_those_of_their_positions(1, 5);
    live_rows_are_those_of_their_positions(3, 6);
}

#[test]
fn views_are_listed_with_their_columns() {
    let book = Book::new(7, 1, &[DAILY, ALL]);
    book.declare(BY_OP);
    let address = serve(book.root(), Access::default());
    let list = get(address, "/api/views").json();
    assert_eq!(list["time_zone"], "UTC");
    assert_eq!(list["complete_to"], get(address, "/api/status").json()["complete_to"]);
    let views = list["views"].as_array().expect("views");
    let names: Vec<&str> = views.iter().filter_map(|view| view["name"].as_str()).collect();
    assert_eq!(names, ["by_op", "daily", "everything"]);
    let column = |name: &str, kind: &str, is_group: bool, is_day: bool, adds_up: bool| json!({ "name": name, "type": kind, "is_group": is_group, "is_day": is_day, "adds_up": adds_up });
    let [by_op, daily, all] = views.as_slice() else { panic!("three views: {list:#}") };
    assert_eq!((&by_op["is_current"], &by_op["groups"], &by_op["has_days"]), (&false.into(), &0.into(), &false.into()));
    assert_eq!(by_op["columns"][4], column("mean", "double precision", false, false, false));
    assert_eq!(
        (&daily["declared"], &daily["is_current"], &daily["has_days"]),
        (&DAILY.into(), &true.into(), &true.into())
    );
    let columns = [
        column("a \"<b>\", c", "text", true, false, false),
        column("day", "date", true, true, false),
        column("n", "bigint", false, false, true),
        column("sum", "numeric(38,2)", false, false, true),
        column("first", "timestamptz", false, false, false),
    ];
    assert_eq!(daily["columns"], Value::from(columns.to_vec()));
    let rows = get(address, "/api/views/daily").json();
    assert_eq!(
        (&rows["columns"], &rows["rows"].as_array().map(Vec::len)),
        (&daily["columns"], &daily["groups"].as_u64().map(|groups| groups as usize))
    );
    assert_eq!((&all["groups"], &all["files"], &all["bad_values"]), (&1.into(), &1.into(), &json!({ "count": 0 })));
}

#[test]
fn arrow_streams_have_the_rows_in_their_types() {
    let book = Book::new(8, 1, &[DAILY]);
    let address = serve(book.root(), Access::default());
    let answer = get(address, "/api/views/daily?format=arrow&download=1");
    assert_eq!(answer.header("content-type"), Some("application/vnd.apache.arrow.stream"));
    assert!(answer.header("content-disposition").is_some_and(|name| name.contains("-daily-first-last.arrow")));
    let complete_to: Value =
        serde_json::from_str(answer.header("walbook-complete-to").expect("a header")).expect("JSON");
    assert_eq!(complete_to, get(address, "/api/views").json()["complete_to"]);
    let mut stream = arrow_ipc::reader::StreamReader::try_new(answer.body.as_slice(), None).expect("an Arrow stream");
    let rows = stream.next().expect("a batch").expect("rows");
    assert_eq!(rows, view(book.root(), "daily", &ViewQuery::default()).expect("an answer").rows);
    assert!(stream.next().is_none());
}

#[test]
fn what_cannot_be_answered_is_refused_with_the_reason() {
    let book = Book::new(9, 1, &[DAILY, ALL]);
    book.declare(BY_OP);
    let address = serve(book.root(), Access::default());
    for (path, status, code, part) in [
        ("other", 404, "no_view", "there is no view other; views of this book: by_op, daily, everything"),
        ("%3Cscript%3E", 404, "no_view", "there is no view <script>"),
        ("..%2Fdaily", 404, "no_view", "../daily"),
        ("Daily", 404, "no_view", "Daily"),
        ("%FF", 400, "bad_request", "not UTF-8"),
        ("a/b", 404, "not_found", "no such path"),
        ("by_op", 409, "not_built", "`walbook view build`"),
        ("daily?order=sum+desc,", 400, "bad_request", "could not use the order"),
        ("daily?order=other", 400, "bad_request", "the view has no column \"other\"; it has a \"<b>\", c, day, n"),
        ("daily?where=count%20%3E%203", 400, "bad_request", "the view has no column count"),
        ("daily?where=new.x%20=%20'a'", 400, "bad_request", "a column of a view has no prefix"),
        ("daily?where=day%20=", 400, "bad_request", "could not use the condition"),
        ("daily?limit=0", 400, "bad_request", "limit: 1 to"),
        ("daily?limit=-1", 400, "bad_request", "limit"),
        ("daily?limit=500001", 400, "bad_request", "limit: 1 to 500000"),
        ("daily?from=2026-11-03&to=2026-11-02", 400, "bad_request", "give the earlier day first"),
        ("daily?day=2026-11-03&to=2026-11-03", 400, "bad_request", "day replaces both"),
        ("everything?day=2026-11-03", 400, "bad_request", "the view everything has no days"),
        ("daily?format=parquet", 400, "bad_request", "no format"),
        ("daily?format=xml", 400, "bad_request", "no format"),
        ("daily?table=a.b", 400, "bad_request", "no parameter is named \"table\""),
        ("daily?level=live", 400, "bad_request", "all answers are durable"),
    ] {
        expect_error(&ask(address, "GET", &format!("/api/views/{path}"), &[]), status, code, part);
    }
    let head = ask(address, "HEAD", "/api/views/daily", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), get(address, "/api/views/daily").header("content-length"));
    assert_eq!(ask(address, "POST", "/api/views/daily", &[]).status, 405);
}

#[test]
fn a_view_that_is_dropped_or_made_again_is_another_one() {
    let mut book = Book::new(10, 1, &[BY_OP, DAILY]);
    let address = serve(book.root(), Access::default());
    get(address, "/api/views/daily");
    book.drop_view("daily");
    await_commit(&book, address);
    expect_error(&ask(address, "GET", "/api/views/daily", &[]), 404, "no_view", "views of this book: by_op");
    book.declare("CREATE VIEW daily AS SELECT day, count(*) AS changes FROM changes GROUP BY day");
    await_commit(&book, address);
    expect_error(&ask(address, "GET", "/api/views/daily", &[]), 409, "not_built", "not built yet");
    book.grow(10);
    await_commit(&book, address);
    let answer = get(address, "/api/views/daily");
    assert_eq!(answer.text(), book.printed("daily", &ViewQuery::default(), Format::Json));
    assert_eq!(answer.json()["columns"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_condition_says_which_values_it_could_not_compute() {
    let book = Book::new(11, 1, &[DAILY]);
    let address = serve(book.root(), Access::default());
    let path = "/api/views/daily?where=1%20/%20(n%20-%201)%20%3E=%200";
    let json = get(address, path).json();
    let ones = get(address, "/api/views/daily?where=n%20=%201").json()["rows"].as_array().map(Vec::len);
    assert_eq!(json["bad_values"]["count"].as_u64(), ones.map(|ones| ones as u64));
    assert_eq!(json["bad_values"]["first"]["reason"], "division by zero");
    let csv = get(address, &format!("{path}&format=csv"));
    let header: Value = serde_json::from_str(csv.header("walbook-bad-values").expect("a header")).expect("JSON");
    assert_eq!(header, json["bad_values"]);
    assert!(get(address, "/api/views/daily").json().get("bad_values").is_none());
}
