//! A book that loses its private folders, or is moved away under its run: what can be made is made, and what is said is
//! what was seen.

use std::fs;
use std::path::Path;

use super::world::{World, until, wait};

const CHANGE: &str = "table public.t: INSERT: id[integer]:1\n";

#[test]
fn a_copy_without_empty_folders_is_continued() {
    let world = World::new(CHANGE);
    world.run(&[]).expect(0, &[]);
    for folder in ["staging", "checkpoint"] {
        fs::remove_dir_all(world.book().join("_walbook").join(folder)).expect("it is there");
    }
    world.append(CHANGE);
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), 2);
    world.verify();
}

/// Removes a folder in which a run may be making files.
fn remove(folder: &Path) {
    while folder.exists() {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Starts a run, does something to its book, and lets it write again: it must end by itself.
fn disturbed(disturb: &dyn Fn(&Path), words: &[&str]) -> World {
    let world = World::new(CHANGE);
    let run = world.start(&["--commit-interval", "100ms"]);
    // Files that are committed and still in staging would be lost with it.
    until("what was there is in its place", || {
        let days = fs::read_dir(world.book().join("counts")).into_iter().flatten().flatten();
        days.into_iter().any(|day| day.path().join("counts.parquet").exists())
    });
    disturb(&world.book());
    world.append(CHANGE);
    wait(run).expect(1, words);
    world
}

#[test]
fn a_book_that_is_moved_or_cleaned_up_under_its_run_is_not_called_another_runs() {
    let said = ["no newer run has one", "moved, deleted or cleaned up"];
    let staging = |book: &Path| book.join("_walbook/staging");
    let world = disturbed(&|book| remove(&staging(book)), &said);
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), 2);
    world.verify();

    let aside = |book: &Path| book.with_extension("aside");
    let world = disturbed(&|book| fs::rename(book, aside(book)).expect("it is there"), &said);
    fs::rename(aside(&world.book()), world.book()).expect("it can be moved back");
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), 2);
    world.verify();

    disturbed(&remove, &said);
}

#[test]
fn a_damaged_checkpoint_is_replaced_by_the_next_run() {
    let world = World::new(CHANGE);
    // A checkpoint is due every 64 entries.
    for _ in 0..65 {
        world.run(&["-w", "1"]).expect(0, &[]);
    }
    let folder = world.book().join("_walbook/checkpoint");
    let only = || fs::read_dir(&folder).expect("it is there").map(|entry| entry.expect("it is there").path()).next();
    let checkpoint = only().expect("a checkpoint");
    let mut bytes = fs::read(&checkpoint).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&checkpoint, bytes).expect("a writable file");
    world.append(CHANGE);
    let name = checkpoint.file_name().expect("a name").to_string_lossy().into_owned();
    world
        .run(&[])
        .expect(0, &[&name, "is damaged", "the next `walbook run` replaces it", "removed a damaged checkpoint"]);
    assert!(only().is_some_and(|other| other != checkpoint), "another one is written");
    assert_eq!(world.total(), 2);
    world.verify();
}
