//! `walbook compact`, as it is typed: beside a run, without one, and of what is not there.

use std::fs;

use walbook::store::layout::{Table, day_folder};

use crate::recovery::world::World;

/// The day of all records.
const DAY: &str = "2026-11-22";

fn files(world: &World) -> usize {
    let folder = day_folder(Table::Events, DAY.parse().expect("a day"));
    fs::read_dir(world.book().join(folder)).expect("a folder of the day").count()
}

#[test]
fn a_day_is_merged_beside_a_run_and_after_it() {
    let mut world = World::new();
    let book = world.book().to_str().expect("a plain path").to_owned();
    let mut run = world.run(&["--compact", "off"]);
    for _ in 0..4 {
        world.produce(20);
        world.await_all(&[&run]);
    }
    let before = files(&world);
    assert!(before >= 4, "{before} files");
    // The run has nothing to commit, and takes the entry up all the same.
    let compact = ["compact", &book, "--day", DAY];
    let mut beside = world.walbook(&compact);
    beside.expect_code(0);
    assert!(beside.log().contains("beside"), "{}", beside.log());
    assert_eq!(files(&world), 1);
    assert!(run.is_alive(), "{}", run.log());
    for _ in 0..2 {
        world.produce(20);
        world.await_all(&[&run]);
    }
    world.check();
    run.signal("TERM");
    run.expect_code(0);
    assert!(files(&world) > 1, "late changes");

    // Now the command owns the book.
    let mut alone = world.walbook(&compact);
    alone.expect_code(0);
    assert!(!alone.log().contains("beside"), "{}", alone.log());
    assert_eq!(files(&world), 1);
    world.check();

    // Nothing is left to do; all closed days are none, since records came to this one a moment ago.
    for arguments in [&compact[..], &["compact", &book], &["compact", &book, "--format", "json"]] {
        world.walbook(arguments).expect_code(0);
    }
    world.check();
    let mut run = world.run(&["--until-end"]);
    run.expect_code(0);
    world.check();
}

#[test]
fn a_run_that_is_killed_before_it_places_merged_files_is_replaced_by_the_command() {
    let mut world = World::new();
    let book = world.book().to_str().expect("a plain path").to_owned();
    let mut run = world.run(&["--compact", "off", "--lease-timeout", "1s"]);
    for _ in 0..3 {
        world.produce(20);
        world.await_all(&[&run]);
    }
    run.kill();
    // Nobody has released the book: the command waits as a standby does, then takes it over.
    let mut compact = world.walbook(&["compact", &book, "--day", DAY]);
    compact.expect_code(0);
    assert_eq!(files(&world), 1);
    world.check();
}

#[test]
fn what_is_not_there_is_wrong_usage() {
    let mut world = World::new();
    let book = world.book().to_str().expect("a plain path").to_owned();
    let mut nothing = world.walbook(&["compact", &book]);
    nothing.expect_code(2);
    assert!(nothing.log().contains("no book"), "{}", nothing.log());
    assert!(!world.book().exists(), "nothing is made");
    world.produce(5);
    let mut run = world.run(&["--until-end"]);
    run.expect_code(0);
    let mut other_day = world.walbook(&["compact", &book, "--day", "2026-11-23"]);
    other_day.expect_code(2);
    assert!(other_day.log().contains("2026-11-23"), "{}", other_day.log());
    world.walbook(&["compact", &book, "--day", "yesterday"]).expect_code(2);
    let mut wrong = world.run(&["--compact", "always"]);
    wrong.expect_code(2);
    world.check();
}
