//! A stream of a view has each group that changes, and is exactly the view at each event, also for clients that reconnect.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Map, Value};
use walbook::server::Access;

use super::client::{Event, ask, get, watch};
use super::serve;
use super::viewed_book::{ALL, BY_OP, Book, DAILY, await_commit, by_op, expect_error};

/// Where a stream is refused, its connection must end.
const CLOSE: [(&str, &str); 1] = [("Connection", "close")];

/// The rows of a view by its group columns.
#[derive(Default)]
struct Rows {
    groups: Vec<String>,
    rows: BTreeMap<String, Value>,
}

impl Rows {
    /// Applies an event; returns how many rows it has.
    fn apply(&mut self, event: &Event) -> usize {
        if event.kind == "snapshot" {
            self.rows.clear();
            let columns = event.data["columns"].as_array().expect("columns").iter();
            let groups = columns.filter(|column| column["is_group"] == true);
            self.groups = groups.map(|column| column["name"].as_str().expect("a name").to_owned()).collect();
        }
        let rows = event.data["rows"].as_array().expect("rows");
        for row in rows {
            let key: Map<String, Value> = self.groups.iter().map(|name| (name.clone(), row[name].clone())).collect();
            self.rows.insert(Value::from(key).to_string(), row.clone());
        }
        rows.len()
    }

    /// The sum of a column.
    fn sum(&self, column: &str) -> u64 {
        self.rows.values().map(|row| row[column].as_u64().expect("a number")).sum()
    }

    fn all(&self) -> Value {
        self.rows.values().cloned().collect()
    }
}

/// The rows that a request gets, in the order of [`Rows`].
fn asked(address: std::net::SocketAddr, path: &str) -> Value {
    let data = get(address, path).json();
    let mut rows = Rows::default();
    rows.apply(&Event { kind: "snapshot".to_owned(), id: String::new(), data });
    rows.all()
}

#[test]
fn a_watcher_of_a_book_ends_with_its_rows() {
    let mut book = Book::new(20, 2, &[DAILY, BY_OP]);
    let address = serve(book.root(), Access::default());
    for days in ["", "from=2026-11-10&to=2026-11-14"] {
        let mut watching = watch(address, &format!("/api/live?view=daily&{days}"), &[]);
        let path = format!("/api/views/daily?{days}");
        let mut rows = Rows::default();
        let mut last = watching.next();
        assert_eq!((last.kind.as_str(), &last.data["status"]["state"]), ("snapshot", &"at_rest".into()));
        rows.apply(&last);
        for records in [1, 200] {
            book.grow(records);
            await_commit(&book, address);
            let newest = get(address, "/api/status").json()["complete_to"].clone();
            while last.data["complete_to"] != newest {
                last = watching.next();
                assert_eq!(last.kind, "delta");
                assert!(rows.apply(&last) <= 3 * records, "only groups that changed are sent");
            }
            assert_eq!(rows.all(), asked(address, &path));
        }

        // A client that reconnects is sent what changed meanwhile, and nothing else.
        drop(watching);
        book.grow(3);
        await_commit(&book, address);
        let path_and_id = format!("/api/live?view=daily&{days}&last_event_id={}", last.id);
        let resumed = watch(address, &path_and_id, &[]).next();
        assert_eq!(resumed.kind, "delta");
        assert!(rows.apply(&resumed) <= 9);
        assert_eq!(rows.all(), asked(address, &path));

        // The id of another view, of counts or of another server means nothing here.
        let counts = watch(address, "/api/live", &[]).next().id;
        let (other_view, _) = last.id.rsplit_once('-').expect("the load of the view");
        for id in
            [watch(address, "/api/live?view=by_op", &[]).next().id, counts, format!("{other_view}-0"), "x".to_owned()]
        {
            let first = watch(address, "/api/live?view=daily", &[("Last-Event-ID", &id)]).next();
            assert_eq!(first.kind, "snapshot", "{id}");
        }
        assert_eq!(watch(address, "/api/live", &[("Last-Event-ID", &last.id)]).next().kind, "snapshot");
    }
}

#[test]
fn each_event_beside_a_run_is_exactly_of_its_positions() {
    for (workers, seed) in [(1, 21), (2, 22)] {
        let mut book = Book::new(seed, workers, &[BY_OP, DAILY]);
        book.append(5_000);
        let (begun, address) = book.begin();
        let book = book;
        thread::scope(|scope| {
            let mut watching = watch(address, "/api/live?view=by_op", &[("Accept-Encoding", "gzip")]);
            let (mut rows, mut deltas) = (Rows::default(), 0);
            rows.apply(&watching.next());
            let mut daily = watch(address, "/api/live?view=daily", &[]);
            let mut of_daily = Rows::default();
            of_daily.apply(&daily.next());
            let running = scope.spawn(|| begun.read().expect("an undisturbed run"));
            while rows.sum("n") < book.changes() {
                let event = watching.next();
                rows.apply(&event);
                deltas += u32::from(event.kind == "delta");
                let complete_to = &event.data["complete_to"];
                assert_eq!(complete_to["level"], "live");
                assert_eq!(by_op(&rows.all()), book.by_op(complete_to), "{workers} workers");
            }
            assert!(deltas > 1, "it was watched beside the run");
            while of_daily.sum("n") < book.changes() {
                of_daily.apply(&daily.next());
            }
            running.join().expect("an undisturbed run");
            assert_eq!(of_daily.all(), asked(address, "/api/views/daily"));
        });
    }
}

#[test]
fn the_stream_of_a_view_that_is_dropped_ends() {
    let book = Book::new(23, 1, &[DAILY, BY_OP]);
    let address = serve(book.root(), Access::default());
    let mut watching = watch(address, "/api/live?view=daily", &[]);
    assert_eq!(watching.next().kind, "snapshot");
    book.drop_view("daily");
    while watching.next_or_end().is_some() {}
    expect_error(&ask(address, "GET", "/api/live?view=daily", &CLOSE), 404, "no_view", "views of this book: by_op");
}

#[test]
fn after_a_takeover_the_stream_begins_again_with_durable_rows() {
    let mut book = Book::new(24, 1, &[BY_OP]);
    let (begun, address) = book.begin();
    let mut watching = watch(address, "/api/live?view=by_op", &[]);
    let first = watching.next();
    assert_eq!(first.data["complete_to"]["level"], "live");
    // Another run takes the book over.
    book.grow(100);
    let mut event = watching.next();
    while event.kind != "snapshot" {
        event = watching.next();
    }
    assert_eq!(event.data["complete_to"]["level"], "durable");
    let mut rows = Rows::default();
    rows.apply(&event);
    assert_eq!(by_op(&rows.all()), book.by_op(&event.data["complete_to"]));
    assert!(begun.read().is_err(), "its book is gone");
}

#[test]
fn what_cannot_be_watched_is_refused_with_the_reason() {
    let book = Book::new(25, 1, &[ALL]);
    book.declare(BY_OP);
    let address = serve(book.root(), Access::default());
    for (query, status, code, part) in [
        ("view=other", 404, "no_view", "there is no view other"),
        ("view=%3Cb%3E", 404, "no_view", "there is no view <b>"),
        ("view=by_op", 409, "not_built", "not built yet"),
        ("view=everything&table=a.b", 400, "bad_request", "table and op are of counts"),
        ("view=everything&op=insert", 400, "bad_request", "table and op are of counts"),
        ("view=everything&day=2026-11-10", 400, "bad_request", "has no days"),
        ("view=everything&view=by_op", 400, "bad_request", "occurs twice"),
    ] {
        expect_error(&ask(address, "GET", &format!("/api/live?{query}"), &CLOSE), status, code, part);
    }
}
