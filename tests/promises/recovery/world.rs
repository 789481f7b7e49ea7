//! A topic of a broker in this process, a book, and processes of the binary that read the one into the other.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use tempfile::TempDir;
use walbook::book::log::commit_log;
use walbook::book::log::entry::EntryKind;
use walbook::book::verify;
use walbook::query::{Filter, counts};
use walbook::store::Disk;

/// The binary.
const WALBOOK: &str = env!("CARGO_BIN_EXE_walbook");
const TOPIC: &str = "changes";
const PARTITIONS: i32 = 4;
/// How long anything may take on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
/// The time between two commits.
pub(crate) const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// A topic and a book.
pub(crate) struct World {
    folder: TempDir,
    producer: BaseProducer,
    cluster: MockCluster<'static, DefaultProducerContext>,
    /// What runs find in the place of the broker.
    silent: Option<TcpListener>,
    produced: u64,
    started: usize,
}

impl World {
    pub(crate) fn new() -> World {
        let cluster = MockCluster::new(1).expect("librdkafka has a mock cluster");
        cluster.create_topic(TOPIC, PARTITIONS, 1).expect("a new topic");
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("enable.idempotence", "true")
            .create()
            .expect("valid settings");
        let folder = tempfile::tempdir().expect("a temporary folder");
        World { folder, producer, cluster, silent: None, produced: 0, started: 0 }
    }

    pub(crate) fn book(&self) -> PathBuf {
        self.folder.path().join("book")
    }

    /// From now on runs find something silent in the place of the broker.
    pub(crate) fn silence_broker(&mut self) {
        self.silent = Some(TcpListener::bind("127.0.0.1:0").expect("a free port"));
    }

    /// Adds inserts to the topic.
    pub(crate) fn produce(&mut self, records: u64) {
        self.produce_values(records, |id| {
            format!(r#"{{"data":"table public.t: INSERT: id[integer]:{id}","commit_time":"2026-11-22T20:00:00Z"}}"#)
        });
        self.produced += records;
    }

    /// Adds records of which nothing can be read.
    pub(crate) fn produce_rejects(&mut self, records: u64) {
        self.produce_values(records, |id| format!("record {id}"));
    }

    fn produce_values(&self, records: u64, value: impl Fn(u64) -> String) {
        for id in self.produced..self.produced + records {
            let (value, key) = (value(id), id.to_string());
            self.producer.send(BaseRecord::to(TOPIC).payload(&value).key(&key)).expect("an empty queue");
            self.producer.poll(Duration::ZERO);
        }
        self.producer.flush(TIMEOUT).expect("the broker answers");
    }

    /// Starts `walbook run` on the book and the topic.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> Process {
        self.start(Command::new(WALBOOK), &self.run_arguments(arguments))
    }

    /// The same from a shell that ignores SIGCHLD, which the binary inherits. Not every sh can do that.
    pub(crate) fn run_ignoring_children(&mut self, arguments: &[&str]) -> Process {
        let mut shell = Command::new("bash");
        shell.args(["-c", "trap '' CHLD; exec \"$@\"", "bash", WALBOOK]);
        self.start(shell, &self.run_arguments(arguments))
    }

    /// Starts the binary.
    pub(crate) fn walbook(&mut self, arguments: &[&str]) -> Process {
        self.start(Command::new(WALBOOK), arguments)
    }

    /// What the binary prints, which must end well.
    #[track_caller]
    pub(crate) fn answer(&self, arguments: &[&str]) -> String {
        let output = Command::new(WALBOOK).args(arguments).output().expect("the binary is built");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("the answer is text")
    }

    fn run_arguments(&self, arguments: &[&str]) -> Vec<String> {
        let brokers = match &self.silent {
            Some(silent) => silent.local_addr().expect("it is bound").to_string(),
            None => self.cluster.bootstrap_servers(),
        };
        let (book, interval) = (self.book(), humantime::format_duration(COMMIT_INTERVAL).to_string());
        // The mock answers an empty fetch only after this time, even if records arrive meanwhile.
        let topic = ["--brokers", &brokers, "--topic", TOPIC, "-X", "fetch.wait.max.ms=100", "-w", "1"];
        let book = ["run", book.to_str().expect("a plain path")];
        let all = [&book[..], &topic, &["--commit-interval", &interval], arguments].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    fn start<S: AsRef<OsStr>>(&mut self, mut command: Command, arguments: &[S]) -> Process {
        self.started += 1;
        let log = self.folder.path().join(format!("log-{}", self.started));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).expect("a file can be made"));
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WALBOOK_")) {
            command.env_remove(variable);
        }
        let what = format!("{command:?}");
        Process { child: command.spawn().expect("the binary is built"), log, what }
    }

    /// A hosts file of free ports.
    pub(crate) fn hosts(&mut self, processes: usize) -> String {
        let listeners: Vec<TcpListener> =
            (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let lines = listeners.iter().map(|listener| format!("{}\n", listener.local_addr().expect("it is bound")));
        self.started += 1;
        let path = self.folder.path().join(format!("hosts-{}", self.started));
        fs::write(&path, lines.collect::<String>()).expect("a file can be written");
        path.to_str().expect("a plain path").to_owned()
    }

    /// How many changes are committed.
    pub(crate) fn committed(&self) -> u64 {
        counts(self.book(), &Filter::default(), &[]).map_or(0, |answer| answer.rows.iter().map(|row| row.count).sum())
    }

    /// Waits until everything that was produced is committed; returns how long that took.
    #[track_caller]
    pub(crate) fn await_all(&self, processes: &[&Process]) -> Duration {
        let begin = Instant::now();
        while self.committed() < self.produced {
            let logs = || processes.iter().map(|process| process.log()).collect::<Vec<_>>().join("\n---\n");
            assert!(begin.elapsed() < TIMEOUT, "{} of {} are committed:\n{}", self.committed(), self.produced, logs());
            thread::sleep(Duration::from_millis(10));
        }
        begin.elapsed()
    }

    /// How many runs have taken the book over.
    pub(crate) fn fences(&self) -> usize {
        let disk = Disk::new(self.book());
        let numbers = commit_log::numbers(&disk).expect("a log can be listed");
        let kind = |number: &u64| {
            commit_log::read_entry(&disk, *number).expect("a whole entry").map(|logged| logged.entry.kind)
        };
        numbers.iter().filter(|number| kind(number) == Some(EntryKind::Fence)).count()
    }

    /// Each record must be in the book once, and the book whole.
    #[track_caller]
    pub(crate) fn check(&self) {
        let report = verify(self.book(), &mut |_| {}).expect("a book");
        assert!(report.ok, "{report:#?}");
        assert_eq!(self.committed(), self.produced, "changes");
    }
}

/// A process of the binary; dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    what: String,
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is text")
    }

    #[track_caller]
    pub(crate) fn await_logged(&mut self, words: &str) {
        let begin = Instant::now();
        while !self.log().contains(words) {
            assert!(self.is_alive(), "{} has ended:\n{}", self.what, self.log());
            assert!(begin.elapsed() < TIMEOUT, "{} does not log {words:?}:\n{}", self.what, self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// The process that it supervises; waits until there is one.
    #[track_caller]
    pub(crate) fn supervised(&mut self) -> u32 {
        let begin = Instant::now();
        loop {
            if let Some(child) = child_of(self.id()) {
                return child;
            }
            assert!(begin.elapsed() < TIMEOUT && self.is_alive(), "{} starts nothing:\n{}", self.what, self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for its end, with this code.
    #[track_caller]
    pub(crate) fn expect_code(&mut self, code: i32) -> Duration {
        let (begin, status) = (Instant::now(), self.wait());
        assert_eq!(status.code(), Some(code), "{}: {status}\n{}", self.what, self.log());
        begin.elapsed()
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(begin.elapsed() < TIMEOUT, "{} does not end:\n{}", self.what, self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by its name.
pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status().expect("kill starts");
    assert!(sent.success(), "could not send SIG{name} to {process}");
}

/// Whether there is such a process that has not ended.
pub(crate) fn exists(process: u32) -> bool {
    state_and_parent(process).is_some_and(|(state, _)| state != "Z")
}

fn child_of(parent: u32) -> Option<u32> {
    let processes = fs::read_dir("/proc").expect("a process table");
    let mut numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.find(|process| state_and_parent(*process).is_some_and(|(state, of)| of == parent && state != "Z"))
}

fn state_and_parent(process: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name in parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
