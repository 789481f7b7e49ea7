//! The binary on a book: runs that are waited for, killed or stopped, and what the book says.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::environment;
use crate::topic::Topic;
use crate::truth::Counts;

/// How long a run to the end may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A place for one book; the run makes it.
pub(crate) struct Book {
    folder: TempDir,
    path: PathBuf,
    /// What the binary is started by, for a book that only exists in another mount namespace.
    launcher: Vec<String>,
}

impl Book {
    /// A book that does not exist yet.
    pub(crate) fn new(name: &str) -> Book {
        let folder = environment::folder(name);
        Book { path: folder.path().join("book"), folder, launcher: Vec::new() }
    }

    /// A book at `path`, reached by putting `launcher` before the binary.
    pub(crate) fn behind(name: &str, launcher: Vec<String>, path: PathBuf) -> Book {
        Book { folder: environment::folder(name), path, launcher }
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts a run over `topics` that serves a page, and tells where.
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
        let ended = self.run(topics, &[&["--until-end"], arguments].concat()).wait(PATIENCE);
        ended.expect_code(0);
        ended
    }

    /// Starts a command with the book as its first argument.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, command: &str, arguments: &[S]) -> Running {
        let mut walbook = match self.launcher.split_first() {
            None => Command::new(env!("CARGO_BIN_EXE_walbook")),
            Some((program, arguments)) => {
                let mut launcher = Command::new(program);
                launcher.args(arguments).arg(env!("CARGO_BIN_EXE_walbook"));
                launcher
            }
        };
        walbook.arg(command).arg(&self.path).args(arguments);
        Running::start(walbook, self.folder.path())
    }

    /// What `query --format json` says.
    #[track_caller]
    pub(crate) fn query(&self, arguments: &[&str]) -> Value {
        let ended = self.start("query", &[arguments, &["--format", "json"]].concat()).wait(PATIENCE);
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
        let ended = self.start::<&str>("verify", &[]).wait(PATIENCE);
        ended.expect_code(0);
        ended.stdout
    }

    /// The files of the commit log, in order.
    pub(crate) fn log(&self) -> Vec<PathBuf> {
        files_below(&self.path.join("_walbook/log"))
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
            assert!(began.elapsed() < PATIENCE, "{total} changes are not committed:\n{}", run.stderr());
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

/// A process of the binary; dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    what: String,
    outputs: TempDir,
}

impl Running {
    /// Starts `walbook`; its outputs go to files, so that it never waits for a reader.
    pub(crate) fn start(mut walbook: Command, folder: &Path) -> Running {
        let outputs = tempfile::Builder::new().prefix("outputs-").tempdir_in(folder).expect("folders can be made");
        let what = format!("{walbook:?}");
        let file = |name| File::create(outputs.path().join(name)).expect("files can be made");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WALBOOK_")) {
            // The tests' own variables are none of its settings.
            walbook.env_remove(name);
        }
        walbook.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let child = walbook.spawn().unwrap_or_else(|error| panic!("could not start {what}: {error}"));
        Running { child, what, outputs }
    }

    /// Waits for its end, and kills it after `limit`.
    #[track_caller]
    pub(crate) fn wait(mut self, limit: Duration) -> Ended {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return self.ended(status, began.elapsed());
            }
            assert!(began.elapsed() < limit, "{} does not end within {limit:?}:\n{}", self.what, self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn ended(&mut self, status: ExitStatus, took: Duration) -> Ended {
        let stdout = fs::read(self.outputs.path().join("stdout")).expect("the file is ours");
        Ended {
            what: self.what.clone(),
            status,
            took,
            stdout: String::from_utf8(stdout).expect("answers are UTF-8"),
            stderr: self.stderr(),
        }
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().expect("kill is there");
        assert!(status.success(), "could not send SIG{name} to {}:\n{}", self.what, self.stderr());
    }

    /// Fails when it has ended.
    #[track_caller]
    pub(crate) fn expect_alive(&mut self) {
        let status = self.child.try_wait().expect("a child can be waited for");
        assert!(status.is_none(), "{} ended, {status:?}:\n{}", self.what, self.stderr());
    }

    /// Where its page is; waits until it says so.
    #[track_caller]
    pub(crate) fn page(&self) -> SocketAddr {
        let began = Instant::now();
        loop {
            let said = self.stderr();
            let address = said.split_once("the page is at http://").and_then(|(_, rest)| rest.split_once('/'));
            if let Some((address, _)) = address {
                return address.parse().expect("an address");
            }
            assert!(began.elapsed() < PATIENCE, "it does not say where its page is:\n{said}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until its messages contain `words`.
    #[track_caller]
    pub(crate) fn await_said(&mut self, words: &str) {
        let began = Instant::now();
        while !self.stderr().contains(words) {
            self.expect_alive();
            assert!(began.elapsed() < PATIENCE, "{} does not say {words:?}:\n{}", self.what, self.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        let stderr = fs::read(self.outputs.path().join("stderr")).expect("the file is ours");
        String::from_utf8_lossy(&stderr).into_owned()
    }

    /// The processor time it has used, and the most memory it has had at once in bytes; none when it has ended.
    pub(crate) fn usage(&self) -> Option<(Duration, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        // Behind the name in parentheses: state, ten more, then the ticks of 10 ms for itself and in the kernel.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        let ticks = stat.rsplit(')').next()?.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|number| number.parse::<u64>().expect("a number of ticks")).sum();
        Some((Duration::from_millis(ticks * 10), kilobytes * 1024))
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has ended.
pub(crate) struct Ended {
    what: String,
    status: ExitStatus,
    /// How long it was waited for.
    pub(crate) took: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its exit code; `None` after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails unless it exited with `code`.
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) {
        assert_eq!(self.status.code(), Some(code), "{}: {}\n{}", self.what, self.status, self.stderr);
    }

    /// Fails unless its messages contain each of `words`.
    #[track_caller]
    pub(crate) fn expect_said(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "{} does not say {word:?}:\n{}", self.what, self.stderr);
        }
    }
}
