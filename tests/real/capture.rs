//! `walbook capture` as a user runs it, from a database into a topic.

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::book::{Ended, Running};
use crate::environment;
use crate::topic::Topic;

/// How long a capture to the end may take.
const PATIENCE: Duration = Duration::from_secs(300);

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
    /// Names what is captured where to; nothing is made yet.
    pub(crate) fn new(url: &str, slot: &str, topic: &Topic) -> Capture {
        Capture {
            url: url.to_owned(),
            slot: slot.to_owned(),
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

    /// Makes slot and topic as a first start does, and captures what is there.
    #[track_caller]
    pub(crate) fn first(&self) -> Ended {
        let partitions = self.topic.partitions().to_string();
        self.once(&["--create-slot", "--create-topic", "--partitions", &partitions])
    }

    /// Captures what the server has now; it must exit 0.
    #[track_caller]
    pub(crate) fn once(&self, arguments: &[&str]) -> Ended {
        let ended = self.try_once(arguments);
        ended.expect_code(0);
        ended
    }

    /// Captures what the server has now, or fails.
    #[track_caller]
    pub(crate) fn try_once(&self, arguments: &[&str]) -> Ended {
        self.start(&[&["--once"], arguments].concat()).wait(PATIENCE)
    }
}
