//! A file that is not what it was, and a stream that ends too early: an error with the range, exit code 3. A line that is still
//! being written waits.

use std::fs;

use super::world::{World, cut, until, wait};

const THREE: &str = "table a.b: INSERT:\ntable a.b: INSERT:\ntable a.b: INSERT:\n";

#[test]
fn a_file_that_was_cut_is_an_error_with_the_missing_bytes() {
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
    // The old file grows further under another name.
    let old = world.input().with_extension("old");
    fs::rename(world.input(), &old).expect("a file can be renamed");
    fs::write(world.input(), THREE.replace("a.b", "c.d").repeat(2)).expect("a file can be written");
    fs::write(&old, THREE.repeat(2)).expect("a file can be written");
    wait(run).expect(3, &["another file"]);
    assert_eq!(world.total(), 3);
    world.verify();
}

#[test]
fn a_file_that_is_replaced_and_then_left_alone_ends_a_run_that_follows() {
    // Empty at the start, so its first fingerprint fits every file.
    for first in [THREE, ""] {
        let world = World::new(first);
        let run = world.start(&["--commit-interval", "100ms"]);
        until("it has begun", || world.position().1 > 0);
        if first.is_empty() {
            world.append(THREE);
        }
        until("it is read", || world.total() == 3);
        // Time for a look at what was read.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        fs::rename(world.input(), world.input().with_extension("old")).expect("a file can be renamed");
        let new = world.input().with_extension("new");
        fs::write(&new, THREE.replace("a.b", "c.d")).expect("a file can be written");
        fs::rename(new, world.input()).expect("a file can be renamed");
        wait(run).expect(3, &["another file"]);
        assert_eq!(world.total(), 3);
        world.verify();
    }
}

#[test]
fn standard_input_that_ends_inside_a_transaction_is_an_error_with_the_range() {
    let world = World::new("");
    let text = "BEGIN 1\ntable a.b: INSERT:\nCOMMIT 1\nBEGIN 2\ntable a.b: INSERT:\n";
    world.pipe(text.as_bytes()).expect(3, &["ended inside a transaction", "bytes 36 to 63"]);
    // Everything before is there.
    assert_eq!(world.total(), 1);
    world.verify();
}

/// A transaction, and where in it its lines end.
const WHOLE: &str = "BEGIN 693\ntable a.b: INSERT: v[text]:'one\nCOMMIT 5'\ntable a.b: DELETE: id[integer]:12\nCOMMIT 693 (at 2026-11-22 12:00:00+00)\n";

#[test]
fn a_line_that_is_still_written_is_left_to_the_next_run() {
    let before = "table a.b: UPDATE: id[integer]:1\n";
    for cut in 1..WHOLE.len() {
        // Few of them through the binary; all that matter: inside each line, at a break inside quotes, after `COMMIT 69`.
        let cut_text = &WHOLE[..cut];
        if !["BEGIN 6", ":'one\n", "\nCOMMIT 5'", ":1", "COMMIT 69", "+00)"].iter().any(|end| cut_text.ends_with(end)) {
            continue;
        }
        let world = World::new(&[before, cut_text].concat());
        let range = [format!("from={}", before.len()), format!("to={}", before.len() + cut)];
        world.run(&[]).expect(0, &["not read", &range[0], &range[1]]);
        assert_eq!((world.total(), world.position().0), (1, before.len() as i64), "{cut_text}");
        world.append(&WHOLE[cut..]);
        world.run(&[]).expect(0, &[]);
        assert_eq!((world.total(), world.rejects()), (3, vec![]), "{cut_text}");
        assert!(
            world.events()[1..].iter().all(|event| event.xid == Some(693) && event.commit_time.is_some()),
            "{cut_text}"
        );
        world.verify();
    }
}

#[test]
fn only_a_whole_value_needs_no_line_end() {
    let value = "{\"xid\":7,\"data\":\"table a.b: INSERT: v[text]:'}'\"}";
    for cut in [1, value.find('}').expect("it has two") + 1, value.len() - 1] {
        let world = World::new(&[value, "\n", &value[..cut]].concat());
        world.run(&[]).expect(0, &["not whole yet", &format!("from={}", value.len() + 1)]);
        assert_eq!((world.total(), world.rejects()), (1, vec![]));
        world.append(&value[cut..]);
        world.run(&[]).expect(0, &[]);
        assert_eq!(world.total(), 2);
        // Its line end comes late, and is an empty line then.
        world.append(&["\n", value, "\n"].concat());
        world.run(&[]).expect(0, &[]);
        assert_eq!((world.total(), world.rejects()), (3, vec![]));
        world.verify();
    }
    // What comes from a stream is all there is.
    for (text, total, rejects) in [(value, 1, 0), (&value[..9], 0, 1), ("table a.b: INSERT:", 1, 0)] {
        let world = World::new("");
        world.pipe(text.as_bytes()).expect(0, &[]);
        assert_eq!((world.total(), world.rejects().iter().map(|(_, count)| count).sum()), (total, rejects), "{text}");
        world.verify();
    }
}
