//! A folder with an input and a book, and the binary that makes one of the other.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use walbook::book::log::commit_log;
use walbook::book::{self, Report, Snapshot};
use walbook::query::{self, CountRow, Event, Filter, GroupBy};
use walbook::store::Disk;

/// How long anything may take.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    folder: TempDir,
}

/// How a run ended, and its output.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr_text: String,
}

impl World {
    pub(crate) fn new(input: &str) -> World {
        let world = World { folder: tempfile::tempdir().expect("a temporary directory") };
        fs::write(world.input(), input).expect("a file can be written");
        world
    }

    pub(crate) fn input(&self) -> PathBuf {
        self.folder.path().join("changes.txt")
    }

    pub(crate) fn book(&self) -> PathBuf {
        self.folder.path().join("book")
    }

    pub(crate) fn append(&self, text: &str) {
        let file = OpenOptions::new().append(true).open(self.input());
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a file can grow");
    }

    /// Starts a run from some input, which is standard input for `-`.
    pub(crate) fn start_from(&self, input: &str, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walbook"));
        command.args(["run", "--log-format", "human", "--input", input]).arg(self.book()).args(arguments);
        if !arguments.contains(&"-w") {
            command.args(["-w", "2"]);
        }
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WALBOOK_")) {
            command.env_remove(variable);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        child.expect("the binary is built")
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.start_from(self.input().to_str().expect("a plain path"), arguments)
    }

    /// Runs to the end that the file has now.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        wait(self.start(&[&["--until-end"], arguments].concat()))
    }

    /// Runs from standard input.
    pub(crate) fn pipe(&self, text: &[u8]) -> Ended {
        let mut child = self.start_from("-", &[]);
        let mut pipe = child.stdin.take().expect("it is piped");
        // A run that refuses does not read.
        let _ = pipe.write_all(text);
        drop(pipe);
        wait(child)
    }

    pub(crate) fn verify(&self) -> Report {
        let report = book::verify(self.book(), &mut |_| {}).expect("a book");
        assert!(report.ok, "{report:#?}");
        report
    }

    /// Changes in the order of the input.
    pub(crate) fn events(&self) -> Vec<Event> {
        let answer = query::events(self.book(), &Filter::default(), usize::MAX).expect("a book");
        let mut events = answer.rows;
        events.sort_by_key(|event| (event.offset, event.ordinal));
        events
    }

    /// Counts by `schema.table OP`.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let rows = self.rows(&[GroupBy::Table, GroupBy::Op]);
        let name = |row: &CountRow| {
            let (table, op) = (row.table.as_ref().expect("asked for"), row.op.expect("asked for"));
            format!("{}.{} {op}", table.schema, table.table)
        };
        rows.iter().map(|row| (name(row), row.count)).collect()
    }

    pub(crate) fn total(&self) -> u64 {
        self.rows(&[GroupBy::Op]).iter().map(|row| row.count).sum()
    }

    pub(crate) fn days(&self) -> Vec<(String, u64)> {
        let rows = self.rows(&[GroupBy::Day]);
        rows.iter().map(|row| (row.day.expect("asked for").to_string(), row.count)).collect()
    }

    fn rows(&self, by: &[GroupBy]) -> Vec<CountRow> {
        query::counts(self.book(), &Filter::default(), by).map(|answer| answer.rows).unwrap_or_default()
    }

    /// The first byte that is not in the book, and how many entries there are.
    pub(crate) fn position(&self) -> (i64, u64) {
        let disk = Disk::new(self.book());
        let (mut next, mut entries) = (0, 0);
        while let Some(logged) = commit_log::read_entry(&disk, entries).expect("a log") {
            let topics = logged.entry.topics.values().flat_map(|topic| topic.positions.values());
            next = topics.map(|position| position.interval.to).max().unwrap_or(next);
            entries += 1;
        }
        (next, entries)
    }

    /// The fields that could not be read, as the state of the book counts them.
    pub(crate) fn unreadable_fields(&self) -> u64 {
        let snapshot = Snapshot::take(self.book()).expect("a book");
        let positions = snapshot.state().topics.values().flat_map(|topic| topic.positions.values());
        positions.map(|position| position.unreadable_fields).sum()
    }

    /// What the rejects say: reason and number.
    pub(crate) fn rejects(&self) -> Vec<(String, u64)> {
        query::rejects(self.book()).expect("a book")
    }
}

/// Waits for the end.
pub(crate) fn wait(mut child: Child) -> Ended {
    let mut stderr_text = String::new();
    let mut stderr = child.stderr.take().expect("it is piped");
    let listener = thread::spawn(move || {
        let _ = stderr.read_to_string(&mut stderr_text);
        stderr_text
    });
    let begin = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status.code();
        }
        if begin.elapsed() > RUN_TIMEOUT {
            child.kill().expect("it is our child");
            panic!("it did not end: {}", listener.join().unwrap_or_default());
        }
        thread::sleep(Duration::from_millis(10));
    };
    Ended { code, stderr_text: listener.join().expect("it only reads") }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < RUN_TIMEOUT, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Asks a run to end.
pub(crate) fn terminate(child: &Child) {
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(asked.expect("kill is there").success());
}

impl Ended {
    pub(crate) fn expect(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr_text);
        for word in words {
            assert!(self.stderr_text.contains(word), "{word:?} is not in {}", self.stderr_text);
        }
    }
}

/// Sets a file's length.
pub(crate) fn cut(world: &World, length: u64) {
    let file = File::options().write(true).open(world.input());
    file.and_then(|file| file.set_len(length)).expect("a file can be cut");
}
