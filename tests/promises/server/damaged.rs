//! Damaged files: a server names them and keeps running; a command ends with an error. Neither panics, nor allocates the memory
//! that a damaged length asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use walbook::book::verify;
use walbook::change::Classified;
use walbook::query::events;
use walbook::query::{Filter, GroupBy, counts};
use walbook::server::Access;

use super::client::{ask, get};
use super::serve;
use crate::readers::loop_of_rows::{folder, names, open};
use crate::readers::random::Rows;

const SEED: u64 = 90_125;
/// Cases for each of the two files.
const CASES: usize = 150;
/// Cases in which the commands are run too: each is a process.
const COMMANDS: usize = 6;
/// More address space than a question about a small book needs.
const MOST_KIB: u64 = 2 << 20;

/// The first file of a table, by its path in the book.
fn file_of(root: &Path, table: &str) -> String {
    let day = names(&root.join(table)).remove(0);
    let name = names(&root.join(table).join(&day)).remove(0);
    format!("{table}/{day}/{name}")
}

/// Bytes with one kind of damage or another; half of it in the footer.
fn damaged(whole: &[u8], random: &mut Rng) -> Vec<u8> {
    let length = whole.len();
    let footer = u32::from_le_bytes(whole[length - 8..length - 4].try_into().expect("4 bytes")) as usize + 8;
    let begin = if random.u64(..2) == 0 { length - footer } else { 0 };
    let at = begin + random.u64(..(length - begin) as u64) as usize;
    let mut bytes = whole.to_vec();
    match random.u64(..5) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.u64(..8),
        // Lengths are varints, and such bytes make them long.
        2 => bytes[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
        3 => bytes[at..].iter_mut().take(9).for_each(|byte| *byte = 0),
        _ => drop(bytes.drain(at..(at + 1 + random.u64(..40) as usize).min(length))),
    }
    // Zeros may have been zeros.
    if bytes == whole {
        bytes.pop();
    }
    bytes
}

fn command(arguments: &[&str], root: &Path) -> Output {
    let limited = format!("ulimit -v {MOST_KIB}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &limited, env!("CARGO_BIN_EXE_walbook")]).args(arguments).arg(root);
    shell.output().expect("the shell starts")
}

/// The highest address space that this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn damaged_files_are_named_and_the_server_keeps_running() {
    let folder = folder();
    let root = folder.path();
    open(root).commit(Rows::new(SEED).commit(150, 2)).expect("a commit");
    let address = serve(root, Access::default());
    let mut random = Rng::with_seed(SEED);
    let before = peak_kib();
    for (table, question) in [("events", "/api/events?limit=1000"), ("rejects", "/api/rejects?limit=1000")] {
        let path = file_of(root, table);
        let place: PathBuf = root.join(&path);
        let whole = fs::read(&place).expect("a file");
        let expected = get(address, question).body;
        for case in 0..CASES {
            fs::write(&place, damaged(&whole, &mut random)).expect("a file can be written");
            let answer = ask(address, "GET", question, &[]);
            assert_eq!(answer.status, 500, "{table} {case}, seed {SEED}: {}", answer.text());
            let error = &answer.json()["error"];
            assert_eq!(error["code"], "unreadable");
            assert!(error["message"].as_str().is_some_and(|message| message.contains(&path)), "{error}");
            if table == "events" {
                let error = events(root, &Filter::default(), usize::MAX).expect_err("a damaged file");
                assert!(error.to_string().contains(&path) && error.exit_code() == 1, "{error}");
            }
            let report = verify(root, &mut |_| {}).expect("a report");
            assert!(!report.ok, "{table} {case}, seed {SEED}");
            if case < COMMANDS {
                let codes = ["events", "query", "verify"].map(|name| command(&[name], root).status.code());
                // Counts have files of their own.
                let events = if table == "events" { 1 } else { 0 };
                assert_eq!(codes, [Some(events), Some(0), Some(1)], "{table} {case}, seed {SEED}");
            }
        }
        fs::write(&place, &whole).expect("a file can be written");
        assert!(get(address, question).body == expected, "the server keeps running");
    }
    assert!(peak_kib() - before < MOST_KIB, "from {before} to {} KiB", peak_kib());
}

#[test]
fn counts_follow_the_book_while_rejects_cannot_be_read() {
    let folder = folder();
    let mut rows = Rows::new(17);
    let mut book = open(folder.path());
    book.commit(rows.commit(200, 3)).expect("a commit");
    let damaged = folder.path().join(file_of(folder.path(), "rejects"));
    let whole = fs::read(&damaged).expect("a file");
    fs::write(&damaged, &whole[..whole.len() / 2]).expect("it can be written");

    let address = serve(folder.path(), Access::default());
    for _ in 0..3 {
        let commit = book.commit(rows.commit(40, 3)).expect("a commit");
        let began = Instant::now();
        while get(address, "/api/status").json()["durable"]["commit"] != commit {
            assert!(began.elapsed() < Duration::from_secs(20), "counts stand still");
            thread::sleep(Duration::from_millis(20));
        }
        let expected = counts(folder.path(), &Filter::default(), &GroupBy::DEFAULT).expect("an answer");
        let answer = get(address, "/api/counts").json();
        let sum = |rows: &serde_json::Value| {
            rows.as_array().expect("rows").iter().filter_map(|row| row["count"].as_u64()).sum::<u64>()
        };
        assert_eq!(sum(&answer["rows"]), expected.rows.iter().map(|row| row.count).sum::<u64>());
    }
}
