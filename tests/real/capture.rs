//! `walbook capture` as a user runs it, from a database into a topic.

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::book::{Ended, Running};
use crate::captured::lsn;
use crate::database::Database;
use crate::environment;
use crate::topic::Topic;

/// How long a capture to the end may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The settings of one capture; it may run many times.
pub(crate) struct Capture {
    /// The database's URL.
    pub(crate) url: String,
    pub(crate) slot: String,
    pub(crate) topic: Topic,
    /// The binary.
    pub(crate) program: OsString,
    folder: TempDir,
}

impl Capture {
    /// Names the slot and the topic; nothing is created yet.
    pub(crate) fn new(database: &Database, topic: &Topic) -> Capture {
        Capture {
            url: database.url(),
            slot: format!("{}_captured", database.name),
            topic: topic.clone(),
            program: env!("CARGO_BIN_EXE_walbook").into(),
            folder: environment::folder("capture"),
        }
    }

    /// Starts it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut walbook = Command::new(&self.program);
        walbook
            .args(["capture", "--postgres", &self.url, "--slot", &self.slot])
            .args(["--brokers", &self.topic.brokers, "--topic", &self.topic.name])
            .args(arguments);
        Running::start(walbook, self.folder.path())
    }

    /// Starts it for the first time: it creates slot and topic.
    pub(crate) fn start_first(&self) -> Running {
        let partitions = self.topic.partitions().to_string();
        self.start(&["--create-slot", "--create-topic", "--partitions", &partitions])
    }

    /// Creates slot and topic and captures the changes so far.
    #[track_caller]
    pub(crate) fn first(&self) {
        let partitions = self.topic.partitions().to_string();
        self.once(&["--create-slot", "--create-topic", "--partitions", &partitions]);
    }

    /// Captures what the server has now; it must exit 0.
    #[track_caller]
    pub(crate) fn once(&self, arguments: &[&str]) -> Ended {
        self.once_with_code(0, arguments)
    }

    /// Captures what the server has now, or fails; it must exit with `code`.
    #[track_caller]
    pub(crate) fn once_with_code(&self, code: i32, arguments: &[&str]) -> Ended {
        let ended = self.start(&[&["--once"], arguments].concat()).wait(TIMEOUT);
        ended.expect_code(code);
        ended
    }
}

/// Fails unless its messages name a range of the WAL that ends at `to` and starts in `from..to`.
#[track_caller]
pub(crate) fn expect_range(ended: &Ended, from: u64, to: u64) {
    let words = ended.stderr.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '/');
    let named: Vec<u64> = words.filter_map(lsn).collect();
    assert!(
        named.contains(&to) && named.iter().any(|&start| (from..to).contains(&start)),
        "no range from {from:X} to {to:X} in:\n{}",
        ended.stderr
    );
}
