//! Records that cannot be read are never silent: the log and the exit code of a run say so.

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::world::{Ended, World, terminate, until, wait};

/// What `psql -A` prints of a query with three columns whose separator is not known.
const UNREADABLE: &str = "0/E1AC820~138168~BEGIN 138168\n0/E1B0B48~138168~table public.ev: TRUNCATE: (no-flags)\n";

fn count(ended: &Ended, words: &str) -> usize {
    ended.stderr_text.matches(words).count()
}

#[test]
fn a_run_ends_with_the_number_of_rejects_and_the_command_that_shows_them() {
    let world = World::new(&format!("table a.b: INSERT:\n{UNREADABLE}"));
    let ended = world.run(&[]);
    let command = format!("walbook rejects {}", world.book().display());
    let place = format!("{}, byte 19", world.input().display());
    assert_eq!(count(&ended, "could not read a record"), 1, "{}", ended.stderr_text);
    ended
        .expect(0, &["2 of 3 records could not be read", &command, &place, "not a line of test_decoding", "rejects=2"]);
    assert_eq!(world.rejects().iter().map(|(_, count)| count).sum::<u64>(), 2);
    // The second run reads nothing, and has nothing to say.
    let second = world.run(&["--fail-on-rejects"]);
    assert!(!second.stderr_text.contains("could not"), "{}", second.stderr_text);
    second.expect(0, &["rejects=0"]);
}

/// Runs the binary, and returns what it prints.
fn printed(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_walbook"));
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WALBOOK_")) {
        command.env_remove(variable);
    }
    let output = command.args(arguments).output().expect("the binary is built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_answer_says_how_many_records_could_not_be_read() {
    let world = World::new(&format!("table a.b: INSERT:\n{UNREADABLE}"));
    world.run(&[]).expect(0, &[]);
    let book = world.book().display().to_string();
    let expected = serde_json::json!({ "in_range": 2, "total": 2, "without_day": 2 });
    for command in ["query", "events", "rejects"] {
        // Records of a file have no timestamp, so they may be of any day.
        for days in [&[][..], &["--from", "2020-01-01", "--to", "2020-01-02"]] {
            let table = printed(&[&[command, &book], days].concat());
            let last = table.lines().find(|line| line.starts_with("Complete to")).expect("a line");
            assert!(last.contains("could not be read and are not counted"), "{last}");
            let command_line = format!("To list them: walbook rejects {book} {}", days.join(" "));
            assert!(command == "rejects" || table.trim_end().ends_with(command_line.trim_end()), "{table}");
            let json = printed(&[&[command, &book, "--format", "json"], days].concat());
            let answer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            assert_eq!(answer["rejects"], expected, "{command}");
        }
    }
}

#[test]
fn rejects_are_listed_with_their_reasons_and_whole_page_by_page() {
    let long = format!("\u{1b}[31m{}", "x".repeat(500));
    let world = World::new(&format!("{UNREADABLE}{long}\n"));
    world.run(&[]).expect(0, &[]);
    let book = world.book().display().to_string();
    let table = printed(&["rejects", &book]);
    assert_eq!(table.matches("not a line of test_decoding").count(), 3, "{table}");
    assert!(table.contains("\\u{1b}[31mxxx") && table.contains("xxx…") && !table.contains(&long), "{table}");
    let mut cursor: Vec<String> = Vec::new();
    let mut values = Vec::new();
    loop {
        let mut arguments = vec!["rejects", &book, "--format", "json", "--limit", "2", "--reason", "LINE"];
        arguments.extend(cursor.iter().map(String::as_str));
        let answer: serde_json::Value = serde_json::from_str(&printed(&arguments)).expect("JSON");
        let rows = answer["rows"].as_array().expect("rows");
        values.extend(rows.iter().map(|row| row["value"].as_str().expect("a text").to_owned()));
        match answer["next"].as_str() {
            Some(next) => cursor = vec!["--cursor".to_owned(), next.to_owned()],
            None => break,
        }
    }
    let expected: Vec<&str> = UNREADABLE.lines().chain([long.as_str()]).rev().collect();
    assert_eq!(values, expected);
    for (filter, rows) in [(["--reason", "debezium"], 0), (["--source", "other"], 0), (["--partition", "0"], 3)] {
        let text = printed(&[&["rejects", &book, "--format", "csv"], &filter[..]].concat());
        assert_eq!(text.lines().count(), 1 + rows, "{filter:?}: {text}");
    }
}

#[test]
fn rejects_fail_a_run_that_asks_for_it_after_they_are_committed() {
    let world = World::new(UNREADABLE);
    world.run(&["--fail-on-rejects"]).expect(1, &["2 records could not be read", "--fail-on-rejects"]);
    assert_eq!(world.rejects().iter().map(|(_, count)| count).sum::<u64>(), 2);
    world.verify();
    world.append("table a.b: INSERT:\n");
    world.run(&["--fail-on-rejects"]).expect(0, &[]);
    assert_eq!(world.total(), 1);
}

#[test]
fn rejects_fail_a_run_that_is_stopped() {
    let world = World::new(UNREADABLE);
    let run = world.start(&["--fail-on-rejects", "--commit-interval", "100ms"]);
    until("the rejects are committed", || world.book().join("rejects").is_dir() && !world.rejects().is_empty());
    terminate(&run);
    wait(run).expect(1, &["2 records could not be read", "--fail-on-rejects"]);
}

#[test]
fn a_run_that_can_read_nothing_warns_before_its_first_commit() {
    let world = World::new(&UNREADABLE.repeat(600));
    let mut run = world.start(&["--commit-interval", "10m"]);
    let stderr = BufReader::new(run.stderr.take().expect("it is piped"));
    let (lines, read) = channel();
    thread::spawn(move || stderr.lines().map_while(Result::ok).all(|line| lines.send(line).is_ok()));
    let line = loop {
        let line = read.recv_timeout(Duration::from_secs(60)).expect("it warns within a minute");
        if line.contains("none of the first") {
            break line;
        }
    };
    run.kill().and_then(|()| run.wait()).expect("it is our child");
    for words in ["0/E1AC820~138168~BEGIN 138168", "not a line of test_decoding", "pg_logical_slot_get_changes"] {
        assert!(line.contains(words), "{words:?} is not in {line}");
    }
    assert!(!world.book().join("rejects").is_dir(), "nothing was committed");
}
