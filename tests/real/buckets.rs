//! Books in a bucket of a real S3 server, which is killed and started again, and behind a proxy that loses answers.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::bucket_proxy::BucketProxy;
use crate::dice::Dice;
use crate::environment::{folder, free_port, is_long, python, unique};
use crate::gateway::{ACCESS_KEY, BUCKET, Gateway, SECRET_KEY, reach};
use crate::running::{Ended, Running};
use crate::topic::{Record, Topic};

/// How long a run to the end of its input may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Waits for the end of a process, which must be a good one.
#[track_caller]
fn done(process: Running) -> Ended {
    let ended = process.wait(LIMIT);
    ended.expect_code(0);
    ended
}

/// An input that grows, and a book in a bucket that has its changes.
struct BucketBook {
    folder: TempDir,
    book: String,
    address: SocketAddr,
    changes: u64,
    transactions: u64,
}

impl BucketBook {
    fn new(name: &str, address: SocketAddr) -> BucketBook {
        let folder = folder(name);
        fs::write(folder.path().join("changes.txt"), "").expect("files can be made");
        BucketBook { folder, book: format!("s3://{BUCKET}/{}", unique(name)), address, changes: 0, transactions: 0 }
    }

    fn input(&self) -> PathBuf {
        self.folder.path().join("changes.txt")
    }

    /// Adds transactions of several tables and days to the input.
    fn grow(&mut self, transactions: u64) {
        let mut text = String::new();
        for _ in 0..transactions {
            let xid = self.transactions;
            self.transactions += 1;
            writeln!(text, "BEGIN {xid}").expect("memory");
            for change in 0..xid % 7 + 1 {
                let table = ["orders", "items", "people"][change as usize % 3];
                writeln!(text, "table public.{table}: INSERT: id[integer]:{change} v[text]:'{}'", "x".repeat(50))
                    .expect("memory");
                self.changes += 1;
            }
            writeln!(text, "COMMIT {xid} (at 2026-11-2{} 12:00:00+00)", xid % 10).expect("memory");
        }
        let file = OpenOptions::new().append(true).open(self.input());
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a file can grow");
    }

    /// Starts a command on the book.
    fn start(&self, command: &str, arguments: &[&str]) -> Running {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.arg(command).arg(&self.book).args(arguments);
        reach(&mut walbook, self.address, self.folder.path());
        Running::start(walbook, self.folder.path())
    }

    fn run(&self, arguments: &[&str]) -> Running {
        let input = self.input();
        let input = ["--input", input.to_str().expect("a plain path"), "--commit-interval", "200ms", "-w", "2"];
        self.start("run", &[&input[..], arguments].concat())
    }

    #[track_caller]
    fn run_to_end(&self) -> Ended {
        done(self.run(&["--until-end"]))
    }

    /// Requires that counts and rows are those of the input, and that the book is whole.
    #[track_caller]
    fn check(&self) {
        let verified = done(self.start("verify", &[]));
        let counted = done(self.start("query", &["--by", "op", "--format", "json"]));
        let counted: Value = serde_json::from_str(&counted.stdout).expect("JSON");
        let rows = counted["rows"].as_array().expect("rows");
        let total: u64 = rows.iter().map(|row| row["count"].as_u64().expect("a count")).sum();
        assert_eq!(total, self.changes, "{}", verified.stdout);
    }
}

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
    let gateway = Gateway::start("bucket-answers");
    let proxy = BucketProxy::before(gateway.address(), Dice::throw("bucket answers"));
    let mut book = BucketBook::new("bucket-answers", proxy.address());
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

#[test]
fn what_is_wrong_with_a_bucket_is_named_and_ends_with_2() {
    let gateway = Gateway::start("bucket-refusals");
    let mut book = BucketBook::new("bucket-refusals", gateway.address());
    book.grow(10);
    let own = book.folder.path();
    let refused = |book: &str, set: &[(&str, &str)], reason: &str| {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.args(["run", book, "--until-end", "--input"]).arg(own.join("changes.txt"));
        reach(&mut walbook, gateway.address(), own);
        walbook.envs(set.iter().copied());
        let ended = Running::start(walbook, own).wait(LIMIT);
        assert_eq!(ended.code(), Some(2), "{book} {set:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(reason), "{book} {set:?}: {}", ended.stderr);
    };
    refused("s3://no-such-bucket/book", &[], "no bucket of this name");
    refused(&book.book, &[("AWS_SECRET_ACCESS_KEY", "another")], "does not accept these credentials");
    refused(&book.book, &[("AWS_ACCESS_KEY_ID", "nobody")], "does not accept these credentials");
    refused("s4://books/book", &[], "s3://, gs:// and az://");
    // Nothing of it was written, and the right one works.
    book.run_to_end();
    book.check();
}
