//! Books in a bucket of a real S3 server, which is killed and started again, and behind a proxy that loses answers.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::bucket_book::{BucketBook, LIMIT, done};
use crate::bucket_proxy::BucketProxy;
use crate::dice::Dice;
use crate::environment::{folder, free_port, is_long, python};
use crate::gateway::{ACCESS_KEY, Gateway, SECRET_KEY, reach};
use crate::running::Running;
use crate::topic::{Record, Topic};

#[test]
fn a_killed_run_and_a_killed_server_lose_nothing_and_repeat_nothing() {
    let mut gateway = Gateway::start("bucket-kills");
    let mut book = BucketBook::new("bucket-kills", gateway.address());
    let mut dice = Dice::throw("bucket kills");
    for turn in 0..if is_long() { 40 } else { 10 } {
        book.grow(200);
        let run = book.run(&[]);
        thread::sleep(Duration::from_millis(300 + dice.below(1500)));
        if turn % 3 == 2 {
            gateway.kill();
            thread::sleep(Duration::from_millis(dice.below(500)));
            gateway.restart();
            thread::sleep(Duration::from_millis(dice.below(500)));
        }
        run.kill();
    }
    book.run_to_end();
    book.check();
}

#[test]
fn answers_that_are_lost_or_wrong_lose_nothing_and_repeat_nothing() {
    let (_gateway, proxy, mut book) = BucketBook::behind_proxy("bucket-answers");
    book.grow(50);
    book.run_to_end();
    proxy.disturb(100);
    let seen = |proxy: &BucketProxy| {
        let [lost, refused, conflicts, delayed] = proxy.faults();
        lost > 5 && refused > 5 && conflicts > 1 && delayed > 5
    };
    let turns = if is_long() { 30 } else { 6 };
    for turn in 0..5 * turns {
        if turn >= turns && seen(&proxy) {
            break;
        }
        book.grow(300);
        let run = book.run(&["--until-end"]);
        if turn % 2 == 0 {
            // A run that gives up is continued by the next one; none may be fenced by itself.
            let ended = run.wait(LIMIT);
            assert_ne!(ended.code(), Some(4), "{}", ended.stderr);
        } else {
            thread::sleep(Duration::from_millis(1500));
            run.kill();
        }
    }
    proxy.disturb(0);
    book.run_to_end();
    book.check();
    assert!(seen(&proxy), "{:?}", proxy.faults());
}

/// delta-rs and Polars, which read the newest versions again and again.
fn start_delta_reader(book: &BucketBook) -> Child {
    let mut python = Command::new(python());
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/delta.py")).args(["bucket", &book.book, "-"]);
    python.env("DELTA_ENDPOINT", format!("http://{}", book.address));
    python.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts")
}

/// What it has read last, when its input is closed.
#[track_caller]
fn delta_totals(mut reader: Child) -> (u64, u64) {
    drop(reader.stdin.take());
    let output = reader.wait_with_output().expect("a child can be waited for");
    assert!(output.status.success(), "delta.py failed: {}", output.status);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("delta.py prints JSON");
    println!("delta-rs and Polars in a bucket: {answer}");
    let total = |table: &str| answer["totals"][table].as_u64().expect("a number");
    (total("events"), total("counts"))
}

#[test]
fn delta_tables_in_a_bucket_have_their_files_while_days_are_merged_and_pruned() {
    const DELTA: [&str; 4] = ["--delta", "on", "--delta-interval", "1s"];
    let gateway = Gateway::start("bucket-delta");
    let mut book = BucketBook::new("bucket-delta", gateway.address());
    book.grow(200);
    done(book.run(&[&["--until-end"][..], &DELTA].concat()));
    let reader = start_delta_reader(&book);
    let mut run = book.run(&DELTA);
    run.await_said("reading ");
    for day in ["2026-11-21", "2026-11-22", "2026-11-23"] {
        book.grow(100);
        thread::sleep(Duration::from_millis(1500));
        done(book.start("compact", &["--day", day]));
    }
    run.signal("TERM");
    done(run);
    let all = book.changes;
    assert_eq!(delta_totals(reader), (all, all));
    book.check();

    let reader = start_delta_reader(&book);
    let run = book.run(&DELTA);
    done(book.start("prune", &["--before", "2026-11-24"]));
    thread::sleep(Duration::from_millis(1500));
    run.signal("TERM");
    done(run);
    let (events, counts) = delta_totals(reader);
    assert!(events > 0 && events < all && counts == all, "{events} events and {counts} counts of {all}");
    book.check();
}

#[test]
fn questions_beside_a_run_are_answered_from_the_bucket() {
    let gateway = Gateway::start("bucket-readers");
    let mut book = BucketBook::new("bucket-readers", gateway.address());
    book.grow(100);
    book.run_to_end();
    book.check();
    let run = book.run(&[]);
    for _ in 0..5 {
        book.grow(100);
        let counted = done(book.start("query", &["--by", "op", "--format", "json"]));
        let counted: Value = serde_json::from_str(&counted.stdout).expect("JSON");
        let total = counted["rows"][0]["count"].as_u64().expect("a count");
        assert!(total <= book.changes, "{total} of {}", book.changes);
        done(book.start("events", &["--limit", "5", "--where", "new.id = '1'"]));
        done(book.start("verify", &[]));
    }
    run.signal("TERM");
    done(run);
    book.run_to_end();
    done(book.start("compact", &["--day", "2026-11-21", "--day", "2026-11-22"]));
    book.check();
    // Days of which files are merged, and are not; counts keep them.
    let pruned = done(book.start("prune", &["--before", "2026-11-24"]));
    assert!(pruned.stdout.contains("are pruned"), "{}", pruned.stdout);
    book.check();
    done(book.start("rebuild", &[]));
    book.check();
    let examined = done(book.start("doctor", &[]));
    assert!(examined.stdout.contains("object store"), "{}", examined.stdout);
}

#[test]
fn two_processes_need_no_shared_directory() {
    let gateway = Gateway::start("bucket-cluster");
    let topic = Topic::create("bucket_cluster", 4);
    let records = (0..4000).map(|number| {
        let value = format!("table public.orders: INSERT: id[integer]:{number}");
        Record { partition: number % 4, time: 1_764_000_000_000, value: Some(value.into_bytes()), ..Record::default() }
    });
    topic.produce(records);
    let book = BucketBook::new("bucket-cluster", gateway.address());
    let ports = [free_port(), free_port()];
    let hosts = book.folder.path().join("hosts");
    fs::write(&hosts, ports.map(|port| format!("127.0.0.1:{port}\n")).concat()).expect("files can be made");
    let hosts = hosts.to_str().expect("a plain path").to_owned();
    let processes = ["0", "1"].map(|process| {
        let own = folder("bucket-process");
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.arg("run").arg(&book.book).args(["--brokers", &topic.brokers, "--topic", &topic.name, "--until-end"]);
        walbook.args(["-n", "2", "-p", process, "--hosts", &hosts, "-w", "1", "--commit-interval", "500ms"]);
        reach(&mut walbook, gateway.address(), own.path());
        walbook.current_dir(own.path());
        (Running::start(walbook, own.path()), own)
    });
    for (process, _own) in processes {
        done(process);
    }
    let counted = done(book.start("query", &["--by", "op", "--format", "json"]));
    let counted: Value = serde_json::from_str(&counted.stdout).expect("JSON");
    assert_eq!(counted["rows"][0]["count"].as_u64(), Some(4000), "{counted}");
    done(book.start("verify", &[]));
}
