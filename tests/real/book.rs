//! A place for a book: what is started on it, and what the book says.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use walbook::book::Entry;
use walbook::book::log::commit_log;
use walbook::store::Disk;

use crate::environment;
pub(crate) use crate::running::{Ended, Running};
use crate::topic::Topic;
use crate::truth::Counts;

/// How long a run to the end may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A place for one book; the run makes it.
pub(crate) struct Book {
    folder: TempDir,
    path: PathBuf,
    /// The binary.
    program: PathBuf,
    /// What the binary is started by, for a book that only exists in another mount namespace.
    launcher: Vec<String>,
}

impl Book {
    /// A book that does not exist yet.
    pub(crate) fn new(name: &str) -> Book {
        let folder = environment::folder(name);
        let path = folder.path().join("book");
        let program = env!("CARGO_BIN_EXE_walbook").into();
        Book { folder, path, program, launcher: Vec::new() }
    }

    /// A book that does not exist yet, for the binary whose speed counts where there is one.
    pub(crate) fn for_speed(name: &str) -> Book {
        let book = Book::new(name);
        let program = environment::release_binary().unwrap_or(book.program);
        Book { program, ..book }
    }

    /// A copy as it stands; nothing may be running on it.
    pub(crate) fn copy(&self, name: &str) -> Book {
        let copy = Book { program: self.program.clone(), ..Book::new(name) };
        let copied = Command::new("cp").arg("-r").arg(&self.path).arg(&copy.path).status().expect("cp is there");
        assert!(copied.success(), "could not copy {}", self.path.display());
        copy
    }

    /// A book at `path`, reached by putting `launcher` before the binary.
    pub(crate) fn behind(name: &str, launcher: Vec<String>, path: PathBuf) -> Book {
        Book { path, launcher, ..Book::new(name) }
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts a run over `topics` that serves a page; returns its address.
    #[track_caller]
    pub(crate) fn serve_run(&self, topics: &[&Topic], arguments: &[&str]) -> (Running, SocketAddr) {
        let running = self.run(topics, &[&["--serve", "127.0.0.1:0"], arguments].concat());
        let address = running.page();
        (running, address)
    }

    /// Starts a run over `topics`.
    pub(crate) fn run(&self, topics: &[&Topic], arguments: &[&str]) -> Running {
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let brokers = topics[0].brokers.clone();
        let mut all = vec!["--brokers".to_owned(), brokers, "--topic".to_owned(), names.join(",")];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self.start("run", &all)
    }

    /// Runs over `topics` until their ends; it must exit 0.
    #[track_caller]
    pub(crate) fn run_to_end(&self, topics: &[&Topic], arguments: &[&str]) -> Ended {
        let ended = self.run(topics, &[&["--until-end"], arguments].concat()).wait(TIMEOUT);
        ended.expect_code(0);
        ended
    }

    /// Starts a command, of one word or two, with the book as its first argument.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, command: &str, arguments: &[S]) -> Running {
        let mut walbook = match self.launcher.split_first() {
            None => Command::new(&self.program),
            Some((program, arguments)) => {
                let mut launcher = Command::new(program);
                launcher.args(arguments).arg(&self.program);
                launcher
            }
        };
        walbook.args(command.split(' ')).arg(&self.path).args(arguments);
        Running::start(walbook, self.folder.path())
    }

    /// Declares a view.
    #[track_caller]
    pub(crate) fn declare_view(&self, declaration: &str) {
        let mut walbook = Command::new(&self.program);
        walbook.args(["view", "create"]).arg(&self.path).arg(declaration);
        Running::start(walbook, self.folder.path()).wait(TIMEOUT).expect_code(0);
    }

    /// What `query --format json` says.
    #[track_caller]
    pub(crate) fn query(&self, arguments: &[&str]) -> Value {
        let ended = self.start("query", &[arguments, &["--format", "json"]].concat()).wait(TIMEOUT);
        ended.expect_code(0);
        serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("query prints no JSON: {error}: {}", ended.stdout))
    }

    /// All counts.
    #[track_caller]
    pub(crate) fn counts(&self) -> Counts {
        counts_of(&self.query(&[]))
    }

    /// Verifies the book, which must pass, and returns what it saw.
    #[track_caller]
    pub(crate) fn verify(&self) -> String {
        let ended = self.start::<&str>("verify", &[]).wait(TIMEOUT);
        ended.expect_code(0);
        ended.stdout
    }

    /// The files of the commit log, in order.
    pub(crate) fn log(&self) -> Vec<PathBuf> {
        files_below(&self.path.join("_walbook/log"))
    }

    /// The newest entry of the commit log.
    pub(crate) fn newest_entry(&self) -> Option<Entry> {
        let disk = Disk::new(&self.path);
        let newest = commit_log::newest(&disk).expect("the log can be read")?;
        commit_log::read_entry(&disk, newest).expect("a whole entry").map(|logged| logged.entry)
    }

    /// How often a run opened the book.
    pub(crate) fn fences(&self) -> usize {
        self.log()
            .iter()
            .filter(|entry| fs::read_to_string(entry).is_ok_and(|text| text.contains(r#""kind":"fence""#)))
            .count()
    }

    /// The Parquet files of `events`, `counts` or `rejects`.
    pub(crate) fn parquet(&self, table: &str) -> Vec<PathBuf> {
        files_below(&self.path.join(table))
    }

    /// Waits until the newest commit's counts hold at least `total` changes.
    #[track_caller]
    pub(crate) fn await_total(&self, total: i64, run: &mut Running) {
        let began = Instant::now();
        loop {
            if self.parquet("counts").is_empty() {
                thread::sleep(Duration::from_millis(50));
            } else if self.counts().total() >= total {
                return;
            }
            run.expect_alive();
            assert!(began.elapsed() < TIMEOUT, "{total} changes are not committed:\n{}", run.stderr());
        }
    }
}

/// The counts in an answer of `query --format json`.
pub(crate) fn counts_of(answer: &Value) -> Counts {
    let mut counts = Counts::default();
    for row in answer["rows"].as_array().expect("rows") {
        let text = |column: &str| row[column].as_str().unwrap_or_else(|| panic!("no {column} in {row}"));
        counts.add(text("day"), text("schema"), text("table"), text("op"), row["count"].as_i64().expect("a count"));
    }
    counts
}

/// All files in and below a folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}
