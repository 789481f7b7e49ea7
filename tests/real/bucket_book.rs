//! A book in a bucket, of an input that grows, and the commands of a user on it.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::bucket_proxy::BucketProxy;
use crate::dice::Dice;
use crate::environment::{folder, unique};
use crate::gateway::{BUCKET, Gateway, reach};
use crate::running::{Ended, Running};

/// How long a run to the end of its input may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

/// Waits for the end of a process, which must be a good one.
#[track_caller]
pub(crate) fn done(process: Running) -> Ended {
    let ended = process.wait(LIMIT);
    ended.expect_code(0);
    ended
}

/// An input that grows, and a book in a bucket that has its changes.
pub(crate) struct BucketBook {
    pub(crate) folder: TempDir,
    pub(crate) book: String,
    pub(crate) address: SocketAddr,
    pub(crate) changes: u64,
    transactions: u64,
}

impl BucketBook {
    pub(crate) fn new(name: &str, address: SocketAddr) -> BucketBook {
        let folder = folder(name);
        fs::write(folder.path().join("changes.txt"), "").expect("files can be made");
        BucketBook { folder, book: format!("s3://{BUCKET}/{}", unique(name)), address, changes: 0, transactions: 0 }
    }

    /// A server of its own, a proxy before it, and a book behind both.
    pub(crate) fn behind_proxy(name: &str) -> (Gateway, BucketProxy, BucketBook) {
        let gateway = Gateway::start(name);
        let proxy = BucketProxy::before(gateway.address(), Dice::throw(name));
        let book = BucketBook::new(name, proxy.address());
        (gateway, proxy, book)
    }

    pub(crate) fn input(&self) -> PathBuf {
        self.folder.path().join("changes.txt")
    }

    /// Adds transactions of several tables and days to the input.
    pub(crate) fn grow(&mut self, transactions: u64) {
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
        self.append(&text);
    }

    /// Adds text to the input.
    pub(crate) fn append(&self, text: &str) {
        let file = OpenOptions::new().append(true).open(self.input());
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a file can grow");
    }

    /// Starts a command on the book.
    pub(crate) fn start(&self, command: &str, arguments: &[&str]) -> Running {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.arg(command).arg(&self.book).args(arguments);
        reach(&mut walbook, self.address, self.folder.path());
        Running::start(walbook, self.folder.path())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Running {
        let input = self.input();
        let input = ["--input", input.to_str().expect("a plain path"), "--commit-interval", "200ms", "-w", "2"];
        self.start("run", &[&input[..], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn run_to_end(&self) -> Ended {
        done(self.run(&["--until-end"]))
    }

    /// Requires that counts and rows are those of the input, and that the book is whole.
    #[track_caller]
    pub(crate) fn check(&self) {
        let verified = done(self.start("verify", &[]));
        let counted = done(self.start("query", &["--by", "op", "--format", "json"]));
        let counted: Value = serde_json::from_str(&counted.stdout).expect("JSON");
        let rows = counted["rows"].as_array().expect("rows");
        let total: u64 = rows.iter().map(|row| row["count"].as_u64().expect("a count")).sum();
        assert_eq!(total, self.changes, "{}", verified.stdout);
    }
}
