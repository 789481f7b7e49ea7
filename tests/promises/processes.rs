//! Runs of two processes, on librdkafka's mock cluster: the one that serves names the other when it does not answer, and one that
//! does not reach Kafka ends both before anything is written.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::RDKafkaApiKey;
use tempfile::TempDir;

use crate::server::client::{ask, get};

const TOPIC: &str = "shared";
const TIMEOUT: Duration = Duration::from_secs(60);

/// A run of two processes.
struct Processes {
    folder: TempDir,
    children: Vec<Child>,
    _kafka: MockCluster<'static, DefaultProducerContext>,
}

impl Processes {
    /// Starts both, with further arguments of each.
    fn start(arguments: [&[&str]; 2]) -> Processes {
        let kafka = MockCluster::new(1).expect("librdkafka has a mock cluster");
        // From version 10 on answers have UUIDs, and then each cluster's topic is another one.
        kafka.apiversion(RDKafkaApiKey::Metadata, Some(0), Some(9)).expect("a known request");
        kafka.create_topic(TOPIC, 2, 1).expect("a new topic");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().expect("it is bound").to_string());
        fs::write(folder.path().join("hosts"), addresses.join("\n")).expect("the folder is ours");
        drop(listeners);
        let mut processes = Processes { folder, children: Vec::new(), _kafka: kafka };
        let brokers = processes._kafka.bootstrap_servers();
        for (index, arguments) in arguments.into_iter().enumerate() {
            let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
            walbook.arg("run").arg(processes.book()).args([
                "--topic",
                TOPIC,
                "--brokers",
                &brokers,
                "-n",
                "2",
                "-w",
                "1",
            ]);
            walbook.args(["-p", &index.to_string(), "--hosts"]).arg(processes.folder.path().join("hosts"));
            let log = File::create(processes.log_path(index)).expect("the folder is ours");
            let child = walbook.args(arguments).stdin(Stdio::null()).stderr(log).spawn();
            processes.children.push(child.expect("the binary is built"));
        }
        processes
    }

    fn book(&self) -> PathBuf {
        self.folder.path().join("book")
    }

    fn log_path(&self, process: usize) -> PathBuf {
        self.folder.path().join(format!("log-{process}"))
    }

    /// What a process has logged.
    fn log(&self, process: usize) -> String {
        fs::read_to_string(self.log_path(process)).expect("the file is ours")
    }

    /// Where the page is, once the run has begun.
    fn page(&mut self) -> SocketAddr {
        let begin = Instant::now();
        loop {
            let log = self.log(0);
            let address = log.split_once("the page is at http://").and_then(|(_, rest)| rest.split_once('/'));
            if let Some((address, _)) = address {
                return address.parse().expect("an address");
            }
            let has_ended = self.children[0].try_wait().expect("a child can be waited for").is_some();
            assert!(!has_ended && begin.elapsed() < TIMEOUT, "no page:\n{log}\n{}", self.log(1));
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, process: usize, name: &str) {
        let id = self.children[process].id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().expect("kill is there").success());
    }

    /// The exit code of a process, which ends within a time, and its log.
    fn wait(&mut self, process: usize, within: Duration) -> (Option<i32>, String) {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.children[process].try_wait().expect("a child can be waited for") {
                return (status.code(), self.log(process));
            }
            assert!(begin.elapsed() < within, "process {process} has not ended:\n{}", self.log(process));
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_stopped_process_is_named_by_status_health_and_metrics_before_the_run_ends() {
    let mut processes = Processes::start([&["--serve", "127.0.0.1:0"], &[]]);
    let page = processes.page();
    assert_eq!(get(page, "/healthz").text(), "ok\n");
    processes.signal(1, "STOP");
    let begin = Instant::now();
    let health = loop {
        let health = ask(page, "GET", "/healthz", &[]);
        if health.status == 503 {
            break health.json();
        }
        assert!(begin.elapsed() < Duration::from_secs(9), "{}", health.text());
        thread::sleep(Duration::from_millis(50));
    };
    let message = health["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.starts_with("process 1 (127.0.0.1:") && message.contains(") has not answered for "), "{message}");
    let status = get(page, "/api/status").json();
    assert_eq!(status["cluster"]["processes"][1]["answers"], false, "{status:#}");
    assert!(get(page, "/metrics").text().contains("walbook_cluster_peer_answers{process=\"1\"} 0\n"));

    let (code, log) = processes.wait(0, Duration::from_secs(15));
    assert_eq!(code, Some(5), "{log}");
    assert!(log.contains("does not answer: nothing came from it for 10 s"), "{log}");
    processes.signal(1, "CONT");
    assert_eq!(processes.wait(1, Duration::from_secs(15)).0, Some(5));
}

#[test]
fn a_process_that_does_not_reach_kafka_ends_all_before_anything_is_written() {
    // The brokers have addresses of IPv4 only.
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
    let serve = free.to_string();
    let mut processes = Processes::start([&["--serve", &serve], &["-X", "broker.address.family=v6"]]);
    let begin = Instant::now();
    let is_named = || {
        let health = TcpStream::connect(free).is_ok().then(|| ask(free, "GET", "/healthz", &[]))?;
        assert_eq!(health.status, 503, "{}", health.text());
        let error = &health.json()["error"];
        let message = error["message"].as_str().expect("a message");
        assert_eq!(error["code"], "starting");
        (message.starts_with("waiting until process 1 (") && message.ends_with(") reaches what it reads")).then_some(())
    };
    while is_named().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", processes.log(0));
        thread::sleep(Duration::from_millis(100));
    }
    let (code, log) = processes.wait(1, TIMEOUT);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("no answer from Kafka at 127.0.0.1:") && log.contains(" within 2"), "{log}");
    let (code, log) = processes.wait(0, Duration::from_secs(10));
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("waiting until process 1 (127.0.0.1:"), "{log}");
    assert!(log.contains("of the cluster failed: no answer from Kafka at 127.0.0.1:"), "{log}");
    assert_eq!(entries(&processes.book().join("_walbook/log")), 0, "nothing was taken over");
}
