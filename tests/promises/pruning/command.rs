//! `walbook prune` and `walbook rebuild`, as they are typed: beside a run, without one, and of what is not there.

use std::fs;
use std::thread;
use std::time::Duration;

use walbook::store::layout::{Table, counts_path, day_folder};

use crate::recovery::world::World;

/// The day of all records, and the one after it.
const DAY: &str = "2026-11-22";
const NEXT_DAY: &str = "2026-11-23";

fn has_events(world: &World) -> bool {
    world.book().join(day_folder(Table::Events, DAY.parse().expect("a day"))).exists()
}

#[test]
fn a_day_is_pruned_beside_a_run_and_after_it() {
    let mut world = World::new();
    let book = world.book().to_str().expect("a plain path").to_owned();
    let mut run = world.run(&["--compact", "off"]);
    for _ in 0..3 {
        world.produce(20);
        world.await_all(&[&run]);
    }
    assert!(has_events(&world));
    // The run has nothing to commit, and takes the entry up all the same.
    let prune = ["prune", &book, "--before", NEXT_DAY];
    let mut beside = world.walbook(&prune);
    beside.expect_code(0);
    assert!(beside.log().contains("moves the files away"), "{}", beside.log());
    assert!(!has_events(&world));
    assert!(run.is_alive(), "{}", run.log());
    // Late changes; `check` compares all counts and verifies.
    world.produce(20);
    world.await_all(&[&run]);
    assert!(has_events(&world));
    world.check();
    run.signal("TERM");
    run.expect_code(0);

    // Now the command owns the book.
    world.walbook(&prune).expect_code(0);
    assert!(!has_events(&world));
    world.check();
    let nothing = world.answer(&prune);
    assert!(nothing.contains("Nothing to prune"), "{nothing}");

    // What follows from log and events, after damage.
    let counts = world.book().join(counts_path(DAY.parse().expect("a day")));
    fs::write(&counts, b"no Parquet").expect("it can be written");
    for checkpoint in fs::read_dir(world.book().join("_walbook/checkpoint")).expect("a folder") {
        fs::write(checkpoint.expect("an entry").path(), b"{}").expect("it can be written");
    }
    let rebuild = world.answer(&["rebuild", &book]);
    assert!(rebuild.contains("1 of 1 counts files"), "{rebuild}");
    world.check();
    let again = world.answer(&["rebuild", &book, "--format", "json"]);
    assert!(again.contains("\"counts_rewritten\":0"), "{again}");
    let mut run = world.run(&["--until-end", "--retain-days", "0"]);
    run.expect_code(0);
    world.check();
}

#[test]
fn a_run_prunes_by_itself_and_goes_on() {
    let mut world = World::new();
    let mut run = world.run(&["--retain-days", "0"]);
    world.produce(20);
    world.await_all(&[&run]);
    assert!(has_events(&world));
    // Today is the day after the newest change at the latest; the first look is after a minute.
    thread::sleep(Duration::from_secs(45));
    run.await_logged("pruned the events and rejects of old days");
    assert!(!has_events(&world));
    world.produce(20);
    world.await_all(&[&run]);
    world.check();
    run.signal("TERM");
    run.expect_code(0);
    world.check();
}

#[test]
fn a_book_that_a_run_has_is_not_rebuilt() {
    let mut world = World::new();
    let book = world.book().to_str().expect("a plain path").to_owned();
    let mut run = world.run(&[]);
    world.produce(20);
    world.await_all(&[&run]);
    let mut rebuild = world.walbook(&["rebuild", &book]);
    rebuild.expect_code(2);
    assert!(rebuild.log().contains("a run has the book"), "{}", rebuild.log());
    assert!(run.is_alive(), "{}", run.log());
    world.check();
}

#[test]
fn what_cannot_be_pruned_is_wrong_usage() {
    let mut world = World::new();
    let book = world.book().to_str().expect("a plain path").to_owned();
    for arguments in [&["prune", &book, "--before", DAY][..], &["rebuild", &book]] {
        let mut nothing = world.walbook(arguments);
        nothing.expect_code(2);
        assert!(nothing.log().contains("no book"), "{}", nothing.log());
        assert!(!world.book().exists(), "nothing is made");
    }
    world.produce(5);
    world.run(&["--until-end"]).expect_code(0);
    for (before, words) in [("9999-01-01", "has not begun"), ("yesterday", "yesterday"), ("", "")] {
        let mut wrong = world.walbook(&["prune", &book, "--before", before]);
        wrong.expect_code(2);
        assert!(wrong.log().contains(words), "{}", wrong.log());
    }
    world.walbook(&["prune", &book]).expect_code(2);
    assert!(has_events(&world), "nothing has changed");
    // A view that is declared and not built would miss what is pruned.
    let view = "CREATE VIEW daily AS SELECT day, count(*) AS changes FROM changes GROUP BY day";
    world.walbook(&["view", "create", &book, view]).expect_code(0);
    let ops = "CREATE VIEW ops AS SELECT op, count(*) AS changes FROM changes GROUP BY op";
    world.walbook(&["view", "create", &book, ops]).expect_code(0);
    let mut waits = world.walbook(&["prune", &book, "--before", NEXT_DAY]);
    waits.expect_code(2);
    assert!(waits.log().contains("daily") && waits.log().contains("build"), "{}", waits.log());
    world.walbook(&["view", "build", &book]).expect_code(0);
    world.walbook(&["prune", &book, "--before", NEXT_DAY]).expect_code(0);
    let shown = world.answer(&["query", &book, "--view", "daily", "--format", "csv"]);
    assert!(shown.contains("2026-11-22,5"), "{shown}");
    world.walbook(&["verify", &book]).expect_code(0);
    // A view by day keeps its old days when it is rebuilt; a new one says from when on it has all changes.
    world.walbook(&["rebuild", &book]).expect_code(0);
    let kept = world.answer(&["query", &book, "--view", "daily", "--format", "csv"]);
    assert!(kept.contains("2026-11-22,5"), "{kept}");
    let total = world.answer(&["query", &book, "--view", "ops", "--format", "csv"]);
    assert!(total.contains("INSERT,5"), "{total}");
    let view = "CREATE VIEW total AS SELECT op, count(*) AS changes FROM changes GROUP BY op";
    world.walbook(&["view", "create", &book, view]).expect_code(0);
    world.walbook(&["view", "build", &book]).expect_code(0);
    let list = world.answer(&["view", "list", &book]);
    assert!(list.contains("changes from 2026-11-23 on only"), "{list}");
    world.walbook(&["verify", &book]).expect_code(0);
}
