//! Which views a server has: those of the newest entry, also while nothing is committed, and their sizes in metrics.

use std::thread;
use std::time::{Duration, Instant};

use walbook::server::Access;

use super::client::{ask, get};
use super::serve;
use super::viewed_book::{BY_OP, Book, DAILY, await_commit, expect_error};

#[test]
fn views_are_listed_and_missed_while_a_run_commits_nothing() {
    let mut book = Book::new(12, 1, &[DAILY]);
    book.append(50);
    let (begun, address) = book.begin();
    let names = |address| -> Vec<(String, bool)> {
        let list = get(address, "/api/views").json();
        let views = list["views"].as_array().expect("views").iter();
        views.map(|view| (view["name"].as_str().expect("a name").to_owned(), view["is_current"] == true)).collect()
    };
    let await_names = |expected: &[(&str, bool)]| {
        let expected: Vec<(String, bool)> =
            expected.iter().map(|(name, is_current)| ((*name).to_owned(), *is_current)).collect();
        let begin = Instant::now();
        while names(address) != expected {
            assert!(begin.elapsed().as_secs() < 20, "{:?} instead of {expected:?}", names(address));
            thread::sleep(Duration::from_millis(20));
        }
    };
    await_names(&[("daily", true)]);
    assert_eq!(get(address, "/api/views/daily").json()["complete_to"]["level"], "live");
    book.declare(BY_OP);
    await_names(&[("by_op", false), ("daily", true)]);
    expect_error(&ask(address, "GET", "/api/views/by_op", &[]), 409, "not_built", "not built yet");
    book.drop_view("daily");
    await_names(&[("by_op", false)]);
    expect_error(&ask(address, "GET", "/api/views/daily", &[]), 404, "no_view", "views of this book: by_op");
    // The run is not disturbed, and does not take the new view up.
    begun.read().expect("an undisturbed run");
    await_commit(&book, address);
    assert_eq!(names(address), [("by_op".to_owned(), false)]);
}

#[test]
fn metrics_have_the_sizes_of_views() {
    let bad = "CREATE VIEW bad AS SELECT op, sum(\"table\"::bigint) AS s FROM changes GROUP BY op";
    let book = Book::new(13, 1, &[bad]);
    let address = serve(book.root(), Access::default());
    let metrics = get(address, "/metrics");
    let views = get(address, "/api/views").json();
    let (groups, values) = (&views["views"][0]["groups"], &views["views"][0]["bad_values"]);
    assert!(values["count"].as_u64() > Some(0) && values["first"].as_array().is_some_and(|first| first.len() == 3));
    for line in [
        format!("walbook_view_groups{{view=\"bad\"}} {groups}"),
        format!("walbook_view_bad_values_total{{view=\"bad\"}} {}", values["count"]),
    ] {
        assert!(metrics.text().lines().any(|of_metrics| of_metrics == line), "{line} is not in {}", metrics.text());
    }
}
