//! A file grows between runs and under them; a run is killed, stopped, and continued.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use walbook::book::log::commit_log;
use walbook::store::Disk;

use super::world::{World, terminate, until, wait};

/// A transaction of so many inserts, one of them with a line break in its value.
fn transaction(xid: u64, changes: u64) -> String {
    let mut text = format!("BEGIN {xid}\n");
    for change in 0..changes {
        writeln!(text, "table public.t: INSERT: id[integer]:{change} v[text]:'a\nCOMMIT {xid}'").expect("memory");
    }
    writeln!(text, "COMMIT {xid} (at 2026-11-2{} 12:00:00+00)", xid % 10).expect("memory");
    text
}

#[test]
fn a_file_that_grew_is_continued_and_its_last_transaction_waits_for_its_commit() {
    let world = World::new("");
    world.run(&[]).expect(0, &[]);
    world.append(&transaction(1, 3));
    let (whole, rest) = (transaction(2, 2), "COMMIT 2 (at 2026-11-22 12:00:00+00)\n".len());
    let before = transaction(1, 3).len() as i64;
    world.append(&whole[..whole.len() - rest]);
    world.run(&[]).expect(
        0,
        &["no COMMIT yet", &format!("from={before}"), &format!("to={}", before + (whole.len() - rest) as i64)],
    );
    assert_eq!((world.total(), world.position().0), (3, before));
    world.run(&[]).expect(0, &["no COMMIT yet"]);
    world.append(&whole[whole.len() - rest..]);
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), 5);
    // A last line without its end is a record.
    world.append("{\"data\":\"table public.t: DELETE:\"}");
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), 6);
    let (position, entries) = world.position();
    world.run(&[]).expect(0, &[]);
    // A fence, and nothing else.
    assert_eq!(world.position(), (position, entries + 1));
    world.verify();
}

#[test]
fn a_followed_file_is_read_as_it_grows_and_a_stop_commits_what_is_read() {
    let world = World::new(&transaction(1, 2));
    let run = world.start(&["--commit-interval", "100ms"]);
    until("what was there is read", || world.total() == 2);
    let text = transaction(2, 3);
    for piece in text.as_bytes().chunks(17) {
        world.append(str::from_utf8(piece).expect("plain text"));
        thread::sleep(Duration::from_millis(2));
    }
    until("what was added is read", || world.total() == 5);
    world.append("BEGIN 3\ntable public.t: INSERT:\n");
    thread::sleep(Duration::from_millis(300));
    terminate(&run);
    wait(run).expect(0, &["asked to end"]);
    assert_eq!(world.total(), 5);
    world.append("COMMIT 3\n");
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), 6);
    world.verify();
}

#[test]
fn a_killed_run_loses_nothing_and_repeats_nothing() {
    let world = World::new("");
    let mut changes = 0;
    for turn in 0..8_u64 {
        let mut run = world.start(&["--commit-interval", "100ms", "-w", ["1", "2", "3"][turn as usize % 3]]);
        for xid in 0..6 {
            world.append(&transaction(turn * 10 + xid, 40));
            changes += 40;
            thread::sleep(Duration::from_millis(20 + 7 * turn));
        }
        run.kill().expect("it is our child");
        run.wait().expect("it is our child");
        assert!(world.total() <= changes);
    }
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), changes);
    world.verify();
    let mut offsets: Vec<i64> = world.events().iter().map(|event| event.offset).collect();
    offsets.dedup();
    assert_eq!(offsets.len() as u64, changes);
}

#[test]
fn a_transaction_larger_than_memory_stays_in_one_commit() {
    // About 90 MB: beyond what is held in memory.
    let filler = "x".repeat(400);
    let mut text = format!("{}BEGIN 2\n", transaction(1, 5));
    let begin = text.len() as i64 - 8;
    for change in 0..200_000 {
        writeln!(text, "table public.t: INSERT: id[integer]:{change} v[text]:'{filler}'").expect("memory");
    }
    text += "COMMIT 2 (at 2026-11-22 12:00:00+00)\n";
    let end = text.len() as i64;
    text += &transaction(3, 5);
    let world = World::new(&text);
    world.run(&["--commit-interval", "100ms"]).expect(0, &[]);
    assert_eq!(world.total(), 200_010);
    let disk = Disk::new(world.book());
    for number in 0..world.position().1 {
        let entry = commit_log::read_entry(&disk, number).expect("a log").expect("it is there").entry;
        for position in entry.topics.values().flat_map(|topic| topic.positions.values()) {
            let to = position.interval.to;
            assert!(to <= begin || to >= end, "entry {number} ends at {to}, between {begin} and {end}");
        }
    }
    assert!(world.events().iter().filter(|event| event.xid == Some(2)).count() == 200_000);
    world.verify();
}
