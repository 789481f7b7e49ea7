//! What cannot be an input, and what a book is not made from: exit code 2, before anything is touched.

use std::process::Command;

use crate::support::book_builder::BookBuilder;

use super::world::{World, wait};

#[test]
fn a_path_that_is_not_a_file_is_refused() {
    let world = World::new("");
    let folder = world.input().parent().expect("it has one").display().to_string();
    for (input, words) in [(folder.as_str(), "it is a directory"), ("/nowhere/at/all", "no such file"), ("", "--input")]
    {
        wait(world.start_from(input, &["--until-end"])).expect(2, &[words]);
    }
}

#[test]
fn standard_input_only_makes_a_new_book() {
    let world = World::new("table a.b: INSERT:\n");
    world.pipe(b"table a.b: INSERT:\n").expect(0, &[]);
    world.pipe(b"table a.b: INSERT:\n").expect(2, &["only makes a new book"]);
    assert_eq!(world.total(), 1);
    // A file may follow it.
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), 2);
    world.verify();
}

#[test]
fn a_pipe_by_name_is_read_like_standard_input() {
    let world = World::new("");
    let pipe = world.input().with_extension("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    let run = world.start_from(pipe.to_str().expect("a plain path"), &[]);
    std::fs::write(&pipe, "table a.b: INSERT:\ntable a.b: DELETE:").expect("a run reads it");
    wait(run).expect(0, &[]);
    assert_eq!(world.total(), 2);
    world.verify();
    wait(world.start_from(pipe.to_str().expect("a plain path"), &[])).expect(2, &["only makes a new book"]);
}

#[test]
fn a_topic_of_kafka_is_no_file() {
    let world = World::new("");
    let name = world.input().display().to_string();
    std::fs::create_dir(world.book()).expect("a folder can be made");
    drop(BookBuilder::open(&world.book(), "UTC", &[(name.as_str(), 1)]).expect("a new book"));
    world.run(&[]).expect(2, &["Kafka topic", "file"]);
}

#[test]
fn one_input_is_read_by_one_process() {
    let world = World::new("");
    wait(world.start(&["--brokers", "localhost:1", "--topic", "t"])).expect(2, &["one place"]);
    wait(world.start(&["--group", "g"])).expect(2, &["--group"]);
    wait(world.start(&["--spill-dir", "/nowhere/at/all"])).expect(2, &["--spill-dir /nowhere/at/all"]);
    world.run(&["--spill-dir", "/tmp"]).expect(0, &[]);
    wait(world.start(&["-n", "2", "-p", "0", "--hosts", "/dev/null"])).expect(2, &["-n"]);
}

#[test]
fn a_file_is_not_read_under_a_second_name() {
    for first in ["table a.b: INSERT:\n", ""] {
        let world = World::new(first);
        world.run(&[]).expect(0, &[]);
        world.append("table a.b: DELETE:\n");
        let path = world.input();
        let folder = path.parent().expect("it has one");
        let link = folder.join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link can be made");
        let dotted = folder.join(".").join("changes.txt").display().to_string();
        let known = format!("{:?}", path.display().to_string());
        for name in [&dotted, &link.display().to_string()] {
            wait(world.start_from(name, &["--until-end"])).expect(2, &["would count twice", &known]);
        }
        world.run(&[]).expect(0, &[]);
        let other = folder.join("other");
        std::fs::write(&other, "table c.d: INSERT:\n").expect("a file can be written");
        let total = world.total();
        wait(world.start_from(&other.display().to_string(), &["--until-end"])).expect(0, &[]);
        assert_eq!(world.total(), total + 1);
        world.verify();
    }
}
