//! A file that is not what it was, and a stream that ends too early: told with the range, exit code 3.

use std::fs;

use super::world::{World, cut, until, wait};

const THREE: &str = "table a.b: INSERT:\ntable a.b: INSERT:\ntable a.b: INSERT:\n";

#[test]
fn a_file_that_was_cut_is_missing_bytes() {
    let world = World::new(THREE);
    world.run(&[]).expect(0, &[]);
    cut(&world, 20);
    world.run(&[]).expect(3, &["ends at byte 20", "bytes 20 to 57"]);
    assert_eq!(world.total(), 3);
    world.verify();
}

#[test]
fn another_file_of_the_same_name_is_refused() {
    let world = World::new(THREE);
    world.run(&[]).expect(0, &[]);
    fs::write(world.input(), THREE.replace("a.b", "c.d").repeat(2)).expect("a file can be written");
    world.run(&[]).expect(3, &["another file"]);
    world.verify();
}

#[test]
fn a_file_that_is_replaced_or_cut_under_a_run_ends_it() {
    let world = World::new(THREE);
    let run = world.start(&["--commit-interval", "100ms"]);
    until("it is read", || world.total() == 3);
    cut(&world, 3);
    wait(run).expect(3, &["ends at byte 3", "bytes 3 to 57"]);

    let world = World::new(THREE);
    let run = world.start(&["--commit-interval", "100ms"]);
    until("it is read", || world.total() == 3);
    // The old file goes on growing under the name of another.
    let aside = world.input().with_extension("old");
    fs::rename(world.input(), &aside).expect("a file can be renamed");
    fs::write(world.input(), THREE.replace("a.b", "c.d").repeat(2)).expect("a file can be written");
    fs::write(&aside, THREE.repeat(2)).expect("a file can be written");
    wait(run).expect(3, &["another file"]);
    assert_eq!(world.total(), 3);
    world.verify();
}

#[test]
fn standard_input_that_ends_inside_a_transaction_is_missing_the_rest() {
    let world = World::new("");
    let text = "BEGIN 1\ntable a.b: INSERT:\nCOMMIT 1\nBEGIN 2\ntable a.b: INSERT:\n";
    world.pipe(text.as_bytes()).expect(3, &["ended inside a transaction", "bytes 36 to 63"]);
    // Everything before is there.
    assert_eq!(world.total(), 1);
    world.verify();
}
