//! Buckets in which a book cannot be, or not any more: each is named, with what to do about it.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::bucket_book::{BucketBook, LIMIT, done};
use crate::dice::Dice;
use crate::gateway::{Gateway, reach};
use crate::running::Running;

/// Waits for the end of a process that must fail so, and say why.
#[track_caller]
fn fails(process: Running, code: i32, reasons: &[&str]) {
    let ended = process.wait(LIMIT);
    assert_eq!(ended.code(), Some(code), "{reasons:?}: {}", ended.stderr);
    assert!(reasons.iter().all(|reason| ended.stderr.contains(reason)), "{reasons:?}: {}", ended.stderr);
}

#[test]
fn a_wrong_bucket_and_wrong_keys_end_with_2() {
    let gateway = Gateway::start("bucket-refusals");
    let mut book = BucketBook::new("bucket-refusals", gateway.address());
    book.grow(10);
    let own = book.folder.path();
    let refused = |book: &str, set: &[(&str, &str)], reason: &str| {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.args(["run", book, "--until-end", "--input"]).arg(own.join("changes.txt"));
        reach(&mut walbook, gateway.address(), own);
        walbook.envs(set.iter().copied());
        fails(Running::start(walbook, own), 2, &[reason]);
    };
    refused("s3://no-such-bucket/book", &[], "no bucket of this name");
    refused(&book.book, &[("AWS_SECRET_ACCESS_KEY", "another")], "does not accept these credentials");
    refused(&book.book, &[("AWS_ACCESS_KEY_ID", "nobody")], "does not accept these credentials");
    refused("s4://books/book", &[], "s3://, gs:// and az://");
    // With the right ones the same book works.
    book.run_to_end();
    book.check();
}

#[test]
fn a_key_that_may_only_read_answers_questions_and_ends_a_run_with_2() {
    let (_gateway, proxy, mut book) = BucketBook::behind_proxy("bucket-read-only");
    let is_write = |request: &str| !request.starts_with("GET ") && !request.starts_with("HEAD ");
    proxy.refuse(is_write, "403 Forbidden", "AccessDenied");
    book.grow(10);
    fails(book.run(&["--until-end"]), 2, &["these credentials may not do this"]);
    let examined = book.start("doctor", &[]).wait(LIMIT);
    assert!(examined.stdout.contains("nothing could be written"), "{}", examined.stdout);

    proxy.refuse(|_| false, "", "");
    book.run_to_end();
    proxy.refuse(is_write, "403 Forbidden", "AccessDenied");
    book.check();
    done(book.start("events", &["--limit", "5"]));
    let examined = done(book.start("doctor", &[]));
    assert!(examined.stdout.contains("nothing could be written"), "{}", examined.stdout);
    for process in
        [book.run(&["--until-end"]), book.start("compact", &["--day", "2026-11-21"]), book.start("rebuild", &[])]
    {
        fails(process, 2, &["these credentials may not do this"]);
    }
    // With another key the book continues where it was.
    proxy.refuse(|_| false, "", "");
    book.grow(10);
    book.run_to_end();
    book.check();
}

#[test]
fn a_clock_that_is_wrong_is_named() {
    let (_gateway, proxy, mut book) = BucketBook::behind_proxy("bucket-clock");
    book.grow(10);
    book.run_to_end();
    proxy.refuse(|_| true, "403 Forbidden", "RequestTimeTooSkewed");
    fails(book.run(&["--until-end"]), 2, &["the clock of this machine", "NTP"]);
    fails(book.start("query", &[]), 2, &["the clock of this machine", "NTP"]);
}

#[test]
fn a_store_that_ignores_conditions_gets_no_book() {
    let gateway = Gateway::start_without_attributes("bucket-conditions");
    let mut book = BucketBook::new("bucket-conditions", gateway.address());
    book.grow(10);
    fails(book.run(&["--until-end"]), 2, &["this object store cannot have a book", "If-None-Match"]);
    let examined = book.start("doctor", &[]).wait(LIMIT);
    assert_eq!(examined.code(), Some(1), "{}", examined.stdout);
    assert!(examined.stdout.contains("If-None-Match"), "{}", examined.stdout);
}

#[test]
fn parts_that_a_rule_of_the_bucket_removed_end_the_next_run_with_3_and_their_offsets() {
    let (gateway, proxy, mut book) = BucketBook::behind_proxy("bucket-parts");
    book.grow(1);
    book.run_to_end();
    // Bytes that hardly compress, more than fit into one part.
    let mut dice = Dice::throw("bucket parts' rows");
    let mut text = "BEGIN 9\n".to_owned();
    for id in 0..80_000 {
        write!(text, "table public.orders: INSERT: id[integer]:{id} v[text]:'").expect("memory");
        (0..48).for_each(|_| write!(text, "{:08x}", dice.below(1 << 32)).expect("memory"));
        text.push_str("'\n");
    }
    text.push_str("COMMIT 9 (at 2026-11-21 12:00:00+00)\n");
    let before = fs::metadata(book.input()).expect("it is there").len();
    let range = format!(": bytes {before} to {} (exclusive)", before + text.len() as u64);
    book.append(&text);
    let input = book.input();
    let input = input.to_str().expect("a plain path");
    // All of it is one commit.
    let run = || book.start("run", &["--input", input, "--until-end", "--commit-interval", "60s", "-w", "1"]);
    let is_completion = |request: &str| request.starts_with("POST ") && request.contains("uploadId=");
    proxy.refuse(is_completion, "403 Forbidden", "AccessDenied");
    fails(run(), 2, &["these credentials may not do this"]);
    proxy.refuse(|_| false, "", "");
    gateway.end_all_uploads();
    // The second start finds what the first one did.
    for _ in 0..2 {
        fails(run(), 3, &["is missing", "lifecycle rule", "events/day=", "its 80000 rows are lost", &range]);
    }
    // A reader cannot know more than that the file is not completed.
    fails(book.start("events", &["--limit", "5"]), 1, &["is not in its place yet"]);
    let verified = book.start("verify", &[]).wait(LIMIT);
    assert_eq!(verified.code(), Some(1), "{}", verified.stdout);
    assert!(verified.stdout.contains("it is not in its place yet"), "{}", verified.stdout);
}
