//! A change in PostgreSQL moves a view's number in the stream of a run, and `query --view` says the same when it is committed.

use std::time::Duration;

use serde_json::Value;

use crate::book::Book;
use crate::client::{get, watch};
use crate::database::Database;
use crate::server::Server;

const VIEW: &str = "CREATE VIEW by_region AS SELECT new.region, count(*) AS orders, sum(new.amount::numeric(18,2)) AS amount, \
     count(DISTINCT new.customer) AS customers FROM public.t WHERE op <> 'DELETE' GROUP BY new.region";

/// The row of a region.
fn of_region<'a>(rows: &'a Value, region: &str) -> &'a Value {
    let rows = rows.as_array().expect("rows");
    rows.iter().find(|row| row["region"] == region).unwrap_or(&Value::Null)
}

#[test]
fn a_change_in_postgresql_moves_the_number_of_a_view() {
    let server = Server::start("served-views", &[]);
    let database = Database::bare(&server.url(), "views");
    database.script("create table public.t (id int, region text, amount numeric(18,2), customer int)");
    let book = Book::new("served-views");
    let url = database.url();
    let source = ["--postgres", &url, "--slot", "views"];
    book.start("run", &[&source[..], &["--create-slot", "--until-end"]].concat())
        .wait(Duration::from_secs(30))
        .expect_code(0);
    database.script("insert into public.t values (1, 'north', 1.50, 7), (2, 'south', 2.25, 7)");
    book.declare_view(VIEW);
    // Nothing of what follows is committed before the run ends.
    let run = book.start("run", &[&source[..], &["--serve", "127.0.0.1:0", "--commit-interval", "1h"]].concat());
    let address = run.page();
    let mut watching = watch(address, "/api/live?view=by_region", &[]);
    let mut rows = watching.next().data["rows"].clone();
    let mut await_row = |region: &str, is: &dyn Fn(&Value) -> bool| {
        while !is(of_region(&rows, region)) {
            let event = watching.next();
            assert_eq!((event.kind.as_str(), &event.data["complete_to"]["level"]), ("delta", &"live".into()));
            for row in event.data["rows"].as_array().expect("rows") {
                let known = rows.as_array_mut().expect("rows");
                known.retain(|known| known["region"] != row["region"]);
                known.push(row.clone());
            }
        }
        of_region(&rows, region).clone()
    };
    let north = await_row("north", &|row| row["orders"] == 1);
    assert_eq!((&north["amount"], &north["customers"]), (&1.5.into(), &1.into()));
    database.script(
        "insert into public.t values (3, 'north', 100.05, 8); insert into public.t values (4, 'west', null, 8)",
    );
    let north = await_row("north", &|row| row["orders"] == 2);
    assert_eq!((&north["amount"], &north["customers"]), (&101.55.into(), &2.into()));
    let west = await_row("west", &|row| row["orders"] == 1);
    assert_eq!((&west["amount"], &west["customers"]), (&Value::Null, &1.into()));
    let live = get(address, "/api/views/by_region").json();
    assert_eq!(live["complete_to"]["level"], "live");
    let durable = get(address, "/api/views/by_region?level=durable").json();
    assert_eq!(durable["rows"], Value::Array(Vec::new()), "nothing is committed yet");

    run.signal("TERM");
    run.wait(Duration::from_secs(15)).expect_code(0);
    let durable = book.query(&["--view", "by_region"]);
    assert_eq!((&durable["rows"], &durable["columns"]), (&live["rows"], &live["columns"]));
    assert_eq!(of_region(&durable["rows"], "north"), &north);
    book.verify();
}
